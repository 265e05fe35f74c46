"""Idempotency keys of callers: how they are checked, and how the same commands are known again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from commands.facts import Answer
from domain.aggregates import of_command
from domain.command import Command
from domain.errors import ValidationError

LONGEST_KEY = 255


def fingerprint(commands: Sequence[Command]) -> bytes:
    """Return a digest by which the same commands are known again, whatever their executor fills in.

    Examples
    --------
    >>> from domain.company import CreateCompany
    >>> fingerprint([CreateCompany(name="A")]) == fingerprint([CreateCompany(name="B")])
    False
    """
    digest = hashlib.sha256()
    try:
        for command in commands:
            digest.update(type(command).__name__.encode() + b"\0" + msgspec.json.encode(command, order="deterministic"))
    except UnicodeEncodeError:
        raise ValidationError("The command holds a character that cannot be stored (half a pair).") from None
    return digest.digest()


def checked_key(key: str) -> str:
    """Return a key of a caller.

    Raises
    ------
    ValidationError
        It is empty, too long, or holds something that cannot be printed.
    """
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise ValidationError(
            f"An idempotency key has 1 to {LONGEST_KEY} printable characters.", field="idempotency_key"
        )
    return key


def own_key(scoped: str | None) -> str:
    """Return a caller's key without the actor that it is scoped by."""
    return (scoped or "").partition("|")[2]


def streams_of(commands: Sequence[Command], answer: Answer) -> list[tuple[Command, str]]:
    """Return each command with its stream, as it was when the key was first used."""
    known = {id(command): of_command(command).stream(command.entity_id) for command in commands if command.entity_id}
    rest = [stream for stream in answer.streams if stream not in known.values()]
    found: list[tuple[Command, str]] = []
    for command in commands:
        stream = known.get(id(command))
        if stream is None:
            stream = next((one for one in rest if one.startswith(f"{command.category}-")), f"{command.category}-0")
            rest = [one for one in rest if one != stream]
        found.append((command, stream))
    return found
