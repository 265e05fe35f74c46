"""Refusals of the domain are told in the language of the viewer."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.actor import Actor, denied
from commands.errors import TAKEN
from domain import definition
from domain.cron import CronError, parse
from domain.definition_format import DEFINITION
from domain.errors import DomainError, NotFoundError, StateError, TakenError, ValidationError
from domain.field_values import FieldsError, problem
from domain.findings import DocumentError, Findings
from domain.permissions import EVERYTHING
from web import findings, i18n, phrases, refusals, wishes, words

PROJECT = Path(refusals.__file__).resolve().parent.parent
WALKED = (
    "domain/access_request.py", "domain/application.py", "domain/checks.py", "domain/company.py",
    "domain/credential.py", "domain/customer.py", "domain/deadline.py", "domain/membership.py",
    "domain/run_template.py", "domain/run_template_fields.py", "domain/schedule.py", "domain/server.py",
    "domain/user_group.py", "eventstore/vault.py",
)  # fmt: skip
COMMANDS = (
    "commands/applications.py", "commands/assignments.py", "commands/companies.py", "commands/copies.py",
    "commands/credentials.py", "commands/facts.py", "commands/fetching.py", "commands/idempotency.py",
    "commands/job_environment.py", "commands/jobs.py", "commands/memberships.py", "commands/queue.py",
)  # fmt: skip
NOT_ON_PAGES = (
    "Expected 36 characters", "no time zone", "system:pause", "exists already.", "is no command of",
    "cannot follow here", "as a whole and by single", "X has X bytes; a definition", "X cannot be read: X.",
    "The database cannot be reached",
)  # fmt: skip
"""Parts of messages about what no page asks for, and of faults of the program."""


def messages(path: str) -> Iterator[str]:
    """Yield the messages of the errors that a module makes, with ``X`` for each value."""
    for node in ast.walk(ast.parse((PROJECT / path).read_text())):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith(("Error", "_refused")):
            text = node.args[0]
            if isinstance(text, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "X" for part in text.values]
                yield "".join(str(part) for part in parts)
            elif isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text.value


@pytest.mark.parametrize("path", [*WALKED, *COMMANDS])
def test_every_refusal_that_a_page_can_meet_is_known(path: str) -> None:
    found = [text for text in messages(path) if text[:1].isupper() or text.startswith("“")]
    found = [text for text in found if not any(part in text for part in NOT_ON_PAGES)]
    found = [text for text in found if "does not exist. X" not in text]  # its end is one of two hints
    assert found
    unknown = [text for text in found if phrases.found(text, refusals.PATTERNS) is None]
    assert unknown == []


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("61 * * * *", "61 je mimo rozsah 0 až 59."),
        ("* * * * x", "den v týdnu"),
        ("* * * XYZ *", "třípísmenné názvy"),
        ("* * *", "má 3 polí"),
        ("@never", "takové slovo není"),
        ("*/0 * * * *", "krok v „*/0“ je 0"),
        ("1,,2 * * * *", "mezi čárkami chybí hodnota"),
        ("0 0 31 2 *", "žádný z požadovaných měsíců"),
        ("9" * 300, "má přes 256 znaků"),
    ],
)
def test_what_is_wrong_with_a_cron_expression_is_told_in_czech(expression: str, told: str) -> None:
    with pytest.raises(CronError) as refused:
        parse(expression)
    text = refusals.told(refused.value, i18n.translations("cs").gettext)
    assert text.startswith("Ve výrazu cronu")
    assert told in text


def test_refusals_whose_words_depend_on_values_are_known() -> None:
    viewer = Actor.user(5, [7], role="viewer")
    refused: list[DomainError] = [
        denied(viewer, "ChangeCompany", "company.change", 7),
        denied(viewer, "ChangeCompany", "company.change", 8),
        denied(viewer, "manage users", "users.manage", None),
        denied(Actor.user(6), "company:list", "company.view", None),
        NotFoundError("There is no customer 3. `customer:list` shows what there is."),
        *(StateError(f"3 companies refer to {kind} 1: 4, 5, 6. Change them first.") for kind in ("customer", "server")),
        *(
            TakenError(message.format("x"))
            for field, _, message in TAKEN.values()
            if field in ("code", "name", "login")
        ),
    ]
    translate = i18n.translations("cs").gettext
    for error in refused:
        assert refusals.told(error, translate) != error.message
    assert refusals.told(refused[0], translate) == (
        "K tomu (měnit firmu, pozastavit ji a znovu spustit) je potřeba oprávnění company.change, které Uživatel 5 ve "
        "firmě 7 nemá. Požádejte o ně správce."
    )
    assert "nemá přístup k žádné" in refusals.told(refused[3], translate)
    assert set(EVERYTHING.values()) <= set(wishes.WISHES)
    wrong = FieldsError({"LIMIT": "expected at most 9.", "MAIL": "expected a mail address such as name@example.org."})
    assert refusals.told(wrong, translate) == (
        "LIMIT: Očekává se nejvýše 9. MAIL: Očekává se e-mailová adresa, třeba jmeno@example.org."
    )


def test_what_can_be_wrong_with_a_value_is_known() -> None:
    values = {"integer": "x", "float": "1,5", "bool": "x", "file-path": "a\nb", "url": "x y", "email": "x", "date": "x",
              "datetime": "x", "time": "x"}  # fmt: skip
    found = [problem(kind, value) for kind, value in values.items()]
    found += [problem("float", "x"), problem("integer", "1", (), (2, None)), problem("integer", "3", (), (None, 2))]
    found += [problem("set", "x", {"y": "y"}), problem("file-path", "x" * 5000)]
    for told in found:
        assert told is not None and phrases.found(told, refusals.MISFITS) is not None, told


BROKEN: dict[str, Any] = {
    "name": 5, "description": {}, "version": "x" * 70, "executable": "../run", "uuid": "no uuid!", "homepage": None,
    "colour": "red", "exitCodes": {"x": {}, "999": {}}, "tags": "a, b",
    "artifacts": [{"path": "/etc"}, {"path": "../x"}],
    "environment": {"a-b": {}, "=": {}, "LIMIT": {"type": "integer", "defval": "x", "min": "y", "required": 3},
                    "MODE": {"type": "colour", "condition": [], "description": {"xx": "X", "en": 4}}, "N": 1},
}  # fmt: skip


def test_whatever_is_wrong_with_a_definition_is_known() -> None:
    texts = [
        "{,}", '{"a": 1,}', '{"a": "b\n"}', '{"name": "\\u0000"}', "[]", '{"a": 1e999}', "[" * 300 + "]" * 300,
        '{"name": "a", "name": "b"}', "\ufeff{}",
        json.dumps({"name": "P", "description": "", "executable": "x", "environment": {}, "version": "x" * 70}),
    ]  # fmt: skip
    walked = Findings()
    DEFINITION(walked, "", BROKEN)
    reasons = {each.reason for each in (*walked.errors, *walked.warnings)}
    for text in texts:
        try:
            reasons |= {each.reason for each in definition.read(text).warnings}
        except DocumentError as error:
            reasons |= {each.reason for each in error.findings}
    assert len(reasons) > 25
    assert {reason for reason in reasons if phrases.found(reason, findings.REASONS) is None} == set()
    translate = i18n.translations("cs").gettext
    assert findings.told("expected an object, found text.", translate) == "očekává se objekt, je tu text."
    told = findings.told("the default does not fit the type: expected a whole number.", translate)
    assert told == "výchozí hodnota neodpovídá typu: očekává se celé číslo."


def test_a_refusal_that_is_not_known_is_told_as_it_is() -> None:
    error = ValidationError("Something new is wrong.")
    assert refusals.told(error, i18n.translations("cs").gettext) == "Something new is wrong."


def test_every_pattern_keeps_its_values_in_its_translation() -> None:
    translate = i18n.translations("cs").gettext
    for text in (*refusals.PATTERNS, *refusals.WHY, *words.REASONS):
        wanted = set(phrases.VALUE.findall(text))
        assert set(phrases.VALUE.findall(translate(text))) <= wanted, text
