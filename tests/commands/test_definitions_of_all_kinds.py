"""Definitions and prototypes that nobody has seen: whatever is read is stored, exported, and the same anywhere else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands import applications
from commands.actor import SYSTEM
from commands.credential_prototypes import import_prototype
from commands.shell import Shell
from domain import definition
from domain.credential_format import PROTOTYPE_TYPES, TYPE_TYPES
from domain.field_values import KINDS
from domain.findings import DocumentError
from domain.json_text import plain
from domain.localized import LANGUAGES
from domain.member_order import in_order
from projections.queries import query
from tests.domain.reference import FOLDER, needs_reference
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import open_store

words = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12
) | st.sampled_from(["<script>alert(1)</script>", "{{ 7*7 }}", "'; DROP TABLE x", "žluťoučký kůň", "${HOME}", "\u202e"])
long = st.sampled_from(["Příliš dlouhý text. " * 1500, "line\r\nbreak\ttab " * 200])
localized = words | st.dictionaries(st.sampled_from(sorted(LANGUAGES)), words, min_size=1, max_size=3)
names = st.from_regex(r"[A-Z][A-Z0-9_]{0,12}", fullmatch=True)
scalars = st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | words
unknown = st.dictionaries(
    st.sampled_from(["x-note", "vendor", "Äußeres", "a/b~c", ""]), scalars | st.lists(scalars), max_size=2
)


@st.composite
def fields(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {"type": st.sampled_from([*sorted(KINDS), "colour"])},
            optional={
                "name": localized,
                "description": localized | long,
                "hint": localized,
                "category": st.sampled_from(["API", "Database", "Bank"]),
                "required": st.sampled_from([True, False, "true", "no", 1]),
                "defval": scalars | st.none(),
                "options": st.lists(words, max_size=3) | st.dictionaries(words, localized, max_size=3),
                "min": st.integers(-5, 5),
                "max": st.floats(0, 100),
                "condition": st.dictionaries(names, words, max_size=2),
            },
        )
    )
    return {**found, **draw(unknown)}


uuids = st.uuids().map(str) | st.uuids().map(lambda one: str(one).upper())
titles = localized.filter(lambda value: definition.localized(value).strip() != "")
definitions = st.builds(
    lambda document, more: {**document, **more},
    st.fixed_dictionaries(
        {
            "uuid": uuids,
            "name": titles,
            "description": localized | long,
            "executable": st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?", fullmatch=True),
            "environment": st.dictionaries(names, fields(), max_size=5) | st.just([]),
        },
        optional={
            "$schema": st.just("https://example.org/application.json"),
            "schemaVersion": st.sampled_from(["3.4.0", "2.0.0", "1.0"]),
            "multiflexi": st.just("1.2"),
            "version": st.sampled_from(["1", "1.2.3", "2026.1-beta", 1.5]),
            "tags": st.lists(words, max_size=3) | st.just("a, b"),
            "topics": st.lists(words, max_size=2),
            "requirements": st.lists(st.sampled_from(["AbraFlexi", "SQL"]), max_size=2) | st.just("mServer,Csas"),
            "exitCodes": st.dictionaries(
                st.integers(0, 255).map(str),
                st.fixed_dictionaries({"description": localized}, optional={"retry": st.booleans()}),
                max_size=3,
            ),
            "artifacts": st.lists(
                st.fixed_dictionaries({"path": st.just("out/*.pdf")}, optional={"name": localized}), max_size=2
            ),
            "produces": st.dictionaries(st.just("report"), st.just({"format": "json"}), max_size=1),
            "consumes": st.just({"invoice": {"required": True, "format": "text"}}),
            "events": st.just({"emits": {"paid.in": {"operation": "create"}}, "consumes": {"due": {}}}),
            "kubernetes": st.just({"helm": {"enabled": False}, "artifacts": {"outputPath": "/out"}}),
            "image": st.sampled_from(["", "probe.svg", "https://example.org/probe.png", "data:image/png;base64,AAAA"]),
            "title": localized,
            "category": words,
            "ociimage": st.just("docker.io/example/probe:1.2"),
            # What older versions of the format had.
            "cmdparams": st.just("--limit {LIMIT}"),
            "setup": st.just("echo"),
            "deploy": st.just("composer install") | st.just(""),
            "resultfile": st.just("out.json"),
            "helmchart": st.just("oci://example.org/chart"),
            "exitcodes": st.just({"0": {"description": "Done"}}),
        },
    ),
    unknown,
)


@st.composite
def prototypes(draw: st.DrawFn) -> dict[str, Any]:
    named = draw(st.lists(names, max_size=5, unique=True))
    member = st.fixed_dictionaries(
        {"type": st.sampled_from([*PROTOTYPE_TYPES, *TYPE_TYPES, "colour"])},
        optional={
            "name": localized,
            "description": localized | long,
            "hint": localized,
            "required": st.sampled_from([True, False, "true", "no", 1]),
            "secret": st.booleans(),
            "default_value": words | st.integers(-5, 5) | st.booleans() | st.none(),
            "default": words | st.integers(-5, 5),
            "options": st.lists(words | st.fixed_dictionaries({"value": words, "label": localized}), max_size=3)
            | st.dictionaries(words, localized, max_size=3),
            "validation": st.sampled_from([{"pattern": "[a-z]+"}, {"min": 1, "max": 2.5}, {"minLength": 2}, {}]),
        },
    )
    base = st.fixed_dictionaries(
        {"uuid": uuids, "code": st.uuids().map(lambda one: f"Bank-{one}"), "name": titles},
        optional={
            "$schema": st.just("https://example.org/credential-prototype.json"),
            "schemaVersion": st.just("0.2.0"),
            "id": st.just("example-credential"),
            "version": st.sampled_from(["1", "1.0", "1.2.3", 2.5]),
            "description": localized | long,
            "logo": words,
            "tags": st.lists(words, max_size=3) | st.just("a, b"),
            "homepage": st.just("https://example.org/"),
            "url": st.just("https://example.org/api"),
            "localized": st.dictionaries(st.sampled_from(sorted(LANGUAGES)), st.dictionaries(words, words), max_size=2),
        },
    )
    fields = [{**draw(member), **draw(unknown), "keyword": name} for name in named]
    return {**draw(base), **draw(unknown), **draw(st.sampled_from([{"fields": fields}, {"fields": fields[:1]}, {}]))}


layouts = st.sampled_from([None, 1, 4])
WITH_A_DATABASE = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def written(document: dict[str, Any], indent: int | None, newline: str, mark: str) -> bytes:
    """Return a document as an editor might save it."""
    return (mark + json.dumps(document, indent=indent, ensure_ascii=False).replace("\n", newline)).encode()


class Place:
    """An installation that documents are imported into."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    async def definition(self, text: bytes | str) -> str:
        """Import a definition twice and return how it is exported."""
        number = (await applications.import_bytes(self.shell, text, SYSTEM)).id
        exported = await applications.export_text(self.shell, number)
        again = await applications.import_bytes(self.shell, exported, SYSTEM)
        assert (again.id, again.events) == (number, ())
        return exported

    async def prototype(self, text: bytes | str) -> str:
        """Import a prototype twice and return how it is exported."""
        number = (await import_prototype(self.shell, text, SYSTEM)).id
        row = await self.shell.store.pool.fetchrow(query("credential.prototype"), number, None, None)
        assert row is not None
        exported = json.dumps(in_order(json.loads(row["definition"]), json.loads(row["member_order"])))
        again = await import_prototype(self.shell, exported, SYSTEM)
        assert (again.id, again.events) == (number, ())
        return exported


