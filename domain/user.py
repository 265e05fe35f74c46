"""A user: who they are, how they prove it, and the system roles that they have.

Passwords come as Argon2id hashes, codes as digests, logins with their keyed hashes: whoever executes a command
(``commands.users``) makes them.

Examples
--------
>>> uuid = "775ed801-2489-4981-bc14-d8a01cba1938"
>>> wish = CreateUser(user_id=5, uuid=uuid, login="jane", login_key="k", roles=("editor",))
>>> created, granted = decide(None, wish)
>>> user = evolve(evolve(None, created), granted)
>>> sorted(user.roles), decide(user, GrantRole(user_id=5, role="editor"))
(['editor'], [])
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from domain import checks
from domain.command import changes, given, moment, set_fields, where_set
from domain.errors import NotFoundError, StateError, ValidationError
from domain.event import Personal
from domain.permissions import SYSTEM_ROLES
from domain.user_commands import (
    AddPasskey,
    ChangeProfile,
    ChangeUser,
    CreateUser,
    DisableTotp,
    EnableTotp,
    GrantRole,
    LinkIdentity,
    MakeRecoveryCodes,
    RemovePasskey,
    RemoveUser,
    RevokeRole,
    SetPassword,
    UnlinkIdentity,
    UserCommand,
    UseRecoveryCode,
)
from domain.user_events import (
    IdentityLinked,
    IdentityUnlinked,
    PasskeyAdded,
    PasskeyRemoved,
    PasswordSet,
    RecoveryCodesMade,
    RecoveryCodeUsed,
    RoleGranted,
    RoleRevoked,
    TotpDisabled,
    TotpEnabled,
    UserChanged,
    UserCreated,
    UserEvent,
    UserRemoved,
)

MOST_PASSKEYS = 20
CAUSES = ("set", "changed", "reset", "upgraded")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_LOGIN = re.compile(r"[^\s\x00-\x1f\x7f]{1,128}")
_FIELDS = ("login", "login_key", "email", "email_key", "first_name", "last_name", "enabled", "language")


class Passkey(msgspec.Struct, frozen=True):
    """A passkey of a user."""

    credential_id: str
    public_key: str
    name: Personal
    transports: tuple[str, ...]
    added_at: datetime


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user as their events left them.

    Attributes
    ----------
    password_set_at : datetime or None
        When the user last got another password; the same one, hashed anew, is none.
    roles : dict[str, datetime or None]
        System roles, and until when each is held; None: for good.
    recovery : frozenset[str]
        Digests of the recovery codes that are left.
    identities : dict[str, tuple[str, Personal]]
        Of each keyed hash of an account elsewhere, the issuer and the subject.
    """

    user_id: int
    uuid: str
    login: Personal
    login_key: str
    email: Personal | None = None
    email_key: str | None = None
    first_name: Personal | None = None
    last_name: Personal | None = None
    enabled: bool = True
    language: str | None = None
    password: Personal | None = None
    password_set_at: datetime | None = None
    roles: dict[str, datetime | None] = {}
    totp: Personal | None = None
    recovery: frozenset[str] = frozenset()
    passkeys: dict[str, Passkey] = {}
    identities: dict[str, tuple[str, Personal]] = {}
    removed: bool = False


