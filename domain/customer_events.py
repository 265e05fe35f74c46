"""Events of a customer, to whom companies belong: stream ``customer-ID``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from domain.event import UNSET, Event, Personal, Unset

KEY = "customer:{customer_id}"
SEALED = {"name": KEY, "email": KEY, "phone": KEY, "note": KEY}
"""Fields that are stored encrypted, and whose key they have: a customer may be a person."""


class CustomerEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a customer."""

    category: ClassVar[str] = "customer"

    customer_id: int


class CustomerCreated(CustomerEvent, frozen=True, kw_only=True):
    """Somebody became a customer."""

    personal: ClassVar[Mapping[str, str]] = SEALED

    uuid: str
    name: Personal
    email: Personal | None = None
    phone: Personal | None = None
    note: Personal | None = None


class CustomerChanged(CustomerEvent, frozen=True, kw_only=True):
    """Some fields of a customer were changed; those that are unset stay as they were."""

    personal: ClassVar[Mapping[str, str]] = SEALED

    name: Personal | Unset = UNSET
    email: Personal | Unset | None = UNSET
    phone: Personal | Unset | None = UNSET
    note: Personal | Unset | None = UNSET


class CustomerRemoved(CustomerEvent, frozen=True, kw_only=True):
    """A customer left."""
