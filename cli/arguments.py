"""The words of a command line, in the one form that the commands know.

``company list`` and ``company:list`` are the same, and options that stand before the command count as if they stood
behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

from cli.catalogue import canonical, entities

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
        return [found, *rest, *before]
    return [canonical(name) or name, *rest, *before]


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
        if name in ("-f", "--format"):
            value = value if equals else "".join(words[number + 1 : number + 2])
            found = value.lower() == "json"
        elif word.startswith("-f") and not word.startswith("--"):
            found = word[2:].lower() == "json"
    return found
