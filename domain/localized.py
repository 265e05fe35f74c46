"""Texts in several languages: plain text, or an object of texts by language code, as definitions hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

LANGUAGES = frozenset(
    {"ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "he", "hi", "hr", "hu", "it", "ja", "ko", "lt"}
    | {"lv", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "tr", "uk", "zh"}
)
"""Codes (ISO 639-1) that definitions may use."""


def localized(value: object, language: str = "en", *, fallback: str = "en") -> str:
    """Return a text in a language, or in the next best.

    Parameters
    ----------
    value : Any
        Text, an object of texts by language, or nothing.
    language : str
        Wanted language, also with a country: ``cs``, ``cs_CZ``, ``cs-CZ``.
    fallback : str
        Language to take when the wanted one is missing; after it, the first there is.

    Examples
    --------
    >>> localized({"en": "Probe", "cs": "Sonda"}, "cs_CZ"), localized("Probe", "cs"), localized({"de": "Sonde"}, "cs")
    ('Sonda', 'Probe', 'Sonde')
    >>> localized(None)
    ''
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        return ""
    texts = cast("Mapping[str, Any]", value)
    for wanted in (language, language.replace("_", "-").partition("-")[0].lower(), fallback, *texts):
        text = texts.get(wanted)
        if isinstance(text, str) and text:
            return text
    return ""
