"""Pages and their JSON, as a client without a browser sees them."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from tests.web.conftest import Served, away, serving
from tests.web.seeding import Installation, sign_of_life


async def small_world(installation: Installation) -> tuple[int, int, int]:
    company = await installation.company("Novák & syn")
    application = await installation.application()
    return company, application, await installation.template(company, application, "Hourly <probe>", interval="h")


async def test_dashboard_and_its_json_say_the_same(installation: Installation, served: Served) -> None:
    company, application, template = await small_world(installation)
    for outcome, code in (("success", 0), ("success", 0), ("warning", 1), ("failure", 255)):
        await installation.job(company, application, template, outcome=outcome, code=code)
    await installation.schedule(company, application, template)
    running = await installation.schedule(company, application, template)
    await installation.start(running, company, template)
    await installation.project()
    sign_of_life(installation.database, "scheduler")
    async with served.client() as client:
        page, data = await client.get("/"), (await client.get("/dashboard.json")).json()
    figures = data["figures"]
    assert (figures["running"], figures["queued"]) == (1, 1)
    assert figures["success_rate"] == 0.75
    assert sum(day["failed"] for day in data["days"]) == 1
    assert [job["id"] for job in data["running"]] == [running]
    assert len(data["recent"]) == 6
    assert [daemon["kind"] for daemon in data["system"]["daemons"]] == ["scheduler"]
    assert page.status_code == 200
    assert "Hourly &lt;probe&gt;" in page.text
    assert "<probe>" not in page.text
    assert "75%" in page.text


async def test_an_empty_installation_says_what_to_do(served: Served) -> None:
    async with served.client() as client:
        for path in ("/", "/jobs", "/run-templates"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert 'class="empty"' in answer.text


async def test_pages_are_narrowed_to_the_company_of_the_address(installation: Installation, served: Served) -> None:
    first, application, template = await small_world(installation)
    second = await installation.company("Acme")
    other = await installation.template(second, application, "Other")
    mine = await installation.job(first, application, template)
    await installation.job(second, application, other)
    await installation.project()
    async with served.client() as client:
        jobs = (await client.get("/jobs.json", params={"company": first})).json()["jobs"]
        assert [job["id"] for job in jobs] == [mine]
        page = (await client.get("/", params={"company": first})).text
        assert f'href="/multiflexi/jobs?company={first}"' in page
        assert (await client.get("/", params={"company": 999})).status_code == 404


async def test_jobs_are_paged_by_their_ids_and_filtered(installation: Installation, served: Served) -> None:
    company, application, template = await small_world(installation)
    made = [await installation.schedule(company, application, template) for _ in range(55)]
    await installation.cancel(made[3], company, template)
    await installation.project()
    async with served.client() as client:
        first = (await client.get("/jobs.json")).json()
        second = (await client.get("/jobs.json", params={"before": first["older"]})).json()
        assert [job["id"] for job in first["jobs"] + second["jobs"]] == made[::-1]
        assert second["older"] is None
        cancelled = (await client.get("/jobs.json", params={"status": "cancelled"})).json()
        assert [job["id"] for job in cancelled["jobs"]] == [made[3]]
        assert f"before={first['older']}" in (await client.get("/jobs")).text


async def test_a_job_with_all_that_is_known_of_it(installation: Installation, served: Served) -> None:
    company, application, template = await small_world(installation)
    job = await installation.schedule(
        company, application, template, environment={"DB_PASSWORD": "geheim", "LANG": "cs"}, launched_by="user:1"
    )
    await installation.start(job, company, template)
    await installation.write(job, company, b"\x1b[31mred\x1b[0m <b>\n")
    await installation.write(job, company, b"oops\n", "stderr")
    await installation.finish(job, company, template, "failure", 255, command=["probe", "a b"], reason="disk full")
    await installation.project()
    async with served.client() as client:
        page = (await client.get(f"/job/{job}")).text
        data = (await client.get(f"/job/{job}.json")).json()
    assert data["environment"] == {"DB_PASSWORD": "••••••••", "LANG": "cs"}
    assert "geheim" not in page
    assert [each["type"] for each in data["timeline"]] == ["JobScheduled", "JobStarted", "JobFinished"]
    assert data["job"]["status"] == "failed"
    assert data["exit_meaning"] == "Failure"
    assert [channel["bytes"] for channel in data["channels"]] == [17, 5]
    assert '<span class="f1">red</span> &lt;b&gt;' in page
    assert re.search(r'class="l e"[^>]*>oops<', page)
    for shown in ("probe &#39;a b&#39;", "disk full", "worker.example", "User 1"):
        assert shown in page


async def test_output_is_downloaded_byte_for_byte(installation: Installation, served: Served) -> None:
    company, application, template = await small_world(installation)
    pieces = [bytes(range(256)), b"more\n" * 40_000, b"end"]
    output = [("stdout", piece) for piece in pieces] + [("stderr", b"\xff\x00")]
    job = await installation.job(company, application, template, output=output)
    await installation.project()
    async with served.client() as client:
        answer = await client.get(f"/job/{job}/output/stdout.txt")
        assert answer.content == b"".join(pieces)
        assert answer.headers["content-disposition"] == f'attachment; filename="job-{job}-stdout.txt"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (await client.get(f"/job/{job}/output/stderr.txt")).content == b"\xff\x00"
        assert (await client.get(f"/job/{job}/output/etc.txt")).status_code == 404


async def test_of_a_long_output_the_end_is_shown(installation: Installation, served: Served) -> None:
    company, application, template = await small_world(installation)
    pieces = [("stdout", b"".join(b"%d-%d\n" % (number, line) for line in range(4000))) for number in range(40)]
    job = await installation.job(company, application, template, output=pieces)
    await installation.project()
    async with served.client() as client:
        page = (await client.get(f"/job/{job}")).text
    assert "39-3999<" in page
    assert "0-0<" not in page
    assert "data-load-all" in page
    assert page.count('<div class="l"') == 1000


NAMED = (
    "application/{}",
    "company/{}",
    "company/{}/members",
    "credential/{}",
    "credential-type/{}/edit",
    "job/{}",
    "pause/company/{}",
    "run-template/{}",
    "task/{}",
    "user/{}",
    "user-group/{}",
)
"""Addresses with an id in them."""


async def test_what_is_not_there_is_told_as_page_and_as_problem(served: Served) -> None:
    async with served.client() as client:
        for path in ("/job/999", "/job/abc", "/nothing", "/static/x.css"):
            page = await client.get(path, headers={"accept": "text/html"})
            problem = await client.get(path, headers={"accept": "application/json"})
            assert page.status_code == 404
            assert "To the dashboard" in page.text
            assert problem.headers["content-type"].startswith("application/problem+json")
            assert problem.json()["status"] == problem.status_code


@pytest.mark.parametrize("number", ["999", "0", "abc", "2147483648", "0000000000199999999999", "9" * 5000])
async def test_there_is_nothing_with_a_number_that_is_none_or_too_large(served: Served, number: str) -> None:
    async with served.client() as client:
        answers = {address: (await client.get(f"/{address.format(number)}")).status_code for address in NAMED}
    assert answers == dict.fromkeys(NAMED, 404)


async def test_language_theme_and_zone_are_kept(served: Served) -> None:
    async with served.client(headers={"accept-language": "cs-CZ,cs;q=0.9"}) as client:
        assert '<html lang="cs" data-theme="auto"' in (await client.get("/")).text
        await client.get("/jobs", params={"lang": "en", "theme": "dark", "tz": "Asia/Tokyo"})
        page = (await client.get("/")).text
        assert '<html lang="en" data-theme="dark"' in page
        assert "Times are in Asia/Tokyo (JST)" in page
        await client.get("/", params={"lang": "xx", "theme": "<", "tz": "../etc"})
        assert "Times are in Asia/Tokyo" in (await client.get("/")).text
        await client.get("/", params={"tz": "auto"})
        assert "Times are in Europe/Prague" in (await client.get("/")).text


async def test_every_answer_has_the_headers_that_protect_it(served: Served) -> None:
    async with served.client() as client:
        answers = [await client.get(path) for path in ("/", "/health", "/nothing", "/dashboard.json", "/job/1")]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


async def test_files_are_kept_for_ever_and_compressed(served: Served) -> None:
    async with served.client() as client:
        page = (await client.get("/")).text
        for address in re.findall(r'(?:href|src)="/multiflexi(/static/[^"]+)"', page):
            answer = await client.get(address)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
            assert re.search(r"\.[0-9a-f]{12}\.", address)
        style = re.search(r'href="/multiflexi(/static/app[^"]+)"', page)
        assert style
        assert (await client.get(style[1])).headers["content-encoding"] == "gzip"


async def test_a_template_is_run_once_whatever_is_clicked(installation: Installation, served: Served) -> None:
    _, _, template = await small_world(installation)
    async with served.client() as client:
        page = (await client.get(f"/run-template/{template}")).text
        form = dict(re.findall(r'name="(_csrf_token|key)" value="([^"]+)"', page))
        answers = await asyncio.gather(
            *(client.post(f"/run-template/{template}/run", data=form) for _ in range(3)),
            installation_projects(installation),
        )
    places = {answer.headers["location"] for answer in answers if isinstance(answer, httpx.Response)}
    assert len(places) == 1
    assert re.fullmatch(r"/multiflexi/job/\d+", places.pop())
    assert await installation.store.pool.fetchval("SELECT count(*) FROM job_queue") == 1


async def installation_projects(installation: Installation) -> None:
    for _ in range(40):
        await installation.project()
        await asyncio.sleep(0.05)


async def test_a_queued_job_is_cancelled_and_a_running_one_is_asked_to_end(
    installation: Installation, served: Served
) -> None:
    company, application, template = await small_world(installation)
    waiting, running = [await installation.schedule(company, application, template) for _ in range(2)]
    await installation.start(running, company, template)
    await installation.project()
    async with served.client() as client:
        page = (await client.get(f"/job/{waiting}")).text
        form = dict(re.findall(r'name="(_csrf_token)" value="([^"]+)"', page))
        answer, _ = await asyncio.gather(
            client.post(f"/job/{waiting}/cancel", data=form), installation_projects(installation)
        )
        assert answer.status_code == 303
        assert (await client.get(f"/job/{waiting}.json")).json()["job"]["state"] == "cancelled"
        answer, _ = await asyncio.gather(
            client.post(f"/job/{running}/cancel", data=form), installation_projects(installation)
        )
        assert answer.status_code == 303
        assert "Its executor is ending the job." in (await client.get(f"/job/{running}")).text
        assert (await client.post(f"/job/{waiting}/cancel", data=form)).status_code == 409


async def test_a_form_without_its_token_is_refused(installation: Installation, served: Served) -> None:
    _, _, template = await small_world(installation)
    async with served.client() as client:
        await client.get("/")
        for form in ({}, {"_csrf_token": "0" * 128}):
            answer = await client.post(f"/run-template/{template}/run", data=form, headers={"accept": "text/html"})
            assert answer.status_code == 403
    assert await installation.store.pool.fetchval("SELECT count(*) FROM job_queue") == 0


async def test_without_database_a_page_says_so_and_goes_on_when_it_is_back(installation: Installation) -> None:
    """The database is away before the program starts, comes, goes, and comes again; nothing is restarted."""

    async def status_becomes(client: httpx.AsyncClient, wanted: int) -> httpx.Response:
        for _ in range(200):
            answer = await client.get("/", headers={"accept": "text/html"})
            if answer.status_code == wanted:
                return answer
            assert answer.status_code in (200, 503)
            await asyncio.sleep(0.05)
        raise AssertionError(f"never {wanted}")

    async with away(installation) as come_back, serving(installation) as served, served.client() as client:
        page = await status_becomes(client, 503)
        assert page.headers["retry-after"] == "2"
        assert 'http-equiv="refresh"' in page.text
        problem = await client.get("/dashboard.json")
        assert problem.headers["content-type"].startswith("application/problem+json")
        assert (await client.get("/health")).json()["status"] == "unavailable"
        await come_back()
        await status_becomes(client, 200)
        async with away(installation) as come_back_again:
            await status_becomes(client, 503)
            await come_back_again()
            await status_becomes(client, 200)
