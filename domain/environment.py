"""Variables that a company, a run template or a job gives to processes: how they are changed, and how events hold them.

They often are secret, and nobody can tell for sure which: so events hold all of them as one text, which is encrypted
under the company's key before it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from domain import checks
from domain.errors import ValidationError
from domain.event import UNSET, Personal, Unset

KEY = "environment:{company_id}"
"""Whose key environments are encrypted under: one of a company that is apart from that of its personal data."""


def environment_in(stored: Personal | None) -> dict[str, str]:
    """Return the variables in their stored form; none if their key was destroyed.

    Examples
    --------
    >>> environment_in('{"SHOP":"https://shop.example"}'), environment_in(None)
    ({'SHOP': 'https://shop.example'}, {})
    """
    return msgspec.json.decode(stored, type=dict[str, str]) if isinstance(stored, str) and stored else {}


def stored_environment(environment: Mapping[str, str]) -> str | None:
    """Return variables as an event holds them.

    Examples
    --------
    >>> stored_environment({"SHOP": "https://shop.example"}), stored_environment({})
    ('{"SHOP":"https://shop.example"}', None)
    """
    return msgspec.json.encode(environment, order="sorted").decode() if environment else None


def changed_environment(
    before: Mapping[str, str], whole: dict[str, str] | Unset, single: Mapping[str, str | None]
) -> dict[str, str] | Unset:
    """Return the variables that a command leads to, unset if it is not about them.

    Parameters
    ----------
    before : Mapping[str, str]
        Those there are.
    whole : dict[str, str] or Unset
        What takes the place of all of them.
    single : Mapping[str, str or None]
        Those that are changed; None takes one away.

    Raises
    ------
    ValidationError
        Both are given, or a process cannot be given them.
    """
    if isinstance(whole, Unset):
        if not single:
            return UNSET
        merged: dict[str, str | None] = {**before, **single}
        return checks.environment({name: value for name, value in merged.items() if value is not None})
    if single:
        raise ValidationError(
            "The environment is given as a whole and by single variables. Give one of the two.", field="environment"
        )
    return checks.environment(whole)
