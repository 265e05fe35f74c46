"""Commands of API tokens, and what a token lets through."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

import msgspec

from commands.accounts import Scope, actor_of
from commands.actor import Actor, denied
from commands.facts import Facts
from commands.preparing import Desk, Prepared, filled, fresh_id
from commands.users import manageable
from domain.api_token import ChangeToken, CreateToken
from domain.errors import ValidationError

PREFIX = "mfx_"
"""What tokens begin with, so that scanners for leaked secrets know them."""

SHORTEST = 32
"""Least characters of a token that somebody else made up."""


def new_token() -> str:
    """Return a fresh token of 256 random bits, to be shown once."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """Return the digest by which a token is known. It needs no slow hash: nobody guesses 256 bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def checked(token: str) -> str:
    """Return a token that its user made up.

    Raises
    ------
    ValidationError
        It can be guessed.
    """
    if len(token) < SHORTEST or len(set(token)) < 10 or not token.isascii() or not token.isprintable():
        raise ValidationError(
            f"A token has at least {SHORTEST} characters of ASCII, made by chance. `token:generate` makes one.",
            field="token",
            code="token_weak",
        )
    return token


async def prepare_create(desk: Desk, command: CreateToken) -> Prepared:
    """Give a token its id and its moment; its user must be there, and be no mightier than who makes it.

    Raises
    ------
    DeniedError
        A token makes a token: it could let through more than itself.
    """
    if desk.actor.token_id is not None:
        raise denied(desk.actor, "CreateToken", "token.own", None)
    await manageable(desk, command)
    return Prepared(
        command=msgspec.structs.replace(filled(command, api_token_id=await fresh_id(desk, command)), now=desk.now),
        fresh=True,
    )


async def prepare_change(desk: Desk, command: ChangeToken) -> Prepared:
    """Give a change of a token its moment."""
    return Prepared(command=msgspec.structs.replace(command, now=desk.now))


async def bearer(facts: Facts, token: str, now: datetime) -> Actor | None:
    """Return the user who acts by a token, narrowed down to what it lets through; None if it is not good.

    Asked anew for each use, so that a token that is revoked is of no use from the same moment on.
    """
    row = await facts.row("api_token_of_digest", digest_of(token), now)
    if row is None:
        return None
    permissions, companies = row["permissions"], row["companies"]
    scope = Scope(
        row["id"],
        None if permissions is None else frozenset(permissions),
        None if companies is None else frozenset(companies),
    )
    return await actor_of(facts, row["user_id"], now, scope)
