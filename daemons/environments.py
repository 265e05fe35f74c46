"""The variables that a company, a run template and a job give processes: stored encrypted, opened when a job starts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from commands.job_environment import PlanError
from daemons.recorder import FencedError
from domain.event import Erased
from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import DatabaseUnavailableError, MasterKeyError
from eventstore.keyring import Keyring

RETRY_AFTER = 0.5
"""Seconds after which a database that was away is asked for the key again."""

PLACES = {"company_environment": "company_id", "template_environment": "run_template_id", "environment": "job_id"}
"""Columns of ``claim_jobs`` with environments, each with the column that has the id of whose it is."""

STREAMS = {"company_environment": "company", "template_environment": "run_template", "environment": "job"}
NONE = ("null", "{}")


async def opened(keyring: Keyring, job: Mapping[str, Any], given_up: Callable[[], bool]) -> dict[str, str | None]:
    """Return the environments of a claimed job in clear, as JSON text by column; None where there is none.

    One whose key was destroyed is none. It waits for a database that is away.

    Parameters
    ----------
    keyring : Keyring
        Where the keys are.
    job : Mapping[str, Any]
        A row of ``claim_jobs``.
    given_up : Callable
        Whether the job is another's by now.

    Raises
    ------
    PlanError
        One does not open: it was altered, or the master key is not at hand.
    FencedError
        The job was given up meanwhile.
    """
    found: dict[str, str | None] = dict.fromkeys(PLACES)
    sealed: dict[str, tuple[dict[str, Any] | None, str]] = {}
    for column, owner in PLACES.items():
        if (text := job.get(column)) and text not in NONE:
            sealed[column] = (msgspec.json.decode(text), f"{STREAMS[column]}-{job[owner]}|environment")
    if not sealed:
        return found
    while not given_up():
        try:
            clear = await keyring.reveal(list(sealed.values()))
        except MasterKeyError as error:
            raise PlanError(f"The environment of this job cannot be opened. {error}") from None
        except (DatabaseUnavailableError, *DATABASE_ERRORS):
            await asyncio.sleep(RETRY_AFTER)
        else:
            texts = (None if isinstance(text, Erased) else text for text in clear)
            return {**found, **dict(zip(sealed, texts, strict=True))}
    raise FencedError
