"""Values of credentials as people are shown them: secrets masked, or revealed once that is on the record."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from commands.actor import Actor
from commands.shell import Shell
from domain.credential import RevealCredential
from domain.credential_definition import Field, fields
from domain.credential_values import NOT_SET, SHOWN, password_in
from domain.errors import NotFoundError
from domain.sealed import Sealed
from eventstore.errors import SecretError
from eventstore.keyring import Keyring
from eventstore.vault import open_all

LOST = "(cannot be opened)"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A value as it is shown.

    Attributes
    ----------
    source : str
        ``credential``, ``type`` (shared), ``default``, or empty: there is none.
    """

    field: Field
    text: str
    source: str


async def shown(keyring: Keyring, row: Mapping[str, Any], revealed: Collection[str] = ()) -> dict[str, Shown]:
    """Return the values of a credential, or of a type, as a query gives it (JSON decoded), by field.

    Parameters
    ----------
    keyring : Keyring
        Opens what is shown in clear.
    row : Mapping[str, Any]
        ``id``, ``definition``, ``shared``, ``values``; ``credential_type_id`` unless the row is a type.
    revealed : Collection[str]
        Secrets to show in clear, once that is on the record.
    """
    named = fields(row["definition"])
    type_id = row.get("credential_type_id", row["id"])
    found: dict[str, Shown] = {}
    for name, field in named.items():
        for source, stream, values in (
            ("credential", f"credential-{row['id']}", row["values"]),
            ("type", f"credential_type-{type_id}", row["shared"]),
        ):
            if sealed := (values or {}).get(name):
                text = await _text(keyring, f"{stream}|{name}", sealed, field, reveal=name in revealed)
                found[name] = Shown(field=field, text=text, source=source)
                break
        else:
            source = "default" if field.default else ""
            found[name] = Shown(field=field, text=field.default or NOT_SET, source=source)
    return found


async def _text(keyring: Keyring, place: str, sealed: dict[str, Any], field: Field, *, reveal: bool) -> str:
    if field.secret and not reveal:
        return SHOWN
    try:
        (clear,) = await open_all(keyring, [(place, msgspec.convert(sealed, Sealed))])
    except SecretError:
        return LOST
    within = None if reveal else password_in(clear)
    return clear.replace(within, SHOWN) if within else clear


async def reveal(shell: Shell, actor: Actor, credential_id: int, reason: str | None = None) -> dict[str, str]:
    """Return all values of a credential in clear, after it was noted who sees them.

    Raises
    ------
    DomainError
        There is no such credential, it is write-only, or the actor may not see it.
    """
    await shell.execute(RevealCredential(credential_id=credential_id, fields=[], reason=reason), actor)
    row = await shell.facts.row("credential", credential_id)
    if row is None:
        raise NotFoundError(f"There is no credential {credential_id}.", code="credential_not_found")
    decoded = {name: msgspec.json.decode(row[name] or "{}") for name in ("definition", "shared", "values")}
    everything = await shown(shell.store.keyring, {**row, **decoded}, fields(decoded["definition"]))
    return {name: one.text for name, one in everything.items() if one.source in ("credential", "type")}
