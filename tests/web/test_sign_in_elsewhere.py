"""Signing in by a passkey of a device, and by an account at an OpenID provider that runs on this machine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from commands.actor import SYSTEM
from commands.shell import Shell
from domain.user_commands import ChangeUser, CreateUser
from tests.fakes.authenticator import PRESENT, Authenticator
from tests.fakes.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdServer
from tests.testbed.components import needs
from tests.web.conftest import Browser, Served, serving
from tests.web.seeding import Installation
from tests.web.test_sign_in import PASSWORD, token_of_form
from web.auth.cookies import SESSION

JSON = {"accept": "application/json"}


async def post(client: httpx.AsyncClient, path: str, page: str = "/sign-in", **fields: str) -> httpx.Response:
    form = {"_csrf_token": await token_of_form(client, page), **fields}
    return await client.post(path, data=form, headers=JSON if "passkey" in path else {})


async def with_passkey(installation: Installation, served: Served, device: Authenticator, login: str = "jane") -> int:
    """Make a user and let them add a passkey of a device on the page of their account."""
    user = await installation.user(login, PASSWORD)
    async with served.client(await installation.session(user)) as client:
        begun = (await post(client, "/account/passkey/begin", "/account")).json()
        answer = json.dumps(device.make(begun["options"]))
        done = await post(client, "/account/passkey/finish", "/account", token=begun["token"], answer=answer)
        assert done.status_code == 201, done.text
    return user


def device_of(served: Served) -> Authenticator:
    return Authenticator(served.url.removesuffix("/multiflexi").replace("127.0.0.1", "localhost"))


@pytest.fixture
def by_name(served: Served) -> Served:
    """Let clients call the installation by a name: passkeys are for names, not for addresses."""
    served.url = served.url.replace("127.0.0.1", "localhost")
    return served


async def signed(client: httpx.AsyncClient, device: Authenticator) -> httpx.Response:
    options = (await post(client, "/sign-in/passkey/begin")).json()
    return await post(client, "/sign-in/passkey/finish", answer=json.dumps(device.sign(options)))


async def test_a_passkey_signs_its_user_in_without_login_and_password(
    installation: Installation, by_name: Served
) -> None:
    device = device_of(by_name)
    user = await with_passkey(installation, by_name, device)
    async with by_name.stranger() as client:
        options = (await post(client, "/sign-in/passkey/begin")).json()
        form = {"answer": json.dumps(device.sign(options)), "next": "/multiflexi/account"}
        done = await post(client, "/sign-in/passkey/finish", **form)
        assert (done.status_code, done.json()) == (200, {"location": "/multiflexi/account"})
        account = (await client.get("/account.json")).json()
        assert account["id"] == user
        assert [each["method"] for each in account["sessions"] if each["current"]] == ["passkey"]
        again = await post(client, "/sign-in/passkey/finish", "/account", **form)
        assert again.status_code == 401, "what was signed is good once"


async def test_what_a_device_did_not_sign_for_this_sign_in_is_refused(
    installation: Installation, by_name: Served
) -> None:
    device = device_of(by_name)
    user = await with_passkey(installation, by_name, device)

    async def refused(answer: httpx.Response) -> None:
        assert answer.status_code in (400, 401) and SESSION not in answer.cookies, answer.text

    async with by_name.stranger() as client, by_name.stranger() as other:
        options = (await post(other, "/sign-in/passkey/begin")).json()
        await post(client, "/sign-in/passkey/begin")
        await refused(await post(client, "/sign-in/passkey/finish", answer=json.dumps(device.sign(options))))
        await refused(await post(client, "/sign-in/passkey/finish", answer="no JSON"))
        device.origin = "http://evil.example"
        await refused(await signed(client, device))
        device.origin, device.flags = by_name.url.removesuffix("/multiflexi"), PRESENT
        await refused(await signed(client, device))
        device = Authenticator(device.origin)
        await refused(await signed(client, device))  # nobody's
    assert len(await installation.store.pool.fetch("SELECT FROM user_session WHERE user_id = $1", user)) == 1


async def test_a_copy_of_a_device_is_found_out(installation: Installation, by_name: Served) -> None:
    device = device_of(by_name)
    await with_passkey(installation, by_name, device)
    async with by_name.stranger() as client:
        assert (await signed(client, device)).status_code == 200
    device.count = 0
    async with by_name.stranger() as client:
        assert (await signed(client, device)).status_code == 401


async def test_a_passkey_of_a_disabled_user_signs_nobody_in(installation: Installation, by_name: Served) -> None:
    device = device_of(by_name)
    user = await with_passkey(installation, by_name, device)
    await Shell(installation.store).execute(ChangeUser(user_id=user, enabled=False), SYSTEM)
    async with by_name.stranger() as client:
        assert (await signed(client, device)).status_code == 401


async def test_a_passkey_signs_one_user_in(installation: Installation, by_name: Served) -> None:
    device = device_of(by_name)
    await with_passkey(installation, by_name, device)
    john = await installation.user("john", PASSWORD)
    async with by_name.client(await installation.session(john)) as client:
        begun = (await post(client, "/account/passkey/begin", "/account")).json()
        answer = json.dumps(device.make(begun["options"]))
        done = await post(client, "/account/passkey/finish", "/account", token=begun["token"], answer=answer)
        assert done.status_code == 409


@pytest.fixture
def provider() -> Iterator[OpenIdServer]:
    with OpenIdServer("http://127.0.0.1:9/").running() as running:
        yield running


@pytest.fixture
async def with_openid(
    installation: Installation, provider: OpenIdServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Served]:
    """Serve the web interface with the provider set up; a parameter holds further variables."""
    monkeypatch.setenv("MULTIFLEXI_OPENID_ISSUER", provider.issuer)
    monkeypatch.setenv("MULTIFLEXI_OPENID_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("MULTIFLEXI_OPENID_CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("MULTIFLEXI_OPENID_NAME", "Example ID")
    more: dict[str, str] = getattr(request, "param", {})
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    async with serving(installation) as served:
        provider.client.redirect_uris = [f"{served.url}/sign-in/openid/back"]
        yield served


async def at_provider(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """Begin on a page, sign in at the provider, and come back."""
    begun = await client.get(path)
    assert begun.status_code == 303, begun.text
    async with httpx.AsyncClient() as elsewhere:
        consent = await elsewhere.get(begun.headers["location"])
    return await client.get(consent.headers["location"])


async def linked(installation: Installation, served: Served, login: str = "jane") -> int:
    """Make a user who links the account at the provider."""
    user = await installation.user(login, PASSWORD)
    async with served.client(await installation.session(user)) as client:
        back = await at_provider(client, "/account/openid/link")
        assert back.headers["location"] == "/multiflexi/account/openid"
        assert "jana.novakova@example.com" in (await client.get("/account/openid")).text
        wrong = await post(client, "/account/openid", "/account/openid", current="not it")
        assert wrong.status_code == 422
        done = await post(client, "/account/openid", "/account/openid", current=PASSWORD)
        assert done.headers["location"] == "/multiflexi/account?saved=identity", done.text
    return user


async def test_a_linked_account_signs_its_user_in_and_the_page_asked_for_is_remembered(
    installation: Installation, with_openid: Served
) -> None:
    user = await linked(installation, with_openid)
    async with with_openid.stranger() as client:
        page = (await client.get("/sign-in?next=/multiflexi/tasks")).text
        assert "Sign in by Example ID" in page
        done = await at_provider(client, "/sign-in/openid?next=/multiflexi/tasks")
        assert (done.status_code, done.headers["location"]) == (303, "/multiflexi/tasks")
        account = (await client.get("/account.json")).json()
        assert account["id"] == user
        assert [each["method"] for each in account["sessions"] if each["current"]] == ["openid"]
        [identity] = account["identities"]
        await post(client, "/account/openid/unlink", "/account", key=identity["key"])
    async with with_openid.stranger() as client:
        assert (await at_provider(client, "/sign-in/openid")).status_code == 401


async def test_an_account_that_nobody_linked_signs_nobody_in(
    installation: Installation, with_openid: Served, provider: OpenIdServer
) -> None:
    wish = CreateUser(login="jana", email="jana.novakova@example.com")
    await Shell(installation.store).execute(wish, SYSTEM)  # the same address, and yet another's account
    async with with_openid.stranger() as client:
        back = await at_provider(client, "/sign-in/openid")
        assert back.status_code == 401 and "No user is linked to this account." in back.text
    provider.user["sub"] = "another"
    await linked(installation, with_openid)
    provider.user["sub"] = "ANOTHER"
    async with with_openid.stranger() as client:
        assert (await at_provider(client, "/sign-in/openid")).status_code == 401


async def test_an_account_signs_one_user_in(installation: Installation, with_openid: Served) -> None:
    await linked(installation, with_openid)
    john = await installation.user("john", PASSWORD)
    async with with_openid.client(await installation.session(john)) as client:
        await at_provider(client, "/account/openid/link")
        done = await post(client, "/account/openid", "/account/openid", current=PASSWORD)
        assert done.status_code == 409


async def test_what_comes_back_to_another_browser_or_twice_is_refused(
    installation: Installation, with_openid: Served
) -> None:
    await linked(installation, with_openid)
    async with with_openid.stranger() as client, with_openid.stranger() as victim, httpx.AsyncClient() as elsewhere:
        begun = await client.get("/sign-in/openid")
        back = (await elsewhere.get(begun.headers["location"])).headers["location"]
        assert (await victim.get(back)).status_code == 401
        await victim.get("/sign-in/openid")
        assert (await victim.get(back)).status_code == 401
        assert (await client.get(back)).status_code == 303
        assert (await client.get(back)).status_code == 401


async def test_the_account_of_another_session_is_not_linked(installation: Installation, with_openid: Served) -> None:
    jane, john = await installation.user("jane", PASSWORD), await installation.user("john", PASSWORD)
    async with with_openid.client(await installation.session(jane)) as client:
        await at_provider(client, "/account/openid/link")
        client.cookies.set(SESSION, await installation.session(john))
        assert (await client.get("/account/openid")).status_code == 400


async def test_a_provider_that_is_away_or_refuses_is_told(
    installation: Installation, with_openid: Served, provider: OpenIdServer
) -> None:
    provider.refuses = True
    async with with_openid.stranger() as client:
        back = await at_provider(client, "/sign-in/openid")
        assert back.status_code == 401 and "Example ID did not sign you in." in back.text
        provider.refuses, provider.wrong = False, {"aud": "somebody-else"}
        back = await at_provider(client, "/sign-in/openid")
        assert back.status_code == 401 and "The answer of Example ID cannot be trusted." in back.text


MAKING = {"MULTIFLEXI_OPENID_ROLE": "viewer", "MULTIFLEXI_OPENID_DOMAINS": "example.com, example.org"}


@pytest.mark.parametrize("with_openid", [MAKING], indirect=True)
async def test_a_user_is_made_of_an_account_once_where_that_is_set_up(
    installation: Installation, with_openid: Served, provider: OpenIdServer
) -> None:
    ids = set[int]()
    for _ in range(2):
        async with with_openid.stranger() as client:
            assert (await at_provider(client, "/sign-in/openid")).status_code == 303
            account = (await client.get("/account.json")).json()
            ids.add(account["id"])
            assert (account["login"], account["has_password"]) == ("jana", False)
    [user] = ids
    async with with_openid.client() as admin:
        shown = (await admin.get(f"/user/{user}.json")).json()
    assert [each["role"] for each in shown["roles"]] == ["viewer"]
    assert (shown["user"]["email"], shown["user"]["first_name"]) == ("jana.novakova@example.com", "Jana")
    for wrong in ({"email": "jana@elsewhere.example"}, {"email_verified": False}):
        before = dict(provider.user)
        provider.user |= {"sub": f"new {wrong}", "preferred_username": "jana2", **wrong}
        async with with_openid.stranger() as client:
            back = await at_provider(client, "/sign-in/openid")
            assert back.status_code == 401 and "A user could not be made" in back.text, wrong
        provider.user = before
    provider.user |= {"sub": "taken", "email": "other@example.com"}  # the login is jana's
    async with with_openid.stranger() as client:
        assert (await at_provider(client, "/sign-in/openid")).status_code == 401


async def test_without_a_provider_there_is_no_way_to_one(served: Served) -> None:
    async with served.stranger() as client:
        assert (await client.get("/sign-in/openid")).status_code == 404
        assert "openid" not in (await client.get("/sign-in")).text


@needs("chromium")
async def test_a_browser_goes_to_the_provider_and_comes_back(
    installation: Installation, with_openid: Served, provider: OpenIdServer
) -> None:
    await linked(installation, with_openid)
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        browser = Browser(started, with_openid.url, with_openid.cookie)
        page = await browser.open("/tasks", signed_in=False)
        await page.get_by_role("link", name="Sign in by Example ID").click()
        await page.wait_for_url("**/multiflexi/tasks")
        assert await page.locator(".signed-in .who").inner_text() == "jane"
        await started.close()
    assert browser.complaints == []
