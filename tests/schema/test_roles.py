"""What daemons may do in the database: what they need and nothing else, as a role of their own."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from projections.registry import ALL
from tests.schema.catalogue import as_role, as_superuser, relations
from tests.testbed.postgres import Database

PROJECT = Path(__file__).resolve().parents[2]

NEEDED = {
    "artifact_content": (
        "DELETE INSERT UPDATE",
        "the executor stores files, the projector collects those that are over",
    ),
    "artifact_use": ("DELETE INSERT", "the executor holds files for its jobs, the projector lets go of them"),
    "daemons": ("DELETE INSERT UPDATE", "each gives signs of life, and is forgotten when it stops"),
    "data_keys": (
        "DELETE INSERT UPDATE",
        "keys of companies and months are made, wrapped anew, destroyed by retention",
    ),
    "events": ("INSERT", "all append; nobody changes or deletes"),
    "idempotency_keys": ("DELETE INSERT", "commands are answered once; the projector forgets answers that are old"),
    "job_leases": ("DELETE INSERT UPDATE", "the executor takes, renews and ends leases"),
    "master_keys": ("INSERT UPDATE", "the first process of an installation proves the master key"),
    "one_time_secret": ("DELETE", "the projector sweeps out what has ended"),
    "projections": ("INSERT UPDATE", "the projector moves checkpoints"),
    "sign_in_attempt": ("DELETE", "the projector sweeps out what has ended"),
    "refusal_count": ("DELETE", "the projector sweeps out what has ended"),
    "signing_keys": ("INSERT UPDATE", "the projector signs tree heads"),
    "skipped_events": ("DELETE INSERT UPDATE", "the projector notes what a read model could not take"),
    "streams": ("INSERT UPDATE", "heads of streams move with each append"),
    "tree_edges": ("INSERT UPDATE", "the projector grows the tree"),
    "tree_heads": ("INSERT", "the projector adds heads, and never changes one"),
    "tree_leaves": ("INSERT", "the projector adds leaves"),
    "tree_sizes": ("INSERT UPDATE", "the projector notes how large trees of months are"),
    "user_session": ("DELETE", "the projector sweeps out what has ended"),
}
"""What daemons may write besides the read models, and why."""

NOT_THEIRS = ("totp_use", "passkey_use", "api_token_use")
"""Tables of people who sign in: daemons may not even read them."""

PRIVILEGES = """
    SELECT p.privilege
      FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p (privilege)
     WHERE has_table_privilege('multiflexi_daemon', %s::regclass, p.privilege) ORDER BY 1
"""


def test_daemons_may_write_what_they_need_and_nothing_else(furnished: Database) -> None:
    models = {table for projection in ALL for table in projection.tables}
    excess: list[str] = []
    with as_superuser(furnished) as connection:
        for name, leaf, kind, *_ in relations(furnished):
            rows = connection.execute(PRIVILEGES, [f'multiflexi."{name}"']).fetchall()
            held = {row[0] for row in rows}
            wanted = {"INSERT", "UPDATE", "DELETE"} if name in models else set(NEEDED.get(name, ("", ""))[0].split())
            if leaf or kind not in "rp":
                wanted = set()
            if held - wanted:
                excess.append(f"{name}: {' '.join(sorted(held - wanted))}")
    assert excess == []


def test_daemons_do_not_read_who_signs_in(furnished: Database) -> None:
    with as_role(furnished, "daemon", "*") as connection:
        for table in NOT_THEIRS:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM {table}".encode())


def test_roles_are_no_logins_own_nothing_and_have_no_power_over_the_server(furnished: Database) -> None:
    with as_superuser(furnished) as connection:
        roles = connection.execute(
            "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR rolcanlogin "
            "FROM pg_roles WHERE rolname LIKE 'multiflexi%%' AND rolname NOT LIKE '%%login'".replace("%%", "%")
        ).fetchall()
        assert {name for name, _ in roles} >= {"multiflexi_app", "multiflexi_daemon", "multiflexi_auditor"}
        assert [name for name, mighty in roles if mighty] == []
        members = connection.execute(
            "SELECT count(*) FROM pg_auth_members WHERE member IN "
            "('multiflexi_app'::regrole, 'multiflexi_daemon'::regrole, 'multiflexi_auditor'::regrole)"
        ).fetchone()
        assert members == (0,), "a role of the program is a member of another and could take it on"
        owned = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relowner IN "
            "('multiflexi_app'::regrole, 'multiflexi_daemon'::regrole, 'multiflexi_auditor'::regrole)"
        ).fetchone()
        assert owned == (0,)


def test_each_part_opens_the_database_as_its_own_role() -> None:
    opened = re.compile(r'EventStore\([^)]*role="(\w+)"')
    used = {
        folder: {
            role
            for path in (PROJECT / folder).rglob("*.py")
            for role in opened.findall(path.read_text(encoding="utf-8"))
        }
        for folder in ("daemons", "web")
    }
    assert used["daemons"] == {"daemon"}
    assert used["web"] == {"app"}
