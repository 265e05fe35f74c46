"""What the form of a run template, and the one that runs it once, show besides the fields themselves."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from commands.actor import Actor
from commands.assignments import around
from commands.facts import SqlFacts
from domain.definition import fields
from eventstore.blind_index import BlindIndex
from eventstore.keyring import Keyring
from projections.queries import query as shared
from web import times
from web.data import environments, template_form
from web.data.applications import document_of
from web.database import Connection
from web.errors import N_, NotFoundError
from web.queries import query
from web.site import Site
from web.view import View


class Edited(msgspec.Struct, frozen=True, kw_only=True):
    """A run template as its forms need it: the record, the definition of its application, its values, its jobs.

    ``company_environment`` has of the company's variables those that are settings of the application.
    """

    record: asyncpg.Record
    document: dict[str, Any]
    environment: dict[str, str]
    company_environment: dict[str, str]
    company_zone: str
    waiting: int
    running: list[int]

    @property
    def id(self) -> int:
        """Its id."""
        return self.record["id"]

    @property
    def name(self) -> str:
        """Its name."""
        return self.record["name"]

    @property
    def zone(self) -> str:
        """Time zone of its schedule."""
        return self.record["zone"] or "UTC"

    @property
    def one_at_a_time(self) -> bool:
        """Whether a job of it waits until the one before has ended."""
        return self.record["overlap_policy"] != "allow"


async def load(connection: Connection, keyring: Keyring, template_id: int) -> Edited:
    """Read a run template for its forms.

    Raises
    ------
    NotFoundError
        There is none of that id, or it is not for this user to see.
    """
    record = await connection.fetchrow(shared("run_template.find"), template_id, None)
    if record is None:
        raise NotFoundError(N_("There is no run template {id}."), id=template_id)
    application = await connection.fetchrow(shared("application.find"), record["app_id"], None, None)
    company = await connection.fetchrow(shared("company.find"), record["company_id"], None, None, None)
    busy = await connection.fetch(query("queue.of_template"), template_id)
    document: dict[str, Any] = document_of(application) if application and application["definition"] else {}
    sealed = await connection.fetchrow(shared("company.sealed"), record["company_id"])
    shared_values = await environments.opened(
        keyring, sealed["environment"] if sealed else None, f"company-{record['company_id']}"
    )
    return Edited(
        record=record,
        document=document,
        company_environment={name: value for name, value in shared_values.items() if name in fields(document)},
        environment=await environments.opened(keyring, record["environment"], f"run_template-{template_id}"),
        company_zone=(company["time_zone"] if company else None) or "UTC",
        waiting=sum(1 for each in busy if each["state"] == "queued"),
        running=[each["job_id"] for each in busy if each["state"] == "running"],
    )


async def typed_of(site: Site, edited: Edited, clock: times.Clock) -> dict[str, str]:
    """Return what stands in the fields; the note, which is personal, is decrypted."""
    envelope: dict[str, Any] | None = msgspec.json.decode(edited.record["note"] or "null")
    place = f"run_template-{edited.id}|note"
    revealed = await site.database.store.keyring.reveal([(envelope, place)])
    note = revealed[0] if isinstance(revealed[0], str) else ""
    return template_form.typed_of(edited.record, clock, note)


async def given_by(site: Site, actor: Actor, edited: Edited) -> dict[str, str]:
    """Return the variables that the credentials of a template give, each with the name of the credential.

    None of them for those who may not see credentials of the company.
    """
    if not actor.may("credential.view", edited.record["company_id"]):
        return {}
    store = site.database.store
    assigned, _ = await around(SqlFacts(store.pool, BlindIndex(store.keyring)), edited.id)
    return {name: one.name for one in assigned for name in one.provided}


def clock_of(view: View, edited: Edited) -> times.Clock:
    """Return the clock in whose zone moments are shown and given."""
    return view.clock(edited.zone)
