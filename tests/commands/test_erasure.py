"""The erasure of users on PostgreSQL: afterwards nothing there is tells who they were, and the evidence still holds."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql

from commands.accounts import actor_of
from commands.actor import SYSTEM, Actor
from commands.erasures import forget_old, key_of, process
from commands.errors import DeniedError
from commands.shell import Shell
from domain.access_request import RequestAccess
from domain.api_token import CreateToken
from domain.command import Command
from domain.erasure import (
    ApproveErasure,
    ErasureCommand,
    RejectErasure,
    RequestErasure,
    StartErasure,
    WithdrawErasure,
)
from domain.errors import StateError, TakenError, ValidationError
from domain.event import ERASED
from domain.user_commands import (
    AddPasskey,
    ChangeUser,
    EnableTotp,
    LinkIdentity,
    RemoveUser,
    SetPassword,
)
from eventstore.store import EventStore
from eventstore.verify import verify
from projections.rebuild import rebuild
from projections.registry import ALL
from tests.permissions.office import FIRST, SECOND, Office, Person
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store
from web.auth.settings import SignInSettings
from web.auth.sign_in import SignIn, Visitor, WrongError

WORDS = ("Zebulon", "Quagmire", "zq.quagmire@example.com", "198.51.100.77", "Okapibrowser", "Gnutoken", "Ibexreason")
LOGIN, EMAIL = "zebulon.q", "zq.quagmire@example.com"
KINDS = ("soft", "anonymize", "hard")


class House(Office):
    """The office, and somebody in it who is to be erased."""

    database: Database

    async def zebulon(self) -> int:
        """Make somebody of whom everything is known that can be."""
        user = await self.person(LOGIN, Person(LOGIN, {"user"}, FIRST, "manager"))
        number = next(self.numbers)
        names = ChangeUser(user_id=user, email=EMAIL, first_name="Zebulon", last_name="Quagmire", language="cs")
        wishes: list[Command] = [
            names,
            SetPassword(user_id=user, password="$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA"),
            EnableTotp(user_id=user, totp_secret="JBSWY3DPEHPK3PXP", recovery=("ab" * 32,)),
            AddPasskey(user_id=user, credential_id=f"b2thcGk{number}", public_key="a2V5", name="Zebulon's telephone"),
            LinkIdentity(user_id=user, issuer="https://id.example.com", subject=f"Quagmire-{number}"),
            CreateToken(user_id=user, digest=f"{number:064x}", name="Gnutoken"),
            RequestAccess(user_id=user, company_id=self.companies[SECOND], reason="Ibexreason"),
        ]
        for wish in wishes:
            await self.do(wish)
        signing_in = SignIn(self.shell.store, SignInSettings())
        await signing_in.open(user, "password", Visitor("198.51.100.77", "Okapibrowser/1.0"))
        with pytest.raises(WrongError):
            await signing_in.password(LOGIN, "wrong", Visitor("198.51.100.77"))
        return user


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with open_store(database, inline=True, role="app") as store:
        made = House(Shell(store))
        made.database = database
        await made.furnish()
        yield made


async def erased(house: House, user: int, kind: str) -> int:
    asked = await house.make(RequestErasure(user_id=user, deletion_type=kind, reason="By letter"))
    await house.do(ApproveErasure(erasure_id=asked, notes="It is right"))
    done = await process(house.shell, asked, SYSTEM)
    assert (done.user_id, done.sessions) == (user, 1)
    return asked


def everything(database: Database) -> str:
    """Return all rows of all tables, partitions included, as text."""
    with psycopg.connect(database.superuser_url) as connection:
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'multiflexi'::regnamespace AND relkind IN ('r', 'p')"
        ).fetchall()
        statement = "SELECT coalesce(string_agg(to_jsonb(t)::text, ' '), '') FROM {} t"
        rows = [
            connection.execute(sql.SQL(statement).format(sql.Identifier("multiflexi", name))).fetchone()
            for (name,) in names
        ]
    return " ".join(row[0] for row in rows if row)


def envelopes(value: Any) -> list[dict[str, Any]]:
    """Return the ciphertexts within a JSON value."""
    if isinstance(value, list):
        return [found for each in value for found in envelopes(each)]
    if not isinstance(value, dict):
        return []
    if value.keys() == {"enc", "key", "sub"}:
        return [value]
    return [found for each in value.values() for found in envelopes(each)]


async def told(store: EventStore) -> str:
    """Return what the whole log says, everything opened that can be."""
    return " ".join([str(recorded.event) async for recorded in store.read_log()])


@pytest.mark.parametrize("kind", KINDS)
async def test_after_an_erasure_nothing_tells_who_it_was_and_the_evidence_holds(house: House, kind: str) -> None:
    store, user = house.shell.store, await house.zebulon()
    before = await told(store)
    assert all(word in before for word in WORDS if word != "Okapibrowser"), "the log knew all of it"
    request = await erased(house, user, kind)

    rows = everything(house.database)
    assert [word for word in WORDS if word.casefold() in rows.casefold()] == []
    with psycopg.connect(house.database.superuser_url) as connection:
        events = connection.execute("SELECT data FROM multiflexi.events").fetchall()
        keys = {row[0] for row in connection.execute("SELECT id FROM multiflexi.data_keys").fetchall()}
        owners = {row[0] for row in connection.execute("SELECT owner FROM multiflexi.data_keys").fetchall()}
    sealed = [one for (data,) in events for one in envelopes(data) if one["sub"] == f"user:{user}"]
    assert len(sealed) >= 10 and not {one["key"] for one in sealed} & keys
    assert f"user:{user}" not in owners and key_of(request) in owners
    # Another process, which has had no key at hand.
    async with open_store(house.database, inline=True, role="app") as other:
        after = await told(other)
        assert [word for word in WORDS if word in after] == []
        state = [each.event async for each in other.read_stream(f"user-{user}")]
        assert getattr(state[0], "login", None) == ERASED
    for table in ("user_session", "one_time_secret", "totp_use", "passkey_use", "sign_in_attempt"):
        count = await store.pool.fetchval(f"SELECT count(*) FROM {table}")
        assert count == (1 if table == "sign_in_attempt" else 0), f"{table}: that of the address alone is left"

    async with open_store(house.database, role="auditor") as auditor:
        verified = await verify(auditor)
    assert verified.findings == [] and verified.ok, "chain and trees cover ciphertext"
    live = await shown(store, user)
    for projection in ALL:
        if projection.inline:
            rebuild(house.database.owner_url, projection.name)
    assert await shown(store, user) == live


async def shown(store: EventStore, user: int) -> dict[str, Any]:
    """Return what read models show of a user: names opened, roles, and what they are in."""
    pool = store.pool
    row = await pool.fetchrow("SELECT document::text AS document, removed_at FROM user_account WHERE id = $1", user)
    assert row is not None
    document = json.loads(row["document"])
    names = [(document.get(field), f"user-{user}|{field}") for field in ("login", "email", "first_name", "last_name")]
    return {
        "names": await store.keyring.reveal(names),
        "enabled": document.get("enabled"),
        "removed": row["removed_at"] is not None,
        "roles": [each[0] for each in await pool.fetch("SELECT role FROM user_role WHERE user_id = $1", user)],
        "memberships": await pool.fetchval(
            "SELECT count(*) FROM membership WHERE user_id = $1 AND revoked_at IS NULL", user
        ),
        "tokens": await pool.fetchval("SELECT count(*) FROM api_token WHERE user_id = $1 AND revoked_at IS NULL", user),
        "ways": await pool.fetchval(
            "SELECT (SELECT count(*) FROM user_passkey WHERE user_id = $1)"
            " + (SELECT count(*) FROM user_identity WHERE user_id = $1)", user
        ),
    }  # fmt: skip


async def test_each_kind_leaves_what_it_says(house: House) -> None:
    left: dict[str, Any] = {}
    for kind in KINDS:
        user = await house.zebulon()
        await erased(house, user, kind)
        left[kind] = await shown(house.shell.store, user)
        assert await actor_of(house.shell.facts, user, datetime.now(UTC)) is None, "they act no more"
    for one in left.values():
        assert one.pop("names")[0] == ERASED and one.pop("tokens") == one.pop("ways") == 0
    assert left == {
        "soft": {"enabled": False, "removed": False, "roles": ["user"], "memberships": 1},
        "anonymize": {"enabled": False, "removed": False, "roles": [], "memberships": 0},
        "hard": {"enabled": True, "removed": True, "roles": [], "memberships": 0},
    }


async def test_nobody_approves_their_own_erasure_nor_one_that_they_asked_for_nor_that_of_a_mightier_user(
    house: House,
) -> None:
    root = next(each for each in house.people if each.login == "system-super_admin")
    admin = next(each for each in house.people if each.login == "system-admin")
    viewer = next(each for each in house.people if each.login == "system-viewer")
    actors = {each.login: await house.actor(each.user_id) for each in (root, admin, viewer)}
    own = (await house.shell.execute(RequestErasure(), actors[viewer.login])).id
    by_admin = (await house.shell.execute(RequestErasure(user_id=await house.user("user")), actors[admin.login])).id
    of_admin = (await house.shell.execute(RequestErasure(), actors[admin.login])).id
    refused: list[tuple[ErasureCommand, Actor]] = [
        (RequestErasure(user_id=admin.user_id), actors[viewer.login]),
        (RequestErasure(user_id=root.user_id), actors[admin.login]),
        (ApproveErasure(erasure_id=own), actors[viewer.login]),
        (ApproveErasure(erasure_id=by_admin), actors[admin.login]),
        (ApproveErasure(erasure_id=of_admin), actors[admin.login]),
        (WithdrawErasure(erasure_id=by_admin), actors[viewer.login]),
        (StartErasure(erasure_id=own), actors[viewer.login]),
    ]
    for wish, actor in refused:
        with pytest.raises(DeniedError):
            await house.shell.execute(wish, actor)
    await house.shell.execute(ApproveErasure(erasure_id=own), actors[admin.login])
    await house.shell.execute(ApproveErasure(erasure_id=by_admin), actors[root.login])
    await process(house.shell, own, actors[admin.login])
    await process(house.shell, by_admin, actors[admin.login])


async def test_requests_follow_their_order_and_there_is_one_at_a_time(house: House) -> None:
    user = await house.user("user")
    first = await house.make(RequestErasure(user_id=user))
    with pytest.raises(TakenError):
        await house.do(RequestErasure(user_id=user))
    with pytest.raises(StateError):
        await process(house.shell, first, SYSTEM)  # nobody approved it
    await house.do(RejectErasure(erasure_id=first, reason="Bookkeeping must be kept"))
    with pytest.raises(StateError):
        await house.do(ApproveErasure(erasure_id=first))
    second = await house.make(RequestErasure(user_id=user))
    await house.do(ApproveErasure(erasure_id=second))
    await house.do(WithdrawErasure(erasure_id=second))
    with pytest.raises(StateError):
        await process(house.shell, second, SYSTEM)
    with pytest.raises(ValidationError):
        await house.do(RequestErasure(user_id=user, deletion_type="gently"))
    with pytest.raises(ValidationError):
        await house.do(RequestErasure(user_id=user, reason="x" * 2001))
    assert f"user:{user}" in {row[0] for row in await house.shell.store.pool.fetch("SELECT owner FROM data_keys")}


async def test_the_last_who_may_do_everything_is_not_erased(house: House) -> None:
    pool = house.shell.store.pool
    mighty = [row[0] for row in await pool.fetch("SELECT user_id FROM user_role WHERE role = 'super_admin'")]
    await house.do(RemoveUser(user_id=mighty[0]))
    asked = await house.make(RequestErasure(user_id=mighty[1]))
    with pytest.raises(StateError, match="only one"):
        await house.do(ApproveErasure(erasure_id=asked))


async def test_an_erasure_that_was_interrupted_goes_on_and_a_user_who_was_removed_can_be_erased(house: House) -> None:
    user = await house.zebulon()
    asked = await house.make(RequestErasure(user_id=user, deletion_type="hard"))
    await house.do(ApproveErasure(erasure_id=asked))
    await house.do(StartErasure(erasure_id=asked))  # and here the process died
    assert "Zebulon" in await told(house.shell.store)
    for _ in range(2):
        await process(house.shell, asked, SYSTEM)
    assert "Zebulon" not in await told(house.shell.store)
    kinds = [type(each.event).__name__ async for each in house.shell.store.read_stream(f"erasure-{asked}")]
    assert kinds == ["ErasureRequested", "ErasureApproved", "ErasureStarted", "ErasureCompleted"]
    gone = await house.zebulon()
    await house.do(RemoveUser(user_id=gone))
    assert "Zebulon" in await told(house.shell.store)
    await erased(house, gone, "soft")
    assert "Zebulon" not in await told(house.shell.store)


async def test_reasons_are_kept_for_seven_years_and_then_made_unreadable(house: House) -> None:
    user, store = await house.zebulon(), house.shell.store
    asked = await erased(house, user, "soft")
    assert await forget_old(house.shell, SYSTEM) == []
    assert "By letter" in await told(store)
    await store.pool.execute("UPDATE erasure_request SET closed_at = closed_at - interval '7 years 3 days'")
    assert await forget_old(house.shell, SYSTEM) == [asked]
    assert await forget_old(house.shell, SYSTEM) == []
    assert "By letter" not in await told(store)
