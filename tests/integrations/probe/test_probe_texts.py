"""Languages: every text has its Czech, with the same fields."""

import ast
import string
from pathlib import Path

import pytest

import integrations.probe
from integrations.probe.czech import TRANSLATIONS
from integrations.probe.texts import Catalogue, Size, choose_language, text

PACKAGE = Path(integrations.probe.__file__).parent


def strings_in(node):
    return [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def templates():
    """All literals that the package gives to text() first, and those assigned to a variable named ``template``."""
    found = set()
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "text":
                found.update(strings_in(node.args[0]))
            if isinstance(node, ast.Assign) and any(
                isinstance(t, ast.Name) and t.id == "template" for t in node.targets
            ):
                found.update(strings_in(node.value))
    return found


def fields(template):
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_text_has_its_czech_and_no_czech_is_left_over():
    assert set(TRANSLATIONS) == templates()


@pytest.mark.parametrize("template", sorted(TRANSLATIONS))
def test_a_translation_has_the_fields_of_its_template(template):
    assert fields(TRANSLATIONS[template]) == fields(template)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "cs_CZ.UTF-8"}, "cs"),
        ({"LANG": "cs"}, "cs"),
        ({"LANG": "cs-CZ"}, "cs"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US", "MULTIFLEXI_LANG": "cs_CZ"}, "cs"),
        ({"LANG": "cs_CZ", "MULTIFLEXI_LANG": "en"}, "en"),
        ({"LANG": "cs_CZ", "MULTIFLEXI_LANG": ""}, "cs"),
    ],
)
def test_the_language_is_that_of_the_environment(environment, language):
    assert choose_language(environment) == language


def test_figures_look_as_the_language_has_them():
    message = text("{used:.1f}% of {total} used", used=12.34, total=Size(3 << 29))
    assert Catalogue("en").render(message) == "12.3% of 1.5 GiB used"
    assert Catalogue("cs").render(message) == "využito 12,3 % z 1,5 GiB"


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1 << 40, "1.0 TiB"), (1 << 70, "1024.0 EiB")],
)
def test_sizes(size, shown):
    assert Catalogue("en").render(text("{reason}", reason=Size(size))) == shown
