"""An event that a projection cannot take is passed over and noted; it holds up none of those after it."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import pytest
from psycopg import sql

from projections.rebuild import rebuild
from projections.registry import ALL, ASYNC
from tests.testbed.postgres import Database

NAMES = [projection.name for projection in ALL]
OPTIONS = "-c search_path=multiflexi -c timezone=UTC"
INSERT = """
    INSERT INTO events (epoch, class, stream, version, type, company_id, time, data, meta, hash)
    SELECT 1, 2, 'job-' || j, 1, 'JobScheduled', CASE WHEN j <> ALL (%(homeless)s) THEN 7 END, now(),
           jsonb_build_object('job_id', CASE WHEN j = ANY (%(broken)s) THEN '"?"' ELSE to_jsonb(j) END,
                              'run_template_id', 1, 'scheduled_at', '2026-01-01T00:00:00Z', 'application_id', 1),
           '{"v": 1, "actor": "user:1"}', '\\x00'
      FROM generate_series(1, %(jobs)s) j ORDER BY j
"""


def write(database: Database, jobs: int, broken: Sequence[int] = (), homeless: Sequence[int] = ()) -> None:
    """Put jobs into the log past all checks; some with an id that is no number, some of no company."""
    with psycopg.connect(database.superuser_url, options=OPTIONS) as connection:
        connection.execute(INSERT, {"jobs": jobs, "broken": list(broken), "homeless": list(homeless)})


def fold_all(database: Database, limit: int) -> int:
    """Fold all into the asynchronous projections in one pass, as the projector does; return how many events."""
    folded, names = 0, [projection.name for projection in ASYNC]
    with psycopg.connect(
        database.url_of("projector"), autocommit=True, options=f"{OPTIONS} -c role=multiflexi_projector"
    ) as connection:
        while (row := connection.execute("SELECT project(%s, %s)", (names, limit)).fetchone()) and row[0]:
            folded += row[0]
    return folded


def skipped(database: Database) -> set[tuple[str, str]]:
    with psycopg.connect(database.superuser_url, options=OPTIONS) as connection:
        rows = connection.execute("SELECT projection, stream FROM skipped_events WHERE error <> ''").fetchall()
        return {(row[0], row[1]) for row in rows}


def count(database: Database, table: str) -> int:
    with psycopg.connect(database.superuser_url, options=OPTIONS) as connection:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        assert row is not None
        return row[0]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_an_odd_event_is_passed_over_and_noted(database: Database, limit: int) -> None:
    write(database, 500, broken=[100, 101, 500], homeless=[1, 300])
    assert fold_all(database, limit) == 500
    assert count(database, "job") == 495
    assert count(database, "audit_trail") == 500
    of_history = {stream for projection, stream in skipped(database) if projection == "job_history"}
    assert of_history == {"job-100", "job-101", "job-500", "job-1", "job-300"}
    assert {projection for projection, _ in skipped(database)} == {"job_history", "dashboard"}


def test_a_rebuild_tries_odd_events_anew(database: Database) -> None:
    write(database, 50, broken=[10], homeless=[20])
    fold_all(database, 1000)
    with psycopg.connect(database.superuser_url, options=OPTIONS) as connection:
        connection.execute(
            "INSERT INTO skipped_events VALUES ('job_history', 1, '1', 1, 'job-1', 1, 'JobScheduled', 'once')"
        )
    rebuild(database.owner_url, NAMES)
    assert ("job_history", "job-1") not in skipped(database)
    assert ("job_history", "job-10") in skipped(database)
    assert ("job_queue", "job-20") in skipped(database)
    assert count(database, "job") == count(database, "job_queue") == 48


def test_what_no_event_is_to_blame_for_is_raised(database: Database) -> None:
    write(database, 5)
    with psycopg.connect(database.superuser_url, options=OPTIONS) as connection:
        connection.execute("ALTER TABLE job RENAME TO job_away")
    with pytest.raises(psycopg.errors.UndefinedTable):
        fold_all(database, 1000)
    assert skipped(database) == set()
