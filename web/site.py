"""What all handlers share: the database, live updates, templates, files. One object, made with the application."""

from __future__ import annotations

from dataclasses import dataclass

from litestar import Request
from litestar.datastructures import State

from web.assets import Assets
from web.database import Database
from web.live import Hub, Snapshots
from web.rendering import Renderer


@dataclass(frozen=True)
class Site:
    """What all handlers share; ``secret`` signs what a browser keeps between two steps."""

    database: Database
    hub: Hub
    snapshots: Snapshots
    renderer: Renderer
    assets: Assets
    version: str
    secret: str


async def site_of(state: State) -> Site:
    """Return what all handlers share; the dependency ``site``."""
    return state.site


def site_in(request: Request[object, object, State]) -> Site:
    """Return the same where there are no dependencies, as in handlers of errors."""
    return request.app.state.site
