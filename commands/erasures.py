"""Commands of the erasure of users: who may ask for it and decide on it, what goes with a user, and doing it.

::

    asked = await shell.execute(RequestErasure(user_id=5, deletion_type="hard"), actor)
    await shell.execute(ApproveErasure(erasure_id=asked.id), somebody_else)
    done = await process(shell, asked.id, somebody_else)

Doing it has three steps, each of which can be repeated: what the user is in is given up and they can act no more, then
their key and what signing in keeps of them are destroyed, then that is put down. One that was interrupted goes on
where it stood.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from commands.actor import Actor, denied
from commands.facts import Facts, Row, sql
from commands.preparing import Desk, Executes, Outcome, Prepared, filled, fresh_id
from commands.users import check_reach, somebody_stays
from domain.access_request import WithdrawRequest
from domain.api_token import RevokeToken
from domain.command import Command
from domain.erasure import (
    ANONYMIZE,
    APPROVED,
    CLOSED,
    HARD,
    KEPT,
    ApproveErasure,
    CompleteErasure,
    ForgetErasure,
    RejectErasure,
    RequestErasure,
    StartErasure,
)
from domain.erasure_events import ErasedThing
from domain.errors import NotFoundError
from domain.event import Personal
from domain.membership import RevokeMembership
from domain.user_commands import (
    ChangeUser,
    DisableTotp,
    RemovePasskey,
    RemoveUser,
    RevokeRole,
    SetPassword,
    UnlinkIdentity,
)
from domain.user_events import UserChanged, UserCreated
from domain.user_group import RemoveGroupMember
from eventstore.blind_index import BlindIndex
from eventstore.store import EventStore


class Erases(Executes, Protocol):
    """The shell, as far as an erasure needs it."""

    store: EventStore


class Done(msgspec.Struct, frozen=True):
    """What an erasure did: how many sessions ended, and what the request was about."""

    erasure_id: int
    user_id: int
    sessions: int


def key_of(erasure_id: int) -> str:
    """Return the owner of the key of the reasons and notes of a request."""
    return f"erasure:{erasure_id}"


async def prepare_request(desk: Desk, command: RequestErasure) -> Prepared:
    """Give a request its id and who asks; also of a user who was removed, whose data is there still."""
    user_id = command.user_id or desk.actor.user_id or 0
    row = await _user(desk.all_facts, user_id)
    if user_id != desk.actor.user_id:
        check_reach(desk.actor, command, row["roles"])
    number = await fresh_id(desk, command)
    wish = filled(command, erasure_id=number, user_id=user_id)
    return Prepared(command=msgspec.structs.replace(wish, requested_by=desk.actor.user_id), fresh=True)


async def prepare_review(desk: Desk, command: ApproveErasure | RejectErasure) -> Prepared:
    """See that nobody approves their own erasure, one that they asked for, or that of a mightier user."""
    request = await _request(desk.all_facts, command.erasure_id)
    row = await _user(desk.all_facts, request["user_id"])
    actor = desk.actor
    if isinstance(command, ApproveErasure):
        if actor.user_id is not None and actor.user_id in (request["user_id"], request["requested_by"]):
            raise denied(actor, type(command).__name__, "users.manage", None)
        if not row["removed"]:
            await somebody_stays(desk, row, "erased")
    check_reach(actor, command, row["roles"])
    return Prepared(command=msgspec.structs.replace(command, reviewed_by=actor.user_id))


async def prepare_start(desk: Desk, command: StartErasure) -> Prepared:
    """Let what ties a user to others go, as the kind of erasure says, and whatever signs them in."""
    request = await _request(desk.all_facts, command.erasure_id)
    row = await _user(desk.all_facts, request["user_id"])
    check_reach(desk.actor, command, row["roles"])
    if request["status"] != APPROVED:
        return Prepared(command=command)
    consequences = await _consequences(desk, row, request["deletion_type"])
    done = [thing for one in consequences if (thing := _thing(one)) is not None]
    if request["deletion_type"] == HARD and not row["removed"]:
        memberships = await desk.all_facts.ids("memberships", row["id"])
        done += [ErasedThing("membership", number, "revoked") for number in memberships]
    done.append(ErasedThing("data_keys", row["id"], "destroyed"))
    wish = msgspec.structs.replace(command, done=tuple(done))
    return Prepared(command=wish, consequences=tuple(consequences))


async def prepare_complete(desk: Desk, command: CompleteErasure) -> Prepared:
    """Give the end of an erasure its moment."""
    return Prepared(command=msgspec.structs.replace(command, now=desk.now))


async def prepare_forget(desk: Desk, command: ForgetErasure) -> Prepared:
    """Let the key of a request go that was closed long ago."""
    request = await _request(desk.all_facts, command.erasure_id)
    wish = msgspec.structs.replace(command, closed_at=request["closed_at"] or desk.now, now=desk.now)
    return Prepared(command=wish, destroyed=(key_of(command.erasure_id),))


async def process(shell: Erases, erasure_id: int, actor: Actor, *, source: str = "cli") -> Done:
    """Do an erasure that was approved, or go on with one that was interrupted.

    Raises
    ------
    DomainError
        It is not approved, or the actor may not do it.
    """
    await shell.execute(StartErasure(erasure_id=erasure_id), actor, source=source)
    request = await _request(shell.facts, erasure_id)
    sessions = await _destroy(shell, request["user_id"])
    await shell.execute(CompleteErasure(erasure_id=erasure_id, sessions=sessions), actor, source=source)
    return Done(erasure_id, request["user_id"], sessions)


async def forget_old(shell: Erases, actor: Actor, *, source: str = "cli") -> list[int]:
    """Destroy the keys of reasons and notes of requests that were closed seven years ago; return their ids."""
    numbers = await shell.facts.ids("old_erasures", datetime.now(UTC) - KEPT, list(CLOSED))
    for number in numbers:
        outcome: Outcome = await shell.execute(ForgetErasure(erasure_id=number), actor, source=source)
        if not outcome.events:  # it was put down, and then interrupted
            await shell.store.keyring.destroy(key_of(number))
    return numbers


async def _destroy(shell: Erases, user_id: int) -> int:
    """Destroy what signing in keeps of a user, then their key; return how many sessions ended."""
    index, accounts = BlindIndex(shell.store.keyring), {f"again {user_id}", f"code {user_id}"}
    async for recorded in shell.store.read_stream(f"user-{user_id}"):
        if isinstance(recorded.event, (UserCreated, UserChanged)):
            accounts |= {f"login {one}"[:206] for one in _texts(recorded.event.login)}
            accounts |= {f"reset {one}"[:306] for one in _texts(recorded.event.email)}
    attempts = [await index.of("attempt by account", account) for account in sorted(accounts)]
    sessions: int = await shell.store.pool.fetchval(sql("forget_sign_in"), user_id, attempts)
    await shell.store.keyring.destroy(f"user:{user_id}")
    return sessions


def _texts(value: Personal | msgspec.UnsetType | None) -> list[str]:
    return [value] if isinstance(value, str) else []


async def _consequences(desk: Desk, row: Row, kind: str) -> list[Command]:
    facts, number = desk.all_facts, row["id"]
    found: list[Command] = [RevokeToken(api_token_id=one) for one in await facts.ids("tokens_of_user", number)]
    if row["removed"]:
        return found
    if kind == HARD:
        return [*found, RemoveUser(user_id=number)]
    found += [SetPassword(user_id=number, password=None), DisableTotp(user_id=number)]
    passkeys: list[Any] = await facts.ids("passkeys_of_user", number)
    identities: list[Any] = await facts.ids("identities_of_user", number)
    found += [RemovePasskey(user_id=number, credential_id=one) for one in passkeys]
    found += [UnlinkIdentity(user_id=number, subject_key=one) for one in identities]
    if kind == ANONYMIZE:
        found += [RevokeRole(user_id=number, role=role) for role in row["roles"]]
        found += [RevokeMembership(membership_id=one) for one in await facts.ids("memberships", number)]
        found += [
            RemoveGroupMember(user_group_id=one, user_id=number) for one in await facts.ids("groups_of_user", number)
        ]
    found += [WithdrawRequest(access_request_id=one) for one in await facts.ids("open_requests", number)]
    nobody: dict[str, Any] = {"email": None, "first_name": None, "last_name": None, "language": None}
    return [*found, ChangeUser(user_id=number, login=f"erased-{number}", enabled=False, **nobody)]


def _thing(command: Command) -> ErasedThing | None:
    """Return how a consequence is told in the audit of an erasure."""
    told = _TOLD.get(type(command))
    return None if told is None else ErasedThing(told[0], getattr(command, told[1], 0), told[2])


_TOLD: dict[type[Command], tuple[str, str, str]] = {
    RevokeToken: ("api_token", "api_token_id", "revoked"),
    RevokeMembership: ("membership", "membership_id", "revoked"),
    RemoveGroupMember: ("user_group_member", "user_group_id", "removed"),
    WithdrawRequest: ("access_request", "access_request_id", "withdrawn"),
    RemovePasskey: ("user_passkey", "", "removed"),
    UnlinkIdentity: ("user_identity", "", "removed"),
    RemoveUser: ("user_account", "user_id", "removed"),
    ChangeUser: ("user_account", "user_id", "anonymized"),
}
"""Of consequences, the table that they change, their field with the id in it, and what was done."""


async def _request(facts: Facts, erasure_id: int) -> Row:
    row = await facts.row("erasure", erasure_id)
    if row is None:
        raise NotFoundError(
            f"There is no request {erasure_id}. `user-erasure:list` shows those there are.",
            field="erasure_id",
            code="erasure_not_found",
        )
    return row


async def _user(facts: Facts, user_id: int) -> Row:
    row = await facts.row("user", user_id)
    if row is None:
        raise NotFoundError(
            f"There is no user {user_id}. `user:list` shows those there are.", field="user_id", code="user_not_found"
        )
    return row
