"""The catalogue in a real browser: applications and credential prototypes, and an erasure that is decided on."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe

from commands.accounts import actor_of
from commands.shell import Shell
from domain.erasure import RequestErasure
from tests.testbed.components import needs
from tests.testbed.credentials import BANK
from tests.web.conftest import Browser
from tests.web.seeding import Installation
from tests.web.test_web_applications import DEFINITION
from tests.web.test_web_browser import has_no_horizontal_scroll

pytestmark = needs("chromium")


async def is_fit(page: Any) -> None:
    """Check that a page fits its width and that everybody can use it."""
    assert await has_no_horizontal_scroll(page), page.url
    found = await Axe().run(page)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == [], page.url


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
async def test_an_application_is_imported_found_updated_installed_and_taken_away(
    installation: Installation, browser: Browser, width: int, scheme: str
) -> None:
    company = await installation.company("Novák & syn")
    browser.forgives("422")
    page = await browser.open("/applications", viewport={"width": width, "height": 800}, color_scheme=scheme)
    await page.get_by_role("link", name="Import", exact=False).first.click()
    broken = json.dumps({**DEFINITION, "environment": {"ZONE": {"type": 5}}}, indent=1)
    await page.get_by_label("or its text").fill(broken)
    await page.get_by_role("button", name="Look at it").click()
    await page.get_by_text("/environment/ZONE/type").wait_for()
    await is_fit(page)
    await page.get_by_label("or its text").fill("")
    await page.get_by_role("button", name="Look at it").click()
    await page.locator("#file-error", has_text="Choose a file").wait_for()
    await page.get_by_label("or its text").fill(json.dumps(DEFINITION, indent=1))
    await page.get_by_role("button", name="Look at it").click()
    await page.get_by_text("It is new in the catalogue.").wait_for()
    await page.get_by_role("button", name="Import").click()
    await page.get_by_role("heading", name="Bank statements").wait_for()
    await is_fit(page)
    await page.get_by_label("Company").select_option(str(company))
    await page.get_by_role("button", name="Install").click()
    await page.locator(f"#company-{company}").wait_for()
    newer = {
        **DEFINITION,
        "version": "2.0.0",
        "environment": {**DEFINITION["environment"], "DAYS": {"type": "integer"}},
    }
    await page.get_by_role("link", name="Import another version").click()
    upload = {"name": "statements.json", "mimeType": "application/json", "buffer": json.dumps(newer, indent=1).encode()}
    await page.get_by_label("File").set_input_files(upload)
    await page.get_by_role("button", name="Look at it").click()
    await page.locator("#difference", has_text="DAYS").wait_for()
    await is_fit(page)
    await page.get_by_role("button", name="Import").click()
    await page.locator("#setting-DAYS").wait_for()
    await page.get_by_role("button", name="Take away Novák & syn").click()
    await page.get_by_text("No company has it.").wait_for()
    await page.goto(f"{browser.url}/applications")
    await page.get_by_role("searchbox").fill("statem")
    await page.get_by_role("searchbox").press("Enter")
    await page.get_by_role("link", name="Bank statements").first.click()
    assert "2.0.0" in await page.get_by_role("heading", level=1).inner_text()


async def test_a_prototype_is_imported_and_its_newer_version_told_before(
    installation: Installation, browser: Browser
) -> None:
    page = await browser.open("/credential-types", viewport={"width": 390, "height": 800}, locale="en")
    await page.get_by_role("link", name="Prototypes").click()
    await is_fit(page)
    await page.get_by_role("link", name="Import").click()
    await page.get_by_label("or its text").fill(json.dumps(BANK, indent=1))
    await page.get_by_role("button", name="Look at it").click()
    await page.get_by_text("It is new in the catalogue.").wait_for()
    await is_fit(page)
    await page.get_by_role("button", name="Import").click()
    await page.get_by_text("is in the catalogue as it was given").wait_for()
    newer: dict[str, Any] = copy.deepcopy(BANK) | {"version": "2.0"}
    newer["fields"][3]["default_value"] = "80"
    await page.goto(f"{browser.url}/credential-prototypes/import")
    await page.get_by_label("or its text").fill(json.dumps(newer, indent=1))
    await page.get_by_role("button", name="Look at it").click()
    await page.locator("#difference", has_text="BANK_LIMIT").wait_for()
    await is_fit(page)


async def test_an_erasure_is_approved_and_carried_out_by_who_types_whom_it_is_about(
    installation: Installation, browser: Browser
) -> None:
    jane = await installation.user("jane")
    shell = Shell(installation.store)
    actor = await actor_of(shell.facts, jane, datetime.now(UTC))
    assert actor is not None
    asked = await shell.execute(RequestErasure(deletion_type="hard", reason="I leave"), actor, source="web")
    browser.forgives("422")
    page = await browser.open("/erasures", viewport={"width": 390, "height": 800}, color_scheme="dark", locale="cs")
    await is_fit(page)
    await page.locator(f"#erasure-{asked.id} a").click()
    await is_fit(page)
    await page.get_by_role("button", name="Schválit").click()
    await page.get_by_label("Opište jane").fill("joan")
    await page.get_by_role("button", name="Vymazat uživatele").click()
    await page.locator("#confirm-error").wait_for()
    await is_fit(page)
    await page.get_by_label("Opište jane").fill("jane")
    await page.get_by_role("button", name="Vymazat uživatele").click()
    await page.get_by_text("Nikdo už nepřečte, kdo uživatel byl.").wait_for()
    await is_fit(page)
