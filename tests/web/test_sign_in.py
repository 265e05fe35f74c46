"""Signing in and out on the web: by password and code, what is remembered, what is locked."""

from __future__ import annotations

import asyncio
import re
import time

import httpx
import pytest
from argon2 import PasswordHasher

from commands.actor import SYSTEM
from commands.shell import Shell
from domain.user_commands import ChangeUser, EnableTotp, SetPassword
from tests.web.conftest import Served
from tests.web.seeding import Installation
from tests.web.signing_in import HERE, PASSWORD, Clock, post, token_of_form
from web.auth import one_time_codes
from web.auth.attempts import LockedError
from web.auth.cookies import SESSION
from web.auth.sign_in import SecondStep, SignedInBy, SignIn, Visitor, WrongError


async def test_the_page_asked_for_is_remembered_over_signing_in(installation: Installation, served: Served) -> None:
    await installation.user("jane", PASSWORD, roles=("super_admin",))
    async with served.stranger() as client:
        answer = await client.get("/jobs?status=failed")
        assert answer.status_code == 303
        place = answer.headers["location"]
        assert place == "/multiflexi/sign-in?next=%2Fmultiflexi%2Fjobs%3Fstatus%3Dfailed"
        form = await client.get(place.removeprefix("/multiflexi"))
        assert 'value="/multiflexi/jobs?status=failed"' in form.text
        done = await post(client, "/sign-in", login="Jane", password=PASSWORD, next="/multiflexi/jobs?status=failed")
        assert (done.status_code, done.headers["location"]) == (303, "/multiflexi/jobs?status=failed")
        cookie = next(one for one in done.headers.get_list("set-cookie") if one.startswith(SESSION))
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/multiflexi" in cookie
        page = await client.get("/jobs")
        assert page.status_code == 200 and "jane" in page.text
        out = await post_out(client)
        assert out.headers["location"] == "/multiflexi/sign-in"
        assert (await client.get("/jobs")).status_code == 303


