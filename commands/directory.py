"""Commands of customers and servers: what companies refer to stays while they do."""

from __future__ import annotations

from commands.preparing import Desk, Prepared, filled, fresh_id
from domain.customer import CreateCustomer, RemoveCustomer
from domain.errors import StateError
from domain.server import CreateServer, RemoveServer


async def prepare_create(desk: Desk, command: CreateCustomer | CreateServer) -> Prepared:
    """Give a customer or a server its id and UUID."""
    numbered = {f"{command.category}_id": await fresh_id(desk, command)}
    return Prepared(command=filled(command, uuid=desk.new_uuid(), **numbered), fresh=True)


async def prepare_remove(desk: Desk, command: RemoveCustomer | RemoveServer) -> Prepared:
    """Refuse to remove what companies refer to."""
    companies = await desk.all_facts.ids(f"companies_of_{command.category}", command.entity_id)
    if companies:
        listed = ", ".join(map(str, companies[:10])) + (" and more" if len(companies) > 10 else "")
        raise StateError(
            f"{len(companies)} companies refer to {command.category} {command.entity_id}: {listed}. Change them first.",
            field=f"{command.category}_id",
            code=f"{command.category}_in_use",
        )
    return Prepared(command=command)
