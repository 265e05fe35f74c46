"""What users manage of themselves: password, second factor, passkeys of a device."""

from __future__ import annotations

import html
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe

from commands import passwords
from domain.user_events import PasswordSet
from tests.testbed.components import needs
from tests.web.conftest import Browser, Served
from tests.web.seeding import Installation
from tests.web.signing_in import PASSWORD, post
from tests.web.test_web_browser import has_no_horizontal_scroll, shows
from tests.web.test_web_users import made, token
from web.auth import one_time_codes
from web.data.account import opened, sealed

STRONG = "klokan tramvaj mlha hvozd"


@asynccontextmanager
async def account_of(
    installation: Installation, served: Served, login: str = "jane", **form: str
) -> AsyncIterator[tuple[httpx.AsyncClient, int, str]]:
    """Yield a client of a fresh user who is signed in, their id and their password."""
    async with served.client() as client:
        user, password = await made(client, login, **form)
    async with served.client(await installation.session(user)) as client:
        yield client, user, password


async def send(client: httpx.AsyncClient, path: str, form: dict[str, str]) -> httpx.Response:
    return await client.post(path, data={"_csrf_token": await token(client, "/account"), **form})


async def test_the_own_password_is_changed_by_who_knows_it(installation: Installation, served: Served) -> None:
    async with (
        account_of(installation, served) as (client, user, first),
        served.client(await installation.session(user)) as elsewhere,
    ):
        wish = {"current": first, "password": STRONG, "again": STRONG}
        for wrong, text in (
            ({"current": "not it"}, "This is not your password."),
            ({"again": "other"}, "The two passwords are not the same."),
            ({"password": "jane", "again": "jane"}, "at least 12 are needed"),
        ):
            answer = await send(client, "/account/password", {**wish, **wrong})
            assert answer.status_code == 422
            assert text in answer.text
        answer = await send(client, "/account/password", wish)
        assert answer.headers["location"] == "/multiflexi/account?saved=password"
        assert (await client.get("/account")).status_code == 200, "who has just proved it stays signed in"
        assert (await elsewhere.get("/account.json")).status_code == 401, "all others are signed out"
        assert (await send(client, "/account/password", wish)).status_code == 422, "the old one is void"
    events = [each async for each in installation.store.read_stream(f"user-{user}")]
    newest = [each.event.password for each in events if isinstance(each.event, PasswordSet)][-1]
    assert await passwords.matches(str(newest), STRONG)


async def test_guessing_the_password_of_an_open_session_is_locked(installation: Installation, served: Served) -> None:
    async with account_of(installation, served) as (client, _, first):
        wish = {"password": STRONG, "again": STRONG}
        for _ in range(5):
            assert (await send(client, "/account/password", {**wish, "current": "not it"})).status_code == 422
        assert (await send(client, "/account/password", {**wish, "current": first})).status_code == 429


async def test_the_account_is_of_who_has_signed_in(installation: Installation, served: Served) -> None:
    async with served.stranger() as nobody:
        assert (await nobody.get("/account")).status_code == 303
        assert (await nobody.get("/account.json")).status_code == 401
    async with (
        account_of(installation, served, "jane") as (jane, first, _),
        account_of(installation, served, "john") as (john, second, _),
    ):
        seen = [(await client.get("/account.json")).json()["id"] for client in (jane, john)]
        assert seen == [first, second]


async def test_the_strength_of_a_password_is_told_as_it_is_typed(installation: Installation, served: Served) -> None:
    async with account_of(installation, served, first_name="Bartholomew") as (client, _, _):
        weak = (await send(client, "/account/strength", {"password": "password12345"})).json()
        strong = (await send(client, "/account/strength", {"password": STRONG})).json()
        own = (await send(client, "/account/strength", {"password": "bartholomew1"})).json()
    assert (weak["good"], strong["good"], own["good"]) == (False, True, False)
    assert weak["score"] < 3 <= strong["score"]


