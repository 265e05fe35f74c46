"""What may be wished of a user. Passwords come as Argon2id hashes, codes as digests, logins with their keyed hashes."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.command import Command
from domain.event import UNSET, Unset
from domain.permissions import DEFAULT_ROLE


class UserCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a user."""

    category: ClassVar[str] = "user"

    user_id: int


class CreateUser(UserCommand, frozen=True, kw_only=True):
    """Make a user. The executor gives ``user_id``, ``uuid``, the keyed hashes and the moment."""

    secret: ClassVar[tuple[str, ...]] = ("password",)

    creates: ClassVar[bool] = True

    login: str
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    enabled: bool = True
    language: str | None = None
    password: str | None = None
    roles: tuple[str, ...] = (DEFAULT_ROLE,)
    user_id: int = 0
    uuid: str = ""
    login_key: str = ""
    email_key: str | None = None
    now: datetime | None = None


class ChangeUser(UserCommand, frozen=True, kw_only=True):
    """Change some fields of a user; None empties one, unset leaves it as it is."""

    login: str | Unset = UNSET
    email: str | Unset | None = UNSET
    first_name: str | Unset | None = UNSET
    last_name: str | Unset | None = UNSET
    enabled: bool | Unset = UNSET
    language: str | Unset | None = UNSET
    login_key: str | Unset = UNSET
    email_key: str | Unset | None = UNSET


class ChangeProfile(UserCommand, frozen=True, kw_only=True):
    """Change what users may change of themselves."""

    email: str | Unset | None = UNSET
    first_name: str | Unset | None = UNSET
    last_name: str | Unset | None = UNSET
    language: str | Unset | None = UNSET
    email_key: str | Unset | None = UNSET


class RemoveUser(UserCommand, frozen=True, kw_only=True):
    """Let a user go, with their memberships and tokens."""


class SetPassword(UserCommand, frozen=True, kw_only=True):
    """Give a user another password, as an Argon2id hash; None takes it away."""

    secret: ClassVar[tuple[str, ...]] = ("password",)

    password: str | None
    cause: str = "set"
    now: datetime | None = None


class GrantRole(UserCommand, frozen=True, kw_only=True):
    """Give a user a system role, until a moment if one is given."""

    role: str
    until: datetime | None = None
    now: datetime | None = None


class RevokeRole(UserCommand, frozen=True, kw_only=True):
    """Take a system role from a user."""

    role: str


class EnableTotp(UserCommand, frozen=True, kw_only=True):
    """Ask for one-time codes at sign-in from now on; ``recovery`` are digests of codes for when the device is lost."""

    secret: ClassVar[tuple[str, ...]] = ("totp_secret", "recovery")

    totp_secret: str
    recovery: tuple[str, ...]
    now: datetime | None = None


class DisableTotp(UserCommand, frozen=True, kw_only=True):
    """Ask for no one-time codes any more; recovery codes are void with it."""


class MakeRecoveryCodes(UserCommand, frozen=True, kw_only=True):
    """Replace the recovery codes."""

    recovery: tuple[str, ...]


class UseRecoveryCode(UserCommand, frozen=True, kw_only=True):
    """Use up a recovery code."""

    digest: str


class AddPasskey(UserCommand, frozen=True, kw_only=True):
    """Let a user sign in by a passkey that was verified."""

    credential_id: str
    public_key: str
    name: str
    transports: tuple[str, ...] = ()
    now: datetime | None = None


class RemovePasskey(UserCommand, frozen=True, kw_only=True):
    """Make a passkey void."""

    credential_id: str


class LinkIdentity(UserCommand, frozen=True, kw_only=True):
    """Let a user sign in by a verified account at an OpenID provider."""

    issuer: str
    subject: str
    subject_key: str = ""
    now: datetime | None = None


class UnlinkIdentity(UserCommand, frozen=True, kw_only=True):
    """Let an account at an OpenID provider no longer sign the user in."""

    subject_key: str
