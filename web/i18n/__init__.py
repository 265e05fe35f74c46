"""Languages: catalogues of gettext, read from their source when the program starts.

A catalogue is ``LANGUAGE.po``. English is the language of the source, so it has none. Keeping the source alone, without
compiled files, leaves nothing that could be out of date, and nothing to write at run time: 400 messages take 30 ms.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER = Path(__file__).resolve().parent

DEFAULT = "en"
LANGUAGES = {"en": "English", "cs": "Čeština"}
"""Languages there are, by their codes (ISO 639-1), as their speakers call them."""


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Return the catalogue of a language."""
    source = FOLDER / f"{language}.po"
    if language == DEFAULT:
        return gettext.NullTranslations()
    with source.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def chosen(wishes: Iterable[str]) -> str:
    """Return the first language out of some wishes that there is.

    Parameters
    ----------
    wishes : Iterable[str]
        Language tags, the dearest first.

    Examples
    --------
    >>> chosen(["de", "cs-CZ", "en"])
    'cs'
    """
    for wish in wishes:
        code = wish.partition("-")[0].lower()
        if code in LANGUAGES:
            return code
    return DEFAULT


def accepted(header: str) -> list[str]:
    """Return the languages of an ``Accept-Language`` header (RFC 9110, 12.5.4), the dearest first.

    Examples
    --------
    >>> accepted("de;q=0.4, cs-CZ, en;q=0.8, fr;q=0")
    ['cs-CZ', 'en', 'de']
    """
    weighed: list[tuple[float, str]] = []
    for part in header.split(","):
        tag, _, parameter = part.strip().partition(";")
        quality = parameter.strip().removeprefix("q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        if tag and weight > 0:
            weighed.append((-weight, tag.strip()))
    return [tag for _, tag in sorted(weighed, key=lambda pair: pair[0])]
