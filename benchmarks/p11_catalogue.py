"""P11: lists, searches and single pages with 10,000 companies of 10 run templates each, and importing definitions.

Everything is asked for twice: as the command line reads it (the queries of the read models, for a user who sees all and
for one who is a member of 50 companies) and as a browser does (requests to the web interface of two such users who are
signed in, without a network between). A figure is the 95th percentile of many requests, each for another thing.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
import psycopg

from benchmarks.figures import Figure
from benchmarks.place import Place
from benchmarks.workload import COMPANIES, TEMPLATES, configuration
from commands.actor import SYSTEM
from commands.catalogue import take
from commands.shell import Shell
from domain.membership import GrantMembership
from domain.user_commands import CreateUser
from eventstore.connection import Companies, companies_setting
from eventstore.store import EventStore
from projections.queries import query
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store, settings_of
from web.app import create_app
from web.auth.cookies import SESSION
from web.auth.settings import SignInSettings
from web.auth.sign_in import SignIn, Visitor
from web.database import ACT_FOR

MANY_COMPANIES, MANY_TEMPLATES = 10_000, 100_000
MEMBER_OF = 50
REQUESTS = 60
IMPORTS = 40
PAGE = 50
ALLOWED = 50.0
"""Milliseconds within which 95 of 100 requests are to be answered."""

ALLOWED_IMPORT = 100.0
DEFINITION = Path(__file__).resolve().parent.parent / "integrations" / "probe" / "multiflexi-probe.multiflexi.app.json"

FILL = (
    """
    INSERT INTO company (id, document, created_at, changed_at, stream_version)
    SELECT n, c.document || jsonb_build_object('company_id', n, 'name', 'Účetní jednotka ' || n || ' ' || md5(n::text),
                                               'code', 'unit-' || n, 'registration_number', (10000000 + n)::text),
           c.created_at, c.changed_at, c.stream_version
      FROM generate_series(%(companies)s::integer + 1, %(many_companies)s::integer) n
      JOIN company c ON c.id = n %% %(companies)s::integer + 1
    """,
    """
    INSERT INTO run_template (id, document, created_at, changed_at, stream_version)
    SELECT n, t.document || jsonb_build_object('run_template_id', n, 'company_id', n %% %(many_companies)s::integer + 1,
                                               'name', 'Import výpisů ' || n || ' ' || md5(n::text)),
           t.created_at, t.changed_at, t.stream_version
      FROM generate_series(%(templates)s::integer + 1, %(many_templates)s::integer) n
      JOIN run_template t ON t.id = n %% %(templates)s::integer + 1
    """,
    """
    INSERT INTO company_app (company_id, app_id, created_at)
    SELECT DISTINCT t.company_id, t.app_id, t.created_at FROM run_template t ON CONFLICT DO NOTHING
    """,
)
"""Further companies and templates, as the events of those that are there would have left them in the read models."""

Ask = Callable[[random.Random], Awaitable[object]]


def prepare(database: Database) -> None:
    """Fill the read models."""

    async def base() -> None:
        async with open_store(database, inline=True) as store:
            await store.append_all(list(configuration(random.Random(42))))

    asyncio.run(base())
    numbers = {
        "companies": COMPANIES,
        "many_companies": MANY_COMPANIES,
        "templates": TEMPLATES,
        "many_templates": MANY_TEMPLATES,
    }
    with psycopg.connect(database.owner_url, autocommit=True, options="-c search_path=multiflexi") as connection:
        for statement in FILL:
            connection.execute(statement.encode(), numbers)
        connection.execute("VACUUM ANALYZE company, run_template, company_app, application, application_version")


async def percentile(ask: Ask, requests: int = REQUESTS) -> float:
    """Return the milliseconds within which 95 of 100 requests were answered, after a few to warm up."""
    chance = random.Random(7)
    took: list[float] = []
    for number in range(requests + 3):
        began = time.perf_counter()
        await ask(chance)
        if number >= 3:
            took.append(1000 * (time.perf_counter() - began))
    return sorted(took)[int(0.95 * len(took))]


def reads(pool: asyncpg.Pool, companies: Companies, seen: list[int]) -> dict[str, Ask]:
    """Return the queries of the command line, as those companies see them.

    Parameters
    ----------
    pool : asyncpg.Pool
        Connections of the store.
    companies : Companies
        Those that row-level security lets through.
    seen : list[int]
        Ids of companies that can be opened.
    """

    async def fetched(name: str, *arguments: object) -> None:
        async with pool.acquire() as connection, connection.transaction(readonly=True):
            await connection.execute(ACT_FOR, companies_setting(companies))
            assert await connection.fetch(query(name), *arguments), f"{name} {arguments} answers something"

    def company(chance: random.Random) -> int:
        return chance.choice(seen)

    def template(chance: random.Random) -> int:
        """Return a template of a company that is seen, of those that were filled in."""
        return company(chance) - 1 + MANY_COMPANIES * chance.randrange(1, 10)

    async def search(name: str, words: str, *arguments: Any) -> None:
        await fetched(name, *(words if one is ... else one for one in arguments))

    return {
        "companies: a page of the list": lambda c: fetched("company.list", company(c) - 1, PAGE, 0, False, None, False),
        "companies: a search": lambda c: search(
            "company.list", f"ucetni unit {company(c)}", None, PAGE, 0, False, ..., False
        ),
        "companies: one": lambda c: fetched("company.find", company(c), None, None, None),
        "run templates: a page of the list": lambda c: fetched(
            "run_template.list", None, None, PAGE, 0, c.random() < 0.5, None, None
        ),
        "run templates: those of a company": lambda c: fetched(
            "run_template.list", company(c), None, PAGE, 0, False, None, None
        ),
        "run templates: a search": lambda c: search(
            "run_template.list", f"vypisu {template(c)}", None, None, PAGE, 0, False, None, ...
        ),
        "run templates: one": lambda c: fetched("run_template.find", template(c), None),
        "applications: a page of the list": lambda c: fetched(
            "application.list", PAGE, c.randrange(5), False, None, None, None
        ),
        "applications: a search": lambda _: fetched("application.list", PAGE, 0, False, "applic", None, None),
        "applications: one": lambda c: fetched("application.find", c.randrange(10) + 1, None, None),
        "applications: those of a company": lambda c: fetched(
            "application.of_companies", company(c), None, PAGE, 0, False
        ),
    }


PAGES: dict[str, Callable[[random.Random, list[int]], str]] = {
    "run templates: a page of the list": lambda _c, _seen: "/run-templates",
    "run templates: those of a company": lambda c, seen: f"/run-templates?company={c.choice(seen)}",
    "run templates: one": lambda c, seen: f"/run-template/{c.choice(seen) - 1 + MANY_COMPANIES * c.randrange(1, 10)}",
    "companies: a page of the list": lambda c, seen: f"/companies?after={c.choice(seen) - 1}",
    "companies: a search": lambda c, seen: f"/companies?find=unit+{c.choice(seen)}",
    "companies: one": lambda c, seen: f"/company/{c.choice(seen)}",
    "applications: the list": lambda _c, _seen: "/applications",
    "applications: a search": lambda _c, _seen: "/applications?find=applic",
    "applications: one": lambda c, _seen: f"/application/{c.randrange(10) + 1}",
}


async def web_pages(database: Database, cookie: str, seen: list[int]) -> dict[str, float]:
    """Return how long pages take, of somebody who sees these companies."""
    app = create_app(settings_of(database))
    transport = httpx.ASGITransport(app=cast("Any", app))
    async with (
        app.lifespan(),
        httpx.AsyncClient(
            transport=transport, base_url="http://localhost/multiflexi", cookies={SESSION: cookie}
        ) as client,
    ):

        async def opened(address: str) -> None:
            answer = await client.get(address)
            assert answer.status_code == 200, (address, answer.status_code)

        found = {name: await percentile(lambda c, of=of: opened(of(c, seen))) for name, of in PAGES.items()}
        app.state.site.hub.close()
        return found


async def signed_in(store: EventStore, login: str, roles: tuple[str, ...], companies: list[int]) -> str:
    """Make a user, a member of these companies; return the cookie of their session."""
    shell = Shell(store)
    user = (await shell.execute(CreateUser(login=login, roles=roles), SYSTEM)).id
    for company in companies:
        await shell.execute(GrantMembership(company_id=company, user_id=user, role="manager"), SYSTEM)
    return (await SignIn(store, SignInSettings()).open(user, "password", Visitor())).token


async def imports(store: EventStore) -> tuple[float, float]:
    """Return how long it takes to import a new definition, and a newer one of an application of 10,000 templates."""
    shell, document = Shell(store), json.loads(DEFINITION.read_bytes())

    async def fresh(chance: random.Random) -> None:
        source = json.dumps({**document, "uuid": f"new-{chance.getrandbits(64):x}"}, indent=2)
        assert (await take(shell, shell.facts, source, SYSTEM))[0].events

    used = await store.pool.fetchval("SELECT uuid FROM application WHERE id = 1")

    async def newer(chance: random.Random) -> None:
        fields = {"LIMIT": {"type": "integer", "required": True, "defval": chance.getrandbits(32)}}
        changed = {**document, "uuid": used, "environment": {**document["environment"], **fields}}
        outcome, assessed = await take(shell, shell.facts, json.dumps(changed, indent=2), SYSTEM)
        assert outcome.events
        assert assessed.used_by >= MANY_TEMPLATES // 10

    return await percentile(fresh, IMPORTS), await percentile(newer, IMPORTS)


async def compare(database: Database) -> list[Figure]:
    """Measure everything."""
    figures: list[Figure] = []

    def put(what: str, took: float, allowed: float = ALLOWED) -> None:
        figures.append(Figure("P11", what, f"{took:.1f} ms", f"{allowed:.0f} ms", allowed / took, 1.0))

    async with open_store(database, role="app", inline=True) as store:
        everything: list[int] = list(range(COMPANIES + 1, MANY_COMPANIES + 1))
        some = everything[:: len(everything) // MEMBER_OF][:MEMBER_OF]
        viewers: list[tuple[str, Companies, list[int]]] = [
            ("all", "*", everything),
            (f"a member of {MEMBER_OF}", some, some),
        ]
        for who, companies, seen in viewers:
            for name, ask in reads(store.pool, companies, seen).items():
                put(f"read, {who}: {name}", await percentile(ask))
        sessions = [("", "super_admin", everything, []), (f", a member of {MEMBER_OF}", "user", some, some)]
        for who, role, seen, member_of in sessions:
            cookie = await signed_in(store, f"measurer-{role}", (role,), member_of)
            for name, took in (await web_pages(database, cookie, seen)).items():
                put(f"web{who}: {name}", took)
        new, newer = await imports(store)
        put("import: a new definition", new, ALLOWED_IMPORT)
        put("import: a newer one, 10,000 templates use it", newer, ALLOWED_IMPORT)
    return figures


def measure(where: Place) -> list[Figure]:
    """Measure P11; the figures are the 95th percentiles, the baseline is what is allowed."""
    with where.database(read_models=True) as database:
        prepare(database)
        return asyncio.run(compare(database))
