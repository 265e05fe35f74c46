"""An event store in memory, with the rules of the real one that commands rely on, and facts folded from it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from commands.facts import Answer
from domain.aggregates import BY_CATEGORY
from domain.event import Event
from eventstore.errors import ConcurrencyError, IdempotencyKeyError, UniqueError
from eventstore.log import ANY, Append, Appended, Cursor, Meta, category_of


class Recorded(NamedTuple):
    cursor: Cursor
    stream: str
    version: int
    company_id: int | None
    event: Event
    meta: Meta

    def without(self, _blanks: object) -> Event:
        return self.event


class FakeKeyring:
    """Notes whose keys were destroyed."""

    def __init__(self) -> None:
        self.destroyed: list[str] = []

    async def destroy(self, owner: str) -> bool:
        self.destroyed.append(owner)
        return True


class FakePool:
    """Counts nothing."""

    async def fetch(self, _statement: str, *_arguments: object) -> list[Any]:
        return []


class FakeStore:
    """Holds streams in a dictionary. ``before_append`` is called before each append, to let others be faster."""

    def __init__(self) -> None:
        self.keyring: Any = FakeKeyring()
        self.pool: Any = FakePool()
        self.log: list[Recorded] = []
        self.keys: dict[str, Answer] = {}
        self.appends: list[list[Append]] = []
        self.before_append: Callable[[], None] | None = None
        self._ids = {category: itertools.count(1) for category in BY_CATEGORY}
        self._xid = 0

    def stream(self, name: str) -> list[Recorded]:
        return [recorded for recorded in self.log if recorded.stream == name]

    def state(self, stream: str) -> Any:
        return BY_CATEGORY[category_of(stream)].fold(recorded.event for recorded in self.stream(stream))

    def states(self, category: str) -> dict[int, tuple[Any, int]]:
        """Return every thing of a category with the version of its stream, by id."""
        names = dict.fromkeys(one.stream for one in self.log if category_of(one.stream) == category)
        return {int(name.rpartition("-")[2]): (self.state(name), len(self.stream(name))) for name in names}

    def slip_in(self, stream: str, *events: Event) -> None:
        """Append as somebody else would, past everything."""
        self._xid += 1
        self._write(Append(stream=stream, events=events), Meta())

    async def read_stream(
        self, stream: str, *, start: int = 1, end: int | None = None, backwards: bool = False
    ) -> AsyncIterator[Recorded]:
        found = [one for one in self.stream(stream) if start <= one.version and (end is None or one.version <= end)]
        for recorded in reversed(found) if backwards else found:
            yield recorded

    async def append_all(
        self,
        appends: Sequence[Append],
        *,
        meta: Meta | None = None,
        key: str | None = None,
        fingerprint: bytes | None = None,
    ) -> list[Appended]:
        if self.before_append is not None:
            self.before_append()
        if key is not None and key in self.keys:
            if self.keys[key].fingerprint != fingerprint:
                raise IdempotencyKeyError(key)
            return [Appended(append.stream, 0, Cursor(0, 0, 0), True) for append in appends]
        for append in appends:
            found = len(self.stream(append.stream))
            if append.expected not in (ANY, found):
                raise ConcurrencyError(append.stream, append.expected, found)
        self._check_unique(appends)
        self.appends.append(list(appends))
        self._xid += 1
        done = [self._write(append, meta or Meta()) for append in appends]
        if key is not None:
            streams = {
                one.stream: (one.version, one.cursor)
                for one, append in zip(done, appends, strict=True)
                if append.events
            }
            self.keys[key] = Answer(fingerprint or b"", streams)
        return done

    def next_ids(self, category: str, count: int) -> list[int]:
        return [next(self._ids[category]) for _ in range(count)]

    def _write(self, append: Append, meta: Meta) -> Appended:
        version = len(self.stream(append.stream))
        cursor = Cursor(1, self._xid, 0)
        for event in append.events:
            version += 1
            cursor = Cursor(1, self._xid, len(self.log) + 1)
            self.log.append(Recorded(cursor, append.stream, version, append.company_id, event, meta))
        return Appended(append.stream, version, cursor)

    def _check_unique(self, appends: Sequence[Append]) -> None:
        for append in appends:
            for event in append.events:
                for field, constraint in (("code", "company_slug_key"), ("uuid", "application_uuid_key")):
                    category = constraint.partition("_")[0]
                    if category_of(append.stream) != category or not hasattr(event, field):
                        continue
                    for entity_id, (state, _) in self.states(category).items():
                        taken = getattr(state, field) == getattr(event, field) and not state.removed
                        if taken and append.stream != f"{category}-{entity_id}":
                            raise UniqueError(constraint)


class FakeFacts:
    """Answers the queries of commands from the states of a :class:`FakeStore`."""

    def __init__(self, store: FakeStore) -> None:
        self.store = store

    async def allocate(self, category: str, count: int = 1) -> list[int]:
        return self.store.next_ids(category, count)

    async def row(self, query: str, *arguments: Any) -> Mapping[str, Any] | None:
        return getattr(self, f"_{query}")(*arguments)

    async def ids(self, query: str, *arguments: Any) -> list[int]:
        return getattr(self, f"_{query}")(*arguments)

    async def rows(self, query: str, *arguments: Any) -> list[Mapping[str, Any]]:
        return getattr(self, f"_{query}")(*arguments)

    async def keyed(self, purpose: str, text: str) -> str:
        return f"{purpose}:{text.strip().casefold()}"

    async def opened(self, places: list[tuple[dict[str, Any] | None, str]]) -> list[Any]:
        return [None for _ in places]

    async def answer(self, key: str) -> Answer | None:
        return self.store.keys.get(key)

    def _company(self, company_id: int) -> Mapping[str, Any] | None:
        state, version = self.store.states("company").get(company_id, (None, 0))
        if state is None:
            return None
        fields = {"id": company_id, "time_zone": state.time_zone, "enabled": state.enabled, "removed": state.removed}
        return {**fields, "stream_version": version}

    def _credentials_of_company(self, _company_id: int) -> list[int]:
        return []

    def _memberships_of_company(self, _company_id: int) -> list[int]:
        return []

    def _requests_of_company(self, _company_id: int) -> list[int]:
        return []

    def _types_of_company(self, _company_id: int) -> list[int]:
        return []

    def _credential_values(self, _run_template_id: int) -> None:
        return None

    def _company_app(self, company_id: int, application_id: int) -> Mapping[str, Any] | None:
        state, _ = self.store.states("company")[company_id]
        return {"id": application_id} if application_id in state.applications else None

    def _settings_of_application(self, application_id: int, run_template_id: int | None) -> Mapping[str, Any] | None:
        state, _ = self.store.states("application").get(application_id, (None, 0))
        template, _ = self.store.states("run_template").get(run_template_id or 0, (None, 0))
        environment = None if template is None else msgspec.json.encode(template.environment)
        return state and {"definition": msgspec.json.encode(state.definition), "environment": environment}

    def _run_templates_scheduled(self, company_id: int | None, application_id: int | None) -> list[int]:
        found = self.store.states("run_template").items()
        return [
            one
            for one, (state, _) in found
            if company_id in (None, state.company_id)
            and application_id in (None, state.application_id)
            and not state.removed
            and state.active
            and state.interval != "n"
        ]

    def _company_of_code(self, code: str, company_id: int) -> Mapping[str, Any] | None:
        for other, (state, _) in self.store.states("company").items():
            if other != company_id and not state.removed and state.code.lower() == code.lower():
                return {"slug": state.code}
        return None

    def _company_of_uuid(self, uuid: str) -> Mapping[str, Any] | None:
        for company_id, (state, _) in self.store.states("company").items():
            if state.uuid == uuid:
                return {"id": company_id, "removed": state.removed}
        return None

    def _application(self, application_id: int) -> Mapping[str, Any] | None:
        state, version = self.store.states("application").get(application_id, (None, 0))
        if state is None:
            return None
        fields = {"id": application_id, "enabled": state.enabled, "removed": state.removed}
        return {**fields, "stream_version": version}

    def _application_of_uuid(self, uuid: str) -> Mapping[str, Any] | None:
        for application_id, (state, _) in self.store.states("application").items():
            if state.uuid == uuid and not state.removed:
                return {"id": application_id}
        return None

    def _run_template(self, run_template_id: int) -> Mapping[str, Any] | None:
        state, version = self.store.states("run_template").get(run_template_id, (None, 0))
        if state is None:
            return None
        company, company_version = self.store.states("company")[state.company_id]
        application, application_version = self.store.states("application")[state.application_id]
        return {
            "id": run_template_id,
            "company_id": state.company_id,
            "application_id": state.application_id,
            "executor": state.executor,
            "removed": state.removed,
            "stream_version": version,
            "time_zone": company.time_zone,
            "company_enabled": company.enabled and not company.removed,
            "company_version": company_version,
            "application_name": application.name,
            "application_version": application.version,
            "application_stream_version": application_version,
            "application_enabled": application.enabled and not application.removed,
        }

    def _run_templates_standing(self, numbers: list[int]) -> list[Mapping[str, Any]]:
        states = self.store.states("run_template")
        document = {one: msgspec.structs.asdict(states[one][0]) | {"environment": {}, "note": None} for one in numbers}
        return [{**(self._run_template(one) or {}), "document": msgspec.json.encode(document[one])} for one in numbers]

    def _queued_jobs_of(self, numbers: list[int]) -> list[Mapping[str, Any]]:
        return [{"run_template_id": one, "job_id": job} for one in numbers for job in self._queued_jobs(one)]

    def _run_template_to_run(self, run_template_id: int) -> Mapping[str, Any] | None:
        row = self._run_template(run_template_id)
        return row and {**row, "job_id": self.store.next_ids("job", 1)[0]}

    def _run_template_of_uuid(self, uuid: str) -> Mapping[str, Any] | None:
        for run_template_id, (state, _) in self.store.states("run_template").items():
            if state.uuid == uuid:
                return {"id": run_template_id, "application_id": state.application_id, "removed": state.removed}
        return None

    def _run_templates(self, company_id: int | None, application_id: int | None) -> list[int]:
        return [
            run_template_id
            for run_template_id, (state, _) in self.store.states("run_template").items()
            if not state.removed
            and company_id in (None, state.company_id)
            and application_id in (None, state.application_id)
        ]

    def _run_templates_by_company_time(self, company_id: int) -> list[int]:
        templates = self.store.states("run_template")
        return [one for one in self._run_templates(company_id, None) if templates[one][0].time_zone is None]

    def _queued_jobs(self, run_template_id: int) -> list[int]:
        return [
            job_id
            for job_id, (state, _) in self.store.states("job").items()
            if state.run_template_id == run_template_id and state.state == "queued"
        ]
