"""Append what follows from many due templates in one call of the database, each template by itself.

The database holds each template at the version that was read and looks whether it is still due at that moment, so that
of any number of schedulers one has it. A template that somebody else holds at this moment is not waited for.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import asyncpg
import msgspec
import structlog

from daemons.due import DueTemplate
from domain.task_events import TaskOpened
from eventstore import codec
from eventstore.log import JOB, NO_STREAM, Append, Meta
from eventstore.sender import SEPARATOR
from eventstore.store import EventStore
from projections.registry import inline_folds

META = Meta(actor="daemon:scheduler", source="scheduler")
ATTEMPTS = 10
"""How often a call that lost a race is repeated."""

Outcome = Literal["scheduled", "changed", "known", "refused"]
"""What became of a template: ``changed`` or dealt with by somebody else, ``known`` because one of its windows became a
task before, ``refused`` by the database."""

SCHEDULE = """
    SELECT schedule_due($1::text::integer[], $2::text::integer[], $3::text::integer[], $4, $5, $6,
                        $7::text::integer[], string_to_array($8, E'\\x1f'), $9, $10::text::integer[],
                        $11::text::boolean[], $12::text::boolean[], $13::text::integer[], $14,
                        string_to_array($15, E'\\x1f'), string_to_array($16, E'\\x1f')::jsonb[],
                        string_to_array($17, E'\\x1f')::jsonb[], $18)
"""
"""Columns of text, numbers and flags come as one string each, which the driver encodes faster than arrays; JSON escapes
the character between."""

log = structlog.get_logger(__name__)


class Wanted(NamedTuple):
    """What follows from a due template: what is appended, when it is due next, the last due time that has a job."""

    template: DueTemplate
    appends: Sequence[Append]
    next_due: datetime | None
    ran: datetime | None


async def append_due(store: EventStore, wanted: Sequence[Wanted]) -> list[Outcome]:
    """Append what follows from due templates, each as a whole or not at all; return what became of each."""
    if not wanted:
        return []
    for attempt in range(ATTEMPTS):
        try:
            return await _call(store, wanted)
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
            if attempt == ATTEMPTS - 1:
                break
            await asyncio.sleep(random.uniform(0, 0.002 * 2**attempt))
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            # One of them is to blame, and must not keep the others from being scheduled.
            if len(wanted) > 1:
                middle = len(wanted) // 2
                return await append_due(store, wanted[:middle]) + await append_due(store, wanted[middle:])
            log.error("not scheduled", run_template=wanted[0].template.run_template_id, error=str(error))
            return ["refused"]
    return ["changed"] * len(wanted)


async def _call(store: EventStore, wanted: Sequence[Wanted]) -> list[Outcome]:
    templates = [one.template for one in wanted]
    streams: list[str] = []
    of: list[int] = []
    rank: list[int] = []
    last: list[bool] = []
    old: list[bool] = []
    opening: list[int] = []
    windows: list[datetime] = []
    types: list[str] = []
    data: list[str] = []
    versions: list[int] = []
    for number, one in enumerate(wanted, 1):
        for append in one.appends:
            for place, event in enumerate(append.events, 1):
                of.append(number)
                streams.append(append.stream)
                rank.append(place)
                last.append(place == len(append.events))
                old.append(append.expected != NO_STREAM)
                if isinstance(event, TaskOpened):
                    opening.append(number)
                    windows.append(event.window_start)
                types.append(type(event).__name__)
                data.append(codec.encode(event))
                versions.append(type(event).schema_version)
    kinds = set(versions)
    outcomes = await store.pool.fetchval(
        SCHEDULE,
        _array(template.run_template_id for template in templates),
        _array(template.company_id for template in templates),
        _array(template.stream_version for template in templates),
        [template.next_due for template in templates],
        [one.next_due for one in wanted],
        [one.ran for one in wanted],
        _array(of),
        SEPARATOR.join(streams),
        JOB,
        _array(rank),
        _array(last),
        _array(old),
        _array(opening),
        windows,
        SEPARATOR.join(types),
        SEPARATOR.join(data),
        SEPARATOR.join(_meta(version) for version in (kinds if len(kinds) == 1 else versions)),
        list(dict.fromkeys(fold for kind in dict.fromkeys(types) for fold in _FOLDS.get(kind, ()))),
    )
    if "scheduled" in outcomes:
        store.notifier.notify({stream.partition("-")[0] for stream in streams})
    return outcomes


def _array(values: Iterable[int]) -> str:
    """Return numbers or flags as the text of an array."""
    return "{" + ",".join(map(str, values)) + "}"


def _meta(schema_version: int) -> str:
    document = {"v": schema_version, **msgspec.to_builtins(META)}
    return msgspec.json.encode(document).decode()


_FOLDS: Mapping[str, Sequence[str]] = {
    kind: [fold for fold in folds if fold != "fold_run_template"] for kind, folds in inline_folds().items()
}
"""Of each type of event the folds; what they mean for the due index is done where a template is taken."""
