"""What was removed of a job by retention: when, and by which rule."""

from __future__ import annotations

from datetime import datetime

import msgspec

from projections.queries import query
from web.database import Connection


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """A removal: when it was, for how many days it was kept (None: no such rule), whether somebody asked for it."""

    at: datetime
    days: int | None
    by_hand: bool


async def of_job(
    connection: Connection, company_id: int, began: datetime | None, ended: datetime | None
) -> dict[str, Removed]:
    """Return what was removed of a job that has ended: ``output``, ``artifacts``."""
    if began is None or ended is None:
        return {}
    return {
        record["what"]: Removed(at=record["removed_at"], days=record["days"], by_hand=record["by_hand"])
        for record in await connection.fetch(query("retention.of_job"), company_id, began, ended)
    }
