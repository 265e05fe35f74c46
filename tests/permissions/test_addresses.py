"""Every address of the web as every role in two companies, a stranger and nobody: as ``docs/permissions.md`` says."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
import pytest

from cli.permission_table import addresses
from commands.shell import Shell
from tests.permissions.document import allowed, tables
from tests.permissions.office import FIRST, ICON, MARKS, SECOND, Office, Person
from tests.permissions.wishes import erasure
from tests.testbed.postgres import Database
from tests.testbed.stores import wait_until
from tests.web.conftest import Served, serving
from tests.web.seeding import Installation
from web.auth.routes import permission_of
from web.view import BASE

DIGEST = hashlib.sha256(base64.b64decode(ICON)).hexdigest()
TABLE = "Addresses of the web"

OF_A_THING = {
    "job/{name}": "job/{job}",
    "job/{name}/again": "job/{job}/again",
    "job/{name}/cancel": "job/{waiting}/cancel",
    "job/{name}/live": "job/{job}/live",
    "job/{name}/output/{file}": "job/{job}/output/stdout.txt",
    "job/{name}/artifact/{number}": "job/{job}/artifact/1",
    "job/{name}/artifact/{number}/download": "job/{job}/artifact/1/download",
    "job/{name}/artifact/{number}/image": "job/{job}/artifact/2/image",
    "run-template/{name}": "run-template/{template}",
    "run-template/{name}/copy": "run-template/{template}/copy",
    "run-template/{name}/credentials": "run-template/{template}/credentials",
    "run-template/{name}/credentials.json": "run-template/{template}/credentials.json",
    "run-template/{name}/credentials/{what}": "run-template/{template}/credentials/assign",
    "run-template/{name}/edit": "run-template/{template}/edit",
    "run-template/{name}/preview": "run-template/{template}/preview",
    "run-template/{name}/preview.json": "run-template/{template}/preview.json",
    "run-template/{name}/remove": "run-template/{template}/remove",
    "run-template/{name}/trial": "run-template/{template}/trial",
    "run-template/{name}/trial.json": "run-template/{template}/trial.json",
    "run-template/{name}/run": "run-template/{template}/run",
    "task/{name}": "task/{task}",
    "task/{name}/live": "task/{task}/live",
    "company/{name}": "company/{company}",
    "company/{name}/edit": "company/{company}/edit",
    **{
        f"company/{{name}}/{what}": f"company/{{company}}/{what}"
        for what in ("suspend", "archive", "restore", "remove")
    },
    "company/{name}/clone": "company/{company}/clone",
    "company/{name}/populate": "company/{company}/populate",
    "company/{name}/members": "company/{company}/members",
    "company/{name}/members.json": "company/{company}/members.json",
    "credential-type/{name}/edit": "credential-type/{type}/edit",
    "credential-type/{name}/remove": "credential-type/{type}/remove",
    "credential/{name}": "credential/{credential}",
    "credential/{name}/edit": "credential/{credential}/edit",
    **{f"credential/{{name}}/{what}": f"credential/{{credential}}/{what}" for what in ("reveal", "test", "remove")},
    "pause/company/{name}": "pause/company/{company}",
    "pause/template/{name}": "pause/template/{template}",
}
"""Addresses of one thing of a company, each with that of a thing that is there."""

OF_THE_INSTALLATION = {
    "user/{name}": "user/{user}",
    "customer/{name}": "customer/{customer}",
    "server/{name}": "server/{server}",
    "user-group/{name}": "user-group/{group}",
    "application/{name}": "application/{application}",
    "application/{name}/compare": "application/{application}/compare",
    "application/{name}/compare.json": "application/{application}/compare.json",
    "application/{name}/definition": "application/{application}/definition",
    "application/{name}/icon/{digest}": "application/{application}/icon/"
    + hashlib.sha256(base64.b64decode(ICON)).hexdigest(),
    "application/{name}/icon": "application/{application}/icon",
    "application/{name}/assign": "application/{application}/assign",
    "application/{name}/unassign": "application/{application}/unassign",
    "pause/application/{name}": "pause/application/{application}",
    "pause/system/{name}": "pause/system/1",
    "account/{what}": "account/profile",
    "erasure/{name}": "erasure/{erasure}",
    "erasure/{name}/{what}": "erasure/{erasure}/reject",
    **{
        f"user/{{name}}/{what}": f"user/{{user}}/{what}"
        for what in ("profile", "lock", "unlock", "password", "role", "unrole", "grant", "revoke")
    },
}
"""Addresses of one thing of the installation, each with that of a thing that is there."""

LISTED = ("job.view", "template.view", "company.view", "credential.view")
"""Permissions in a company whose lists are there for everybody, with nothing in them for most."""

OF_ANY_COMPANY = ("run-templates/change", "run-templates/new", "credential-types/new")
"""Addresses for whoever may do it in a company, whichever that is."""

FURTHER_STEPS = ("account/openid", "account/openid/link", "account/prove")
"""Addresses to which another one leads; on their own they say so."""

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32


class Stage(NamedTuple):
    """The running web, the installation, what is there of each company, and who is signed in by which cookie."""

    served: Served
    office: Office
    things: dict[str, dict[str, int]]
    cookies: dict[str, str]


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    async with Installation(database) as made:
        made.number_from(100_000)
        office = Office(Shell(made.store))
        await office.furnish()
        things = {company: await live(made, office, company) for company in (FIRST, SECOND)}
        await made.project()
        cookies = {person.login: await made.session(person.user_id) for person in office.people}
        async with serving(made) as served:
            yield Stage(served, office, things, cookies)


async def live(made: Installation, office: Office, company: str) -> dict[str, int]:
    """Let a company have a template, a task, and a job that has written and left files."""
    company_id, mark = office.companies[company], MARKS[company].encode()
    template = await office.template(company)
    job = await made.schedule(company_id, office.application, template)
    await made.start(job, company_id, template, command=["/bin/echo", MARKS[company]])
    await made.write(job, company_id, mark + b"\n")
    files = [
        await made.artifact(company_id, f"{MARKS[company]}.txt", "text/plain", mark),
        await made.artifact(company_id, f"{MARKS[company]}.png", "image/png", PNG + mark),
    ]
    await made.finish(job, company_id, template, artifacts=files)
    waiting = await made.schedule(company_id, office.application, template)
    task = await made.task(company_id, template, datetime.now(UTC))
    return {
        "company": company_id, "template": template, "job": job, "waiting": waiting, "task": task,
        "credential": await office.credential(company), "type": office.types[company],
        "user": await office.user("viewer"), "application": office.application, "group": await office.group(),
        "customer": await office.customer(), "server": await office.server(),
        "erasure": await erasure(office),
    }  # fmt: skip


def test_every_address_is_in_the_document_and_every_one_of_a_thing_has_a_thing() -> None:
    assert set(tables()[TABLE]) == set(addresses())
    below = {name.split()[1].removeprefix(f"{BASE}/") for name in addresses()}
    assert {one for one in below if "{" in one} == {*OF_A_THING, *OF_THE_INSTALLATION}


async def test_nobody_is_let_in_without_signing_in(stage: Stage) -> None:
    async with stage.served.stranger() as client:
        wrong: list[str] = []
        for name in addresses():
            method, path = filled(stage, name, FIRST)
            answer = await client.request(method, path, headers={"accept": "text/html"})
            led = answer.status_code == 303 and "/sign-in" in answer.headers["location"]
            if not (led or answer.status_code in (401, 403)) or MARKS[FIRST] in answer.text:
                wrong.append(f"{name}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


async def test_pages_show_each_role_what_the_document_says(stage: Stage) -> None:
    wrong: list[str] = []
    looks = [name for name in addresses() if name.startswith("GET ")]
    for person in stage.office.people:
        async with stage.served.client(stage.cookies[person.login]) as client:
            for name in looks:
                paths = {company: filled(stage, name, company)[1] for company in (FIRST, SECOND)}
                answers = {path: await look(client, path) for path in set(paths.values())}
                for company, path in paths.items():
                    wrong += judged(person, company, name, *answers[path])
    assert not wrong, "\n".join(wrong)


async def look(client: httpx.AsyncClient, path: str) -> tuple[int, str]:
    """Return status and text of a page."""
    if path.endswith("/live") and not path.startswith("/job/"):
        # It goes on for as long as somebody looks, so what matters is whether it begins.
        async with client.stream("GET", path) as answer:
            return answer.status_code, ""
    answer = await client.get(path)
    return answer.status_code, answer.text


def judged(person: Person, company: str, name: str, status: int, text: str) -> list[str]:
    """Return what is not as it should be of a page that somebody was shown, or not."""
    below = name.split()[1].removeprefix(f"{BASE}/")
    told = f"{name} of {person} about {company}: {status}"
    for other in (FIRST, SECOND):
        if MARKS[other] in text and not allowed(TABLE, name, person.roles, person.role_in(other), own=True):
            return [f"{told}, and reads what is of {other}"]
    may = allowed(TABLE, name, person.roles, person.role_in(company), own=True)
    if below in OF_ANY_COMPANY:
        may = any(allowed(TABLE, name, person.roles, person.role_in(each)) for each in MARKS)
    if below in ("company/{name}/remove", "company/{name}/clone"):  # a page about a company, which one must see, too
        may = may and allowed(TABLE, f"GET {BASE}/company/{{name}}", person.roles, person.role_in(company))
    if below in FURTHER_STEPS:
        fine = status in (200, 303, 400, 404)
    elif below in OF_A_THING:
        fine = status == 200 if may else status in (403, 404)
    elif may or ("{" not in below and permission_of(name.split()[1]) in LISTED):
        fine = status == 200  # a list with nothing in it, at least
    else:
        fine = status in (403, 404)
    return [] if fine else [told]


async def test_forms_of_those_who_may_not_send_them_change_nothing(stage: Stage) -> None:
    wrong: list[str] = []
    written = "SELECT type FROM events WHERE position > $1 ORDER BY position"
    newest = "SELECT max(position) FROM events"
    pool = stage.office.shell.store.pool
    forms = [
        name for name in addresses() if name.startswith("POST ") and "/account" not in name and "sign-" not in name
    ]
    for person in stage.office.people:
        async with stage.served.client(stage.cookies[person.login]) as client:
            token = await csrf(client)
            for name, company in itertools.product(forms, (FIRST, SECOND)):
                if allowed(TABLE, name, person.roles, person.role_in(company), own=True):
                    continue
                before = await pool.fetchval(newest)
                path = filled(stage, name, company)[1]
                things = stage.things[company]
                form = {
                    **token,
                    "login": "made",
                    "ids": things["template"],
                    "credential_id": things["credential"],
                    "role": "viewer",
                    "company_id": stage.things[company]["company"],
                }
                answer = await client.post(path, data=form)
                if answer.status_code == 403:

                    async def put_down(after: int = before) -> bool:
                        return await pool.fetchval(newest) > after

                    await wait_until(put_down, f"the refusal of {name} put down")
                left = [row["type"] for row in await pool.fetch(written, before)]
                if (
                    answer.status_code not in (403, 404)
                    or set(left) - {"AccessDenied"}
                    or MARKS[company] in answer.text
                ):
                    wrong.append(f"{name} of {person} about {company}: {answer.status_code}, {left}")
                # That of a form before, which found nothing, may still have been on its way.
                if answer.status_code == 403 and "AccessDenied" not in left:
                    wrong.append(f"{name} of {person} about {company}: the refusal left {left}")
    assert not wrong, "\n".join(wrong)


def leaks(person: Person, company: str, text: str) -> bool:
    """Tell whether somebody reads of a company that they do not see."""
    sees = allowed(TABLE, f"GET {BASE}/company/{{name}}", person.roles, person.role_in(company))
    return MARKS[company] in text and not sees


def filled(stage: Stage, name: str, company: str) -> tuple[str, str]:
    """Return method and address, below that of the dashboard, with things of a company in the place of parameters."""
    method, path = name.split()
    below = path.removeprefix(BASE).removeprefix("/")
    pattern = {**OF_A_THING, **OF_THE_INSTALLATION}.get(below, below)
    return method, "/" + pattern.format(**stage.things[company])


async def csrf(client: Any) -> dict[str, str]:
    """Return the token that forms send along."""

    found = re.search(r'name="_csrf_token" value="([^"]+)"', (await client.get("/account")).text)
    assert found is not None
    return {"_csrf_token": found[1]}
