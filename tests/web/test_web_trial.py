"""What a job of a run template would get, shown without one; and its settings asked for as their definition says."""

from __future__ import annotations

import html
import re

from axe_playwright_python.async_playwright import Axe

from commands.actor import SYSTEM
from commands.shell import Shell
from domain.company import ChangeCompany
from domain.run_template import AssignCredential
from tests.testbed.components import needs
from tests.web.conftest import Browser, Served
from tests.web.seeding import Installation
from tests.web.test_web_browser import has_no_horizontal_scroll
from tests.web.test_web_credentials import TOKEN, Bank
from tests.web.test_web_template_form import form_on

SETTINGS = {
    "HOST": {"type": "string", "required": True, "name": {"en": "Host name", "cs": "Jméno stroje"}},
    "LIMIT": {"type": "integer", "min": 1, "max": 10, "category": "Behavior", "hint": "Rows at once."},
    "RATE": {"type": "double", "category": "Behavior"},
    "SINCE": {"type": "date", "category": "Behavior"},
    "AT": {"type": "datetime", "category": "Behavior"},
    "NOON": {"type": "time", "category": "Behavior"},
    "MAIL": {"type": "email"},
    "PAGE": {"type": "uri"},
    "BODY": {"type": "multiline"},
    "MODE": {"type": "enum", "options": ["plain", "tls"], "defval": "plain"},
    "CA_FILE": {"type": "file-path", "condition": {"MODE": "tls"}},
    "DEBUG": {"type": "switch"},
    "API_PASSWORD": {"type": "secret"},
}


async def world(installation: Installation) -> int:
    company = await installation.company("Acme")
    application = await installation.application(
        environment=SETTINGS, executable="/bin/echo", cmdparams="--host {HOST} --password ${API_PASSWORD}"
    )
    values = {"HOST": "erp.example", "API_PASSWORD": "geheim-1", "SINCE": "{YESTERDAY}"}
    template = await installation.template(company, application, "Probe", environment=values)
    change = ChangeCompany(company_id=company, set_environment={"MAIL": "it@acme.example", "HOST": "other.example"})
    await Shell(installation.store).execute(change, SYSTEM)
    return template


def row(page: str, name: str) -> str:
    found = re.search(rf'<tr id="variable-{name}">(.*?)</tr>', page, re.DOTALL)
    assert found is not None, page
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[1])).split())


async def test_the_final_command_line_and_environment_are_shown_masked_with_where_each_comes_from(
    installation: Installation, served: Served
) -> None:
    template = await world(installation)
    path = f"/run-template/{template}/trial"
    async with served.client() as client:
        assert f'href="/multiflexi{path}"' in (await client.get(f"/run-template/{template}")).text
        page = (await client.get(path)).text
        assert "geheim" not in page
        assert "/bin/echo --host erp.example --password &#39;******&#39;" in page
        assert row(page, "HOST") == "HOST erp.example run template goes before: company"
        assert row(page, "MAIL") == "MAIL it@acme.example company"
        assert row(page, "MODE") == "MODE plain default of the application"
        form = await form_on(client, f"/run-template/{template}/run")
        tried = await client.post(path, data={**form, "env.HOST": "mine.example"})
        assert row(tried.text, "HOST") == "HOST mine.example this job alone goes before: run template, company"
        assert "mine.example" not in (await client.get(path)).text
        wrong = await client.post(f"{path}?lang=cs", data={**form, "env.LIMIT": "11"})
        assert (wrong.status_code, "Očekává se nejvýše 10." in wrong.text) == (422, True)
        data = (await client.get(f"{path}.json")).json()["trial"]
        assert {each["name"]: each["hides"] for each in data["environment"]}["HOST"] == ["company"]


async def test_credentials_stay_masked_and_what_keeps_a_job_from_starting_is_told(
    installation: Installation, served: Served
) -> None:
    bank = await Bank(installation).make()
    async with served.client() as client:
        page = (await client.get(f"/run-template/{bank.template}/trial", params={"lang": "cs"})).text
        assert "Úloha by se nespustila" in page, "the application names no program"
        assert "Definice aplikace neuvádí žádný program." in page
        application = await installation.application("Echo", executable="/bin/echo", cmdparams="{BANK_ACCOUNT}")
        template = await installation.template(bank.company, application, "Echo")
        shell = Shell(installation.store)
        await shell.execute(AssignCredential(run_template_id=template, credential_id=bank.credential), SYSTEM)
        page = (await client.get(f"/run-template/{template}/trial?lang=en")).text
        assert TOKEN not in page
        assert row(page, "BANK_TOKEN") == "BANK_TOKEN ****** credential"
    viewer = await installation.user("jane")
    await installation.member(viewer, bank.company, "viewer")
    async with served.client(await installation.session(viewer)) as client:
        assert (await client.get(f"/run-template/{template}/trial")).status_code == 200
        page = (await client.get(f"/run-template/{template}")).text
        for button in ("edit", "run", "copy"):
            assert f"run-template/{template}/{button}" not in page, "a viewer is offered what they may do, no more"


