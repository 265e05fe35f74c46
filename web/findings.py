"""What is wrong or odd with a definition, place by place, in the viewer's language (:mod:`domain.findings`)."""

from __future__ import annotations

from web import phrases
from web.errors import N_
from web.refusals import MISFITS
from web.words import Translate

REASONS: tuple[str, ...] = (
    N_("expected {kind}, found {found}; it is read as text."),
    N_("expected {kind}, found {found}; it is read as such."),
    N_("expected {kind}, found {found}; it is not used."),
    N_("expected {kind}, found {found}."),
    N_("expected a list of texts; the text is read as one, split at commas."),
    N_("expected an object; the empty list is read as an empty one."),
    N_("expected an object of values by variable; it is not used."),
    N_("the name has {count} characters; 1 to {most} are possible."),
    N_("the executable has more than 4096 characters."),
    N_("the version has more than 64 characters."),
    N_("there is none; the application is known by its name and executable, which must not change then."),
    N_("this is no UUID, nor any other identifier of letters, digits and . _ : -"),
    N_("the default does not fit the type: {misfit}"),
    N_("it has more than {count} bytes."),
    N_("it has {count} bytes, at most {most} are read."),
    N_("“{value}” is none of {names}; it is read as {other}."),
    N_("“{value}” is none of {names}."),
    N_("the path leads out of its folder by “..”."),
    N_("the path begins at the root; files are looked for in the folder alone."),
    N_("it has {count} fields, at most {most} are possible."),
    N_("this is no name of an environment variable."),
    N_("names of variables are of capital letters, digits and _."),
    N_("this is no exit code."),
    N_("exit codes lie between 0 and 255."),
    N_("there is no file in it."),
    N_("it is required when Helm is enabled, and missing."),
    N_("there is no text in any language."),
    N_("the text is empty."),
    N_("the text holds a control character."),
    N_("“{value}” has not the expected form, such as {example}."),
    N_("{value} does not lie between {lowest} and {highest}."),
    N_("the language is none that the format names."),
    N_("the name has not the expected form ({form})."),
    N_("it is required and missing."),
    N_("the format asks for it, but it is missing."),
    N_("it is of an older version of the format: {instead}."),
    N_("null is read as if it was left out."),
    N_("the format does not know it; it is kept and not used. Did you mean {close}?"),
    N_("the format does not know it; it is kept and not used."),
    N_("it begins with a byte order mark, which JSON has not (RFC 8259, 8.1)."),
    N_("it is nested deeper than {count} levels."),
    N_("a number cannot be read: {detail}."),
    N_("the text holds a NUL or half of a surrogate pair."),
    N_("the name holds a NUL or half of a surrogate pair."),
    N_("the number is too large."),
    N_("the object holds the name twice; the last one counts."),
    N_("line {line}, column {column}: the bytes are no UTF-8. Save the file as UTF-8."),
    N_("line {line}, column {column}: it is no JSON, the comma before {bracket} is one too many."),
    N_(
        "line {line}, column {column}: it is no JSON, a text is not closed on its line: a double quote is "
        "missing, or the line break should be {written}."
    ),
    N_("line {line}, column {column}: it is no JSON, {detail}."),
)
"""Why a place is refused or warned of, the more particular first."""

KINDS: tuple[str, ...] = (
    N_("text"),
    N_("an object"),
    N_("a list"),
    N_("a number"),
    N_("a boolean"),
    N_("null"),
    N_("true or false"),
    N_("a whole number"),
    N_("text or an object of texts by language"),
)
"""Kinds of JSON values."""


def told(reason: str, translate: Translate) -> str:
    """Return the reason of a finding in the viewer's language; as it is, if its pattern is not known.

    Examples
    --------
    >>> told("expected an object, found text.", lambda text: text.replace("expected", "wanted"))
    'wanted an object, found text.'
    """

    def value(name: str, text: str) -> str:
        if name in ("kind", "found"):
            return translate(text) if text in KINDS else text
        return phrases.translated(text, MISFITS, translate) if name == "misfit" else text

    return phrases.translated(reason, REASONS, translate, value)
