"""The variables that a company gives all of its jobs: stored encrypted, opened when a job starts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from daemons.recorder import FencedError
from domain.company import environment_in
from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import DatabaseUnavailableError
from eventstore.keyring import Keyring

RETRY_AFTER = 0.5
"""Seconds after which a database that was away is asked for the key again."""


async def opened(
    keyring: Keyring, company_id: int, sealed: dict[str, Any], given_up: Callable[[], bool]
) -> dict[str, str]:
    """Return the variables of a company in clear, none if their key was destroyed; waits for a database that is away.

    Parameters
    ----------
    keyring : Keyring
        Where the key is.
    company_id : int
        Whose variables they are.
    sealed : dict[str, Any]
        What the read model has in their place.
    given_up : Callable
        Whether the job is another's by now.

    Raises
    ------
    FencedError
        The job was given up meanwhile.
    """
    while not given_up():
        try:
            (clear,) = await keyring.reveal([(sealed, f"company-{company_id}|environment")])
        except (DatabaseUnavailableError, *DATABASE_ERRORS):
            await asyncio.sleep(RETRY_AFTER)
        else:
            return environment_in(clear)
    raise FencedError
