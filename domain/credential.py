"""A credential: values of a company that jobs of the run templates which it is assigned to get, and no others.

The domain never sees a value in clear: whoever executes a command checks values against the prototype and encrypts
them (``commands.credentials``).

Examples
--------
>>> from datetime import UTC, datetime
>>> noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
>>> [created] = decide(None, CreateCredential(name="Acme's bank", company_id=7, credential_type_id=5, credential_id=9,
...     uuid="775ed801-2489-4981-bc14-d8a01cba1938", write_only=True))
>>> decide(evolve(None, created), RevealCredential(credential_id=9, now=noon, revealed_to="user:1", fields=["TOKEN"]))
Traceback (most recent call last):
domain.errors.StateError: Credential 9 is write-only: its values are never shown. Give it new values instead.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from domain import checks
from domain.command import Command, changes, given, moment, set_fields, where_set
from domain.credential_events import (
    CredentialChanged,
    CredentialChecked,
    CredentialCreated,
    CredentialEvent,
    CredentialReencrypted,
    CredentialRemoved,
    CredentialRevealed,
)
from domain.errors import NotFoundError, StateError, ValidationError
from domain.event import UNSET, Unset
from domain.sealed import Sealed, changed_values, merged, reencrypted

CHECK_OUTCOMES = ("available", "degraded", "unavailable", "misconfigured", "unknown")
LONGEST_ROTATION = 3_650
_FIELDS = ("name", "credential_type_id", "values", "valued_at", "write_only", "expires_at", "rotate_every")


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as its events left it."""

    credential_id: int
    company_id: int
    uuid: str
    name: str
    credential_type_id: int
    values: dict[str, Sealed]
    valued_at: datetime | None = None
    write_only: bool = False
    expires_at: datetime | None = None
    rotate_every: int | None = None
    removed: bool = False


class CredentialCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a credential. The executor gives ``now``."""

    category: ClassVar[str] = "credential"

    credential_id: int
    now: datetime | None = None


class CreateCredential(CredentialCommand, frozen=True, kw_only=True):
    """Make a credential of a company's type.

    ``values`` are given in clear; the executor encrypts them into ``sealed`` and gives the company of the type unless
    it is named. ``rotate_every`` is in days.
    """

    creates: ClassVar[bool] = True
    secret: ClassVar[tuple[str, ...]] = ("values",)

    credential_type_id: int
    name: str
    company_id: int = 0
    values: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    write_only: bool = False
    expires_at: datetime | None = None
    rotate_every: int | None = None
    credential_id: int = 0
    uuid: str = ""
    sealed: dict[str, Sealed | None] = msgspec.field(default_factory=dict[str, Sealed | None])


class ChangeCredential(CredentialCommand, frozen=True, kw_only=True):
    """Change some fields; None empties one, unset leaves it. Of ``values``, an empty one stays, None is taken away."""

    secret: ClassVar[tuple[str, ...]] = ("values",)

    name: str | Unset = UNSET
    credential_type_id: int | Unset = UNSET
    values: dict[str, str | None] = msgspec.field(default_factory=dict[str, str | None])
    write_only: bool | Unset = UNSET
    expires_at: datetime | Unset | None = UNSET
    rotate_every: int | Unset | None = UNSET
    sealed: dict[str, Sealed | None] = msgspec.field(default_factory=dict[str, Sealed | None])


class ReencryptCredential(CredentialCommand, frozen=True, kw_only=True):
    """Put in place of values the same ones under a newer key; those that changed meanwhile stay as they are."""

    sealed: dict[str, Sealed]
    replaced: dict[str, Sealed]


class RevealCredential(CredentialCommand, frozen=True, kw_only=True):
    """Note that somebody is shown values in clear; who does so shows them only after it was noted.

    ``fields`` are the names of values; the executor gives ``revealed_to``.
    """

    fields: list[str]
    reason: str | None = None
    revealed_to: str = ""


class RecordCredentialCheck(CredentialCommand, frozen=True, kw_only=True):
    """Note what came of trying whether the credential works; ``duration`` is in seconds."""

    outcome: str
    kind: str
    message: str
    duration: float


class RemoveCredential(CredentialCommand, frozen=True, kw_only=True):
    """Take a credential away, with ``cascade`` from the run templates that use it, too; without, there must be none.

    ``leaving``: its company leaves, and the run templates with it.
    """

    cascade: bool = False
    leaving: bool = False


def decide(state: Credential | None, command: CredentialCommand) -> list[CredentialEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused.
    """
    if isinstance(command, CreateCredential):
        return _create(state, command)
    present = _present(state, command.credential_id)
    match command:
        case ChangeCredential():
            return _change(present, command)
        case ReencryptCredential():
            values = reencrypted(present.values, command.replaced, command.sealed)
            return [CredentialReencrypted(**_about(present), values=values)] if values != present.values else []
        case RevealCredential():
            return [_reveal(present, command)]
        case RecordCredentialCheck():
            return [
                CredentialChecked(
                    **_about(present),
                    outcome=checks.one_of(command.outcome, "outcome", CHECK_OUTCOMES),
                    kind=checks.line(command.kind, "kind", longest=32),
                    message=checks.text(command.message, "message", longest=2_000),
                    duration=command.duration,
                    checked_at=moment(command.now),
                )
            ]
        case RemoveCredential():
            return [CredentialRemoved(**_about(present))]
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a credential.")


