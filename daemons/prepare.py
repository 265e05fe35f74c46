"""Make a database ready: migrate it, then make or renew its read models."""

from __future__ import annotations

from projections.setup import install_all
from schema.migrate import migrate


def prepare(owner_url: str) -> list[str]:
    """Migrate the database, then make the read models that are missing and rebuild those of an older version.

    Parameters
    ----------
    owner_url : str
        PostgreSQL URL of a login that is a member of ``multiflexi_owner``.

    Returns
    -------
    list[str]
        What was done, a line each; empty if there was nothing to do.

    Raises
    ------
    schema.errors.SchemaError
        The database cannot be migrated.
    """
    return [f"migration {name}" for name in migrate(owner_url)] + install_all(owner_url)
