"""Keyed hashes by which encrypted values are found and kept unique: a blind index.

The key is a data key like any other, wrapped by the master key. Who has a copy of the database alone can neither read a
login nor try out logins against the hashes.
"""

from __future__ import annotations

import hmac
import unicodedata

from eventstore.keyring import Keyring

OWNER = "index:users"
"""Owner of the key; it belongs to the installation."""


class BlindIndex:
    """Makes keyed hashes.

    Parameters
    ----------
    keyring : Keyring
        Where the key is kept; it is made when it is first needed.
    """

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self._key: bytes | None = None

    async def of(self, purpose: str, text: str) -> str:
        """Return the keyed hash of a text, the same for any case and any composition of its letters.

        Parameters
        ----------
        purpose : str
            What the text is, e.g. ``login``: hashes for different purposes tell nothing of each other.
        text : str
            What is to be found again.
        """
        if self._key is None:
            self._key = await self.keyring.secret(OWNER)
        return digest(self._key, purpose, text)


def digest(key: bytes, purpose: str, text: str) -> str:
    """Return the keyed hash (HMAC-SHA-256, RFC 2104) of a text.

    Examples
    --------
    >>> digest(b"k", "login", "Jane ") == digest(b"k", "login", "JANE") != digest(b"k", "email", "jane")
    True
    """
    folded = unicodedata.normalize("NFKC", text.strip()).casefold()
    return hmac.digest(key, f"{purpose}\0{folded}".encode(), "sha256").hex()
