"""A job followed live."""

from __future__ import annotations

import asyncio
import base64
import sys
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from cli import whom
from cli.cells import moment
from cli.command import Options, command, one_id, required_id
from cli.output import Output, write_all
from cli.quiet_log import configure_log
from cli.watch import Away, follow
from domain.job_events import JobCancelled, JobCancelRequested, JobEvent, JobFinished, JobScheduled, JobStarted
from eventstore.output import OutputChunk
from eventstore.settings import load
from eventstore.store import EventStore

CANCELLED = 1
"""Exit code when the job was cancelled: it has none of its own."""

ZONE = "SELECT c.time_zone FROM company c WHERE c.id = $1"

NAMES = {
    JobScheduled: "scheduled",
    JobStarted: "started",
    JobCancelRequested: "cancel_requested",
    JobFinished: "finished",
    JobCancelled: "cancelled",
}


@command(*one_id("job"))
async def watch_job(output: Output, options: Options) -> int:
    """Follow a job until it ends; exits with its exit code.

    What the job writes to standard output and standard error arrives on those of this command, byte for byte. On a
    terminal, or with --verbose, standard error also tells when the job waits, starts and ends. Ctrl-C ends the
    watching, not the job. With --format json every event and every chunk of output is a JSON document on a line of its
    own; bytes that are no UTF-8 are in the field base64 instead of text.
    """
    number = required_id(options, "job")
    configure_log()
    async with EventStore(load(), role="app", companies=whom.COMPANIES.get(), application="multiflexi-cli") as store:
        return await watched(store, number, output)


async def watched(store: EventStore, job_id: int, output: Output) -> int:
    """Show a job until it ends and return its exit code."""
    told = Told(output)
    code = 0
    try:
        async for seen in follow(store, job_id, whom.STILL.get()):
            match seen:
                case JobScheduled():
                    told.zone = await store.pool.fetchval(ZONE, seen.company_id)
                case JobFinished():
                    code = seen.exit_code % 256
                case JobCancelled():
                    code = CANCELLED
            told.show(seen, job_id)
    except asyncio.CancelledError:
        told.say(f"No longer watching. Job {job_id} goes on.")
        raise
    return code


class Told:
    """Shows what happens to a job.

    Parameters
    ----------
    output : Output
        Text or JSON.
    """

    def __init__(self, output: Output) -> None:
        self.output = output
        self.zone: str | None = None
        self.talks = not output.json and (sys.stderr.isatty() or bool(output.verbose))
        self.away = False

    def show(self, seen: JobEvent | OutputChunk | Away, job_id: int) -> None:
        """Show one thing that happened."""
        if isinstance(seen, Away):
            if not self.away:
                self.say("The database does not answer; waiting for it.")
            self.away = True
            return
        self.away = False
        if self.output.json:
            self.output.line(document(seen, job_id))
        elif isinstance(seen, OutputChunk):
            self.pass_on(seen)
        else:
            self.say(self.sentence(seen))

    def pass_on(self, chunk: OutputChunk) -> None:
        """Write bytes of the job where it wrote them."""
        if chunk.erased:
            self.say("Output was here; it was erased.")
        write_all(sys.stderr.buffer if chunk.channel == "stderr" else sys.stdout.buffer, chunk.data)

    def say(self, text: str) -> None:
        """Tell a person something that the job did not write."""
        if self.talks:
            click.echo(text, err=True)

    def sentence(self, event: JobEvent) -> str:
        """Return what an event says."""
        match event:
            case JobScheduled() if event.not_before > datetime.now(UTC):
                what = f"waits until {moment(event.not_before, self.zone)}."
            case JobScheduled():
                what = f"is in the queue since {moment(event.scheduled_at, self.zone)}."
            case JobStarted():
                what = f"started on {event.host} at {moment(event.started_at, self.zone)}."
            case JobCancelRequested():
                what = f"is to be ended, {event.requested_by} said{because(event.reason)}."
            case JobFinished():
                what = f"ended with {event.exit_code} ({event.outcome}{because(event.reason)})."
                if dropped := event.stdout.dropped + event.stderr.dropped:
                    what += f" {dropped} bytes over the limit of output were not kept."
            case JobCancelled():
                what = f"was cancelled{because(event.reason)}."
            case _:
                what = type(event).__name__
        return f"Job {event.job_id} {what}"


def because(reason: str | None) -> str:
    """Return a reason as it follows a sentence, empty if there is none."""
    return f": {reason}" if reason else ""


def document(seen: JobEvent | OutputChunk, job_id: int) -> dict[str, Any]:
    """Return what happened as a JSON document."""
    if not isinstance(seen, OutputChunk):
        return {"event": NAMES.get(type(seen), type(seen).__name__), **msgspec.to_builtins(seen)}
    content: dict[str, Any]
    try:
        content = {"text": seen.data.decode()}
    except UnicodeDecodeError:
        content = {"base64": base64.b64encode(seen.data).decode()}
    return {
        "event": "output",
        "job_id": job_id,
        "channel": seen.channel,
        "offset": seen.offset,
        "length": len(seen.data),
        "captured_at": seen.captured_at,
        **({"erased": True} if seen.erased else content),
    }
