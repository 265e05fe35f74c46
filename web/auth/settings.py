"""How signing in is set up, from the environment: the variables that users know, and what holds without them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from eventstore.errors import SettingsError


class SignInSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How signing in is set up.

    Attributes
    ----------
    most_failures, window, lockout : int
        After so many failures in so many seconds, account and address are locked for so many seconds
        (``BRUTE_FORCE_MAX_ATTEMPTS``, ``BRUTE_FORCE_TIME_WINDOW``, ``BRUTE_FORCE_LOCKOUT_DURATION``).
    by_address : bool
        Whether addresses are locked, too (``BRUTE_FORCE_IP_LIMITING``).
    idle, longest, rotation : int
        Seconds after which a session ends that nobody uses (``SESSION_TIMEOUT``), that any ends (``SESSION_LIFETIME``),
        and after which its id is changed (``SESSION_REGENERATION_INTERVAL``).
    address : str
        Address at which browsers find the installation, e.g. ``https://multiflexi.example.com``
        (``MULTIFLEXI_URL``); empty: as each request says.
    """

    most_failures: int = 5
    window: int = 900
    lockout: int = 900
    by_address: bool = True
    idle: int = 3600
    longest: int = 12 * 3600
    rotation: int = 300
    address: str = ""


NUMBERS = {
    "most_failures": "BRUTE_FORCE_MAX_ATTEMPTS",
    "window": "BRUTE_FORCE_TIME_WINDOW",
    "lockout": "BRUTE_FORCE_LOCKOUT_DURATION",
    "idle": "SESSION_TIMEOUT",
    "longest": "SESSION_LIFETIME",
    "rotation": "SESSION_REGENERATION_INTERVAL",
}


def sign_in_settings(environment: Mapping[str, str]) -> SignInSettings:
    """Read how signing in is set up.

    Raises
    ------
    SettingsError
        A variable is no whole number above zero.
    """
    numbers: dict[str, int] = {}
    for field, name in NUMBERS.items():
        text = environment.get(name, "").strip()
        if not text:
            continue
        if not (text.isascii() and text.isdigit() and 0 < int(text[:10]) < 10**8):
            raise SettingsError(f"{name} is {text!r}; expected a whole number above zero.")
        numbers[field] = int(text)
    by_address = environment.get("BRUTE_FORCE_IP_LIMITING", "true").strip().lower() not in ("false", "0", "no")
    return SignInSettings(by_address=by_address, address=environment.get("MULTIFLEXI_URL", "").rstrip("/"), **numbers)
