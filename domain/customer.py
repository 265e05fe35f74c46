"""A customer, to whom companies belong: whom to turn to about them.

Examples
--------
>>> [created] = decide(None, CreateCustomer(name="Jane Doe", email="jane@example.org", customer_id=3,
...     uuid="775ed801-2489-4981-bc14-d8a01cba1938"))
>>> decide(evolve(None, created), ChangeCustomer(customer_id=3, name="Jane Doe"))
[]
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from domain import checks
from domain.command import Command, changes, given, set_fields, where_set
from domain.customer_events import CustomerChanged, CustomerCreated, CustomerEvent, CustomerRemoved
from domain.errors import NotFoundError, StateError
from domain.event import UNSET, Personal, Unset

_FIELDS = ("name", "email", "phone", "note")


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer as their events left them."""

    customer_id: int
    uuid: str
    name: Personal
    email: Personal | None = None
    phone: Personal | None = None
    note: Personal | None = None
    removed: bool = False


class CustomerCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a customer."""

    category: ClassVar[str] = "customer"

    customer_id: int


class CreateCustomer(CustomerCommand, frozen=True, kw_only=True):
    """Take a customer in. The executor gives ``customer_id`` and ``uuid``."""

    creates: ClassVar[bool] = True

    name: str
    email: str | None = None
    phone: str | None = None
    note: str | None = None
    customer_id: int = 0
    uuid: str = ""


class ChangeCustomer(CustomerCommand, frozen=True, kw_only=True):
    """Change some fields of a customer; None empties one, unset leaves it as it is."""

    name: str | Unset = UNSET
    email: str | Unset | None = UNSET
    phone: str | Unset | None = UNSET
    note: str | Unset | None = UNSET


class RemoveCustomer(CustomerCommand, frozen=True, kw_only=True):
    """Let a customer go; it is refused while companies belong to them."""


def decide(state: Customer | None, command: CustomerCommand) -> list[CustomerEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused.
    """
    if isinstance(command, CreateCustomer):
        return [_created(state, command)]
    if state is None or state.removed:
        raise NotFoundError(
            f"There is no customer {command.customer_id}. `customer:list` shows those there are.",
            field="customer_id",
            code="customer_not_found",
        )
    match command:
        case ChangeCustomer():
            wanted = {
                "name": where_set(command.name, lambda name: checks.line(name, "name")),
                "email": where_set(command.email, checks.email),
                "phone": where_set(command.phone, _phone),
                "note": where_set(command.note, _note),
            }
            changed = changes(state, wanted)
            return [CustomerChanged(customer_id=state.customer_id, **changed)] if changed else []
        case RemoveCustomer():
            return [CustomerRemoved(customer_id=state.customer_id)]
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a customer.")


def evolve(state: Customer | None, event: CustomerEvent) -> Customer:
    """Return the customer as an event leaves them."""
    match event:
        case CustomerCreated():
            return Customer(customer_id=event.customer_id, uuid=event.uuid, **set_fields(event, _FIELDS))
        case CustomerChanged() if state is not None:
            return msgspec.structs.replace(state, **set_fields(event, _FIELDS))
        case CustomerRemoved() if state is not None:
            return msgspec.structs.replace(state, removed=True)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _created(state: Customer | None, command: CreateCustomer) -> CustomerCreated:
    if state is not None:
        raise StateError(f"Customer {command.customer_id} exists already.", code="customer_exists")
    return CustomerCreated(
        customer_id=given(command.customer_id, "customer_id"),
        uuid=checks.uuid_text(given(command.uuid, "uuid")),
        name=checks.line(command.name, "name"),
        email=checks.email(command.email),
        phone=_phone(command.phone),
        note=_note(command.note),
    )


def _phone(phone: str | None) -> str | None:
    return checks.optional_line(phone, "phone", longest=64)


def _note(note: str | None) -> str | None:
    return checks.text(note.strip(), "note", longest=checks.LONGEST_REASON) or None if note else None
