"""A day of a hundred servers that are probed every hour, simulated."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec

from cli.acting import Acting, acting
from cli.command import Options, command, flag, option
from cli.failure import RefusedError
from cli.output import Output
from cli.values import WHOLE, Count
from daemons.data_folder import DataFolderError
from daemons.own_database import own_database
from daemons.postgres import PostgresError
from daemons.projector import fold_all
from daemons.simulation.day import Made, Simulation, report
from daemons.simulation.script import STATES, Script
from domain.company import CreateCompany
from eventstore.settings import DAEMON_VARIABLES

MOST_SERVERS = 999
MOST_HOURS = 24 * 31
SHOWN = ("name", *STATES, "attempts")
CODE = "servers"
DATA_HELP = (
    "Data folder with a database of its own, made if it is not there; `MULTIFLEXI_DATA=FOLDER make run` shows it."
)
CHOICES = (
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    *DAEMON_VARIABLES.values(),
    "ENCRYPTION_MASTER_KEY",
    "MULTIFLEXI_MASTER_KEY",
)
"""Variables that choose another database than that of a data folder."""

OTHERS = """
    SELECT (SELECT count(*) FROM company c WHERE c.removed_at IS NULL) AS companies,
           (SELECT string_agg(d.kind, ', ') FROM daemons d
             WHERE d.kind IN ('scheduler', 'executor') AND d.seen_at > now() - interval '15 seconds') AS daemons,
           ARRAY(SELECT lower(c.slug) FROM company c WHERE c.removed_at IS NULL) AS codes
"""


@command(
    option("servers", type=Count(1), default=100, metavar="N", help="How many servers; 100 unless told."),
    option("hours", type=Count(1), default=24, metavar="N", help="How many hours; 24 unless told."),
    option("seed", type=WHOLE, default=1, help="What happens follows from it: the same seed is the same day."),
    option("day", type=click.DateTime(("%Y-%m-%d",)), help="The day (UTC); yesterday unless told."),
    option("data", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help=DATA_HELP),
    flag("force", help="Also in an installation that has companies."),
)
async def simulate_servers(output: Output, options: Options) -> None:
    """Simulate a day of servers that are probed every hour.

    Reports what became of each probe. Sets up a company with a run template for each server: hourly, with a deadline
    and retries. Some servers answer late, fail, or are down, and for an hour nobody schedules. Time is virtual:
    templates are scheduled, and jobs are claimed, tried again and settled by the parts that do it in earnest; only the
    servers are a script. Afterwards the templates are inactive, and all of it is in the history.
    """
    if options.servers > MOST_SERVERS or options.hours > MOST_HOURS:
        raise click.UsageError(f"At most {MOST_SERVERS} servers and {MOST_HOURS} hours are possible.")
    day = options.day or datetime.now(UTC) - timedelta(days=1)
    start = day.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
    script = Script(seed=options.seed, servers=options.servers, hours=options.hours)
    began = time.monotonic()
    async with at_hand(options.data), acting("owner") as act:
        company = await free_company(act, forced=options.force)
        made = await Simulation(act.store, script, start, told(output, options.hours)).run(company)
        await fold_all(act.store)
        rows = await report(act.store, made, options.hours)
    tell(output, made, rows, options, time.monotonic() - began)


@asynccontextmanager
async def at_hand(folder: Path | None) -> AsyncIterator[None]:
    """Run the database of a data folder, if one was named, and have it used.

    Raises
    ------
    RefusedError
        It does not start.
    """
    if folder is None:
        yield
        return
    folder = folder.expanduser().resolve()
    try:
        async with own_database(folder):
            for name in CHOICES:
                os.environ.pop(name, None)
            os.environ["MULTIFLEXI_DATA"] = str(folder)
            yield
    except (PostgresError, DataFolderError) as error:
        raise RefusedError(str(error), field="data") from None


async def free_company(act: Acting, *, forced: bool) -> CreateCompany:
    """Return the company that is to be set up.

    Raises
    ------
    RefusedError
        Daemons would take part in the simulation, or there are companies and nobody said that this does not matter.
    """
    (found,) = (await act.reader.fetch(OTHERS)).rows
    if found["daemons"]:
        raise RefusedError(
            f"Daemons run here ({found['daemons']}), which would take part in the simulation by their own clock. Stop "
            "them, or use a database of its own: --data FOLDER."
        )
    if found["companies"] and not forced:
        raise RefusedError(
            f"This installation has {found['companies']} companies. Use a database of its own (--data FOLDER), another "
            "one (DATABASE_URL), or --force."
        )
    codes = [CODE, *(f"{CODE}-{number}" for number in range(2, found["companies"] + 2))]
    return CreateCompany(name="Server watch", code=next(code for code in codes if code not in found["codes"]))


def told(output: Output, hours: int) -> Any:
    """Return what is told how many hours are over, on a terminal."""

    def progress(over: int) -> None:
        if output.on_terminal and not output.json:
            click.echo(f"\rHour {over} of {hours}", nl=over >= hours, err=True)

    return progress


def tell(output: Output, made: Made, rows: list[dict[str, Any]], options: Options, seconds: float) -> None:
    """Answer the report: each server, and all of them."""
    names = (*STATES, "unfinished", "attempts")
    total = {name: sum(row[name] for row in rows) for name in names}
    due = sum(total[state] for state in STATES) + total["unfinished"]
    if output.json:
        document = {
            "company_id": made.company_id,
            "day": made.start,
            "seed": options.seed,
            "due": due,
            "total": total,
            "servers": rows,
            "seconds": round(seconds, 1),
        }
        output.document(msgspec.to_builtins(document, builtin_types=(datetime,)))
        return
    output.table(SHOWN, [*rows, {"name": "all", **total}])
    output.text("")
    output.text(
        f"{due} probes were due on {made.start:%Y-%m-%d}: {total['fulfilled']} fulfilled, {total['fulfilled_late']} "
        f"late, {total['failed']} failed, {total['missed']} missed. Company {made.company_id}, seed {options.seed}, "
        f"{seconds:.1f} s."
    )
