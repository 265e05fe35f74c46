"""What can go wrong for a user of the web interface, one tree; each message says what happened and what to do."""

from __future__ import annotations


class WebError(Exception):
    """Base of all errors of the web interface.

    Attributes
    ----------
    status : int
        HTTP status (RFC 9110) of the answer.
    """

    status = 500


class BadRequestError(WebError):
    """A parameter of the request is not what is expected there."""

    status = 400


class NotFoundError(WebError):
    """What was asked for does not exist, or is not for this user to see."""

    status = 404


class RefusedError(WebError):
    """A command was refused by the rules of the domain."""

    status = 409


class UnavailableError(WebError):
    """The database cannot be read at the moment. The page tries again by itself."""

    status = 503
