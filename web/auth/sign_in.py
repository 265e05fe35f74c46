"""Signing in: by password, with a second factor where the user has one, by passkey, or by an account elsewhere.

What is wrong is not told: an unknown login, a wrong password and a disabled user are answered alike, in the same time.

::

    step = await sign_in.password(login, password, visitor)     # SignedInBy, or SecondStep
    done = await sign_in.code(step.token, "123 456", visitor)
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from commands import passwords
from commands.actor import SYSTEM, Actor
from commands.facts import SqlFacts
from commands.shell import Shell
from domain.aggregates import USER
from domain.errors import DomainError
from domain.sign_in_events import SignInFailed
from domain.user import User
from domain.user_commands import SetPassword, UseRecoveryCode
from eventstore.blind_index import BlindIndex
from eventstore.log import Append, Meta
from eventstore.store import EventStore
from web.auth import one_time_codes
from web.auth.attempts import Attempts, LockedError
from web.auth.one_time import OneTimeSecrets
from web.auth.sessions import Sessions
from web.auth.settings import SignInSettings
from web.errors import N_, WebError
from web.queries import query

SECOND_STEP = "second step"
SECOND_STEP_LASTS = 300.0
"""Seconds between password and one-time code."""


class WrongError(WebError):
    """Signing in failed; it is not told why."""

    status = 401


class Visitor(msgspec.Struct, frozen=True):
    """Who signs in: the address and the browser that a request comes from."""

    address: str | None = None
    agent: str | None = None


class SignedInBy(msgspec.Struct, frozen=True):
    """It is done: the id of the new session, for the cookie, and its user."""

    token: str
    user_id: int


class SecondStep(msgspec.Struct, frozen=True):
    """The password was right; a one-time code or a recovery code is still to come, with this token."""

    token: str


class SignIn:
    """Signs users in.

    Parameters
    ----------
    store : EventStore
        Acts for the whole installation.
    settings : SignInSettings
        How it is set up.
    clock : Callable
        Gives the moment.
    """

    def __init__(
        self, store: EventStore, settings: SignInSettings, clock: Callable[[], datetime] | None = None
    ) -> None:
        self.clock = clock or (lambda: datetime.now(UTC))
        self.store = store
        self.settings = settings
        self.shell = Shell(store, clock=self.clock)
        index = BlindIndex(store.keyring)
        self.facts = SqlFacts(store.pool, index)
        self.sessions = Sessions(store, settings, self.clock)
        self.secrets = OneTimeSecrets(store, self.clock)
        self.attempts = Attempts(store, settings, index)

    async def password(self, login: str, password: str, visitor: Visitor) -> SignedInBy | SecondStep:
        """Sign in by login and password.

        Raises
        ------
        LockedError
            It was tried too often.
        WrongError
            Login or password is wrong, or the user may not sign in.
        """
        row = await self.facts.row("user_of_login", await self.facts.keyed("login", login[:200]))
        user_id: int = 0 if row is None else row["id"]
        keys = await self.begin(f"login {login[:200]}", user_id, visitor)
        user = await self.user(user_id)
        encoded = user.password if user is not None and isinstance(user.password, str) else None
        right = await passwords.matches(encoded, password)
        if not right or user is None or encoded is None or not user.enabled:
            await self._failed(user_id, "password", visitor)
            raise WrongError(N_("Login or password is wrong."))
        await self.attempts.succeeded(keys)
        if passwords.outdated(encoded):
            again = SetPassword(user_id=user.user_id, password=await passwords.hashed(password), cause="upgraded")
            await self.shell.execute(again, SYSTEM, source="web")
        if user.totp is not None:
            began = {"password_at": user.password_set_at}
            return SecondStep(await self.secrets.keep(SECOND_STEP, user.user_id, SECOND_STEP_LASTS, **began))
        return await self._open(user.user_id, "password", visitor, user.password_set_at)

    async def code(self, token: str, code: str, visitor: Visitor) -> SignedInBy:
        """Finish signing in by a one-time code, or by a recovery code in its place.

        Raises
        ------
        LockedError
            It was tried too often.
        WrongError
            The code is wrong or was used, or too long ago the password was given.
        """
        kept = await self.secrets.look(SECOND_STEP, token)
        user = None if kept is None or kept.user_id is None else await self.user(kept.user_id)
        began = None if kept is None else msgspec.convert(kept.data.get("password_at"), datetime | None)
        if user is None or not user.enabled or not isinstance(user.totp, str) or user.password_set_at != began:
            raise WrongError(N_("Too much time has passed. Sign in again."))
        keys = await self.begin(f"code {user.user_id}", user.user_id, visitor)
        method = await self._check_code(user, code)
        if method is None:
            await self._failed(user.user_id, "code", visitor)
            raise WrongError(N_("The code is wrong, or it was used already. Wait for the next one."))
        if await self.secrets.take(SECOND_STEP, token) is None:
            raise WrongError(N_("Too much time has passed. Sign in again."))
        await self.attempts.succeeded(keys)
        return await self._open(user.user_id, f"password+{method}", visitor, began)

    async def check_password(self, user_id: int, password: str, visitor: Visitor) -> bool:
        """Tell whether a user who is signed in knows their password, before something that needs it.

        Raises
        ------
        LockedError
            It was tried too often.
        """
        keys = await self.begin(f"again {user_id}", user_id, visitor)
        user = await self.user(user_id)
        encoded = user.password if user is not None and isinstance(user.password, str) else None
        if not await passwords.matches(encoded, password):
            await self._failed(user_id, "password", visitor)
            return False
        await self.attempts.succeeded(keys)
        return True

    async def use_totp(self, user: User, code: str) -> bool:
        """Tell whether a one-time code of a user is right, and use it up: it is good once."""
        if not isinstance(user.totp, str):
            return False
        return await self.use_code(user.user_id, user.totp, code)

    async def use_code(self, user_id: int, secret: str, code: str) -> bool:
        """Tell whether a one-time code is of a secret, and use it up; also for one that is being enabled."""
        last = await self.store.pool.fetchval(query("sign_in.last_step"), user_id)
        step = one_time_codes.step_of(secret, code, self.clock().timestamp(), last or 0)
        if step is None:
            return False
        return await self.store.pool.fetchval(query("sign_in.use_step"), user_id, step) is not None

    async def user(self, user_id: int) -> User | None:
        """Return a user as they are now, None if there is none."""
        state: User | None = None
        async for recorded in self.store.read_stream(USER.stream(user_id)):
            state = USER.evolve(state, recorded.event)
        return None if state is None or state.removed else state

    async def open(self, user_id: int, method: str, visitor: Visitor) -> SignedInBy:
        """Open a session for a user who has proved who they are by other means, such as a passkey."""
        return await self._open(user_id, method, visitor)

    async def failed(self, user_id: int, reason: str, visitor: Visitor) -> None:
        """Put down that somebody tried to sign in as a user and failed."""
        await self._failed(user_id, reason, visitor)

    async def _check_code(self, user: User, code: str) -> str | None:
        if await self.use_totp(user, code):
            return "code"
        digest = one_time_codes.digest_of(code)
        if digest not in user.recovery:
            return None
        try:
            wish = UseRecoveryCode(user_id=user.user_id, digest=digest)
            await self.shell.execute(wish, Actor("user", str(user.user_id), permissions=OWN_ACCOUNT), source="web")
        except DomainError:
            # Somebody else used it at the same moment.
            return None
        return "recovery"

    async def begin(self, account: str, user_id: int, visitor: Visitor) -> tuple[str, str | None]:
        """Count an attempt before it is judged; what is returned takes it back when it succeeds.

        Raises
        ------
        LockedError
            It was tried too often.
        """
        try:
            return await self.attempts.begin(account, visitor.address, self.clock())
        except LockedError:
            await self._failed(user_id, "locked", visitor)
            raise

    async def _failed(self, user_id: int, reason: str, visitor: Visitor) -> None:
        if not user_id:
            return
        event = SignInFailed(user_id=user_id, reason=reason, address=visitor.address)
        append = Append(stream=f"sign_in-{user_id}", events=[event])
        await self.store.append(append, meta=Meta(actor="system", source="web"))

    async def _open(
        self, user_id: int, method: str, visitor: Visitor, password_at: datetime | None = None
    ) -> SignedInBy:
        token = await self.sessions.open(
            user_id, method, address=visitor.address, agent=visitor.agent, password_at=password_at
        )
        return SignedInBy(token, user_id)


OWN_ACCOUNT = frozenset({"users.own"})
