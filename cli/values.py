"""Kinds of values that options take, each with an error that says what was expected."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

LARGEST_ID = 2**31 - 1
EMPTY = ""
"""What an option is given as to take a field away."""

_AFTER = re.compile(r"\+\s*(\d{1,9})\s*(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Id(click.ParamType):
    """A number by which users know a thing."""

    name = "id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        text = str(value).strip()
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:20]) <= LARGEST_ID):
            self.fail(f"“{text[:60]}” is no id: expected a whole number from 1 to {LARGEST_ID}.", param, ctx)
        return int(text)


class IdOrUuid(click.ParamType):
    """An id, or a UUID in its place."""

    name = "id|uuid"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Return the id as a number, or the UUID as text."""
        text = str(value).strip()
        return text if "-" in text[1:] else ID.convert(text, param, ctx)


class Count(click.ParamType):
    """A number of things.

    Parameters
    ----------
    least : int
        The smallest that makes sense.
    """

    name = "count"

    def __init__(self, least: int) -> None:
        self.least = least

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        text = str(value).strip()
        if not (text.isascii() and text.isdigit() and self.least <= int(text[:20]) <= LARGEST_ID):
            self.fail(f"“{text[:60]}” does not count: expected a whole number from {self.least} on.", param, ctx)
        return int(text)


class Moment(click.ParamType):
    """A moment: ``now``, ``+2h``, or a date and time, with or without an offset.

    One without an offset is left without: the company's time zone decides.
    """

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment."""
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        try:
            if text.lower() == "now":
                return datetime.now(UTC)
            if after := _AFTER.fullmatch(text.lower()):
                return datetime.now(UTC) + timedelta(seconds=int(after[1]) * _SECONDS[after[2]])
            return datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            self.fail(
                f"“{text[:60]}” is no moment: expected now, +2h, or a date and time such as 2026-01-31 12:00 "
                "or 2026-01-31T12:00:00+01:00.",
                param,
                ctx,
            )


class Pair(click.ParamType):
    """A setting of an environment, ``KEY=VALUE``; everything after the first ``=`` is the value."""

    name = "key=value"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return key and value."""
        if isinstance(value, tuple):
            return value
        key, equals, rest = str(value).partition("=")
        if not equals:
            self.fail(f"“{key[:60]}” has no “=”: write KEY=VALUE.", param, ctx)
        if not _KEY.fullmatch(key):
            self.fail(f"“{key[:60]}” is no name of a variable: use letters, digits and _, no digit first.", param, ctx)
        return key, rest


class Words(click.ParamType):
    """Words with commas; none at all takes them away."""

    name = "a,b"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the words in their order, each once."""
        if isinstance(value, tuple):
            return value
        return tuple(dict.fromkeys(word.strip() for word in str(value).split(",") if word.strip()))


class OrEmpty(click.ParamType):
    """A value of another kind, or nothing, which takes the field away.

    Parameters
    ----------
    kind : click.ParamType
        What the value is otherwise.
    """

    def __init__(self, kind: click.ParamType) -> None:
        self.kind = kind
        self.name = kind.name

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, or :data:`EMPTY`."""
        return EMPTY if isinstance(value, str) and not value.strip() else self.kind.convert(value, param, ctx)


class Whole(click.ParamType):
    """A whole number, also a negative one."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        text = str(value).strip()
        if not re.fullmatch(r"[+-]?\d{1,9}", text, re.ASCII):
            self.fail(f"“{text[:60]}” is no whole number.", param, ctx)
        return int(text)


class Fields(click.ParamType):
    """Names of fields, with commas."""

    name = "a,b"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the names in their order, each once."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in str(value).split(",") if name.strip()))
        if not names:
            self.fail("no field is named: write --fields id,name.", param, ctx)
        return names


class Order(click.Choice[str]):
    """``A`` or ``D``, also spelled out."""

    def __init__(self) -> None:
        super().__init__(("A", "D", "ASC", "DESC"), case_sensitive=False)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return ``A`` or ``D``."""
        return super().convert(value, param, ctx)[0]


class PublicKey(click.ParamType):
    """An Ed25519 public key, 32 bytes in hex."""

    name = "hex"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Return the bytes of the key."""
        if isinstance(value, bytes):
            return value
        try:
            key = bytes.fromhex(str(value))
        except ValueError:
            key = b""
        if len(key) != 32:
            self.fail(f"“{str(value)[:60]}” is no Ed25519 public key: expected 64 hexadecimal digits.", param, ctx)
        return key


ID = Id()
APPLICATION = IdOrUuid()
MOMENT = Moment()
PAIR = Pair()
WORDS = Words()
WHOLE = Whole()
PUBLIC_KEY = PublicKey()
FIELDS = Fields()
ORDER = Order()
