"""Passwords: which are good enough, and their Argon2id hashes (RFC 9106).

Hashing takes tens of milliseconds of a processor on purpose; the coroutines leave the event loop free meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import unicodedata
from collections.abc import Iterable
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from zxcvbn import zxcvbn  # pyright: ignore[reportMissingTypeStubs]

from domain.errors import ValidationError

HASHER = PasswordHasher()
"""Parameters of today: the second recommendation of RFC 9106, section 4 (64 MiB, 3 passes, 4 lanes)."""

SHORTEST = 12
LONGEST = 1024
WEAKEST = 3
"""Least score of zxcvbn, from 0 to 4: safe against somebody who stole the hashes and has hours."""

RATED = 72
"""Characters that the strength is estimated by: estimating more would take long, and they are strong by then."""

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"


def shortest() -> int:
    """Return how long a password must be: ``PASSWORD_MIN_LENGTH``, 12 unless set, never less than 8."""
    text = os.environ.get("PASSWORD_MIN_LENGTH", "")
    return max(8, int(text[:4])) if text.isascii() and text.isdigit() else SHORTEST


def check(password: str, about: Iterable[str | None] = ()) -> str:
    """Return a password that is good enough, in the form that is hashed (RFC 8265, OpaqueString).

    Parameters
    ----------
    password : str
        What the user chose.
    about : Iterable[str or None]
        What anybody knows of the user, such as the login: it makes a password no stronger.

    Raises
    ------
    ValidationError
        It is too short, too long or too easily guessed; the message says why.
    """
    normal = normalised(password)
    least = shortest()
    if len(normal) < least:
        raise ValidationError(
            f"The password has {len(normal)} characters; at least {least} are needed. A few words are easy to keep.",
            field="password",
            code="password_too_short",
        )
    if len(normal) > LONGEST:
        raise ValidationError(
            f"The password has more than {LONGEST} characters.", field="password", code="password_too_long"
        )
    found = zxcvbn(normal[:RATED], user_inputs=[word for word in about if word], max_length=RATED)
    if found["score"] < WEAKEST:
        warning = str(found["feedback"]["warning"]).rstrip(".")
        raise ValidationError(
            f"The password is easily guessed{f': {warning}' if warning else ''}. Add words that have nothing to do "
            "with each other.",
            field="password",
            code="password_weak",
        )
    return normal


def normalised(password: str) -> str:
    """Return a password in the form that is hashed, the same from whatever keyboard it comes."""
    return unicodedata.normalize("NFC", password)


async def hashed(password: str) -> str:
    """Return the Argon2id hash of a password, with its salt and parameters (PHC string format)."""
    return await asyncio.to_thread(HASHER.hash, normalised(password).encode("utf-8", "surrogatepass"))


async def matches(encoded: str | None, password: str) -> bool:
    """Tell whether a password is the one of a hash; without a hash it takes as long to tell that it is not."""
    return await asyncio.to_thread(_matches, encoded, normalised(password)[:LONGEST])


def outdated(encoded: str) -> bool:
    """Tell whether a hash was made by other parameters than those of today."""
    return HASHER.check_needs_rehash(encoded)


def generated(length: int = 20) -> str:
    """Return a random password of letters and digits that are not mistaken for each other."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _matches(encoded: str | None, password: str) -> bool:
    try:
        found = HASHER.verify(encoded or _nobodys(), password.encode("utf-8", "surrogatepass"))
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False
    return found and encoded is not None


@cache
def _nobodys() -> str:
    """Return the hash of a password that nobody knows, to be compared with where there is no user."""
    return HASHER.hash(secrets.token_bytes(32))
