"""The pure domain and the read models fold the same events into the same state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given

from domain import task
from domain.aggregates import ALL
from domain.retention_events import HistoryRemoved
from eventstore.log import START, category_of
from eventstore.store import EventStore
from tests.projections.histories import histories
from tests.projections.history import History
from tests.projections.rows import Rows, fold_all, rows_of
from tests.testbed.examples import on_database
from tests.testbed.postgres import Server
from tests.testbed.stores import open_store, wait_visible

Row = dict[str, Any]


def of_document(*fields: str) -> Callable[[Row], Row]:
    """Read the named fields from a row that holds the merged data of all events."""
    return lambda row: {**{name: row["document"][name] for name in fields}, "removed": row["removed_at"] is not None}


def of_company(row: Row) -> Row:
    """Read a company; whether it is archived is in its document only when that ever changed."""
    names = set(row["document"]) - {"email", "environment", "suspend_reason", "company_id"}
    return {
        **{name: row["document"][name] for name in names},
        "company_id": row["id"],
        "archived": row["archived"],
        "removed": row["removed_at"] is not None,
    }


def of_job(row: Row) -> Row:
    return {
        "job_id": row["id"],
        "company_id": row["company_id"],
        "run_template_id": row["runtemplate_id"],
        "application_id": row["app_id"],
        "exit_code": row["exitcode"],
        **{name: row[name] for name in ("uuid", "state", "executor", "not_before", "due", "executor_id", "outcome")},
    }


def of_task(row: Row) -> Row:
    same = ("company_id", "run_template_id", "window_start", "window_end", "deadline", "max_attempts", "allow_late")
    return {
        "task_id": row["id"],
        "ended": row["ended_as"],
        **{name: row[name] for name in (*same, "fulfilled_by_job_id")},
    }


READ: dict[str, tuple[str, Callable[[Row], Row] | None]] = {
    "company": ("company", of_company),
    "application": ("application", None),
    "run_template": ("run_template", None),
    "job": ("job", of_job),
    "task": ("task", of_task),
}
"""Of each category, the table of its things and how a row reads as the domain's state; None: from its document."""


ELSEWHERE = {
    "application": {"icon"},
    "company": {"email", "environment", "suspend_reason"},
    "run_template": {"credentials", "environment"},
    "job": {"environment"},
}
"""What the row holds encrypted, or another table holds; other tests read those. So is the note of all that have one."""

EVOLVE: dict[str, Callable[[Any, Any], Any]] = {aggregate.category: aggregate.evolve for aggregate in ALL}
EVOLVE |= {"task": task.evolve}


async def evolved(store: EventStore, category: str, streams: set[str]) -> list[Row]:
    """Return the states of all things of a kind, folded by the domain from their streams."""
    states: list[Row] = []
    for stream in streams:
        state: Any = None
        async for one in store.read_stream(stream):
            state = EVOLVE[category](state, one.event)
        states.append(msgspec.to_builtins(state))
    return states


def same_form(value: Any) -> Any:
    """Return a value in a form in which moments compare, whoever wrote them."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp() if len(value) >= 19 else value
        except ValueError:
            return value
    return value


def check(rows: Rows, category: str, states: list[Row], *, thinned: bool) -> None:
    """Compare; ``thinned``: old jobs and tasks were taken out of the read models."""
    table, read = READ[category]
    by_id = {row["id"]: row for row in rows[table]}
    known = [state for state in states if state[f"{category}_id"] in by_id]
    assert len(by_id) == len(known)
    assert known == states or (thinned and category in ("job", "task"))
    if category == "company":
        given_apps = {(row["company_id"], row["app_id"]) for row in rows["company_app"]}
        assert given_apps == {
            (one["company_id"], a) for one in states if not one["removed"] for a in one["applications"]
        }
    for state in known:
        row = by_id[state[f"{category}_id"]]
        names = state.keys() - ELSEWHERE.get(category, set()) - {"note"}
        found = (read or of_document(*(names - {"removed"})))(row)
        shared = names & found.keys()
        assert len(shared) > 5, f"{table} shows nothing of {category}"
        assert {name: same_form(state[name]) for name in shared} == {name: same_form(found[name]) for name in shared}


@pytest.mark.slow
@on_database(max_examples=15)
@given(history=histories(shortest=100, longest=200))
def test_rows_are_what_the_domain_evolves_from_the_same_events(postgres: Server, history: History) -> None:
    database = postgres.fresh_database()

    async def live() -> dict[str, list[Row]]:
        async with open_store(database, inline=True) as store:
            newest = START
            for step in history.steps:
                newest = max(done.cursor for done in await store.append_all(step))
            await wait_visible(store, newest)
            return {
                category: await evolved(
                    store, category, {name for name in history.versions if category_of(name) == category}
                )
                for category in READ
            }

    try:
        states = asyncio.run(live())
        fold_all(database, 1000)
        rows = rows_of(database)
        assert any(states.values())
        thinned = any(
            isinstance(event, HistoryRemoved) for step in history.steps for one in step for event in one.events
        )
        for category, found in states.items():
            check(rows, category, found, thinned=thinned)
    finally:
        postgres.drop(database)
