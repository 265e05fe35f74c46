"""The values that a job gets from the credentials of its run template, opened at its start and kept nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import msgspec

from daemons.recorder import FencedError
from domain.credential_definition import Field, fields
from domain.credential_values import missing, password_in
from domain.sealed import Sealed
from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import DatabaseUnavailableError, MasterKeyError, SecretError
from eventstore.keyring import Keyring
from eventstore.store import EventStore
from eventstore.vault import open_all

RETRY_AFTER = 0.5
"""Seconds after which a database that was away is asked for keys again."""

CREDENTIALS = "SELECT credentials_of($1)"
"""The credentials of a run template. $1: its id."""


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


class CredentialError(Exception):
    """A job cannot be given its credentials; the message says why, and tells no value."""


async def credentials_of(store: EventStore, run_template_id: int, listed: str, given_up: Callable[[], bool]) -> Opened:
    """Open the credentials of a claimed job; waits for a database that is away.

    Parameters
    ----------
    store : EventStore
        Where their keys are.
    run_template_id : int
        Whose credentials they are.
    listed : str
        What the claim answered of them: JSON, as the function ``credentials_of`` of the database gives it. Keys may
        have been replaced since, so it is asked once more if something does not open.
    given_up : Callable
        Whether the job is another's by now.

    Raises
    ------
    CredentialError
        A value cannot be opened: its key was destroyed, it was altered, or the master key is not at hand.
    FencedError
        The job was given up meanwhile.
    """
    asked_again = False
    while not given_up():
        try:
            return await opened(store.keyring, msgspec.json.decode(listed))
        except (SecretError, MasterKeyError) as error:
            if asked_again:
                raise CredentialError(f"The credentials of this job cannot be opened. {error}") from None
            asked_again = True
            with suppress(DatabaseUnavailableError, *DATABASE_ERRORS):
                listed = await store.pool.fetchval(CREDENTIALS, run_template_id) or "[]"
        except (DatabaseUnavailableError, *DATABASE_ERRORS):
            await asyncio.sleep(RETRY_AFTER)
    raise FencedError


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
