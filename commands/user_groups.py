"""Commands of groups of users: a group that goes takes along what its members could do by it."""

from __future__ import annotations

import msgspec

from commands.facts import present
from commands.preparing import Desk, Prepared, filled, fresh_id
from domain.membership import RevokeMembership
from domain.user_group import AddGroupMember, CreateGroup, RemoveGroup


async def prepare_create(desk: Desk, command: CreateGroup) -> Prepared:
    """Give a group its id."""
    return Prepared(command=filled(command, user_group_id=await fresh_id(desk, command)), fresh=True)


async def prepare_remove(desk: Desk, command: RemoveGroup) -> Prepared:
    """Let the memberships of a group go with it."""
    await present(desk.all_facts, "user_group", command.user_group_id, "user_group")
    memberships = await desk.all_facts.ids("memberships_of_group", command.user_group_id)
    return Prepared(command=command, consequences=tuple(RevokeMembership(membership_id=one) for one in memberships))


async def prepare_add(desk: Desk, command: AddGroupMember) -> Prepared:
    """See that the user is there, and give the change its moment."""
    await present(desk.all_facts, "user", command.user_id, "user")
    return Prepared(command=msgspec.structs.replace(command, now=desk.now))
