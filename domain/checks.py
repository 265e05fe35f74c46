"""Checks of the values in commands: each returns the value in its stored form or raises a ValidationError.

Limits follow what stores and uses the values: PostgreSQL keeps neither NUL nor lone surrogates in text, and Linux hands
a process no environment entry over 128 KiB (``MAX_ARG_STRLEN``, execve(2)).
"""

from __future__ import annotations

import difflib
import re
import uuid
from collections.abc import Iterable, Mapping
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from domain.errors import ValidationError
from domain.event import UNSET, Unset

LONGEST_NAME = 255
LONGEST_TEXT = 65_536
LONGEST_REASON = 2_000
LONGEST_ENVIRONMENT_VALUE = 131_072 - 256
MOST_ENVIRONMENT_KEYS = 2_000
LARGEST_ENVIRONMENT = 1_048_576

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ENVIRONMENT_KEY = re.compile(r"[^=\s\x00-\x1f\x7f\ud800-\udfff]{1,255}")
_EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;.]+|[^@\s<>,;]+@localhost")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")
_NOT_A_PLACE = frozenset({"localtime", "posixrules", "Factory"})


def line(value: str, field: str, *, longest: int = LONGEST_NAME, required: bool = True) -> str:
    """Return a text of one line without space around it.

    Examples
    --------
    >>> line("  Acme Corp ", "name")
    'Acme Corp'
    >>> line("   ", "name")
    Traceback (most recent call last):
    domain.errors.ValidationError: The name is missing. Give it.
    """
    cleaned = value.strip()
    label = field.replace("_", " ")
    if not cleaned and required:
        raise ValidationError(f"The {label} is missing. Give it.", field=field, code=f"{field}_missing")
    if _CONTROL.search(cleaned):
        raise ValidationError(f"The {label} holds a control character. Use one line of text.", field=field)
    return text(cleaned, field, longest=longest)


def optional_line(value: str | None, field: str, *, longest: int = LONGEST_NAME) -> str | None:
    """Return a text of one line, None if there is nothing in it."""
    return None if value is None else line(value, field, longest=longest, required=False) or None


def text(value: str, field: str, *, longest: int = LONGEST_TEXT) -> str:
    """Return a text as it is, of any number of lines, when it can be stored."""
    label = field.replace("_", " ")
    if len(value) > longest:
        raise ValidationError(
            f"The {label} has {len(value)} characters; at most {longest} are possible. Shorten it.",
            field=field,
            code="too_long",
        )
    if _UNSTORABLE.search(value):
        raise ValidationError(f"The {label} holds a character that cannot be stored (NUL or half a pair).", field=field)
    return value


def reason_of(stopped: bool | Unset, given: str | Unset | None, field: str) -> str | Unset | None:
    """Return the reason for which something is stopped: None once it goes on, unset if nothing is said.

    Examples
    --------
    >>> reason_of(True, " Stocktaking ", "pause_reason"), reason_of(False, "Stocktaking", "pause_reason")
    ('Stocktaking', None)
    """
    if stopped is False:
        return None
    if isinstance(given, Unset):
        return UNSET
    return text((given or "").strip(), field, longest=LONGEST_REASON) or None


def whole(value: int, field: str, *, lowest: int, highest: int) -> int:
    """Return a whole number within its bounds."""
    if not lowest <= value <= highest:
        raise ValidationError(
            f"The {field.replace('_', ' ')} is {value}; it must lie between {lowest} and {highest}.",
            field=field,
            code="out_of_range",
        )
    return value


def most_at_once(value: int | None, field: str = "max_parallel") -> int | None:
    """Return how many jobs may run at once, None for any number."""
    return None if value is None else whole(value, field, lowest=1, highest=1_000_000)


