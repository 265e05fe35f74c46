"""Keep secret values out of captured output, also when one spans two pieces."""

from __future__ import annotations

import re
from collections.abc import Sequence

MASK = b"******"
SHORTEST = 3
"""Bytes below which a value is too short to be masked: it would blot out ordinary text."""


class Masker:
    """Replaces secret values in a stream of bytes.

    The end of a piece is held back while it may be the beginning of a secret.

    Examples
    --------
    >>> masker = Masker([b"hunter2"])
    >>> masker.feed(b"password: hun") + masker.feed(b"ter2!") + masker.close()
    b'password: ******!'
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        kept = sorted({secret for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True)
        self._secrets = kept
        self._pattern = re.compile(b"|".join(re.escape(secret) for secret in kept)) if kept else None
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be told of the bytes so far."""
        if self._pattern is None:
            return data
        text = self._pattern.sub(MASK, self._held + data)
        hold = self._beginning(text)
        self._held = text[len(text) - hold :]
        return text[: len(text) - hold]

    def close(self) -> bytes:
        """Return what was held back."""
        held, self._held = self._held, b""
        return held

    def _beginning(self, text: bytes) -> int:
        """Return how many bytes at the end may begin a secret."""
        longest = 0
        for secret in self._secrets:
            for size in range(min(len(secret) - 1, len(text)), longest, -1):
                if text.endswith(secret[:size]):
                    longest = size
                    break
        return longest
