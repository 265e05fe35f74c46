"""Read models as they stood at a moment."""

from __future__ import annotations

from typing import Any

import click
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from cli.command import FIELDS_OPTION, Options, command, flag, option
from cli.failure import MissingError
from cli.output import Output, Rows
from cli.progress import Progress
from cli.values import MOMENT, Count
from eventstore.settings import load
from projections.rebuild import OWNER_OPTIONS, drop_replay, replay
from projections.registry import ALL, named

TABLES = """
    SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = %s AND c.relkind = 'r' AND c.relname NOT IN ('projections', 'skipped_events') ORDER BY c.relname
"""
EVENTS = "SELECT max(p.event_time) AS until FROM {}.projections p"
READ_ONLY = f"{OWNER_OPTIONS} -c default_transaction_read_only=on"


@command(
    option("until", type=MOMENT, help="Events recorded up to this moment count, e.g. 2026-01-31T12:00:00Z."),
    option("projection", multiple=True, metavar="NAME", help="A read model to build; several times for more."),
    option("schema", metavar="NAME", help="Schema to build in, show or drop; it begins with replay_."),
    option("show", metavar="TABLE", help="Print the rows of a table of the replay."),
    option("limit", type=Count(1), metavar="N", help="Print at most so many rows."),
    FIELDS_OPTION,
    flag("drop", help="Drop the schema of the replay; together with --until, once it was shown."),
)
def replay_log(output: Output, options: Options) -> None:
    """Build read models as they stood at a moment.

    They are built in a schema of their own, which stays for queries until it is dropped. With --schema and without
    --until an earlier replay is shown or dropped.
    """
    owner_url = load().url_of("owner")
    schema = build(owner_url, options, output) if options.until else existing(owner_url, options)
    try:
        if options.show:
            output.rows(*shown(owner_url, schema, options))
        elif options.until or not options.drop:
            tell(owner_url, schema, options, output)
    finally:
        if options.drop:
            drop_replay(owner_url, schema)
    if options.drop and not options.until and not options.show:
        output.answer({"schema": schema, "dropped": True}, f"Dropped {schema}.")


def build(owner_url: str, options: Options, output: Output) -> str:
    """Build the read models that were asked for, and return the name of their schema."""
    if options.schema and not options.schema.startswith("replay_"):
        raise click.UsageError("The schema of a replay begins with replay_.")
    names = [named(name).name for name in dict.fromkeys(options.projection)] or [one.name for one in ALL]
    with Progress("Folding events", output) as progress:
        return replay(owner_url, names, options.until, options.schema, progress)


def existing(owner_url: str, options: Options) -> str:
    """Return the name of the schema of an earlier replay."""
    if not options.schema:
        raise click.UsageError("Up to which moment? Give --until TIME, or --schema NAME of an earlier replay.")
    if not options.schema.startswith("replay_") or not tables_of(owner_url, options.schema):
        raise MissingError(f"There is no replay {options.schema}. Make one with --until.")
    schema: str = options.schema
    return schema


def tables_of(owner_url: str, schema: str) -> dict[str, int]:
    """Return the tables of a replay, with how many rows each has."""
    with psycopg.connect(owner_url, autocommit=True, options=READ_ONLY) as connection:
        names = [row[0] for row in connection.execute(TABLES, (schema,))]
        counts: dict[str, int] = {}
        for name in names:
            count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))
            row = connection.execute(count).fetchone()
            counts[name] = row[0] if row else 0
        return counts


def tell(owner_url: str, schema: str, options: Options, output: Output) -> None:
    """Answer what was built, and how to look at it."""
    counts = tables_of(owner_url, schema)
    document: dict[str, Any] = {
        "schema": schema,
        "until": options.until,
        "tables": [{"table": name, "rows": rows} for name, rows in counts.items()],
        "dropped": options.drop,
    }
    lines = [f"Schema {schema}:", *(f"  {name}: {rows} rows" for name, rows in counts.items())]
    if not options.drop:
        table = next(iter(counts))
        lines += [
            "Look at it with:",
            f"  multiflexi-cli replay --schema {schema} --show {table}",
            f"  TABLE {schema}.{table};   -- in psql",
            "When it is of no more use:",
            f"  multiflexi-cli replay --schema {schema} --drop",
        ]
    output.answer(document, "\n".join(lines))


def shown(owner_url: str, schema: str, options: Options) -> tuple[Rows, tuple[str, ...]]:
    """Return the rows of a table of a replay, and its columns."""
    tables = tables_of(owner_url, schema)
    if options.show not in tables:
        raise MissingError(f"{schema} has no table {options.show}. There are: {', '.join(tables)}.")
    statement = sql.SQL("SELECT * FROM {} ORDER BY 1 LIMIT %s").format(sql.Identifier(schema, options.show))
    with (
        psycopg.connect(owner_url, autocommit=True, options=READ_ONLY) as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        rows = cursor.execute(statement, (options.limit,)).fetchall()
        fields = tuple(column.name for column in cursor.description or ())
    return Rows(fields, rows), fields
