"""``/multiflexi/health``: whether this process can serve pages, for load balancers and monitoring."""

from __future__ import annotations

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from web.data.dashboard import system
from web.errors import UnavailableError
from web.site import Site


class Health(msgspec.Struct, kw_only=True):
    """How this process is.

    Attributes
    ----------
    status : str
        ``ok``, ``late`` (what pages show is noticeably older than the log) or ``unavailable``.
    database : str
        ``up``, or what is wrong with it.
    version : str
        Version of the program.
    lag_seconds : float or None
        Seconds that the slowest read model is behind the log.
    live_clients : int
        Live pages that are open.
    """

    status: str
    database: str
    version: str
    lag_seconds: float | None = None
    live_clients: int = 0


@get("/health", exclude_from_csrf=True)
async def health(site: NamedDependency[Site]) -> Response[Health]:
    """Tell how this process is; 503 when it cannot serve pages."""
    try:
        async with site.database.reading(()) as connection:
            found = await system(connection)
    except UnavailableError as error:
        return Response(Health(status="unavailable", database=str(error), version=site.version), status_code=503)
    return Response(
        Health(
            status="late" if found.late else "ok",
            database="up",
            version=site.version,
            lag_seconds=round(found.lag_seconds, 3),
            live_clients=site.hub.watching,
        )
    )


HANDLERS = (health,)
