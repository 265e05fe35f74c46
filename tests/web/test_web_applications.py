"""Applications on the web: found, shown, looked at before they are imported, given to companies; texts stay texts."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

from commands.actor import SYSTEM
from commands.shell import Shell
from domain.application import ImportApplication
from domain.company import AssignApplication, CreateCompany
from domain.run_template import CreateRunTemplate
from tests.web.conftest import Served
from tests.web.seeding import Installation

SCRIPT = "<script>alert('x')</script>"
DEFINITION: dict[str, Any] = {
    "$schema": "https://example.org/application.json",
    "uuid": "775ed801-2489-4981-bc14-d8a01cba1938",
    "name": {"en": "Bank statements", "cs": "Bankovní výpisy"},
    "description": {"en": f"Fetches statements {SCRIPT}", "cs": "Stahuje výpisy"},
    "version": "1.0.0",
    "executable": "statements",
    "homepage": "javascript:alert(1)",
    "tags": ["bank", "Výpisy"],
    "requirements": ["ExampleBank"],
    "environment": {
        "ZONE": {"type": "string", "description": SCRIPT, "defval": "x"},
        "API_TOKEN": {"type": "password", "defval": "do-not-show"},
    },
    "exitCodes": {"75": {"description": "Later", "retry": True, "severity": "warning"}},
    "artifacts": [{"name": "Statement", "path": "out/*.pdf", "type": "file"}],
}


async def installed(installation: Installation, **changed: Any) -> int:
    wish = ImportApplication(definition={**DEFINITION, **changed})
    return (await Shell(installation.store).execute(wish, SYSTEM)).id


async def company(installation: Installation, name: str = "Acme") -> int:
    return (await Shell(installation.store).execute(CreateCompany(name=name), SYSTEM)).id


async def send(client: httpx.AsyncClient, path: str, **fields: Any) -> httpx.Response:
    page = await client.get("/applications")
    token = re.search(r'name="_csrf_token" value="([^"]+)"', page.text)
    assert token is not None
    files = fields.pop("files", None)
    return await client.post(path, data={"_csrf_token": token[1], **fields}, files=files)


async def test_applications_are_listed_found_and_narrowed(served: Served, installation: Installation) -> None:
    first = await installed(installation)
    await installed(installation, uuid="other-1", name="Invoices", tags=["erp"], description="Bills")
    owner = await company(installation)
    wish = AssignApplication(company_id=owner, application_id=first)
    await Shell(installation.store).execute(wish, SYSTEM)
    async with served.client() as client:

        async def names(**parameters: Any) -> list[str]:
            answer = await client.get("/applications.json", params=parameters)
            return [each["name"] for each in answer.json()["applications"]]

        assert await names() == ["Bank statements", "Invoices"]
        assert await names(lang="cs", find="vypisy") == ["Bankovní výpisy"]
        assert await names(tag="ERP", lang="en") == ["Invoices"]
        assert await names(company=owner) == ["Bank statements"]
        assert await names(find="nothing") == []
        page = await client.get("/applications")
        assert page.status_code == 200
        assert SCRIPT not in page.text
        assert "Výpisy" in page.text
        assert (await client.get("/applications?skip=x")).status_code == 400


async def test_an_application_is_shown_with_all_that_its_definition_says(
    served: Served, installation: Installation
) -> None:
    number = await installed(installation)
    await installed(installation, version="1.1.0")
    async with served.client() as client:
        page = await client.get(f"/application/{number}")
        assert page.status_code == 200
        for text in ("ZONE", "API_TOKEN", "75", "out/*.pdf", "ExampleBank", "1.1.0", "1.0.0", "&lt;script&gt;"):
            assert text in page.text, text
        for text in (SCRIPT, "do-not-show", "javascript:"):
            assert text not in page.text, text
        shown = (await client.get(f"/application/{number}.json")).json()
        assert [each["name"] for each in shown["settings"]] == ["ZONE", "API_TOKEN"]
        assert [each["version"] for each in shown["versions"]] == ["1.1.0", "1.0.0"]
        file = await client.get(f"/application/{number}/definition")
        assert "attachment" in file.headers["content-disposition"]
        assert json.dumps(file.json()) == json.dumps({**DEFINITION, "version": "1.1.0"})
        assert [(await client.get(f"/application/{name}")).status_code for name in ("99", "x", "0")] == [404] * 3


async def test_a_definition_is_looked_at_before_it_is_imported(served: Served, installation: Installation) -> None:
    number, owner = await installed(installation), await company(installation)
    wish = CreateRunTemplate(company_id=owner, application_id=number, name="Daily", environment={"ZONE": "north"})
    await Shell(installation.store).execute(wish, SYSTEM)
    newer = {**DEFINITION, "version": "2.0.0", "environment": {"ZONE": {"type": "integer"}}, "extra": "x"}
    async with served.client() as client:
        files = {"file": ("a.json", json.dumps(newer, indent=1).encode(), "application/json")}
        seen = await send(client, "/applications/import", files=files)
        assert seen.status_code == 200
        for text in ("2.0.0", "Daily", "the value no longer fits", "no longer there", "/extra", "line "):
            assert text in seen.text, text
        assert "north" not in seen.text
        assert (await client.get(f"/application/{number}.json")).json()["application"]["version"] == "1.0.0"
        source = json.dumps(newer, indent=1).replace("\n", "\r\n")
        done = await send(client, "/applications/import", source=source, confirmed="yes")
        assert (done.status_code, done.headers["location"]) == (303, f"/multiflexi/application/{number}")
        assert (await client.get(f"/application/{number}.json")).json()["application"]["version"] == "2.0.0"


async def test_what_is_no_definition_is_refused_with_its_place(served: Served) -> None:
    async with served.client() as client:
        broken = {"file": ("a.json", b'{"name": "x",\n}', "application/json")}
        for fields, told in (
            ({"files": broken}, "line 2, column 1"),
            ({"address": ""}, "Choose a file"),
            ({"address": f"{served.url}/applications.json"}, "private network"),
            ({"source": '{"name": 5,\n"environment": []}'}, "/executable"),
            ({"files": {"file": ("a.json", b" " * 2_000_001, "application/json")}}, "larger than 2 MB"),
        ):
            answer = await send(client, "/applications/import", **fields)
            assert answer.status_code == 422
            assert told in answer.text
        assert (await client.get("/applications.json")).json()["applications"] == []


async def test_companies_are_given_applications_by_who_may(served: Served, installation: Installation) -> None:
    number, ours, other = (
        await installed(installation),
        await company(installation),
        await company(installation, "Other"),
    )
    manager = await installation.user("manager", roles=("user",))
    await installation.member(manager, ours, "admin")
    async with served.client(await installation.session(manager)) as client:
        page = await client.get(f"/application/{number}")
        assert "Acme" in page.text
        assert "Other" not in page.text
        given = await send(client, f"/application/{number}/assign", company_id=ours)
        assert given.status_code == 303
        assert (await send(client, f"/application/{number}/assign", company_id=other)).status_code == 403
        shown = (await client.get(f"/application/{number}.json")).json()
        assert [(each["name"], each["unmet"]) for each in shown["companies"]] == [("Acme", ["ExampleBank"])]
        assert (await client.get("/applications/import")).status_code == 403
        assert (await send(client, "/applications/import", source="{}")).status_code == 403
        assert (await send(client, f"/application/{number}/unassign", company_id=ours)).status_code == 303
        assert (await client.get(f"/application/{number}.json")).json()["companies"] == []
        assert (await send(client, f"/application/{number}/explode", company_id=ours)).status_code == 404


async def test_versions_are_compared_side_by_side_and_an_older_one_is_imported_again(
    served: Served, installation: Installation
) -> None:
    number = await installed(installation)
    async with served.client() as client:
        assert "One version alone" in (await client.get(f"/application/{number}/compare")).text
        settings = {"ZONE": {"type": "string", "defval": "y"}, "LIMIT": {"type": "integer"}}
        await installed(installation, version="2.0.0", environment=settings)
        assert "/compare" in (await client.get(f"/application/{number}")).text
        page = (await client.get(f"/application/{number}/compare")).text
        assert re.search(r"<code>ZONE</code> default</th><td>x</td><td>y</td>", page)
        assert re.search(r"<code>LIMIT</code></th><td>.</td><td>new</td>", page)
        assert "do-not-show" not in page
        data = (await client.get(f"/application/{number}/compare.json?from=2&to=1")).json()
        assert (data["before"]["version"], data["after"]["version"]) == ("2.0.0", "1.0.0")
        assert (await client.get(f"/application/{number}/compare?from=9")).status_code == 404
        assert (await client.get(f"/application/{number}/compare?from=x")).status_code == 400
        back = await send(client, "/applications/import", source=data["after"]["text"])
        assert "It takes the place of version 2.0.0." in back.text


async def test_an_icon_is_shown_served_with_care_replaced_and_removed(
    served: Served, installation: Installation
) -> None:
    number = await installed(installation)
    picture = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9" /></svg>'

    def address(page: httpx.Response) -> str | None:
        found = re.search(rf'src="[^"]*(/application/{number}/icon/[0-9a-f]{{64}})"', page.text)
        return found[1] if found else None

    async with served.client() as client:
        assert address(await client.get("/applications")) is None
        harmful = picture.replace(b"<path", b"<script>alert(1)</script><path onload='x()'")
        files = {"icon": ("icon.svg", harmful, "image/png")}
        assert (await send(client, f"/application/{number}/icon", files=files)).status_code == 303
        path = address(await client.get("/applications"))
        assert path is not None and path == address(await client.get(f"/application/{number}"))
        got = await client.get(path)
        assert (got.status_code, got.content, got.headers["content-type"]) == (200, picture, "image/svg+xml")
        assert "sandbox" in got.headers["content-security-policy"]
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert (await client.get("/applications.json")).json()["applications"][0]["icon"] == path.rpartition("/")[2]
        for content, told in ((b"no picture", "neither SVG"), (b" " * 200_000, "at most 131072")):
            files = {"icon": ("icon.png", content, "image/png")}
            refused = await send(client, f"/application/{number}/icon", files=files)
            assert (refused.status_code, told in refused.text) == (422, True)
        assert (await send(client, f"/application/{number}/icon")).status_code == 422
        assert (await send(client, f"/application/{number}/icon", remove="yes")).status_code == 303
        assert address(await client.get(f"/application/{number}")) is None
        assert (await client.get(path)).status_code == 404