async def test_a_second_factor_is_set_up_with_the_code_of_a_device_and_ended_with_the_password(
    installation: Installation, served: Served
) -> None:
    async with account_of(installation, served) as (client, _, password):
        page = (await client.get("/account/second-factor")).text
        assert "<svg" in page
        secret = re.findall(r'class="once">([A-Z2-7]+)<', page)[0]
        kept = html.unescape(re.findall(r'name="secret" value="([^"]+)"', page)[0])
        code = one_time_codes.code_at(secret, time.time())
        wrong = await send(client, "/account/second-factor", {"secret": kept, "code": f"{(int(code) + 1) % 10**6:06}"})
        assert wrong.status_code == 422
        assert "This code is not right." in wrong.text
        forged = kept.replace(secret, one_time_codes.new_secret())
        assert (await send(client, "/account/second-factor", {"secret": forged, "code": code})).status_code == 422
        assert (await client.get("/account.json")).json()["second_factor"] is False
        done = await send(client, "/account/second-factor", {"secret": kept, "code": code})
        codes = re.findall(r"\b[2-9a-z]{5}(?:-[2-9a-z]{5}){2}\b", done.text)
        assert len(codes) == one_time_codes.RECOVERY_CODES
        async with served.stranger() as again:
            await post(again, "/sign-in", login="jane", password=password)
            step = await post(again, "/sign-in/code", code=code)
            assert step.status_code == 401, "the code that set it up is used up"
        shown = (await client.get("/account.json")).json()
        assert (shown["second_factor"], shown["recovery_codes"]) == (True, 10)
        for what in ("recovery-codes", "no-second-factor"):
            assert (await send(client, f"/account/{what}", {"current": "not it"})).status_code == 422
        fresh = await send(client, "/account/recovery-codes", {"current": password})
        assert codes[1] not in fresh.text
        assert (await send(client, "/account/no-second-factor", {"current": password})).status_code == 303
        assert (await client.get("/account.json")).json()["second_factor"] is False


async def test_sessions_are_listed_and_ended(installation: Installation, served: Served) -> None:
    async with account_of(installation, served) as (client, user, _):
        others = [await installation.session(user) for _ in range(3)]
        listed = (await client.get("/account.json")).json()["sessions"]
        assert [each["current"] for each in listed] == [True, False, False, False]
        ended = await send(client, "/account/session/end", {"session_id": str(listed[1]["id"])})
        assert ended.headers["location"] == "/multiflexi/account?saved=session"
        left = [each["id"] for each in (await client.get("/account.json")).json()["sessions"]]
        assert left == [each["id"] for each in listed if each is not listed[1]]
        admin = served.cookie
        async with served.client(admin) as other:
            await send(other, "/account/session/end", {"session_id": str(listed[2]["id"])})
        assert len((await client.get("/account.json")).json()["sessions"]) == 3, "nobody ends another's session"
        await send(client, "/account/session/end", {})
        assert len((await client.get("/account.json")).json()["sessions"]) == 1
        for cookie in others:
            async with served.client(cookie) as gone:
                assert (await gone.get("/account.json")).status_code == 401


async def test_a_token_is_made_shown_once_and_revoked(installation: Installation, served: Served) -> None:
    async with account_of(installation, served) as (client, _, _):
        form = {"name": "Nightly <report>", "permission": "users.own", "until": "2031-01-01T08:00"}
        page = (await send(client, "/account/token", form)).text
        token = re.findall(r'class="once"[^>]*>(mfx_[^<]+)<', page)[0]
        assert "Nightly &lt;report&gt;" in page
        assert token not in (await client.get("/account")).text
        [listed] = (await client.get("/account.json")).json()["tokens"]
        assert (listed["name"], listed["permissions"], listed["active"]) == ("Nightly <report>", ["users.own"], True)
        late = {"name": "Late", "until": "2001-01-01T08:00", "permission": "users.own"}
        past = await send(client, "/account/token", late)
        assert past.status_code == 422
        assert 'value="Late"' in past.text and 'value="users.own" checked' in past.text
        assert len((await client.get("/account.json")).json()["tokens"]) == 1
        async with served.stranger(headers={"authorization": f"Bearer {token}"}) as program:
            assert (await program.get("/account.json")).status_code == 200
            assert (await program.get("/users.json")).status_code == 403
            await send(client, "/account/token/revoke", {"token_id": str(listed["id"])})
            assert (await program.get("/account.json")).status_code == 401


async def test_nobody_revokes_the_token_of_another(installation: Installation, served: Served) -> None:
    async with account_of(installation, served, "jane") as (jane, _, _):
        await send(jane, "/account/token", {"name": "Hers"})
        [listed] = (await jane.get("/account.json")).json()["tokens"]
        async with account_of(installation, served, "john") as (john, _, _):
            assert (await send(john, "/account/token/revoke", {"token_id": str(listed["id"])})).status_code in (
                403,
                404,
            )
        assert len((await jane.get("/account.json")).json()["tokens"]) == 1


