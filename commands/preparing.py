"""Preparing a command: filling in what only its executor knows, and the rules that span streams.

Each command has a function ``prepare(desk, command) -> Prepared`` in the module of its aggregate; ``commands.registry``
lists them. It fills in ids, UUIDs, the moment and the time zone, checks what other streams say, names the streams that
must not change meanwhile (guards) and the commands that follow from it and are executed with it as a whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from commands.actor import Actor
from commands.facts import Facts, Row
from domain.aggregates import Aggregate
from domain.command import Command
from domain.event import Event
from eventstore.keyring import Keyring
from eventstore.log import START, Append, Cursor


class Notice(Protocol):
    """Something that looks wrong but is no reason to refuse: a ``Warning`` or a ``Finding`` of the domain."""

    @property
    def code(self) -> str:
        """Stable name of the rule."""
        ...


class Desk(msgspec.Struct, frozen=True):
    """What preparing a command has at hand: facts, who executes it by what way, the moment, fresh UUIDs, keys.

    ``facts`` are what the companies see that the actor acts for, ``all_facts`` are those of the whole installation: for
    rules about users, whom no company owns.
    """

    facts: Facts
    all_facts: Facts
    actor: Actor
    source: str
    now: datetime
    new_uuid: Callable[[], str]
    keyring: Keyring


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A command ready to be decided.

    Attributes
    ----------
    command : Command
        The command, filled in.
    fresh : bool
        Whether its stream begins with it, so that there is nothing to load.
    guards : tuple[Append, ...]
        Streams that must not have changed since they were read.
    consequences : tuple[Command, ...]
        Commands that follow from it: they are executed with it, all or none.
    warnings : tuple[Notice, ...]
        What looks wrong but is no reason to refuse.
    last : bool
        Whether the events of its consequences come before its own in the log: what depends on a thing goes before it.
    again_when_taken : tuple[str, ...]
        Unique constraints whose violation means that somebody did the same meanwhile: it is prepared anew.
    destroyed : tuple[str, ...]
        Owners whose keys are destroyed once it is written: nothing that they encrypt can be read any more.
    stood : tuple[Any, int] or None
        State and version of its stream, where the facts told as much of them as is needed to decide it: then the stream
        is not read.
    """

    command: Command
    fresh: bool = False
    guards: tuple[Append, ...] = ()
    consequences: tuple[Command, ...] = ()
    warnings: tuple[Any, ...] = ()
    last: bool = False
    again_when_taken: tuple[str, ...] = ()
    destroyed: tuple[str, ...] = ()
    stood: tuple[Any, int] | None = None


TEMPLATE_OWNER = "run_template_owner"
"""Constraint that a company or an application breaks when it is removed while somebody makes a template of it."""

Prepare = Callable[[Desk, Any], Awaitable[Prepared]]
PrepareMany = Callable[[Desk, Sequence[Any]], Awaitable[list[Prepared]]]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a command did.

    Attributes
    ----------
    id : int
        Id of the thing that it was about.
    stream : str
        Its stream.
    version : int
        Version of the stream now.
    cursor : Cursor
        Place in the log of the last event that was appended; before the first event if there was none.
    events : tuple[Event, ...]
        Events that were appended to the stream: none if the command changed nothing.
    replayed : bool
        Whether an earlier command with the same idempotency key did it.
    warnings : tuple[Any, ...]
        What looks wrong but was no reason to refuse: ``Warning`` or ``Finding`` of the domain.
    """

    id: int
    stream: str
    version: int
    cursor: Cursor = START
    events: tuple[Event, ...] = ()
    replayed: bool = False
    warnings: tuple[Any, ...] = ()


class Executes(Protocol):
    """The shell, as far as the functions beside the commands need it."""

    facts: Facts

    async def execute(self, command: Command, actor: Actor, *, key: str | None = None, source: str = "cli") -> Outcome:
        """Execute a command; see :meth:`commands.shell.Shell.execute`."""
        ...


def filled(command: Command, **fields: Any) -> Any:
    """Return a command with the named fields filled in, those that its caller has given left as they are.

    Examples
    --------
    >>> from domain.company import CreateCompany
    >>> filled(CreateCompany(name="Acme", uuid="given"), uuid="fresh", company_id=7).uuid
    'given'
    """
    empty = {name: value for name, value in fields.items() if not getattr(command, name)}
    return msgspec.structs.replace(command, **empty)


async def fresh_id(desk: Desk, command: Command) -> int:
    """Return the id that the caller of a command has given, or a fresh one of its category."""
    return command.entity_id or (await desk.facts.allocate(command.category))[0]


def guard(aggregate: Aggregate, row: Row, *, company_id: int | None) -> Append:
    """Return an append of nothing that holds the stream of a row at the version at which it was read."""
    return Append(stream=aggregate.stream(row["id"]), company_id=company_id, expected=row["stream_version"])


async def as_it_is(desk: Desk, command: Command) -> Prepared:
    """Prepare a command that needs nothing."""
    return Prepared(command=command)
