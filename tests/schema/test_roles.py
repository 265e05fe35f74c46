"""What each part may do in the database: what it needs and nothing else, as a role of its own.

docs/database-roles.md tells the rights of daemons; whatever is granted besides fails here, and whatever is not granted.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import psycopg
import pytest

from daemons.prepare import prepare
from domain.event import Event
from domain.retention_events import ContentsRemoved
from eventstore.connection import Role
from eventstore.errors import EventStoreError, SettingsError
from eventstore.log import Append
from eventstore.settings import load
from tests.schema.catalogue import as_role, as_superuser
from tests.schema.documented_rights import DAEMONS, callers, documented, documented_callers, granted
from tests.testbed.events import DAY, company_created, job_scheduled, output_captured
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

PROJECT = Path(__file__).resolve().parents[2]
CLAIM = "SELECT * FROM claim_jobs('x', 'x', '{native}', 1, 30)"
NOTHING = "'{}', "
DENIED = psycopg.errors.InsufficientPrivilege

KEPT_FROM = {
    "scheduler": [
        *(f"SELECT * FROM {table}" for table in ("credential", "credential_type", "data_keys", "job_output")),
        *(f"SELECT * FROM {table}" for table in ("artifact_content", "user_account", "user_session", "job_leases")),
        "SELECT data FROM events",
        "SELECT payload FROM events",
        CLAIM,
        "SELECT project(ARRAY['job_history'], 1)",
        "DELETE FROM job_queue",
        "UPDATE run_template SET document = '{}'",
    ],
    "executor": [
        *(f"SELECT * FROM {table}" for table in ("user_account", "audit_trail", "user_session", "signing_keys")),
        *(f"DELETE FROM {table}" for table in ("job", "job_output", "task", "data_keys", "credential", "artifact")),
        f"SELECT schedule_due({8 * NOTHING} 2::smallint, {8 * NOTHING} '{{}}')",
        "UPDATE due SET next_due = NULL",
        "UPDATE credential SET document = '{}'",
        "UPDATE projections SET position = 0",
        "INSERT INTO tree_heads DEFAULT VALUES",
    ],
    "projector": [
        *(f"SELECT * FROM {table}" for table in ("credential", "credential_type", "user_account", "job_leases")),
        CLAIM,
        "SELECT payload FROM events",
        "SELECT wrapped FROM data_keys",
        "SELECT digest FROM user_session",
        "UPDATE job_queue SET priority = 9",
        "INSERT INTO job_queue (job_id) VALUES (1)",
        "INSERT INTO job_leases (job_id) VALUES (1)",
        "UPDATE due SET next_due = NULL",
    ],
    "app": [
        CLAIM,
        "SELECT * FROM renew_leases('x', 30, '{1}')",
        "SELECT project(ARRAY['job_history'], 1)",
        "INSERT INTO job_leases (job_id) VALUES (1)",
        "UPDATE job SET outcome = 'success'",
        "DELETE FROM audit_trail",
        "INSERT INTO tree_heads DEFAULT VALUES",
        "INSERT INTO artifact_content DEFAULT VALUES",
        "UPDATE projections SET position = 0",
        "DELETE FROM daemons",
        "UPDATE master_keys SET retired_at = now()",
    ],
}
"""What the database refuses to each part, by way of example; the whole is in docs/database-roles.md."""


def test_daemons_may_do_what_is_documented_and_nothing_else(furnished: Database) -> None:
    told, held = documented(furnished), granted(furnished)
    differing: dict[str, dict[str, list[str]]] = {}
    for key in sorted(told.keys() | held.keys()):
        expected, found = told.get(key, set()), held.get(key, set())
        if expected != found:
            differing["{} of {}".format(*key)] = {
                "excess": sorted(found - expected),
                "missing": sorted(expected - found),
            }
    assert differing == {}


def test_a_right_that_nobody_documented_is_noticed(furnished: Database) -> None:
    with as_superuser(furnished) as connection:
        connection.execute("GRANT UPDATE (id) ON user_account TO multiflexi_projector")
        connection.execute("GRANT SELECT ON credential TO PUBLIC")
        try:
            found = granted(furnished)
        finally:
            connection.execute("REVOKE UPDATE (id) ON user_account FROM multiflexi_projector")
            connection.execute("REVOKE SELECT ON credential FROM PUBLIC")
    told = documented(furnished)
    assert {key for key in found if found[key] != told.get(key)} == {
        ("user_account", "projector"),
        ("credential", "PUBLIC"),
    }


def test_functions_that_are_one_daemons_work_are_nobody_elses(furnished: Database) -> None:
    told, found = documented_callers(), callers(furnished)
    assert len(told) > 5
    assert {name: found[name] for name in told} == told


@pytest.mark.parametrize(("role", "statement"), [(role, each) for role, them in KEPT_FROM.items() for each in them])
def test_each_part_is_kept_from_the_work_of_others(furnished: Database, role: str, statement: str) -> None:
    with as_role(furnished, role, "*") as connection, pytest.raises(DENIED):
        connection.execute(statement.encode())


@pytest.mark.parametrize("role", DAEMONS)
def test_login_of_a_daemon_takes_on_its_own_role_and_has_no_right_before(furnished: Database, role: str) -> None:
    with psycopg.connect(furnished.url_of(role), autocommit=True) as connection:
        with pytest.raises(DENIED):
            connection.execute("SELECT * FROM multiflexi.log_epoch")
        for other in ("app", "auditor", "owner", "daemon", *DAEMONS):
            if other != role:
                with pytest.raises(DENIED):
                    connection.execute(f"SET ROLE multiflexi_{other}".encode())
        connection.execute(f"SET ROLE multiflexi_{role}".encode())
        connection.execute("SELECT * FROM multiflexi.log_epoch")
    with psycopg.connect(furnished.app_url, autocommit=True) as connection, pytest.raises(DENIED):
        connection.execute(f"SET ROLE multiflexi_{role}".encode())


APPENDS: dict[str, Event] = {
    "company-1003": company_created(1003),
    "job-1003": job_scheduled(1003, company_id=1003),
    "output-1003": output_captured(1003, 0, company_id=1003),
    "retention-1003": ContentsRemoved(company_id=1003, removed_at=DAY, contents=1, bytes=1),
}
"""An event of each class, by its stream; of configuration two."""


@pytest.mark.parametrize(
    ("role", "may"),
    [("scheduler", ["job-1003"]), ("executor", ["job-1003", "output-1003"]), ("projector", ["retention-1003"])],
)
async def test_each_daemon_appends_to_streams_of_its_own_work_alone(
    database: Database, role: Role, may: list[str]
) -> None:
    appended: list[str] = []
    async with open_store(database, role=role) as store:
        for _ in range(2):  # the first makes the stream, the second moves its head
            for stream, event in APPENDS.items():
                append = Append(stream=stream, company_id=1003, events=[event])
                if stream in may:
                    appended.append((await store.append(append)).stream)
                else:
                    with pytest.raises(EventStoreError, match="row-level security"):
                        await store.append(append)
    assert appended == may * 2


async def test_daemon_does_not_move_the_head_of_a_stream_of_others(database: Database) -> None:
    async with open_store(database) as store:
        for stream, event in APPENDS.items():
            await store.append(Append(stream=stream, company_id=1003, events=[event]))
    for role, own in (("scheduler", "job"), ("executor", "job"), ("projector", "retention")):
        with as_role(database, role, "*") as connection:
            for stream in APPENDS:
                move = "UPDATE streams SET version = version + 1 WHERE stream = %s"
                if stream.startswith((own, "output") if role == "executor" else own):
                    assert connection.execute(move, [stream]).rowcount == 1
                else:
                    with pytest.raises(DENIED):
                        connection.execute(move, [stream])
            with pytest.raises(DENIED):
                connection.execute("UPDATE streams SET class = 2")


def test_executor_reads_no_configuration_no_output_and_no_key_of_people(furnished: Database) -> None:
    with as_superuser(furnished) as connection:
        assert connection.execute("SELECT count(*) FROM data_keys WHERE owner = 'user:1'").fetchone() == (1,)
    with as_role(furnished, "executor", "*") as connection:
        assert connection.execute("SELECT array_agg(DISTINCT class) FROM events").fetchone() == ([2],)
        kinds = connection.execute("SELECT DISTINCT split_part(owner, ':', 1) FROM data_keys").fetchall()
        assert {kind for (kind,) in kinds} <= {"output", "artifact", "credentials", "environment"}
        assert kinds


@pytest.mark.postgres_versions(18, 15)
def test_login_that_ran_all_daemons_goes_on_running_each(database: Database) -> None:
    with as_superuser(database) as connection, connection.transaction(force_rollback=True):
        connection.execute("CREATE ROLE of_old LOGIN NOINHERIT IN ROLE multiflexi_app, multiflexi_daemon")
        connection.execute("SET SESSION AUTHORIZATION of_old")
        for role in DAEMONS:
            connection.execute(f"SET ROLE multiflexi_{role}".encode())
            assert connection.execute("SELECT count(*) FROM log_epoch").fetchone() == (1,)
            with pytest.raises(DENIED), connection.transaction():
                connection.execute("SELECT * FROM user_account")


GRANTED_BEFORE = """
    GRANT SELECT, INSERT ON events TO multiflexi_daemon;
    GRANT SELECT, INSERT, UPDATE, DELETE ON streams, credential, job, due, data_keys, user_session TO multiflexi_daemon;
    GRANT SELECT, INSERT ON tree_leaves, skipped_events TO multiflexi_daemon;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA multiflexi TO multiflexi_daemon;
    GRANT INSERT, UPDATE, DELETE ON daemons, job_leases TO multiflexi_app;
    ALTER POLICY by_role ON credential TO multiflexi_owner, multiflexi_daemon;
    ALTER POLICY by_role ON job TO multiflexi_owner, multiflexi_daemon;
    REVOKE ALL ON ALL TABLES IN SCHEMA multiflexi FROM multiflexi_scheduler, multiflexi_executor, multiflexi_projector;
    UPDATE schema_digest SET digest = 'of the version before';
