"""Bringing a database up to date: twice, from several processes, killed in between, and what is refused."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg import sql

from daemons.postgres_binaries import our_name
from daemons.prepare import prepare
from schema.errors import DatabaseRefusedError, NewerSchemaError
from schema.migrate import FOLDER, check_server, migrate
from tests.testbed.postgres import Database, Server

ALL = sorted(path.stem for path in (FOLDER / "migrations").glob("*.sql"))
PROCESSES = multiprocessing.get_context("spawn")

OBJECTS = """
    SELECT 'relation ' || c.relname || ' ' || c.relkind::text || ' ' || coalesce(c.relacl::text, '') FROM pg_class c
     WHERE c.relnamespace = 'multiflexi'::regnamespace AND c.relname !~ '^(yoyo_tmp|yoyo_lock)'
    UNION ALL
    SELECT 'function ' || p.oid::regprocedure || ' ' || md5(p.prosrc) FROM pg_proc p
     WHERE p.pronamespace = 'multiflexi'::regnamespace
    UNION ALL
    SELECT 'policy ' || polrelid::regclass || ' ' || polname FROM pg_policy
"""


@pytest.fixture
def empty(postgres: Server) -> Iterator[Database]:
    made = postgres.empty_database()
    yield made
    postgres.drop(made)


def objects(database: Database) -> list[str]:
    """Return all that migrations make, as the catalogue has it; nothing if there is no schema."""
    with psycopg.connect(database.superuser_url) as connection:
        row = connection.execute("SELECT to_regnamespace('multiflexi') IS NULL").fetchone()
        if row and row[0]:
            return []
        return sorted(row[0] for row in connection.execute(OBJECTS).fetchall())


def execute(database: Database, statement: str) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement))  # type: ignore[arg-type]


@pytest.mark.postgres_versions(18, 15)
def test_second_run_finds_nothing_to_do(empty: Database) -> None:
    assert migrate(empty.owner_url) == ALL
    once = objects(empty)
    assert len(once) > 100
    assert migrate(empty.owner_url) == []
    assert objects(empty) == once
    with psycopg.connect(empty.superuser_url) as connection:
        assert connection.execute("SELECT array_agg(epoch) FROM multiflexi.log_epoch").fetchone() == ([1],)


def run(owner_url: str, together: Any, answers: Any) -> None:
    together.wait(60)
    answers.put(prepare(owner_url))


@pytest.mark.postgres_versions(18, 15)
def test_processes_that_start_at_once_make_everything_once(empty: Database) -> None:
    answers, together = PROCESSES.Queue(), PROCESSES.Barrier(4)
    processes = [PROCESSES.Process(target=run, args=(empty.owner_url, together, answers)) for _ in range(4)]
    for process in processes:
        process.start()
    done = [line for _ in processes for line in answers.get(timeout=60)]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert [line for line in done if line.startswith("migration")] == [f"migration {name}" for name in ALL]
    assert len(done) == len(set(done))


def test_killed_at_any_moment_another_run_completes_it(postgres: Server, empty: Database) -> None:
    reference = postgres.empty_database()
    began = time.monotonic()
    prepare(reference.owner_url)
    takes = time.monotonic() - began
    chance = random.Random(1)
    killed = 0
    for _ in range(12):
        child = os.fork()
        if child == 0:  # no exit handlers of the test run: only what is to be killed
            prepare(empty.owner_url)
            os._exit(0)
        time.sleep(chance.uniform(0, takes / 4))
        os.kill(child, signal.SIGKILL)
        killed += os.waitpid(child, 0)[1] != 0
    assert killed
    prepare(empty.owner_url)
    assert objects(empty) == objects(reference)
    assert prepare(empty.owner_url) == []
    postgres.drop(reference)


def test_migration_that_fails_leaves_nothing_of_itself(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("yoyo.backends.base.DatabaseBackend.mark_one", die)
        with pytest.raises(KeyboardInterrupt):
            migrate(empty.owner_url)
    assert not [line for line in objects(empty) if "events" in line]
    assert migrate(empty.owner_url) == ALL


def test_lock_that_a_killed_process_left_is_no_hindrance(database: Database) -> None:
    execute(database, "CREATE TABLE IF NOT EXISTS multiflexi.yoyo_lock (locked integer, ctime timestamp, pid integer)")
    execute(database, "INSERT INTO multiflexi.yoyo_lock VALUES (1, now(), 1)")
    execute(database, "DELETE FROM multiflexi.schema_digest")
    assert migrate(database.owner_url) == []


def test_database_that_a_newer_program_has_migrated_is_left_alone(database: Database) -> None:
    execute(database, "INSERT INTO multiflexi._yoyo_migration VALUES ('abc', '9999.later', now())")
    execute(database, "UPDATE multiflexi.schema_digest SET digest = 'of a newer program'")
    before = objects(database)
    with pytest.raises(NewerSchemaError, match=r"1 migration.*newer one was here before. Install that version"):
        migrate(database.owner_url)
    assert objects(database) == before


def test_login_without_the_right_is_told_which_one_is_needed(empty: Database) -> None:
    with pytest.raises(DatabaseRefusedError, match=r"refused its owner.* must name a login that is a member of"):
        migrate(empty.app_url)
    assert objects(empty) == []


def test_read_only_database_is_told_as_such(empty: Database) -> None:
    execute(empty, f"ALTER DATABASE {empty.name} SET default_transaction_read_only = on")
    with pytest.raises(DatabaseRefusedError, match=r"read-only.*Point DATABASE_OWNER_URL at the primary"):
        migrate(empty.owner_url)
    assert objects(empty) == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://nobody@/nothing?host=/nonexistent", "No such file"),
        ("postgresql://nobody@127.0.0.1:9/nothing?connect_timeout=2", "refused"),
    ],
)
def test_server_that_is_down_is_told_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(DatabaseRefusedError, match=rf"(?s)cannot be reached.*{reason}.*Is PostgreSQL running"):
        migrate(url)


def test_database_that_does_not_exist_is_told(database: Database) -> None:
    with pytest.raises(DatabaseRefusedError, match=r"does not exist.*right database and login"):
        migrate(database.owner_url.replace(database.name, "nothing_of_that_name"))


def server(version: int, *, standby: bool = False) -> Any:
    """Return a connection to a server of that version, as far as the check looks at it."""
    answer = SimpleNamespace(fetchone=lambda: (standby,))
    return SimpleNamespace(info=SimpleNamespace(server_version=version), execute=lambda _query: answer)


def test_versions_that_are_supported() -> None:
    check_server(server(150000))
    check_server(server(180006))
    with pytest.raises(DatabaseRefusedError, match=r"PostgreSQL 14 is not supported: .* 15 or newer. Upgrade"):
        check_server(server(140011))
    with pytest.raises(DatabaseRefusedError, match=r"standby. Point DATABASE_OWNER_URL at the primary"):
        check_server(server(180006, standby=True))


def test_functions_are_made_anew_only_when_their_text_has_changed(database: Database) -> None:
    migrate(database.owner_url)
    execute(database, "DROP FUNCTION multiflexi.micros_of")
    migrate(database.owner_url)
    assert not [line for line in objects(database) if "micros_of" in line], "nothing had changed"
    execute(database, "UPDATE multiflexi.schema_digest SET digest = 'of another version'")
    migrate(database.owner_url)
    assert [line for line in objects(database) if "micros_of" in line]


ROLES = ("scheduler", "executor", "projector", "daemon", "app", "auditor", "owner")


@pytest.mark.postgres_versions(18, 15)
def test_owner_makes_the_roles_or_tells_what_to_run_so_that_they_are_there(postgres: Server) -> None:
    with (
        Server(postgres.version) as server,
        psycopg.connect(server.postgres.url("postgres", "postgres"), autocommit=True) as superuser,
    ):
        superuser.execute("DROP DATABASE multiflexi")
        for name in (*(f"{role}_login" for role in ROLES if role not in ("daemon", "auditor")), *ROLES):
            superuser.execute(f"DROP ROLE multiflexi_{name}".encode())
        ident = server.postgres.cluster / "pg_ident.conf"
        ident.write_text(
            ident.read_text() + "".join(f'multiflexi "{our_name()}" {name}\n' for name in ("poor", "maker"))
        )
        superuser.execute("CREATE ROLE poor LOGIN")
        superuser.execute("CREATE ROLE maker LOGIN CREATEROLE")
        superuser.execute("CREATE DATABASE of_poor")
        superuser.execute("CREATE DATABASE of_maker OWNER maker")
        superuser.execute("SELECT pg_reload_conf()")

        with pytest.raises(DatabaseRefusedError, match=r"Nothing was changed. Let a superuser .* run this") as refused:
            migrate(server.postgres.url("poor", "of_poor"))
        statements = [line for line in str(refused.value).splitlines() if line.startswith("  ")]
        assert len([line for line in statements if "CREATE ROLE" in line]) == len(ROLES)
        with psycopg.connect(server.postgres.url("postgres", "of_poor"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        assert migrate(server.postgres.url("poor", "of_poor")) == ALL
        assert migrate(server.postgres.url("poor", "of_poor")) == []

        superuser.execute("DROP DATABASE of_poor")
        for role in ROLES:
            superuser.execute(f"DROP ROLE multiflexi_{role}".encode())
        assert prepare(server.postgres.url("maker", "of_maker"))
        # The one login that made them runs every part, where no other is named.
        with psycopg.connect(server.postgres.url("maker", "of_maker"), autocommit=True) as connection:
            for role in ROLES:
                connection.execute(f"SET ROLE multiflexi_{role}".encode())
                if role != "daemon":
                    connection.execute("SELECT count(*) FROM multiflexi.log_epoch")
