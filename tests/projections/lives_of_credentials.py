"""What credential prototypes, types of companies, credentials and their assignments may live through."""

from __future__ import annotations

from typing import Any

from domain.credential_events import (
    CredentialChanged,
    CredentialChecked,
    CredentialCreated,
    CredentialReencrypted,
    CredentialRemoved,
    CredentialRevealed,
)
from domain.credential_prototype_events import (
    CredentialPrototypeImported,
    CredentialPrototypeRemoved,
    CredentialPrototypeUpdated,
)
from domain.credential_type_events import CredentialTypeChanged, CredentialTypeCreated, CredentialTypeReencrypted
from domain.event import Event
from domain.run_template_events import CredentialAssigned, CredentialUnassigned
from domain.sealed import Sealed
from tests.projections.history import History, moment, pick

CODES = ("Bank", "Mail", "Shop")


def sealed(number: int) -> dict[str, Sealed]:
    return {"TOKEN": Sealed(f"e{number}", number, "credentials:1"), "changed": Sealed("e", 1, "credentials:1")}


def import_prototype(now: History, a: int, b: int) -> None:
    if CODES[a % 3] in now.prototypes.values():
        return
    number = 1000 - now.next_id()  # a later one may have a smaller id
    now.prototypes[number] = CODES[a % 3]
    imported = CredentialPrototypeImported(
        credential_prototype_id=number,
        uuid=f"uuid-{number}",
        code=CODES[a % 3],
        name=f"Prototype {b}",
        version="1.0",
        definition={"version": "1.0", "fields": [{"keyword": "TOKEN"}], "dropped": "x"},
        digest="d",
    )
    now.happen(now.one("credential_prototype", number, None, imported))


def update_prototype(now: History, a: int, b: int) -> None:
    number = pick(now.prototypes, a)
    fields: dict[str, Any] = {"definition": {"version": f"2.{b}"}, "digest": f"e{b}", "dropped": ["TOKEN"][: b % 2]}
    if b % 3 == 0 and CODES[b % 3] not in now.prototypes.values():
        now.prototypes[number] = fields["code"] = CODES[b % 3]
    updated = CredentialPrototypeUpdated(credential_prototype_id=number, **fields)
    now.happen(now.one("credential_prototype", number, None, updated))


def remove_prototype(now: History, a: int, _: int) -> None:
    number = pick(now.prototypes, a)
    del now.prototypes[number]
    removed = CredentialPrototypeRemoved(credential_prototype_id=number)
    now.happen(now.one("credential_prototype", number, None, removed))


def create_type(now: History, a: int, b: int) -> None:
    company, number = pick(now.companies, a), now.next_id()
    now.types[number] = company
    created = CredentialTypeCreated(
        credential_type_id=number,
        company_id=company,
        uuid=f"uuid-{number}",
        name=f"Type {number}",
        credential_prototype_id=pick(now.prototypes, b),
        values=sealed(number) if b % 2 else {},
    )
    now.happen(now.one("credential_type", number, company, created))


def change_type(now: History, a: int, b: int) -> None:
    number = pick(now.types, a)
    company = now.types[number]
    about: dict[str, Any] = {"credential_type_id": number, "company_id": company}
    event: Event = CredentialTypeReencrypted(**about, values=sealed(b))
    if b % 2:
        event = CredentialTypeChanged(**about, values=sealed(b), valued_at=moment(b), changed=["TOKEN"])
    now.happen(now.one("credential_type", number, company, event))


def create_credential(now: History, a: int, b: int) -> None:
    type_id, number = pick(now.types, a), now.next_id()
    company = now.types[type_id]
    now.credentials[number] = company
    created = CredentialCreated(
        credential_id=number,
        company_id=company,
        uuid=f"uuid-{number}",
        name=f"Credential {number}",
        credential_type_id=type_id,
        values=sealed(b),
        rotate_every=b or None,
    )
    now.happen(now.one("credential", number, company, created))


def change_credential(now: History, a: int, b: int) -> None:
    number = pick(now.credentials, a)
    company = now.credentials[number]
    about: dict[str, Any] = {"credential_id": number, "company_id": company}
    checked = {"outcome": "available", "kind": "tcp", "message": "", "duration": 0.5, "checked_at": moment(b)}
    events: tuple[Event, ...] = (
        CredentialChanged(**about, values=sealed(b), valued_at=moment(b), changed=["TOKEN"]),
        CredentialReencrypted(**about, values=sealed(b + 1)),
        CredentialChecked(**about, **checked),
        CredentialRevealed(**about, fields=["TOKEN"], revealed_to="user:1", revealed_at=moment(b)),
        CredentialChanged(**about, write_only=True, expires_at=moment(b)),
    )
    now.happen(now.one("credential", number, company, events[b % 5]))


def remove_credential(now: History, a: int, _: int) -> None:
    number = pick(now.credentials, a)
    company = now.credentials.pop(number)
    removed = CredentialRemoved(credential_id=number, company_id=company)
    now.happen(now.one("credential", number, company, removed))


def assign_or_unassign(now: History, a: int, b: int) -> None:
    """Assign a credential, or take it away: both may come again and again."""
    number, template = pick(now.credentials, a), pick(now.templates, b)
    company = now.templates[template][0]
    about: dict[str, Any] = {"run_template_id": template, "company_id": company, "credential_id": number}
    event: Event = CredentialAssigned(**about, removed=["name"]) if (a + b) % 3 else CredentialUnassigned(**about)
    now.happen(now.one("run_template", template, company, event))
