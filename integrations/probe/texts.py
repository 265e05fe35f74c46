"""Texts for people: English templates with values, rendered in the language that the user chose.

A template is both the English text and the key of its translation, as in gettext. Texts travel as template and values
and are rendered at the very end, so that what judges a reading knows nothing of languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LANGUAGES = ("en", "cs")
"""Languages the probe speaks; the first one is the default."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


class Size(int):
    """A number of bytes that is shown in binary units (IEC 80000-13)."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text still to be rendered.

    Attributes
    ----------
    template : str
        English template in the syntax of `str.format`.
    values : mapping
        What stands in the template's fields: strings, numbers, `Size`, other texts, or tuples of them.
    """

    template: str
    values: Mapping[str, object] = field(default_factory=dict)


def text(template: str, **values: object) -> Text:
    """Return a text of a template and its values.

    Examples
    --------
    >>> Catalogue("en").render(text("{used:.1f}% of {total} used", used=12.34, total=Size(2048)))
    '12.3% of 2.0 KiB used'
    """
    return Text(template, values)


class _CommaFloat(float):
    """A float with a decimal comma."""

    def __format__(self, spec: str) -> str:
        return super().__format__(spec).replace(".", ",")


class Catalogue:
    """Renders texts in one language.

    Parameters
    ----------
    language : str
        ``en`` or ``cs``.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._translations: Mapping[str, str] = {}
        if language == "cs":
            from integrations.probe.czech import TRANSLATIONS  # noqa: PLC0415 - loaded only for those who read Czech

            self._translations = TRANSLATIONS

    def render(self, message: Text | str) -> str:
        """Return the text in the catalogue's language; a template without a translation stays English."""
        if isinstance(message, str):
            return message
        template = self._translations.get(message.template, message.template)
        return template.format(**{name: self._localised(value) for name, value in message.values.items()})

    def _localised(self, value: object) -> object:
        if isinstance(value, Text):
            return self.render(value)
        if isinstance(value, tuple):
            return "; ".join(str(self._localised(part)) for part in value)
        if isinstance(value, Size):
            return self._size(value)
        if isinstance(value, float) and self.language == "cs":
            return _CommaFloat(value)
        return value

    def _size(self, size: int) -> str:
        amount, unit = float(size), 0
        while amount >= 1024 and unit < len(_UNITS) - 1:
            amount, unit = amount / 1024, unit + 1
        return f"{self._localised(amount):.{1 if unit else 0}f} {_UNITS[unit]}"


def choose_language(environment: Mapping[str, str]) -> str:
    """Return the language to speak: that of ``MULTIFLEXI_LANG``, else that of ``LANG``, else English.

    Examples
    --------
    >>> choose_language({"LANG": "cs_CZ.UTF-8"})
    'cs'
    >>> choose_language({"LANG": "cs_CZ.UTF-8", "MULTIFLEXI_LANG": "en_US"})
    'en'
    """
    chosen = environment.get("MULTIFLEXI_LANG") or environment.get("LANG") or ""
    language = chosen.replace("-", "_").split("_")[0].split(".")[0].lower()
    return language if language in LANGUAGES else LANGUAGES[0]
