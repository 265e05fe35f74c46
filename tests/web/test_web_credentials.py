"""Credentials on the web: masked, shown in clear on the record, changed, tried, removed."""

from __future__ import annotations

import html
import json
import re
import socket
from typing import Any

import httpx
import pytest

from commands.actor import SYSTEM
from commands.credential_prototypes import import_prototype
from commands.shell import Shell
from domain.credential import CreateCredential
from domain.credential_events import CredentialRevealed
from domain.credential_type import CreateCredentialType
from domain.run_template import AssignCredential, ChangeRunTemplate
from domain.run_template_events import CredentialAssigned
from domain.sealed import Sealed
from eventstore.vault import open_all
from tests.testbed.credentials import prototype_text
from tests.web.conftest import Served
from tests.web.seeding import Installation
from tests.web.test_web_template_form import form_on

TOKEN = "tok-5c1f-hunter2"
MASK = "••••••••"


class Bank:
    """A company with a credential type and a credential that a run template uses."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.company = self.kind = self.credential = self.template = 0

    async def make(self, **more: Any) -> Bank:
        shell = Shell(self.installation.store)
        self.company = await self.installation.company("Acme Corp")
        application = await self.installation.application()
        self.template = await self.installation.template(self.company, application, "Statements")
        prototype = (await import_prototype(shell, prototype_text(), SYSTEM)).id
        wish: Any = CreateCredentialType(
            company_id=self.company, credential_prototype_id=prototype, name="Our bank",
            values={"BANK_URL": "https://bank.example"},
        )  # fmt: skip
        self.kind = (await shell.execute(wish, SYSTEM)).id
        wish = CreateCredential(
            credential_type_id=self.kind, name="Account", values={"BANK_TOKEN": TOKEN, "BANK_ACCOUNT": "123"}, **more
        )
        self.credential = (await shell.execute(wish, SYSTEM)).id
        await shell.execute(AssignCredential(run_template_id=self.template, credential_id=self.credential), SYSTEM)
        return self

    async def value(self, name: str) -> str:
        """Return a value as jobs get it."""
        query = "SELECT c.document->'values'->$2 FROM credential c WHERE c.id = $1"
        text = await self.installation.store.pool.fetchval(query, self.credential, name)
        sealed = Sealed(**json.loads(text))
        return (await open_all(self.installation.store.keyring, [(f"credential-{self.credential}|{name}", sealed)]))[0]


@pytest.fixture
async def bank(installation: Installation) -> Bank:
    return await Bank(installation).make()


def cell(page: str, name: str) -> str:
    found = re.search(rf'<tr id="value-{name}">(.*?)</tr>', page, re.DOTALL)
    assert found is not None
    return html.unescape(re.sub(r"<[^>]+>", " ", found[1]))


async def post(client: httpx.AsyncClient, path: str, of: str, **fields: str) -> httpx.Response:
    form = await form_on(client, of)
    return await client.post(path, data={"_csrf_token": form["_csrf_token"], **fields})


async def test_list_and_page_show_secrets_masked_with_where_they_are_used(bank: Bank, served: Served) -> None:
    async with served.client() as client:
        listed = (await client.get("/credentials")).text
        assert "Account" in listed and "Our bank" in listed and TOKEN not in listed
        data = (await client.get("/credentials.json")).json()
        assert [(one["id"], one["status"], one["templates"]) for one in data["credentials"]] == [
            (bank.credential, "ok", 1)
        ]
        path = f"/credential/{bank.credential}"
        page = (await client.get(path)).text
        assert TOKEN not in page
        assert MASK in cell(page, "BANK_TOKEN")
        assert "https://bank.example" in cell(page, "BANK_URL") and "its type" in cell(page, "BANK_URL")
        assert "50" in cell(page, "BANK_LIMIT") and "default" in cell(page, "BANK_LIMIT")
        assert f'href="/multiflexi/run-template/{bank.template}"' in page
        shown = (await client.get(f"{path}.json")).text
        assert TOKEN not in shown and MASK in shown
        assert (await client.get("/credentials?due=30")).text.count('id="credential-') == 0


async def test_secrets_are_shown_in_clear_once_and_on_the_record(bank: Bank, served: Served) -> None:
    path = f"/credential/{bank.credential}"
    async with served.client() as client:
        shown = await post(client, f"{path}/reveal", path, reason="The bank called")
        assert shown.status_code == 200 and shown.headers["cache-control"] == "no-store"
        assert TOKEN in cell(shown.text, "BANK_TOKEN")
        page = (await client.get(path)).text
        assert TOKEN not in page and "The bank called" in page
    events = [one.event async for one in bank.installation.store.read_stream(f"credential-{bank.credential}")]
    [noted] = [one for one in events if isinstance(one, CredentialRevealed)]
    assert noted.reason == "The bank called"
    assert noted.revealed_to == f"user:{bank.installation.administrator}"


async def test_what_is_write_only_is_never_shown(installation: Installation, served: Served) -> None:
    bank = await Bank(installation).make(write_only=True)
    path = f"/credential/{bank.credential}"
    async with served.client() as client:
        assert "/reveal" not in (await client.get(path)).text
        refused = await post(client, f"{path}/reveal", f"{path}/edit", reason="x")
        assert refused.status_code == 422 and TOKEN not in refused.text


async def test_a_form_that_is_sent_untouched_keeps_secrets_and_changes_nothing(bank: Bank, served: Served) -> None:
    path = f"/credential/{bank.credential}/edit"
    query = "SELECT version FROM streams WHERE stream = $1"
    stream = f"credential-{bank.credential}"
    before = await bank.installation.store.pool.fetchval(query, stream)
    async with served.client() as client:
        form = await form_on(client, path)
        assert TOKEN not in (await client.get(path)).text
        assert form["env.BANK_ACCOUNT"] == "123" and form["env.BANK_TOKEN"] == ""
        assert (await client.post(path, data=form)).status_code == 303
        assert await bank.installation.store.pool.fetchval(query, stream) == before
        changed = {**form, "env.BANK_TOKEN": "tok-new", "env.BANK_ACCOUNT": "", "name": "Other", "rotate_every": "40"}
        assert (await client.post(path, data=changed)).status_code == 303
        assert await bank.value("BANK_TOKEN") == "tok-new"
        data = (await client.get(f"/credential/{bank.credential}.json")).json()
        assert (data["name"], data["rotate_every"]) == ("Other", 40)
        assert [one["source"] for one in data["values"] if one["name"] == "BANK_ACCOUNT"] == [""]


async def test_what_is_wrong_stands_beside_its_field_and_no_secret_comes_back(bank: Bank, served: Served) -> None:
    path = f"/credential/{bank.credential}/edit"
    async with served.client() as client:
        form = await form_on(client, path)
        wrong = {**form, "env.BANK_LIMIT": "many", "env.BANK_TOKEN": "tok-typed"}
        answer = await client.post(path, data=wrong)
        assert answer.status_code == 422
        assert 'id="env.BANK_LIMIT-error"' in answer.text and "tok-typed" not in answer.text
        answer = await client.post(path, data={**form, "rotate_every": "soon"})
        assert 'id="rotate_every-error"' in answer.text


async def test_a_new_credential_is_made_of_a_type(bank: Bank, served: Served) -> None:
    async with served.client() as client:
        assert f"credentials/new?type={bank.kind}" in (await client.get("/credentials/new")).text
        form = await form_on(client, f"/credentials/new?type={bank.kind}")
        sent = {**form, "name": "Second", "env.BANK_TOKEN": "tok-second"}
        made = await client.post("/credentials/new", data=sent)
        assert made.status_code == 303
        again = await client.post("/credentials/new", data=sent)
        assert again.headers["location"] == made.headers["location"], "the same form makes one credential"
        page = (await client.get(made.headers["location"].removeprefix("/multiflexi"))).text
        assert "Second" in page and "tok-second" not in page


async def test_it_is_tried_from_its_page(bank: Bank, served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    path = f"/credential/{bank.credential}"
    async with served.client() as client:
        form = await form_on(client, f"{path}/edit")
        await client.post(f"{path}/edit", data={**form, "env.BANK_URL": f"http://127.0.0.1:{port}"})
        assert (await post(client, f"{path}/test", path)).status_code == 303
        page = (await client.get(path)).text
        assert f"127.0.0.1:{port} refuses connections." in page and "does not answer" in page


async def test_one_in_use_is_not_removed_and_strangers_find_none(bank: Bank, served: Served) -> None:
    path = f"/credential/{bank.credential}"
    async with served.client() as client:
        assert "/remove" not in (await client.get(path)).text
        refused = await post(client, f"{path}/remove", path)
        assert refused.status_code == 422
        for missing in ("/credential/999", "/credential/x", "/credentials/new?type=999"):
            assert (await client.get(missing)).status_code == 404, missing
    stranger = await bank.installation.session(await bank.installation.user("stranger"))
    async with served.client(stranger) as client:
        assert (await client.get(path)).status_code in (403, 404)
        assert TOKEN not in (await client.get("/credentials")).text


async def test_pages_are_in_czech_too(bank: Bank, served: Served) -> None:
    async with served.client() as client:
        page = (await client.get(f"/credential/{bank.credential}", params={"lang": "cs"})).text
    assert "Kde se používají" in page and "Vyzkoušet" in page


async def test_what_a_credential_would_hide_is_told_before_it_is_assigned(bank: Bank, served: Served) -> None:
    shell = Shell(bank.installation.store)
    values = {"BANK_TOKEN": "tok-2", "BANK_LIMIT": "9"}
    other = await shell.execute(CreateCredential(credential_type_id=bank.kind, name="Second", values=values), SYSTEM)
    change = ChangeRunTemplate(run_template_id=bank.template, set_environment={"BANK_LIMIT": "7"})
    await shell.execute(change, SYSTEM)
    path = f"/run-template/{bank.template}/credentials"
    async with served.client() as client:
        assert path in (await client.get(f"/run-template/{bank.template}")).text
        page = (await client.get(path)).text
        told = html.unescape(re.sub(r"<[^>]+>", " ", page.partition('id="h-offered"')[2]))
        assert "takes the run template's value BANK_LIMIT away" in told
        assert "hides BANK_TOKEN of another credential" in told
        data = (await client.get(f"{path}.json")).json()
        assert [one["id"] for one in data["assigned"]] == [bank.credential]
        done = await post(client, f"{path}/assign", path, credential_id=str(other.id))
        assert done.status_code == 303
        data = (await client.get(f"{path}.json")).json()
        assert [one["id"] for one in data["assigned"]] == [bank.credential, other.id] and data["offered"] == []
        assert (await post(client, f"{path}/unassign", path, credential_id=str(other.id))).status_code == 303
        assert len((await client.get(f"{path}.json")).json()["assigned"]) == 1
        assert (await post(client, f"{path}/assign", path, credential_id="999")).status_code in (404, 422)
    events = [one.event async for one in bank.installation.store.read_stream(f"run_template-{bank.template}")]
    assert [one.removed for one in events if isinstance(one, CredentialAssigned)] == [[], ["BANK_LIMIT"]]


async def test_a_copy_of_a_run_template_has_its_credentials_and_is_switched_off(bank: Bank, served: Served) -> None:
    path = f"/run-template/{bank.template}"
    async with served.client() as client:
        form = await form_on(client, path)
        sent = {"_csrf_token": form["_csrf_token"], "key": "copy-1"}
        made = await client.post(f"{path}/copy", data=sent)
        assert made.status_code == 303
        again = await client.post(f"{path}/copy", data=sent)
        assert again.headers["location"] == made.headers["location"], "the same form makes one copy"
        page = made.headers["location"].removeprefix("/multiflexi").removesuffix("/edit")
        shown = (await client.get(f"{page}.json")).json()
        assert (shown["template"]["name"], shown["template"]["active"]) == ("Statements (copy)", False)
        listed = (await client.get(f"{page}/credentials.json")).json()
        assert [one["id"] for one in listed["assigned"]] == [bank.credential]
