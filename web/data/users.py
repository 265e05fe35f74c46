"""Users for those who manage them: who they are, what they may do where, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from eventstore.blind_index import BlindIndex
from eventstore.keyring import Keyring
from projections.queries import query as shared
from web.data.company_choice import OFFERED
from web.database import Connection
from web.errors import N_, NotFoundError
from web.view import View

PAGE = 50
PERSONAL = {"login": "login", "email": "email", "firstname": "first_name", "lastname": "last_name"}
"""Personal fields of a user: names in rows, and in the events that they were encrypted in."""


class UserRow(msgspec.Struct, frozen=True, kw_only=True):
    """A user in a list; names are None once the user was erased."""

    id: int
    login: str | None
    email: str | None
    first_name: str | None
    last_name: str | None
    language: str | None
    enabled: bool
    roles: list[str]
    has_password: bool
    second_factor: datetime | None
    last_activity_at: datetime | None
    created_at: datetime

    @property
    def name(self) -> str:
        """What people call them."""
        return " ".join(part for part in (self.first_name, self.last_name) if part) or self.login or f"#{self.id}"


class UserList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of users. ``more`` is the ``skip`` of the next page, if there is one."""

    users: list[UserRow]
    skip: int
    more: int | None
    wanted: str | None


class RoleShown(msgspec.Struct, frozen=True, kw_only=True):
    """A system role of a user."""

    role: str
    until: datetime | None
    granted_at: datetime
    granted_by: str | None
    active: bool


class MemberShown(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may do in a company."""

    company_id: int
    company_name: str | None
    role: str
    more: list[str]
    less: list[str]
    until: datetime | None
    granted_by: str | None
    active: bool
    user_group: str | None = None


class UserShown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page of a user shows; ``companies`` are those that they can be let into."""

    user: UserRow
    roles: list[RoleShown]
    memberships: list[MemberShown]
    companies: list[tuple[int, str]]


async def load_list(connection: Connection, keyring: Keyring, view: View) -> UserList:
    """Read a page of users; with the parameter ``find``, the one with that login or e-mail address.

    Raises
    ------
    BadRequestError
        The parameter ``skip`` is no number.
    """
    skip = view.number("skip")
    wanted = view.parameters.get("find", "").strip() or None
    if wanted is not None:
        index = BlindIndex(keyring)
        found = await connection.fetchrow(shared("user.find"), None, await index.of("login", wanted), None)
        if found is None and "@" in wanted:
            found = await connection.fetchrow(shared("user.find"), None, None, await index.of("email", wanted))
        return UserList(
            users=await shown(keyring, [found] if found else []), skip=0, more=None, wanted=wanted
        )
    records = await connection.fetch(shared("user.list"), PAGE + 1, skip, False, view.company_id)
    more = skip + PAGE if len(records) > PAGE else None
    return UserList(users=await shown(keyring, records[:PAGE]), skip=skip, more=more, wanted=None)


async def load(connection: Connection, keyring: Keyring, user_id: int) -> UserShown:
    """Read a user.

    Raises
    ------
    NotFoundError
        There is none of that id.
    """
    record = await connection.fetchrow(shared("user.find"), user_id, None, None)
    if record is None:
        raise NotFoundError(N_("There is no user {id}."), id=user_id)
    companies = await connection.fetch(shared("company.choice"), OFFERED)
    names = {each["id"]: each["name"] for each in companies}
    members = await connection.fetch(shared("user.members"), None, user_id, None)
    return UserShown(
        user=(await shown(keyring, [record]))[0],
        roles=[
            RoleShown(**{name: each[name] for name in RoleShown.__struct_fields__})
            for each in await connection.fetch(shared("user.roles"), user_id)
        ],
        memberships=[
            MemberShown(
                company_name=names.get(each["company_id"]),
                more=list(each["more"]),
                less=list(each["less"]),
                **{name: each[name] for name in ("company_id", "role", "until", "granted_by", "active", "user_group")},
            )
            for each in members
        ],
        companies=sorted(names.items(), key=lambda pair: str(pair[1]).casefold()),
    )


async def shown(keyring: Keyring, records: Sequence[asyncpg.Record]) -> list[UserRow]:
    """Return records of the query ``user.list`` as they are shown, in clear."""
    sealed: list[tuple[dict[str, Any] | None, str]] = [
        (msgspec.json.decode(record[name] or "null"), f"user-{record['id']}|{field}")
        for record in records
        for name, field in PERSONAL.items()
    ]
    clear = iter(await keyring.reveal(sealed))
    users: list[UserRow] = []
    for record in records:
        told = {field: text if isinstance(text := next(clear), str) else None for field in PERSONAL.values()}
        users.append(
            UserRow(
                id=record["id"],
                language=record["language"],
                enabled=record["enabled"],
                roles=list(record["roles"]),
                has_password=record["password"] is not None,
                second_factor=record["second_factor"],
                last_activity_at=record["last_activity_at"],
                created_at=record["DatCreate"],
                **told,
            )
        )
    return users
