"""Spans of time and sizes as people write them, and the limits of jobs, which are either."""

from __future__ import annotations

import re

import click

from cli.values import EMPTY, LARGEST_ID
from domain.run_template_fields import LIMITS

IN_SECONDS = ("wall_time", "cpu_time")
IN_BYTES = ("memory", "file_size", "output")

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_BYTES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SPAN = re.compile(r"(\d{1,10})\s*([smhdw]?)", re.ASCII)
_SPANS = re.compile(r"(?:\d{1,10}\s*[smhdw]\s*)+", re.ASCII)
_SIZE = re.compile(r"(\d{1,16})\s*([kmgt]?)(?:i?b)?", re.ASCII)


def seconds(text: str) -> int | None:
    """Return a span of time in seconds, None if the text is none. Units are small letters: ``M`` is for sizes.

    Examples
    --------
    >>> seconds("90"), seconds("10m"), seconds("1h 30m"), seconds("soon")
    (90, 600, 5400, None)
    """
    cleaned = text.strip()
    if cleaned.isascii() and cleaned.isdigit():
        return int(cleaned[:20])
    if not _SPANS.fullmatch(cleaned):
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in _SPAN.findall(cleaned))


def size(text: str) -> int | None:
    """Return a size in bytes, None if the text is none; units are powers of 1024.

    Examples
    --------
    >>> size("512M"), size("1 GiB"), size("4096"), size("much")
    (536870912, 1073741824, 4096, None)
    """
    match = _SIZE.fullmatch(text.strip().lower())
    return int(match[1]) * _BYTES[match[2]] if match else None


class Span(click.ParamType):
    """A span of time: seconds, or a number with ``s``, ``m``, ``h``, ``d`` or ``w``."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return seconds."""
        if isinstance(value, int):
            return value
        found = seconds(str(value))
        if found is None or found > LARGEST_ID:
            self.fail(f"“{str(value)[:60]}” is no span of time: expected seconds, or 90s, 10m, 2h, 1d.", param, ctx)
        return found


class Limit(click.ParamType):
    """A limit of a job, ``NAME=VALUE``, in a unit that fits its name; with no value it is taken as not set."""

    name = "name=value"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int] | str:
        """Return name and value, or :data:`cli.values.EMPTY` for no limit at all."""
        if isinstance(value, tuple):
            return value
        if not str(value).strip():
            return EMPTY
        name, _, text = str(value).partition("=")
        name = name.strip().lower().replace("-", "_")
        if name not in LIMITS:
            self.fail(f"there is no limit “{name[:60]}”. There are: {', '.join(LIMITS)}.", param, ctx)
        if name in IN_SECONDS:
            found, expected = seconds(text), "seconds, or 90s, 10m, 2h"
        elif name in IN_BYTES:
            found, expected = size(text), "bytes, or 64K, 512M, 2G"
        else:
            found, expected = seconds(text) if text.strip().isdigit() else None, "a whole number"
        if found is None:
            self.fail(f"“{text[:60]}” is no value of the limit {name}: expected {expected}.", param, ctx)
        return name, found


SPAN = Span()
LIMIT = Limit()