async def post_out(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/sign-out", data={"_csrf_token": await token_of_form(client, "/jobs")})


@pytest.mark.parametrize(
    "place", ["https://evil.example/", "//evil.example/", "/\\evil.example", "/other", "javascript:1"]
)
async def test_nobody_is_led_elsewhere_after_signing_in(installation: Installation, served: Served, place: str) -> None:
    await installation.user("jane", PASSWORD)
    async with served.stranger() as client:
        done = await post(client, "/sign-in", login="jane", password=PASSWORD, next=place)
        assert done.headers["location"] == "/multiflexi/"


async def test_programs_are_told_that_they_need_a_token(served: Served) -> None:
    async with served.stranger() as client:
        for path in ("/jobs.json", "/jobs/live"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), path
        assert (await client.get("/health")).status_code == 200


async def test_a_form_without_its_token_signs_nobody_in(installation: Installation, served: Served) -> None:
    await installation.user("jane", PASSWORD)
    async with served.stranger() as client:
        answer = await client.post("/sign-in", data={"login": "jane", "password": PASSWORD})
        assert answer.status_code == 403 and SESSION not in answer.cookies
        assert "The form was too old" in answer.text


async def test_what_is_wrong_is_not_told(installation: Installation, served: Served) -> None:
    await installation.user("jane", PASSWORD)
    off = await installation.user("off", PASSWORD)
    await Shell(installation.store).execute(ChangeUser(user_id=off, enabled=False), SYSTEM)
    pages = []
    async with served.stranger() as client:
        for login, password in (("jane", "wrong"), ("nobody", PASSWORD), ("off", PASSWORD)):
            answer = await post(client, "/sign-in", login=login, password=password)
            assert answer.status_code == 401
            pages.append(re.sub(r'(value|data-now)="[^"]*"', "", answer.text))
    assert pages[0] == pages[1] == pages[2]
    assert "Login or password is wrong." in pages[0]


async def test_an_unknown_login_costs_as_much_as_a_wrong_password(
    installation: Installation, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installation.user("jane", PASSWORD)
    asked: list[str] = []
    verify = PasswordHasher.verify

    def counted(hasher: PasswordHasher, encoded: str, given: bytes) -> bool:
        asked.append(encoded.partition("p=")[0])
        return verify(hasher, encoded, given)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    for login in ("jane", "nobody"):
        with pytest.raises(WrongError):
            await sign_in.password(login, "wrong", Visitor())
    assert len(asked) == 2 and asked[0] == asked[1], "hashes of the same parameters"


@pytest.mark.parametrize("login", ["jane", "nobody"])
async def test_five_failures_lock_the_account_for_a_while(
    installation: Installation, sign_in: SignIn, clock: Clock, login: str
) -> None:
    await installation.user("jane", PASSWORD)
    for number in range(5):
        with pytest.raises(WrongError):
            await sign_in.password(login, "wrong", Visitor(f"192.0.2.{number}"))
    with pytest.raises(LockedError):
        await sign_in.password(login, PASSWORD, Visitor("192.0.2.99"))
    clock.advance(899)
    with pytest.raises(LockedError):
        await sign_in.password(login, PASSWORD, Visitor("192.0.2.99"))
    clock.advance(2)
    if login == "jane":
        assert isinstance(await sign_in.password(login, PASSWORD, Visitor("192.0.2.99")), SignedInBy)


async def test_five_failures_lock_the_address_whatever_the_logins(installation: Installation, sign_in: SignIn) -> None:
    await installation.user("jane", PASSWORD)
    for number in range(5):
        with pytest.raises(WrongError):
            await sign_in.password(f"user{number}", "wrong", HERE)
    with pytest.raises(LockedError):
        await sign_in.password("jane", PASSWORD, HERE)
    assert isinstance(await sign_in.password("jane", PASSWORD, Visitor("192.0.2.8")), SignedInBy)


async def test_many_attempts_at_once_get_no_further(installation: Installation, sign_in: SignIn) -> None:
    await installation.user("jane", PASSWORD)
    tries = (sign_in.password("jane", f"wrong {number}", Visitor(f"192.0.2.{number}")) for number in range(20))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, WrongError) for one in answers) == 5
    assert sum(isinstance(one, LockedError) for one in answers) == 15


async def test_failures_are_forgotten_by_signing_in_and_by_time(
    installation: Installation, sign_in: SignIn, clock: Clock
) -> None:
    await installation.user("jane", PASSWORD)
    for _ in range(3):
        for number in range(4):
            with pytest.raises(WrongError):
                await sign_in.password("jane", "wrong", Visitor(f"192.0.2.{number}"))
        await sign_in.password("jane", PASSWORD, Visitor())
    for _ in range(4):
        with pytest.raises(WrongError):
            await sign_in.password("jane", "wrong", Visitor())
    clock.advance(901)
    for _ in range(4):
        with pytest.raises(WrongError):
            await sign_in.password("jane", "wrong", Visitor())


async def with_second_factor(installation: Installation) -> tuple[int, str, list[str]]:
    user, secret, codes = (
        await installation.user("jane", PASSWORD),
        one_time_codes.new_secret(),
        one_time_codes.new_recovery_codes(),
    )
    digests = tuple(one_time_codes.digest_of(code) for code in codes)
    await Shell(installation.store).execute(EnableTotp(user_id=user, totp_secret=secret, recovery=digests), SYSTEM)
    return user, secret, codes


