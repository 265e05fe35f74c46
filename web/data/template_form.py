"""A run template as a form: what stands in the fields, what is sent, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from domain.errors import DomainError
from domain.event import UNSET
from domain.run_template_fields import CHECKS, LIMITS
from web import refusals, times
from web.errors import N_
from web.words import Translate

TEXTS = ("name", "cron", "time_zone", "deadline_offset", "run_as")
CHOICES = ("interval", "missed_policy", "overlap_policy", "when_lost", "executor", "retry_backoff")
NUMBERS = ("delay", "jitter", "missed_limit", "priority", "max_attempts", "retry_min_gap")
MOMENTS = ("start_at", "end_at")
SIZES = frozenset({"memory", "file_size", "output"})
"""Limits in bytes; they are also given as ``512M``."""

UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_WHOLE = re.compile(r"[+-]?\d{1,15}")
_SIZE = re.compile(r"(\d{1,15})\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)

NO_NUMBER = N_("Give a whole number.")
NO_SIZE = N_("Give a number of bytes, such as 1048576 or 512M.")
NO_MOMENT = N_("Give a day and a time.")


def typed_of(record: asyncpg.Record, clock: times.Clock, note: str) -> dict[str, str]:
    """Return what stands in the fields for a run template as the query ``run_template.find`` gives it.

    Parameters
    ----------
    clock : Clock
        In the zone of the template: its moments are shown and given in that.
    note : str
        Its note in clear.
    """
    typed = {name: str(record["interv" if name == "interval" else name] or "") for name in (*TEXTS, *CHOICES)}
    typed |= {name: str(record[name] if record[name] is not None else "") for name in (*NUMBERS, "max_parallel")}
    typed |= {name: clock.field(record[name]) for name in MOMENTS}
    typed["allow_late"] = "yes" if record["allow_late"] else ""
    typed["labels"] = ", ".join(msgspec.json.decode(record["labels"] or "[]"))
    limits: dict[str, int] = msgspec.json.decode(record["limits"] or "{}")
    typed |= {f"limit.{name}": _amount(name, limits[name]) if name in limits else "" for name in LIMITS}
    typed["note"] = note
    return typed


def wish_of(
    form: Mapping[str, str], before: Mapping[str, str], clock: times.Clock, translate: Translate
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields of a command that a form asks for, and what is wrong with it, by field.

    Parameters
    ----------
    form : Mapping[str, str]
        What was sent.
    before : Mapping[str, str]
        What stood in the fields; those that are left alone are left out.
    clock : Clock
        In the zone of the template.
    """
    wish: dict[str, Any] = {}
    errors: dict[str, str] = {}
    touched = {name: form.get(name, "").strip() for name in before if form.get(name, "").strip() != before[name]}
    for name, text in touched.items():
        if not name.startswith("limit."):
            wish[name] = _value(name, text, clock, errors, translate)
    if any(name.startswith("limit.") for name in touched):
        wish["limits"] = _limits(form, errors, translate)
    for name, value in wish.items():
        if name in CHECKS and name not in errors and value is not UNSET:
            try:
                CHECKS[name](value)
            except DomainError as error:
                errors[name] = refusals.told(error, translate)
    return {name: value for name, value in wish.items() if value is not UNSET}, errors


def _value(name: str, text: str, clock: times.Clock, errors: dict[str, str], translate: Translate) -> Any:
    if name in NUMBERS or name == "max_parallel":
        if name == "max_parallel" and not text:
            return None
        if not _WHOLE.fullmatch(text):
            errors[name] = translate(NO_NUMBER)
            return UNSET
        return int(text)
    if name in MOMENTS:
        if not text:
            return None
        try:
            return datetime.fromisoformat(text).replace(tzinfo=clock.zone)
        except ValueError:
            errors[name] = translate(NO_MOMENT)
            return UNSET
    if name == "allow_late":
        return bool(text)
    if name == "labels":
        return [label for label in re.split(r"[,\s]+", text) if label]
    return text if name in ("name", *CHOICES) else text or None


def _limits(form: Mapping[str, str], errors: dict[str, str], translate: Translate) -> dict[str, int]:
    limits: dict[str, int] = {}
    for name in LIMITS:
        text = form.get(f"limit.{name}", "").strip()
        if not text:
            continue
        match = _SIZE.fullmatch(text) if name in SIZES else _WHOLE.fullmatch(text)
        if match is None:
            errors[f"limit.{name}"] = translate(NO_SIZE if name in SIZES else NO_NUMBER)
            continue
        limits[name] = int(match[1]) * UNITS[match[2].lower()] if name in SIZES else int(text)
        try:
            CHECKS["limits"]({name: limits[name]})
        except DomainError as error:
            errors[f"limit.{name}"] = refusals.told(error, translate)
    return limits


def _amount(name: str, value: int) -> str:
    """Return a limit as it is typed.

    Examples
    --------
    >>> _amount("memory", 512 * 2**20), _amount("memory", 1000), _amount("processes", 1024)
    ('512M', '1000', '1024')
    """
    if name in SIZES:
        for unit in ("t", "g", "m", "k"):
            if value and value % UNITS[unit] == 0:
                return f"{value // UNITS[unit]}{unit.upper()}"
    return str(value)
