"""What of a command line is understood, without a database."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
from pathlib import Path

import click
import pytest

import cli
from cli.arguments import arrange, wants_json
from cli.catalogue import COMMANDS, canonical
from cli.group import load
from cli.main import main

DOCUMENTATION = Path(cli.__file__).resolve().parents[1] / "docs" / "cli.md"

CASES = {
    "company:list": ["company:list"],
    "company list": ["company:list"],
    "job get --id 3": ["job:get", "--id", "3"],
    "runtemplate:show 42": ["run-template:get", "42"],
    "runtemplate show 42": ["run-template:get", "42"],
    "RunTemplate:List": ["run-template:list"],
    "-f json company:list": ["company:list", "-f", "json"],
    "--format=json -v company list --limit 2": ["company:list", "--limit", "2", "--format=json", "-v"],
    "-e my.env job show 7": ["job:get", "7", "-e", "my.env"],
    "company --help": ["company", "--help"],
    "company": ["company"],
    "company fly": ["company", "fly"],
    "fly": ["fly"],
    "--help": ["--help"],
    "": [],
}


@pytest.mark.parametrize(("line", "arranged"), CASES.items())
def test_every_spelling_of_a_command_means_the_same(line: str, arranged: list[str]) -> None:
    assert arrange(line.split()) == arranged


@pytest.mark.parametrize(
    ("line", "noticed"),
    [
        ("a -f json", True),
        ("a -fjson", True),
        ("a --format JSON", True),
        ("a --format=json", True),
        ("a --format", False),
        ("a -f text", False),
        ("a -f json -f text", False),
        ("a -- -f json", False),
        ("a", False),
    ],
)
def test_json_is_noticed_even_when_the_rest_is_wrong(line: str, noticed: bool) -> None:
    assert wants_json(line.split()) is noticed


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_of_the_catalogue_is_there_and_has_its_summary(name: str) -> None:
    command = load(name)
    assert isinstance(command, click.Command)
    assert (command.help or "").splitlines()[0] == COMMANDS[name].summary
    assert canonical(name) == name


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_has_both_spellings_and_a_help(name: str) -> None:
    for parameter in load(name).params:
        if not isinstance(parameter, click.Option) or parameter.hidden:
            continue
        assert parameter.help, parameter.name
        assert parameter.help.endswith((".", ")")), parameter.help
        longs = {opt for opt in parameter.opts if opt.startswith("--")}
        assert {f"--{opt[2:].replace('_', '-')}" for opt in longs} <= longs
        assert {f"--{opt[2:].replace('-', '_')}" for opt in longs} <= longs


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert COMMANDS[name].summary in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_in_the_documentation(name: str) -> None:
    assert f"`{name}" in DOCUMENTATION.read_text()


def test_without_words_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("words", [["--version"], ["-V"]])
def test_version(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("multiflexi-cli ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fly"], "There is no command “fly”."),
        (["compny:list"], "Did you mean company:list"),
        (["company"], "company:list"),
        (["company:fly"], "company:list"),
        (["company:list", "--limit", "x"], "“x” does not count"),
        (["company:list", "--limit", "0"], "“0” does not count"),
        (["company:list", "--offset", "-1"], "“-1” does not count"),
        (["company:list", "--order", "up"], "order"),
        (["company:list", "--fields", ","], "no field is named"),
        (["company:list", "--nonsense"], "No such option"),
        (["company:list", "too", "much"], "unexpected extra argument"),
        (["company:get"], "Which company?"),
        (["company:get", "abc"], "“abc” is no id"),
        (["company:get", "0"], "“0” is no id"),
        (["company:get", "99999999999"], "is no id"),
        (["company:get", "7", "--id", "8"], "Two ids were given"),
        (["application:get"], "Which application?"),
        (["run-template:get"], "Which run template?"),
        (["job:get"], "Which job?"),
        (["job:watch"], "Which job?"),
        (["job:list", "--status", "happy"], "status"),
        (["company:create"], "name"),
        (["company:create", "--name", "A", "--enabled", "perhaps"], "perhaps"),
        (["company:create", "--name", "A", "--settings", "[1]"], "--settings takes a JSON object"),
        (["company:update", "1"], "What is to change?"),
        (["run-template:create", "--name", "A", "--config", "WORD"], "“WORD” has no “=”"),
        (["run-template:create", "--name", "A", "--config", "1A=b"], "“1A” is no name of a variable"),
        (["run-template:schedule", "1", "--env", "=b"], "no name of a variable"),
        (["run-template:schedule", "1", "--schedule_time", "soon"], "“soon” is no moment"),
        (["job:create", "--runtemplate-id", "1", "--scheduled", "2026-13-01"], "is no moment"),
        (["projection:rebuild"], "Which read models?"),
        (["projection:rebuild", "company", "--all"], "Which read models?"),
        (["audit:verify", "--public-key", "abc"], "no Ed25519 public key"),
        (["company:list", "-e", "/nonexistent.env"], "/nonexistent.env"),
    ],
)
def test_a_wrong_line_is_told_in_words_and_exits_with_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert not told.out
    assert "Traceback" not in told.err
    assert main(["--format=json", *words]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["status"] == "error"
    assert said in answer["message"]


def test_an_unknown_format_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["company:list", "--format", "xml"]) == 2
    assert "'xml' is not one of 'text', 'json'" in capsys.readouterr().err


def test_examples_in_docstrings_are_right() -> None:
    for module in pkgutil.walk_packages(cli.__path__, "cli."):
        if module.name != "cli.__main__":
            assert doctest.testmod(importlib.import_module(module.name)).failed == 0, module.name
