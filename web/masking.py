"""Values that look secret are not shown, whatever stored them.

Output and command lines are masked before they are stored; environments are stored encrypted. What of one is
secret is known for sure only from definitions and credentials, so this errs on the side of hiding.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

MASK = "••••••••"
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?|pwd|secret|token|api_?key|private|credential|auth|cert|(^|_)(pin|key|pw|salt|jwt)(_|$)|heslo",
    re.IGNORECASE,
)
_HARMLESS_NAME = re.compile(r"_(PATHS?|FILES?|DAYS|PERCENT|TIMEOUT|LENGTH|ENDPOINTS?|WARNING|CRITICAL)$", re.IGNORECASE)
_USERINFO = re.compile(r"([a-z][a-z0-9+.-]*://[^/\s:@]*):[^/\s@]+@", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|^(gh[pousr]_|glpat-|xox[bpars]-|sk-|AKIA)|^eyJ[\w-]+\.[\w-]+\.|^Bearer ",
    re.MULTILINE,
)


def masked(environment: Mapping[str, str], secret: Collection[str] = ()) -> dict[str, str]:
    """Return an environment as it may be shown.

    Parameters
    ----------
    environment : Mapping[str, str]
        Variables.
    secret : Collection[str]
        Names known to be secret, as from the application's definition.

    Examples
    --------
    >>> masked({"DB_PASSWORD": "x", "URL": "https://joe:x@host/", "LANG": "cs"})
    {'DB_PASSWORD': '••••••••', 'LANG': 'cs', 'URL': 'https://joe:••••••••@host/'}
    """
    return {name: _masked(name, str(value), name in secret) for name, value in sorted(environment.items())}


def _masked(name: str, value: str, secret: bool) -> str:
    if not value:
        return value
    named = _SECRET_NAME.search(name) and not _HARMLESS_NAME.search(name)
    if secret or named or _SECRET_VALUE.search(value):
        return MASK
    return _USERINFO.sub(rf"\1:{MASK}@", value)
