"""Requests for the erasure of users: the list of them, and one with what goes, what stays, and what has happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from domain.erasure import (
    ANONYMIZE,
    APPROVED,
    COMPLETED,
    HARD,
    PENDING,
    PROCESSING,
    REJECTED,
    SOFT,
    WITHDRAWN,
)
from domain.erasure_events import ErasureCompleted, ErasureEvent, ErasureStarted
from domain.event import Erased
from eventstore.keyring import Keyring
from eventstore.store import EventStore
from web.data.narrowing import one_of
from web.database import Connection
from web.errors import N_, NotFoundError
from web.queries import query
from web.view import View

PAGE = 50
NONE = N_("There is no request {id}.")

STATUSES = {
    PENDING: ("warning", N_("waits for a decision")),
    APPROVED: ("queued", N_("approved, to be carried out")),
    PROCESSING: ("running", N_("being carried out")),
    COMPLETED: ("success", N_("carried out")),
    REJECTED: ("failed", N_("refused")),
    WITHDRAWN: ("cancelled", N_("withdrawn")),
}
"""Of each status, its sign and its name."""

OPEN = "open"
FILTERS = {OPEN: [PENDING, APPROVED, PROCESSING], **{status: [status] for status in STATUSES}}
"""What the list can be narrowed to: statuses by the value of the parameter."""

KINDS = {
    SOFT: N_("Erase who it is; roles, groups and access stay, the account is disabled"),
    ANONYMIZE: N_("Erase who it is and give up roles, groups and access; the account is disabled"),
    HARD: N_("Erase who it is and remove the account"),
}
"""What each kind of erasure does, in a line."""

ERASED, VOID, GIVEN_UP, STAYS, ENDED = N_("is erased"), N_("is void"), N_("is given up"), N_("stays"), N_("is ended")

THINGS = (
    ("secrets", N_("Password and second factor"), VOID),
    ("keys", N_("Passkeys and accounts elsewhere"), VOID),
    ("tokens", N_("API tokens"), VOID),
    ("sessions", N_("Sessions"), ENDED),
    ("requests", N_("Open requests for access"), GIVEN_UP),
    ("roles", N_("System roles"), GIVEN_UP),
    ("memberships", N_("Access to companies"), GIVEN_UP),
    ("groups", N_("Groups"), GIVEN_UP),
)
"""What there can be of a user, with what an erasure does with it."""

KEPT_BY_SOFT = frozenset({"roles", "memberships", "groups"})

DONE = {
    "Requested": N_("asked for"),
    "Withdrawn": N_("withdrawn"),
    "Approved": N_("approved"),
    "Rejected": N_("refused"),
    "Started": N_("begun"),
    "Completed": N_("carried out"),
    "Forgotten": N_("reasons forgotten"),
}
"""What happened to a request, by the event."""

TABLES = {
    "api_token": N_("API tokens revoked"),
    "membership": N_("access to companies revoked"),
    "user_group_member": N_("groups left"),
    "access_request": N_("requests for access withdrawn"),
    "user_passkey": N_("passkeys removed"),
    "user_identity": N_("accounts elsewhere unlinked"),
    "user_account": N_("account removed or left without a name"),
    "data_keys": N_("key of the personal data destroyed"),
}
"""What was changed, by the table that the audit of an erasure names."""


class ErasureRow(msgspec.Struct, frozen=True, kw_only=True):
    """A request in a list; ``login`` is None once the user was erased."""

    id: int
    user_id: int
    login: str | None
    deletion_type: str
    status: str
    requested_by: int | None
    requested_at: datetime
    closed_at: datetime | None


class ErasureList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of requests. ``more`` is the ``skip`` of the next page, ``counts`` are all requests by status."""

    requests: list[ErasureRow]
    skip: int
    more: int | None
    status: str | None
    counts: dict[str, int]


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are of something, and what becomes of it; both texts in English."""

    what: str
    count: int
    fate: str
    stays: bool


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a request, from the log; ``changes`` counts what was changed, by table."""

    what: str
    time: datetime
    actor: str | None
    text: str | None
    changes: dict[str, int]
    sessions: int | None
    hash: str


