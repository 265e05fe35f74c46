"""The words of a command line, in the one form that the commands know.

``company list`` and ``company:list`` are the same, and options that stand before the command count as if they stood
behind it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cli.catalogue import canonical, entities

_FIELD = re.compile(r"--([A-Z][A-Z0-9_]+)(?:=(.*))?", re.DOTALL)
VALUED = ("-f", "--format", "-e", "--environment")
"""Options of every command that take a value, also as the next word."""


def arrange(words: Sequence[str]) -> list[str]:
    """Return the words with the command first, under the name that the catalogue has.

    Examples
    --------
    >>> arrange(["job", "get", "--id", "3"])
    ['job:get', '--id', '3']
    >>> arrange(["-f", "json", "runtemplate:show", "42"])
    ['run-template:get', '42', '-f', 'json']
    >>> arrange(["credtype:update", "--id", "7", "--BANK_TOKEN=t"])
    ['credential-type:update', '--id', '7', '--field', 'BANK_TOKEN=t']
    >>> arrange(["company", "--help"])
    ['company', '--help']
    """
    before: list[str] = []
    rest = list(words)
    while rest and rest[0].startswith("-"):
        before.append(rest.pop(0))
        if before[-1] in VALUED and rest:
            before.append(rest.pop(0))
    if not rest:
        return before
    name = rest.pop(0)
    if rest and name.lower() in entities() and (found := canonical(f"{name}:{rest[0]}")):
        del rest[0]
        return [found, *_as_fields(found, rest), *before]
    found = canonical(name) or name
    return [found, *_as_fields(found, rest), *before]


def _as_fields(name: str, words: Sequence[str]) -> list[str]:
    """Return the words with options in capital letters, where a command takes values of fields, written as such."""
    if not name.startswith(("credential:", "credential-type:")):
        return list(words)
    found: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        match = _FIELD.fullmatch(word)
        if match is None:
            found.append(word)
        elif match[2] is not None:
            found += ["--field", f"{match[1]}={match[2]}"]
        else:
            found += ["--field", f"{match[1]}={rest.pop(0) if rest else ''}"]
    return found


def wants_json(words: Sequence[str]) -> bool:
    """Tell whether the answer is to be JSON, also when the rest of the line cannot be understood.

    Examples
    --------
    >>> wants_json(["company:list", "--format=json"]), wants_json(["company:list", "-f", "text"])
    (True, False)
    """
    found = False
    for number, word in enumerate(words):
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name in ("-f", "-F", "--format"):
            value = value if equals else "".join(words[number + 1 : number + 2])
            found = value.lower() == "json"
        elif word.startswith("-f") and not word.startswith("--"):
            found = word[2:].lower() == "json"
    return found
