"""Credential types on the web: listed, made of a prototype, changed, removed once nothing is of them."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe

from commands.actor import SYSTEM
from commands.credential_prototypes import import_prototype
from commands.shell import Shell
from domain.credential import CreateCredential
from domain.sealed import Sealed
from eventstore.vault import open_all
from tests.testbed.components import needs
from tests.testbed.credentials import BANK, prototype_text
from tests.web.conftest import Browser, Served
from tests.web.seeding import Installation
from tests.web.test_web_browser import has_no_horizontal_scroll
from tests.web.test_web_template_form import form_on

TOKEN = "tok-5c1f-hunter2"
NEW = "/credential-types/new"
COUNT = "SELECT count(*) FROM credential_type WHERE removed_at IS NULL"
FIELDS = [
    {**BANK["fields"][0], "hint": "From the settings of the bank"},
    *BANK["fields"][1:],
    {"keyword": "BANK_MODE", "type": "select", "name": "Mode", "options": {"live": "Live", "test": "Test"}},
]


class World:
    """A company, and a prototype that it may make types of."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.shell = Shell(installation.store)
        self.company = self.prototype = 0

    async def make(self) -> World:
        self.company = await self.installation.company("Acme Corp")
        self.prototype = (await import_prototype(self.shell, prototype_text(fields=FIELDS), SYSTEM)).id
        return self

    @property
    def form(self) -> str:
        return f"{NEW}?prototype={self.prototype}"

    async def made(self, client: Any, **fields: str) -> int:
        """Make a type through the form and return its id."""
        answer = await client.post(NEW, data={**await form_on(client, self.form), **fields})
        assert answer.status_code == 303, answer.text
        return int(answer.headers["location"].partition("#type-")[2])

    async def values(self, type_id: int) -> dict[str, str]:
        """Return the shared values of a type as jobs get them."""
        text = await self.installation.store.pool.fetchval(
            "SELECT document FROM credential_type WHERE id = $1", type_id
        )
        sealed = {name: Sealed(**value) for name, value in json.loads(text)["values"].items()}
        places = [(f"credential_type-{type_id}|{name}", value) for name, value in sealed.items()]
        return dict(zip(sealed, await open_all(self.installation.store.keyring, places), strict=True))


@pytest.fixture
async def world(installation: Installation) -> World:
    return await World(installation).make()


def told(page: str, part: str) -> str:
    """Return what is read in a part of a page, from where it begins to the next one that has an id like it."""
    return html.unescape(re.sub(r"<[^>]+>", " ", page.partition(part)[2].partition("</tr>")[0]))


async def test_a_type_is_made_of_a_prototype_by_a_form_of_its_fields(world: World, served: Served) -> None:
    async with served.client() as client:
        assert (
            NEW in (await client.get("/credentials/new")).text
            and "/credential-types" in (await client.get("/credentials")).text
        )
        assert f"prototype={world.prototype}" in (await client.get(NEW)).text
        page = (await client.get(world.form)).text
        assert "From the settings of the bank" in page and 'placeholder="50"' in page and ">required<" in page
        assert re.search(r'id="env.BANK_TOKEN"[^>]+type="password"', page) and ">Test</option>" in page
        form = await form_on(client, world.form)
        assert (form["company_id"], form["name"]) == (str(world.company), "Example bank")
        sent = {**form, "name": "Our bank", "env.BANK_TOKEN": TOKEN, "env.BANK_MODE": "test"}
        made = await client.post(NEW, data=sent)
        assert made.status_code == 303
        again = await client.post(NEW, data=sent)
        assert again.headers["location"] == made.headers["location"], "the same form makes one type"
        [row] = (await client.get("/credential-types.json")).json()["types"]
        assert (row["name"], row["prototype"], row["credentials"]) == ("Our bank", "ExampleBank", 0)
        assert await world.values(row["id"]) == {"BANK_TOKEN": TOKEN, "BANK_MODE": "test"}
        shown = await form_on(client, f"/credentials/new?type={row['id']}")
        assert shown["type"] == str(row["id"])


async def test_what_is_wrong_stands_beside_its_field_and_all_but_secrets_comes_back(
    world: World, served: Served
) -> None:
    async with served.client() as client:
        form = {**await form_on(client, world.form), "name": "Typed", "env.BANK_TOKEN": TOKEN}
        answer = await client.post(NEW, data={**form, "env.BANK_ACCOUNT": "123-typed", "env.BANK_LIMIT": "many"})
        assert answer.status_code == 422 and 'id="env.BANK_LIMIT-error"' in answer.text
        for kept in ("Typed", "123-typed", "many"):
            assert f'value="{kept}"' in answer.text
        assert TOKEN not in answer.text
        answer = await client.post(NEW, data={**form, "name": " "})
        assert answer.status_code == 422 and 'id="name-error"' in answer.text
        answer = await client.post(NEW, data={**form, "company_id": ""})
        assert answer.status_code == 422 and 'id="company_id-error"' in answer.text and 'value="Typed"' in answer.text
        assert (await client.post(NEW, data={**form, "prototype": "999"})).status_code == 404
        assert (await client.get(f"{NEW}?prototype=x")).status_code == 404
    assert await world.installation.store.pool.fetchval(COUNT) == 0


