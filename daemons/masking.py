"""Keep secret values out of captured output, also encoded, and when one spans two pieces.

All forms of all secrets are looked for in one pass (Aho and Corasick, 1975), by their first bytes: so neither time nor
memory grow much with how many secrets there are and how long they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from daemons.encoded import SHORTEST, forms

MASK = b"******"
HEAD = 16
"""Bytes at the beginning of each form that are looked for in all of the output."""


class Secrets:
    """Values that must not be shown, ready to be looked for."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        by_head: dict[bytes, list[bytes]] = {}
        for secret in sorted({one for one in secrets if len(one) >= SHORTEST}, key=len, reverse=True):
            by_head.setdefault(secret[:HEAD], []).append(secret)
        self._alike = [tuple(alike) for alike in by_head.values()]
        self._beginnings = {head[:size] for head in by_head for size in range(1, len(head))}
        heads, table = list(by_head), Implementation.DFA
        self._any = BytesAhoCorasick(heads, matchkind=MatchKind.LeftmostFirst, implementation=table) if heads else None
        self._all = BytesAhoCorasick(heads, implementation=table) if heads else None

    def __bool__(self) -> bool:
        """Tell whether there is anything to be looked for."""
        return self._any is not None

    def found(self, text: bytes) -> Iterator[tuple[int, int, bool]]:
        """Give where secrets stand in a text: place, length, and whether it may go on after the text.

        Of several at one place the longest comes first, and before it what may go on; its length is 0.
        """
        assert self._any is not None and self._all is not None
        rest = len(text)
        places = [
            (rest - size, -rest - 1, -1) for size in range(1, min(HEAD, rest + 1)) if text[-size:] in self._beginnings
        ]
        # To tell that there is nothing takes a fraction of the time that finding all takes, as most output shows.
        if self._any.find_matches_as_indexes(text):
            matches = self._all.find_matches_as_indexes(text, overlapping=True)
            there = {head for head in {head for head, _, _ in matches} if any(one in text for one in self._alike[head])}
            places += [
                (place, -end, head)
                for head, place, end in matches
                if head in there or len(self._alike[head][0]) > rest - place
            ]
        for place, _, head in sorted(places):
            if head < 0:
                yield place, 0, True
                continue
            alike, left = self._alike[head], rest - place
            if len(alike[0]) > left and any(len(one) > left and one.startswith(text[place:]) for one in alike):
                yield place, 0, True
            if text.startswith(alike, place):
                yield place, next(len(one) for one in alike if text.startswith(one, place)), False


@lru_cache(maxsize=64)
def secrets_of(values: tuple[str, ...]) -> Secrets:
    """Return secret values, in all forms that they may appear in, ready to be looked for."""
    return Secrets(form for value in values for form in forms(value))


class Masker:
    """Replaces secret values in a stream of bytes; of several that begin at the same place the longest.

    The end of a piece is held back while it may be the beginning of a secret, or of a longer one.

    Examples
    --------
    >>> masker = Masker([b"hunter2"])
    >>> masker.feed(b"password: hun") + masker.feed(b"ter2!") + masker.close()
    b'password: ******!'
    >>> masker = Masker([b"abc", b"abcdef"])
    >>> masker.feed(b"abc") + masker.feed(b"def") + masker.feed(b"abc") + masker.close()
    b'************'
    """

    def __init__(self, secrets: Secrets | Sequence[bytes]) -> None:
        self._secrets = secrets if isinstance(secrets, Secrets) else Secrets(secrets)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be told of the bytes so far."""
        return self._told(data, at_end=False) if self._secrets else data

    def close(self) -> bytes:
        """Return what was held back."""
        return self._told(b"", at_end=True) if self._held else b""

    def _told(self, data: bytes, *, at_end: bool) -> bytes:
        text = self._held + data if self._held else data
        self._held = b""
        told: list[bytes] = []
        position, end = 0, len(text)
        for place, length, may_go_on in self._secrets.found(text):
            if place < position or (may_go_on and at_end):
                continue
            if may_go_on:
                self._held, end = text[place:], place
                break
            told += (text[position:place], MASK)
            position = place + length
        if not told:
            return text[:end] if self._held else text
        told.append(text[position:end])
        return b"".join(told)
