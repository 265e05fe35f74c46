"""The pages of groups, of a company's members, and of the own access: what they show and what their forms do."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.web.conftest import Served
from tests.web.seeding import Installation


async def sent(client: httpx.AsyncClient, page: str, path: str, **fields: Any) -> httpx.Response:
    """Send a form with the token of a page."""
    found = re.search(r'name="_csrf_token" value="([^"]+)"', (await client.get(page)).text)
    assert found is not None
    return await client.post(path, data={"_csrf_token": found[1], **fields})


@pytest.fixture
async def company(installation: Installation) -> int:
    """Return a company with a manager of its members."""
    made = await installation.company("Acme Corp")
    boss = await installation.user("boss")
    await installation.member(boss, made, "admin")
    return made


async def test_a_group_is_made_filled_and_let_into_a_company(
    installation: Installation, served: Served, company: int
) -> None:
    jane = await installation.user("jane")
    async with served.client() as client:
        made = await sent(client, "/user-groups", "/user-groups", name="Accountants", description="Books")
        assert made.status_code == 303, made.text
        address = made.headers["location"].removeprefix("/multiflexi")
        joined = await sent(client, address, address, what="join", login="jane", until="2999-01-01T12:00")
        assert joined.status_code == 303, joined.text
        members = f"/company/{company}/members"
        granted = await sent(client, members, members, what="grant", group=address.rpartition("/")[2], role="manager")
        assert granted.status_code == 303, granted.text
        shown = (await client.get(f"{members}.json")).json()
        assert {(one["login"], one["role"], one["user_group"]) for one in shown["members"]} == {
            ("boss", "admin", None),
            ("jane", "manager", "Accountants"),
        }
        page = (await client.get(address)).text
        assert "jane" in page and f"#{company}" in page
        assert "Accountants" in (await client.get(f"/user/{jane}")).text
        twice = await sent(client, "/user-groups", "/user-groups", name="accountants")
        assert twice.status_code == 422
        await sent(client, members, members, what="revoke", user_group_id=address.rpartition("/")[2])
        assert [one["login"] for one in (await client.get(f"{members}.json")).json()["members"]] == ["boss"]
        assert (await sent(client, address, address, what="remove")).status_code == 303
        assert (await client.get("/user-groups.json")).json() == []


async def test_access_is_asked_for_on_one_page_and_answered_on_another(
    installation: Installation, served: Served, company: int
) -> None:
    jane = await installation.session(await installation.user("jane"))
    boss = await installation.session(2)
    async with served.client(jane) as asking, served.client(boss) as deciding:
        asked = await sent(asking, "/access", "/access", company=str(company), role="viewer", reason="The audit")
        assert asked.status_code == 303, asked.text
        own = (await asking.get("/access.json")).json()
        assert [(one["status"], one["company"]) for one in own["requests"]] == [("open", None)]
        members = f"/company/{company}/members"
        page = (await deciding.get(members)).text
        assert "The audit" in page
        assert f'<a href="/multiflexi/company/{company}">' in page
        assert re.search(r'href="/multiflexi/companies" aria-current="page"', page), "members belong to companies"
        assert (await asking.get(members)).status_code == 403
        [request] = (await deciding.get(f"{members}.json")).json()["requests"]
        answered = await sent(deciding, members, members, what="approve", request=request["id"])
        assert answered.status_code == 303, answered.text
        own = (await asking.get("/access.json")).json()
        assert [(one["role"], one["company"]) for one in own["access"]] == [("viewer", "Acme Corp")]
        assert "approved" in (await asking.get("/access")).text


async def test_requests_are_refused_withdrawn_and_told_what_is_wrong(
    installation: Installation, served: Served, company: int
) -> None:
    jane = await installation.session(await installation.user("jane"))
    async with served.client(jane) as asking, served.client() as root:
        nowhere = await sent(asking, "/access", "/access", company="nowhere", role="viewer", reason="The <audit>")
        assert nowhere.status_code == 422 and 'value="The &lt;audit&gt;"' in nowhere.text
        soon = await sent(asking, "/access", "/access", company=str(company), role="viewer", until="soon")
        assert (soon.status_code, 'id="a-until-error"' in soon.text) == (422, True)
        assert (await sent(asking, "/access", "/access", company=str(company), role="king")).status_code == 422
        await sent(asking, "/access", "/access", company="c1", role="viewer")
        again = await sent(asking, "/access", "/access", company=str(company), role="viewer")
        assert again.status_code == 422 and "has asked" in again.text
        members = f"/company/{company}/members"
        stranger = await sent(root, members, members, what="grant", login="nobody", until="2999-01-01T12:00")
        assert (stranger.status_code, 'id="m-login-error"' in stranger.text) == (422, True)
        assert 'value="nobody"' in stranger.text and 'value="2999-01-01T12:00"' in stranger.text
        [request] = (await root.get(f"{members}.json")).json()["requests"]
        await sent(root, members, members, what="refuse", request=request["id"], reason="Not now")
        assert "Not now" in (await asking.get("/access")).text
        await sent(asking, "/access", "/access", company=str(company), role="viewer")
        newest = (await asking.get("/access.json")).json()["requests"][0]
        await sent(asking, "/access", "/access", withdraw=newest["id"])
        assert (await asking.get("/access.json")).json()["requests"][0]["status"] == "withdrawn"


async def test_who_may_not_see_output_sees_none_of_it(installation: Installation, served: Served, company: int) -> None:
    user = await installation.user("jane")
    await installation.member(user, company, "viewer", less=("output.view",))
    application = await installation.application()
    template = await installation.template(company, application)
    job = await installation.schedule(company, application, template)
    await installation.start(job, company, template)
    await installation.write(job, company, b"Balance 4711\n")
    file = await installation.artifact(company, "statement.txt", "text/plain", b"Balance 4711")
    await installation.finish(job, company, template, artifacts=[file])
    await installation.project()
    looks = (
        f"/job/{job}",
        f"/job/{job}.json",
        f"/job/{job}/live",
        f"/job/{job}/output/stdout.txt",
        f"/job/{job}/artifact/1",
    )
    async with served.client(await installation.session(user)) as client, served.client() as root:
        for path in looks:
            text = (await client.get(path)).text
            assert "4711\n" not in text and "Balance" not in text and "statement" not in text, path
        assert (await client.get(f"/job/{job}/output/stdout.txt")).status_code in (403, 404)
        assert "Balance" in (await root.get(f"/job/{job}")).text
