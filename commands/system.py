"""Commands of the installation as a whole: only who acts for all of it may give them."""

from __future__ import annotations

import msgspec

from commands.actor import authorise
from commands.preparing import Desk, Prepared
from domain.system import SystemCommand


async def prepare_change(desk: Desk, command: SystemCommand) -> Prepared:
    """Give a command of the installation its moment.

    Raises
    ------
    ForbiddenError
        The actor acts for some companies only.
    """
    # Before the first event there is no state whose company could be checked.
    authorise(desk.actor, command, None)
    return Prepared(command=msgspec.structs.replace(command, now=desk.now))