async def test_a_change_keeps_what_is_left_alone_and_tells_what_is_wrong(world: World, served: Served) -> None:
    async with served.client() as client:
        number = await world.made(client, **{"env.BANK_TOKEN": TOKEN, "env.BANK_ACCOUNT": "123"})
        path = f"/credential-type/{number}/edit"
        assert TOKEN not in (await client.get(path)).text
        form = await form_on(client, path)
        assert form["env.BANK_ACCOUNT"] == "123" and form["env.BANK_TOKEN"] == ""
        position = "SELECT max(position) FROM events WHERE stream = $1"
        before = await world.installation.store.pool.fetchval(position, f"credential_type-{number}")
        assert (await client.post(path, data=form)).status_code == 303
        assert await world.installation.store.pool.fetchval(position, f"credential_type-{number}") == before
        changed = {**form, "name": "Renamed", "env.BANK_ACCOUNT": "", "env.BANK_URL": "https://bank.example"}
        assert (await client.post(path, data=changed)).status_code == 303
        assert await world.values(number) == {"BANK_TOKEN": TOKEN, "BANK_URL": "https://bank.example"}
        assert "Renamed" in told((await client.get("/credential-types")).text, f'id="type-{number}"')
        wrong = await client.post(path, data={**form, "name": "Mine", "env.BANK_LIMIT": "many"})
        assert wrong.status_code == 422 and 'id="env.BANK_LIMIT-error"' in wrong.text and 'value="Mine"' in wrong.text
        forgotten = await client.post(path, data={**await form_on(client, path), "forget.BANK_TOKEN": "yes"})
        assert forgotten.status_code == 303 and "BANK_TOKEN" not in await world.values(number)


async def test_one_that_credentials_are_of_stays_and_one_without_goes(world: World, served: Served) -> None:
    async with served.client() as client:
        used, unused = await world.made(client, name="Used"), await world.made(client, name="Unused")
        wish = CreateCredential(credential_type_id=used, name="Account", values={"BANK_TOKEN": TOKEN})
        credential = (await world.shell.execute(wish, SYSTEM)).id
        row = told((await client.get("/credential-types")).text, f'id="type-{used}"')
        assert re.search(r"ExampleBank\s+1\.0\s+1\b", row)
        path = f"/credential-type/{used}/remove"
        page = (await client.get(path)).text
        assert f'href="/multiflexi/credential/{credential}"' in page and ">Remove</button>" not in page
        token = {"_csrf_token": (await form_on(client, path))["_csrf_token"]}
        refused = await client.post(path, data=token)
        assert refused.status_code == 422 and 'role="alert"' in refused.text
        path = f"/credential-type/{unused}/remove"
        assert ">Remove</button>" in (await client.get(path)).text
        assert await world.installation.store.pool.fetchval(COUNT) == 2, "looking removes nothing"
        assert (await client.post(path, data=token)).status_code == 303
        assert (await client.get(path)).status_code == 404
        assert [one["id"] for one in (await client.get("/credential-types.json")).json()["types"]] == [used]


async def test_who_sees_credentials_without_changing_them_has_no_buttons(world: World, served: Served) -> None:
    async with served.client() as client:
        number = await world.made(client, name="Our bank")
        czech = (await client.get("/credential-types", params={"lang": "cs"})).text
        assert "Nový typ přihlašovacích údajů" in czech
    manager = await world.installation.user("manager")
    await world.installation.member(manager, world.company, "manager")
    async with served.client(await world.installation.session(manager)) as client:
        page = (await client.get("/credential-types")).text
        assert "Our bank" in page and NEW not in page and f"credential-type/{number}" not in page
        assert NEW not in (await client.get("/credentials/new")).text
        assert "credentials/new" not in (await client.get("/credentials")).text
        for path in (NEW, f"/credential-type/{number}/edit", f"/credential-type/{number}/remove"):
            assert (await client.get(path)).status_code == 403, path
    stranger = await world.installation.session(await world.installation.user("stranger"))
    async with served.client(stranger) as client:
        assert "Our bank" not in (await client.get("/credential-types")).text
        assert (await client.get(f"/credential-type/{number}/edit")).status_code == 404


@needs("chromium")
async def test_the_pages_are_accessible_and_fit_a_telephone(world: World, served: Served, browser: Browser) -> None:
    async with served.client() as client:
        number = await world.made(client, name="Our bank")
    page = await browser.open("/credential-types", viewport={"width": 390, "height": 800})
    for path in (
        "/credential-types",
        NEW,
        world.form,
        f"/credential-type/{number}/edit",
        f"/credential-type/{number}/remove",
    ):
        await page.goto(browser.url + path)
        assert await has_no_horizontal_scroll(page), path
        found = await Axe().run(page)
        assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == [], path
