"""Many run templates changed at once: what is chosen, what is typed, and what would change in each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from commands.assignments import around
from commands.copies import MOST
from commands.facts import Facts
from domain.run_template import CreateRunTemplate
from projections.queries import query as shared
from web import words
from web.data import environment_form, template_form
from web.database import Connection
from web.errors import N_, BadRequestError
from web.queries import query
from web.times import Clock
from web.view import MAX_ID, View

FIELDS = (
    "interval", "cron", "time_zone", "delay", "jitter", "missed_policy", "overlap_policy", "max_parallel", "priority",
    "deadline_offset", "max_attempts", "retry_backoff", "retry_min_gap", "when_lost", "executor", "labels",
)  # fmt: skip
"""Fields that are changed for many at once; those that are left empty stay as they are."""

DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(CreateRunTemplate)}
TAKE_AWAY = "take_away"
"""Prefix of the box that takes a variable away."""

TOO_MANY = N_("{count} run templates are chosen; at most {most} can be changed at once.")
NOTHING = N_("Choose what is to change.")
REASON_ALONE = N_("A reason is for switching off.")


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A run template that was chosen; ``document`` has its fields."""

    id: int
    name: str
    company_id: int
    company_name: str | None
    application_name: str | None
    active: bool
    document: dict[str, Any]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a run template before and after; both as texts."""

    field: str
    before: str
    after: str


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What would change in a run template, and the variables that credentials hide, with their names."""

    template: Chosen
    differences: list[Difference]
    hidden: dict[str, str] = {}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change: fields of the command, the reason of switching off, variables; and what is wrong with it."""

    fields: dict[str, Any]
    reason: str | None
    variables: dict[str, str | None]
    errors: dict[str, str]


def numbers_of(texts: Iterable[str]) -> list[int]:
    """Return the ids that parameters or a form name, each once.

    Raises
    ------
    BadRequestError
        One is none, or there are too many.
    """
    found: dict[int, None] = {}
    for text in (part.strip() for one in texts for part in one.split(",")):
        if not text:
            continue
        if not (text.isascii() and text.isdigit() and len(text) < 11 and 0 < int(text) <= MAX_ID):
            raise BadRequestError(N_("The parameter {name} is “{value}”; expected a number."), name="id", value=text[:40])
        found[int(text)] = None
    if len(found) > MOST:
        raise BadRequestError(TOO_MANY, count=len(found), most=MOST)
    return list(found)


async def chosen(connection: Connection, numbers: Sequence[int]) -> list[Chosen]:
    """Read the run templates of some ids, those that there are."""
    return [_chosen(row) for row in await connection.fetch(query("template.chosen"), list(numbers))]


async def narrowed(connection: Connection, view: View) -> list[int]:
    """Return the ids of all run templates that a list is narrowed to, not only of its page.

    Raises
    ------
    BadRequestError
        They are too many.
    """
    application = view.parameters.get("app")
    number = int(application) if application and application.isascii() and application.isdigit() else None
    words_of = view.parameters.get("find", "").strip() or None
    found = await connection.fetch(
        shared("run_template.list"), view.company_id, number, MOST + 1, 0, False, None, words_of
    )
    if len(found) > MOST:
        raise BadRequestError(
            N_("More than {most} run templates are chosen. Narrow the list down."), most=MOST
        )
    return [row["id"] for row in found]


def wish_of(form: Mapping[str, str], clock: Clock, translate: words.Translate) -> Wish:
    """Return what a form asks for."""
    fields, errors = template_form.wish_of(
        {name: form.get(name, "") for name in FIELDS}, dict.fromkeys(FIELDS, ""), clock, translate
    )
    activity, reason = form.get("activity", ""), form.get("reason", "").strip()
    if activity in ("on", "off"):
        fields["active"] = activity == "on"
    if reason and activity != "off":
        errors["reason"] = translate(REASON_ALONE)
    variables: dict[str, str | None] = dict(environment_form.extra_of(form))
    for name, value in form.items():
        if name.startswith(f"{TAKE_AWAY}."):
            number = name.rpartition(".")[2]
            if variable := form.get(f"{environment_form.EXTRA_NAME}.{number}", "").strip():
                variables[variable] = None
    if wrong := environment_form.names_wrong(variables, translate):
        errors["environment"] = wrong
    if not fields and not variables and not errors:
        errors[""] = translate(NOTHING)
    return Wish(fields=fields, reason=reason or None, variables=variables, errors=errors)


def effects(templates: Iterable[Chosen], wish: Wish, translate: words.Translate) -> list[Effect]:
    """Return what a wish would change in each run template; values of variables are not told."""
    return [Effect(template=one, differences=_differences(one, wish, translate)) for one in templates]


async def with_hidden(facts: Facts, found: Sequence[Effect], wish: Wish) -> list[Effect]:
    """Return the same with the variables that credentials of the run templates hide."""
    given = [name for name, value in wish.variables.items() if value is not None]
    if not given:
        return list(found)
    told: list[Effect] = []
    for effect in found:
        assigned, _ = await around(facts, effect.template.id)
        provided = {name: one.name for one in assigned for name in one.provided}
        hidden = {name: provided[name] for name in given if name in provided}
        told.append(msgspec.structs.replace(effect, hidden=hidden))
    return told


def _differences(template: Chosen, wish: Wish, translate: words.Translate) -> list[Difference]:
    found: list[Difference] = []
    for name, after in wish.fields.items():
        before = template.active if name == "active" else template.document.get(name, DEFAULTS.get(name))
        if name == "labels":
            before = before or []
        if before != after:
            found.append(Difference(field=name, before=told(name, before, translate), after=told(name, after, translate)))
    if wish.reason and wish.fields.get("active") is False:
        found.append(Difference(field="inactive_reason", before="", after=wish.reason))
    found += [
        Difference(field=name, before="", after=translate(N_("taken away")) if value is None else "…")
        for name, value in wish.variables.items()
    ]
    return found


def told(name: str, value: Any, translate: words.Translate) -> str:
    """Return the value of a field for people."""
    if isinstance(value, bool):
        return translate(N_("yes")) if value else translate(N_("no"))
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)  # type: ignore[reportUnknownVariableType]
    text = "" if value is None else str(value)
    if name == "interval":
        return translate(words.INTERVALS.get(text, text))
    return translate(words.CHOICES.get(name, {}).get(text, text)) if text else ""


def _chosen(row: asyncpg.Record) -> Chosen:
    document: dict[str, Any] = msgspec.json.decode(row["document"])
    return Chosen(
        id=row["id"],
        name=row["name"],
        company_id=row["company_id"],
        company_name=row["company_name"],
        application_name=row["app_name"],
        active=row["active"],
        document={name: value for name, value in document.items() if name not in ("environment", "note")},
    )
