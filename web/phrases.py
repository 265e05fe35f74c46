"""Sentences that come finished from elsewhere, in English: found again by their pattern, and translated.

The domain tells refusals and reasons as whole sentences, as events and the command line need them. Here a sentence is
matched against the patterns that are known, each of which has a translation, and its values are put into that one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache

VALUE = re.compile(r"\{(\w+)\}")


@cache
def pattern(template: str) -> re.Pattern[str]:
    """Return what finds the sentences of a template; ``{name}`` stands for any text.

    Examples
    --------
    >>> pattern("There is no job {id}.").fullmatch("There is no job 7.")["id"]
    '7'
    """
    parts = VALUE.split(template)
    seen: set[str] = set()
    text = re.escape(parts[0])
    for name, rest in zip(parts[1::2], parts[2::2], strict=True):
        text += f"(?P={name})" if name in seen else f"(?P<{name}>.*?)"
        text += re.escape(rest)
        seen.add(name)
    return re.compile(text, re.DOTALL)


def found(text: str, templates: Iterable[str]) -> tuple[str, dict[str, str]] | None:
    """Return the template that a sentence was made of, and its values; None if it is none of them."""
    for template in templates:
        if match := pattern(template).fullmatch(text):
            return template, match.groupdict()
    return None


def translated(
    text: str,
    templates: Iterable[str],
    translate: Callable[[str], str],
    value: Callable[[str, str], str] = lambda _name, text: text,
) -> str:
    """Return a sentence in another language; as it is, if its pattern is not known.

    Parameters
    ----------
    text : str
        The sentence.
    templates : Iterable[str]
        Patterns, the more particular first.
    translate : Callable[[str], str]
        Translates a template.
    value : Callable[[str, str], str]
        Given the name of a value and the value, returns how it is told.
    """
    match = found(text, templates)
    if match is None:
        return text
    template, values = match
    return translate(template).format(**{name: value(name, each) for name, each in values.items()})
