"""Settings of every process, read from the environment and, beside an embedded PostgreSQL, from its data folder.

Precedence: environment variables first; what they leave open comes from ``connection.json`` in the data folder, which
the supervisor writes when it has started the embedded PostgreSQL.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from eventstore.errors import SettingsError

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
"""Folder that holds the packages; the default data folder lies in it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the database is and which key opens it.

    Attributes
    ----------
    database_url : str
        PostgreSQL URL of a login that may ``SET ROLE`` to ``multiflexi_app``, ``multiflexi_daemon`` or
        ``multiflexi_auditor``.
    owner_url : str
        PostgreSQL URL of a login that may ``SET ROLE`` to ``multiflexi_owner`` (migrations, rebuilds, archiving).
    master_key : str
        Secret that wraps all other keys (``ENCRYPTION_MASTER_KEY``); empty if there is none.
    previous_master_key : str
        The one before it, while a rotation is under way (``ENCRYPTION_MASTER_KEY_PREVIOUS``); usually empty.
    data_folder : Path
        Folder of the embedded PostgreSQL, its keys and its logs (``MULTIFLEXI_DATA``).
    """

    database_url: str
    owner_url: str
    master_key: str
    previous_master_key: str = ""
    data_folder: Path


def data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the data folder: ``MULTIFLEXI_DATA``, or ``data`` beside the packages."""
    chosen = environment.get("MULTIFLEXI_DATA")
    return Path(chosen).expanduser().resolve() if chosen else PROJECT_FOLDER / "data"


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of this process.

    Parameters
    ----------
    environment : Mapping[str, str]
        Environment variables; those of the process unless told.

    Raises
    ------
    SettingsError
        No database is named, and no embedded one has been started in the data folder.
    """
    folder = data_folder(environment)
    url = environment.get("DATABASE_URL", "")
    owner = environment.get("DATABASE_OWNER_URL", url)
    if not url:
        stored = _embedded_connection(folder)
        url, owner = stored["database_url"], stored["owner_url"]
    return Settings(
        database_url=url,
        owner_url=owner,
        master_key=_master_key(environment, folder),
        previous_master_key=environment.get("ENCRYPTION_MASTER_KEY_PREVIOUS", ""),
        data_folder=folder,
    )


def _embedded_connection(folder: Path) -> dict[str, str]:
    path = folder / "connection.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        raise SettingsError(
            f"No database: DATABASE_URL is not set and there is no {path}. Set DATABASE_URL, or start the "
            "embedded PostgreSQL with `make run`."
        ) from None
    except msgspec.DecodeError as error:
        raise SettingsError(
            f"{path} is damaged ({error}). Stop MultiFlexi and start it again to write it anew."
        ) from None


def _master_key(environment: Mapping[str, str], folder: Path) -> str:
    for name in ("ENCRYPTION_MASTER_KEY", "MULTIFLEXI_MASTER_KEY"):
        if value := environment.get(name):
            return value
    path = folder / "master.key"
    return path.read_text().strip() if path.is_file() else ""
