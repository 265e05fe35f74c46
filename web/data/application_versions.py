"""Two definitions that an application has had, side by side."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from domain.definition_diff import Difference, compare
from domain.member_order import in_order
from projections.queries import query as shared
from web.data.applications import VersionShown
from web.database import Connection
from web.errors import N_, BadRequestError, NotFoundError
from web.view import View


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two; ``text`` is its definition as JSON, for who wants to import it again."""

    number: int
    version: str
    imported_at: datetime
    current: bool
    text: str


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Two definitions of an application and what differs; all that there are to choose from."""

    application_id: int
    name: str
    versions: list[VersionShown]
    before: Side
    after: Side
    difference: Difference


async def load(connection: Connection, application_id: int, view: View) -> Compared:
    """Read the two definitions that the parameters ``from`` and ``to`` name by number: the newest two, unless told.

    Raises
    ------
    NotFoundError
        There is no such application, or it never had that definition.
    BadRequestError
        A parameter is no number.
    """
    record = await connection.fetchrow(shared("application.find"), application_id, None, None)
    if record is None:
        raise NotFoundError(N_("There is no application {id}."), id=application_id)
    rows = await connection.fetch(shared("application.versions"), application_id)
    versions = [VersionShown(**{name: each[name] for name in VersionShown.__struct_fields__}) for each in rows]
    latest = versions[0]
    earlier = versions[1] if len(versions) > 1 else latest
    before, left = await _side(connection, application_id, view.number("from", earlier.number), versions)
    after, right = await _side(connection, application_id, view.number("to", latest.number), versions)
    return Compared(
        application_id=application_id,
        name=record["name"],
        versions=versions,
        before=before,
        after=after,
        difference=compare(left, right),
    )


async def _side(
    connection: Connection, application_id: int, number: int, versions: list[VersionShown]
) -> tuple[Side, dict[str, Any]]:
    known = next((each for each in versions if each.number == number), None)
    row = await connection.fetchrow(shared("application.definition"), application_id, number) if known else None
    if row is None or known is None:
        raise NotFoundError(N_("The application has had no definition {id}."), id=number)
    document: dict[str, Any] = in_order(msgspec.json.decode(row["definition"]), msgspec.json.decode(row["member_order"]))
    side = Side(
        number=number,
        version=known.version,
        imported_at=known.imported_at,
        current=known.current,
        text=msgspec.json.encode(document).decode(),
    )
    return side, document
