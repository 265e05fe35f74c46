"""Commands of users: logins and addresses are unique, nobody grants more than they have, somebody stays in charge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from commands.actor import Actor, denied
from commands.facts import Facts, present
from commands.preparing import Desk, Prepared, filled, fresh_id
from domain import checks
from domain.access_request import WithdrawRequest
from domain.api_token import CreateToken
from domain.command import Command
from domain.errors import StateError
from domain.event import UNSET
from domain.membership import RevokeMembership
from domain.permissions import SUPER_ADMIN, of_system_roles
from domain.user import login_text
from domain.user_commands import (
    ChangeProfile,
    ChangeUser,
    CreateUser,
    GrantRole,
    LinkIdentity,
    RemoveUser,
    RevokeRole,
    UserCommand,
)
from domain.user_group import RemoveGroupMember


async def prepare_create(desk: Desk, command: CreateUser) -> Prepared:
    """Give a user id, UUID, keyed hashes and the moment."""
    check_reach(desk.actor, command, command.roles)
    email = checks.email(command.email)
    return Prepared(
        command=msgspec.structs.replace(
            filled(command, user_id=await fresh_id(desk, command), uuid=desk.new_uuid()),
            login_key=await desk.facts.keyed("login", login_text(command.login)),
            email_key=None if email is None else await desk.facts.keyed("email", email),
            now=desk.now,
        ),
        fresh=True,
    )


async def prepare_change(desk: Desk, command: ChangeUser | ChangeProfile) -> Prepared:
    """Give a changed login or address its keyed hash."""
    row = await manageable(desk, command)
    fields: dict[str, Any] = {}
    if isinstance(command, ChangeUser):
        if command.login is not UNSET:
            fields["login_key"] = await desk.facts.keyed("login", login_text(command.login))
        if command.enabled is False:
            await somebody_stays(desk, row, "disabled")
    if command.email is not UNSET:
        email = checks.email(command.email)
        fields["email_key"] = None if email is None else await desk.facts.keyed("email", email)
    return Prepared(command=msgspec.structs.replace(command, **fields))


async def prepare_remove(desk: Desk, command: RemoveUser) -> Prepared:
    """Let the memberships of a user go with them, and what they asked for."""
    await somebody_stays(desk, await manageable(desk, command), "removed")
    memberships = await desk.all_facts.ids("memberships", command.user_id)
    groups = await desk.all_facts.ids("groups_of_user", command.user_id)
    requests = await desk.all_facts.ids("open_requests", command.user_id)
    return Prepared(
        command=command,
        consequences=(
            *(RevokeMembership(membership_id=one) for one in memberships),
            *(RemoveGroupMember(user_group_id=one, user_id=command.user_id) for one in groups),
            *(WithdrawRequest(access_request_id=one) for one in requests),
        ),
    )


async def prepare_role(desk: Desk, command: GrantRole | RevokeRole) -> Prepared:
    """See that nobody grants or revokes a role that is mightier than theirs, and that somebody stays in charge."""
    row = await manageable(desk, command)
    check_reach(desk.actor, command, [command.role])
    if command.role.strip().lower() == SUPER_ADMIN and (isinstance(command, RevokeRole) or command.until is not None):
        await somebody_stays(desk, row, "without that role")
    if isinstance(command, GrantRole):
        command = msgspec.structs.replace(command, now=desk.now)
    return Prepared(command=command)


async def prepare_own(desk: Desk, command: UserCommand) -> Prepared:
    """Give a change of a user's own account its moment; for another's account, see that it is not a mightier one."""
    await manageable(desk, command)
    return Prepared(command=msgspec.structs.replace(command, now=desk.now) if hasattr(command, "now") else command)


async def prepare_link(desk: Desk, command: LinkIdentity) -> Prepared:
    """Give the link to an account elsewhere its keyed hash and its moment."""
    await manageable(desk, command)
    key = await identity_key(desk.facts, command.issuer, command.subject)
    return Prepared(command=msgspec.structs.replace(command, subject_key=key, now=desk.now))


async def identity_key(facts: Facts, issuer: str, subject: str) -> str:
    """Return the keyed hash of an account at an OpenID provider; ``sub`` is told apart by case (OpenID Connect, 2)."""
    return await facts.keyed("identity", f"{issuer}\0{subject.encode().hex()}")


async def manageable(desk: Desk, command: UserCommand | CreateToken) -> Any:
    """Return the row of a user whom the actor may manage.

    Raises
    ------
    DeniedError
        The user may do more than the actor: changing their password would be a way to act as them.
    """
    row = await present(desk.all_facts, "user", command.user_id, "user")
    if desk.actor.user_id != command.user_id:
        check_reach(desk.actor, command, row["roles"])
    return row


def check_reach(actor: Actor, command: Command, roles: Iterable[str]) -> None:
    """Refuse what concerns system roles that are mightier than those of the actor.

    Raises
    ------
    DeniedError
        They are.
    """
    names = [role.strip().lower() for role in roles]
    if actor.kind == "user" and not of_system_roles(names) <= actor.permissions:
        raise denied(actor, type(command).__name__, "users.manage", None)


async def somebody_stays(desk: Desk, row: Any, what: str) -> None:
    """Refuse what would leave nobody in charge of the installation.

    Raises
    ------
    StateError
        The user is the only one who may do everything.
    """
    if SUPER_ADMIN in row["roles"] and await desk.all_facts.row("some_super_admin", row["id"]) is None:
        raise StateError(
            f"User {row['id']} is the only one with the role {SUPER_ADMIN} and cannot be {what}. Grant it to somebody "
            "else first.",
            field="user_id",
            code="last_super_admin",
        )
