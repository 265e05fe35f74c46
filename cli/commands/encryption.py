"""Keys of the installation: how they stand, made, replaced by newer ones, wrapped by another master key."""

from __future__ import annotations

from typing import Any

import click

from cli.acting import acting
from cli.command import Options, command, flag, option
from cli.commands.credential_type import COMPANY
from cli.failure import RefusedError
from cli.finding import company_id
from cli.output import Output
from cli.progress import Progress
from cli.reading import reading
from cli.values import Count
from commands.reencryption import (
    BATCH,
    Reencrypted,
    companies_with_values,
    count_outdated,
    forget_old_keys,
    reencrypt,
    renew_keys,
)
from eventstore.errors import MasterKeyError
from eventstore.rotation import rotate
from eventstore.settings import load
from eventstore.vault import vault_owner

SHOWN = ("key_name", "company_id", "version", "algorithm", "status", "created_at", "rotated_at")
MOST_SHOWN = 100
MASTER = "SELECT m.id, m.created_at FROM master_keys m WHERE m.retired_at IS NULL ORDER BY m.id DESC LIMIT 1"
BATCH_OPTION = option(
    "batch-size", type=Count(1), metavar="N", default=BATCH, help=f"So many at once; {BATCH} unless told."
)


@command(*COMPANY, flag("all", help="Keys of people and of output, too."))
async def show_status(output: Output, options: Options) -> int:
    """Show the keys there are.

    Whether the master key opens them is told, too. Exits with 1 if it is missing or wrong, or if values cannot be
    opened any more.
    """
    async with reading() as reader:
        settings = reader.settings
        try:
            keyring = await reader.keyring()
            state, why = ("configured", None) if keyring.master_id else ("not set up", None)
        except MasterKeyError as error:
            state, why = ("wrong" if settings.master_key else "missing", str(error))
        owner = await company_id(reader, options)
        keys = (await reader.rows("credential.keys", owner, options.all)).rows
        figures = (await reader.rows("credential.key_figures")).rows
        (values,) = (await reader.rows("credential.values_by_key")).rows
        masters = (await reader.fetch(MASTER)).rows
    for key in keys:
        key["status"] = "active" if key["is_active"] else "inactive"
    data: dict[str, Any] = {
        "master_key": state,
        "master_key_id": masters[0]["id"] if masters else None,
        "total_keys": sum(row["keys"] for row in figures),
        "active_keys": sum(row["active"] for row in figures),
        "values": values["values"],
        "values_under_older_keys": values["outdated"] - values["lost"],
        "values_without_key": values["lost"],
        "kinds": figures,
        "keys": keys,
    }
    well = state in ("configured", "not set up") and not values["lost"]
    if output.json:
        message = why or ("Encryption status retrieved" if well else "Some values cannot be opened any more.")
        output.document({"success": well, "message": message, "data": data})
        return 0 if well else 1
    told = {name: value for name, value in data.items() if name not in ("keys", "kinds")}
    output.record(told)
    if keys:
        output.text("")
        output.table(SHOWN, keys[:MOST_SHOWN])
    if len(keys) > MOST_SHOWN:
        output.remark(f"… and {len(keys) - MOST_SHOWN} more; --company shows those of one, --format json all.")
    if why:
        output.remark(why)
    return 0 if well else 1


@command(
    *COMPANY,
    flag("force", help="Replace keys that are there by newer ones, and encrypt all values anew."),
    flag("forget-old", help="Destroy older keys that no value needs; what the log holds under them is erased."),
    BATCH_OPTION,
)
async def init_keys(output: Output, options: Options) -> None:
    """Make the keys of credentials, or replace them by newer ones.

    Those that are there are replaced with --force alone.
    Jobs may run meanwhile: what older keys encrypted is read until it is encrypted anew. It can be interrupted at any
    moment; `credential:encrypt-existing` goes on.
    """
    async with acting() as act:
        owner = await company_id(act.reader, options)
        companies = [owner] if owner is not None else await companies_with_values(act.shell)
        result = Reencrypted()
        if options.force:
            await renew_keys(act.shell, companies)
            with Progress("Encrypted anew", output) as progress:
                result = await reencrypt(
                    act.shell, act.actor, batch=options.batch_size, company_id=owner, progress=progress
                )
        else:
            for company in companies:
                await act.store.keyring.ensure(vault_owner(company), company)
        forgotten = await forget_old_keys(act.shell) if options.forget_old else 0
    text = (
        f"{len(companies)} keys were replaced, {result.done} credentials, types and environments were encrypted anew."
        if options.force
        else f"The keys of {len(companies)} companies are there."
    )
    tell(output, result, text, companies=len(companies), rotated=options.force, forgotten=forgotten)


@command(flag("dry-run", help="Tell how many there are, and change nothing."), BATCH_OPTION)
async def encrypt_existing(output: Output, options: Options) -> None:
    """Encrypt anew what is still under keys that were replaced.

    It goes on where it was interrupted.
    """
    async with acting() as act:
        if options.dry_run:
            left = await count_outdated(act.shell)
            message = f"{left} credentials, types and environments have values under keys that were replaced."
            output.answer({"status": "success", "message": message, "outdated": left, "dry_run": True}, message)
            return
        with Progress("Encrypted anew", output) as progress:
            result = await reencrypt(act.shell, act.actor, batch=options.batch_size, progress=progress)
    tell(output, result, f"{result.done} credentials, types and environments were encrypted anew.")


@command(BATCH_OPTION)
async def rewrap_keys(output: Output, options: Options) -> None:
    """Wrap all stored keys by a new master key.

    ENCRYPTION_MASTER_KEY is the new one, ENCRYPTION_MASTER_KEY_PREVIOUS the one up to now; all parts must have been
    started with both. Afterwards they can be started with the new one alone. Needs the owner's login
    (DATABASE_OWNER_URL).
    """
    settings = load()
    if not settings.previous_master_key:
        raise click.UsageError(
            "Both master keys are needed: the new one as ENCRYPTION_MASTER_KEY, the one up to now as "
            "ENCRYPTION_MASTER_KEY_PREVIOUS."
        )
    with Progress("Wrapped anew", output) as progress:
        done = await rotate(
            settings.url_of("owner"),
            settings.previous_master_key,
            settings.master_key,
            batch=options.batch_size,
            progress=progress,
        )
    message = f"{done.keys} keys were wrapped by master key {done.master_id}."
    document = {"status": "success", "message": message, "master_key_id": done.master_id, "keys": done.keys}
    output.answer(document, message)


def tell(output: Output, result: Reencrypted, text: str, **more: Any) -> None:
    """Answer what was encrypted anew.

    Raises
    ------
    RefusedError
        Some values could not be opened; they stay as they are.
    """
    if result.damaged:
        raise RefusedError(
            f"{text} {len(result.damaged)} could not be opened and stay as they are: {', '.join(result.damaged[:5])}. "
            "Give them new values.",
            reencrypted=result.done,
            damaged=result.damaged,
        )
    output.answer({"status": "success", "message": text, "reencrypted": result.done, **more}, text)
