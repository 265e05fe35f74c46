"""Customers, to whom companies belong, and the servers that companies use: as lists and as forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec

from domain.command import Command
from domain.customer import ChangeCustomer, CreateCustomer, RemoveCustomer
from domain.event import Erased
from domain.server import ChangeServer, CreateServer, RemoveServer
from eventstore.connection import Companies
from eventstore.keyring import Keyring
from projections.queries import query as shared
from web.database import Connection
from web.errors import N_, NotFoundError
from web.queries import query
from web.view import View

PAGE = 50
OFFERED = 1000
"""Most that the form of a company offers."""

CUSTOMER, SERVER = "customer", "server"
FIELDS = {CUSTOMER: ("name", "email", "phone", "note"), SERVER: ("name", "url", "kind")}
"""What can be changed; the first of them, and the address of a server, are never empty."""

NEEDED = ("name", "url")
NONE_OF = {CUSTOMER: N_("There is no customer {id}."), SERVER: N_("There is no server {id}.")}
_CREATE: dict[str, type[Command]] = {CUSTOMER: CreateCustomer, SERVER: CreateServer}
_CHANGE: dict[str, type[Command]] = {CUSTOMER: ChangeCustomer, SERVER: ChangeServer}
_REMOVE: dict[str, type[Command]] = {CUSTOMER: RemoveCustomer, SERVER: RemoveServer}


class CompanyOf(msgspec.Struct, frozen=True, kw_only=True):
    """A company that belongs to a customer or uses a server; the name is None where the viewer does not see it."""

    id: int
    name: str | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A customer or a server: its fields as they are typed, and its companies."""

    id: int
    fields: dict[str, str]
    companies: list[CompanyOf]
    version: int

    @property
    def name(self) -> str:
        """What it is called; its number if its key was destroyed."""
        return self.fields["name"] or f"#{self.id}"


class Directory(msgspec.Struct, frozen=True, kw_only=True):
    """A page of customers or of servers. ``more`` is the ``skip`` of the next page, if there is one."""

    entries: list[Entry]
    skip: int
    more: int | None


async def load_list(connection: Connection, keyring: Keyring, view: View, kind: str, seen: Companies) -> Directory:
    """Read a page of customers or of servers; of companies, the names of those that the viewer sees.

    Raises
    ------
    BadRequestError
        The parameter ``skip`` is no number.
    """
    skip = view.number("skip")
    rows = await connection.fetch(shared(f"{kind}.list"), None, PAGE + 1, skip, False)
    entries = await _entries(connection, keyring, kind, rows[:PAGE], seen)
    return Directory(entries=entries, skip=skip, more=skip + PAGE if len(rows) > PAGE else None)


async def load(connection: Connection, keyring: Keyring, kind: str, number: int, seen: Companies = ()) -> Entry:
    """Read a customer or a server; of its companies, the names of those that the viewer sees.

    Raises
    ------
    NotFoundError
        There is none of that id.
    """
    rows = await connection.fetch(shared(f"{kind}.list"), number, 1, 0, False)
    if not rows:
        raise NotFoundError(NONE_OF[kind], id=number)
    return (await _entries(connection, keyring, kind, rows, seen))[0]


async def offered(connection: Connection, keyring: Keyring) -> dict[str, list[Entry]]:
    """Return the customers and the servers that a company can be given."""
    found: dict[str, list[Entry]] = {}
    for kind in (CUSTOMER, SERVER):
        rows = await connection.fetch(shared(f"{kind}.list"), None, OFFERED, 0, False)
        entries = await _entries(connection, keyring, kind, rows, ())
        found[kind] = sorted(entries, key=lambda one: one.name.casefold())
    return found


def wish_of(kind: str, form: Mapping[str, str], entry: Entry | None) -> Command:
    """Return the command that makes one, or changes it; fields that were left alone are left out."""
    typed = {name: form.get(name, "").strip() for name in FIELDS[kind]}
    if entry is None:
        return _CREATE[kind](**{name: text if name in NEEDED else text or None for name, text in typed.items()})
    changed = {name: text for name, text in typed.items() if text != entry.fields[name]}
    wanted: dict[str, Any] = {name: text if name in NEEDED else text or None for name, text in changed.items()}
    return _CHANGE[kind](**{f"{kind}_id": entry.id}, **wanted)


def removal_of(kind: str, number: int) -> Command:
    """Return the command that removes one."""
    return _REMOVE[kind](**{f"{kind}_id": number})


async def _entries(
    connection: Connection, keyring: Keyring, kind: str, rows: list[asyncpg.Record], seen: Companies
) -> list[Entry]:
    ids = sorted({company for row in rows for company in row["companies"] if seen == "*" or company in seen})
    named = {row["id"]: row["name"] for row in await connection.fetch(query("directory.names"), ids)} if ids else {}
    clear = await _clear(keyring, rows) if kind == CUSTOMER else {}
    return [
        Entry(
            id=row["id"],
            fields=clear.get(row["id"])
            or {"name": row["name"], "url": row["url"] or "", "kind": row["type"] or ""},
            companies=[CompanyOf(id=one, name=named.get(one)) for one in row["companies"]],
            version=row["stream_version"],
        )
        for row in rows
    ]


async def _clear(keyring: Keyring, rows: list[asyncpg.Record]) -> dict[int, dict[str, str]]:
    """Return the fields of customers in clear; what was erased is empty."""
    names = FIELDS[CUSTOMER]
    places = [
        (msgspec.json.decode(row[name] or "null"), f"customer-{row['id']}|{name}") for row in rows for name in names
    ]
    texts = iter(await keyring.reveal(places))
    return {
        row["id"]: {name: "" if (text := next(texts)) is None or isinstance(text, Erased) else text for name in names}
        for row in rows
    }
