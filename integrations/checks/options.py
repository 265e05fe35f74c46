"""Options of a database connection, as credentials write them: ``encrypt=true;TrustServerCertificate=yes``."""

from __future__ import annotations

import re
from typing import NamedTuple

YES, NO = (
    ("true", "yes", "1", "on", "mandatory", "strict", "required"),
    ("false", "no", "0", "off", "optional", "disabled"),
)


class Encryption(NamedTuple):
    """Whether a connection must be encrypted (None: it is not said), and whether any certificate will do."""

    required: bool | None = None
    trust_any: bool = False


class OptionError(ValueError):
    """An option has a value that is not known; the message names the option, not the value."""


def encryption_of(options: str) -> Encryption:
    """Return what options say of encryption.

    Raises
    ------
    OptionError
        They say neither yes nor no.

    Examples
    --------
    >>> encryption_of("encrypt=false"), encryption_of("Encrypt=yes; TrustServerCertificate=true")
    (Encryption(required=False, trust_any=False), Encryption(required=True, trust_any=True))
    >>> encryption_of("")
    Encryption(required=None, trust_any=False)
    """
    found: dict[str, bool] = {}
    for part in re.split(r"[;,&\s]+", options.strip()):
        name, _, value = part.partition("=")
        name, value = name.strip().lower().replace("_", ""), value.strip().lower()
        if name in ("encrypt", "trustservercertificate"):
            if value not in (*YES, *NO):
                raise OptionError(f"The option {name} must be true or false.")
            found[name] = value in YES
    return Encryption(found.get("encrypt"), found.get("trustservercertificate", False))
