"""Changing something: a command of the domain, executed as the system, and what it led to shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cli import whom
from cli.output import Output
from cli.quiet_log import configure_log
from cli.reading import Reader
from commands.actor import SYSTEM, Actor
from commands.denials import recorded_denials
from commands.facts import SqlFacts
from commands.preparing import Outcome
from commands.shell import Shell
from commands.wait import wait_for
from domain.command import Command
from eventstore.blind_index import BlindIndex
from eventstore.company_view import CompanyPool
from eventstore.connection import Role
from eventstore.log import Meta
from eventstore.settings import load
from eventstore.store import EventStore
from projections.errors import ProjectionLagError
from projections.registry import inline_folds

SOURCE = "cli"

PATIENCE = 2.0
"""Seconds that a command waits for the history of jobs to show what it did."""

PROJECTOR = (
    "SELECT EXISTS (SELECT FROM daemons d WHERE d.kind = 'projector' AND d.seen_at > now() - interval '15 seconds')"
)


class Acting:
    """The event store, opened to change something and to read what it led to.

    Parameters
    ----------
    store : EventStore
        Opened with the inline projections.
    """

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.shell = Shell(store)
        companies = whom.COMPANIES.get()
        pool = store.pool if companies == "*" else CompanyPool(store.pool, companies)
        self.reader = Reader(pool, store.settings, store.keyring)
        self.whole = Reader(store.pool, store.settings, store.keyring)
        self.actor: Actor = whom.ACTOR.get() or SYSTEM
        self.facts = SqlFacts(pool, BlindIndex(store.keyring))

    async def execute(self, command: Command, key: str | None = None) -> Outcome:
        """Execute a command as whom the command line acts for.

        Parameters
        ----------
        command : Command
            What is wished.
        key : str or None
            Idempotency key.

        Raises
        ------
        DomainError
            It is refused.
        """
        return await self.shell.execute(command, self.actor, key=key, source=SOURCE)

    async def shown_in_history(self, outcome: Outcome) -> None:
        """Wait until the history of jobs shows what a command did, but not for long, and not if nothing writes it."""
        if not await self.store.pool.fetchval(PROJECTOR):
            return
        try:
            await wait_for(self.store, "job_history", outcome.cursor, timeout=PATIENCE)
        except ProjectionLagError:
            return


@asynccontextmanager
async def acting(role: Role = "app") -> AsyncIterator[Acting]:
    """Open the event store to change something; as another role for what otherwise a daemon does by itself."""
    configure_log()
    async with EventStore(load(), role=role, inline=inline_folds(), application="multiflexi-cli") as store:
        act = Acting(store)
        async with recorded_denials(store, act.actor, Meta(actor=str(act.actor), source=SOURCE)):
            yield act


def warn(outcome: Outcome, output: Output) -> None:
    """Tell what looks wrong in a command that was executed all the same."""
    for warning in outcome.warnings:
        output.warn(getattr(warning, "message", None) or str(warning))


def in_zone(moment: datetime, zone: str | None) -> datetime:
    """Return a moment in UTC; one without an offset is meant in the time zone, or else in that of this machine.

    Examples
    --------
    >>> in_zone(datetime(2026, 1, 31, 12), "Europe/Prague").isoformat()
    '2026-01-31T11:00:00+00:00'
    """
    if moment.tzinfo is None and zone:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment.astimezone(UTC)
