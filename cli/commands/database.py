"""The database: brought up to date, or adopted after it moved to another cluster."""

from __future__ import annotations

from cli.command import Options, command
from cli.output import Output
from daemons.prepare import prepare
from eventstore.adopt import adopt
from eventstore.settings import load


@command()
def migrate_database(output: Output, options: Options) -> None:
    """Bring the database up to date.

    Makes roles, tables, functions, policies and read models, or changes what an older version made. Safe to run twice
    and from several places at once. Needs the owner's login (DATABASE_OWNER_URL).
    """
    done = prepare(load().url_of("owner"))
    output.answer({"done": done}, "\n".join(done) or "The database is up to date.")


@command()
async def adopt_database(output: Output, options: Options) -> None:
    """Adopt a log that was restored into another cluster.

    Stop every part of MultiFlexi that still writes to the old one first: what is appended there after the dump is not
    in this log. Afterwards every reader goes on where it was. Needs the owner's login (DATABASE_OWNER_URL).
    """
    done = await adopt(load().url_of("owner"))
    text = f"The log lives in this cluster now, in epoch {done.epoch}. Start MultiFlexi."
    output.answer({"adopted": True, "epoch": done.epoch}, text)