async def test_a_second_factor_is_asked_for_and_each_code_is_good_once(
    installation: Installation, sign_in: SignIn, clock: Clock
) -> None:
    _, secret, _ = await with_second_factor(installation)
    code = one_time_codes.code_at(secret, clock.now.timestamp())
    steps = [await sign_in.password("jane", PASSWORD, HERE) for _ in range(2)]
    assert all(isinstance(step, SecondStep) for step in steps)
    with pytest.raises(WrongError):
        await sign_in.code(steps[0].token, "000000" if code != "000000" else "111111", HERE)
    done = await sign_in.code(steps[0].token, code, HERE)
    assert isinstance(done, SignedInBy)
    with pytest.raises(WrongError):  # the code was used
        await sign_in.code(steps[1].token, code, HERE)
    clock.advance(30)
    later = one_time_codes.code_at(secret, clock.now.timestamp())
    with pytest.raises(WrongError):  # the first step was used
        await sign_in.code(steps[0].token, later, HERE)
    answers = await asyncio.gather(
        *(sign_in.code(steps[1].token, later, HERE) for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(one, SignedInBy) for one in answers) == 1


async def test_a_recovery_code_stands_in_once(installation: Installation, sign_in: SignIn) -> None:
    _, _, codes = await with_second_factor(installation)
    steps = [await sign_in.password("jane", PASSWORD, HERE) for _ in range(3)]
    tries = (sign_in.code(step.token, codes[0].upper(), HERE) for step in steps[:2])
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, SignedInBy) for one in answers) == 1
    assert isinstance(await sign_in.code(steps[2].token, codes[1], HERE), SignedInBy)


async def test_guessing_codes_is_locked_too(installation: Installation, sign_in: SignIn) -> None:
    _, secret, _ = await with_second_factor(installation)
    step = await sign_in.password("jane", PASSWORD, Visitor())
    right = one_time_codes.code_at(secret, sign_in.clock().timestamp())
    for number in range(5):
        with pytest.raises(WrongError):
            await sign_in.code(step.token, f"{(int(right) + number + 1) % 10**6:06}", Visitor())
    with pytest.raises(LockedError):
        await sign_in.code(step.token, right, Visitor())


async def test_the_pages_of_both_steps_work_together(installation: Installation, served: Served) -> None:
    _, secret, _ = await with_second_factor(installation)
    async with served.stranger() as client:
        first = await post(client, "/sign-in", login="jane", password=PASSWORD, next="/multiflexi/tasks")
        assert first.status_code == 200 and SESSION not in first.cookies and "Second step" in first.text
        code = one_time_codes.code_at(secret, time.time())
        done = await post(client, "/sign-in/code", code=code, next="/multiflexi/tasks")
        assert done.headers["location"] == "/multiflexi/tasks" and SESSION in done.cookies


async def test_the_hash_is_made_anew_when_its_parameters_are_old(
    installation: Installation, sign_in: SignIn, clock: Clock
) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    user = await installation.user("jane")
    await Shell(installation.store).execute(SetPassword(user_id=user, password=old), SYSTEM)
    clock.advance(60)
    done = await sign_in.password("jane", PASSWORD, HERE)
    state = await sign_in.user(user)
    assert state is not None and state.password != old and "m=65536" in str(state.password)
    assert isinstance(done, SignedInBy) and await sign_in.sessions.find(done.token) is not None
    assert isinstance(await sign_in.password("jane", PASSWORD, HERE), SignedInBy)


async def test_nothing_of_signing_in_is_stored_in_clear(installation: Installation, sign_in: SignIn) -> None:
    user, secret, codes = await with_second_factor(installation)
    token = (await sign_in.open(user, "password", HERE)).token
    step = await sign_in.password("jane", PASSWORD, HERE)
    with pytest.raises(WrongError):
        await sign_in.password("someone-else", "wrong", HERE)
    everything = ""
    for table in ("events", "user_account", "user_session", "sign_in_attempt", "one_time_secret"):
        rows = await installation.web_store.pool.fetch(f"SELECT to_jsonb(t)::text FROM {table} t")
        everything += " ".join(row[0] for row in rows)
    for clear in ("192.0.2.7", "Browser/1.0", PASSWORD, secret, codes[0], token, step.token, "someone-else", '"jane"'):
        assert clear not in everything, clear
