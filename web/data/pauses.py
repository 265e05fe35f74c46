"""What is paused, and what a pause would concern."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.application import ChangeApplication
from domain.command import Command
from domain.company import ChangeCompany
from domain.event import UNSET
from domain.run_template import ActivateRunTemplate, DeactivateRunTemplate
from domain.system import SYSTEM_ID, PauseSystem, ResumeSystem
from projections.queries import query as shared
from web.database import Connection
from web.errors import N_, NotFoundError
from web.queries import query

SYSTEM, COMPANY, APPLICATION, TEMPLATE = "system", "company", "application", "template"
KINDS = (SYSTEM, COMPANY, APPLICATION, TEMPLATE)


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is paused: the installation (``system``, without a name), a company, an application."""

    what: str
    id: int
    name: str | None
    since: datetime | None
    reason: str | None


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What can be paused or resumed, and how many jobs that concerns."""

    what: str
    id: int
    name: str | None
    paused: bool
    reason: str | None
    waiting: int
    running: int


async def load(connection: Connection, company_id: int | None) -> list[Pause]:
    """Return what is paused; narrowed to a company, without other companies."""
    return [
        Pause(
            what=SYSTEM if each["what"] == "installation" else each["what"],
            id=each["id"] or SYSTEM_ID,
            name=each["name"],
            since=each["since"],
            reason=each["reason"],
        )
        for each in await connection.fetch(shared("status.paused"))
        if each["what"] != COMPANY or company_id in (None, each["id"])
    ]


async def subject(connection: Connection, what: str, number: int) -> Subject:
    """Return what is to be paused or resumed.

    Raises
    ------
    NotFoundError
        There is no such thing, or it is not for this user to see.
    """
    record = await connection.fetchrow(query(f"queue.pause_of_{what}"), number)
    if record is None and (what != SYSTEM or number != SYSTEM_ID):
        raise NotFoundError(N_("There is nothing of that kind with the number {id}."), id=number)
    scope = [number if what == kind else None for kind in (COMPANY, APPLICATION, TEMPLATE)]
    concerned = await connection.fetchrow(query("queue.concerned"), *scope)
    assert concerned is not None
    return Subject(
        what=what,
        id=number,
        name=record["name"] if record else None,
        paused=bool(record and record["paused"]),
        reason=record["reason"] if record else None,
        waiting=concerned["waiting"],
        running=concerned["running"],
    )


def command_of(what: str, number: int, pause: bool, reason: str | None) -> Command:
    """Return the command that pauses or resumes something."""
    match what:
        case "company":
            return ChangeCompany(company_id=number, paused=pause, pause_reason=reason if pause else UNSET)
        case "application":
            return ChangeApplication(application_id=number, paused=pause, pause_reason=reason if pause else UNSET)
        case "template":
            if pause:
                return DeactivateRunTemplate(run_template_id=number, reason=reason)
            return ActivateRunTemplate(run_template_id=number)
        case _:
            return PauseSystem(reason=reason) if pause else ResumeSystem()
