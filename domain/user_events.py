"""Events of a user: stream ``user-ID``. What tells who they are is encrypted under their own key.

``login_key``, ``email_key`` and ``subject_key`` are keyed hashes: by them a login, an address and an account elsewhere
are found and kept unique. A password is its Argon2id hash, and that is encrypted, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from domain.event import UNSET, Event, Personal, Unset

_USER = "user:{user_id}"
_NAMES = {"login": _USER, "email": _USER, "first_name": _USER, "last_name": _USER}


class UserEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a user."""

    category: ClassVar[str] = "user"

    user_id: int


class UserCreated(UserEvent, frozen=True, kw_only=True):
    """A user was made. ``language`` is a code of ISO 639-1."""

    personal: ClassVar[Mapping[str, str]] = _NAMES

    uuid: str
    login: Personal
    login_key: str
    email: Personal | None = None
    email_key: str | None = None
    first_name: Personal | None = None
    last_name: Personal | None = None
    enabled: bool = True
    language: str | None = None


class UserChanged(UserEvent, frozen=True, kw_only=True):
    """Some fields of a user were changed; those that are unset stay as they were."""

    personal: ClassVar[Mapping[str, str]] = _NAMES

    login: Personal | Unset = UNSET
    login_key: str | Unset = UNSET
    email: Personal | Unset | None = UNSET
    email_key: str | Unset | None = UNSET
    first_name: Personal | Unset | None = UNSET
    last_name: Personal | Unset | None = UNSET
    enabled: bool | Unset = UNSET
    language: str | Unset | None = UNSET


class UserRemoved(UserEvent, frozen=True, kw_only=True):
    """A user left."""


class PasswordSet(UserEvent, frozen=True, kw_only=True):
    """A user has another password; None: none, so that they sign in by other means.

    ``cause`` is ``set`` (by somebody who manages users), ``changed`` (by themselves), ``reset`` (by a link in a mail)
    or ``upgraded`` (the same password, hashed anew by stronger parameters).
    """

    personal: ClassVar[Mapping[str, str]] = {"password": _USER}

    password: Personal | None
    cause: str
    set_at: datetime


class RoleGranted(UserEvent, frozen=True, kw_only=True):
    """A user has a system role, until a moment if one is given."""

    role: str
    until: datetime | None = None


class RoleRevoked(UserEvent, frozen=True, kw_only=True):
    """A user no longer has a system role."""

    role: str


class TotpEnabled(UserEvent, frozen=True, kw_only=True):
    """Signing in asks for one-time codes, too (TOTP, RFC 6238). The secret is base32."""

    personal: ClassVar[Mapping[str, str]] = {"secret": _USER}

    secret: Personal
    enabled_at: datetime


class TotpDisabled(UserEvent, frozen=True, kw_only=True):
    """Signing in no longer asks for one-time codes."""


class RecoveryCodesMade(UserEvent, frozen=True, kw_only=True):
    """A user has new recovery codes; those before are void. ``digests`` are SHA-256."""

    digests: list[str]


class RecoveryCodeUsed(UserEvent, frozen=True, kw_only=True):
    """A recovery code stood in for the second factor, and is void."""

    digest: str


class PasskeyAdded(UserEvent, frozen=True, kw_only=True):
    """A user can sign in by a passkey (WebAuthn). Id and public key (COSE) are base64url."""

    personal: ClassVar[Mapping[str, str]] = {"name": _USER}

    credential_id: str
    public_key: str
    name: Personal
    transports: list[str]
    added_at: datetime


class PasskeyRemoved(UserEvent, frozen=True, kw_only=True):
    """A passkey is void."""

    credential_id: str


class IdentityLinked(UserEvent, frozen=True, kw_only=True):
    """A user can sign in by an account at an OpenID provider; ``subject`` is its identifier there."""

    personal: ClassVar[Mapping[str, str]] = {"subject": _USER}

    issuer: str
    subject: Personal
    subject_key: str
    linked_at: datetime


class IdentityUnlinked(UserEvent, frozen=True, kw_only=True):
    """An account at an OpenID provider no longer signs the user in."""

    issuer: str
    subject_key: str
