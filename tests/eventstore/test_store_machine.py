"""The event store against a model of it in a few dictionaries: whatever is done, in whatever order, both agree."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, ClassVar, NamedTuple, TypeVar

import msgspec
import pytest
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from domain.event import ERASED, Event
from eventstore import read
from eventstore.errors import ConcurrencyError, EventStoreError, IdempotencyKeyError, StreamCompanyError
from eventstore.keyring import Keyring
from eventstore.log import ANY, START, Append, Appended, Meta, StoredEvent, category_of
from eventstore.store import EventStore
from tests.testbed.events import any_event
from tests.testbed.examples import on_database
from tests.testbed.postgres import Server
from tests.testbed.stores import MASTER_KEY, open_store, wait_visible

T = TypeVar("T")
CATEGORIES = ("company", "company", "run_template", "application", "job", "job", "output")
"""Category of each stream of an example."""

ACTORS = ("system", "user:1", "daemon:scheduler")


class Wish(NamedTuple):
    """A drawn append to one stream of the example; ``expected`` is relative to where the stream will stand."""

    stream: int
    events: list[Event]
    payloads: list[bytes | None]
    expected: str
    off_by: int
    company: int


def wishes(stream: int, fewest: int) -> st.SearchStrategy[Wish]:
    return st.builds(
        Wish,
        st.just(stream),
        st.lists(any_event(CATEGORIES[stream]), min_size=fewest, max_size=4),
        st.sampled_from([[None] * 4, [b"", b"\x00\xff", None, b"longer than a page " * 9]]),
        st.sampled_from(["any", "exact", "exact", "none", "off"]),
        st.sampled_from([-1, 1, 5]),
        st.sampled_from([0, 0, 0, 0, 0, 1]),
    )


WISHES = {fewest: [wishes(stream, fewest) for stream in range(len(CATEGORIES))] for fewest in (0, 1)}


def requests(fewest: int = 0, most: int = 3) -> st.SearchStrategy[list[Wish]]:
    wish = st.one_of(WISHES[fewest])
    return st.lists(wish, min_size=1, max_size=most, unique_by=lambda wish: wish.stream)


class Kept(NamedTuple):
    """An event that the model holds: in clear, with the generation of each personal field's key."""

    event: Event
    company_id: int | None
    payload: bytes | None
    actor: str
    generations: dict[str, tuple[str, int]]
    step: int


class Model:
    """What the store should hold."""

    def __init__(self) -> None:
        self.streams: dict[str, list[Kept]] = {}
        self.keys: dict[str, tuple[Any, list[Appended]]] = {}
        self.generation: dict[str, int] = {}
        self.has_key: set[str] = set()
        self.step = 0

    def version(self, stream: str) -> int:
        return len(self.streams.get(stream, ()))

    def refusals(self, append: Append) -> list[tuple[type[EventStoreError], str, int]]:
        """Return the errors that would be right; none if the append is to succeed."""
        found: list[tuple[type[EventStoreError], str, int]] = []
        version = self.version(append.stream)
        if append.expected not in (ANY, version):
            found.append((ConcurrencyError, append.stream, version))
        if version and self.streams[append.stream][0].company_id != append.company_id:
            found.append((StreamCompanyError, append.stream, version))
        return found

    def seal(self, event: Event) -> dict[str, tuple[str, int]]:
        """Note that the personal fields of an event were encrypted, and under which generation of which key."""
        personal = [field for field in type(event).personal if isinstance(getattr(event, field), str)]
        subjects = {field: event.subject_of(field) for field in personal}
        self.has_key.update(subjects.values())
        return {field: (subject, self.generation.get(subject, 0)) for field, subject in subjects.items()}

    def keep(self, append: Append, actor: str) -> None:
        if append.events:
            payloads = append.payloads or [None] * len(append.events)
            for event, payload in zip(append.events, payloads, strict=True):
                kept = Kept(event, append.company_id, payload, actor, self.seal(event), self.step)
                self.streams.setdefault(append.stream, []).append(kept)

    def erase(self, subject: str) -> bool:
        existed = subject in self.has_key
        self.has_key.discard(subject)
        self.generation[subject] = self.generation.get(subject, 0) + 1
        return existed

    def reads_as(self, kept: Kept) -> Event:
        erased = {
            field: ERASED
            for field, (subject, generation) in kept.generations.items()
            if generation < self.generation.get(subject, 0)
        }
        return msgspec.structs.replace(kept.event, **erased)


