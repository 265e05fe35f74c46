"""The second factor: one-time codes of a device (TOTP, RFC 6238), and recovery codes for when it is lost.

Examples
--------
>>> secret = new_secret()
>>> step_of(secret, code_at(secret, 1_000_000_000.0), 1_000_000_000.0, last_step=0)
33333333
>>> step_of(secret, code_at(secret, 1_000_000_000.0), 1_000_000_000.0, last_step=33333333) is None    # used before
True
"""

from __future__ import annotations

import hashlib
import hmac
import io
import re
import secrets

import pyotp
import segno
from pyotp.totp import TOTP

PERIOD = 30
"""Seconds that a code is shown."""

DRIFT = 1
"""Periods by which the clock of the device may be off, each way."""

RECOVERY_CODES = 10
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Characters of recovery codes: none that is taken for another."""

GROUPS, GROUP = 3, 5
"""A recovery code has three groups of five characters: 74 bits."""


def new_secret() -> str:
    """Return a fresh secret of 160 bits, base32."""
    return pyotp.random_base32()


def code_at(secret: str, moment: float) -> str:
    """Return the code that a device shows at a moment (seconds since 1970)."""
    return TOTP(secret, interval=PERIOD).at(int(moment))


def step_of(secret: str, code: str, moment: float, last_step: int) -> int | None:
    """Return the time step that a code is of, None if it is wrong, too old or not newer than the last one taken.

    Parameters
    ----------
    secret : str
        Base32.
    code : str
        As typed; spaces do not matter.
    moment : float
        Now, in seconds since 1970.
    last_step : int
        Step of the last code that was taken: a code is good once (RFC 6238, 5.2).
    """
    typed = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6}", typed):
        return None
    now = int(moment // PERIOD)
    found = None
    # All are computed, so that the time it takes does not tell which one it was.
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step * PERIOD), typed) and step > last_step:
            found = step
    return found


def address_of(secret: str, login: str, issuer: str = "MultiFlexi") -> str:
    """Return the ``otpauth:`` address by which an authenticator takes the secret."""
    return TOTP(secret, interval=PERIOD).provisioning_uri(name=login, issuer_name=issuer)


def picture_of(address: str) -> str:
    """Return a QR code of an address as SVG, black on white: on a dark page, too, cameras want it so."""
    drawn = io.BytesIO()
    segno.make(address, error="m").save(
        drawn,
        kind="svg",
        xmldecl=False,
        svgns=False,
        border=4,
        dark="#000",
        light="#fff",
        svgclass="qr",
        lineclass=None,
        # The page gives the size: without it the drawing grows with its box instead of standing small in a corner.
        omitsize=True,
    )
    return drawn.getvalue().decode()


def new_recovery_codes() -> list[str]:
    """Return fresh recovery codes, to be shown once."""
    return [
        "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))
        for _ in range(RECOVERY_CODES)
    ]


def digest_of(code: str) -> str:
    """Return the SHA-256 (hex) by which a recovery code is known, however it was typed.

    Examples
    --------
    >>> digest_of("abcde-fghjk-mnpqr") == digest_of(" ABCDE FGHJK  mnpqr")
    True
    """
    return hashlib.sha256(re.sub(r"[\s-]", "", code).lower().encode()).hexdigest()
