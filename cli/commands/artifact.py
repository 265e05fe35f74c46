"""The files that jobs left, and what they wrote, which counts as files too."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import click

from cli.acting import Acting, acting
from cli.cells import moment
from cli.command import FIELDS_OPTION, PAGING, Options, command, one_id, option, required_id
from cli.failure import MissingError, RefusedError
from cli.output import Output, write_all
from cli.reading import Reader, reading
from cli.values import ID
from eventstore.artifacts import ArtifactMissingError, read_artifact
from eventstore.output import read_output

SHOWN = ("id", "job_id", "filename", "content_type", "size", "created_at", "removed_at")
CHANNELS = {901: "stdout", 902: "stderr"}
"""What a job wrote, by the number that it has among its files."""

JOB = 1000
"""An id is that of the job, times this, and the number of the file."""

LONGEST_SHOWN = 64 * 1024
"""Bytes up to which ``artifact:get`` shows a content."""

LARGEST_ID = 2**31 * JOB


class ArtifactId(click.ParamType):
    """The id of a file: that of its job, times a thousand, and its number."""

    name = "id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        text = str(value).strip()
        if not (text.isascii() and text.isdigit() and JOB < int(text[:20]) < LARGEST_ID):
            self.fail(f"“{text[:60]}” is no id of a file: `multiflexi-cli artifact:list` shows them.", param, ctx)
        return int(text)


def one_file() -> tuple[click.Parameter, click.Parameter]:
    """Return what names one file."""
    argument, named = one_id("file")
    argument.type = named.type = ArtifactId()
    return argument, named


@command(
    option("job_id", type=ID, help="Only of this job; then also what it wrote, as stdout.txt and stderr.txt."),
    option("company_id", type=ID, help="Only of this company."),
    *PAGING,
    FIELDS_OPTION,
)
async def list_artifacts(output: Output, options: Options) -> None:
    """List the files that jobs left."""
    async with reading() as reader:
        if options.job_id is not None and await reader.row("job.find", options.job_id) is None:
            raise MissingError(f"There is no job {options.job_id}. `multiflexi-cli job:list` shows those there are.")
        found = await reader.rows(
            "artifact.list",
            options.job_id,
            options.company_id,
            options.limit,
            options.offset,
            options.order == "D",
        )
        output.rows(found, SHOWN, await reader.zones(found.rows))


@command(*one_file(), FIELDS_OPTION)
async def get_artifact(output: Output, options: Options) -> None:
    """Show a file that a job left.

    With --verbose or --fields artifact also its content, if it is a text of up to 64 KiB.
    """
    number = required_id(options, "file")
    async with acting() as act:
        found = await present(act.reader, number)
        if output.verbose or (output.fields and "artifact" in output.fields):
            found["artifact"] = await text_of(act, found)
        output.record(found, await act.reader.zones([found]))


@command(
    *one_file(),
    option("file", required=True, metavar="PATH", help="Where to; - is standard output."),
)
async def save_artifact(output: Output, options: Options) -> None:
    """Write the content of a file that a job left to a file.

    A file of that name is replaced once all of the content is there.
    """
    number = required_id(options, "file")
    async with acting() as act:
        found = await present(act.reader, number)
        pieces = content(act, found)
        if options.file == "-":
            async for piece in pieces:
                write_all(sys.stdout.buffer, piece)
            return
        path = Path(options.file)
        size = await saved(pieces, path / found["filename"].rpartition("/")[2] if path.is_dir() else path)
    document = {"saved": True, "artifact_id": number, "file": options.file, "size": size}
    output.answer(document, f"{found['filename']} was saved to {options.file} ({size} bytes).")


async def saved(pieces: AsyncIterator[bytes], path: Path) -> int:
    """Write pieces to a file under another name, then give it its own; return how many bytes they were.

    Raises
    ------
    RefusedError
        It cannot be written.
    """
    size = 0
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
            try:
                async for piece in pieces:
                    part.write(piece)
                    size += len(piece)
                part.flush()
                Path(part.name).chmod(0o600)
                Path(part.name).replace(path)
            except BaseException:
                with suppress(FileNotFoundError):
                    Path(part.name).unlink()
                raise
    except OSError as error:
        raise RefusedError(f"{path} cannot be written: {error.strerror}.", field="file") from None
    return size


async def present(reader: Reader, number: int) -> dict[str, Any]:
    """Return a file by its id.

    Raises
    ------
    MissingError
        There is none.
    """
    rows = (await reader.rows("artifact.list", number // JOB, None, None, 0, False)).rows
    found = next((row for row in rows if row["id"] == number), None)
    if found is None:
        raise MissingError(f"There is no file {number}. `multiflexi-cli artifact:list` shows those there are.")
    return found


async def content(act: Acting, found: dict[str, Any]) -> AsyncIterator[bytes]:
    """Yield the content of a file in pieces.

    Raises
    ------
    RefusedError
        It was removed.
    """
    if found["removed_at"] is not None:
        raise RefusedError(f"{found['filename']} of job {found['job_id']} was removed: {rule(found)}.")
    channel = CHANNELS.get(found["number"])
    try:
        if channel is None:
            yield await read_artifact(act.store, found["company_id"], found["digest"])
            return
    except ArtifactMissingError as error:
        raise RefusedError(str(error)) from None
    left = found["size"]
    async for chunk in read_output(act.store, found["job_id"]):
        if chunk.channel == channel and chunk.data:
            left -= len(chunk.data)
            yield chunk.data
    if left:
        raise RefusedError(
            f"{left} bytes of {found['filename']} of job {found['job_id']} were erased: their key is gone."
        )


def rule(found: dict[str, Any]) -> str:
    """Return when something was removed and by which rule, in words."""
    days = found["removed_days"]
    kept = "it was not to be kept longer" if days is None else f"it was kept for {days} days"
    who = "as somebody asked for" if found["removed_by_hand"] else "by the rule of its company"
    return f"on {moment(found['removed_at'], 'UTC')}; {kept}, {who}"


async def text_of(act: Acting, found: dict[str, Any]) -> str | None:
    """Return the content of a file as text; None if it is none, or longer than what is shown, or gone."""
    kind = found["content_type"] or ""
    if found["size"] > LONGEST_SHOWN or not (kind.startswith("text/") or kind.endswith(("json", "xml", "yaml"))):
        return None
    try:
        return b"".join([piece async for piece in content(act, found)]).decode(errors="replace")
    except RefusedError:
        return None
