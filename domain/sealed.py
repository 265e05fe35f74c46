"""A secret as events and read models hold it: ciphertext, and what is needed to find its key."""

from __future__ import annotations

import msgspec


class Sealed(msgspec.Struct, frozen=True):
    """A value that was encrypted before it came into an event.

    Attributes
    ----------
    enc : str
        Nonce and ciphertext (AES-256-GCM) in base64.
    key : int
        Id of the data key.
    sub : str
        Owner of the key, e.g. ``credentials:7``.
    """

    enc: str
    key: int
    sub: str
