"""What people see, in a real browser; a test fails when its page writes an error to the console."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe

from tests.testbed.components import needs
from tests.web.conftest import Browser, away
from tests.web.seeding import Installation, sign_of_life
from tests.web.test_web_pages import small_world

pytestmark = needs("chromium")


async def shows(page: Any, text: str, within: str = "body") -> None:
    """Wait until a part of a page shows a text."""
    await page.locator(within).get_by_text(text).first.wait_for()


async def has_no_horizontal_scroll(page: Any) -> bool:
    return await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


async def test_dashboard_shows_a_new_job_without_a_reload(installation: Installation, browser: Browser) -> None:
    company, application, template = await small_world(installation)
    await installation.project()
    page = await browser.open("/")
    await shows(page, "Live")
    await page.evaluate("window.same = true")
    job = await installation.schedule(company, application, template)
    await installation.start(job, company, template)
    await installation.project()
    await shows(page, f"#{job}", "[data-part=running]")
    await shows(page, f"#{job}", "[data-part=recent]")
    await installation.finish(job, company, template, "failure", 255)
    await installation.project()
    await shows(page, "Failed", "[data-part=recent]")
    await page.wait_for_function("() => document.querySelector('.tile-failed .tile-value').textContent === '1'")
    assert await page.locator("[data-part=running] li").count() == 0
    assert await page.evaluate("window.same") is True


async def test_job_page_follows_a_job_from_the_queue_to_its_end(installation: Installation, browser: Browser) -> None:
    company, application, template = await small_world(installation)
    job = await installation.schedule(company, application, template)
    await installation.project()
    page = await browser.open(f"/job/{job}")
    await shows(page, "The job waits until an executor takes it.")
    await installation.start(job, company, template)
    await installation.project()
    await shows(page, "The job runs and has written nothing so far.")
    await installation.write(job, company, "žluť \x1b[32mgreen\x1b[0m <i>x</i>\n".encode())
    await installation.write(job, company, b"bad\n", "stderr")
    await page.locator(".l.e", has_text="bad").wait_for()
    assert await page.locator(".l").first.inner_text() == "žluť green <i>x</i>"
    assert await page.locator(".l .f2").inner_text() == "green"
    await installation.finish(job, company, template)
    await installation.project()
    await shows(page, "Succeeded", ".job-title")
    await shows(page, "stdout.txt", "[data-part=downloads]")
    await page.wait_for_function("() => document.querySelector('[data-live-state]').hidden")


async def test_the_view_follows_the_output_until_somebody_scrolls_up(
    installation: Installation, browser: Browser
) -> None:
    company, application, template = await small_world(installation)
    job = await installation.schedule(company, application, template)
    await installation.start(job, company, template)
    await installation.write(job, company, b"".join(b"line %d\n" % number for number in range(300)))
    await installation.project()
    page = await browser.open(f"/job/{job}")
    await page.locator(".l", has_text="line 299").wait_for()
    at_end = (
        "() => { const e = document.querySelector('.lines'); return e.scrollHeight - e.scrollTop - e.clientHeight < 5 }"
    )
    await page.wait_for_function(at_end)
    await installation.write(job, company, b"line 300\n" * 20)
    await page.wait_for_function("() => document.querySelectorAll('.l').length === 320")
    assert await page.evaluate(at_end)
    await page.evaluate("document.querySelector('.lines').scrollTop = 0")
    await page.locator("[data-to-end]").wait_for()
    await installation.write(job, company, b"line 301\n" * 20)
    await page.wait_for_function("() => document.querySelectorAll('.l').length === 340")
    assert await page.evaluate("document.querySelector('.lines').scrollTop") == 0
    await page.locator("[data-to-end]").click()
    await page.wait_for_function(at_end)


async def test_a_hundred_thousand_lines_can_be_loaded_searched_and_copied(
    installation: Installation, browser: Browser
) -> None:
    company, application, template = await small_world(installation)
    pieces = [
        ("stdout", b"".join(b"record %d of piece %d\n" % (line, piece) for line in range(2500))) for piece in range(40)
    ]
    job = await installation.job(company, application, template, output=pieces)
    await installation.project()
    page = await browser.open(f"/job/{job}", permissions=["clipboard-read", "clipboard-write"])
    assert await page.locator(".l").count() == 1000
    await page.locator("[data-load-all]").click()
    await page.wait_for_function("() => document.querySelectorAll('.l').length === 100000", timeout=60_000)
    assert await page.locator(".l").last.get_attribute("data-n") == "100000"
    await page.locator("[data-search]").fill("record 7 of")
    await page.wait_for_function("() => document.querySelector('[data-found]').textContent === '1 of 40'")
    await page.locator("[data-search]").press("Enter")
    await page.wait_for_function("() => document.querySelector('[data-found]').textContent === '2 of 40'")
    await page.locator("[data-copy]").click()
    await page.get_by_text("Copied").wait_for(timeout=60_000)
    assert (await page.evaluate("navigator.clipboard.readText()")).count("\n") == 100_000


async def test_only_one_channel_is_shown_on_demand(installation: Installation, browser: Browser) -> None:
    company, application, template = await small_world(installation)
    output = [("stdout", b"good\n"), ("stderr", b"bad\n")]
    job = await installation.job(company, application, template, output=output)
    await installation.project()
    page = await browser.open(f"/job/{job}")
    await page.locator("[data-channel]").select_option("e")
    assert await page.locator(".l", has_text="good").is_hidden()
    assert await page.locator(".l", has_text="bad").is_visible()
    wrapped = page.locator("[data-wrap]")
    await wrapped.click()
    assert await wrapped.get_attribute("aria-pressed") == "false"
    await page.reload()
    assert await wrapped.get_attribute("aria-pressed") == "false"


async def test_each_end_of_a_job_is_told(installation: Installation, browser: Browser) -> None:
    company, application, template = await small_world(installation)
    silent = await installation.job(company, application, template)
    cancelled = await installation.schedule(company, application, template)
    await installation.cancel(cancelled, company, template, "not needed")
    kept = [("stdout", b"x" * 2048)]
    removed = await installation.job(company, application, template, output=kept)
    late = await installation.schedule(
        company, application, template, not_before=datetime.now(UTC) + timedelta(hours=2, minutes=1)
    )
    await installation.project()
    partition = "SELECT tableoid::regclass::text FROM events WHERE stream = $1 LIMIT 1"
    name = await installation.store.pool.fetchval(partition, f"output-{removed}")
    import psycopg

    with psycopg.connect(installation.database.owner_url, autocommit=True) as connection:
        connection.execute(f"DELETE FROM multiflexi.{name} WHERE stream = 'output-{removed}'".encode())
    for job, text in (
        (silent, "The job wrote nothing."),
        (cancelled, "not needed"),
        (removed, "2 KiB can no longer be read by anybody."),
        (late, "in 2 hours"),
    ):
        page = await browser.open(f"/job/{job}")
        await shows(page, text)


async def test_language_theme_and_company_are_chosen_and_stay(installation: Installation, browser: Browser) -> None:
    company, *_ = await small_world(installation)
    await installation.company("Acme")
    await installation.project()
    page = await browser.open("/")
    await page.get_by_role("link", name="Čeština").click()
    await page.get_by_role("heading", name="Přehled").wait_for()
    light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await page.locator("[data-set-theme=dark]").click()
    dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    await page.locator("#company").select_option(str(company))
    await page.wait_for_url(f"**/?company={company}")
    await page.get_by_role("link", name="Úlohy", exact=True).click()
    await page.wait_for_url(f"**/jobs?company={company}")
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    assert await page.locator("html").get_attribute("lang") == "cs"


async def test_a_template_is_run_from_its_page(installation: Installation, browser: Browser) -> None:
    _, _, template = await small_world(installation)
    await installation.project()
    page = await browser.open(f"/run-template/{template}")
    await page.get_by_role("button", name="Run now").click(no_wait_after=True)
    await page.wait_for_function(
        "() => fetch('/multiflexi/dashboard.json').then(a => a.json()).then(d => d.figures.queued === 1)"
    )
    await installation.project()
    await page.wait_for_url("**/job/*")
    await shows(page, "User ", ".facts")


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1440, "light")])
async def test_pages_fit_and_are_accessible(
    installation: Installation, browser: Browser, width: int, scheme: str
) -> None:
    company, application, template = await small_world(installation)
    output = [("stdout", b"\x1b[33mwarning\x1b[0m " + b"word " * 60 + b"\n"), ("stderr", b"x" * 400 + b"\n")]
    for outcome, code in (("success", 0), ("warning", 1), ("failure", 255)):
        job = await installation.job(company, application, template, outcome=outcome, code=code, output=output)
    queued = await installation.schedule(
        company, application, template, environment={"A_VERY_LONG_NAME_" * 4: "x" * 99}
    )
    await installation.project()
    sign_of_life(installation.database, "executor", "a-host-with-a-rather-long-name.of.some.example")
    for path in ("/", "/jobs", f"/job/{job}", f"/job/{queued}", "/run-templates", f"/run-template/{template}"):
        page = await browser.open(path, viewport={"width": width, "height": 800}, color_scheme=scheme)
        assert await has_no_horizontal_scroll(page), path
        found = await Axe().run(page)
        assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == [], path
        await page.context.close()


async def test_an_open_page_tells_that_the_database_is_away_and_goes_on(
    installation: Installation, browser: Browser
) -> None:
    company, application, template = await small_world(installation)
    await installation.project()
    page = await browser.open("/")
    notice = page.locator("[data-database-away]")
    assert await notice.is_hidden()
    async with away(installation) as come_back:
        await notice.wait_for()
        await come_back()
        await notice.wait_for(state="hidden")
    job = await installation.schedule(company, application, template)
    await installation.project()
    await shows(page, f"#{job}", "[data-part=recent]")


async def test_pages_work_without_scripts(installation: Installation, browser: Browser) -> None:
    company, application, template = await small_world(installation)
    job = await installation.job(company, application, template, output=[("stdout", b"hello\n")])
    await installation.project()
    page = await browser.open("/", java_script_enabled=False)
    await page.get_by_role("link", name="Hourly <probe>").first.click()
    await page.get_by_text("hello").wait_for()
    assert page.url.endswith(f"/job/{job}")
    assert await page.locator("[data-tools]").is_hidden()
