"""What users manage of themselves: password, second factor, passkeys of a device."""

from __future__ import annotations

import html
import re
import time
from typing import Any

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe

from commands import passwords
from commands.actor import Actor
from domain.user_events import PasswordSet
from tests.testbed.components import needs
from tests.web.conftest import Browser, Served
from tests.web.seeding import Installation
from tests.web.test_web_browser import has_no_horizontal_scroll, shows
from tests.web.test_web_users import made, token
from web.auth import one_time_codes
from web.data.account import opened, sealed
from web.pages import account

STRONG = "klokan tramvaj mlha hvozd"


class Whom:
    """Who acts in a test; nobody has signed in until it is said."""

    user_id: int | None = None


@pytest.fixture
def whom(monkeypatch: pytest.MonkeyPatch) -> Whom:
    """Let requests about the own account act as a user of the test."""
    acting = Whom()

    async def acting_as(_request: Any) -> Actor:
        return Actor.user("web" if acting.user_id is None else acting.user_id, companies="*")

    monkeypatch.setattr(account, "acting_as", acting_as)
    return acting


async def send(client: httpx.AsyncClient, path: str, form: dict[str, str]) -> httpx.Response:
    return await client.post(path, data={"_csrf_token": await token(client, "/account"), **form})


async def test_the_own_password_is_changed_by_who_knows_it(
    installation: Installation, served: Served, whom: Whom
) -> None:
    async with served.client() as client:
        assert (await client.get("/account")).status_code == 404, "nobody has signed in"
        whom.user_id, first = await made(client)
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
        assert (await send(client, "/account/password", wish)).status_code == 422, "the old one is void"
    events = [each async for each in installation.store.read_stream(f"user-{whom.user_id}")]
    newest = [each.event.password for each in events if isinstance(each.event, PasswordSet)][-1]
    assert await passwords.matches(str(newest), STRONG)


async def test_the_strength_of_a_password_is_told_as_it_is_typed(
    installation: Installation, served: Served, whom: Whom
) -> None:
    async with served.client() as client:
        whom.user_id, _ = await made(client, first_name="Bartholomew")
        weak = (await send(client, "/account/strength", {"password": "password12345"})).json()
        strong = (await send(client, "/account/strength", {"password": STRONG})).json()
        own = (await send(client, "/account/strength", {"password": "bartholomew1"})).json()
    assert (weak["good"], strong["good"], own["good"]) == (False, True, False)
    assert weak["score"] < 3 <= strong["score"]


async def test_a_second_factor_is_set_up_with_the_code_of_a_device_and_ended_with_the_password(
    installation: Installation, served: Served, whom: Whom
) -> None:
    async with served.client() as client:
        whom.user_id, password = await made(client)
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
        shown = (await client.get("/account.json")).json()
        assert (shown["second_factor"], shown["recovery_codes"]) == (True, 10)
        for what in ("recovery-codes", "no-second-factor"):
            assert (await send(client, f"/account/{what}", {"current": "not it"})).status_code == 422
        fresh = await send(client, "/account/recovery-codes", {"current": password})
        assert codes[1] not in fresh.text
        assert (await send(client, "/account/no-second-factor", {"current": password})).status_code == 303
        assert (await client.get("/account.json")).json()["second_factor"] is False


def test_what_a_browser_keeps_between_two_steps_cannot_be_changed_and_ends() -> None:
    kept = sealed("s", "totp", 5, "ABC", now=1000.0)
    assert opened("s", "totp", 5, kept, now=1900.0) == "ABC"
    assert opened("s", "totp", 5, kept, now=1901.0) is None
    assert opened("t", "totp", 5, kept, now=1000.0) is None
    for broken in ("", "ABC", "ABC.x.y", kept.replace("ABC", "ABD"), kept.replace("1900", "9900"), kept + "0"):
        assert opened("s", "totp", 5, broken, now=1000.0) is None


@needs("chromium")
async def test_a_passkey_of_a_device_is_added_and_removed(
    installation: Installation, served: Served, browser: Browser, whom: Whom
) -> None:
    async with served.client() as client:
        whom.user_id, password = await made(client)
    browser.url = browser.url.replace("127.0.0.1", "localhost")
    page = await browser.open("/account")
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
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
    await page.locator("#p-1").fill(password)
    await page.get_by_role("button", name="Remove My telephone").click()
    await page.get_by_text("With a passkey you sign in by your device alone").wait_for()


@needs("chromium")
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
async def test_pages_of_users_fit_and_are_accessible(
    installation: Installation, served: Served, browser: Browser, whom: Whom, width: int, scheme: str
) -> None:
    company = await installation.company("A company with a rather long name that has to be cut somewhere")
    async with served.client() as client:
        whom.user_id, _ = await made(client, email="jane.with.a.long.address@department.of.some.example.com")
        form = {"_csrf_token": await token(client, "/users/new"), "company_id": str(company), "role": "manager"}
        await client.post(f"/user/{whom.user_id}/grant", data={**form, "until": "2031-01-01T08:00"})
    page = await browser.open("/users", viewport={"width": width, "height": 800}, color_scheme=scheme)
    for path in ("/users", "/users/new", f"/user/{whom.user_id}", "/account", "/account/second-factor"):
        await page.goto(browser.url + path)
        assert await has_no_horizontal_scroll(page), path
        found = await Axe().run(page)
        assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == [], path
