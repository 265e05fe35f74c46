"""Definitions of applications written to files, compared, and made or changed without a file."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import click

from cli.acting import acting, warn
from cli.command import FIELDS_OPTION, KEY_OPTION, Options, chosen_id, command, one_id, option
from cli.commands.application_import import changes, lines
from cli.documents import write_document, write_file
from cli.failure import MissingError, RefusedError
from cli.output import Output
from cli.reading import Reader, reading
from commands.applications import file_text
from commands.catalogue import Assessment
from commands.icons import icon_file, named_file, set_icon
from domain import definition, icon
from domain.application import ImportApplication
from domain.definition_diff import compare
from domain.member_order import in_order

UUID_OPTION = option("uuid", metavar="UUID", help="UUID of the application.")
VERSION_OPTION = option("appversion", metavar="VERSION", help="A version that it had before, or its number.")
NONE = "There is no such application. `multiflexi-cli application:list` shows those there are."
DETAILS = (
    option("name", metavar="TEXT", help="Name."),
    option("description", metavar="TEXT", help="Description."),
    option("tags", metavar="a,b", help="Tags, with commas."),
    option("executable", metavar="PROGRAM", help="Program that its jobs start."),
    option("ociimage", metavar="IMAGE", help="Image for containers."),
    option("requirements", metavar="a,b", help="Codes of the credentials that it needs, with commas."),
    option("homepage", metavar="URL", help="Where there is more about it."),
    option("appversion", metavar="VERSION", help="Version, e.g. 1.0.0."),
    option("icon", metavar="FILE", help="File of the icon: SVG, PNG, JPEG, GIF or WebP, at most 128 KiB."),
)
MEMBERS = {"appversion": "version"}
LISTS = ("tags", "requirements")
VERSIONS = ("number", "version", "current", "imported_at", "digest")
FORMAT = "urn:multiflexi:application:3.4.0"


@command(
    *one_id("application"),
    UUID_OPTION,
    VERSION_OPTION,
    option("file", required=True, metavar="PATH", help="File to write; - is standard output."),
)
async def export_json(output: Output, options: Options) -> None:
    """Write the definition of an application to a file, as it was imported.

    Its icon is written beside it, where an import of the file looks for it.
    """
    async with reading() as reader:
        found = await application(reader, options)
        document = await version_of(reader, found, options.appversion)
        picture = await reader.row("application.icon", found["id"])
    if not write_document(output, options.file, document, indent=4):
        return
    answer: dict[str, Any] = {"exported": True, "file": options.file}
    message = f"Application {found['id']} was written to {options.file}."
    if picture is not None and not definition.as_text(document.get("image")).lower().startswith("data:"):
        # Where an import looks for it.
        named = named_file(document) or f"{found['uuid']}.{icon.SUFFIXES[picture['media_type']]}"
        answer["icon"] = str(Path(options.file).parent / named)
        Path(answer["icon"]).parent.mkdir(parents=True, exist_ok=True)
        write_file(answer["icon"], picture["content"])
        message += f" Its icon is {answer['icon']}."
    output.answer(answer, message)


@command(*one_id("application"), UUID_OPTION, FIELDS_OPTION)
async def list_versions(output: Output, options: Options) -> None:
    """List the definitions that an application has had."""
    async with reading() as reader:
        found = await application(reader, options)
        output.rows(await reader.rows("application.versions", found["id"]), VERSIONS)


@command(
    *one_id("application"),
    UUID_OPTION,
    option("from", metavar="VERSION", help="The version to compare; the one before the newest unless told."),
    option("to", metavar="VERSION", help="The version to compare it with; the newest unless told."),
    option("file", metavar="PATH", help="A file to compare with, in place of --to."),
)
async def show_difference(output: Output, options: Options) -> None:
    """Show what one definition of an application changes in comparison with another."""
    async with reading() as reader:
        found = await application(reader, options)
        listed = (await reader.rows("application.versions", found["id"])).rows
        earlier = str(listed[1]["number"]) if len(listed) > 1 else None
        before = await version_of(reader, found, getattr(options, "from") or (None if options.file else earlier))
        after = definition.read(file_text(options.file)) if options.file else None
        if after is None:
            after = definition.read(await version_of(reader, found, options.to))
    assessed = Assessment(
        outcome="updated",
        application_id=found["id"],
        before=definition.as_text(before.get("version")),
        read=after,
        difference=compare(before, after.document),
    )
    if output.json:
        document = changes(assessed)
        output.document({name: document[name] for name in ("from", "to", "members", "fields")})
        return
    for line in lines(assessed) or ["They are the same."]:
        output.text(line.strip())


@command(UUID_OPTION, *DETAILS, KEY_OPTION)
async def create_application(output: Output, options: Options) -> None:
    """Create an application that takes no settings.

    `import-json` gives it some.
    """
    if not (options.name and options.executable):
        raise click.UsageError("An application needs a name and a program: --name and --executable.")
    document = {
        "$schema": FORMAT,
        "uuid": options.uuid or str(uuid.uuid4()),
        "description": "",
        **members(options),
        "environment": {},
    }
    async with acting() as act:
        known = await act.reader.row("application.find", None, document["uuid"].lower(), None)
        if known is not None:
            raise RefusedError(f"There is an application with the UUID {document['uuid']} already.", field="uuid")
        picture = icon_file(options.icon) if options.icon else None
        outcome = await act.execute(ImportApplication(definition=document), options.idempotency_key)
        if picture is not None:
            await set_icon(act.shell, outcome.id, picture, act.actor)
    warn(outcome, output)
    message = f"Application {outcome.id} was created."
    output.answer({"application_id": outcome.id}, message)


@command(*one_id("application"), UUID_OPTION, *DETAILS, KEY_OPTION)
async def update_application(output: Output, options: Options) -> None:
    """Change what an application is called and what it starts.

    `import-json` changes its settings. An empty value takes a member away: --homepage '', --icon ''.
    """
    changed = members(options)
    if not changed and options.icon is None:
        raise click.UsageError("What is to change? Give at least one field, e.g. --name.")
    async with acting() as act:
        found = await application(act.reader, options)
        document = await version_of(act.reader, found, None)
        document |= changed
        for name in [name for name, value in changed.items() if value in ("", []) and name != "description"]:
            del document[name]
        picture = icon_file(options.icon) if options.icon else None
        outcome = await act.execute(ImportApplication(definition=document), options.idempotency_key)
        updated = bool(outcome.events)
        if options.icon is not None:
            updated |= bool((await set_icon(act.shell, outcome.id, picture, act.actor)).events)
    warn(outcome, output)
    done = "was changed" if updated else "is like that already; nothing was changed"
    answer = {"updated": updated, "application_id": outcome.id}
    output.answer(answer, f"Application {outcome.id} {done}.")


def members(options: Options) -> dict[str, Any]:
    """Return the members of a definition that options give."""
    names = ("name", "description", "tags", "executable", "ociimage", "requirements", "homepage", "appversion")
    found = {MEMBERS.get(name, name): getattr(options, name) for name in names if getattr(options, name) is not None}
    for name in LISTS:
        if name in found:
            found[name] = [word.strip() for word in found[name].split(",") if word.strip()]
    return found


async def application(reader: Reader, options: Options) -> dict[str, Any]:
    """Return the application that options name by id or UUID.

    Raises
    ------
    MissingError
        There is none.
    click.UsageError
        None was named.
    """
    number = chosen_id(options)
    if not (number or options.uuid):
        raise click.UsageError("Which application? Give --id or --uuid.")
    found = await reader.row("application.find", number, options.uuid and options.uuid.lower(), None)
    if found is None:
        raise MissingError(NONE)
    return found


async def version_of(reader: Reader, found: dict[str, Any], version: str | None) -> dict[str, Any]:
    """Return a definition that an application has had, its members in the order of their author; None: the newest."""
    if version is None:
        return in_order(found["definition"], found["member_order"])
    row = await reader.row("application.version", found["id"], version)
    if row is None:
        raise MissingError(
            f"Application {found['id']} has had no version {version}. `application:versions` lists them."
        )
    return in_order(row["definition"], row["member_order"])
