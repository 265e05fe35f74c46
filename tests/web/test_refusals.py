"""Refusals of the domain are told in the language of the viewer."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.cron import CronError, parse
from domain.errors import ValidationError
from web import i18n, phrases, refusals, words

PROJECT = Path(refusals.__file__).resolve().parent.parent
WALKED = ("domain/run_template_fields.py", "domain/deadline.py", "domain/schedule.py", "domain/checks.py")
COMMANDS = ("commands/jobs.py", "commands/queue.py")
NOT_ON_PAGES = ("UUID", "e-mail address", "no time zone", "system:pause")
"""Parts of messages about what no page asks for."""


def messages(path: str) -> Iterator[str]:
    """Yield the messages of the errors that a module raises, with ``X`` for each value."""
    for node in ast.walk(ast.parse((PROJECT / path).read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            text = node.exc.args[0]
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


def test_a_refusal_that_is_not_known_is_told_as_it_is() -> None:
    error = ValidationError("Something new is wrong.")
    assert refusals.told(error, i18n.translations("cs").gettext) == "Something new is wrong."


def test_every_pattern_keeps_its_values_in_its_translation() -> None:
    translate = i18n.translations("cs").gettext
    for text in (*refusals.PATTERNS, *refusals.WHY, *words.REASONS):
        wanted = set(phrases.VALUE.findall(text))
        assert set(phrases.VALUE.findall(translate(text))) <= wanted, text
