"""A web interface that runs, on a database of its own, and a browser that looks at it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import uvicorn
from litestar import Litestar
from psycopg import sql

from tests.testbed.postgres import Database
from tests.web.seeding import Installation
from tests.web.signing_in import Clock
from web.app import app_of, create_site
from web.auth.cookies import SESSION
from web.auth.settings import SignInSettings
from web.auth.sign_in import SignIn

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu"]


class Served:
    """A running web interface.

    Attributes
    ----------
    url : str
        Address of the dashboard, without a slash at its end.
    site : web.site.Site
        What its handlers share.
    """

    def __init__(self, url: str, app: Any, cookie: str) -> None:
        self.url = url
        self.cookie = cookie
        self.site = app.state.site

    def client(self, cookie: str | None = None, **more: Any) -> httpx.AsyncClient:
        """Return a client of somebody who is signed in: the administrator, unless another's cookie is given."""
        signed_in = {SESSION: self.cookie if cookie is None else cookie}
        return self._client(cookies=signed_in, **more)

    def stranger(self, **more: Any) -> httpx.AsyncClient:
        """Return a client of nobody."""
        return self._client(**more)

    def _client(self, **more: Any) -> httpx.AsyncClient:
        # Nothing is encrypted here, and to load the certificates of the world takes longer than most requests.
        return httpx.AsyncClient(base_url=self.url, timeout=20, verify=False, **more)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


_FREE: dict[tuple[str, bool], list[Litestar]] = {}
"""Applications that served a test before, by what is fixed when one is made: to make one takes half a second."""


@contextmanager
def application(installation: Installation) -> Iterator[Litestar]:
    """Return an application of an installation; its handlers share nothing with those of the test before."""
    site = create_site(installation.settings)
    free = _FREE.setdefault((site.secret, site.sign_in_settings.address.startswith("https://")), [])
    app = free.pop() if free else app_of(site)
    app.state.site = site
    yield app
    free.append(app)


@asynccontextmanager
async def serving(installation: Installation) -> AsyncIterator[Served]:
    """Serve the web interface in the test's own event loop."""
    with application(installation) as app:
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=2))
        task = asyncio.create_task(server.serve())
        while not server.started:
            assert not task.done(), "the server did not start"
            await asyncio.sleep(0.01)
        try:
            yield Served(f"http://127.0.0.1:{port}/multiflexi", app, installation.cookie)
        finally:
            app.state.site.hub.close()
            server.should_exit = True
            await task


@asynccontextmanager
async def away(installation: Installation) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Take the database away from everybody who is connected; what is yielded brings it back."""
    database = installation.database
    server = database.superuser_url.replace(f"/{database.name}", "/postgres")

    def let_in(allowed: bool) -> None:
        name = sql.Identifier(database.name)
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(name, sql.Literal(allowed)))
            if not allowed:
                ending = "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = %s"
                connection.execute(ending, (database.name,))

    await asyncio.to_thread(let_in, False)
    try:
        yield lambda: asyncio.to_thread(let_in, True)
    finally:
        await asyncio.to_thread(let_in, True)


@pytest.fixture
async def installation(database: Database) -> AsyncIterator[Installation]:
    async with Installation(database) as made:
        yield made


@pytest.fixture
async def served(installation: Installation) -> AsyncIterator[Served]:
    async with serving(installation) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sign_in(installation: Installation, clock: Clock) -> SignIn:
    """Return what signs users in, by a clock of its own."""
    return SignIn(installation.web_store, SignInSettings(), clock)


@pytest.fixture
def no_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pages look again only when something happened."""
    monkeypatch.setattr("web.live.BEAT", 3600.0)


class Browser:
    """Opens pages, and notes whatever they complain about."""

    def __init__(self, browser: Any, url: str, cookie: str) -> None:
        self._browser = browser
        self._cookie = cookie
        self.url = url
        self.complaints: list[str] = []
        self._forgiven: tuple[str, ...] = ()

    def forgives(self, *texts: str) -> None:
        """Let pages complain about something that a test brings about: an answer of 422, say."""
        self._forgiven = texts

    async def open(self, path: str = "/", *, signed_in: bool = True, cookie: str | None = None, **options: Any) -> Any:
        """Open a page of the web interface in a context of its own; options are those of a browser context."""
        context = await self._browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        if signed_in:
            value, host = cookie or self._cookie, urlsplit(self.url).hostname
            await context.add_cookies([{"name": SESSION, "value": value, "domain": host, "path": "/multiflexi"}])
        page = await context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(self.url + path)
        return page

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(forgiven in text for forgiven in self._forgiven):
            self.complaints.append(text)


@pytest.fixture
async def browser(served: Served) -> AsyncIterator[Browser]:
    """Return a browser; the test fails if a page broke its security policy or wrote an error to the console."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        made = Browser(started, served.url, served.cookie)
        yield made
        await started.close()
    assert made.complaints == []
