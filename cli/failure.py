"""Failures told to the user: what happened, what was expected, what to do. Never a traceback.

Exit codes: 1 the command was refused or could not be carried out, 2 the command line is wrong, 130 interrupted,
141 nobody reads the answer.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import click

from domain.errors import DomainError

FIELD_NAMES = {
    "registration_number": "ic",
    "vat_number": "dic",
    "code": "slug",
    "customer_id": "customer",
    "server_id": "server",
    "application_id": "app_id",
    "interval": "interv",
    "environment": "config",
}
"""Options by the fields of commands, where they differ."""

OURS = {
    "eventstore.errors": "EventStoreError",
    "projections.errors": "ProjectionError",
    "schema.errors": "SchemaError",
    "commands.errors": "CommandError",
}
"""Roots of our errors, by module: an error can only be one of them if its module was imported."""


_TABLE = "The database lacks a table ({}). Run `multiflexi-cli database:migrate`."
_OLDER = "The database is of another version of MultiFlexi ({}). Run `multiflexi-cli database:migrate` as its owner."
_RIGHT = "The database refused: {}. The login lacks a right that this command needs."
_REFUSED = "The database refused: {}."
_BROKEN = "The connection to the database failed: {}. Is PostgreSQL running?"
DATABASE = (
    ("asyncpg", "UndefinedTableError", _TABLE),
    ("asyncpg", "UndefinedFunctionError", _OLDER),
    ("asyncpg", "UndefinedColumnError", _OLDER),
    ("asyncpg", "InsufficientPrivilegeError", _RIGHT),
    ("asyncpg", "PostgresConnectionError", _BROKEN),
    ("asyncpg", "InterfaceError", _BROKEN),
    ("asyncpg", "PostgresError", _REFUSED),
    ("psycopg.errors", "UndefinedTable", _TABLE),
    ("psycopg.errors", "InsufficientPrivilege", _RIGHT),
    ("psycopg", "OperationalError", _BROKEN),
    ("psycopg", "Error", _REFUSED),
    ("builtins", "ConnectionError", _BROKEN),
    ("builtins", "TimeoutError", _BROKEN),
    ("socket", "gaierror", _BROKEN),
    ("builtins", "OSError", "{}."),
)
"""Errors of the database by module and name, the narrower ones first, and what is told of each."""


class Failure(NamedTuple):
    """What is told: the message, the field at fault, the exit code, and in JSON how it is named and what is added."""

    message: str
    field: str | None = None
    code: int = 1
    status: str = "error"
    more: Mapping[str, Any] = MappingProxyType({})


class MissingError(Exception):
    """What the command asks for does not exist."""


class RefusedError(Exception):
    """The command cannot be carried out; the message says why and what to do.

    Parameters
    ----------
    message : str
        What happened, what was expected, what to do.
    field : str or None
        Option at fault.
    more : Any
        What else the answer tells in JSON.
    """

    def __init__(self, message: str, *, field: str | None = None, **more: Any) -> None:
        super().__init__(message)
        self.field = field
        self.more = more


def of(error: BaseException) -> Failure | None:
    """Return what to tell the user of an error; None if it is none that a user can cause."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    match error:
        case click.UsageError():
            return Failure(error.format_message(), _parameter(error), code=2)
        case DomainError():
            return Failure(error.message, FIELD_NAMES.get(error.field or "", error.field))
        case MissingError():
            return Failure(str(error), status="not found")
        case RefusedError():
            return Failure(str(error), error.field, more=error.more)
    if isinstance(error, click.ClickException) or any(isinstance(error, _class(*root)) for root in OURS.items()):
        return Failure(" ".join(str(error).split()))
    return _of_database(error)


def _of_database(error: BaseException) -> Failure | None:
    """Return what to tell of an error of the database, or of the connection to it."""
    text = " ".join(str(error).split()) or type(error).__name__
    for module, name, message in DATABASE:
        if isinstance(error, _class(module, name)):
            return Failure(message.format(text))
    return None


def _class(module: str, name: str) -> type[BaseException]:
    """Return a class of errors, or one that no error has if its module was never imported."""
    found: type[BaseException] = getattr(sys.modules.get(module), name, _NeverError)
    return found


class _NeverError(Exception):
    """An error that is never raised."""


def _parameter(error: click.UsageError) -> str | None:
    parameter = getattr(error, "param", None)
    return parameter.name if isinstance(parameter, click.Parameter) else None
