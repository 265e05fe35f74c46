"""The master key: it wraps every other key and is never in the database."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eventstore.errors import MasterKeyError

NONCE = 12
"""Bytes of an AES-GCM nonce (NIST SP 800-38D, section 5.2.1.1)."""


class MasterKey:
    """Wraps and unwraps other keys by AES-256-GCM; what a key is for is bound in as associated data."""

    def __init__(self, secret: str) -> None:
        if not secret:
            raise MasterKeyError(
                "No master key: set ENCRYPTION_MASTER_KEY, the secret that opens all stored keys. Without it nothing "
                "personal or secret can be read or written."
            )
        key = key_bytes(secret)
        self._cipher = AESGCM(key)
        self._mac_key = hmac.digest(key, b"multiflexi fingerprints", "sha256")

    def mac(self, data: bytes) -> bytes:
        """Return a digest that only who has the master key can compute (HMAC-SHA256, RFC 2104)."""
        return hmac.digest(self._mac_key, data, "sha256")

    def wrap(self, key: bytes, purpose: str) -> bytes:
        """Return nonce and ciphertext of a key."""
        nonce = os.urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, key, purpose.encode())

    def unwrap(self, wrapped: bytes, purpose: str) -> bytes:
        """Return the key.

        Raises
        ------
        MasterKeyError
            It was wrapped by another master key, for another purpose, or was altered.
        """
        try:
            return self._cipher.decrypt(wrapped[:NONCE], wrapped[NONCE:], purpose.encode())
        except InvalidTag:
            raise MasterKeyError(
                f"The master key does not open the stored key of {purpose}. ENCRYPTION_MASTER_KEY is not the one this "
                "database was set up with: put the right one back; nothing was changed."
            ) from None


def key_bytes(secret: str) -> bytes:
    """Return the 32 bytes of a master key: as given if it is base64 or hex of 32 bytes, else its SHA-256."""
    for decode in (_from_base64, bytes.fromhex):
        try:
            key = decode(secret)
        except (binascii.Error, ValueError):
            continue
        if len(key) == 32:
            return key
    return hashlib.sha256(secret.encode()).digest()


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
