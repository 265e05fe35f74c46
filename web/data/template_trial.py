"""What a job of a run template would be started with: final command line and environment, nothing of it in clear."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from commands import trial
from commands.environment_file import SystemFile
from commands.job_environment import PlanError
from commands.trial import Trial
from eventstore.keyring import Keyring
from projections.queries import query as shared
from web import masking
from web.database import Connection
from web.errors import N_, NotFoundError

SOURCES: dict[str, str] = {
    "multiflexi": N_("MultiFlexi itself"),
    "application": N_("default of the application"),
    "prototype": N_("default of the credential's type"),
    "system": N_("system file"),
    "company": N_("company"),
    "template": N_("run template"),
    "job": N_("this job alone"),
    "credential": N_("credential"),
}
"""Where a variable comes from."""


class TrialShown(msgspec.Struct, frozen=True, kw_only=True):
    """What a job would be started with; ``trial`` is None if it would not start, and ``problem`` says why."""

    run_template_id: int
    company_id: int
    name: str
    zone: str
    trial: Trial | None
    problem: str | None


async def load(
    connection: Connection, keyring: Keyring, template_id: int, one_off: Mapping[str, str] | None = None
) -> TrialShown:
    """Read a run template as an executor would get a job of it, and work out what that would be started with.

    Parameters
    ----------
    one_off : Mapping[str, str] or None
        Values of that job alone.

    Raises
    ------
    NotFoundError
        There is none of that id, or it is not for this user to see.
    """
    row = await connection.fetchrow(shared("run_template.trial"), template_id)
    if row is None:
        raise NotFoundError(N_("There is no run template {id}."), id=template_id)
    tried, problem = None, None
    system = SystemFile().values()
    try:
        tried = await trial.of_row(keyring, dict(row), one_off=one_off or {}, system=system, masked=masking.masked)
    except PlanError as error:
        problem = str(error)
    return TrialShown(
        run_template_id=template_id,
        company_id=row["company_id"],
        name=row["name"],
        zone=row["zone"],
        trial=tried,
        problem=problem,
    )
