"""Events for tests: any event of any type, drawn by Hypothesis from the types' own fields, and short ones by hand."""

from __future__ import annotations

import random
import types
import typing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st

from domain.company_events import CompanyCreated
from domain.event import UNSET, Erased, Event
from domain.job_events import JobScheduled, OutputCaptured
from eventstore import codec

DAY = datetime(2026, 3, 1, tzinfo=UTC)

TEXTS = (
    "",
    "x",
    "Acme s.r.o.",
    "Žluťoučký kůň",
    "日本語",
    "\U0001f980",
    "a'b\"c\\d",
    "line\nline\ttab\r",
    "\x01\x1f\x7f\u2028\ufeff",
    "$1 %s {company_id}",
    '{"enc": "eA==", "key": 1, "sub": "company:1"}',
    "null",
    " padded ",
    "y" * 300,
)
"""Text of all sorts that PostgreSQL can store: everything but NUL and halves of surrogate pairs."""

KEYS = (*TEXTS[1:6], "enc", "key", "sub", "next_due", "company_id")


def value_of(kind: Any, chance: random.Random) -> Any:
    """Return a value for a field's type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return value_of(chance.choice([argument for argument in arguments if argument is not Erased]), chance)
    if origin is list:
        return [value_of(arguments[0], chance) for _ in range(chance.randrange(4))]
    if origin is dict:
        return {chance.choice(KEYS): value_of(arguments[1], chance) for _ in range(chance.randrange(4))}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{name: value_of(hint, chance) for name, hint in hints_of(kind).items()})
    return SIMPLE[kind](chance)


def json_value(chance: random.Random, depth: int = 2) -> Any:
    """Return a JSON value. Its numbers are such that jsonb, which keeps decimals, gives them back of the same type."""
    kind = chance.randrange(8 if depth else 6)
    if kind == 6:
        return [json_value(chance, depth - 1) for _ in range(chance.randrange(3))]
    if kind == 7:
        return {chance.choice(KEYS): json_value(chance, depth - 1) for _ in range(chance.randrange(4))}
    return (None, True, False, chance.randint(-(2**53), 2**53), chance.randint(-999, 999) / 4, chance.choice(TEXTS))[
        kind
    ]


SIMPLE: dict[Any, Callable[[random.Random], Any]] = {
    int: lambda chance: chance.choice([0, 1, 2, 41, 2**31 - 1]),
    float: lambda chance: chance.randint(0, 10**9) / 1000,
    str: lambda chance: chance.choice(TEXTS),
    bool: lambda chance: chance.random() < 0.5,
    datetime: lambda chance: DAY + timedelta(microseconds=chance.choice([0, 1, chance.randrange(10**14)])),
    type(None): lambda _: None,
    msgspec.UnsetType: lambda _: UNSET,
    Any: json_value,
}


@cache
def hints_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the types of a type's fields."""
    hints = typing.get_type_hints(kind)
    return {name: hints[name] for name in kind.__struct_fields__}


def event_of(kind: type[Event], seed: int) -> Event:
    """Return one of many events of a type, the same for the same seed."""
    chance = random.Random(seed)
    return kind(**{name: value_of(hint, chance) for name, hint in hints_of(kind).items()})


def any_event(category: str | None = None) -> st.SearchStrategy[Event]:
    """Return a strategy for events of all types of a category."""
    return st.builds(event_of, st.sampled_from(product_types(category)), st.integers(0, 9999))


def product_types(category: str | None = None) -> list[type[Event]]:
    """Return the event types of the program, without those that tests made up."""
    return [kind for kind in codec.event_types(category) if kind.__module__.startswith("domain.")]


def company_created(company_id: int, **fields: Any) -> CompanyCreated:
    """Return a company's first event."""
    known = {
        "uuid": f"00000000-0000-4000-8000-{company_id:012d}",
        "name": f"Company {company_id}",
        "code": f"company-{company_id}",
        "time_zone": "Europe/Prague",
    }
    return CompanyCreated(company_id=company_id, **{**known, **fields})


def job_scheduled(job_id: int, company_id: int = 1, **fields: Any) -> JobScheduled:
    """Return a job's first event."""
    known: dict[str, Any] = {
        "run_template_id": 1,
        "uuid": f"00000000-0000-4000-9000-{job_id:012d}",
        "application_id": 1,
        "application_version": "1.0",
        "not_before": DAY,
        "scheduled_at": DAY,
    }
    return JobScheduled(job_id=job_id, company_id=company_id, **{**known, **fields})


def output_captured(job_id: int, offset: int, company_id: int = 1, length: int = 1) -> OutputCaptured:
    """Return a piece of a job's output; ``offset`` tells one from another."""
    return OutputCaptured(
        job_id=job_id, company_id=company_id, channel="stdout", offset=offset, length=length, captured_at=DAY
    )