def evolve(state: Credential | None, event: CredentialEvent) -> Credential:
    """Return the credential as an event leaves it."""
    match event:
        case CredentialCreated():
            return Credential(
                credential_id=event.credential_id,
                company_id=event.company_id,
                uuid=event.uuid,
                **set_fields(event, _FIELDS),
            )
        case CredentialChanged() if state is not None:
            return msgspec.structs.replace(state, **set_fields(event, _FIELDS))
        case CredentialReencrypted() if state is not None:
            return msgspec.structs.replace(state, values=event.values)
        case CredentialRevealed() | CredentialChecked() if state is not None:
            return state
        case CredentialRemoved() if state is not None:
            return msgspec.structs.replace(state, removed=True)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _present(state: Credential | None, credential_id: int) -> Credential:
    if state is None or state.removed:
        raise NotFoundError(
            f"There is no credential {credential_id}. `credential:list` shows those there are.",
            field="credential_id",
            code="credential_not_found",
        )
    return state


def _about(state: Credential) -> dict[str, Any]:
    return {"credential_id": state.credential_id, "company_id": state.company_id}


def _create(state: Credential | None, command: CreateCredential) -> list[CredentialEvent]:
    credential_id = given(command.credential_id, "credential_id")
    if state is not None:
        raise StateError(f"Credential {credential_id} exists already.", code="credential_exists")
    return [
        CredentialCreated(
            credential_id=credential_id,
            company_id=given(command.company_id, "company_id"),
            uuid=checks.uuid_text(given(command.uuid, "uuid")),
            name=checks.line(command.name, "name"),
            credential_type_id=given(command.credential_type_id, "credential_type_id"),
            values=merged({}, command.sealed),
            valued_at=moment(command.now) if command.sealed else None,
            write_only=command.write_only,
            expires_at=_expiry(command.expires_at),
            rotate_every=_rotation(command.rotate_every),
        )
    ]


def _change(state: Credential, command: ChangeCredential) -> list[CredentialEvent]:
    if command.write_only is False and state.write_only:
        raise StateError(
            f"Credential {state.credential_id} is write-only, and stays so: whoever relied on it would be deceived. "
            "Make another credential.",
            field="write_only",
            code="credential_write_only",
        )
    wanted: dict[str, Any] = {
        "name": where_set(command.name, lambda name: checks.line(name, "name")),
        "credential_type_id": command.credential_type_id,
        "write_only": command.write_only,
        "expires_at": where_set(command.expires_at, _expiry),
        "rotate_every": where_set(command.rotate_every, _rotation),
    }
    changed = changes(state, wanted)
    changed |= changed_values(state.values, command.sealed, command.now)
    if not changed:
        return []
    return [CredentialChanged(**_about(state), **changed)]


def _reveal(state: Credential, command: RevealCredential) -> CredentialRevealed:
    if state.write_only:
        raise StateError(
            f"Credential {state.credential_id} is write-only: its values are never shown. Give it new values instead.",
            field="reveal",
            code="credential_write_only",
        )
    return CredentialRevealed(
        credential_id=state.credential_id,
        company_id=state.company_id,
        fields=sorted(command.fields),
        revealed_to=given(command.revealed_to, "revealed_to"),
        revealed_at=moment(command.now),
        reason=checks.optional_line(command.reason, "reason", longest=500),
    )


def _expiry(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise ValidationError(
            "The moment at which it expires has no time zone. Give one, as in 2026-12-31T00:00:00Z.", field="expires_at"
        )
    return None if value is None else value.astimezone(UTC)


def _rotation(days: int | None) -> int | None:
    return None if days is None else checks.whole(days, "rotate_every", lowest=1, highest=LONGEST_ROTATION)
