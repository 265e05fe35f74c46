"""What was changed in a run template: of each change, who made it, when, and each field before and after."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from domain.environment import environment_in
from domain.event import UNSET
from domain.run_template_events import RunTemplateChanged, RunTemplateCreated
from eventstore.store import EventStore
from web import masking

LOOKED_AT = 5000
"""Newest events of a template that are looked through: due times that were skipped stand in its log, too."""

KEPT = 6
LEFT_OUT = frozenset({"run_template_id", "company_id", "uuid", "application_id", "next_due"})


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """A field, or a variable of the environment, before and after."""

    field: str
    before: str
    after: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change: version of the stream that it led to, when and by whom, and the fields."""

    version: int
    at: datetime
    actor: str
    fields: list[FieldChange]


async def load(store: EventStore, template_id: int, version: int, secret: set[str]) -> list[Change]:
    """Read the newest changes of a template, the newest first.

    Parameters
    ----------
    version : int
        Version of its stream.
    secret : set[str]
        Variables whose values are not shown.
    """
    before: dict[str, Any] = {}
    changes: list[Change] = []
    async for each in store.read_stream(f"run_template-{template_id}", start=max(1, version - LOOKED_AT)):
        if not isinstance(each.event, (RunTemplateCreated, RunTemplateChanged)):
            continue
        after = {
            name: value
            for name, value in msgspec.structs.asdict(each.event).items()
            if value is not UNSET and name not in LEFT_OUT
        }
        if isinstance(each.event, RunTemplateChanged):
            fields = [change for name in after for change in _told(name, before.get(name), after[name], secret)]
            if fields:
                actor = str(each.meta.get("actor", ""))
                changes.append(Change(version=each.version, at=each.time, actor=actor, fields=fields))
        before |= after
    return changes[::-1][:KEPT]


def _told(name: str, before: Any, after: Any, secret: set[str]) -> list[FieldChange]:
    if name == "environment":
        old, new = environment_in(before), environment_in(after)
        changed = [variable for variable in {**old, **new} if old.get(variable) != new.get(variable)]
        hidden = [masking.masked({v: each[v] for v in changed if v in each}, secret) for each in (old, new)]
        return [FieldChange(field=v, before=hidden[0].get(v, ""), after=hidden[1].get(v, "")) for v in changed]
    if before == after:
        return []
    return [FieldChange(field=name, before=_text(before), after=_text(after))]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        entries: dict[str, Any] = value
        return ", ".join(f"{name} {entry}" for name, entry in entries.items())
    if isinstance(value, list):
        listed: list[Any] = value
        return ", ".join(str(each) for each in listed)
    return value.isoformat() if isinstance(value, datetime) else str(value)
