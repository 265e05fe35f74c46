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


DAEMON_VARIABLES = {kind: f"DATABASE_{kind.upper()}_URL" for kind in ("scheduler", "executor", "projector")}
"""Of each kind of daemon the variable that names its own login."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the database is and which key opens it.

    Attributes
    ----------
    database_url : str
        PostgreSQL URL of a login that may ``SET ROLE`` to ``multiflexi_app`` and ``multiflexi_auditor``.
    owner_url : str
        PostgreSQL URL of a login that may ``SET ROLE`` to ``multiflexi_owner`` (migrations, rebuilds, archiving).
    daemon_urls : tuple[tuple[str, str], ...]
        Of daemons that have a login of their own: kind and PostgreSQL URL (``DATABASE_SCHEDULER_URL`` and so on). The
        others use ``database_url``, whose login must then be able to take on their roles.
    master_key : str
        Secret that wraps all other keys (``ENCRYPTION_MASTER_KEY``); empty if there is none.
    previous_master_key : str
        The one before it, while a rotation is under way (``ENCRYPTION_MASTER_KEY_PREVIOUS``); usually empty.
    data_folder : Path
        Folder of the embedded PostgreSQL, its keys and its logs (``MULTIFLEXI_DATA``).
    """

    database_url: str
    owner_url: str
    daemon_urls: tuple[tuple[str, str], ...] = ()
    master_key: str
    previous_master_key: str = ""
    data_folder: Path

    def url_of(self, role: str) -> str:
        """Return the URL of the login that takes on a role.

        Raises
        ------
        SettingsError
            Only logins of other roles are named.
        """
        url = self.owner_url if role == "owner" else dict(self.daemon_urls).get(role, self.database_url)
        if not url:
            raise SettingsError(
                f"No login may act as multiflexi_{role} here: DATABASE_URL is not set. Set it, or "
                f"{DAEMON_VARIABLES.get(role, 'run this where it is set')}."
            )
        return url


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
    daemons = {kind: environment[name] for kind, name in DAEMON_VARIABLES.items() if environment.get(name)}
    if not url and not daemons:
        stored = _embedded_connection(folder)
        url, owner = stored["database_url"], stored["owner_url"]
        daemons = {kind: stored[f"{kind}_url"] for kind in DAEMON_VARIABLES if f"{kind}_url" in stored}
    return Settings(
        database_url=url,
        owner_url=owner,
        daemon_urls=tuple(daemons.items()),
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
