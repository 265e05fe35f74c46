"""Run templates made, made for all applications of a company, and changed many at once, on the web."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
from axe_playwright_python.async_playwright import Axe

from commands.actor import SYSTEM
from commands.shell import Shell
from domain.company import AssignApplication
from tests.testbed.components import needs
from tests.web.conftest import Browser, Served
from tests.web.seeding import Installation
from tests.web.test_web_browser import has_no_horizontal_scroll
from tests.web.test_web_credentials import Bank


async def send(client: httpx.AsyncClient, path: str, **form: str) -> httpx.Response:
    token = re.search(r'name="_csrf_token" value="([^"]+)"', (await client.get("/account")).text)
    assert token
    return await client.post(path, data={"_csrf_token": token[1], **form})


async def templates(installation: Installation, count: int = 3, **more: Any) -> tuple[int, int, list[int]]:
    company, application = await installation.company(), await installation.application()
    names = [f"Probe {number}" for number in range(1, count + 1)]
    return company, application, [await installation.template(company, application, name, **more) for name in names]


def row(page: str, number: int) -> str:
    found = re.search(rf'<tr id="effect-{number}">(.*?)</tr>', page, re.DOTALL)
    assert found is not None, page
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[1])).split())


async def test_many_are_changed_after_what_changes_was_looked_at(installation: Installation, served: Served) -> None:
    _, _, (one, two, three) = await templates(installation, interval="d")
    ids = f"{one},{two}"
    async with served.client() as client:
        listed = (await client.get("/run-templates")).text
        assert f'type="checkbox" name="id" value="{two}"' in listed
        asked = await client.get("/run-templates/change", params=[("id", one), ("id", two)])
        assert f'name="ids" value="{ids}"' in asked.text
        wish = {"ids": ids, "interval": "h", "executor": "Docker", "activity": "off", "reason": "Stocktaking"}
        looked = await send(client, "/run-templates/change", **wish, do="look")
        assert looked.status_code == 200
        told = row(looked.text, one)
        for part in ("Daily → Hourly", "Native → Docker", "yes → no", "Stocktaking"):
            assert part in told
        before = (await client.get(f"/run-template/{one}.json")).json()
        assert (before["template"]["interval"], before["template"]["active"]) == ("d", True), "nothing was changed yet"
        done = await send(client, "/run-templates/change", **wish, do="change")
        assert "2 run templates were changed." in done.text
        for number in (one, two):
            now = (await client.get(f"/run-template/{number}.json")).json()
            assert (now["template"]["interval"], now["template"]["active"]) == ("h", False)
            assert now["inactive_reason"] == "Stocktaking"
        assert (await client.get(f"/run-template/{three}.json")).json()["template"]["active"] is True
        again = await send(client, "/run-templates/change", ids=f"{one},{three}", interval="h", do="change")
        assert "1 run template was changed. The others are like that already." in again.text


async def test_what_is_wrong_stands_beside_its_field_and_nothing_changes_in_any(
    installation: Installation, served: Served
) -> None:
    _, _, (one, two) = await templates(installation, 2, interval="d")
    async with served.client() as client:
        wish = {"ids": f"{one},{two}", "cron": "61 * * * *", "delay": "soon", "reason": "Why", "extra_name.1": "A B"}
        wrong = await send(client, "/run-templates/change?lang=cs", **wish, do="change")
        assert wrong.status_code == 422
        assert set(re.findall(r'id="(\w+)-error"', wrong.text)) == {"cron", "delay", "reason"}
        assert "není název proměnné prostředí" in wrong.text
        assert 'value="61 * * * *"' in wrong.text, "what was typed stays"
        nothing = await send(client, "/run-templates/change?lang=en", ids=f"{one}", do="change")
        assert (nothing.status_code, "Choose what is to change." in nothing.text) == (422, True)
        alone = await send(client, "/run-templates/change", ids=f"{one},{two}", interval="c", do="change")
        assert (alone.status_code, 'id="cron-error"' in alone.text) == (422, True)
        for number in (one, two):
            assert (await client.get(f"/run-template/{number}.json")).json()["template"]["interval"] == "d"
        assert (await client.get("/run-templates/change?id=x")).status_code == 400
        assert "No run template is chosen" in (await client.get("/run-templates/change")).text


async def test_variables_are_set_in_many_and_what_credentials_hide_is_told_first(
    installation: Installation, served: Served
) -> None:
    bank = await Bank(installation).make()
    wish = {"ids": str(bank.template), "extra_name.1": "BANK_ACCOUNT", "extra_value.1": "999", "extra_name.2": "CITY"}
    async with served.client() as client:
        looked = await send(client, "/run-templates/change", **wish, **{"extra_value.2": "Brno"}, do="look")
        assert "This template's value BANK_ACCOUNT is hidden by the credential “Account”." in row(
            looked.text, bank.template
        )
        await send(client, "/run-templates/change", **wish, **{"extra_value.2": "Brno"}, do="change")
        shown = (await client.get(f"/run-template/{bank.template}.json")).json()["environment"]
        assert (shown["CITY"], shown["BANK_ACCOUNT"]) == ("Brno", "999")
        await send(client, "/run-templates/change", **wish, **{"take_away.1": "yes", "take_away.2": "yes"}, do="change")
        assert (await client.get(f"/run-template/{bank.template}.json")).json()["environment"] == {}


async def test_the_list_is_found_by_words_and_application_and_those_of_others_are_left_out(
    installation: Installation, served: Served
) -> None:
    mine, application, (one, _, _) = await templates(installation)
    other = await installation.company("Other")
    theirs = await installation.template(other, application, "Probe of others")
    another = await installation.template(mine, await installation.application("Echo"), "Echo")
    user = await installation.user("jane")
    await installation.member(user, mine, "manager")
    await installation.member(user, other, "viewer")
    async with served.client(await installation.session(user)) as client:

        async def ids(**parameters: str) -> list[int]:
            listed = (await client.get("/run-templates.json", params=parameters)).json()["templates"]
            return [each["id"] for each in listed]

        assert await ids(find="echo") == [another]
        assert one in await ids(app=str(application)) and another not in await ids(app=str(application))
        page = (await client.get("/run-templates/change", params={"all": "yes", "app": str(application)})).text
        assert "1 of the chosen is left out" in page
        assert f"#{theirs} " not in page
        refused = await send(client, "/run-templates/change", ids=str(theirs), interval="h", do="change")
        assert refused.status_code == 403
        assert "needs the permission" in refused.text and "The form was too old" not in refused.text
    viewer = await installation.user("joe")
    await installation.member(viewer, mine, "viewer")
    async with served.client(await installation.session(viewer)) as client:
        assert 'name="id"' not in (await client.get("/run-templates")).text


async def test_one_is_made_and_one_of_each_application_of_a_company(installation: Installation, served: Served) -> None:
    company, application = await installation.company(), await installation.application("Statements")
    shell = Shell(installation.store)
    others = [await installation.application(name) for name in ("Echo", "Digest")]
    for number in (application, *others):
        await shell.execute(AssignApplication(company_id=company, application_id=number), SYSTEM)
    async with served.client() as client:
        wrong = await send(client, "/run-templates/new", company_id="", application_id="0", name="Mine")
        assert wrong.status_code == 422
        assert set(re.findall(r'id="(\w+)-error"', wrong.text)) == {"company_id", "application_id"}
        assert 'value="Mine"' in wrong.text
        wish = {"company_id": str(company), "application_id": str(application), "key": "one"}
        made = await send(client, "/run-templates/new", **wish)
        again = await send(client, "/run-templates/new", **wish)
        assert made.status_code == 303 and again.headers["location"] == made.headers["location"]
        place = made.headers["location"].removeprefix("/multiflexi").removesuffix("/edit")
        shown = (await client.get(f"{place}.json")).json()["template"]
        assert (shown["name"], shown["active"], shown["interval"]) == ("Statements", False, "n")
        page = (await client.get(f"/company/{company}/populate")).text
        assert page.count("would be made") == 2 and "has 1 already" in page
        bad = await send(client, f"/company/{company}/populate", interval="c", cron="x", executor="Native")
        assert (bad.status_code, 'id="cron-error"' in bad.text) == (422, True)
        done = await send(client, f"/company/{company}/populate", interval="d", executor="Native", active="yes")
        assert "2 run templates were made." in done.text
        listed = (await client.get("/run-templates.json")).json()["templates"]
        assert {(each["name"], each["interval"], each["active"]) for each in listed} == {
            ("Statements", "n", False), ("Echo", "d", True), ("Digest", "d", True),
        }  # fmt: skip
        assert "Echo" in (await client.get(f"/company/{company}/populate")).text


async def test_one_is_removed_after_what_goes_with_it_was_told(installation: Installation, served: Served) -> None:
    company, application, (one, two) = await templates(installation, 2)
    await installation.schedule(company, application, one)
    async with served.client() as client:
        assert "1 job that waits is cancelled." in (await client.get(f"/run-template/{one}/remove")).text
        assert (await send(client, f"/run-template/{one}/remove")).status_code == 303
        assert (await client.get(f"/run-template/{one}")).status_code == 404
        assert (await client.get(f"/run-template/{two}")).status_code == 200


@needs("chromium")
async def test_they_are_chosen_by_the_keyboard_and_the_pages_fit(installation: Installation, browser: Browser) -> None:
    company, _, (one, *_) = await templates(installation)
    page = await browser.open("/run-templates", viewport={"width": 390, "height": 800}, color_scheme="dark")
    await page.get_by_label("Choose all of this page").press("Space")
    await page.get_by_role("button", name="Change the chosen").press("Enter")
    await page.get_by_label("Runs", exact=True).select_option("h")
    await page.get_by_role("button", name="Look what would change").press("Enter")
    await page.get_by_role("button", name="Change 3 run templates").wait_for()
    addresses = (
        "/run-templates",
        f"/run-templates/change?id={one}",
        "/run-templates/new",
        f"/run-template/{one}/remove",
        f"/company/{company}/populate",
    )
    for path in (None, *addresses):
        if path is not None:
            await page.goto(browser.url + path)
        assert await has_no_horizontal_scroll(page), path
        found = await Axe().run(page)
        assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == [], path
