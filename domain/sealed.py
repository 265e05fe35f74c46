"""Secrets as events and read models hold them: ciphertext, and what is needed to find its key; how they are changed."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.command import moment


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


def merged(values: dict[str, Sealed], given: dict[str, Sealed | None]) -> dict[str, Sealed]:
    """Return values with others in their place; those given as None are taken away."""
    return {name: value for name, value in (values | given).items() if value is not None}


def reencrypted(values: dict[str, Sealed], old: dict[str, Sealed], new: dict[str, Sealed]) -> dict[str, Sealed]:
    """Return values with those that are still the old ones replaced by the new ones."""
    return {name: new[name] if name in new and old.get(name) == value else value for name, value in values.items()}


def changed_values(
    values: dict[str, Sealed], given: dict[str, Sealed | None], now: datetime | None
) -> dict[str, dict[str, Sealed] | datetime | list[str]]:
    """Return what an event says of values that a command gives: all of them, since when, and which are new.

    Nothing is said if it gives none.
    """
    if not given:
        return {}
    return {"values": merged(values, given), "valued_at": moment(now), "changed": sorted(given)}
