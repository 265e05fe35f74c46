"""The administration of users: made, changed, locked, and let into companies until a moment."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx

from commands import passwords
from domain.user_events import PasswordSet
from tests.web.conftest import Served
from tests.web.seeding import Installation


async def token(client: httpx.AsyncClient, path: str) -> str:
    found = re.search(r'name="_csrf_token" value="([^"]+)"', (await client.get(path)).text)
    assert found
    return found[1]


async def send(client: httpx.AsyncClient, path: str, form: dict[str, str]) -> httpx.Response:
    return await client.post(path, data={"_csrf_token": await token(client, "/users/new"), **form})


async def made(client: httpx.AsyncClient, login: str = "jane", **form: str) -> tuple[int, str]:
    """Make a user, and return the id and the first password."""
    answer = await send(client, "/users/new", {"login": login, "role": "user", "key": f"key-{login}", **form})
    assert answer.status_code == 200, answer.text
    number = re.search(r"<h1>.*?#(\d+)</span></h1>", answer.text, re.DOTALL)
    password = re.search(r'class="once"[^>]*>([^<]+)<', answer.text)
    assert number
    assert password
    return int(number[1]), html.unescape(password[1])


async def json_of(client: httpx.AsyncClient, user: int) -> Any:
    return (await client.get(f"/user/{user}.json")).json()


async def test_a_user_is_made_with_a_password_that_is_shown_once(installation: Installation, served: Served) -> None:
    async with served.client() as client:
        user, password = await made(client, email="jane@example.com", first_name="Jane", last_name="<Doe>")
        page = (await client.get(f"/user/{user}")).text
        assert password not in page
        assert "Jane &lt;Doe&gt;" in page
        listed = (await client.get("/users.json")).json()["users"]
        jane = next(each for each in listed if each["id"] == user)
        assert (jane["login"], jane["email"], jane["roles"], jane["has_password"]) == (
            "jane", "jane@example.com", ["user"], True,
        )  # fmt: skip
        for find in ("jane", "JANE@example.com"):
            found = (await client.get("/users.json", params={"find": find})).json()["users"]
            assert [each["id"] for each in found] == [user], find
        assert (await client.get("/users.json", params={"find": "jan"})).json()["users"] == []
    events = [each async for each in installation.store.read_stream(f"user-{user}")]
    encoded = next(each.event.password for each in events if isinstance(each.event, PasswordSet))
    assert await passwords.matches(str(encoded), password)


async def test_a_login_that_is_taken_is_told_beside_the_form(installation: Installation, served: Served) -> None:
    async with served.client() as client:
        await made(client)
        answer = await send(client, "/users/new", {"login": "JANE", "role": "user", "key": "other"})
        assert answer.status_code == 422
        assert 'value="JANE"' in answer.text
        assert re.search(r"(field-error|notice-failed).*?(in use|taken|exists)", answer.text, re.DOTALL)


async def test_a_user_is_let_into_a_company_until_a_moment_and_out_again(
    installation: Installation, served: Served
) -> None:
    company = await installation.company("Acme")
    async with served.client() as client:
        user, _ = await made(client)
        grant = {"company_id": str(company), "role": "manager", "until": "2031-01-01T08:00"}
        answer = await send(client, f"/user/{user}/grant?tz=UTC", grant)
        assert answer.status_code == 303, answer.text
        (member,) = (await json_of(client, user))["memberships"]
        assert (member["company_name"], member["role"], member["until"]) == ("Acme", "manager", "2031-01-01T08:00:00Z")
        assert "Acme" in (await client.get(f"/user/{user}")).text
        past = await send(client, f"/user/{user}/grant", {**grant, "until": "2001-01-01T08:00"})
        assert past.status_code == 422
        # What was chosen stands in the form again, and what is wrong beside its field.
        assert f'<option value="{company}" selected>' in past.text and '<option value="manager" selected>' in past.text
        assert 'value="2001-01-01T08:00" aria-describedby="g-until-error g-until-hint"' in past.text
        assert 'id="r-until-error"' not in past.text
        wrong = await send(client, f"/user/{user}/grant?lang=cs", {**grant, "until": "soon"})
        assert "Zadejte den a čas." in wrong.text
        assert (await send(client, f"/user/{user}/revoke", {"company_id": str(company)})).status_code == 303
        assert (await json_of(client, user))["memberships"] == []
        assert (await send(client, f"/user/{user}/grant", {"company_id": ""})).status_code == 400


async def test_system_roles_are_granted_and_revoked(installation: Installation, served: Served) -> None:
    async with served.client() as client:
        user, _ = await made(client)
        await send(client, f"/user/{user}/role?tz=UTC", {"role": "editor", "until": "2031-01-01T08:00"})
        roles = {each["role"]: each["until"] for each in (await json_of(client, user))["roles"]}
        assert roles == {"user": None, "editor": "2031-01-01T08:00:00Z"}
        await send(client, f"/user/{user}/unrole", {"role": "user"})
        assert [each["role"] for each in (await json_of(client, user))["roles"]] == ["editor"]


async def test_an_account_is_changed_locked_unlocked_and_given_a_new_password(
    installation: Installation, served: Served
) -> None:
    async with served.client() as client:
        user, first = await made(client)
        await send(client, f"/user/{user}/profile", {"login": "jane.doe", "first_name": "Jane", "language": "cs"})
        shown = (await json_of(client, user))["user"]
        assert (shown["login"], shown["first_name"], shown["language"]) == ("jane.doe", "Jane", "cs")
        await send(client, f"/user/{user}/lock", {})
        assert "The account is locked" in (await client.get(f"/user/{user}")).text
        assert (await json_of(client, user))["user"]["enabled"] is False
        await send(client, f"/user/{user}/unlock", {})
        assert (await json_of(client, user))["user"]["enabled"] is True
        answer = await send(client, f"/user/{user}/password", {})
        again = re.search(r'class="once"[^>]*>([^<]+)<', answer.text)
        assert again
        assert again[1] != first
        wrong = await send(client, f"/user/{user}/profile", {"login": "", "first_name": "Eve"})
        assert wrong.status_code == 422
        assert 'id="login-error"' in wrong.text
        assert 'value="Eve"' in wrong.text


async def test_what_is_not_there_is_not_found(served: Served) -> None:
    async with served.client() as client:
        for path in ("/user/999", "/user/abc", "/user/99999999999"):
            assert (await client.get(path)).status_code == 404
        user, _ = await made(client)
        assert (await send(client, f"/user/{user}/explode", {})).status_code == 404
