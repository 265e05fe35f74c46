"""Trying whether a credential works: its values are opened, handed to a check, and what that comes to is put down."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec

from commands.actor import Actor, authorise
from commands.facts import present
from commands.shell import Shell
from domain.credential import RecordCredentialCheck
from domain.credential_definition import fields
from domain.credential_values import missing
from domain.sealed import Sealed
from eventstore.errors import SecretError
from eventstore.vault import open_all


class Result(Protocol):
    """What a check came to; see ``integrations.checks``."""

    @property
    def outcome(self) -> str:
        """One of ``domain.credential.CHECK_OUTCOMES``."""
        ...

    @property
    def kind(self) -> str:
        """What was tried."""
        ...

    @property
    def message(self) -> str:
        """For people; tells no value."""
        ...


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What a check came to, with the seconds that it took."""

    outcome: str
    kind: str
    message: str
    duration: float


Check = Callable[[str, Mapping[str, str]], Awaitable[Result]]
"""Takes the code of a prototype and the values that jobs get."""


async def try_credential(
    shell: Shell, actor: Actor, credential_id: int, check: Check, *, source: str = "cli"
) -> Recorded:
    """Try whether a credential works, and put it down.

    Parameters
    ----------
    shell : Shell
        Acts for the whole installation.
    actor : Actor
        Who wants to know.
    credential_id : int
        The credential.
    check : Check
        Asks the server.

    Raises
    ------
    DomainError
        There is no such credential, or the actor may not change it.
    """
    row = await present(shell.facts, "credential", credential_id, "credential")
    # Whoever may not put it down must not have a server asked either.
    wish = RecordCredentialCheck(credential_id=credential_id, outcome="unknown", kind="none", message="", duration=0.0)
    authorise(actor, wish, row["company_id"])
    began = time.monotonic()
    found = await _tried(shell, row, check)
    duration = round(time.monotonic() - began, 3)
    recorded = Recorded(outcome=found.outcome, kind=found.kind, message=found.message, duration=duration)
    await shell.execute(msgspec.structs.replace(wish, **msgspec.structs.asdict(recorded)), actor, source=source)
    return recorded


class _Told(msgspec.Struct, frozen=True):
    outcome: str
    kind: str
    message: str


async def _tried(shell: Shell, row: Mapping[str, str], check: Check) -> Result:
    named = fields(msgspec.json.decode(row["definition"]))
    try:
        values = await _values(shell, row)
    except SecretError as error:
        return _Told("misconfigured", "none", str(error))
    values = {name: values.get(name) or field.default or "" for name, field in named.items()}
    values = {name: value for name, value in values.items() if value}
    if absent := missing(named, values):
        return _Told("misconfigured", "none", f"No value yet of {', '.join(absent)}.")
    return await check(row["prototype"], values)


async def _values(shell: Shell, row: Mapping[str, str]) -> dict[str, str]:
    sealed: dict[str, tuple[str, Sealed]] = {}
    for stream, column in (
        (f"credential_type-{row['credential_type_id']}", "shared"),
        (f"credential-{row['id']}", "values"),
    ):
        for name, value in msgspec.json.decode(row[column] or "{}", type=dict[str, Sealed]).items():
            sealed[name] = (f"{stream}|{name}", value)
    clear = await open_all(shell.store.keyring, list(sealed.values()))
    return dict(zip(sealed, clear, strict=True))
