"""Commands of requests for access: users ask for themselves, and nobody decides on what they have asked for."""

from __future__ import annotations

import msgspec

from commands.actor import denied
from commands.facts import Row, present
from commands.preparing import Desk, Prepared, filled, fresh_id
from domain.access_request import AccessRequestCommand, ApproveRequest, RefuseRequest, RequestAccess
from domain.event import UNSET
from domain.membership import GrantMembership


async def prepare_request(desk: Desk, command: RequestAccess) -> Prepared:
    """Give a request its id, its moment and its user: users ask for companies that they need not see."""
    user_id = command.user_id or desk.actor.user_id or 0
    await present(desk.all_facts, "user", user_id, "user")
    await present(desk.all_facts, "company", command.company_id, "company")
    number = await fresh_id(desk, command)
    wish = filled(command, access_request_id=number, user_id=user_id)
    return Prepared(command=msgspec.structs.replace(wish, now=desk.now), fresh=True)


async def prepare_approve(desk: Desk, command: ApproveRequest) -> Prepared:
    """Let a membership follow, of no more than the actor could grant."""
    row = await _decided(desk, command)
    until = row["until"] if command.until is UNSET else command.until
    grant = GrantMembership(user_id=row["user_id"], company_id=row["company_id"], role=row["role"], until=until)
    consequences = (grant,) if row["state"] == "open" else ()
    return Prepared(command=msgspec.structs.replace(command, now=desk.now), consequences=consequences)


async def prepare_refuse(desk: Desk, command: RefuseRequest) -> Prepared:
    """See that nobody decides on their own request."""
    await _decided(desk, command)
    return Prepared(command=command)


async def _decided(desk: Desk, command: AccessRequestCommand) -> Row:
    """Return the row of a request that somebody decides on.

    Raises
    ------
    DeniedError
        It is their own.
    """
    row = await present(desk.facts, "access_request", command.access_request_id, "access_request")
    if desk.actor.user_id == row["user_id"]:
        raise denied(desk.actor, type(command).__name__, "member.manage", row["company_id"])
    return row
