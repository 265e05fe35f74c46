"""How often signing in may be tried: a few failures, and account and address are locked for a while.

An attempt is counted before it is judged, in one statement, so that a thousand at once get no further than five.
"""

from __future__ import annotations

from datetime import datetime

from eventstore.blind_index import BlindIndex
from eventstore.store import EventStore
from web.auth.settings import SignInSettings
from web.errors import N_, WebError
from web.queries import query


class LockedError(WebError):
    """Signing in failed too often: it is locked for a while."""

    status = 429

    def __init__(self, seconds: int) -> None:
        super().__init__(N_("Signing in failed too often. Try again in {minutes} min."), minutes=-(-seconds // 60))
        self.seconds = seconds


MOST_BEGUN = 6
"""Times the most failures: so often may signing in be begun from an address that a provider or a device finishes."""


class Attempts:
    """Counts attempts in the database, for all processes together."""

    def __init__(self, store: EventStore, settings: SignInSettings, index: BlindIndex) -> None:
        self._store = store
        self._settings = settings
        self._index = index

    async def begin(self, account: str, address: str | None, now: datetime) -> tuple[str, str | None]:
        """Count an attempt and return the keys by which it is taken back when it succeeds.

        Parameters
        ----------
        account : str
            What names the account: the login as typed, whether there is such a user or not.
        address : str or None
            Where it comes from.

        Raises
        ------
        LockedError
            It must not be tried now.
        """
        keys = [await self._index.of("attempt by account", account)]
        if address and self._settings.by_address:
            keys.append(await self._index.of("attempt by address", address))
        limits = self._settings
        rows = await self._store.pool.fetch(
            query("sign_in.try"), keys, now, limits.most_failures, float(limits.window), float(limits.lockout)
        )
        locked = [row["locked_until"] for row in rows if not row["allowed"]]
        if locked:
            raise LockedError(max(1, int((max(locked) - now).total_seconds())))
        return keys[0], keys[1] if len(keys) > 1 else None

    async def step(self, address: str | None, now: datetime) -> None:
        """Count that signing in was begun from an address, by passkey or at a provider.

        Raises
        ------
        LockedError
            It was begun too often and not finished.
        """
        if not address or not self._settings.by_address:
            return
        limits, keys = self._settings, [await self._index.of("begun by address", address)]
        most = limits.most_failures * MOST_BEGUN
        [row] = await self._store.pool.fetch(
            query("sign_in.try"), keys, now, most, float(limits.window), float(limits.lockout)
        )
        if not row["allowed"]:
            raise LockedError(max(1, int((row["locked_until"] - now).total_seconds())))

    async def finished(self, address: str | None) -> None:
        """Take back that signing in was begun from an address: it was finished."""
        if address and self._settings.by_address:
            key = await self._index.of("begun by address", address)
            await self._store.pool.execute(query("sign_in.forget"), None, key)

    async def succeeded(self, keys: tuple[str, str | None]) -> None:
        """Take an attempt back that succeeded."""
        await self._store.pool.execute(query("sign_in.forget"), *keys)

    async def forgive(self, account: str) -> None:
        """Open an account again whose user proved by other means who they are."""
        await self._store.pool.execute(
            query("sign_in.forget"), await self._index.of("attempt by account", account), None
        )
