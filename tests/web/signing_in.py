"""What tests of signing in share: a clock that stands still, forms with their token, and who comes from where."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx

from web.auth.sign_in import Visitor

PASSWORD = "correct horse battery staple"
HERE = Visitor("192.0.2.7", "Browser/1.0")


class Clock:
    """Stands still until a test lets it go on."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


async def token_of_form(client: httpx.AsyncClient, path: str = "/sign-in") -> str:
    found = re.search(r'name="_csrf_token" value="([^"]+)"', (await client.get(path)).text)
    assert found is not None
    return found[1]


async def post(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    return await client.post(path, data={"_csrf_token": await token_of_form(client), **fields})
