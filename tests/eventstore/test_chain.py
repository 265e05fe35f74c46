"""The digest of an event is the same in Python and in SQL, and tells any two events apart."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventstore.chain import ZERO, Chains, chained, event_digest
from tests.eventstore.logs import superuser, write
from tests.testbed.postgres import Database

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
NAME = st.text(st.characters(categories=["L", "N"], include_characters="-_. "), min_size=1, max_size=30)
JSON = st.dictionaries(
    TEXT,
    st.recursive(
        st.none() | st.booleans() | st.integers() | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)
MOMENT = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))

EVENT = st.fixed_dictionaries(
    {
        "stream": NAME,
        "type": NAME,
        "company": st.none() | st.integers(-5, 2**31 - 1),
        "time": MOMENT,
        "data": JSON,
        "meta": JSON,
        "payload": st.none() | st.binary(max_size=100),
    }
)

IN_SQL = """
    SELECT v.data::text, v.meta::text, micros_of(v.time),
           event_digest(v.stream, v.type, v.company, micros_of(v.time), v.data::text, v.meta::text, sha256(v.payload))
      FROM (SELECT $1::text AS stream, $2::text AS type, $3::integer AS company, $4::timestamptz AS time,
                   $5::jsonb AS data, $6::jsonb AS meta, $7::bytea AS payload) v
"""


async def in_sql(connection: asyncpg.Connection, event: dict[str, Any]) -> Any:
    documents = [json.dumps(event[column]) for column in ("data", "meta")]
    columns = (event["stream"], event["type"], event["company"], event["time"], *documents, event["payload"])
    return await connection.fetchrow(IN_SQL, *columns)


async def test_python_and_sql_make_the_same_digest(database: Database) -> None:
    async with superuser(database) as connection:
        loop = asyncio.get_running_loop()

        @settings(
            max_examples=300,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        )
        @given(EVENT)
        def same(event: dict[str, Any]) -> None:
            future = asyncio.run_coroutine_threadsafe(in_sql(connection, event), loop)
            data, meta, micros, expected = future.result(30)
            assert micros == (event["time"] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
            columns = (event["stream"], event["type"], event["company"], micros, data, meta, event["payload"])
            assert event_digest(*columns) == expected

        await asyncio.to_thread(same)


async def test_an_append_chains_each_event_to_the_one_before(database: Database) -> None:
    async with superuser(database) as connection:
        for number in range(4):
            await write(
                connection, "company-7", datetime.now(UTC), data={"n": number}, payload=b"x" if number else None
            )
        rows = await connection.fetch("SELECT *, micros_of(time) AS micros FROM events ORDER BY version")
    previous = ZERO
    for row in rows:
        columns = [row[name] for name in ("stream", "type", "company_id", "micros", "data", "meta", "payload")]
        previous = chained(previous, event_digest(*columns))
        assert previous == row["hash"]


@given(EVENT, EVENT)
def test_different_events_have_different_digests(one: dict[str, Any], other: dict[str, Any]) -> None:
    def columns(event: dict[str, Any]) -> Any:
        micros = (event["time"] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        documents = [json.dumps(event[column]) for column in ("data", "meta")]
        return event["stream"], event["type"], event["company"], micros, *documents, event["payload"]

    assert (event_digest(*columns(one)) == event_digest(*columns(other))) == (columns(one) == columns(other))
    without, empty = columns({**one, "payload": None}), columns({**one, "payload": b""})
    assert event_digest(*without) != event_digest(*empty)


def test_chains_forget_streams_not_met_for_long_but_keep_those_recalled() -> None:
    chains = Chains(remembered=10)
    for number in range(100):
        chains.recall([f"job-{number}", "company-1"])
        chains.young[f"job-{number}"] = (1, ZERO)
        chains.young["company-1"] = (number, ZERO)
    assert len(chains.young) <= 12
    assert chains.young["company-1"] == (99, ZERO)
    assert "job-3" not in chains.young
    for number in range(100, 111):
        chains.young[f"job-{number}"] = (1, ZERO)
    chains.recall(["job-105", "job-3"])
    assert chains.young == {"job-105": (1, ZERO)}