def one_of(value: str, field: str, options: Iterable[str]) -> str:
    """Return the option that is meant, in its own spelling; case does not matter.

    Examples
    --------
    >>> one_of("native", "executor", ["Native", "Docker"])
    'Native'
    """
    known = {option.lower(): option for option in options}
    found = known.get(value.strip().lower())
    if found is None:
        raise ValidationError(
            f"The {field.replace('_', ' ')} “{value}” does not exist. Choose one of {', '.join(known.values())}.",
            field=field,
            code=f"{field}_unknown",
        )
    return found


def uuid_text(value: str, field: str = "uuid") -> str:
    """Return a UUID in its usual form of 36 characters (RFC 9562)."""
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ValidationError(
            f"“{value}” is no UUID. Expected 36 characters such as 775ed801-2489-4981-bc14-d8a01cba1938.", field=field
        ) from None


def email(value: str | None, field: str = "email") -> str | None:
    """Return a mail address, None if there is none. Only its form is checked."""
    cleaned = optional_line(value, field, longest=254)
    if cleaned is not None and not _EMAIL.fullmatch(cleaned):
        raise ValidationError("This is no e-mail address. Expected name@domain.", field=field, code="email_invalid")
    return cleaned


def environment(values: Mapping[str, str], field: str = "environment") -> dict[str, str]:
    """Return environment variables whose keys and values a process can be given. Values are not told in errors.

    Applications in use have names such as ``BANKA+``, so a name may be all that a process can be given.
    """
    if len(values) > MOST_ENVIRONMENT_KEYS:
        raise ValidationError(
            f"There are {len(values)} environment variables; at most {MOST_ENVIRONMENT_KEYS} are possible.",
            field=field,
            code="too_many",
        )
    size = 0
    for key, value in values.items():
        if not is_variable(key):
            raise ValidationError(
                f"“{key[:80]}” is no name of an environment variable. Use letters, digits and _, no space and no =.",
                field=field,
                code="environment_key_invalid",
            )
        if _UNSTORABLE.search(value) or len(value.encode()) > LONGEST_ENVIRONMENT_VALUE:
            raise ValidationError(
                f"The value of {key} cannot be given to a process: it holds a NUL or half a pair, or is over "
                f"{LONGEST_ENVIRONMENT_VALUE} bytes.",
                field=field,
                code="environment_value_invalid",
            )
        size += len(key) + len(value.encode()) + 2
    if size > LARGEST_ENVIRONMENT:
        raise ValidationError(
            f"The environment has {size} bytes in all; at most {LARGEST_ENVIRONMENT} can be given to a process.",
            field=field,
            code="too_large",
        )
    return dict(values)


def is_variable(name: str) -> bool:
    """Tell whether an environment variable can have this name.

    Examples
    --------
    >>> is_variable("BANKA+"), is_variable("A=B"), is_variable("")
    (True, False, False)
    """
    return _ENVIRONMENT_KEY.fullmatch(name) is not None


def time_zone(name: str, field: str = "time_zone") -> str:
    """Return the name of a time zone of the IANA database.

    Examples
    --------
    >>> time_zone("Europe/Prague")
    'Europe/Prague'
    >>> time_zone("Europe/Praha")
    Traceback (most recent call last):
    domain.errors.ValidationError: The time zone “Europe/Praha” does not exist. Did you mean Europe/Prague?
    """
    cleaned = name.strip()
    if not _ZONE.fullmatch(cleaned) or cleaned in _NOT_A_PLACE or zone_or_none(cleaned) is None:
        close = difflib.get_close_matches(cleaned, available_timezones(), n=1, cutoff=0.7)
        hint = f"Did you mean {close[0]}?" if close else "Give an IANA name such as Europe/Prague or UTC."
        raise ValidationError(
            f"The time zone “{cleaned[:80]}” does not exist. {hint}", field=field, code="time_zone_unknown"
        )
    return cleaned


@lru_cache(maxsize=1024)
def zone_or_none(name: str) -> ZoneInfo | None:
    """Return a time zone, None if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
