"""Customers and servers on the web: listed, made, changed, given to companies, removed once nothing refers to them."""

from __future__ import annotations

import re

from axe_playwright_python.async_playwright import Axe

from commands.actor import SYSTEM
from commands.shell import Shell
from domain.company import ChangeCompany
from tests.testbed.components import needs
from tests.web.conftest import Browser, Served
from tests.web.seeding import Installation
from tests.web.test_web_browser import has_no_horizontal_scroll
from tests.web.test_web_template_bulk import send


async def test_a_customer_is_made_changed_given_to_a_company_and_removed(
    installation: Installation, served: Served
) -> None:
    company = await installation.company("Acme Corp")
    async with served.client() as client:
        assert "No customers" in (await client.get("/customers")).text
        wrong = await send(client, "/customers/new?lang=cs", name=" ", email="nobody", phone="1" * 80)
        assert (wrong.status_code, 'id="name-error"' in wrong.text) == (422, True)
        assert 'value="nobody"' in wrong.text, "what was typed stays"
        wish = {"name": "Jane Doe", "email": "jane@example.org", "note": "Calls back", "key": "one"}
        for _ in range(2):
            made = await send(client, "/customers/new?lang=en", **wish)
            assert made.status_code == 303
        [entry] = (await client.get("/customers.json")).json()["entries"]
        assert entry["fields"] == {"name": "Jane Doe", "email": "jane@example.org", "phone": "", "note": "Calls back"}
        path, number = f"/customer/{entry['id']}", str(entry["id"])
        change = {**entry["fields"], "phone": "+420 123", "note": ""}
        assert (await send(client, path, **change, version=str(entry["version"]))).status_code == 303
        late = await send(client, path, **{**change, "name": "Joe"}, version=str(entry["version"]))
        assert (late.status_code, "Somebody changed it meanwhile" in late.text, 'value="Joe"' in late.text) == (
            409, True, True,
        )  # fmt: skip
        edit = (await client.get(f"/company/{company}/edit")).text
        form = dict(re.findall(r'name="([a-z_]+)" type="[a-z]+" value="([^"]*)"', edit))
        version = re.search(r'name="version" value="(\d+)"', edit)
        assert version is not None
        saved = await send(client, f"/company/{company}/edit", **form, version=version[1], customer_id=number)
        assert saved.status_code == 303, saved.text
        assert "Jane Doe" in (await client.get(f"/company/{company}")).text
        assert "Acme Corp" in (await client.get(path)).text
        used = await send(client, f"{path}?lang=cs", do="remove")
        assert used.status_code == 422
        assert "odkazují" in used.text and "nejdřív" in used.text, "why it is not removed is told in Czech"
        await Shell(installation.store).execute(ChangeCompany(company_id=company, customer_id=None), SYSTEM)
        assert (await send(client, path, do="remove")).status_code == 303
        assert (await client.get(path)).status_code == 404


async def test_a_server_has_an_address_without_a_password(installation: Installation, served: Served) -> None:
    async with served.client() as client:
        secret = {"name": "Accounts", "url": "https://jane:s3cret@accounts.example/"}
        wrong = await send(client, "/servers/new?lang=cs", **secret)
        assert (wrong.status_code, 'id="url-error"' in wrong.text, "Adresa obsahuje heslo" in wrong.text) == (
            422, True, True,
        )  # fmt: skip
        good = {"name": "Accounts", "url": "https://accounts.example:5434/", "kind": "AbraFlexi"}
        assert (await send(client, "/servers/new", **good)).status_code == 303
        [entry] = (await client.get("/servers.json")).json()["entries"]
        assert entry["fields"] == good
        assert (await client.get("/server/x")).status_code == (await client.get("/server/99")).status_code == 404


async def test_only_those_who_manage_them_see_them(installation: Installation, served: Served) -> None:
    company = await installation.company()
    await installation.company("Hidden Ltd")
    user = await installation.user("jane")
    await installation.member(user, company, "admin")
    async with served.client(await installation.session(user)) as client:
        for path in ("/customers", "/servers/new", "/customers.json"):
            assert (await client.get(path)).status_code == 403
        assert "customer_id" not in (await client.get(f"/company/{company}/edit")).text
        assert 'href="/multiflexi/customers"' not in (await client.get("/companies")).text


@needs("chromium")
async def test_the_pages_fit_and_are_accessible(installation: Installation, browser: Browser) -> None:
    page = await browser.open("/customers/new", viewport={"width": 390, "height": 800}, locale="cs")
    await page.get_by_label("Název").fill("A rather long name of a customer that has to be cut somewhere")
    await page.get_by_role("button", name="Vytvořit").press("Enter")
    await page.get_by_role("link", name="A rather long name").press("Enter")
    await page.get_by_text("Odebrat", exact=True).press("Enter")
    await page.get_by_role("button", name="Opravdu odebrat").wait_for()
    address = page.url.removeprefix(browser.url)
    for path in (address, "/customers", "/servers", "/servers/new"):
        await page.goto(browser.url + path)
        assert await has_no_horizontal_scroll(page), path
        found = await Axe().run(page)
        assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == [], path
