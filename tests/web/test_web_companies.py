"""Companies on the web: found, made, changed, suspended, archived, removed, and imported from a sheet."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

from commands.actor import SYSTEM
from commands.applications import import_bytes
from commands.credential_prototypes import import_prototype
from commands.shell import Shell
from domain.company import CreateCompany, SuspendCompany
from tests.testbed.credentials import prototype_text
from tests.web.conftest import Served
from tests.web.seeding import Installation

PROGRAM = {
    "name": "Statements", "description": "Prints", "version": "1", "executable": "/bin/true", "environment": {},
}  # fmt: skip


async def send(client: httpx.AsyncClient, path: str, form: dict[str, str], **more: Any) -> httpx.Response:
    page = (await client.get("/companies/new")).text
    token = re.search(r'name="_csrf_token" value="([^"]+)"', page)
    assert token, page
    return await client.post(path, data={"_csrf_token": token[1], **form}, **more)


async def company(installation: Installation, **fields: Any) -> int:
    wish = CreateCompany(**{"name": "Acme Corp", **fields})
    return (await Shell(installation.store).execute(wish, SYSTEM)).id


async def test_companies_are_listed_and_found_by_words_without_accents(
    installation: Installation, served: Served
) -> None:
    horse = await company(installation, name="Žluťoučký kůň", registration_number="27082440")
    gone = await company(installation, name="Left long ago")
    await Shell(installation.store).execute(SuspendCompany(company_id=gone, archived=True), SYSTEM)
    async with served.client() as client:

        async def ids(**parameters: str) -> list[int]:
            listed = (await client.get("/companies.json", params=parameters)).json()["companies"]
            return [each["id"] for each in listed]

        assert await ids(find="zlut") == await ids(find="27082440") == [horse]
        assert gone not in await ids()
        assert gone in await ids(archived="yes")
        page = (await client.get("/companies?archived=yes&lang=cs")).text
        assert "Žluťoučký kůň" in page
        assert "v archivu" in page
        assert await ids(find="nonsense") == []
        assert (await client.get("/companies?after=x")).status_code == 400


async def test_a_company_is_made_and_everything_that_is_wrong_stands_beside_its_field(
    installation: Installation, served: Served
) -> None:
    async with served.client() as client:
        form = {"name": "", "code": "-x", "email": "nobody", "time_zone": "Europe/Prgue", "max_parallel": "many"}
        wrong = await send(client, "/companies/new?lang=cs", {**form, "key": "k"})
        assert wrong.status_code == 422
        found = set(re.findall(r'id="(\w+)-error"', wrong.text))
        assert found == {"name", "code", "email", "time_zone", "max_parallel"}
        assert "Zadejte celé číslo, nebo nic." in wrong.text
        assert 'value="nobody"' in wrong.text
        good = {"name": "Kůň & syn", "time_zone": "Europe/Vienna", "keep_output": "30", "key": "one"}
        made = await send(client, "/companies/new", good)
        assert made.status_code == 303
        again = await send(client, "/companies/new", good)
        assert again.headers["location"] == made.headers["location"], "sent twice, it is made once"
        number = int(made.headers["location"].rpartition("/")[2])
        shown = (await client.get(f"/company/{number}.json")).json()["company"]
        assert (shown["name"], shown["code"], shown["time_zone"], shown["keep_output"]) == (
            "Kůň & syn", "kun-syn", "Europe/Vienna", 30,
        )  # fmt: skip
        assert "Kůň &amp; syn" in (await client.get(f"/company/{number}")).text
        taken = await send(client, "/companies/new", {**good, "key": "two"})
        assert (taken.status_code, 'id="code-error"' in taken.text) == (422, True)


async def test_a_company_is_changed_with_its_environment_and_its_rules(
    installation: Installation, served: Served
) -> None:
    number = await company(installation, email="a@acme.example", environment={"CITY": "Brno", "BANK_TOKEN": "s3cret"})
    async with served.client() as client:
        page = (await client.get(f"/company/{number}/edit")).text
        assert "s3cret" not in page
        assert 'value="a@acme.example"' in page
        version = re.search(r'name="version" value="(\d+)"', page)
        assert version
        form = dict(re.findall(r'name="([a-z_]+)" type="[a-z]+" value="([^"]*)"', page)) | {"version": version[1]}
        form |= {"env.CITY": "Ostrava", "env.BANK_TOKEN": "", "name": "Acme & Co", "keep_history": "365"}
        wrong = await send(client, f"/company/{number}/edit", {**form, "vat_number": "x" * 40})
        assert (wrong.status_code, 'id="vat_number-error"' in wrong.text) == (422, True)
        saved = await send(client, f"/company/{number}/edit", {**form, "registration_number": "12345678"})
        assert saved.status_code == 303, saved.text
        shown = (await client.get(f"/company/{number}.json")).json()
        assert (shown["company"]["name"], shown["company"]["keep_history"]) == ("Acme & Co", 365)
        assert (shown["environment"]["CITY"], shown["environment"]["BANK_TOKEN"]) == ("Ostrava", "••••••••")
        assert shown["odd"] == ["registration_number"]
        assert "check digit of the IČO 12345678" in (await client.get(f"/company/{number}")).text
        late = await send(client, f"/company/{number}/edit", {**form, "name": "Another"})
        assert (late.status_code, "Somebody changed the company meanwhile" in late.text) == (409, True)


async def test_a_company_is_suspended_archived_restored_and_removed_once_its_code_is_typed(
    installation: Installation, served: Served
) -> None:
    number = await company(installation)
    async with served.client() as client:
        for what in ("suspend", "archive", "restore", "remove"):
            assert (await client.get(f"/company/{number}/{what}")).status_code == 200
        assert (await client.get(f"/company/{number}/explode")).status_code == 404
        long = await send(client, f"/company/{number}/suspend", {"reason": "Not paid " * 500})
        assert (long.status_code, 'id="reason-error"' in long.text, "Not paid Not paid" in long.text) == (
            422,
            True,
            True,
        )
        await send(client, f"/company/{number}/suspend", {"reason": "Not paid"})
        page = (await client.get(f"/company/{number}")).text
        assert "The company is suspended" in page
        assert "Not paid" in page
        await send(client, f"/company/{number}/archive", {})
        assert (await client.get(f"/company/{number}.json")).json()["company"]["archived"] is True
        await send(client, f"/company/{number}/restore", {})
        assert (await client.get(f"/company/{number}.json")).json()["company"]["enabled"] is True
        unsure = await send(client, f"/company/{number}/remove", {"code": "other"})
        assert (unsure.status_code, 'id="code-error"' in unsure.text, 'value="other"' in unsure.text) == (
            422,
            True,
            True,
        )
        assert (await send(client, f"/company/{number}/remove", {"code": "acme-corp"})).status_code == 303
        assert (await client.get(f"/company/{number}")).status_code == 404


async def test_a_sheet_is_checked_with_every_place_that_is_wrong_and_then_imported(
    installation: Installation, served: Served
) -> None:
    shell = Shell(installation.store)
    await import_bytes(shell, json.dumps(PROGRAM), SYSTEM)
    await import_prototype(shell, prototype_text(), SYSTEM)
    head = "name;application;interval;credential_type;credential.BANK_TOKEN"
    sheet = f"{head}\nClient one;Statements;d;ExampleBank;token-one\nClient two;Nonsense;d;ExampleBank;token-two\n"
    async with served.client() as client:
        wrong = await send(client, "/companies/import?lang=cs", {"text": sheet, "do": "import"})
        assert wrong.status_code == 422
        found = r"<td[^>]*>3</td><td><code>application</code></td><td>Aplikace „Nonsense“ není."
        assert re.search(found, wrong.text)
        sheet = sheet.replace("Nonsense", "Statements")
        checked = await send(client, "/companies/import?lang=en", {"text": sheet, "do": "check"})
        assert (checked.status_code, "nothing was written yet" in checked.text) == (200, True)
        before = len((await client.get("/companies.json")).json()["companies"])
        file = {"file": ("clients.csv", sheet.encode("cp1250"), "text/csv")}
        done = await send(client, "/companies/import", {"encoding": "cp1250", "do": "import"}, files=file)
        assert (done.status_code, "All of the sheet is there now." in done.text) == (200, True), done.text
        assert "token-one" not in done.text
        assert len((await client.get("/companies.json")).json()["companies"]) == before + 2
        again = await send(client, "/companies/import", {"text": sheet, "do": "check"})
        assert "Of 2 lines, all is there already." in again.text
        bad = {"file": ("clients.csv", "name\nKůň\n".encode("cp1250"), "text/csv")}
        refused = await send(client, "/companies/import", {"encoding": "utf-8", "do": "import"}, files=bad)
        assert (refused.status_code, "of another encoding" in refused.text) == (422, True)


async def test_a_sheet_changes_what_is_there_once_it_was_seen_what(installation: Installation, served: Served) -> None:
    number = await company(installation, code="acme", email="a@acme.example", environment={"CITY": "Brno"})
    sheet = "name;code;email;time_zone;company_env.CITY\nAcme Ltd;acme;;Europe/Vienna;Ostrava\n"
    async with served.client() as client:
        stays = (await send(client, "/companies/import?lang=en", {"text": sheet, "do": "check"})).text
        assert "Stays as it is" in stays and "name, time_zone" in stays
        wish = {"text": sheet, "update": "yes"}
        checked = (await send(client, "/companies/import", {**wish, "do": "check"})).text
        rows = re.findall(r"<code>([\w.]+)</code></td><td>([^<]*)</td><td>([^<]*)</td>", checked)
        assert rows == [("name", "Acme Corp", "Acme Ltd"), ("time_zone", "Europe/Prague", "Europe/Vienna")]
        assert "company_env.CITY" in checked and "another value, which is not shown" in checked
        assert (await client.get(f"/company/{number}.json")).json()["company"]["name"] == "Acme Corp"
        await send(client, "/companies/import", {**wish, "do": "import"})
        shown = (await client.get(f"/company/{number}.json")).json()
        assert (shown["company"]["name"], shown["company"]["time_zone"]) == ("Acme Ltd", "Europe/Vienna")
        assert (shown["environment"], shown["email"]) == ({"CITY": "Ostrava"}, "a@acme.example")
        again = (await send(client, "/companies/import", {**wish, "do": "check"})).text
        assert "Of 1 line, all is there already." in again


async def test_a_company_is_set_up_like_another_one_without_its_secrets(
    installation: Installation, served: Served
) -> None:
    number = await company(installation, environment={"CITY": "Brno", "API_TOKEN": "s3cret"}, keep_output=30)
    application = await installation.application("Echo")
    await installation.template(number, application, "Nightly", active=True, interval="d")
    async with served.client() as client:
        page = (await client.get(f"/company/{number}/clone")).text
        assert "1 run template, switched off" in page
        wrong = await send(client, f"/company/{number}/clone?lang=cs", {"name": "Acme Corp", "code": "acme-corp"})
        assert (wrong.status_code, 'id="code-error"' in wrong.text, "už používá jiná firma" in wrong.text) == (
            422, True, True,
        )  # fmt: skip
        made = (await send(client, f"/company/{number}/clone?lang=en", {"name": "Bakery Two"})).text
        assert "s3cret" not in made and "<code>API_TOKEN</code>" in made
        found = re.search(r'href="/multiflexi/company/(\d+)">To the new company', made)
        assert found is not None, made
        shown = (await client.get(f"/company/{found[1]}.json")).json()
        assert (shown["company"]["code"], shown["company"]["keep_output"]) == ("bakery-two", 30)
        assert shown["environment"] == {"CITY": "Brno"}
        listed = (await client.get("/run-templates.json", params={"company": found[1]})).json()["templates"]
        assert [(each["name"], each["active"]) for each in listed] == [("Nightly", False)]


async def test_who_sees_and_changes_a_company_follows_their_permissions(
    installation: Installation, served: Served
) -> None:
    mine, other = await company(installation), await company(installation, name="Other")
    user = await installation.user("jane")
    await installation.member(user, mine, "viewer")
    cookie = await installation.session(user)
    async with served.client(cookie) as client:
        assert [each["id"] for each in (await client.get("/companies.json")).json()["companies"]] == [mine]
        page = await client.get(f"/company/{mine}")
        assert (page.status_code, f"company/{mine}/edit" in page.text) == (200, False)
        assert (await client.get(f"/company/{other}")).status_code == 404
        for path in (f"/company/{mine}/edit", f"/company/{mine}/suspend", f"/company/{mine}/remove", "/companies/new",
                     "/companies/import"):  # fmt: skip
            assert (await client.get(path)).status_code == 403, path
        assert (await client.get(f"/company/{other}/edit")).status_code == 404
