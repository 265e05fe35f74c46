"""Secrets of companies: sealed under the company's key of credentials before they come into an event, and opened again.

The stream and the field that a secret belongs to are bound in: a ciphertext that is copied to another place, or to
another company, does not open there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag

from domain.sealed import Sealed
from eventstore.codec import pack, unpack
from eventstore.errors import SecretError
from eventstore.keyring import Keyring
from eventstore.master_key import NONCE

PREFIX = "credentials:"


def vault_owner(company_id: int) -> str:
    """Return the owner of the key that a company's credentials are encrypted under.

    Examples
    --------
    >>> vault_owner(7)
    'credentials:7'
    """
    return f"{PREFIX}{company_id}"


async def seal_all(
    keyring: Keyring, company_id: int, stream: str, values: Mapping[str, str | None]
) -> dict[str, Sealed | None]:
    """Return values of a stream sealed, by field; None stays None."""
    if not values:
        return {}
    owner = vault_owner(company_id)
    key = keyring.ready(owner) or await keyring.ensure(owner, company_id)
    sealed: dict[str, Sealed | None] = {}
    for field, clear in values.items():
        if clear is None:
            sealed[field] = None
            continue
        nonce = os.urandom(NONCE)
        ciphertext = nonce + key.cipher.encrypt(nonce, clear.encode(), f"{stream}|{field}".encode())
        sealed[field] = Sealed(pack(ciphertext), key.id, owner)
    return sealed


async def open_all(keyring: Keyring, places: Sequence[tuple[str, Sealed]]) -> list[str]:
    """Return the clear texts of secrets, each given with its place: stream, ``|``, field.

    Raises
    ------
    SecretError
        One cannot be opened; the message names its place and tells nothing of any value.
    MasterKeyError
        Their key is wrapped by a master key that this process does not have.
    """
    if not places:
        return []
    await keyring.load(sealed.key for _, sealed in places)
    return [_opened(keyring, place, sealed) for place, sealed in places]


def _opened(keyring: Keyring, place: str, sealed: Sealed) -> str:
    key = keyring.known(sealed.key)
    stream, _, field = place.partition("|")
    if key is None:
        raise SecretError(
            f"The value {field} of {stream} cannot be opened: the key {sealed.key} of {sealed.sub} was destroyed. Give "
            "the field a new value."
        )
    try:
        ciphertext = unpack(sealed.enc)
        return key.cipher.decrypt(ciphertext[:NONCE], ciphertext[NONCE:], place.encode()).decode()
    except (InvalidTag, ValueError):
        raise SecretError(
            f"The value {field} of {stream} does not open with the key of {sealed.sub}: it was altered or moved. Run "
            "`multiflexi-cli audit:verify`, and give the field a new value."
        ) from None
