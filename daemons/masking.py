"""Keep secret values out of captured output, also when one spans two pieces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

MASK = b"******"
SHORTEST = 3
"""Bytes below which a value is too short to be masked: it would blot out ordinary text."""


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

    def __init__(self, secrets: Sequence[bytes]) -> None:
        kept = {secret for secret in secrets if len(secret) >= SHORTEST}
        self._secrets = sorted(kept, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(re.escape(secret) for secret in self._secrets)) if kept else None
        self._first = {secret[:1] for secret in kept}
        self._longest = max(map(len, kept), default=1) - 1
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