def decide(state: User | None, command: UserCommand) -> list[UserEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused.
    """
    if isinstance(command, CreateUser):
        return _create(state, command)
    user = _present(state, command.user_id)
    if (decided := _DECIDE.get(type(command))) is None:
        raise TypeError(f"{type(command).__name__} is no command of a user.")
    return decided(user, command)


def evolve(state: User | None, event: UserEvent) -> User:
    """Return the user as an event leaves them."""
    if isinstance(event, UserCreated):
        return User(user_id=event.user_id, uuid=event.uuid, **set_fields(event, _FIELDS))
    if state is None:
        raise TypeError(f"{type(event).__name__} cannot follow here.")
    return msgspec.structs.replace(state, **_EVOLVE[type(event)](state, event))


def login_text(login: str) -> str:
    """Return a login in its stored form.

    Raises
    ------
    ValidationError
        It has not the form of one.
    """
    cleaned = checks.text(login.strip(), "login")
    if not _LOGIN.fullmatch(cleaned):
        raise ValidationError(
            "A login has 1 to 128 characters and no spaces. Choose another.", field="login", code="login_invalid"
        )
    return cleaned


def role_name(role: str) -> str:
    """Return a system role in its own spelling.

    Raises
    ------
    ValidationError
        There is none of that name.
    """
    return checks.one_of(role, "role", SYSTEM_ROLES)


def _present(state: User | None, user_id: int) -> User:
    if state is None or state.removed:
        raise NotFoundError(
            f"There is no user {user_id}. `user:list` shows those there are.", field="user_id", code="user_not_found"
        )
    return state


def _create(state: User | None, command: CreateUser) -> list[UserEvent]:
    user_id = given(command.user_id, "user_id")
    if state is not None:
        raise StateError(f"User {user_id} exists already.", field="user_id", code="user_exists")
    events: list[UserEvent] = [
        UserCreated(
            user_id=user_id,
            uuid=checks.uuid_text(given(command.uuid, "uuid")),
            login=login_text(command.login),
            login_key=given(command.login_key, "login_key"),
            email=checks.email(command.email),
            email_key=command.email_key,
            first_name=checks.optional_line(command.first_name, "first_name"),
            last_name=checks.optional_line(command.last_name, "last_name"),
            enabled=command.enabled,
            language=_language(command.language),
        )
    ]
    if command.password is not None:
        events.append(PasswordSet(user_id=user_id, password=command.password, cause="set", set_at=moment(command.now)))
    roles = dict.fromkeys(role_name(role) for role in command.roles)
    return events + [RoleGranted(user_id=user_id, role=role) for role in roles]


def _change(state: User, command: ChangeUser | ChangeProfile) -> list[UserEvent]:
    wanted = {
        "email": where_set(command.email, checks.email),
        "email_key": command.email_key,
        "first_name": where_set(command.first_name, lambda name: checks.optional_line(name, "first_name")),
        "last_name": where_set(command.last_name, lambda name: checks.optional_line(name, "last_name")),
        "language": where_set(command.language, _language),
    }
    if isinstance(command, ChangeUser):
        wanted |= {
            "login": where_set(command.login, login_text),
            "login_key": command.login_key,
            "enabled": command.enabled,
        }
    changed = changes(state, wanted)
    return [UserChanged(user_id=state.user_id, **changed)] if changed else []


def _set_password(state: User, command: SetPassword) -> list[UserEvent]:
    if command.password is None and state.password is None:
        return []
    cause = checks.one_of(command.cause, "cause", CAUSES)
    return [PasswordSet(user_id=state.user_id, password=command.password, cause=cause, set_at=moment(command.now))]


def _change_role(state: User, command: GrantRole | RevokeRole) -> list[UserEvent]:
    role = role_name(command.role)
    if isinstance(command, RevokeRole):
        return [RoleRevoked(user_id=state.user_id, role=role)] if role in state.roles else []
    until = None if command.until is None else future(command.until, moment(command.now))
    if role in state.roles and state.roles[role] == until:
        return []
    return [RoleGranted(user_id=state.user_id, role=role, until=until)]


def future(until: datetime, now: datetime) -> datetime:
    """Return the moment at which a grant ends.

    Raises
    ------
    ValidationError
        It has passed.
    """
    if until <= now:
        raise ValidationError(
            f"The end of the grant, {until.isoformat()}, has passed. Give a moment that is to come.",
            field="until",
            code="until_passed",
        )
    return moment(until)


def _enable_totp(state: User, command: EnableTotp) -> list[UserEvent]:
    if state.totp is not None:
        raise StateError("One-time codes are asked for already. Disable them first.", code="totp_enabled_already")
    return [
        TotpEnabled(user_id=state.user_id, secret=command.totp_secret, enabled_at=moment(command.now)),
        RecoveryCodesMade(user_id=state.user_id, digests=list(command.recovery)),
    ]


def _make_recovery_codes(state: User, command: MakeRecoveryCodes) -> list[UserEvent]:
    if state.totp is None:
        raise StateError(
            "Recovery codes stand in for one-time codes, which are not asked for. Enable those first.",
            code="totp_not_enabled",
        )
    return [RecoveryCodesMade(user_id=state.user_id, digests=list(command.recovery))]


def _use_recovery_code(state: User, command: UseRecoveryCode) -> list[UserEvent]:
    if command.digest not in state.recovery:
        raise ValidationError("This recovery code is wrong or was used.", code="recovery_code_wrong")
    return [RecoveryCodeUsed(user_id=state.user_id, digest=command.digest)]


def _add_passkey(state: User, command: AddPasskey) -> list[UserEvent]:
    if command.credential_id in state.passkeys:
        raise StateError("This passkey is registered already.", code="passkey_exists")
    if len(state.passkeys) >= MOST_PASSKEYS:
        raise StateError(f"A user has at most {MOST_PASSKEYS} passkeys. Remove one first.", code="too_many_passkeys")
    return [
        PasskeyAdded(
            user_id=state.user_id,
            credential_id=command.credential_id,
            public_key=command.public_key,
            name=checks.line(command.name, "name"),
            transports=list(command.transports),
            added_at=moment(command.now),
        )
    ]


def _remove_passkey(state: User, command: RemovePasskey) -> list[UserEvent]:
    known = command.credential_id in state.passkeys
    return [PasskeyRemoved(user_id=state.user_id, credential_id=command.credential_id)] if known else []


def _change_identity(state: User, command: LinkIdentity | UnlinkIdentity) -> list[UserEvent]:
    known = state.identities.get(command.subject_key)
    if isinstance(command, UnlinkIdentity):
        if known is None:
            return []
        return [IdentityUnlinked(user_id=state.user_id, issuer=known[0], subject_key=command.subject_key)]
    if known is not None:
        return []
    return [
        IdentityLinked(
            user_id=state.user_id,
            issuer=checks.line(command.issuer, "issuer"),
            subject=checks.line(command.subject, "subject"),
            subject_key=given(command.subject_key, "subject_key"),
            linked_at=moment(command.now),
        )
    ]


def _language(language: str | None) -> str | None:
    if language is None or not language.strip():
        return None
    code = language.strip().lower()
    if not _LANGUAGE.fullmatch(code):
        raise ValidationError("A language is a code such as cs or en.", field="language", code="language_invalid")
    return code


def _without(held: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in held.items() if name != key}


def _with_passkey(state: User, event: PasskeyAdded) -> dict[str, Any]:
    added = Passkey(event.credential_id, event.public_key, event.name, tuple(event.transports), event.added_at)
    return {"passkeys": {**state.passkeys, event.credential_id: added}}


_DECIDE: dict[type[UserCommand], Callable[[User, Any], list[UserEvent]]] = {
    ChangeUser: _change,
    ChangeProfile: _change,
    RemoveUser: lambda user, _: [UserRemoved(user_id=user.user_id)],
    SetPassword: _set_password,
    GrantRole: _change_role,
    RevokeRole: _change_role,
    EnableTotp: _enable_totp,
    DisableTotp: lambda user, _: [TotpDisabled(user_id=user.user_id)] if user.totp is not None else [],
    MakeRecoveryCodes: _make_recovery_codes,
    UseRecoveryCode: _use_recovery_code,
    AddPasskey: _add_passkey,
    RemovePasskey: _remove_passkey,
    LinkIdentity: _change_identity,
    UnlinkIdentity: _change_identity,
}
_EVOLVE: dict[type[UserEvent], Callable[[User, Any], dict[str, Any]]] = {
    UserChanged: lambda _, event: set_fields(event, _FIELDS),
    UserRemoved: lambda _, __: {"removed": True},
    PasswordSet: lambda user, event: {
        "password": event.password,
        "password_set_at": user.password_set_at if event.cause == "upgraded" else event.set_at,
    },
    RoleGranted: lambda user, event: {"roles": {**user.roles, event.role: event.until}},
    RoleRevoked: lambda user, event: {"roles": _without(user.roles, event.role)},
    TotpEnabled: lambda _, event: {"totp": event.secret},
    TotpDisabled: lambda _, __: {"totp": None, "recovery": frozenset[str]()},
    RecoveryCodesMade: lambda _, event: {"recovery": frozenset(event.digests)},
    RecoveryCodeUsed: lambda user, event: {"recovery": user.recovery - {event.digest}},
    PasskeyAdded: _with_passkey,
    PasskeyRemoved: lambda user, event: {"passkeys": _without(user.passkeys, event.credential_id)},
    IdentityLinked: lambda user, event: {
        "identities": {**user.identities, event.subject_key: (event.issuer, event.subject)}
    },
    IdentityUnlinked: lambda user, event: {"identities": _without(user.identities, event.subject_key)},
}
