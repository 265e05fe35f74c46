"""Commands of many run templates that follow from one of their company or their application.

Each of them by itself would take two statements; a company of ten thousand templates would be suspended in ten seconds.
Where the read model, which stands as the log stands, tells enough to decide them, no stream is read: the version at
which it stands is what the append expects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from commands.facts import Row
from commands.preparing import Desk, Prepared
from commands.run_templates import prepare_change, timed
from domain.aggregates import COMPANY
from domain.job import CancelJob
from domain.run_template import RemoveRunTemplate, RescheduleRunTemplate, RunTemplate
from eventstore.log import Append

_state = msgspec.json.Decoder(RunTemplate)


async def prepare_reschedule(desk: Desk, commands: Sequence[RescheduleRunTemplate]) -> list[Prepared]:
    """Give each the moment, the time zone of its company and how its template stands."""
    rows = await _standing(desk, [command.run_template_id for command in commands])
    held: dict[int, tuple[Append, ...]] = {}
    prepared: list[Prepared] = []
    for command in commands:
        row = rows.get(command.run_template_id)
        if row is None:
            prepared.append(await prepare_change(desk, command))
            continue
        company_id: int = row["company_id"]
        if company_id not in held:
            stream = COMPANY.stream(company_id)
            held[company_id] = (Append(stream=stream, company_id=company_id, expected=row["company_version"]),)
        filled_in = timed(command, row, now=desk.now)
        prepared.append(Prepared(command=filled_in, guards=held[company_id], stood=_stood(row)))
    return prepared


async def prepare_remove(desk: Desk, commands: Sequence[RemoveRunTemplate]) -> list[Prepared]:
    """Let the jobs of each that wait be cancelled."""
    numbers = [command.run_template_id for command in commands]
    rows = await _standing(desk, numbers)
    waiting: defaultdict[int, list[CancelJob]] = defaultdict(list)
    for row in await desk.facts.rows("queued_jobs_of", numbers):
        cancel = CancelJob(job_id=row["job_id"], reason="Its run template was removed.", if_waiting=True)
        waiting[row["run_template_id"]].append(cancel)
    return [
        Prepared(
            command=msgspec.structs.replace(command, now=desk.now),
            consequences=tuple(waiting[command.run_template_id]),
            stood=_stood(rows[command.run_template_id]) if command.run_template_id in rows else None,
        )
        for command in commands
    ]


async def _standing(desk: Desk, numbers: list[int]) -> dict[int, Row]:
    return {row["id"]: row for row in await desk.facts.rows("run_templates_standing", numbers)}


def _stood(row: Row) -> tuple[RunTemplate, int]:
    """Return a template as its events left it, without its environment, its note and its credentials."""
    return msgspec.structs.replace(_state.decode(row["document"]), removed=row["removed"]), row["stream_version"]
