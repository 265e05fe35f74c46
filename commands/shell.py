"""The shell around the domain: load a stream, fold it, authorise, decide, append; again if somebody was faster.

::

    shell = Shell(store)
    outcome = await shell.execute(CreateCompany(name="Acme Corp"), SYSTEM, key="from-the-caller")
    await shell.execute(ChangeCompany(company_id=outcome.id, enabled=False), SYSTEM, wait="audit_trail")
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from commands.actor import Actor, authorise, wanted_by
from commands.denials import recorded_denials
from commands.errors import BusyError, DeniedError, KeyReusedError, taken
from commands.facts import Answer, Facts, SqlFacts, available
from commands.idempotency import checked_key, fingerprint, own_key, streams_of
from commands.preparing import Desk, Outcome, Prepared
from commands.registry import prepare_of, prepared_together
from commands.wait import wait_for
from domain.aggregates import USER, Aggregate, of_command
from domain.command import Command
from domain.errors import DomainError, NotFoundError
from domain.event import Event
from domain.permissions import OF_COMPANY, OWN
from eventstore.blind_index import BlindIndex
from eventstore.company_view import CompanyView
from eventstore.errors import ConcurrencyError, IdempotencyKeyError, UniqueError
from eventstore.log import NO_STREAM, START, Append, Appended, Meta
from eventstore.store import EventStore

ATTEMPTS = 12
"""How often a command is decided anew when somebody else was faster."""


class Step(msgspec.Struct, frozen=True):
    """One command, decided: what is to be appended to its stream."""

    prepared: Prepared
    aggregate: Aggregate
    stream: str
    company_id: int | None
    version: int
    events: tuple[Event, ...]


class _ReplayedError(Exception):
    """Another execution with the same key came first."""


class Shell:
    """Executes commands against one event store.

    Parameters
    ----------
    store : EventStore
        Open store; its role and companies limit what can be seen and changed.
    facts : Facts or None
        What commands read besides their stream; that of the store's database unless given.
    clock, new_uuid : Callable
        Give the moment (with a time zone) and fresh UUIDs.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        facts: Facts | None = None,
        clock: Callable[[], datetime] | None = None,
        new_uuid: Callable[[], str] | None = None,
    ) -> None:
        self.store = store
        self._index: BlindIndex | None = None
        if facts is None:
            self._index = BlindIndex(store.keyring)
            facts = SqlFacts(store.pool, self._index)
        self.facts: Facts = facts
        self._clock = clock or (lambda: datetime.now(UTC))
        self._new_uuid = new_uuid or (lambda: str(uuid.uuid4()))

    async def execute(
        self,
        command: Command,
        actor: Actor,
        *,
        key: str | None = None,
        source: str = "cli",
        wait: str | Sequence[str] | None = None,
        correlation: str | None = None,
    ) -> Outcome:
        """Execute a command.

        Parameters
        ----------
        command : Command
            What is wished.
        actor : Actor
            Who wishes it.
        key : str or None
            Idempotency key of the caller: the same command with the same key is done once and answers the same.
        source : str
            By what way it came: ``cli``, ``web``, ``api``, ``scheduler`` …
        wait : str, Sequence[str] or None
            Projections to wait for, so that the caller reads what was written.
        correlation : str or None
            Identifier of the undertaking that it belongs to; one of its own unless given.

        Raises
        ------
        DomainError
            It is refused: invalid, not found, taken, in the wrong state, forbidden, a key used for another command, or
            others changed the same thing again and again.
        EventStoreError
            It could not be written; the error says what to do.
        ProjectionLagError
            It was written, but a projection to wait for does not show it yet.
        """
        (outcome,) = await self.execute_all(
            [command], actor, key=key, source=source, wait=wait, correlation=correlation
        )
        return outcome

    async def execute_all(
        self,
        commands: Sequence[Command],
        actor: Actor,
        *,
        key: str | None = None,
        source: str = "cli",
        wait: str | Sequence[str] | None = None,
        correlation: str | None = None,
    ) -> list[Outcome]:
        """Execute commands about different things as a whole, all or none; see :meth:`execute`."""
        digest = b"" if key is None else self._fingerprint(commands)
        # Keys of different actors are different keys.
        scoped = None if key is None else f"{actor}|{checked_key(key)}"
        outcomes = await self._replay(commands, scoped, digest)
        if outcomes is None:
            meta = Meta(actor=str(actor), source=source, correlation=correlation or self._new_uuid())
            async with recorded_denials(self.store, actor, meta):
                outcomes = await self._execute(commands, actor, meta, scoped, digest)
        for projection in [wait] if isinstance(wait, str) else wait or ():
            await wait_for(self.store, projection, max(outcome.cursor for outcome in outcomes))
        return outcomes

    def _fingerprint(self, commands: Sequence[Command]) -> bytes:
        """Return the digest of commands; of those that hold secrets one that needs the master key to be tried out."""
        digest = fingerprint(commands)
        secret = any(getattr(command, field) for command in commands for field in command.secret)
        return self.store.keyring.mac(digest) if secret else digest

    async def _execute(
        self, commands: Sequence[Command], actor: Actor, meta: Meta, key: str | None, digest: bytes
    ) -> list[Outcome]:
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(random.uniform(0, min(0.002 * 2**attempt, 0.2)))
            steps = await self._plan(actor, meta.source, commands)
            try:
                appended = await self._append(steps, meta, key, digest)
            except ConcurrencyError:
                continue
            except UniqueError as error:
                if any(error.constraint in step.prepared.again_when_taken for step in steps):
                    continue
                raise taken(error, [event for step in steps for event in step.events]) from None
            except _ReplayedError:
                replayed = await self._replay(commands, key, digest)
                if replayed is not None:
                    return replayed
                continue
            for owner in {owner for step in steps if step.events for owner in step.prepared.destroyed}:
                await self.store.keyring.destroy(owner)
            return [_outcome(step, appended) for step in steps[: len(commands)]]
        names = ", ".join(type(command).__name__ for command in commands)
        raise BusyError(
            f"Others changed the same thing {ATTEMPTS} times meanwhile ({names}). Nothing was written; try again."
        )

    async def _plan(self, actor: Actor, source: str, commands: Sequence[Command]) -> list[Step]:
        """Decide commands and what follows from them, in this order."""
        now, view = self._clock(), self._view(actor)
        steps, founded = list[Step](), set[int]()
        stood: dict[str, tuple[Any, int]] = {}
        own_facts = self.facts if view is None or self._index is None else SqlFacts(view.pool, self._index)
        # With each command that follows from another: whether that one reaches every company.
        waiting: deque[tuple[Command, bool | None]] = deque((command, None) for command in commands)
        while waiting:
            command, follows = waiting.popleft()
            wide = actor.everywhere(wanted_by(command)) if follows is None else follows
            facts = self.facts if wide else own_facts
            desk = Desk(facts, self.facts, actor, source, now, self._new_uuid, self.store.keyring)
            if follows is None:
                decided = [await self._decide(desk, command, None if wide else view, stood)]
            else:
                decided = [
                    await self._follow(desk, prepared, anywhere=wide, founded=founded, stood=stood)
                    for prepared in await prepared_together(desk, command, follows, waiting)
                ]
            if command.creates and command.category == "company" and decided[0].company_id is not None:
                founded.add(decided[0].company_id)
            steps += decided
            waiting.extend((each, wide) for step in decided for each in step.prepared.consequences)
        return steps

    async def _decide(
        self, desk: Desk, command: Command, view: CompanyView | None, stood: dict[str, tuple[Any, int]]
    ) -> Step:
        """Decide a command that the actor wishes; ``stood``: how the streams of those before it stand after them."""
        aggregate = of_command(command)
        _authorise_at_sight(desk.actor, command)
        hidden: NotFoundError | None = None
        try:
            prepared = await prepare_of(command)(desk, command)
        except NotFoundError as error:
            if view is None:
                raise
            # Perhaps it is there, but another company's: then that is put down as a refusal.
            hidden = error
            prepared = await prepare_of(command)(msgspec.structs.replace(desk, facts=desk.all_facts), command)
        command = prepared.command
        stream = aggregate.stream(command.entity_id)
        if stream in stood:
            state, version = stood[stream]
        else:
            state, version = (None, NO_STREAM) if prepared.fresh else await self._load(aggregate, stream, view)
        company_id = _company_of(command, state)
        if state is not None or command.creates:
            founds = command.creates and command.category == "company"
            try:
                authorise(desk.actor, command, None if founds else company_id, _owner_of(command, state))
            except DeniedError as error:
                if not (founds or company_id is None or desk.actor.acts_for(company_id)):
                    # That it is there is not told.
                    error.hidden, error.instead = True, hidden or _missing(aggregate, command)
                raise
        if hidden is not None:
            raise hidden
        events = tuple(aggregate.decide(state, command))
        if events:
            stood[stream] = aggregate.fold(events, state), version
        return Step(prepared, aggregate, stream, company_id, version, events)

    async def _follow(
        self, desk: Desk, prepared: Prepared, *, anywhere: bool, founded: set[int], stood: dict[str, tuple[Any, int]]
    ) -> Step:
        """Decide a command that follows from another: the actor need only act for the company that it concerns."""
        command = prepared.command
        aggregate = of_command(command)
        stream = aggregate.stream(command.entity_id)
        if stream in stood:
            state, version = stood[stream]
        elif prepared.stood is not None:
            state, version = prepared.stood
        else:
            state, version = (None, NO_STREAM) if prepared.fresh else await self._load(aggregate, stream, None)
        company_id = _company_of(command, state)
        if not (anywhere or desk.actor.acts_for(company_id) or company_id in founded):
            authorise(desk.actor, command, company_id, _owner_of(command, state))
        events = tuple(aggregate.decide(state, command))
        if events:
            stood[stream] = aggregate.fold(events, state), version
        return Step(prepared, aggregate, stream, company_id, version, events)

    def _view(self, actor: Actor) -> CompanyView | None:
        """Return the store as the companies see it that an actor acts for; None: all of it."""
        if self._index is None or actor.companies == "*":
            return None
        return CompanyView(self.store.pool, self.store.keyring, sorted(actor.companies))

    async def _load(self, aggregate: Aggregate, stream: str, view: CompanyView | None) -> tuple[Any, int]:
        """Fold a stream as a view shows it; what it hides is loaded, too, so that the refusal is put down as one."""
        state, version = None, NO_STREAM
        async with available():
            for store in (view, self.store) if view is not None else (self.store,):
                async for recorded in store.read_stream(stream):
                    event = recorded.without(aggregate.unread) if aggregate.unread else recorded.event
                    state, version = aggregate.evolve(state, event), recorded.version
                if state is not None:
                    break
        return state, version

    async def _append(self, steps: Sequence[Step], meta: Meta, key: str | None, digest: bytes) -> dict[str, Appended]:
        together: dict[str, Append] = {}
        for step in sorted(steps, key=lambda step: step.prepared.last):
            if step.events:
                before = together[step.stream].events if step.stream in together else ()
                together[step.stream] = Append(
                    stream=step.stream,
                    company_id=step.company_id,
                    events=(*before, *step.events),
                    expected=step.version,
                )
        changed = list(together.values())
        if not changed:
            return {}
        streams = together.keys()
        guards = {guard.stream: guard for step in steps if step.events for guard in step.prepared.guards}
        held = [guard for stream, guard in guards.items() if stream not in streams]
        try:
            appended = await self.store.append_all([*changed, *held], meta=meta, key=key, fingerprint=digest)
        except IdempotencyKeyError:
            raise KeyReusedError(own_key(key)) from None
        if any(one.replayed for one in appended):
            raise _ReplayedError
        return {one.stream: one for one in appended}

    async def _replay(self, commands: Sequence[Command], key: str | None, digest: bytes) -> list[Outcome] | None:
        """Return what these commands did when they came with this key before, None if they did not."""
        answer = None if key is None else await self.facts.answer(key)
        if answer is None:
            return None
        if answer.fingerprint != digest:
            raise KeyReusedError(own_key(key))
        return [await self._outcome_again(command, stream, answer) for command, stream in streams_of(commands, answer)]

    async def _outcome_again(self, command: Command, stream: str, answer: Answer) -> Outcome:
        version, cursor = answer.streams.get(stream, (0, START))
        events: list[Event] = []
        async with available():
            async for recorded in self.store.read_stream(stream, end=version, backwards=True):
                if recorded.cursor.xid != cursor.xid:
                    break
                events.append(recorded.event)
        return Outcome(
            id=int(stream.rpartition("-")[2] or command.entity_id),
            stream=stream,
            version=version,
            cursor=cursor,
            events=tuple(reversed(events)),
            replayed=True,
        )


