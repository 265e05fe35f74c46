"""Templates: one environment for each language, with what all templates use."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from babel.numbers import format_decimal, format_percent
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from litestar import Response
from markupsafe import Markup

from web import findings, i18n, times, words
from web.assets import Assets
from web.preferences import THEMES
from web.view import BASE, View

FOLDER = Path(__file__).resolve().parent / "templates"

_TICKING = re.compile(r"(<(?:time|span)[^>]* data-(?:time|since|until)[^>]*>)[^<]*")
"""Texts that change by themselves; the browser keeps them going."""

HTML = "text/html"


class Compiled(BytecodeCache):
    """Templates that were compiled; they are the same in all languages, and to compile one takes longer than a page."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take the code of a template, if it was compiled from the same text."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a template."""
        assert bucket.code is not None
        self._codes[bucket.key, bucket.checksum] = bucket.code


COMPILED = Compiled()
"""Those of this process."""


class Renderer:
    """Makes HTML from templates.

    Parameters
    ----------
    assets : Assets
        Files that the pages name.
    version : str
        Version of the program, as the pages show it.
    """

    def __init__(self, assets: Assets, version: str) -> None:
        self._assets = assets
        self._version = version
        self._environment: Callable[[str], Environment] = cache(self._make_environment)

    def render(self, template: str, view: View, /, **context: Any) -> str:
        """Return the HTML of a template.

        Parameters
        ----------
        template : str
            File name.
        view : View
            For whom.
        context : Any
            What it shows. ``clock`` is the viewer's, unless given.
        """
        context.setdefault("clock", view.clock())
        return self._environment(view.language).get_template(template).render(view=view, **context)

    def parts(self, template: str, view: View, names: tuple[str, ...], /, **context: Any) -> dict[str, str]:
        """Return the live parts of a page: of each name, what the macro ``NAME`` of the template makes.

        Parameters
        ----------
        template : str
            File of the macros; each takes what the page shows.
        """
        context.setdefault("clock", view.clock())
        loaded = self._environment(view.language).get_template(template)
        module = loaded.make_module({"view": view, **context})
        return {name: str(getattr(module, name)()).strip() for name in names}

    def translate(self, view: View) -> words.Translate:
        """Return what translates a word into the language of a viewer."""
        return i18n.translations(view.language).gettext

    def _make_environment(self, language: str) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(FOLDER),
            bytecode_cache=COMPILED,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        translations = i18n.translations(language)
        environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
        translate = translations.gettext
        environment.globals.update(
            base=BASE,
            asset=lambda source: f"{BASE}/static/{self._assets.name(source)}",
            languages=i18n.LANGUAGES,
            themes=THEMES,
            version=self._version,
            words=words,
            common_zones=times.COMMON,
            status=words.status,
        )
        environment.filters.update(
            word=translate,
            actor=lambda name: words.actor(name, translate),
            finding=lambda text: findings.told(text, translate),
            reason=lambda text: words.reason(text, translate),
            role=lambda name: words.role(name, translate),
            number=lambda value: format_decimal(value, locale=language),
            plain=lambda value: f"{value:g}",
            percent=lambda value: format_percent(value, "#,##0.#%", locale=language),
            duration=lambda seconds: times.duration(seconds, language),
            bytes=lambda count: human_bytes(count, language),
            localized=lambda value: words.localized(value, language),
        )
        return environment


def page(html: str, status: int = 200) -> Response[str]:
    """Return a page as an answer."""
    return Response(html, media_type=HTML, status_code=status)


def digest(parts: dict[str, str]) -> str:
    """Return a digest of what parts of a page say, whatever their clocks show."""
    still = [(name, _TICKING.sub(r"\1", html)) for name, html in sorted(parts.items())]
    return hashlib.sha256(repr(still).encode()).hexdigest()[:16]


def safe(html: str) -> Markup:
    """Mark HTML that our own templates made."""
    return Markup(html)  # noqa: S704 - made by templates that escape what they are given


def human_bytes(count: int | None, language: str) -> str:
    """Return a number of bytes in binary units (IEC 80000-13).

    Examples
    --------
    >>> human_bytes(999, "en"), human_bytes(1536, "cs"), human_bytes(5 * 2**30, "en")
    ('999 B', '1,5 KiB', '5 GiB')
    """
    if count is None:
        return times.NOTHING
    size, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{format_decimal(round(size, 0 if unit == 'B' or size >= 100 else 1), '#,##0.#', locale=language)} {unit}"
