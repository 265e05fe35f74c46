"""Definitions that nobody has seen: whatever is read is stored, exported and imported again without a change."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands import applications
from commands.actor import SYSTEM
from commands.shell import Shell
from domain import definition
from domain.field_values import KINDS
from domain.findings import DocumentError
from domain.json_text import plain
from domain.localized import LANGUAGES
from eventstore.store import EventStore
from projections.registry import inline_folds
from tests.testbed.postgres import Database
from tests.testbed.stores import settings_of

words = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12
) | st.sampled_from(["<script>alert(1)</script>", "{{ 7*7 }}", "'; DROP TABLE x", "žluťoučký kůň", "${HOME}", "\u202e"])
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
                "description": localized,
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


definitions = st.builds(
    lambda document, more: {**document, **more},
    st.fixed_dictionaries(
        {
            "uuid": st.uuids().map(str),
            "name": localized.filter(lambda value: definition.localized(value).strip() != ""),
            "description": localized,
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
            "cmdparams": st.just("--limit {LIMIT}"),
            "setup": st.just("echo"),
        },
    ),
    unknown,
)
layouts = st.sampled_from([None, 1, 4])


def written(document: dict[str, Any], indent: int | None, newline: str, mark: str) -> bytes:
    """Return a definition as an editor might save it."""
    return (mark + json.dumps(document, indent=indent, ensure_ascii=False).replace("\n", newline)).encode()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(definitions, min_size=3, max_size=8, unique_by=lambda one: one["uuid"]),
    layouts,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\ufeff"]),
)
def test_whatever_is_read_comes_back_as_it_was_written(
    database: Database, documents: list[dict[str, Any]], indent: int | None, newline: str, mark: str
) -> None:
    async def scenario() -> None:
        async with EventStore(settings_of(database), inline=inline_folds()) as store:
            shell = Shell(store)
            for document in documents:
                number = (await applications.import_bytes(shell, written(document, indent, newline, mark), SYSTEM)).id
                exported = await applications.export_text(shell, number)
                # As text, since that compares the order of members, too.
                assert json.dumps(json.loads(exported)) == json.dumps(plain(document))
                assert (await applications.import_bytes(shell, exported, SYSTEM)).events == ()

    asyncio.run(scenario())


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
