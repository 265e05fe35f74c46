"""Adopt a log that was restored into another PostgreSQL cluster.

Transaction ids start anew in another cluster, but the log is ordered by them. So each cluster that the log lives in has
an epoch of its own, which sorts first: events of earlier epochs keep their place and are final, new ones come after
them, and every cursor stays valid.
"""

from __future__ import annotations

from typing import NamedTuple

import asyncpg

from eventstore.audit_errors import AdoptionError
from eventstore.connection import connect
from eventstore.errors import SettingsError

LOCK = "LOCK TABLE log_epoch IN EXCLUSIVE MODE"
SELECT_EPOCH = """
    SELECT l.epoch, l.system_identifier, c.system_identifier AS here
      FROM pg_control_system() c
      LEFT JOIN (SELECT * FROM log_epoch ORDER BY epoch DESC LIMIT 1) l ON true
"""
INSERT_EPOCH = "INSERT INTO log_epoch (epoch, system_identifier) VALUES ($1, $2)"
RESET_STREAMS = "UPDATE streams SET xid = '0' WHERE xid <> '0'"


class Adopted(NamedTuple):
    """What adopting did: the new epoch, and the cluster that it stands for."""

    epoch: int
    system_identifier: int


async def adopt(owner_url: str) -> Adopted:
    """Make this cluster the home of the log.

    Nothing may write to the log in the old cluster any more: events that are appended there after the dump are not in
    this log.

    Parameters
    ----------
    owner_url : str
        PostgreSQL URL of the owner.

    Raises
    ------
    AdoptionError
        The log lives in the cluster that it knows: there is nothing to adopt.
    SettingsError
        The database has no schema.
    """
    connection = await connect(owner_url, "owner", application="multiflexi adopt")
    try:
        async with connection.transaction():
            try:
                await connection.execute(LOCK)
            except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
                raise SettingsError("The database has no MultiFlexi schema: there is no log to adopt.") from None
            row = await connection.fetchrow(SELECT_EPOCH)
            if row is None or row["epoch"] is None:
                raise AdoptionError("The log has no epoch: the dump was not complete. Restore a complete one.")
            if row["system_identifier"] == row["here"]:
                raise AdoptionError("The log lives in the cluster that it knows: there is nothing to adopt.")
            # The ids of the old cluster say nothing here; those of new appends begin low.
            await connection.execute(RESET_STREAMS)
            await connection.execute(INSERT_EPOCH, row["epoch"] + 1, row["here"])
            return Adopted(row["epoch"] + 1, row["here"])
    finally:
        await connection.close()
