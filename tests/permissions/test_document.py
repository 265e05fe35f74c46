"""``docs/permissions.md`` says what the program decides, and nothing that can be wished is missing in it."""

from __future__ import annotations

from collections.abc import Iterator

from cli.catalogue import COMMANDS
from cli.permission_table import COLUMNS, DOCUMENT, document
from cli.permissions import OF_COMMAND
from domain.aggregates import ALL
from domain.command import Command
from domain.permissions import ENGINE, EVERYTHING, commands, permission_of
from tests.permissions.document import tables


def test_the_document_is_as_the_program_decides() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "`make docs` writes it anew"


def test_every_command_of_the_domain_names_its_permission_and_no_other_is_named() -> None:
    there = {command.__name__ for aggregate in ALL for command in concrete(aggregate.commands)}
    assert len(there) > 50
    assert set(commands()) == there, "domain/permissions.py"
    assert {permission_of(name) for name in there} <= {*EVERYTHING, ENGINE}
    assert set(tables()["Commands of the domain"]) == there


def test_every_command_line_names_its_permission_and_no_other_is_named() -> None:
    assert set(OF_COMMAND) == set(COMMANDS), "cli/permissions.py"
    assert set(OF_COMMAND.values()) <= {*EVERYTHING, ENGINE, ""}
    assert set(tables()["Commands of the command line"]) == set(COMMANDS)


def test_every_permission_is_held_by_somebody_and_asked_for_or_read_by_something() -> None:
    rows = {**tables()["Permissions in a company"], **tables()["Permissions in the installation"]}
    assert set(rows) == set(EVERYTHING)
    for name, row in rows.items():
        assert row["super_admin"] == "yes", name
        assert set(COLUMNS) <= set(row)


def concrete(base: type[Command]) -> Iterator[type[Command]]:
    """Yield the commands below a base."""
    for command in base.__subclasses__():
        yield from concrete(command) if command.__subclasses__() else [command]
