"""Errors of executing commands, besides those of the domain and of the event store."""

from __future__ import annotations

from collections.abc import Iterable

from domain.errors import DomainError, ForbiddenError, TakenError
from domain.event import Event
from eventstore.errors import UniqueError


class KeyReusedError(DomainError):
    """An idempotency key was used before for another command."""

    default_code = "idempotency_key_reused"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The idempotency key “{key[:80]}” was used before, for another command. Use a new key for a new command.",
            field="idempotency_key",
        )


class DeniedError(ForbiddenError):
    """The actor has not the permission for what they wish.

    Attributes
    ----------
    wish : str
        Name of the command, or of what was to be seen.
    permission : str
        What it needs.
    company_id : int or None
        Company that it concerns.
    recorded : bool
        Whether it was put down as an event.
    hidden : bool
        Whether what is wished is of a company that the actor does not see.
    instead : DomainError or None
        What the actor is told in its place: that there is no such thing, as they are told where there is none.
    """

    def __init__(
        self, message: str, *, wish: str, permission: str, company_id: int | None = None, code: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.wish = wish
        self.permission = permission
        self.company_id = company_id
        self.recorded = False
        self.hidden = False
        self.instead: DomainError | None = None


class BusyError(DomainError):
    """Others changed the same thing again and again while a command was executed."""

    default_code = "busy"


TAKEN = {
    "company_slug_key": ("code", "company_code_taken", "The code “{}” is in use by another company. Choose another."),
    "company_name_key": ("name", "company_name_taken", "The name “{}” is in use by another company. Choose another."),
    "application_uuid_key": ("uuid", "application_uuid_taken", "There is an application with the UUID {} already."),
    "credential_prototype_uuid_key": ("uuid", "prototype_uuid_taken", "There is a prototype with the UUID {} already."),
    "credential_prototype_code_key": ("code", "prototype_code_taken", "The code “{}” belongs to another prototype."),
    "user_login_key": ("login", "login_taken", "The login “{}” is in use by another user. Choose another."),
    "user_email_key": ("email", "email_taken", "The e-mail address {} is in use by another user. Choose another."),
    "api_token_digest_key": ("token", "token_taken", "This token is in use already. Make another."),
    "user_passkey_pkey": ("credential_id", "passkey_taken", "This passkey signs another user in already."),
    "user_group_name_key": ("name", "group_name_taken", "The name “{}” belongs to another group. Choose another."),
    "access_request_open_key": ("company_id", "request_open", "The user has asked for access to company {} already."),
    "erasure_open_key": ("user_id", "erasure_open", "There is an open request for the erasure of user {} already."),
    "user_identity_pkey": ("subject", "identity_taken", "This account signs another user in already."),
    "job_queue_due_key": ("due", "job_due_taken", "There is a job for what was due at {} already."),
}
"""Unique constraints of inline projections: the field that each concerns, the code and the message of its error."""


def taken(error: UniqueError, events: Iterable[Event]) -> TakenError:
    """Return a violation of a unique constraint in the words of the domain."""
    if error.constraint not in TAKEN:
        return TakenError(f"A value that must be unique is in use ({error.constraint}).")
    field, code, message = TAKEN[error.constraint]
    values = (getattr(event, field, None) for event in events)
    return TakenError(
        message.format(next((value for value in values if value is not None), "?")), field=field, code=code
    )
