"""Logins of the embedded PostgreSQL. Each may take on its roles with SET ROLE, and has no rights before."""

from __future__ import annotations

SUPERUSER = "postgres"
OWNER_ROLE = "multiflexi_owner"
OWNER_LOGIN = "multiflexi_owner_login"
APP_LOGIN = "multiflexi_app_login"
DAEMON_LOGINS = {kind: f"multiflexi_{kind}_login" for kind in ("scheduler", "executor", "projector")}
"""Of each kind of daemon its own."""

ALL = (SUPERUSER, OWNER_LOGIN, APP_LOGIN, *DAEMON_LOGINS.values())
