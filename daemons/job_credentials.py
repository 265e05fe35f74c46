"""The values that a job gets from the credentials of its run template, opened at its start and kept nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec

from commands.credential_opening import Opened, opened
from daemons.recorder import FencedError
from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import DatabaseUnavailableError, MasterKeyError, SecretError
from eventstore.store import EventStore

RETRY_AFTER = 0.5
"""Seconds after which a database that was away is asked for keys again."""

CREDENTIALS = "SELECT credentials_of($1)"
"""The credentials of a run template. $1: its id."""


class CredentialError(Exception):
    """A job cannot be given its credentials; the message says why, and tells no value."""


async def credentials_of(store: EventStore, run_template_id: int, listed: str, given_up: Callable[[], bool]) -> Opened:
    """Open the credentials of a claimed job; waits for a database that is away.

    Parameters
    ----------
    store : EventStore
        Where their keys are.
    run_template_id : int
        Whose credentials they are.
    listed : str
        What the claim answered of them: JSON, as the function ``credentials_of`` of the database gives it. Keys may
        have been replaced since, so it is asked once more if something does not open.
    given_up : Callable
        Whether the job is another's by now.

    Raises
    ------
    CredentialError
        A value cannot be opened: its key was destroyed, it was altered, or the master key is not at hand.
    FencedError
        The job was given up meanwhile.
    """
    asked_again = False
    while not given_up():
        try:
            return await opened(store.keyring, msgspec.json.decode(listed))
        except (SecretError, MasterKeyError) as error:
            if asked_again:
                raise CredentialError(f"The credentials of this job cannot be opened. {error}") from None
            asked_again = True
            with suppress(DatabaseUnavailableError, *DATABASE_ERRORS):
                listed = await store.pool.fetchval(CREDENTIALS, run_template_id) or "[]"
        except (DatabaseUnavailableError, *DATABASE_ERRORS):
            await asyncio.sleep(RETRY_AFTER)
    raise FencedError
