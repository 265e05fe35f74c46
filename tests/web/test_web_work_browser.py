"""Tasks, files, the queue, pauses, the system and forms, in a real browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.async_playwright import Axe

from domain.company_events import CompanyChanged
from tests.testbed.components import needs
from tests.web.conftest import Browser
from tests.web.seeding import Installation, sign_of_life
from tests.web.test_web_browser import has_no_horizontal_scroll, shows
from tests.web.test_web_template_form import DEFINITION

pytestmark = needs("chromium")

LONG = "A rather long name of a run template that has to be cut or broken somewhere"


async def busy_world(installation: Installation) -> dict[str, int]:
    """Make one of everything that the pages can show, and return the ids."""
    company, other = await installation.company("Novák & syn"), await installation.company("Acme")
    application = await installation.application(environment=DEFINITION)
    template = await installation.template(
        company, application, LONG, interval="c", cron="30 2 * * *", environment={"PROBE_PASSWORD": "x", "EXTRA": "y"}
    )
    now = datetime.now(UTC)
    late = await installation.task(
        company, template, now - timedelta(hours=1), deadline=now - timedelta(minutes=30), max_attempts=3
    )
    files = [
        await installation.artifact(company, "report.json", "application/json", b'{"a": [1, 2]}'),
        await installation.artifact(company, "a-long-name-of-a-file-" * 6 + ".csv", "text/csv", b"a;b\n" * 200),
    ]
    failed = await installation.job(
        company, application, template, at=now - timedelta(minutes=40), task_id=late, outcome="failure", code=255
    )
    job = await installation.job(
        company, application, template, at=now - timedelta(minutes=20), task_id=late, attempt=2, retry_of=failed,
        artifacts=files,
    )  # fmt: skip
    await installation.fulfil(late, company, template, job, late=True, fulfilled_at=now - timedelta(minutes=20))
    missed = await installation.task(company, template, now - timedelta(hours=2))
    await installation.miss(missed, company, template)
    opened = await installation.task(company, template, now - timedelta(minutes=1))
    running = await installation.schedule(company, application, template, task_id=opened)
    await installation.start(running, company, template, task_id=opened)
    for labels in ([], ["bank"]):
        await installation.schedule(company, application, template, labels=labels)
    await installation.append(
        f"company-{other}", other, CompanyChanged(company_id=other, paused=True, pause_reason="Stocktaking")
    )
    await installation.project()
    sign_of_life(installation.database, "executor", "a-host-with-a-rather-long-name.of.some.example", '{"labels": []}')
    return {
        "company": company, "other": other, "application": application, "template": template, "late": late,
        "missed": missed, "opened": opened, "job": job, "running": running,
    }  # fmt: skip


@pytest.mark.parametrize(("width", "scheme", "language"), [(390, "dark", "cs"), (1440, "light", "en")])
async def test_pages_of_work_fit_and_are_accessible(
    installation: Installation, browser: Browser, width: int, scheme: str, language: str
) -> None:
    ids = await busy_world(installation)
    paths = (
        "/", "/tasks", "/tasks?state=unmet&from=2020-01-01", "/task/{late}", "/task/{missed}", "/task/{opened}",
        "/job/{job}", "/job/{job}/artifact/1", "/job/{job}/artifact/2", "/job/{job}/again", "/queue",
        "/pause/company/{other}", "/pause/company/{company}", "/pause/template/{template}", "/system",
        "/run-template/{template}", "/run-template/{template}/edit", "/run-template/{template}/run",
    )  # fmt: skip
    page = await browser.open("/", viewport={"width": width, "height": 800}, color_scheme=scheme, locale=language)
    for path in paths:
        address = path.format(**ids)
        await page.goto(browser.url + address)
        assert await has_no_horizontal_scroll(page), address
        found = await Axe().run(page)
        assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == [], address


async def test_the_next_runs_follow_what_is_typed(installation: Installation, browser: Browser) -> None:
    ids = await busy_world(installation)
    page = await browser.open(f"/run-template/{ids['template']}/edit")
    await page.get_by_label("Not before").fill("2027-03-27T12:00")
    await shows(page, "the clock goes from 02:00 to 03:00", "[data-preview]")
    await page.get_by_label("Cron expression").fill("0 25 * * *")
    await shows(page, "25 lies outside 0 to 23.", "[data-preview]")
    await page.get_by_label("Runs", exact=True).select_option("n")
    await shows(page, "It is never due", "[data-preview]")
    await page.get_by_label("Cron expression").fill("0 5 * * 1")
    assert await page.get_by_label("Runs", exact=True).input_value() == "c", "who types an expression wants it"
    await shows(page, "05:00", "[data-preview]")


async def test_a_form_is_filled_in_by_keyboard_and_says_what_is_wrong(
    installation: Installation, browser: Browser
) -> None:
    ids = await busy_world(installation)
    page = await browser.open(f"/run-template/{ids['template']}/edit")
    browser.forgives("422")
    await page.get_by_label("Attempts at most").fill("0")
    await page.get_by_label("Attempts at most").press("Enter")
    wrong = page.get_by_label("Attempts at most")
    await shows(page, "it must lie between 1 and 100.")
    assert await wrong.get_attribute("aria-invalid") == "true"
    await wrong.fill("5")
    await wrong.press("Enter")
    await page.wait_for_url("**/run-template/*saved=*")
    await shows(page, "Attempts at most", ".changes .is-saved")


async def test_a_company_is_paused_and_resumed_from_the_queue(installation: Installation, browser: Browser) -> None:
    ids = await busy_world(installation)
    page = await browser.open("/queue")
    await page.get_by_role("link", name="Pause Novák & syn").click()
    await page.get_by_label("Reason").fill("The bank moves")
    await page.get_by_role("button", name="Pause").click()
    await shows(page, "The company Novák & syn is paused.")
    await shows(page, "The bank moves")
    await shows(page, "its company is paused", ".cell-why")
    await page.locator(f"#pause-company-{ids['company']}").get_by_role("link", name="Resume").click()
    await page.get_by_role("button", name="Resume").click()
    await page.wait_for_url("**/queue")
    await page.locator(f"#pause-company-{ids['company']}").wait_for(state="detached")


async def test_a_file_is_looked_at_and_downloaded(installation: Installation, browser: Browser) -> None:
    ids = await busy_world(installation)
    page = await browser.open(f"/job/{ids['job']}")
    await page.get_by_role("link", name="report.json", exact=True).click()
    await shows(page, '"a"', ".file-text")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download").click()
    saved = await download.value
    assert saved.suggested_filename == "report.json"
    assert (await saved.path()).read_bytes() == b'{"a": [1, 2]}'


async def test_an_open_task_shows_its_end_without_a_reload(installation: Installation, browser: Browser) -> None:
    ids = await busy_world(installation)
    page = await browser.open(f"/task/{ids['opened']}")
    await shows(page, "Running", ".job-title")
    await page.evaluate("window.same = true")
    await installation.finish(ids["running"], ids["company"], ids["template"], task_id=ids["opened"])
    await installation.fulfil(ids["opened"], ids["company"], ids["template"], ids["running"])
    await installation.project()
    await shows(page, "Fulfilled", ".job-title")
    await shows(page, "Succeeded", "[data-part=attempts]")
    assert await page.evaluate("window.same") is True
