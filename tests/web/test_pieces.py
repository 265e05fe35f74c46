"""Small parts: masking, charts, assets, languages, words, addresses."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from web import i18n, words
from web.assets import Assets
from web.chart import nice_steps, stacked
from web.i18n.extract import stored, texts
from web.masking import MASK, masked

FOLDER = Path(i18n.__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ABRAFLEXI_PASSWORD", "x"), ("API_KEY", "x"), ("FIO_TOKEN", "x"), ("MY_SECRET", "x"), ("SMTP_PWD", "x"),
        ("CLIENT_PIN", "1234"), ("TLS_CERT", "x"), ("DATA", "-----BEGIN RSA PRIVATE KEY-----"), ("X", "ghp_abc"),
    ],
)  # fmt: skip
def test_what_looks_secret_is_masked(name: str, value: str) -> None:
    assert masked({name: value}) == {name: MASK}


def test_what_does_not_look_secret_is_shown_and_what_is_known_to_be_secret_is_not() -> None:
    environment = {
        "LANG": "cs",
        "PROBE_CERTIFICATE_WARNING_DAYS": "30",
        "URL": "https://joe:x@h/",
        "PLAIN": "a",
        "P": "",
    }
    assert masked(environment, {"PLAIN"}) == {
        "LANG": "cs", "PROBE_CERTIFICATE_WARNING_DAYS": "30", "URL": f"https://joe:{MASK}@h/", "PLAIN": MASK, "P": "",
    }  # fmt: skip


def test_the_scale_of_a_chart_reaches_its_highest_column() -> None:
    for most in range(5000):
        steps = nice_steps(most)
        assert steps[-1] >= most
        assert 2 <= len(steps) <= 6


def test_a_single_failure_among_thousands_is_seen() -> None:
    chart = stacked(["succeeded", "failed"], [[9000, 1], [0, 0]])
    assert [segment.series for segment in chart.columns[0].segments] == ["succeeded", "failed"]
    assert chart.columns[0].top >= 0
    assert chart.columns[1].segments == ()


def served(assets: Assets, source: str) -> str:
    asset = assets.find(assets.name(source))
    assert asset is not None
    return asset.content.decode()


def test_a_file_is_named_by_its_content_and_names_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "app.js").write_text('import "./js/part.js";\n')
    (tmp_path / "js" / "part.js").write_text('import { x } from "./other.js";\n')
    (tmp_path / "js" / "other.js").write_text("export const x = 1;\n")
    first = Assets(tmp_path)
    assert f'import "./{first.name("js/part.js")}"' in served(first, "app.js")
    assert f'from "./{first.name("js/other.js")}"' in served(first, "js/part.js")
    (tmp_path / "js" / "other.js").write_text("export const x = 2;\n")
    second = Assets(tmp_path)
    assert all(first.name(each) != second.name(each) for each in ("app.js", "js/part.js", "js/other.js"))


def test_stylesheets_are_one_file_and_compressed() -> None:
    assets = Assets()
    asset = assets.find(assets.name("app.css"))
    assert asset is not None
    assert asset.gzipped is not None
    assert b"@import" not in asset.content
    assert gzip.decompress(asset.gzipped) == asset.content
    assert asset.media_type == "text/css"


def test_browsers_load_nothing_from_elsewhere() -> None:
    for path in [*FOLDER.glob("static/**/*"), *FOLDER.glob("templates/**/*.html")]:
        if path.is_file():
            text = path.read_text().replace("http://www.w3.org/2000/svg", "")
            assert not re.search(
                r"https?://|@import url|url\([^)]|@font-face" if path.suffix == ".css" else r"https?://", text
            ), path


def test_no_template_has_styles_or_scripts_that_the_policy_forbids() -> None:
    for path in FOLDER.glob("templates/**/*.html"):
        assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]* src=)", path.read_text()), path


def each(strings: object) -> tuple[str, ...]:
    return tuple(strings) if isinstance(strings, (tuple, list)) else (str(strings),)


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)s|\{\w+\}", text))


@pytest.mark.parametrize("language", [code for code in i18n.LANGUAGES if code != i18n.DEFAULT])
def test_every_text_is_translated_and_none_is_left_over(language: str) -> None:
    catalogue = [message for message in stored(language) if message.id]
    source = {repr(message.id) for message in texts() if message.id}
    assert source == {repr(message.id) for message in catalogue}, "run: python -m web.i18n.extract"
    for message in catalogue:
        assert not message.fuzzy
        wanted = placeholders(each(message.id)[-1])
        for string in each(message.string):
            assert string, message.id
            assert placeholders(string) == wanted, message.id


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "{} čeká"), (2, "{} čekají"), (4, "{} čekají"), (5, "{} čeká"), (22, "{} čeká"), (0, "{} čeká")],
)
def test_czech_plurals(count: int, text: str) -> None:
    found = i18n.translations("cs").ngettext("%(shown)s is waiting", "%(shown)s are waiting", count)
    assert found % {"shown": count} == text.format(count)


def test_languages_that_browsers_ask_for() -> None:
    assert i18n.chosen(i18n.accepted("sk;q=0.3, cs;q=0.8, en;q=0.5")) == "cs"
    assert i18n.chosen(i18n.accepted("de-AT, fr")) == "en"
    assert i18n.chosen(i18n.accepted("cs;q=0, *;q=nonsense,,;")) == "en"


@pytest.mark.parametrize(
    ("code", "definition", "meaning"),
    [
        (0, None, "Úspěch"),
        (127, {}, "Program nebyl nalezen"),
        (137, {}, "Ukončeno signálem SIGKILL"),
        (1, {"exitCodes": {"1": {"description": {"cs": "Něco", "en": "Something"}}}}, "Něco"),
        (42, {"exitCodes": {"1": {}}}, "Selhání ohlášené aplikací"),
        (3, {"exitCodes": {"3": {"description": "Plain"}}}, "Plain"),
        (None, {}, ""),
    ],
)
def test_meaning_of_exit_codes(code: int | None, definition: dict | None, meaning: str) -> None:
    assert words.exit_meaning(code, definition, "cs", i18n.translations("cs").gettext) == meaning
