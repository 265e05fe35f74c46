"""Tasks: the list with its filters, one of them with its attempts, and the figure of the dashboard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.web.conftest import Served
from tests.web.seeding import Installation
from tests.web.test_web_live import following
from tests.web.test_web_pages import small_world


async def history(installation: Installation) -> dict[str, int]:
    """Append four tasks of today and yesterday, and return their ids by state, with the company and the template."""
    company, application, template = await small_world(installation)
    now = datetime.now(UTC)
    late = await installation.task(
        company, template, now - timedelta(minutes=10), deadline=now - timedelta(minutes=5), max_attempts=2
    )
    first = await installation.job(
        company, application, template, at=now - timedelta(minutes=8), task_id=late, outcome="failure", code=255
    )
    second = await installation.job(
        company, application, template, at=now - timedelta(minutes=2), task_id=late, attempt=2, retry_of=first
    )
    await installation.fulfil(
        late, company, template, second, late=True, fulfilled_at=now - timedelta(minutes=2, seconds=30)
    )
    old = now - timedelta(days=3)
    missed = await installation.task(company, template, old)
    await installation.miss(missed, company, template)
    failed = await installation.task(company, template, old + timedelta(hours=1))
    await installation.fail(failed, company, template, "No attempt of 3 is left.")
    opened = await installation.task(company, template, now - timedelta(minutes=1))
    await installation.project()
    states = {"late": late, "missed": missed, "failed": failed, "open": opened, "first": first, "second": second}
    return states | {"company": company, "template": template}


async def ids(served: Served, **parameters: object) -> list[int]:
    async with served.client() as client:
        answer = await client.get("/tasks.json", params={name: str(value) for name, value in parameters.items()})
        assert answer.status_code == 200, answer.text
        return [task["id"] for task in answer.json()["tasks"]]


async def test_tasks_are_filtered_by_state_template_company_and_period(
    installation: Installation, served: Served
) -> None:
    made = await history(installation)
    other = await installation.company("Acme")
    application = await installation.application("Other")
    template = await installation.template(other, application, "Other")
    theirs = await installation.task(other, template, datetime.now(UTC) - timedelta(minutes=3))
    everything = [theirs, made["open"], made["failed"], made["missed"], made["late"]]
    assert await ids(served) == everything
    assert await ids(served, company=other) == [theirs]
    assert await ids(served, template=made["template"]) == everything[1:]
    assert await ids(served, state="missed") == [made["missed"]]
    assert await ids(served, state="unmet") == [made["failed"], made["missed"], made["late"]]
    day = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    assert set(await ids(served, tz="UTC", to=day)) <= {made["failed"], made["missed"]}
    assert await ids(served, to=day, state="missed", tz="UTC") == [made["missed"]]
    recent = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert await ids(served, **{"from": recent}) == [theirs, made["open"], made["late"]]


async def test_filters_stay_in_the_links_of_the_list(installation: Installation, served: Served) -> None:
    made = await history(installation)
    async with served.client() as client:
        page = (await client.get(f"/tasks?state=missed&template={made['template']}&from=2020-01-01")).text
        template = f"template={made['template']}"
        assert f'href="/multiflexi/tasks?state=failed&amp;{template}&amp;from=2020-01-01"' in page
        assert f'href="/multiflexi/tasks.json?state=missed&amp;{template}&amp;from=2020-01-01"' in page
        assert 'type="date" name="from" value="2020-01-01"' in page


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("state=late", "unmet, open, running, fulfilled, fulfilled_late, failed, missed"),
        ("from=yesterday", "expected a day such as 2026-01-31, or a moment"),
        ("to=9999-12-31", "expected a day"),
        ("template=x", "expected a number"),
        ("template=999", "There is no run template 999."),
    ],
)
async def test_a_wrong_filter_is_told(served: Served, query: str, told: str) -> None:
    async with served.client() as client:
        answer = await client.get(f"/tasks.json?{query}")
    assert answer.status_code in (400, 404)
    assert told in answer.json()["detail"]


async def test_a_task_with_its_attempts_and_why_it_ended_so(installation: Installation, served: Served) -> None:
    made = await history(installation)
    async with served.client() as client:
        late = (await client.get(f"/task/{made['late']}.json")).json()
        assert [(each["number"], each["job"]["id"], each["retry_of"]) for each in late["attempts"]] == [
            (1, made["first"], None),
            (2, made["second"], made["first"]),
        ]
        assert late["task"]["late_seconds"] == 150
        page = (await client.get(f"/task/{made['late']}")).text
        assert "Fulfilled 2 min 30 s after the deadline." in page
        assert f'href="/multiflexi/job/{made["second"]}"' in page
        czech = (await client.get(f"/task/{made['failed']}?lang=cs")).text
        assert "Z 3 pokusů už žádný nezbývá." in czech
        assert "The task was missed." in (await client.get(f"/task/{made['missed']}?lang=en")).text
        assert (await client.get("/task/999")).status_code == 404
        assert (await client.get("/task/abc")).status_code == 404


async def test_jobs_and_templates_lead_to_their_tasks(installation: Installation, served: Served) -> None:
    made = await history(installation)
    async with served.client() as client:
        job = (await client.get(f"/job/{made['second']}")).text
        assert f'href="/multiflexi/task/{made["late"]}"' in job
        assert f'href="/multiflexi/job/{made["first"]}"' in job
        template = (await client.get(f"/run-template/{made['template']}")).text
        assert f'href="/multiflexi/task/{made["missed"]}"' in template
        assert f'href="/multiflexi/tasks?template={made["template"]}"' in template


async def test_the_dashboard_counts_what_was_not_in_time_today(installation: Installation, served: Served) -> None:
    company, _application, template = await small_world(installation)
    now = datetime.now(UTC)
    for start in (now - timedelta(seconds=2), now - timedelta(days=2)):
        missed = await installation.task(company, template, start)
        await installation.miss(missed, company, template)
    await installation.task(company, template, now - timedelta(seconds=1))
    async with served.client() as client:
        today = (await client.get("/dashboard.json")).json()["figures"]["tasks_today"]
        assert (today["missed"], today["open"]) == (1, 1)
        assert "1 missed" in (await client.get("/")).text


async def test_an_open_task_is_live_until_it_ends(no_beat: None, installation: Installation, served: Served) -> None:
    made = await history(installation)
    async with served.client() as client:
        assert "data-live=" in (await client.get(f"/task/{made['open']}")).text
        assert "data-live=" not in (await client.get(f"/task/{made['missed']}")).text
        async with following(client, f"/task/{made['open']}/live") as events, following(client, "/tasks/live") as rows:
            await events.next("parts")
            await rows.next("parts")
            await installation.miss(made["open"], made["company"], made["template"])
            parts = {}
            while "Missed" not in parts.get("head", ""):
                parts |= (await events.next("parts"))[1]
            assert "Missed" in (await rows.next("parts"))[1]["rows"]
