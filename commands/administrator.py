"""The first administrator of an installation: made once, with a password that is told once."""

from __future__ import annotations

import msgspec

from commands import passwords
from commands.actor import SYSTEM
from commands.errors import KeyReusedError
from commands.preparing import Executes
from domain.permissions import SUPER_ADMIN
from domain.user_commands import CreateUser

LOGIN = "admin"
KEY = "first administrator"


class Administrator(msgspec.Struct, frozen=True):
    """The first administrator: login, and the password, which is kept nowhere."""

    user_id: int
    login: str
    password: str


async def ensure_administrator(shell: Executes) -> Administrator | None:
    """Make an administrator if there never was any user; None if there is or was one."""
    if await shell.facts.row("any_user") is not None:
        return None
    password = passwords.generated()
    wish = CreateUser(login=LOGIN, password=await passwords.hashed(password), roles=(SUPER_ADMIN,))
    try:
        outcome = await shell.execute(wish, SYSTEM, key=KEY, source="setup")
    except KeyReusedError:
        # Another process made one at the same moment, with another password.
        return None
    return None if outcome.replayed else Administrator(outcome.id, LOGIN, password)
