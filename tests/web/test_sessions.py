"""What lets a user in, and what ends it at once: sessions of the web and API tokens."""

from __future__ import annotations

import asyncio

import pytest

from commands import passwords
from commands.actor import SYSTEM
from commands.shell import Shell
from commands.tokens import digest_of, new_token
from domain.api_token import CreateToken, RevokeToken
from domain.user_commands import ChangeUser, EnableTotp, RemoveUser, SetPassword
from tests.web.conftest import Served
from tests.web.seeding import Installation
from tests.web.signing_in import HERE, PASSWORD, Clock, token_of_form
from web.auth import one_time_codes
from web.auth.sign_in import SecondStep, SignedInBy, SignIn, WrongError


async def signed_in(installation: Installation, sign_in: SignIn) -> tuple[int, str]:
    user = await installation.user("jane")
    return user, (await sign_in.open(user, "password", HERE)).token


async def test_a_session_ends_when_nobody_uses_it_for_an_hour(
    installation: Installation, sign_in: SignIn, clock: Clock
) -> None:
    _, token = await signed_in(installation, sign_in)
    for _ in range(3):
        clock.advance(3599)
        assert await sign_in.sessions.find(token) is not None
    clock.advance(3601)
    assert await sign_in.sessions.find(token) is None


async def test_a_session_ends_after_half_a_day_however_much_it_is_used(
    installation: Installation, sign_in: SignIn, clock: Clock
) -> None:
    _, token = await signed_in(installation, sign_in)
    for _ in range(23):
        clock.advance(1800)
        assert await sign_in.sessions.find(token) is not None
    clock.advance(1801)
    assert await sign_in.sessions.find(token) is None


async def test_what_ends_sessions(installation: Installation, sign_in: SignIn, clock: Clock) -> None:
    user, token = await signed_in(installation, sign_in)
    shell = Shell(installation.store, clock=clock)

    async def ends(*wishes: object) -> None:
        nonlocal token
        for wish in wishes:
            await shell.execute(wish, SYSTEM)  # type: ignore[arg-type]
        assert await sign_in.sessions.find(token) is None
        await shell.execute(ChangeUser(user_id=user, enabled=True), SYSTEM)
        token = (await sign_in.open(user, "password", HERE)).token
        assert await sign_in.sessions.find(token) is not None

    await ends(SetPassword(user_id=user, password="$argon2id$other"))
    await ends(ChangeUser(user_id=user, enabled=False))
    other = (await sign_in.open(user, "password", HERE)).token
    shown = await sign_in.sessions.of_user(user)
    assert {(one.address, one.agent) for one in shown} == {("192.0.2.7", "Browser/1.0")}
    mine = await sign_in.sessions.find(token)
    assert mine is not None
    await sign_in.sessions.close(user, but=mine.id)
    assert await sign_in.sessions.find(other) is None and await sign_in.sessions.find(token) is not None
    assert await sign_in.sessions.close(user + 1, mine.id) == []  # another's session
    await sign_in.sessions.close(user, mine.id)
    assert await sign_in.sessions.find(token) is None


@pytest.mark.parametrize("wish", ["revoked", "password", "disabled", "removed"])
async def test_a_session_is_of_no_use_in_the_very_second_in_which_it_ends_nor_by_clocks_that_are_behind(
    installation: Installation, sign_in: SignIn, clock: Clock, wish: str
) -> None:
    user, token = await signed_in(installation, sign_in)
    shell = Shell(installation.store, clock=clock)
    assert await sign_in.sessions.find(token) is not None
    match wish:
        case "revoked":
            await sign_in.sessions.close(user)
        case "password":
            await shell.execute(SetPassword(user_id=user, password="$argon2id$other"), SYSTEM)
        case "disabled":
            await shell.execute(ChangeUser(user_id=user, enabled=False), SYSTEM)
        case _:
            await shell.execute(RemoveUser(user_id=user), SYSTEM)
    for seconds in (0, 0.999, -60):
        clock.advance(seconds)
        assert await sign_in.sessions.find(token) is None


async def test_a_session_that_is_ended_while_it_is_used_is_refused_from_that_moment_on(
    installation: Installation, served: Served
) -> None:
    mine, theirs = await installation.session(installation.administrator), served.client()
    async with theirs, served.client(mine) as client:
        [other] = [one for one in (await theirs.get("/account.json")).json()["sessions"] if not one["current"]]
        form = {"_csrf_token": await token_of_form(theirs, "/account"), "session_id": str(other["id"])}
        used, ended, late = asyncio.Event(), False, list[int]()

        async def use() -> None:
            began_late, status = False, 0
            while not began_late:
                began_late = ended
                status = (await client.get("/jobs.json")).status_code
                used.set()
            late.append(status)

        using = [asyncio.create_task(use()) for _ in range(4)]
        await used.wait()
        assert (await theirs.post("/account/session/end", data=form)).status_code == 303
        ended = True
        await asyncio.gather(*using)
        assert late == [401, 401, 401, 401]
        assert (await theirs.get("/jobs.json")).status_code == 200