class StoreMachine(RuleBasedStateMachine):
    """Does to the store and to the model the same things."""

    runner: ClassVar[asyncio.Runner]
    store: ClassVar[EventStore]
    examples: ClassVar[Iterator[int]] = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.number = next(self.examples)
        self.companies = (self.number * 10 + 1, self.number * 10 + 2)
        first, second = self.companies
        self.names = (
            f"company-{first}",
            f"company-{second}",
            f"run_template-{first}",
            f"application-{first}",
            f"job-{first}",
            f"job-{second}",
            f"output-{first}",
        )
        self.owners = (first, second, first, None, first, second, first)
        self.model = Model()
        self.stored: dict[tuple[str, int], StoredEvent] = {}
        self.begin = START
        self.newest = START

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @initialize()
    def start_after_the_examples_before(self) -> None:
        self.begin = self.newest = self.run(self.store.end_of_log())

    # What is done to the store.

    @rule(wanted=requests(), actor=st.sampled_from(ACTORS))
    def append(self, wanted: list[Wish], actor: str) -> None:
        appends = [self.appended_by(wish) for wish in wanted]
        self.settle(appends, actor, self.run(self.attempt(appends, actor)))

    @rule(wanted=requests(fewest=1, most=6), actor=st.sampled_from(ACTORS))
    def append_at_once_from_several_callers(self, wanted: list[Wish], actor: str) -> None:
        appends = [self.appended_by(wish) for wish in wanted]

        async def all_of_them() -> list[list[Appended] | EventStoreError]:
            return await asyncio.gather(*(self.attempt([append], actor) for append in appends))

        self.model.step += 1
        for append, answer in zip(appends, self.run(all_of_them()), strict=True):
            self.settle([append], actor, answer, same_step=True)

    @rule(wanted=requests(), key=st.integers(0, 2), actor=st.sampled_from(ACTORS))
    def append_with_a_key(self, wanted: list[Wish], key: int, actor: str) -> None:
        self.append_keyed([self.appended_by(wish) for wish in wanted], f"{self.number}-{key}", actor)

    @rule(key=st.integers(0, 2), expected=st.sampled_from([None, ANY, 0, 1]))
    def repeat_a_command_with_its_key(self, key: int, expected: int | None) -> None:
        known = self.model.keys.get(f"{self.number}-{key}")
        if known is not None:
            changed = {} if expected is None else {"expected": expected}
            appends = [msgspec.structs.replace(append, **changed) for append in known[0]]
            self.append_keyed(appends, f"{self.number}-{key}", "system")

    @rule(company=st.integers(0, 1))
    def erase_a_data_subject(self, company: int) -> None:
        subject = f"company:{self.companies[company]}"
        assert self.run(self.store.keyring.destroy(subject)) == self.model.erase(subject)

    # What is read from it.

    @rule(
        stream=st.integers(0, len(CATEGORIES) - 1),
        start=st.integers(1, 6),
        end=st.one_of(st.none(), st.integers(0, 8)),
        backwards=st.booleans(),
        page=st.integers(1, 3),
        cold=st.booleans(),
    )
    def read_stream(self, stream: int, start: int, end: int | None, backwards: bool, page: int, cold: bool) -> None:
        name = self.names[stream]
        version = self.model.version(name)
        expected = [(name, n) for n in range(start, min(version, version if end is None else end) + 1)]

        async def reading() -> list[read.Recorded]:
            keyring = await self.keyring(cold)
            options: dict[str, Any] = {"start": start, "end": end, "backwards": backwards, "page": page}
            return await everything(read.read_stream(self.store.pool, keyring, name, **options))

        found = self.run(reading())
        assert self.check(found) == (expected[::-1] if backwards else expected)

    @rule(
        categories=st.one_of(st.none(), st.sets(st.sampled_from(sorted(set(CATEGORIES))), min_size=1)),
        company=st.sampled_from([None, None, 0, 1]),
        after=st.integers(0, 20),
        page=st.integers(1, 5),
        cold=st.booleans(),
    )
    def read_log(self, categories: set[str] | None, company: int | None, after: int, page: int, cold: bool) -> None:
        company_id = None if company is None else self.companies[company]

        async def reading() -> tuple[list[read.Recorded], list[read.Recorded]]:
            await wait_visible(self.store, self.newest)
            keyring = await self.keyring(cold)
            whole = await self.whole_log(page)
            cursor = whole[after].cursor if after < len(whole) else self.begin
            options: dict[str, Any] = {
                "categories": sorted(categories) if categories else None,
                "company_id": company_id,
            }
            epoch = self.epoch
            part = await everything(read.read_log(self.store.pool, keyring, cursor, epoch, page=page, **options))
            return whole, part

        whole, part = self.run(reading())
        self.check_order(whole)
        wanted = [
            one
            for one in (whole[after + 1 :] if after < len(whole) else whole)
            if (categories is None or category_of(one.stream) in categories)
            and (company_id is None or one.company_id == company_id)
        ]
        assert self.check(part) == [(one.stream, one.version) for one in wanted]

    # The comparison of both.

    async def whole_log(self, page: int) -> list[read.Recorded]:
        store = self.store
        return await everything(read.read_log(store.pool, store.keyring, self.begin, self.epoch, page=page))

    def epoch(self) -> int:
        return self.store.epoch

    async def keyring(self, cold: bool) -> Keyring:
        """Return the store's keyring, or one that has cached nothing, as another process has it."""
        if not cold:
            return self.store.keyring
        keyring = Keyring(self.store.pool, MASTER_KEY)
        await keyring.open()
        return keyring

    def appended_by(self, wish: Wish) -> Append:
        stream = self.names[wish.stream]
        version = self.model.version(stream)
        expected = {"any": ANY, "exact": version, "none": 0, "off": max(0, version + wish.off_by)}[wish.expected]
        company = self.owners[wish.stream]
        events = [
            msgspec.structs.replace(event, company_id=company) if company and hasattr(event, "company_id") else event
            for event in wish.events
        ]
        return Append(
            stream=stream,
            company_id=self.companies[1] if wish.company and company == self.companies[0] else company,
            expected=expected,
            events=events,
            payloads=wish.payloads[: len(events)] if CATEGORIES[wish.stream] == "output" else None,
        )

    async def attempt(
        self, appends: list[Append], actor: str, key: str | None = None
    ) -> list[Appended] | EventStoreError:
        try:
            return await self.store.append_all(appends, meta=Meta(actor=actor), key=key)
        except EventStoreError as error:
            return error

    def append_keyed(self, appends: list[Append], key: str, actor: str) -> None:
        content = [(append.stream, append.events, append.payloads) for append in appends]
        answer = self.run(self.attempt(appends, actor, key))
        if key not in self.model.keys:
            if self.settle(appends, actor, answer):
                assert isinstance(answer, list)
                self.model.keys[key] = (appends, answer)
            return
        for append in appends:
            for event in append.events:
                self.model.seal(event)
        first, answers = self.model.keys[key]
        if content == [(append.stream, append.events, append.payloads) for append in first]:
            assert isinstance(answer, list), answer
            assert all(one.replayed for one in answer)
            assert [one._replace(replayed=False) for one in answer] == answers
        else:
            assert isinstance(answer, IdempotencyKeyError), answer
            assert key in str(answer)

    def settle(
        self, appends: list[Append], actor: str, answer: list[Appended] | EventStoreError, *, same_step: bool = False
    ) -> bool:
        """Compare the answer to an append with what the model says; return whether it was to succeed."""
        right = [refusal for append in appends for refusal in self.model.refusals(append)]
        if right:
            note(f"to be refused: {right}")
            for append in appends:
                for event in append.events:
                    self.model.seal(event)
            assert isinstance(answer, EventStoreError)
            if isinstance(answer, ConcurrencyError):
                assert (ConcurrencyError, answer.stream, answer.found) in right
                assert str(answer.found) in str(answer)
            else:
                assert type(answer) in {kind for kind, _, _ in right}
            return False
        assert isinstance(answer, list), answer
        if not same_step:
            self.model.step += 1
        for append, done in zip(appends, answer, strict=True):
            self.model.keep(append, actor)
            assert done[:2] == (append.stream, self.model.version(append.stream))
            assert not done.replayed
            if append.events:
                self.newest = max(self.newest, done.cursor)
        return True

    def check(self, found: list[read.Recorded]) -> list[tuple[str, int]]:
        """Compare events as read with the model; return which they are."""
        for one in found:
            kept = self.model.streams[one.stream][one.version - 1]
            assert one.event == self.model.reads_as(kept)
            assert one.type == type(kept.event).__name__
            assert (one.company_id, one.payload) == (kept.company_id, kept.payload)
            assert (one.meta["actor"], one.meta["v"]) == (kept.actor, type(kept.event).schema_version)
            before = self.stored.setdefault((one.stream, one.version), one.stored)
            assert one.stored == before, "a stored event has changed"
            for field in kept.generations:
                assert set(msgspec.json.decode(one.stored.data)[field]) == {"enc", "key", "sub"}, "stored in clear"
        return [(one.stream, one.version) for one in found]

    def check_order(self, whole: list[read.Recorded]) -> None:
        """Compare the whole log with the model: every event once, in an order that streams and callers agree with."""
        places = self.check(whole)
        assert sorted(places) == sorted(
            (stream, version) for stream, events in self.model.streams.items() for version in range(1, len(events) + 1)
        )
        versions: dict[str, int] = {}
        for stream, version in places:
            assert version == versions.get(stream, 0) + 1, f"{stream} out of order"
            versions[stream] = version
        cursors = [one.cursor for one in whole]
        assert all(one < other for one, other in itertools.pairwise([self.begin, *cursors]))
        steps = [self.model.streams[stream][version - 1].step for stream, version in places]
        assert steps == sorted(steps), "an append that began after another had ended stands before it"

    def teardown(self) -> None:
        async def ending() -> list[read.Recorded]:
            await wait_visible(self.store, self.newest)
            return await self.whole_log(page=100)

        if self.newest > self.begin:
            self.check_order(self.run(ending()))


async def everything(events: AsyncIterator[read.Recorded]) -> list[read.Recorded]:
    return [one async for one in events]


@pytest.fixture
def machine(postgres: Server) -> Iterator[type[StoreMachine]]:
    database = postgres.fresh_database()
    with asyncio.Runner() as runner:
        store = open_store(database)
        StoreMachine.runner, StoreMachine.store = runner, store
        runner.run(store.__aenter__())
        yield StoreMachine
        runner.run(store.__aexit__(None, None, None))
    postgres.drop(database)


@pytest.mark.slow
@pytest.mark.postgres_versions(18, 15)
def test_store_does_what_its_model_does(machine: type[StoreMachine]) -> None:
    run_state_machine_as_test(machine, settings=on_database(max_examples=100, stateful_step_count=30))