"""


def test_upgrade_takes_away_what_all_daemons_shared(database: Database) -> None:
    with as_superuser(database) as connection:
        connection.execute(GRANTED_BEFORE)
    assert granted(database) != documented(database)
    prepare(database.owner_url)
    assert granted(database) == documented(database)
    policies = "SELECT tablename, policyname, roles FROM pg_policies WHERE roles && '{multiflexi_daemon}'"
    with as_superuser(database) as connection:
        assert connection.execute(policies).fetchall() == []


def test_roles_are_no_logins_own_nothing_and_have_no_power_over_the_server(furnished: Database) -> None:
    with as_superuser(furnished) as connection:
        roles = connection.execute(
            "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolcanlogin "
            "FROM pg_roles WHERE rolname LIKE 'multiflexi%%' AND rolname NOT LIKE '%%login'".replace("%%", "%")
        ).fetchall()
        assert {name for name, _ in roles} >= {f"multiflexi_{part}" for part in ("app", *DAEMONS, "daemon", "auditor")}
        assert [name for name, mighty in roles if mighty] == []
        members = connection.execute(
            "SELECT member::regrole::text FROM pg_auth_members WHERE member::regrole::text LIKE 'multiflexi%' "
            "AND member::regrole::text NOT LIKE '%login' AND member::regrole::text <> 'multiflexi_owner'"
        ).fetchall()
        assert {name for (name,) in members} == {"multiflexi_daemon"}, "a role could take on another"
        owned = connection.execute(
            "SELECT relname FROM pg_class WHERE relowner::regrole::text LIKE 'multiflexi%' "
            "AND relowner::regrole::text <> 'multiflexi_owner'"
        ).fetchall()
        assert owned == []


def test_each_part_opens_the_database_as_its_own_role() -> None:
    opened = re.compile(r'EventStore\([^)]*role=([\w".]+)')
    used = {
        folder: {
            role
            for path in (PROJECT / folder).rglob("*.py")
            for role in opened.findall(path.read_text(encoding="utf-8"))
        }
        for folder in ("daemons", "web")
    }
    assert used == {"daemons": {"daemon.kind"}, "web": {'"app"'}}


def test_daemon_needs_no_login_but_its_own() -> None:
    settings = load(
        {"DATABASE_SCHEDULER_URL": "postgresql://scheduler@db/multiflexi", "MULTIFLEXI_DATA": "/nonexistent"}
    )
    assert settings.url_of("scheduler") == "postgresql://scheduler@db/multiflexi"
    for role in ("app", "executor", "owner"):
        with pytest.raises(SettingsError, match=rf"multiflexi_{role} here: DATABASE_URL is not set"):
            settings.url_of(role)
    shared = load({"DATABASE_URL": "postgresql://all@db/multiflexi", "DATABASE_EXECUTOR_URL": "postgresql://e@db/m"})
    assert (
        shared.url_of("scheduler") == shared.url_of("app") == shared.url_of("owner") == "postgresql://all@db/multiflexi"
    )
    assert shared.url_of("executor") == "postgresql://e@db/m"


async def test_login_that_may_not_act_as_a_daemon_is_told_which_grant_it_needs(database: Database) -> None:
    async def opened(role: Role) -> None:
        wrong = {**dict(database.daemon_urls), role: database.app_url}
        async with open_store(msgspec.structs.replace(database, daemon_urls=tuple(wrong.items())), role=role):
            raise AssertionError("it may")

    for role in DAEMONS:
        expected = (
            rf"DATABASE_{role.upper()}_URL .* may not act as multiflexi_{role}.*GRANT multiflexi_{role} to the login"
        )
        with pytest.raises(SettingsError, match=expected):
            await opened(role)
