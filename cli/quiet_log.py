"""What the event store logs, for somebody who runs a single command: warnings, on standard error, a line each."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_log() -> None:
    """Log warnings to standard error, so that answers on standard output stay clean."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.dev.ConsoleRenderer(colors=False)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
