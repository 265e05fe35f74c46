"""``python -m web``: serve the web interface until a signal comes."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType

import structlog
import uvicorn
from litestar import Litestar

from eventstore.errors import EventStoreError, SettingsError
from eventstore.settings import load
from web.app import create_app

HOST = "127.0.0.1"
PORT = 8080
GRACE = 2
"""Seconds that open answers get to end; live streams end at once."""


class Server(uvicorn.Server):
    """A server whose live streams end when it is told to stop."""

    def __init__(self, config: uvicorn.Config, app: Litestar) -> None:
        super().__init__(config)
        self._hub = app.state.site.hub

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """End the live streams, then all else."""
        self._hub.close()
        await super().shutdown(None)


def address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Return the host and the port to listen on.

    Raises
    ------
    SettingsError
        ``MULTIFLEXI_PORT`` is no port.
    """
    text = environment.get("MULTIFLEXI_PORT") or str(PORT)
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 <= int(text) <= 65535):
        raise SettingsError(f"MULTIFLEXI_PORT is {text!r}; a port is a number from 1 to 65535.")
    return environment.get("MULTIFLEXI_HOST") or HOST, int(text)


def configure_log() -> None:
    """Log one line an event to standard error; a traceback shows no values, which may be secret."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _leave_quietly(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the server raises the signal again after it has shut down, and that is the end anyway."""


def main() -> int:
    """Serve until SIGTERM or SIGINT.

    Returns
    -------
    int
        Exit code: 0 after a signal, 1 if the settings are wrong, 3 if the port is taken.
    """
    configure_log()
    try:
        host, port = address(os.environ)
        app = create_app(load())
    except EventStoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave_quietly)
    config = uvicorn.Config(
        app, host=host, port=port, timeout_graceful_shutdown=GRACE, access_log=False, log_level="info", lifespan="on"
    )
    Server(config, app).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
