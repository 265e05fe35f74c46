"""What credentials put into the environment of a job, opened: at its start, or when it is only tried."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from domain.credential_definition import Field, fields
from domain.credential_values import missing, password_in
from domain.sealed import Sealed
from eventstore.keyring import Keyring
from eventstore.vault import open_all


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What credentials put into an environment.

    Attributes
    ----------
    values : dict[str, str]
        Values that go before those of all other tiers.
    defaults : dict[str, str]
        Values of the prototypes, for what no tier gives.
    required : dict[str, str]
        Fields that must have a value, each with the name of its credential.
    secrets : list[str]
        Values, and passwords within addresses, that the output of the job must not show.
    """

    values: dict[str, str]
    defaults: dict[str, str]
    required: dict[str, str]
    hidden: frozenset[str]
    secrets: list[str]


NONE = Opened(values={}, defaults={}, required={}, hidden=frozenset(), secrets=[])


async def opened(keyring: Keyring, listed: Iterable[dict[str, Any]]) -> Opened:
    """Return what credentials put into an environment, each as ``credentials_of`` of the database gives it.

    Raises
    ------
    SecretError, MasterKeyError
        A value cannot be opened.
    """
    values: dict[str, str] = {}
    defaults: dict[str, str] = {}
    required: dict[str, str] = {}
    known: dict[str, Field] = {}
    for entry in listed:
        named = fields({"fields": entry["fields"] or []})
        sealed = _places(entry, named)
        clear = await open_all(keyring, list(sealed.values()))
        given = dict(zip(sealed, clear, strict=True))
        # Of two credentials with the same field the one assigned later counts.
        values |= given
        known |= named
        defaults.update((name, field.default) for name, field in named.items() if field.default)
        required.update((name, entry["name"]) for name in missing(named, given))
    hidden = frozenset(name for name, field in known.items() if field.secret)
    within = (password_in(value) for value in values.values())
    secrets = [values[name] for name in hidden if values.get(name)] + [found for found in within if found]
    required = {name: credential for name, credential in required.items() if name not in values}
    return Opened(values=values, defaults=defaults, required=required, hidden=hidden, secrets=secrets)


def _places(entry: dict[str, Any], named: dict[str, Field]) -> dict[str, tuple[str, Sealed]]:
    """Return the sealed values of a credential with their places, its own before those of its type, by field."""
    found: dict[str, tuple[str, Sealed]] = {}
    for stream, values in (
        (f"credential_type-{entry['type_id']}", entry["shared"]),
        (f"credential-{entry['id']}", entry["values"]),
    ):
        for name, value in (values or {}).items():
            if name in named:
                found[name] = (f"{stream}|{name}", msgspec.convert(value, Sealed))
    return found
