"""What is taken away is gone at once: output for those who may not see it, tokens that were revoked."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from commands.actor import SYSTEM
from commands.facts import SqlFacts
from commands.shell import Shell
from commands.tokens import bearer, digest_of, new_token
from domain.access_events import AccessDenied
from domain.api_token import CreateToken, RevokeToken
from eventstore.blind_index import BlindIndex
from tests.testbed.stores import wait_until
from tests.web.conftest import Served
from tests.web.seeding import Installation
from tests.web.test_web_users import token
from web.auth import middleware

SECRET = "balance 1,234,567"


async def shown(client: httpx.AsyncClient, path: str) -> httpx.Response:
    answer = await client.get(path)
    assert answer.status_code == 200, path
    return answer


async def test_members_who_may_not_see_output_see_the_job_and_nothing_that_it_wrote(
    installation: Installation, served: Served
) -> None:
    application, company = await installation.application(), await installation.company()
    template = await installation.template(company, application)
    left = await installation.artifact(company, "balance.txt", "text/plain", SECRET.encode())
    output = [("stdout", f"{SECRET}\n".encode())]
    job = await installation.job(company, application, template, output=output, artifacts=[left])
    await installation.project()
    seeing, blind = await installation.user("jane"), await installation.user("john")
    await installation.member(seeing, company, "viewer")
    await installation.member(blind, company, "viewer", less=("output.view",))
    async with served.client(await installation.session(seeing)) as client:
        number = (await shown(client, f"/job/{job}.json")).json()["artifacts"][0]["number"]
        assert SECRET in (await shown(client, f"/job/{job}")).text
        assert "balance.txt" in (await shown(client, f"/job/{job}")).text
        assert SECRET in (await shown(client, f"/job/{job}/output/stdout.txt")).text
        assert SECRET in (await shown(client, f"/job/{job}/artifact/{number}/download")).text
    async with served.client(await installation.session(blind)) as client:
        for path in (f"/job/{job}", f"/job/{job}.json", f"/job/{job}/live"):
            text = (await shown(client, path)).text
            assert SECRET not in text and "balance.txt" not in text, path
        assert "Not for you to see" in (await shown(client, f"/job/{job}")).text
        refused = [f"/job/{job}/output/{name}.txt" for name in ("stdout", "stderr")]
        refused += [f"/job/{job}/artifact/{number}{end}" for end in ("", ".json", "/image", "/download")]
        for path in refused:
            answer = await client.get(path)
            assert answer.status_code == 403 and SECRET not in answer.text, path
    stream = f"access-{blind}-{company}"
    denials = [each.event async for each in installation.store.read_stream(stream)]
    assert len(denials) == len(refused)
    assert all(isinstance(each, AccessDenied) and each.permission == "output.view" for each in denials)


async def test_a_stream_of_output_ends_when_it_may_not_be_seen_any_more(
    installation: Installation, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    application, company = await installation.application(), await installation.company()
    template = await installation.template(company, application)
    job = await installation.schedule(company, application, template)
    await installation.start(job, company, template)
    await installation.project()
    jane = await installation.user("jane")
    await installation.member(jane, company, "viewer")
    monkeypatch.setattr(middleware, "CHECKED_EVERY", 0.0)
    async with (
        served.client(await installation.session(jane)) as client,
        client.stream("GET", f"/job/{job}/live") as answer,
    ):
        pieces = answer.aiter_text()
        await anext(pieces)
        await installation.member(jane, company, "viewer", less=("output.view",))
        await installation.write(job, company, f"{SECRET}\n".encode())
        async with asyncio.timeout(20):
            assert SECRET not in "".join([piece async for piece in pieces])


async def test_a_token_is_of_no_use_from_the_moment_on_at_which_it_is_revoked(
    installation: Installation, served: Served
) -> None:
    async with served.client() as owner:
        page = await owner.post(
            "/account/token", data={"_csrf_token": await token(owner, "/account"), "name": "Nightly"}
        )
        value = page.text.partition("mfx_")[2].partition("<")[0]
        [listed] = (await owner.get("/account.json")).json()["tokens"]
        form = {"_csrf_token": await token(owner, "/account"), "token_id": str(listed["id"])}
        async with served.stranger(headers={"authorization": f"Bearer mfx_{value}"}) as program:
            used = asyncio.Event()
            revoked = False
            late: list[int] = []

            async def use() -> None:
                while True:
                    began_late = revoked
                    status = (await program.get("/jobs.json")).status_code
                    used.set()
                    if began_late:
                        late.append(status)
                        return

            using = [asyncio.create_task(use()) for _ in range(4)]
            await used.wait()
            assert (await owner.post("/account/token/revoke", data=form)).status_code == 303
            revoked = True
            await asyncio.gather(*using)
            assert late == [401, 401, 401, 401]


async def test_a_revoked_token_is_refused_in_the_very_second_and_by_clocks_that_are_behind(
    installation: Installation,
) -> None:
    now = datetime.now(UTC)
    shell, value = Shell(installation.store, clock=lambda: now), new_token()
    wish = CreateToken(user_id=installation.administrator, digest=digest_of(value))
    made = await shell.execute(wish, SYSTEM)
    facts = SqlFacts(installation.web_store.pool, BlindIndex(installation.web_store.keyring))
    assert await bearer(facts, value, now) is not None
    await shell.execute(RevokeToken(api_token_id=made.id), SYSTEM)
    for seconds in (0, 0.999, -60):
        assert await bearer(facts, value, now + timedelta(seconds=seconds)) is None


async def test_what_is_of_another_company_is_not_there_and_that_somebody_tried_is_put_down(
    installation: Installation, served: Served
) -> None:
    application, own = await installation.application(), await installation.company()
    other = await installation.company("Other")
    template = await installation.template(other, application)
    job = await installation.job(other, application, template)
    await installation.project()
    jane = await installation.user("jane")
    await installation.member(jane, own, "admin")
    tried = [
        f"/job/{job}",
        f"/job/{job}.json",
        f"/run-template/{template}",
        f"/company/{other}",
        f"/jobs?company={other}",
    ]
    async with served.client(await installation.session(jane)) as client:
        for path in tried:
            missing = await client.get(re.sub(r"\d+", "987", path))
            hidden = await client.get(path)
            assert (hidden.status_code, missing.status_code) == (404, 404), path
            texts = [re.sub(r"\d+|nonce-\S+", "N", answer.text) for answer in (hidden, missing)]
            assert texts[0] == texts[1], path
        form = {"_csrf_token": await token(client, "/account")}
        assert (await client.post(f"/run-template/{template}/run", data=form)).status_code == 404
        refused = await left(installation, jane, other, 6)
        assert {each.company_id for each in refused} == {other}
        assert sorted(each.wish for each in refused) == sorted(
            [f"see job {job}"] * 2 + [f"see company {other}"] * 2
            + [f"see run template {template}", f"change run template {template}"]
        )  # fmt: skip


async def left(installation: Installation, user_id: int, company_id: int, count: int) -> list[AccessDenied]:
    """Return the refusals of a user in a company once so many are there."""
    found: list[AccessDenied] = []

    async def there() -> bool:
        stream = installation.store.read_stream(f"access-{user_id}-{company_id}")
        found[:] = [each.event async for each in stream if isinstance(each.event, AccessDenied)]
        return len(found) >= count

    await wait_until(there, f"{count} refusals put down")
    return found
