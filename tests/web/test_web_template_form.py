"""Changing a run template, looking ahead, running it once with values of its own, and a job again."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from domain.environment import environment_in
from domain.job_events import JobScheduled
from tests.web.conftest import Served
from tests.web.seeding import Installation
from tests.web.test_web_pages import installation_projects

DEFINITION = {
    "PROBE_HOST": {
        "type": "string",
        "required": True,
        "defval": "localhost",
        "description": {"en": "Host", "cs": "Stroj"},
    },
    "PROBE_PORT": {"type": "integer"},
    "PROBE_PASSWORD": {"type": "password"},
    "PROBE_MODE": {"type": "select", "options": {"fast": "Fast", "full": "Full"}},
    "PROBE_VERBOSE": {"type": "bool", "defval": False},
}
STORED = {"PROBE_HOST": "erp.example", "PROBE_PASSWORD": "geheim-1", "EXTRA": "x"}


async def world(installation: Installation, **more: Any) -> tuple[int, int, int]:
    company = await installation.company("Acme")
    application = await installation.application(environment=DEFINITION)
    template = await installation.template(
        company, application, "Probe", **{"interval": "h", "environment": STORED, **more}
    )
    return company, application, template


async def form_on(client: httpx.AsyncClient, path: str) -> dict[str, str]:
    """Return what a browser would send of the form of a page, untouched."""
    page = (await client.get(path)).text
    form = {}
    for tag in re.findall(r"<input [^>]+>", page.partition('method="post"')[2]):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if attributes.get("type") == "checkbox" and " checked" not in tag:
            continue
        if "name" in attributes:
            form[attributes["name"]] = html.unescape(attributes.get("value", ""))
    for name, options in re.findall(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        first = re.search(r'value="([^"]*)"', options)
        form[name] = (chosen or first)[1] if (chosen or first) else ""  # type: ignore[index]
    for name, text in re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', page, re.DOTALL):
        form[name] = html.unescape(text)
    return form


async def stored(installation: Installation, template: int) -> dict[str, Any]:
    document = msgspec.json.decode(
        await installation.store.pool.fetchval("SELECT document FROM run_template WHERE id = $1", template)
    )
    place = f"run_template-{template}|environment"
    (clear,) = await installation.store.keyring.reveal([(document["environment"], place)])
    return {**document, "environment": environment_in(clear)}


async def test_a_form_that_is_sent_untouched_changes_nothing(installation: Installation, served: Served) -> None:
    more = {
        "start_at": datetime(2026, 1, 1, 12, 30, 15, tzinfo=UTC), "labels": ["bank"], "note": "who to call",
        "limits": {"memory": 512 * 2**20, "wall_time": 60}, "allow_late": True, "deadline_offset": "+3h",
    }  # fmt: skip
    _, _, template = await world(installation, **more)
    before = await stored(installation, template)
    async with served.client() as client:
        form = await form_on(client, f"/run-template/{template}/edit")
        assert form["limit.memory"] == "512M"
        assert form["note"] == "who to call"
        answer = await client.post(f"/run-template/{template}/edit", data=form)
        assert answer.headers["location"] == f"/multiflexi/run-template/{template}?saved=0"
        assert "Nothing was changed." in (await client.get(f"/run-template/{template}?saved=0")).text
    assert await stored(installation, template) == before


async def test_every_field_can_be_changed_and_what_changed_is_told(installation: Installation, served: Served) -> None:
    _, _, template = await world(installation)
    wish = {
        "name": "Nightly probe", "note": "Call Eva", "interval": "c", "cron": "30 2 * * *", "time_zone": "Asia/Tokyo",
        "start_at": "2027-01-01T08:00", "end_at": "2027-06-01T08:00", "delay": "5", "jitter": "10",
        "missed_policy": "all", "missed_limit": "3", "overlap_policy": "allow", "max_parallel": "4", "priority": "-7",
        "deadline_offset": "+3h", "allow_late": "yes", "max_attempts": "3", "retry_backoff": "linear",
        "retry_min_gap": "60", "when_lost": "retry", "executor": "Docker", "labels": "bank, eu", "run_as": "probe",
        "limit.memory": "1 GiB", "limit.processes": "20",
    }  # fmt: skip
    async with served.client() as client:
        form = await form_on(client, f"/run-template/{template}/edit?tz=UTC")
        answer = await client.post(f"/run-template/{template}/edit", data={**form, **wish})
        assert answer.status_code == 303, re.findall(r'field-error"[^>]*>.*?<span>([^<]+)', answer.text)
        place = answer.headers["location"].removeprefix("/multiflexi")
        page = (await client.get(place)).text
        changes = (await client.get(f"/run-template/{template}.json")).json()["changes"]
    now = await stored(installation, template)
    assert {name: now[name] for name in wish if name in now and name not in ("note", "start_at", "end_at")} == {
        "name": "Nightly probe", "interval": "c", "cron": "30 2 * * *", "time_zone": "Asia/Tokyo", "delay": 5,
        "jitter": 10, "missed_policy": "all", "missed_limit": 3, "overlap_policy": "allow", "max_parallel": 4,
        "priority": -7, "deadline_offset": "+3h", "allow_late": True, "max_attempts": 3, "retry_backoff": "linear",
        "retry_min_gap": 60, "when_lost": "retry", "executor": "Docker", "labels": ["bank", "eu"], "run_as": "probe",
    }  # fmt: skip
    assert now["limits"] == {"memory": 2**30, "processes": 20}
    assert now["start_at"].startswith("2027-01-01T08:00")
    assert now["environment"] == STORED
    told = {each["field"]: (each["before"], each["after"]) for each in changes[0]["fields"]}
    assert told["name"] == ("Probe", "Nightly probe")
    assert told["cron"] == ("", "30 2 * * *")
    assert len(told) == len(wish) - 1, "the two limits are one field"
    assert 'class="is-saved"' in page
    assert "<del>Probe</del>" in page


async def test_what_is_wrong_stands_beside_each_field_in_the_language_of_the_viewer(
    installation: Installation, served: Served
) -> None:
    _, _, template = await world(installation)
    before = await stored(installation, template)
    wrong = {
        "name": " ", "interval": "c", "cron": "61 2 * * *", "time_zone": "Europe/Praha", "delay": "soon",
        "deadline_offset": "noon", "max_attempts": "1000", "labels": "a b!", "run_as": "Root Toor",
        "limit.memory": "much", "limit.processes": "0", "env.PROBE_PORT": "https", "extra_name.9": "A B",
    }  # fmt: skip
    async with served.client() as client:
        form = await form_on(client, f"/run-template/{template}/edit?lang=cs")
        answer = await client.post(f"/run-template/{template}/edit?lang=cs", data={**form, **wrong})
    assert answer.status_code == 422
    assert await stored(installation, template) == before
    page = answer.text
    for name in (*wrong, "env.PROBE_PORT"):
        if name not in ("interval", "extra_name.9"):
            assert f'id="{name}-error"' in page, name
            assert re.search(rf'id="(f-)?{re.escape(name)}"[^>]* aria-describedby="{re.escape(name)}-error', page), name
    texts = re.findall(r'class="field-error"[^>]*>.*?<span>([^<]+)</span>', page)
    for text in (
        "Chybí název. Doplňte.",
        "Časové pásmo „Europe/Praha“ neexistuje. Nemá být Europe/Prague?",
        "Zadejte celé číslo.",
        "Hodnota 1000 nejde (počet pokusů); musí být mezi 1 a 100.",
        "Očekává se celé číslo.",
    ):
        assert text in texts, text
    assert any(text.startswith("Ve výrazu cronu „61 2 * * *“ je chyba (pole minuta): 61 je mimo") for text in texts)
    assert not [text for text in texts if re.search(r"\b(the|must|Give|cannot)\b", text)]
    assert 'value="Europe/Praha"' in page, "what was typed stays"


async def test_what_only_the_whole_shows_is_told_too(installation: Installation, served: Served) -> None:
    _, _, template = await world(installation)
    async with served.client() as client:
        form = await form_on(client, f"/run-template/{template}/edit")
        for wish, field in (
            ({"interval": "c"}, "cron"),
            ({"start_at": "2027-02-01T08:00", "end_at": "2027-01-01T08:00"}, "end_at"),
        ):
            answer = await client.post(f"/run-template/{template}/edit", data={**form, **wish})
            assert answer.status_code == 422
            assert f'id="{field}-error"' in answer.text


async def test_values_of_the_environment_are_set_kept_hidden_and_taken_away(
    installation: Installation, served: Served
) -> None:
    _, _, template = await world(installation)
    path = f"/run-template/{template}/edit"
    async with served.client() as client:
        page = (await client.get(path)).text
        assert "geheim-1" not in page
        assert "stored; leave empty to keep it" in page
        assert "as given: false" in page
        form = await form_on(client, path)
        wish = {"env.PROBE_HOST": "", "env.PROBE_MODE": "full", "env.PROBE_VERBOSE": "true", "env.PROBE_PORT": "8443"}
        await client.post(path, data={**form, **wish, "extra_name.2": "LANG", "extra_value.2": "cs"})
        now = {"PROBE_MODE": "full", "PROBE_VERBOSE": "true", "PROBE_PORT": "8443", "LANG": "cs"}
        assert (await stored(installation, template))["environment"] == {
            "PROBE_PASSWORD": "geheim-1", "EXTRA": "x", **now
        }  # fmt: skip
        form = await form_on(client, path)
        line = next(name for name, value in form.items() if name.startswith("extra_name.") and value == "EXTRA")
        await client.post(path, data={**form, "env.PROBE_PASSWORD": "geheim-2", line: ""})
        assert (await stored(installation, template))["environment"] == {"PROBE_PASSWORD": "geheim-2", **now}
        form = await form_on(client, path)
        await client.post(path, data={**form, "forget.PROBE_PASSWORD": "yes"})
        assert (await stored(installation, template))["environment"] == now
        page = (await client.get(f"/run-template/{template}")).text
        assert "PROBE_PASSWORD" in page
        assert "geheim" not in page


async def test_a_change_of_somebody_else_meanwhile_is_not_overwritten_unseen(
    installation: Installation, served: Served
) -> None:
    _, _, template = await world(installation)
    path = f"/run-template/{template}/edit"
    async with served.client() as client:
        mine, theirs = await form_on(client, path), await form_on(client, path)
        await client.post(path, data={**theirs, "name": "Theirs"})
        answer = await client.post(path, data={**mine, "priority": "5"})
        assert answer.status_code == 409
        assert "Somebody changed the template meanwhile." in answer.text
        assert 'name="priority" type="text" value="5"' in answer.text
        assert (await stored(installation, template))["priority"] == 0
        again = {**mine, "priority": "5", "version": re.findall(r'name="version" value="(\d+)"', answer.text)[0]}
        assert (await client.post(path, data=again)).status_code == 303
        assert (await stored(installation, template))["priority"] == 5


async def test_the_next_runs_are_told_with_what_daylight_saving_time_does(
    installation: Installation, served: Served
) -> None:
    _, _, template = await world(installation)
    path = f"/run-template/{template}/preview"
    spring = {"interval": "c", "cron": "30 2 * * *", "start_at": "2027-03-27T12:00", "tz": "UTC"}
    autumn = {**spring, "start_at": "2027-10-30T12:00"}
    hourly = {**autumn, "cron": "30 * * * *", "start_at": "2027-10-30T23:00"}
    async with served.client() as client:

        async def ahead(parameters: dict[str, str]) -> list[tuple[str, bool, str]]:
            found = (await client.get(f"{path}.json", params=parameters)).json()
            return [(each["due"], each["moved"], each["remark"] or "") for each in found["runs"]]

        first, second, *_ = await ahead(spring)
        assert first[:2] == ("2027-03-28T01:00:00Z", True)
        assert "the clock goes from 02:00 to 03:00" in first[2]
        assert second == ("2027-03-29T00:30:00Z", False, "")
        first, second, *_ = await ahead(autumn)
        assert first[0] == "2027-10-31T00:30:00Z"
        assert "the run is the first time only" in first[2]
        assert second[2] == ""
        runs = await ahead(hourly)
        assert [each[0][11:16] for each in runs[:3]] == ["23:30", "00:30", "01:30"]
        assert "it runs both times" in runs[1][2]
        wrong = await client.get(path, params={"interval": "c", "cron": "x", "lang": "cs"})
        assert "Ve výrazu cronu „x“ je chyba" in wrong.text
        assert (await client.get(f"{path}.json", params={"interval": "n"})).json()["runs"] == []
        zone = (await client.get(f"{path}.json", params={"interval": "d", "time_zone": "Mars/Base"})).json()
        assert zone["field"] == "time_zone"


async def sent(
    installation: Installation, client: httpx.AsyncClient, path: str, form: dict[str, str]
) -> httpx.Response:
    answer, _ = await asyncio.gather(client.post(path, data=form), installation_projects(installation))
    return answer


async def test_a_template_runs_once_at_a_time_and_with_values_of_its_own(
    installation: Installation, served: Served
) -> None:
    _, _, template = await world(installation)
    path = f"/run-template/{template}/run"
    async with served.client() as client:
        page = (await client.get(path)).text
        assert "geheim" not in page
        assert 'placeholder="erp.example"' in page
        form = await form_on(client, path + "?tz=UTC")
        wish = {"at": "2031-05-01T08:00", "env.PROBE_HOST": "other.example", "extra_name.1": "X", "extra_value.1": "1"}
        answer = await sent(installation, client, path, {**form, **wish})
        assert answer.status_code == 303, answer.text
        job = answer.headers["location"].rpartition("/")[2]
        shown = (await client.get(f"/job/{job}.json")).json()
        assert shown["environment"] == {"PROBE_HOST": "other.example", "X": "1"}
        assert shown["job"]["not_before"] == "2031-05-01T08:00:00Z"
        for wrong in ({"at": "noon"}, {"env.PROBE_PORT": "x"}, {"extra_name.1": "A B"}):
            answer = await client.post(path, data={**form, **wrong})
            assert answer.status_code == 422
            assert "field-error" in answer.text


async def test_a_job_runs_again_with_its_values_or_with_others(installation: Installation, served: Served) -> None:
    company, application, template = await world(installation)
    job = await installation.schedule(
        company, application, template, environment={"PROBE_HOST": "one.example", "PROBE_PASSWORD": "geheim", "Y": "2"}
    )
    await installation.start(job, company, template)
    await installation.finish(job, company, template, "failure", 255)
    await installation.project()
    path = f"/job/{job}/again"

    async def values(location: str) -> dict[str, Any]:
        [one] = [one async for one in installation.store.read_stream(f"job-{location.rpartition('/')[2]}")]
        assert isinstance(one.event, JobScheduled)
        assert one.event.retry_of == job
        return environment_in(one.event.environment)

    async with served.client() as client:
        assert f'action="/multiflexi{path}"' in (await client.get(f"/job/{job}")).text
        form = await form_on(client, path)
        assert "geheim" not in (await client.get(path)).text
        assert form["env.PROBE_HOST"] == "one.example"
        plain = {"_csrf_token": form["_csrf_token"], "key": "again-1"}
        first = await sent(installation, client, path, plain)
        assert await values(first.headers["location"]) == {
            "PROBE_HOST": "one.example", "PROBE_PASSWORD": "geheim", "Y": "2",
        }  # fmt: skip
        second = await sent(installation, client, path, plain)
        assert second.headers["location"] == first.headers["location"], "a second click does nothing"
        wish = {"env.PROBE_HOST": "", "env.PROBE_PORT": "1", "extra_name.1": "", "extra_name.2": "EMPTY"}
        third = await sent(installation, client, path, {**form, **wish})
        assert await values(third.headers["location"]) == {"PROBE_PASSWORD": "geheim", "PROBE_PORT": "1", "EMPTY": ""}
        waiting = first.headers["location"].rpartition("/")[2]
        answer = await client.post(f"/job/{waiting}/again?lang=cs", data=plain, headers={"accept": "text/html"})
        assert answer.status_code == 409
        assert f"Úloha {waiting}: čeká." in answer.text


@pytest.mark.parametrize(("policy", "told"), [("queue", True), ("allow", False)])
async def test_a_template_whose_jobs_run_one_at_a_time_says_so(
    installation: Installation, served: Served, policy: str, told: bool
) -> None:
    company, application, template = await world(installation, overlap_policy=policy)
    job = await installation.schedule(company, application, template)
    await installation.start(job, company, template)
    await installation.schedule(company, application, template)
    async with served.client() as client:
        for path in (f"/run-template/{template}", f"/run-template/{template}/run"):
            page = (await client.get(path)).text
            assert ("Jobs of this run template run one at a time" in page) is told
            assert (f'href="/multiflexi/job/{job}">#{job}</a>.' in page) is told


async def test_the_page_of_a_template_tells_its_settings_and_next_runs(
    installation: Installation, served: Served
) -> None:
    due = datetime(2031, 3, 29, 23, 0, tzinfo=UTC)
    _, _, template = await world(
        installation, interval="c", cron="30 2 * * *", next_due=datetime(2031, 3, 30, 1, 0, tzinfo=UTC),
        deadline_offset="+3h", labels=["bank"], limits={"memory": 2**29}, missed_policy="all", start_at=due,
    )  # fmt: skip
    async with served.client() as client:
        data = (await client.get(f"/run-template/{template}.json")).json()
        assert [each["due"] for each in data["next_runs"][:2]] == ["2031-03-30T01:00:00Z", "2031-03-31T00:30:00Z"]
        assert data["settings"]["labels"] == ["bank"]
        page = (await client.get(f"/run-template/{template}")).text
        for text in ("the clock goes from 02:00 to 03:00", "+3h", "512 MiB", "make up for all, at most 10"):
            assert text in page, text
