"""Errors of the domain, one tree: a command that the rules refuse.

Each names the field at fault where there is one, so that a form can show it beside its field, and carries a ``code``
that does not change with the language.
"""

from __future__ import annotations


class DomainError(Exception):
    """Base of all refusals.

    Attributes
    ----------
    message : str
        What happened, what was expected, what to do.
    field : str or None
        Field of the command at fault.
    code : str
        Stable name of the rule, e.g. ``company_code_taken``.
    """

    default_code = "refused"

    def __init__(self, message: str, *, field: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.code = code or self.default_code


class ValidationError(DomainError):
    """A value that is not of the form the field expects."""

    default_code = "invalid"


class NotFoundError(DomainError):
    """The thing the command speaks of does not exist."""

    default_code = "not_found"


class TakenError(DomainError):
    """A value that must be unique is in use."""

    default_code = "taken"


class StateError(DomainError):
    """The thing is not in a state in which the command makes sense."""

    default_code = "wrong_state"


class ForbiddenError(DomainError):
    """The actor may not do this."""

    default_code = "forbidden"
