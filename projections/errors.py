"""Errors of projections; each message says what to do."""

from __future__ import annotations


class ProjectionError(Exception):
    """Base of the errors of projections."""


class UnknownProjectionError(ProjectionError):
    """There is no projection of that name."""


class ProjectionVersionError(ProjectionError):
    """The tables of a projection belong to another version of the program."""


class ProjectionLagError(ProjectionError):
    """A projection did not reach a place in the log in time."""


class RebuildError(ProjectionError):
    """Rebuilt read models cannot be put in place."""


class ReplayError(ProjectionError):
    """A replay cannot be made."""
