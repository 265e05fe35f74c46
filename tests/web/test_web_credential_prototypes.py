"""Credential prototypes on the web: looked at before they are imported, with what changes for what is made of them."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import httpx

from commands.actor import SYSTEM
from commands.credential_prototypes import import_prototype
from commands.shell import Shell
from domain.credential import CreateCredential
from domain.credential_type import CreateCredentialType
from tests.testbed.credentials import BANK
from tests.web.conftest import Served
from tests.web.seeding import Installation

IMPORT = "/credential-prototypes/import"


async def sent(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    """Send the form of the import."""
    found = re.search(r'name="_csrf_token" value="([^"]+)"', (await client.get(IMPORT)).text)
    assert found is not None
    files = fields.pop("files", None)
    return await client.post(IMPORT, data={"_csrf_token": found[1], **fields}, files=files)


def newer(**changes: Any) -> dict[str, Any]:
    """Return the next version: one field is gone, one is new and required, one has another default."""
    document = copy.deepcopy(BANK) | {"version": "2.0", **changes}
    fields = [one for one in document["fields"] if one["keyword"] != "BANK_ACCOUNT"]
    fields[2]["default_value"] = "80"
    document["fields"] = [*fields, {"keyword": "BANK_USER", "type": "string", "required": True}]
    return document


async def test_a_prototype_is_looked_at_then_imported_and_what_is_wrong_is_named_with_its_line(served: Served) -> None:
    text = json.dumps(BANK, indent=1)
    async with served.client() as client:
        assert "No credential prototypes" in (await client.get("/credential-prototypes")).text
        nothing = await sent(client)
        assert nothing.status_code == 422 and 'id="file-error"' in nothing.text
        broken = await sent(client, source=text.replace('"type": "url"', '"type": 5'))
        assert broken.status_code == 422 and re.search(r"<code>/fields/2/type</code> \(line \d+\)", broken.text)
        assert "&#34;keyword&#34;: &#34;BANK_TOKEN&#34;" in broken.text  # it can be put right where it stands
        local = await sent(client, address="http://127.0.0.1:9/prototype.json")
        assert (
            local.status_code == 422 and 'id="address-error"' in local.text and 'value="http://127.0.0.1' in local.text
        )
        looked = await sent(client, files={"file": ("bank.json", text, "application/json")})
        assert (
            looked.status_code == 200 and "It is new in the catalogue." in looked.text and "BANK_TOKEN" in looked.text
        )
        assert (await client.get("/credential-prototypes.json")).json() == []
        done = await sent(client, source=text, confirmed="yes")
        assert done.status_code == 303
        page = (await client.get(done.headers["location"].removeprefix("/multiflexi"))).text
        assert "is in the catalogue as it was given" in page and "Example bank" in page
        [row] = (await client.get("/credential-prototypes.json?lang=cs")).json()
        assert (row["code"], row["name"], row["version"], row["fields"]) == ("ExampleBank", "Vzorová banka", "1.0", 4)
        assert "V katalogu to takto už je; nic by se nezměnilo." in (await sent(client, source=text)).text


async def test_a_newer_version_tells_what_changes_for_types_and_credentials_in_use(
    installation: Installation, served: Served
) -> None:
    shell = Shell(installation.store)
    prototype = (await import_prototype(shell, json.dumps(BANK), SYSTEM)).id
    company = await installation.company()
    kind = await shell.execute(
        CreateCredentialType(company_id=company, credential_prototype_id=prototype, name="Our bank"), SYSTEM
    )
    values = {"BANK_TOKEN": "a-secret-token", "BANK_ACCOUNT": "12345"}
    await shell.execute(CreateCredential(credential_type_id=kind.id, name="Main account", values=values), SYSTEM)
    text = json.dumps(newer(), indent=1)
    line = next(number for number, each in enumerate(text.split("\n"), 1) if '"keyword": "BANK_USER"' in each) - 1
    async with served.client() as client:
        page = (await sent(client, source=text)).text
        assert "1 credential type is made of it" in page and "with 1 credential." in page
        assert re.search(rf"<code>BANK_USER</code> <span class=\"under\">line {line}</span>", page)
        assert "Main account" in page and "12345" not in page and "a-secret-token" not in page
        for field, effect in {
            "BANK_ACCOUNT": "jobs no longer get it",
            "BANK_USER": "it is required and has no value",
            "BANK_LIMIT": "the default changes",
        }.items():
            assert re.search(rf"<code>{field}</code>: [^<]*{effect}", page), field
        refused = await sent(client, source=text, confirmed="yes")
        assert refused.status_code == 422 and "fields that are in use: BANK_ACCOUNT" in refused.text
        assert 'name="drop_used"' in refused.text and "BANK_USER" in refused.text
        assert (await client.get("/credential-prototypes.json")).json()[0]["version"] == "1.0"
        assert (await sent(client, source=text, confirmed="yes", drop_used="yes")).status_code == 303
        assert (await client.get("/credential-prototypes.json")).json()[0]["version"] == "2.0"
        other = json.dumps(newer(uuid="0d0f6f7e-3b9c-4a5e-9c52-8a1df1f0b009"))
        taken = await sent(client, source=other, confirmed="yes")
        assert taken.status_code == 422 and "with another UUID" in taken.text


async def test_who_may_not_import_prototypes_is_told_and_sees_no_button(
    installation: Installation, served: Served
) -> None:
    jane = await installation.session(await installation.user("jane"))
    async with served.client(jane) as client:
        assert (await client.get(IMPORT)).status_code == 403
        page = await client.get("/credential-prototypes")
        assert page.status_code == 200 and IMPORT not in page.text