class ErasureShown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page of a request shows."""

    request: ErasureRow
    name: str | None
    reason: str | None
    notes: str | None
    reviewed_by: int | None
    reviewed_at: datetime | None
    user_removed: bool
    effects: list[Effect]
    trail: list[Happened]

    @property
    def done(self) -> bool:
        """Whether nothing of the user can be read any more."""
        return self.request.status == COMPLETED


async def load_list(connection: Connection, keyring: Keyring, view: View) -> ErasureList:
    """Read a page of requests; with the parameter ``status``, those of that status, or with ``open`` those to do.

    Raises
    ------
    BadRequestError
        A parameter is none that there can be.
    """
    skip, status = view.number("skip"), one_of(view, "status", FILTERS)
    records = await connection.fetch(query("erasure.list"), PAGE + 1, skip, FILTERS.get(status or ""))
    clear = await _clear(keyring, [(each, "login", f"user-{each['user_id']}|login") for each in records[:PAGE]])
    counts = await connection.fetch(query("erasure.statuses"))
    return ErasureList(
        requests=[_row(each, login) for each, login in zip(records, clear, strict=False)],
        skip=skip,
        more=skip + PAGE if len(records) > PAGE else None,
        status=status,
        counts={each["status"]: each["count"] for each in counts},
    )


async def load(connection: Connection, store: EventStore, number: int) -> ErasureShown:
    """Read a request.

    Raises
    ------
    NotFoundError
        There is none of that id.
    """
    record = await connection.fetchrow(query("erasure.find"), number)
    if record is None:
        raise NotFoundError(NONE, id=number)
    held = await connection.fetchrow(query("erasure.held"), record["user_id"])
    user, own = f"user-{record['user_id']}", f"erasure-{number}"
    sealed = [(record, name, f"{user}|{name}") for name in ("login", "first_name", "last_name")]
    sealed += [(record, name, f"{own}|{name}") for name in ("reason", "notes")]
    login, first, last, reason, notes = await _clear(store.keyring, sealed)
    return ErasureShown(
        request=_row(record, login),
        name=" ".join(part for part in (first, last) if part) or login,
        reason=reason,
        notes=notes,
        reviewed_by=record["reviewed_by"],
        reviewed_at=record["reviewed_at"],
        user_removed=record["user_removed"],
        effects=effects_of(dict(held) if held else {}, record["deletion_type"], login is not None),
        trail=await trail_of(store, own),
    )


def effects_of(held: Mapping[str, int], kind: str, named: bool) -> list[Effect]:
    """Return what an erasure does with what there is of a user; ``named`` tells whether one can read who it is.

    Examples
    --------
    >>> told = effects_of({"roles": 2, "done": 5}, "soft", True)
    >>> [(each.count, each.fate) for each in told if each.count]
    [(1, 'is erased'), (2, 'stays'), (5, 'stays')]
    """
    found = [Effect(what=N_("Name, login, e-mail address and language"), count=int(named), fate=ERASED, stays=False)]
    for name, what, fate in THINGS:
        stays = kind == SOFT and name in KEPT_BY_SOFT
        found.append(Effect(what=what, count=held.get(name, 0), fate=STAYS if stays else fate, stays=stays))
    log = (("told", N_("Entries of the log about the user, then without a name")), ("done", N_("Changes by the user")))
    return [*found, *(Effect(what=what, count=held.get(name, 0), fate=STAYS, stays=True) for name, what in log)]


async def trail_of(store: EventStore, stream: str) -> list[Happened]:
    """Return what happened to a request, oldest first, as the log has it."""
    trail: list[Happened] = []
    async for recorded in store.read_stream(stream):
        event = recorded.event
        if not isinstance(event, ErasureEvent):
            continue
        text = getattr(event, "reason", None) or getattr(event, "notes", None)
        changes: dict[str, int] = {}
        for one in event.done if isinstance(event, ErasureStarted) else ():
            changes[one.table_name] = changes.get(one.table_name, 0) + 1
        trail.append(
            Happened(
                what=type(event).__name__.removeprefix("Erasure"),
                time=recorded.time,
                actor=recorded.meta.get("actor"),
                text=None if isinstance(text, Erased) else text,
                changes=changes,
                sessions=event.sessions if isinstance(event, ErasureCompleted) else None,
                hash=recorded.hash.hex(),
            )
        )
    return trail


def _row(record: asyncpg.Record, login: str | None) -> ErasureRow:
    fields = {name: record[name] for name in ErasureRow.__struct_fields__ if name != "login"}
    return ErasureRow(login=login, **fields)


async def _clear(keyring: Keyring, sealed: Sequence[tuple[Any, str, str]]) -> list[str | None]:
    """Return fields of records in clear; None where the key is destroyed."""
    found = await keyring.reveal([(msgspec.json.decode(row[name] or "null"), place) for row, name, place in sealed])
    return [text if isinstance(text, str) else None for text in found]
