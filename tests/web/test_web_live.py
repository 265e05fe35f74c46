"""Server-sent events: what changes is sent, once, in order, and an interrupted page goes on where it was."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.web.conftest import Served, free_port
from tests.web.seeding import Installation
from tests.web.test_web_pages import small_world
from web.auth.cookies import SESSION

PROJECT = Path(__file__).resolve().parent.parent.parent


class Events:
    """The events of a stream, one after the other."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()
        self.last_id = ""

    async def next(self, *kinds: str) -> tuple[str, Any]:
        """Return the next event of some kinds; others are skipped."""
        async with asyncio.timeout(10):
            event: dict[str, str] = {}
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if line:
                    event[name] = value
                    continue
                self.last_id = event.get("id", self.last_id)
                if event.get("event") in kinds:
                    return event["event"], json.loads(event["data"])
                event = {}
        raise AssertionError("the stream ended")


@asynccontextmanager
async def following(client: httpx.AsyncClient, path: str, last_id: str = "") -> AsyncIterator[Events]:
    headers = {"last-event-id": last_id} if last_id else {}
    async with client.stream("GET", path, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Events(answer)


async def test_dashboard_is_sent_what_changes_after_the_read_models_have_it(
    installation: Installation, served: Served
) -> None:
    company, application, template = await small_world(installation)
    await installation.project()
    async with served.client() as client, following(client, "/live") as events:
        _, first = await events.next("parts")
        assert set(first) == {"pauses", "figures", "running", "history", "recent", "upcoming", "system"}
        job = await installation.schedule(company, application, template)
        await installation.start(job, company, template)
        await installation.project()
        seen: dict[str, str] = {}
        while f"#{job}" not in seen.get("recent", "") or f"#{job}" not in seen.get("running", ""):
            _, parts = await events.next("parts")
            seen.update(parts)
        assert "history" not in seen, "nothing ended, so the chart is not sent again"


async def test_a_page_that_is_up_to_date_is_sent_nothing(installation: Installation, served: Served) -> None:
    await small_world(installation)
    await installation.project()
    async with served.client() as client:
        async with following(client, "/live") as events:
            await events.next("parts")
        async with client.stream("GET", "/live", headers={"last-event-id": events.last_id}) as answer:
            opening = ""
            async for piece in answer.aiter_text():
                opening += piece
                if ": alive" in opening:
                    break
        assert "data:" not in opening


async def test_output_is_sent_as_it_comes_and_the_stream_ends_with_the_job(
    installation: Installation, served: Served
) -> None:
    company, application, template = await small_world(installation)
    job = await installation.schedule(company, application, template)
    await installation.project()
    async with served.client() as client, following(client, f"/job/{job}/live") as events:
        assert (await events.next("output"))[1] == {"from": 0, "lines": []}
        await installation.start(job, company, template)
        await installation.project()
        lines: dict[int, list[Any]] = {}
        for number in range(5):
            await installation.write(job, company, f"line {number}\n".encode(), "stderr" if number == 2 else "stdout")
            while len(lines) <= number:
                _, output = await events.next("output")
                lines.update((line[0], line) for line in output["lines"])
        await installation.write(job, company, b"last")
        await installation.finish(job, company, template)
        await installation.project()
        kind, parts = "", {}
        while kind != "end":
            kind, data = await events.next("output", "parts", "end")
            if kind == "output":
                lines.update((line[0], line) for line in data["lines"])
            elif kind == "parts":
                parts.update(data)
    assert [line[2][0][1] for _, line in sorted(lines.items())] == [*(f"line {n}" for n in range(5)), "last"]
    assert [line[1] for _, line in sorted(lines.items())] == ["o", "o", "e", "o", "o", "o"]
    assert "Succeeded" in parts["head"]


async def test_an_interrupted_page_goes_on_where_it_was(installation: Installation, served: Served) -> None:
    company, application, template = await small_world(installation)
    job = await installation.schedule(company, application, template)
    await installation.start(job, company, template)
    await installation.write(job, company, b"one\ntwo\n\x1b[31mthr")
    await installation.project()
    async with served.client() as client:
        async with following(client, f"/job/{job}/live") as events:
            await events.next("output")
            await events.next("output")
        await installation.write(job, company, b"ee\x1b[0m\nfour\n")
        async with following(client, f"/job/{job}/live", events.last_id) as again:
            _, begin = await again.next("output")
            _, rest = await again.next("output")
        # The place where nothing was open is the beginning, so all of it is sent again, and right.
        assert begin["from"] == 0
        assert [line[2] for line in rest["lines"]] == [[["", "one"]], [["", "two"]], [["f1", "three"]], [["", "four"]]]
        async with following(client, f"/job/{job}/live", again.last_id) as third:
            _, begin = await third.next("output")
            assert begin == {"from": 4, "lines": []}


async def test_many_pages_cost_one_look(installation: Installation, served: Served) -> None:
    company, application, template = await small_world(installation)
    await installation.project()
    made = []
    renderer = served.site.renderer
    original = renderer.parts

    def counting(*arguments: Any, **more: Any) -> dict[str, str]:
        made.append(1)
        return original(*arguments, **more)

    renderer.parts = counting
    async with served.client(limits=httpx.Limits(max_connections=None)) as client:
        contexts = [following(client, "/live") for _ in range(30)]
        streams = [await context.__aenter__() for context in contexts]
        await asyncio.gather(*(each.next("parts") for each in streams))
        assert served.site.hub.watching == 30
        before = len(made)
        await installation.schedule(company, application, template)
        await installation.project()
        await asyncio.gather(*(each.next("parts") for each in streams))
        assert len(made) - before <= 3
        for context in contexts:
            await context.__aexit__(None, None, None)
    for _ in range(100):
        if not served.site.hub.watching:
            break
        await asyncio.sleep(0.02)
    assert served.site.hub.watching == 0


async def test_stopping_ends_open_streams_at_once(installation: Installation) -> None:
    """``python -m web`` with open streams is gone after SIGTERM without waiting for them; they end without an error."""
    port = free_port()
    environment = {
        **os.environ,
        **installation.database.variables,
        "ENCRYPTION_MASTER_KEY": installation.settings.master_key,
        "MULTIFLEXI_PORT": str(port),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "web"], cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        cookies = {SESSION: installation.cookie}
        address = f"http://127.0.0.1:{port}/multiflexi"
        async with httpx.AsyncClient(base_url=address, timeout=10, cookies=cookies) as client:
            for _ in range(300):
                try:
                    if (await client.get("/health")).status_code == 200:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
            assert (await client.get(f"http://127.0.0.1:{port}/")).headers["location"] == "/multiflexi/"
            async with following(client, "/live") as events:
                await events.next("parts")
                process.send_signal(signal.SIGTERM)
                while True:
                    try:
                        await events.next("parts")
                    except (AssertionError, httpx.RemoteProtocolError):
                        break
                code = await asyncio.to_thread(process.wait, 10)
        assert code == 0
        assert process.stderr is not None
        told = process.stderr.read()
        # What the server says of streams that it waited for in vain, and cut off.
        assert "graceful shutdown exceeded" not in told
        assert "Traceback" not in told
    finally:
        process.kill()
        process.wait()
