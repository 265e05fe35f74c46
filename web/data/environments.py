"""Environments of run templates and jobs, which read models hold encrypted, in clear."""

from __future__ import annotations

import msgspec

from domain.environment import environment_in
from eventstore.keyring import Keyring


async def opened(keyring: Keyring, sealed: str | None, stream: str) -> dict[str, str]:
    """Return an environment in clear, none if its key was destroyed.

    Parameters
    ----------
    keyring : Keyring
        Where the key is.
    sealed : str or None
        What the read model has in its place: JSON.
    stream : str
        Stream of the event that it came from, e.g. ``job-7``.
    """
    (clear,) = await keyring.reveal([(msgspec.json.decode(sealed or "null"), f"{stream}|environment")])
    return environment_in(clear)