def _company_of(command: Command, state: object) -> int | None:
    if command.category == "company":
        return command.entity_id
    company_id: int | None = getattr(command if state is None else state, "company_id", None)
    return company_id


def _authorise_at_sight(actor: Actor, command: Command) -> None:
    """Refuse what can be refused before anything is looked up."""
    permission = wanted_by(command)
    if command.category == USER.category and not command.creates:
        authorise(actor, command, None, command.entity_id)
    elif permission not in OF_COMPANY and permission not in OWN:
        authorise(actor, command, None)
    elif company_id := getattr(command, "company_id", 0):
        authorise(actor, command, company_id)


def _missing(aggregate: Aggregate, command: Command) -> NotFoundError | None:
    """Return what a command is answered where there is no such thing."""
    try:
        aggregate.decide(None, command)
    except NotFoundError as error:
        return error
    except DomainError:
        return None
    return None


def _owner_of(command: Command, state: object) -> int | None:
    """Return the user whose account a command is about."""
    if command.category == USER.category:
        return command.entity_id
    owner: int | None = getattr(command if state is None else state, "user_id", None)
    return owner


def _outcome(step: Step, appended: dict[str, Appended]) -> Outcome:
    done = appended.get(step.stream)
    return Outcome(
        id=step.prepared.command.entity_id,
        stream=step.stream,
        version=step.version if done is None else done.version,
        cursor=START if done is None else done.cursor,
        events=step.events,
        warnings=step.prepared.warnings,
    )