@pytest.fixture
def places(database: Database, postgres: Server) -> Iterator[tuple[asyncio.Runner, Place, Place]]:
    """Return two installations, and what runs coroutines on them."""
    other = postgres.fresh_database()
    with asyncio.Runner() as runner, opened(runner, database) as here, opened(runner, other) as there:
        yield runner, here, there
    postgres.drop(other)


@contextmanager
def opened(runner: asyncio.Runner, database: Database) -> Iterator[Place]:
    store = open_store(database, inline=True)
    runner.run(store.__aenter__())
    yield Place(Shell(store))
    runner.run(store.__aexit__(None, None, None))


@WITH_A_DATABASE
@given(
    st.lists(definitions, min_size=3, max_size=10, unique_by=lambda one: one["uuid"].lower()),
    layouts,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\ufeff"]),
)
def test_whatever_is_read_comes_back_as_it_was_written_and_is_the_same_elsewhere(
    places: Any, documents: list[dict[str, Any]], indent: int | None, newline: str, mark: str
) -> None:
    runner, here, there = places

    async def round_trip(document: dict[str, Any]) -> None:
        exported = await here.definition(written(document, indent, newline, mark))
        # As text, since that compares the order of members, too.
        assert json.dumps(json.loads(exported)) == json.dumps(plain(document))
        assert await there.definition(exported) == exported

    async def scenario() -> None:
        await asyncio.gather(*map(round_trip, documents))

    runner.run(scenario())