async def test_a_password_that_is_changed_while_somebody_signs_in_by_it_lets_nobody_in(
    installation: Installation, sign_in: SignIn, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await installation.user("jane", PASSWORD)
    shell, matches = Shell(installation.store), passwords.matches

    async def changed_meanwhile(encoded: str | None, password: str) -> bool:
        right = await matches(encoded, password)
        await shell.execute(SetPassword(user_id=user, password="$argon2id$other"), SYSTEM)
        return right

    monkeypatch.setattr(passwords, "matches", changed_meanwhile)
    done = await sign_in.password("jane", PASSWORD, HERE)
    assert isinstance(done, SignedInBy) and await sign_in.sessions.find(done.token) is None


async def test_a_second_step_is_void_with_the_password_of_the_first(
    installation: Installation, sign_in: SignIn, clock: Clock
) -> None:
    user, secret = await installation.user("jane", PASSWORD), one_time_codes.new_secret()
    shell = Shell(installation.store)
    await shell.execute(EnableTotp(user_id=user, totp_secret=secret, recovery=()), SYSTEM)
    step = await sign_in.password("jane", PASSWORD, HERE)
    assert isinstance(step, SecondStep)
    await shell.execute(SetPassword(user_id=user, password=await passwords.hashed("other")), SYSTEM)
    with pytest.raises(WrongError):
        await sign_in.code(step.token, one_time_codes.code_at(secret, clock.now.timestamp()), HERE)


async def test_a_session_gets_another_id_now_and_then(
    installation: Installation, sign_in: SignIn, clock: Clock
) -> None:
    _, token = await signed_in(installation, sign_in)
    session = await sign_in.sessions.find(token)
    assert session is not None and await sign_in.sessions.rotated(session, token) is None
    clock.advance(301)
    session = await sign_in.sessions.find(token)
    assert session is not None
    fresh = await asyncio.gather(*(sign_in.sessions.rotated(session, token) for _ in range(3)))
    [new] = [one for one in fresh if one]
    assert await sign_in.sessions.find(new) is not None
    clock.advance(29)
    assert await sign_in.sessions.find(token) is not None  # requests that were under way
    clock.advance(2)
    assert await sign_in.sessions.find(token) is None
    assert await sign_in.sessions.find(new) is not None


async def test_a_token_acts_until_it_is_revoked_and_no_further_than_its_scope(
    installation: Installation, served: Served
) -> None:
    first, second = await installation.company("First"), await installation.company("Second")
    token = new_token()
    shell = Shell(installation.store)
    wish = CreateToken(user_id=installation.administrator, digest=digest_of(token), companies=(first,))
    made = await shell.execute(wish, SYSTEM)
    async with served.stranger(headers={"authorization": f"Bearer {token}"}) as client:
        assert (await client.get("/jobs.json", params={"company": first})).status_code == 200
        assert (await client.get("/jobs.json", params={"company": second})).status_code == 404
        await shell.execute(RevokeToken(api_token_id=made.id), SYSTEM)
        assert (await client.get("/jobs.json")).status_code == 401
    rows = await installation.store.pool.fetch("SELECT to_jsonb(t)::text FROM events t")
    assert token not in " ".join(row[0] for row in rows)


async def test_members_see_their_company_alone_on_every_page(installation: Installation, served: Served) -> None:
    application = await installation.application()
    first, second = await installation.company("First"), await installation.company("Second")
    templates = [await installation.template(company, application, "T") for company in (first, second)]
    jobs = [
        await installation.job(company, application, template)
        for company, template in zip((first, second), templates, strict=True)
    ]
    await installation.project()
    jane = await installation.user("jane")
    await installation.member(jane, second, "viewer")
    async with served.client(await installation.session(jane)) as client:
        listed = (await client.get("/jobs.json")).json()["jobs"]
        assert [job["id"] for job in listed] == [jobs[1]]
        for path in (f"/job/{jobs[0]}", f"/run-template/{templates[0]}", f"/?company={first}", f"/job/{jobs[0]}.json"):
            assert (await client.get(path)).status_code == 404, path
        for path in (f"/job/{jobs[1]}", f"/run-template/{templates[1]}", f"/?company={second}"):
            assert (await client.get(path)).status_code == 200, path
        form = {"_csrf_token": await token_of_form(client, f"/job/{jobs[1]}")}
        assert (await client.post(f"/run-template/{templates[1]}/run", data=form)).status_code == 403  # only sees
        assert (await client.post(f"/run-template/{templates[0]}/run", data=form)).status_code == 404