async def test_what_credentials_hide_is_told_before_it_is_saved(installation: Installation, served: Served) -> None:
    bank = await Bank(installation).make()
    path = f"/run-template/{bank.template}/edit"
    async with served.client() as client:
        form = await form_on(client, path)
        wish = {**form, "extra_name.1": "BANK_ACCOUNT", "extra_value.1": "999"}
        first = await client.post(path, data=wish)
        assert first.status_code == 422
        told = html.unescape(first.text)
        assert "This template's value BANK_ACCOUNT is hidden by the credential “Account”." in told
        assert 'value="999"' in first.text, "what was typed stays"
        assert "BANK_ACCOUNT" not in (await client.get(f"/run-template/{bank.template}.json")).json()["environment"]
        again = await client.post(path, data={**wish, "hidden_too": "BANK_ACCOUNT"})
        assert again.status_code == 303
        page = html.unescape((await client.get(path)).text)
        assert "The credential “Account” gives it and goes before what stands here." in page


async def test_each_kind_of_setting_has_its_control_its_group_and_its_check(
    installation: Installation, served: Served
) -> None:
    template = await world(installation)
    path = f"/run-template/{template}/edit?lang=cs"
    async with served.client() as client:
        page = (await client.get(path)).text
        controls = dict(re.findall(r'<input id="env\.(\w+)" name="env\.\w+" type="([\w-]+)"', page))
        assert controls == {
            "HOST": "text", "LIMIT": "text", "RATE": "text", "SINCE": "text", "AT": "datetime-local", "NOON": "time",
            "MAIL": "text", "PAGE": "text", "CA_FILE": "text", "API_PASSWORD": "password",
        }, "a reference in a date is kept as text"  # fmt: skip
        assert set(re.findall(r'<(select|textarea) id="env\.(\w+)"', page)) == {
            ("select", "MODE"), ("select", "DEBUG"), ("textarea", "BODY"),
        }  # fmt: skip
        order = re.findall(r'data-setting="(\w+)"', page)
        assert order == ["LIMIT", "RATE", "SINCE", "AT", "NOON", "HOST", "MAIL", "PAGE", "BODY", "MODE", "CA_FILE",
                         "DEBUG", "API_PASSWORD"], "as the definition has them, those of no group last"  # fmt: skip
        assert re.findall(r'class="category">([^<]+)', page) == ["Chování", "Ostatní nastavení"]
        assert "Jméno stroje <code>HOST</code>" in page
        assert "Od 1 do 10." in page
        assert "Má význam, jen když je MODE tls." in page
        assert 'placeholder="it@acme.example"' in page, "what the company gives is shown in grey"
        form = await form_on(client, path)
        wrong = {
            "LIMIT": "11", "RATE": "1,5", "SINCE": "31.1.2026", "AT": "noon", "NOON": "25:00", "MAIL": "nobody",
            "PAGE": "no where", "MODE": "loud",
        }  # fmt: skip
        answer = await client.post(path, data={**form, **{f"env.{name}": value for name, value in wrong.items()}})
    assert answer.status_code == 422
    told = dict(re.findall(r'id="env\.(\w+)-error">.*?<span>([^<]+)</span>', answer.text))
    assert told == {
        "LIMIT": "Očekává se nejvýše 10.",
        "RATE": "Očekává se číslo, s tečkou místo čárky.",
        "SINCE": "Očekává se tvar 2026-01-31.",
        "AT": "Očekává se tvar 2026-01-31T12:00.",
        "NOON": "Očekává se tvar 12:00.",
        "MAIL": "Očekává se e-mailová adresa, třeba jmeno@example.org.",
        "PAGE": "Očekává se adresa, třeba https://example.org/.",
        "MODE": "Vyberte jednu z nabízených hodnot.",
    }
    for value in wrong.values():
        assert html.escape(value) in answer.text, "what was typed stays"


@needs("chromium")
async def test_settings_that_do_not_matter_are_hidden_and_the_pages_fit(
    installation: Installation, browser: Browser
) -> None:
    template = await world(installation)
    page = await browser.open(f"/run-template/{template}/edit", viewport={"width": 390, "height": 800})
    field = page.locator('[data-setting="CA_FILE"]')
    assert not await field.is_visible()
    await page.locator('[id="env.MODE"]').select_option("tls")
    await field.wait_for(state="visible")
    for path in (f"/run-template/{template}/trial", f"/run-template/{template}/edit"):
        await page.goto(browser.url + path)
        assert await has_no_horizontal_scroll(page), path
        found = await Axe().run(page)
        assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == [], path
