"""Keep secret values out of captured output, also when one spans two pieces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote

MASK = b"******"
SHORTEST = 3
"""Bytes below which a value is too short to be masked: it would blot out ordinary text."""


class Secrets:
    """Values that must not be shown, ready to be looked for."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        kept = {secret for secret in secrets if len(secret) >= SHORTEST}
        self.values = sorted(kept, key=len, reverse=True)
        self.pattern = re.compile(b"|".join(re.escape(secret) for secret in self.values)) if kept else None
        self.first = {secret[:1] for secret in kept}
        self.longest = max(map(len, kept), default=1) - 1


@lru_cache(maxsize=256)
def secrets_of(values: tuple[str, ...]) -> Secrets:
    """Return secret values, in all forms that they may appear in, ready to be looked for."""
    return Secrets([form for value in values for form in forms(value)])


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
        known = secrets if isinstance(secrets, Secrets) else Secrets(secrets)
        self._secrets = known.values
        self._pattern = known.pattern
        self._first = known.first
        self._longest = known.longest
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be told of the bytes so far."""
        if self._pattern is None:
            return data
        text = self._held + data if self._held else data
        kept = self._beginning(text, 0)
        # Looking for each value by itself is many times faster than the alternatives of a pattern.
        if not any(secret in text for secret in self._secrets):
            self._held = text[kept:]
            return text[:kept] if self._held else text
        told: list[bytes] = []
        position = 0
        while (match := self._pattern.search(text, position)) is not None and match.start() < kept:
            told += (text[position : match.start()], MASK)
            position = match.end()
            if position > kept:
                kept = self._beginning(text, position)
        told.append(text[position:kept])
        self._held = text[kept:]
        return b"".join(told)

    def close(self) -> bytes:
        """Return what was held back."""
        held, self._held = self._held, b""
        return self._pattern.sub(MASK, held) if self._pattern is not None else held

    def _beginning(self, text: bytes, position: int) -> int:
        """Return where, from a position on, the longest end of the text begins that may begin a secret."""
        start = max(position, len(text) - self._longest)
        tail = text[start:]
        candidates = sorted(place for first in self._first for place in places(tail, first))
        for place in candidates:
            rest = tail[place:]
            if any(len(secret) > len(rest) and secret.startswith(rest) for secret in self._secrets):
                return start + place
        return len(text)


def places(text: bytes, byte: bytes) -> list[int]:
    """Return where a byte occurs."""
    found: list[int] = []
    place = text.find(byte)
    while place >= 0:
        found.append(place)
        place = text.find(byte, place + 1)
    return found


def forms(value: str) -> list[bytes]:
    """Return the bytes that a secret value may appear as: itself, and percent-encoded as in a URL (RFC 3986).

    Examples
    --------
    >>> forms("a b")
    [b'a b', b'a%20b']
    """
    return list(
        dict.fromkeys((value.encode(errors="surrogateescape"), quote(value, safe="", errors="replace").encode()))
    )
