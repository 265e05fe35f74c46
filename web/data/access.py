"""Who may do what in a company, what was asked for, and the groups of users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from eventstore.keyring import Keyring
from projections.queries import query as shared
from web.database import Connection
from web.errors import N_, NotFoundError

MOST = 500
"""Most rows that a page shows."""

OPEN = "open"


class RequestShown(msgspec.Struct, frozen=True, kw_only=True):
    """A request for access; ``reason`` is why it was made, ``answer`` why it was refused."""

    id: int
    company_id: int
    company: str | None
    user_id: int
    login: str | None
    role: str
    until: datetime | None
    reason: str | None
    status: str
    requested_at: datetime
    answer: str | None
    answered_at: datetime | None


class AccessShown(msgspec.Struct, frozen=True, kw_only=True):
    """What a user, or a user by a group, may do in a company."""

    company_id: int
    company: str | None
    user_id: int
    login: str | None
    role: str
    more: list[str]
    less: list[str]
    until: datetime | None
    active: bool
    user_group_id: int | None
    user_group: str | None


class CompanyMembers(msgspec.Struct, frozen=True, kw_only=True):
    """Who may do what in a company, and what waits for an answer."""

    company_id: int
    company: str
    members: list[AccessShown]
    requests: list[RequestShown]


class OwnAccess(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may do where, and what they asked for."""

    access: list[AccessShown]
    requests: list[RequestShown]


class GroupRow(msgspec.Struct, frozen=True, kw_only=True):
    """A group in a list."""

    id: int
    name: str
    description: str | None
    members: int
    companies: int


class GroupMemberShown(msgspec.Struct, frozen=True, kw_only=True):
    """A user in a group."""

    user_id: int
    login: str | None
    until: datetime | None
    active: bool


class GroupAccessShown(msgspec.Struct, frozen=True, kw_only=True):
    """What a group may do in a company."""

    company_id: int
    role: str
    until: datetime | None
    active: bool


class GroupShown(msgspec.Struct, frozen=True, kw_only=True):
    """A group with who is in it and what they may do by it."""

    id: int
    name: str
    description: str | None
    members: list[GroupMemberShown]
    access: list[GroupAccessShown]


async def members_of(connection: Connection, keyring: Keyring, company_id: int) -> CompanyMembers:
    """Read who may do what in a company.

    Raises
    ------
    NotFoundError
        There is no such company.
    """
    name = (await names(connection, [company_id])).get(company_id)
    if name is None:
        raise NotFoundError(N_("There is no company {id}."), id=company_id)
    found = await connection.fetch(shared("user.members"), company_id, None, None)
    asked = await connection.fetch(
        shared("access_request.list"), MOST, 0, True, company_id, OPEN, None, None, None
    )
    return CompanyMembers(
        company_id=company_id,
        company=name,
        members=await _access(keyring, found, {company_id: name}),
        requests=await _requests(keyring, asked),
    )


async def access_of(connection: Connection, keyring: Keyring, user_id: int) -> OwnAccess:
    """Read what a user may do where, and what they asked for. They know of companies that let them in, of no others."""
    found = await connection.fetch(shared("user.members"), None, user_id, None)
    let_in = [record["company_id"] for record in found if record["active"]]
    asked = await connection.fetch(
        shared("access_request.list"), MOST, 0, False, None, None, None, let_in, user_id
    )
    own = [record for record in asked if record["user_id"] == user_id]
    known = await names(connection, let_in)
    return OwnAccess(access=await _access(keyring, found, known), requests=await _requests(keyring, own))


async def groups(connection: Connection) -> list[GroupRow]:
    """Read the groups of users."""
    found = await connection.fetch(shared("user_group.list"), MOST, 0, False, None)
    return [GroupRow(**{name: record[name] for name in GroupRow.__struct_fields__}) for record in found]


async def group(connection: Connection, keyring: Keyring, group_id: int) -> GroupShown:
    """Read a group.

    Raises
    ------
    NotFoundError
        There is none of that id.
    """
    record = await connection.fetchrow(shared("user_group.find"), group_id, None)
    if record is None:
        raise NotFoundError(N_("There is no group {id}."), id=group_id)
    members = await connection.fetch(shared("user_group.members"), group_id)
    logins = await _clear(keyring, [(each["login"], f"user-{each['user_id']}|login") for each in members])
    return GroupShown(
        id=record["id"],
        name=record["name"],
        description=record["description"],
        members=[
            GroupMemberShown(user_id=each["user_id"], login=login, until=each["until"], active=each["active"])
            for each, login in zip(members, logins, strict=True)
        ],
        access=[
            GroupAccessShown(**{name: each[name] for name in GroupAccessShown.__struct_fields__})
            for each in await connection.fetch(shared("user_group.access"), group_id)
        ],
    )


async def names(connection: Connection, companies: Iterable[int]) -> dict[int, str]:
    """Return the names of companies."""
    found = await connection.fetch(shared("company.names"), list(companies))
    return {record["id"]: record["name"] for record in found}


async def _access(
    keyring: Keyring, records: Sequence[asyncpg.Record], known: Mapping[int, str]
) -> list[AccessShown]:
    logins = await _clear(keyring, [(each["login"], f"user-{each['user_id']}|login") for each in records])
    plain = ("company_id", "user_id", "role", "until", "active", "user_group_id", "user_group")
    return [
        AccessShown(
            company=known.get(each["company_id"]),
            login=login,
            more=list(each["more"]),
            less=list(each["less"]),
            **{name: each[name] for name in plain},
        )
        for each, login in zip(records, logins, strict=True)
    ]


async def _requests(keyring: Keyring, records: Sequence[asyncpg.Record]) -> list[RequestShown]:
    places = [
        place
        for each in records
        for place in (
            (each["login"], f"user-{each['user_id']}|login"),
            (each["reason"], f"access_request-{each['id']}|reason"),
            (each["answer"], f"access_request-{each['id']}|reason"),
        )
    ]
    clear = iter(await _clear(keyring, places))
    plain = ("id", "company_id", "company", "user_id", "role", "until", "status", "requested_at", "answered_at")
    return [
        RequestShown(
            login=next(clear),
            reason=next(clear),
            answer=next(clear),
            **{name: each[name] for name in plain},
        )
        for each in records
    ]


async def _clear(keyring: Keyring, places: Sequence[tuple[str | None, str]]) -> list[str | None]:
    found = await keyring.reveal([(msgspec.json.decode(text or "null"), place) for text, place in places])
    return [text if isinstance(text, str) else None for text in found]