@WITH_A_DATABASE
@given(
    st.lists(prototypes(), min_size=3, max_size=10, unique_by=lambda one: one["uuid"].lower()),
    layouts,
    st.sampled_from(["", "\ufeff"]),
)
def test_whatever_is_read_of_prototypes_comes_back_as_it_was_written_and_is_the_same_elsewhere(
    places: Any, documents: list[dict[str, Any]], indent: int | None, mark: str
) -> None:
    runner, here, there = places

    async def round_trip(document: dict[str, Any]) -> None:
        exported = await here.prototype(written(document, indent, "\n", mark))
        assert exported == json.dumps(plain(document))
        assert await there.prototype(exported) == exported

    async def scenario() -> None:
        await asyncio.gather(*map(round_trip, documents))

    runner.run(scenario())


@needs_reference
def test_every_prototype_in_use_goes_to_another_installation_and_is_the_same_there(places: Any) -> None:
    runner, here, there = places
    texts = [path.read_bytes() for path in sorted((FOLDER / "credential-prototypes").glob("*.json"))]
    assert len(texts) >= 11

    async def scenario() -> None:
        for text in texts:
            exported = await here.prototype(text)
            assert exported == json.dumps(json.loads(text))
            assert await there.prototype(exported) == exported

    runner.run(scenario())
    state = "SELECT uuid, code, name, version, document->'definition', document->'order' FROM credential_prototype"
    rows = [runner.run(place.shell.store.pool.fetch(f"{state} ORDER BY uuid, code")) for place in (here, there)]
    assert [tuple(row) for row in rows[0]] == [tuple(row) for row in rows[1]] != []


def test_ten_thousand_fields_and_fifty_megabytes_are_refused_before_anything_is_stored() -> None:
    base: dict[str, Any] = {"name": "Big", "description": "d", "executable": "x"}
    many = json.dumps({**base, "environment": {f"F{number}": {"type": "string"} for number in range(10_000)}})
    with pytest.raises(DocumentError, match="/environment: line 1: it has 10000 fields, at most 2000"):
        definition.read(many)
    with pytest.raises(DocumentError, match="at most 10000000 are read"):
        definition.read(b"{" + b" " * 50_000_000 + b"}")


@pytest.mark.parametrize("path", ["../../etc/passwd", "a/../../b", "out/..", r"^out/\.\./x"])
def test_a_path_that_leaves_its_folder_is_refused_with_its_line(path: str) -> None:
    text = json.dumps(
        {"name": "P", "description": "d", "executable": "x", "environment": {}, "artifacts": [{"path": path}]}, indent=1
    )
    with pytest.raises(DocumentError, match=r"/artifacts/0/path: line 8: the path leads out of its folder"):
        definition.read(text)
