"""Companies are kept apart by the database itself: every table there is, with every filter of the program left out.

The tables are found in the catalogue. A new one needs row-level security by ``company_id``, or an entry in
``INSTALLATION_WIDE`` with the reason why it holds nothing of a company.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from projections.rebuild import replay
from tests.projections.scenes import FUTURE
from tests.schema.catalogue import (
    COLUMNS,
    as_role,
    as_superuser,
    has_rows,
    insert,
    names_of,
    relations,
    tables,
)
from tests.testbed.postgres import Database

INSTALLATION_WIDE = {
    "_yoyo_log": "which migrations ran",
    "_yoyo_migration": "which migrations ran",
    "_yoyo_version": "which migrations ran",
    "yoyo_lock": "which migration runs",
    "archived_links": "versions and hashes of streams whose month was archived, for the audit",
    "archived_partitions": "which months were archived",
    "daemons": "signs of life of the program's parts",
    "log_epoch": "the clusters that the log has lived in",
    "master_keys": "proofs of the master key, not the key",
    "projections": "how far read models are",
    "schema_digest": "which version the functions are of",
    "signing_keys": "keys of the installation that sign tree heads, wrapped",
    "skipped_events": "what read models could not take; the web reads how many of which type, and no more",
    "tree_edges": "hashes",
    "tree_heads": "hashes and signatures",
    "tree_leaves": "names and hashes of events, for the audit; no role of the web reads it",
    "tree_sizes": "hashes",
}
SHARED = {
    "application",
    "application_icon",
    "application_version",
    "credential_prototype",
    "credential_prototype_version",
    "data_keys",
    "system_state",
}
"""Tables whose rows without a company are read by everybody."""

RUNS_AS_OWNER = {
    "company_page": "no index serves a search under row-level security; it looks at the companies of the session",
    "run_template_page": "as company_page",
    "ensure_partitions": "makes months for the projector, which may not change the schema",
    "refuse_retired_master": "locks a master key, which takes the right to change it",
    "log_horizon": "names the session that holds back readers of the log",
}
UNSET = [None, "", " ", "x", "1,", ",1", "1 2", "1;2", "{1}", "0x1", "-1", "*,1", "**", "1\n", "ALL", "NULL"]
"""Values of multiflexi.companies that name no company."""

FORBIDDEN = psycopg.errors.InsufficientPrivilege


def companies_seen(connection: psycopg.Connection[Any], table: str, schema: str = "multiflexi") -> set[int | None]:
    """Return the companies of the rows of ``SELECT * FROM table``; nothing where the role may not read it at all."""
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))
    try:
        cursor = connection.execute(query)
    except FORBIDDEN:
        return set()
    assert cursor.description is not None
    place = [column.name for column in cursor.description].index("company_id")
    return {row[place] for row in cursor.fetchall()}


def test_every_table_is_isolated_or_named_as_one_of_the_installation(furnished: Database) -> None:
    unprotected = [
        name
        for name, leaf, kind, company, secured, _ in relations(furnished)
        if not leaf and kind in "rpmf" and name not in INSTALLATION_WIDE and not (company and secured)
    ]
    assert unprotected == [], "neither isolated by company_id nor in INSTALLATION_WIDE"
    assert not set(INSTALLATION_WIDE) - {name for name, *_ in relations(furnished)} - {"yoyo_lock"}, "gone"
    unsafe = [
        name
        for name, _, kind, _, _, options in relations(furnished)
        if kind == "v" and "security_invoker=true" not in (options or [])
    ]
    assert unsafe == [], "a view reads as its owner, past row-level security, unless it has security_invoker=true"


def test_company_sees_its_own_rows_and_shared_ones_alone(furnished: Database) -> None:
    with as_superuser(furnished) as superuser, as_role(furnished, "app", "2") as connection:
        for table in tables(furnished):
            assert has_rows(superuser, table, 1), f"{table} has no row of company 1 to be hidden"
            assert companies_seen(connection, table) <= ({2, None} if table in SHARED else {2}), table
        assert companies_seen(connection, "events") == {2}
        assert None in companies_seen(connection, "application")


@pytest.mark.parametrize("companies", UNSET)
def test_session_of_no_company_sees_no_row_of_any(furnished: Database, companies: str | None) -> None:
    with as_role(furnished, "app", companies) as connection:
        for table in tables(furnished):
            assert companies_seen(connection, table) <= ({None} if table in SHARED else set()), table


def test_session_of_several_companies_sees_those(furnished: Database) -> None:
    with as_role(furnished, "app", "1,2") as connection:
        assert companies_seen(connection, "events") == {1, 2}
    with as_role(furnished, "app", "*") as connection:
        assert companies_seen(connection, "events") > {1, 2, None}


def test_replayed_read_models_are_isolated_too(furnished: Database) -> None:
    schema = replay(furnished.owner_url, [], FUTURE)
    with as_role(furnished, "app", "2") as connection:
        for table in tables(furnished, schema):
            assert companies_seen(connection, table, schema) <= ({2, None} if table in SHARED else {2}), table
        assert companies_seen(connection, "job", schema) <= {2}


def test_company_writes_no_row_of_another_nor_of_the_installation(furnished: Database) -> None:
    with as_superuser(furnished) as superuser, as_role(furnished, "app", "2") as connection:
        for table in tables(furnished):
            name = sql.Identifier(table)
            columns = superuser.execute(COLUMNS, [table]).fetchall()
            first = sql.Identifier(columns[0][0])
            for owner in ("company_id = 1", "company_id IS NULL"):
                row = superuser.execute(
                    sql.SQL("SELECT {} FROM {} WHERE {} LIMIT 1").format(names_of(columns), name, sql.SQL(owner))
                ).fetchone()
                if row is not None:
                    with pytest.raises(FORBIDDEN), connection.transaction():
                        insert(connection, table, columns, row)
            for statement in (
                sql.SQL("UPDATE {} SET {} = {} RETURNING company_id").format(name, first, first),
                sql.SQL("DELETE FROM {} RETURNING company_id").format(name),
                sql.SQL("UPDATE {} SET company_id = 1 WHERE company_id = 2 RETURNING company_id").format(name),
            ):
                assert set(written(connection, statement)) <= {2}, f"{table}: {statement.as_string()}"
            taken = written(connection, sql.SQL("UPDATE {} SET company_id = 2 RETURNING company_id").format(name))
            assert len(taken) <= rows_of_company(superuser, table, 2), f"{table}: rows of others were taken"


def rows_of_company(connection: psycopg.Connection[Any], table: str, company: int) -> int:
    query = sql.SQL("SELECT count(*) FROM {} WHERE company_id = %s").format(sql.Identifier(table))
    row = connection.execute(query, [company]).fetchone()
    assert row is not None
    return row[0]


def written(connection: psycopg.Connection[Any], statement: sql.Composed) -> list[int | None]:
    """Return the companies of the rows that a statement writes; what it wrote is rolled back."""
    try:
        with connection.transaction(force_rollback=True):
            return [row[0] for row in connection.execute(statement).fetchall()]
    except (FORBIDDEN, psycopg.errors.GeneratedAlways, psycopg.errors.UniqueViolation):
        return []


@pytest.mark.parametrize("role", ["app", "scheduler", "executor", "projector"])
def test_partitions_cannot_be_read_past_the_security_of_their_table(furnished: Database, role: str) -> None:
    leaves = [name for name, leaf, *_ in relations(furnished) if leaf]
    assert len(leaves) > 20
    with as_role(furnished, role, "*") as connection:
        for leaf in leaves:
            with pytest.raises(FORBIDDEN):
                connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(leaf)))


@pytest.mark.parametrize("role", ["app", "scheduler", "executor", "projector"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = '{}'",
        "DELETE FROM events",
        "TRUNCATE events",
        "DELETE FROM streams",
        "TRUNCATE streams",
        "ALTER TABLE events DISABLE ROW LEVEL SECURITY",
        "DROP TABLE events",
        "UPDATE log_epoch SET epoch = 2",
        "DELETE FROM tree_heads",
        "UPDATE tree_heads SET time = now()",
        "SET session_replication_role = replica",
        "SET ROLE multiflexi_owner",
        "CREATE TABLE mine (company_id integer)",
        "CREATE FUNCTION fold_company() RETURNS void LANGUAGE sql AS ''",
    ],
)
def test_log_cannot_be_altered_by_the_program(furnished: Database, role: str, statement: str) -> None:
    with as_role(furnished, role, "*") as connection, pytest.raises(FORBIDDEN):
        connection.execute(statement.encode())


def test_no_role_of_the_program_may_truncate_anything(furnished: Database) -> None:
    assert (
        granted(
            furnished,
            ["app", "scheduler", "executor", "projector", "daemon", "auditor"],
            ["TRUNCATE", "REFERENCES", "TRIGGER"],
        )
        == []
    )


def test_auditor_reads_the_log_and_writes_nothing(furnished: Database) -> None:
    assert granted(furnished, ["auditor"], ["INSERT", "UPDATE", "DELETE"]) == []
    with as_role(furnished, "auditor") as connection:
        assert companies_seen(connection, "events") > {1, 2}
        assert companies_seen(connection, "audit_trail") > {1, 2}
        for statement in (
            "CREATE TABLE mine ()",
            "SELECT nextval('event_position')",
            "SELECT ensure_partitions(now(), 99)",
        ):
            with pytest.raises(FORBIDDEN):
                connection.execute(statement.encode())
        for secret in ("data_keys", "idempotency_keys"):
            with pytest.raises(FORBIDDEN):
                connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(secret)))


def granted(database: Database, roles: list[str], privileges: list[str]) -> list[str]:
    """Return which of the privileges the roles have on tables, partitions included."""
    found: list[str] = []
    with as_superuser(database) as connection:
        for name, *_ in relations(database):
            for role in roles:
                for privilege in privileges:
                    row = connection.execute(
                        "SELECT has_table_privilege(%s, %s::regclass, %s)",
                        [f"multiflexi_{role}", f'"{name}"', privilege],
                    ).fetchone()
                    if row and row[0]:
                        found.append(f"{role}: {privilege} {name}")
    return found


def test_functions_that_run_as_their_owner_are_few_and_known(furnished: Database) -> None:
    with as_superuser(furnished) as connection:
        rows = connection.execute(
            "SELECT proname, has_function_privilege('multiflexi_auditor', oid, 'EXECUTE'), proconfig::text "
            "FROM pg_proc WHERE pronamespace = 'multiflexi'::regnamespace AND prosecdef"
        ).fetchall()
    assert {name for name, _, _ in rows} == set(RUNS_AS_OWNER)
    assert all("search_path" in (settings or "") for _, _, settings in rows), "its search path must be its own"
    assert {name for name, executable, _ in rows if executable} == {"log_horizon", "refuse_retired_master"}
