"""The queue with the reasons why jobs wait, pauses, and how the parts of the program are."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from domain.application_events import ApplicationUpdated
from domain.company_events import CompanyChanged
from domain.run_template_events import RunTemplateChanged
from tests.web.conftest import Served
from tests.web.seeding import Installation, sign_of_life
from tests.web.test_web_live import following
from tests.web.test_web_pages import small_world

EXECUTOR = '{"executors": ["Native"], "labels": ["bank"], "places": 8}'


async def reasons(served: Served) -> dict[int, str]:
    async with served.client() as client:
        queue = (await client.get("/queue.json")).json()
    return {each["id"]: each["reason"]["code"] for each in queue["waiting"]}


async def test_each_job_says_why_it_waits(installation: Installation, served: Served) -> None:
    company, application, template = await small_world(installation)
    other = await installation.template(company, application, "Other", overlap_policy="allow")
    running = await installation.schedule(company, application, template)
    await installation.start(running, company, template)
    same = await installation.schedule(company, application, template)
    later = await installation.schedule(
        company, application, other, not_before=datetime.now(UTC) + timedelta(hours=1), priority=9
    )
    plain = await installation.schedule(company, application, other)
    labelled = await installation.schedule(company, application, other, labels=["bank"])
    foreign = await installation.schedule(company, application, other, labels=["bank", "gpu"])
    docker = await installation.schedule(company, application, other, executor="Docker")
    assert (await reasons(served))[plain] == "no_executor"
    sign_of_life(installation.database, "executor", detail=EXECUTOR)
    assert await reasons(served) == {
        same: "template_full",
        plain: "place",
        labelled: "place",
        foreign: "no_label",
        docker: "no_kind",
        later: "later",
    }
    await installation.append(f"company-{company}", company, CompanyChanged(company_id=company, max_parallel=1))
    assert (await reasons(served))[plain] == "company_full"
    limited = ApplicationUpdated(application_id=application, max_parallel=1)
    await installation.append(f"application-{application}", None, limited)
    assert (await reasons(served))[plain] == "application_full"
    paused = ApplicationUpdated(application_id=application, paused=True)
    await installation.append(f"application-{application}", None, paused)
    assert (await reasons(served))[plain] == "application_paused"
    await installation.append(f"company-{company}", company, CompanyChanged(company_id=company, paused=True))
    assert (await reasons(served))[plain] == "company_paused"
    assert (await reasons(served))[later] == "later"
    async with served.client() as client:
        page = (await client.get("/queue")).text
    assert "its company is paused" in page


async def test_places_are_counted_in_each_company_by_priority(installation: Installation, served: Served) -> None:
    company, application, template = await small_world(installation)
    other = await installation.company("Acme")
    theirs = await installation.template(other, application, "Other")
    low, high = [await installation.schedule(company, application, template, priority=each) for each in (0, 5)]
    only = await installation.schedule(other, application, theirs)
    async with served.client() as client:
        queue = (await client.get("/queue.json")).json()
        assert [(each["id"], each["place"]) for each in queue["waiting"]] == [(high, 1), (only, 1), (low, 2)]
        assert [(each["id"], each["waiting"]) for each in queue["companies"]] == [(company, 2), (other, 1)]
        narrowed = (await client.get("/queue.json", params={"company": other})).json()
        assert [each["id"] for each in narrowed["waiting"]] == [only]
        assert narrowed["figures"]["ready"] == 1


async def test_a_long_queue_has_pages(installation: Installation, served: Served) -> None:
    company, application, template = await small_world(installation)
    made = [await installation.schedule(company, application, template) for _ in range(53)]
    async with served.client() as client:
        first = (await client.get("/queue.json")).json()
        second = (await client.get("/queue.json", params={"skip": first["more"]})).json()
        assert [each["id"] for each in first["waiting"] + second["waiting"]] == made
        assert second["more"] is None
        assert "skip=50" in (await client.get("/queue")).text
        assert (await client.get("/queue", params={"skip": "x"})).status_code == 400


async def send(served: Served, path: str, **form: str) -> None:
    async with served.client() as client:
        page = (await client.get(path)).text
        token = re.search(r'name="_csrf_token" value="([^"]+)"', page)
        assert token
        answer = await client.post(path, data={"_csrf_token": token[1], **form})
        assert answer.status_code == 303, answer.text


@pytest.mark.parametrize("what", ["system", "company", "application"])
async def test_what_is_paused_is_told_with_its_reason_until_it_is_resumed(
    installation: Installation, served: Served, what: str
) -> None:
    company, application, template = await small_world(installation)
    job = await installation.schedule(company, application, template)
    path = f"/pause/{what}/{ {'system': 1, 'company': company, 'application': application}[what] }"
    async with served.client() as client:
        before = (await client.get(path)).text
        assert "1 job goes on waiting" in before
        await send(served, path, do="pause", reason="The bank <moves>")
        assert (await client.get(f"{path}.json")).json()["paused"] is True
        for page in ("/", "/queue", f"/run-template/{template}"):
            text = (await client.get(page)).text
            assert "The bank &lt;moves&gt;" in text, page
            assert f'href="/multiflexi{path}"' in text, page
        assert (await reasons(served))[job] == f"{what}_paused"
        assert "1 job that waits may start at once." in (await client.get(path)).text
        await send(served, path, do="resume")
        assert (await client.get(f"{path}.json")).json() == {
            "what": what,
            "id": int(path.rpartition("/")[2]),
            "name": {"system": None, "company": "Novák & syn", "application": "MultiFlexi Probe"}[what],
            "paused": False,
            "reason": None,
            "waiting": 1,
            "running": 0,
        }
        assert "The bank" not in (await client.get("/queue")).text


async def test_a_template_is_switched_off_with_a_reason_and_on_again(
    installation: Installation, served: Served
) -> None:
    _, _, template = await small_world(installation)
    path = f"/pause/template/{template}"
    await send(served, path, do="pause", reason="Stocktaking")
    async with served.client() as client:
        page = (await client.get(f"/run-template/{template}")).text
        assert "Switched off" in page
        assert "Stocktaking" in page
        await send(served, path, do="resume")
        page = (await client.get(f"/run-template/{template}")).text
        assert "Switched off" not in page
        due = (await client.get(f"/run-template/{template}.json")).json()["template"]["next_due"]
        assert due is not None


@pytest.mark.parametrize("path", ["/pause/company/99", "/pause/system/2", "/pause/job/1", "/pause/company/x"])
async def test_nothing_else_can_be_paused(served: Served, path: str) -> None:
    async with served.client() as client:
        assert (await client.get(path)).status_code == 404


async def test_the_system_page_tells_what_is_missing_late_and_skipped(
    installation: Installation, served: Served
) -> None:
    company, application, template = await small_world(installation)
    await installation.project()
    for kind in ("projector", "scheduler", "executor"):
        sign_of_life(installation.database, kind, detail=EXECUTOR)
    running = await installation.schedule(company, application, template)
    await installation.start(running, company, template, executor_id="executor-worker.example")
    await installation.project()
    async with served.client() as client:
        data = (await client.get("/system.json")).json()
        assert data["missing"] == []
        executor = next(each for each in data["daemons"] if each["kind"] == "executor")
        assert (executor["running"], executor["places"], executor["labels"]) == (1, 8, ["bank"])
        assert "All parts of the program are there" in (await client.get("/system")).text
        with psycopg.connect(installation.database.owner_url, options="-c search_path=multiflexi") as connection:
            connection.execute("UPDATE daemons SET seen_at = seen_at - interval '1 hour' WHERE kind = 'scheduler'")
            connection.execute(
                "INSERT INTO skipped_events (projection, epoch, xid, position, stream, version, type, error)"
                " VALUES ('dashboard', 1, '9', 9, 'job-9', 1, 'JobFinished', 'secret of a company')"
            )
        page = (await client.get("/system")).text
        assert "Nothing that is due is put into the queue." in page
        assert "1 \N{MULTIPLICATION SIGN} JobFinished" in page
        assert "secret of a company" not in page
        data = (await client.get("/system.json")).json()
        assert data["missing"] == ["scheduler"]
        assert data["skipped"][0]["events"] == 1


async def test_the_queue_is_live(no_beat: None, installation: Installation, served: Served) -> None:
    company, application, template = await small_world(installation)
    async with served.client() as client, following(client, "/queue/live") as events:
        await events.next("parts")
        job = await installation.schedule(company, application, template)
        await installation.project()
        seen: dict[str, str] = {}
        while f"waiting-{job}" not in seen.get("rows", ""):
            seen |= (await events.next("parts"))[1]
        await installation.append(
            f"run_template-{template}", company,
            RunTemplateChanged(run_template_id=template, company_id=company, name="Renamed"),
        )  # fmt: skip
        while "Renamed" not in seen["rows"]:
            seen |= (await events.next("parts"))[1]


async def test_the_page_of_a_job_that_waits_says_why_and_what_is_before_it(
    installation: Installation, served: Served
) -> None:
    company, application, template = await small_world(installation)
    sign_of_life(installation.database, "executor", detail=EXECUTOR)
    first, second = [await installation.schedule(company, application, template, labels=["gpu"]) for _ in range(2)]
    await installation.project()
    async with served.client() as client:
        page = (await client.get(f"/job/{second}")).text
        assert "1 job of its company is before it." in page
        assert "no executor has the labels gpu" in page
        waits = (await client.get(f"/job/{second}.json")).json()["waits"]
        assert (waits["place"], waits["reason"]["code"], waits["reason"]["labels"]) == (2, "no_label", ["gpu"])
        assert (await client.get(f"/job/{first}.json")).json()["waits"]["place"] == 1
        await installation.start(first, company, template)
        await installation.project()
        assert (await client.get(f"/job/{first}.json")).json()["waits"] is None
