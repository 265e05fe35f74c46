"""Answers: JSON for programs, aligned tables for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, BinaryIO, Protocol, cast

import click
import msgspec

from cli.cells import cell
from domain.event import Erased

Row = Mapping[str, Any]
Zone = Callable[[Row], str | None]
"""Time zone that the times of a row are shown in; None: that of this machine."""


def local_zone(_row: Row) -> str | None:
    """Return None: the times are shown in the time zone of this machine."""
    return None


class Rows(msgspec.Struct, frozen=True):
    """Rows of an answer, and the fields that each of them has, also when there is no row."""

    fields: tuple[str, ...]
    rows: list[dict[str, Any]]


class Tables(Protocol):
    """A module that draws tables."""

    def table(self, names: Sequence[str], rows: Sequence[Sequence[str]], output: Output) -> None:
        """Write rows under their names."""
        ...

    def record(self, pairs: Sequence[tuple[str, str]], output: Output) -> None:
        """Write a field a line, with its name."""
        ...


class Output:
    """Where a command puts its answer, and in which form.

    Parameters
    ----------
    json : bool
        JSON instead of text.
    verbose : int
        How much more to say.
    colour : bool
        Whether a terminal may be shown colours.
    fields : tuple[str, ...] or None
        Only these fields.
    """

    def __init__(
        self, *, json: bool = False, verbose: int = 0, colour: bool = True, fields: tuple[str, ...] | None = None
    ) -> None:
        self.json = json
        self.verbose = verbose
        self.colour = colour
        self.fields = fields

    def shows(self, field: str, shown: Sequence[str] = ()) -> bool:
        """Tell whether a field will be shown of rows; ``shown`` are those shown when nobody chose any."""
        if self.fields is not None:
            return field.lower() in (name.lower() for name in self.fields)
        return self.json or field in shown

    def rows(self, rows: Rows, shown: Sequence[str], zone: Zone = local_zone) -> None:
        """Answer a list; ``shown`` are the fields that fit on a line when nobody chose any."""
        if self.json:
            chosen = self._chosen(rows.fields, rows.fields)
            self.document([{name: row[name] for name in chosen} for row in rows.rows])
            return
        chosen = self._chosen(rows.fields, tuple(name for name in shown if name in rows.fields))
        if rows.rows:
            self.table(chosen, rows.rows, zone)
        else:
            self.remark("There are none.")

    def table(self, names: Sequence[str], rows: Sequence[Row], zone: Zone = local_zone) -> None:
        """Write some fields of rows as a table."""
        self._tables().table(names, [[cell(row[name], zone(row)) for name in names] for row in rows], self)

    def record(self, row: Row, zone: Zone = local_zone) -> None:
        """Answer one thing, all of its fields."""
        chosen = self._chosen(tuple(row), tuple(row))
        if self.json:
            self.document({name: row[name] for name in chosen})
            return
        self._tables().record([(name, cell(row[name], zone(row))) for name in chosen], self)

    def answer(self, document: Row, text: str) -> None:
        """Answer what a command did: a document for programs, a sentence for people."""
        if self.json:
            self.document(document)
        else:
            self.text(text)

    def document(self, value: object) -> None:
        """Write JSON."""
        encoded = msgspec.json.format(msgspec.json.encode(plain(value)), indent=2)
        self.write(encoded + b"\n")

    def line(self, value: object) -> None:
        """Write JSON on a line of its own, at once."""
        self.write(msgspec.json.encode(plain(value)) + b"\n")

    def text(self, text: str) -> None:
        """Write a text of ours, whatever the encoding of the terminal is."""
        self.write(text.encode(sys.stdout.encoding or "utf-8", "replace") + b"\n")

    def write(self, data: bytes) -> None:
        """Write bytes as they are, at once."""
        write_all(sys.stdout.buffer, data)

    def warn(self, text: str) -> None:
        """Warn of something on standard error, whatever the form of the answer is."""
        click.echo(f"Warning: {text}", err=True)

    def remark(self, text: str) -> None:
        """Tell a person something that is not part of the answer."""
        if not self.json:
            click.echo(text, err=True)

    @property
    def on_terminal(self) -> bool:
        """Whether a person looks at the answer."""
        return sys.stdout.isatty()

    def _chosen(self, known: tuple[str, ...], otherwise: tuple[str, ...]) -> tuple[str, ...]:
        if self.fields is None:
            return otherwise
        by_name = {name.lower(): name for name in known}
        for name in self.fields:
            if name.lower() not in by_name:
                raise click.UsageError(f"There is no field “{name[:60]}”. There are: {', '.join(known)}.")
        return tuple(by_name[name.lower()] for name in self.fields)

    def _tables(self) -> Tables:
        """Return what draws: the library for terminals is imported only where there is one."""
        return cast("Tables", import_module("cli.drawn" if self.on_terminal else "cli.aligned"))


def write_all(stream: BinaryIO, data: bytes) -> None:
    """Write all bytes, also to a stream without a buffer (``PYTHONUNBUFFERED``), which takes what the pipe holds."""
    rest = memoryview(data)
    while rest:
        rest = rest[stream.write(rest) :]
    stream.flush()


def plain(value: object) -> object:
    """Return a value as JSON has it: what was erased is null."""
    if isinstance(value, Erased):
        return None
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value
