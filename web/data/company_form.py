"""A company as a form: what stands in the fields, what is sent, and all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from domain.company import KEPT
from domain.company_commands import DEFAULT_TIME_ZONE, CreateCompany
from domain.company_sheet import tried
from domain.errors import ValidationError
from web import refusals
from web.data.companies import CompanyRow, Sealed
from web.errors import N_
from web.words import Translate

TEXTS = ("name", "code", "registration_number", "vat_number", "email", "time_zone", "zabbix_host", "logo")
NUMBERS = ("max_parallel", *KEPT)
FIELDS = (*TEXTS, *NUMBERS)
LINKS = {"customer_id": "customer", "server_id": "server"}
"""Fields that name others, for those who may manage them, with their names in a row."""

NEEDED = ("name", "code", "time_zone")
"""Fields that are never empty."""

NO_COUNT = N_("Give a whole number, or nothing.")
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_UUID = "00000000-0000-4000-8000-000000000000"

NEW = dict.fromkeys(FIELDS, "") | {"time_zone": DEFAULT_TIME_ZONE}
"""What stands in the fields of a new company."""


def typed_of(company: CompanyRow, sealed: Sealed) -> dict[str, str]:
    """Return what stands in the fields for a company."""
    shown = {name: getattr(company, name, None) for name in FIELDS} | {"email": sealed.email}
    shown |= {name: getattr(company, column) for name, column in LINKS.items()}
    return {name: "" if value is None else str(value) for name, value in shown.items()}


def wish_of(
    form: Mapping[str, str], before: Mapping[str, str], translate: Translate
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields of a command that a form asks for, and all that is wrong with it, by field.

    Parameters
    ----------
    form : Mapping[str, str]
        What was sent.
    before : Mapping[str, str]
        What stood in the fields; those that are left alone are left out.
    """
    errors: dict[str, str] = {}
    wish: dict[str, Any] = {}
    for name in (*FIELDS, *(name for name in LINKS if name in form)):
        text = form.get(name, "").strip()
        if text == before.get(name, ""):
            continue
        if name in LINKS:
            wish[name] = int(text) if _COUNT.fullmatch(text) else None
        elif name in NUMBERS and text and not _COUNT.fullmatch(text):
            errors[name] = translate(NO_COUNT)
        elif name in NUMBERS:
            wish[name] = int(text) if text else None
        else:
            wish[name] = text if name in NEEDED else text or None
    given: dict[str, Any] = {name: value for name, value in wish.items() if value is not None}
    # An empty code is made from the name; of a company that is there it is refused.
    given.setdefault("name", before.get("name", ""))
    _, refused = tried(CreateCompany(**given, company_id=1, uuid=_UUID))
    for field, message in refused:
        errors.setdefault(field or "", refusals.told(ValidationError(message), translate))
    return wish, errors