def test_what_a_browser_keeps_between_two_steps_cannot_be_changed_and_ends() -> None:
    kept = sealed("s", "totp", 5, "ABC", now=1000.0)
    assert opened("s", "totp", 5, kept, now=1900.0) == "ABC"
    assert opened("s", "totp", 5, kept, now=1901.0) is None
    assert opened("t", "totp", 5, kept, now=1000.0) is None
    for broken in ("", "ABC", "ABC.x.y", kept.replace("ABC", "ABD"), kept.replace("1900", "9900"), kept + "0"):
        assert opened("s", "totp", 5, broken, now=1000.0) is None


async def with_authenticator(page: Any) -> Any:
    """Give a page a virtual authenticator that its user unlocks, and return the session that leads it."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    added = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, added["authenticatorId"]


@needs("chromium")
async def test_a_passkey_is_added_signs_in_and_is_removed(
    installation: Installation, served: Served, browser: Browser
) -> None:
    async with served.client() as client:
        user, password = await made(client)
    browser.url = browser.url.replace("127.0.0.1", "localhost")
    page = await browser.open("/account", cookie=await installation.session(user))
    session, authenticator = await with_authenticator(page)
    await page.get_by_label("New password").fill("password12345")
    await page.wait_for_function(
        "() => document.querySelector('.strength span').textContent.includes('easily guessed')"
    )
    await page.get_by_label("Name of the device").fill("My telephone")
    await page.get_by_role("button", name="Add a passkey").click()
    await page.wait_for_url("**/account?saved=passkey")
    await shows(page, "My telephone")
    assert await has_no_horizontal_scroll(page)
    found = await Axe().run(page)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []
    await page.get_by_role("button", name="Sign out").click()
    await page.goto(browser.url + "/jobs?status=failed")
    await page.get_by_role("button", name="Sign in by a passkey").click()
    await page.wait_for_url("**/jobs?status=failed")
    await shows(page, "jane")
    await page.goto(browser.url + "/account")
    await shows(page, "by passkey")
    await page.locator("#p-1").fill(password)
    await page.get_by_role("button", name="Remove My telephone").click()
    await page.get_by_text("With a passkey you sign in by your device alone").wait_for()
    await page.get_by_role("button", name="Sign out").click()
    browser.forgives("401")
    await page.get_by_role("button", name="Sign in by a passkey").click()
    await page.get_by_text("This passkey does not sign anybody in.").wait_for()
    await session.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    await page.get_by_role("button", name="Sign in by a passkey").click()
    await page.get_by_text("The device did not sign you in.").wait_for()


@needs("chromium")
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
async def test_pages_of_users_fit_and_are_accessible(
    installation: Installation, served: Served, browser: Browser, width: int, scheme: str
) -> None:
    company = await installation.company("A company with a rather long name that has to be cut somewhere")
    async with served.client() as client:
        user, _ = await made(client, email="jane.with.a.long.address@department.of.some.example.com")
        form = {"_csrf_token": await token(client, "/users/new"), "company_id": str(company), "role": "manager"}
        await client.post(f"/user/{user}/grant", data={**form, "until": "2031-01-01T08:00"})
        await client.post("/account/token", data={**form, "name": "A token with a rather long name for a program"})
    await installation.session(installation.administrator)
    page = await browser.open("/users", viewport={"width": width, "height": 800}, color_scheme=scheme)
    for path in ("/users", "/users/new", f"/user/{user}", "/account", "/account/second-factor", "/sign-in"):
        await page.goto(browser.url + path)
        assert await has_no_horizontal_scroll(page), path
        found = await Axe().run(page)
        assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == [], path


async def test_a_user_asks_that_their_data_be_erased_and_takes_it_back(
    installation: Installation, served: Served
) -> None:
    user = await installation.user("jane", PASSWORD)
    async with served.client(await installation.session(user)) as client:
        form = {"_csrf_token": await token(client, "/account")}
        wrong = await client.post("/account/erasure", data={**form, "current": "not it"})
        assert wrong.status_code == 422 and "This is not your password." in wrong.text
        asked = await client.post("/account/erasure", data={**form, "current": PASSWORD})
        assert asked.headers["location"] == "/multiflexi/account?saved=erasure"
        page = (await client.get("/account?saved=erasure")).text
        assert "Your wish was noted." in page and "Take it back" in page
        again = await client.post("/account/erasure", data={**form, "current": PASSWORD})
        assert again.status_code == 422
        back = await client.post("/account/erasure", data={**form, "what": "withdraw"})
        assert back.status_code == 303 and "Take it back" not in (await client.get("/account")).text
    rows = await installation.store.pool.fetch("SELECT user_id, deletion_type, status FROM erasure_request")
    assert [tuple(row) for row in rows] == [(user, "hard", "withdrawn")]
