"""Commands of memberships: one for each user or group and company, and nobody grants more than they have."""

from __future__ import annotations

import msgspec

from commands.actor import denied
from commands.facts import Row, present
from commands.preparing import Desk, Prepared
from domain.errors import NotFoundError
from domain.membership import GrantMembership, RevokeMembership, company_role, permission_names
from domain.permissions import of_company_role


async def prepare_grant(desk: Desk, command: GrantMembership) -> Prepared:
    """Find the membership of the user or group in the company, or give it an id."""
    if command.user_group_id is not None:
        await present(desk.all_facts, "user_group", command.user_group_id, "user_group")
    else:
        await present(desk.all_facts, "user", command.user_id or 0, "user")
    if not command.founding:
        await present(desk.facts, "company", command.company_id, "company")
        _check_reach(desk, command)
    row = await _found(desk, command)
    found: int = row["id"] if row is not None else 0
    membership_id = found or (await desk.facts.allocate("membership"))[0]
    return Prepared(
        command=msgspec.structs.replace(command, membership_id=membership_id, now=desk.now),
        fresh=not found,
        again_when_taken=("membership_user_company_key", "membership_group_company_key"),
    )


async def prepare_revoke(desk: Desk, command: RevokeMembership) -> Prepared:
    """Find the membership that is named by user or group and company."""
    if command.membership_id:
        return Prepared(command=command)
    row = await _found(desk, command)
    if row is None:
        whom = f"User {command.user_id}" if command.user_group_id is None else f"Group {command.user_group_id}"
        raise NotFoundError(
            f"{whom} has no access to company {command.company_id}.",
            field="user_id",
            code="membership_not_found",
        )
    return Prepared(command=msgspec.structs.replace(command, membership_id=row["id"]))


async def _found(desk: Desk, command: GrantMembership | RevokeMembership) -> Row | None:
    if command.user_group_id is not None:
        return await desk.all_facts.row("membership_of_group", command.user_group_id, command.company_id)
    return await desk.all_facts.row("membership_of", command.user_id, command.company_id)


def _check_reach(desk: Desk, command: GrantMembership) -> None:
    """Refuse a grant of more than the actor has in the company, unless they manage members everywhere."""
    actor = desk.actor
    if actor.kind != "user" or "member.manage" in actor.permissions:
        return
    granted = of_company_role(company_role(command.role), permission_names(command.more))
    if not granted <= actor.permissions_in(command.company_id):
        raise denied(actor, "GrantMembership", "member.manage", command.company_id)
