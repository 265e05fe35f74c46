"""What can go wrong for a user of the web interface, one tree; each message says what happened and what to do."""

from __future__ import annotations

from collections.abc import Callable


class WebError(Exception):
    """Base of all errors of the web interface.

    Parameters
    ----------
    text : str
        What to tell the user, marked for translation; ``{name}`` stands for a value.
    values : object
        The values.

    Attributes
    ----------
    status : int
        HTTP status (RFC 9110) of the answer.
    """

    status = 500

    def __init__(self, text: str, **values: object) -> None:
        super().__init__(text.format(**values))
        self.text = text
        self.values = values

    def told(self, translate: Callable[[str], str]) -> str:
        """Return what to tell the user, in their language."""
        return translate(self.text).format(**self.values)


def N_(text: str) -> str:  # noqa: N802 - the name that gettext tools look for
    """Mark a text for translation."""
    return text


class BadRequestError(WebError):
    """A parameter of the request is not what is expected there."""

    status = 400


class NotFoundError(WebError):
    """What was asked for does not exist, or is not for this user to see."""

    status = 404


class GoneError(WebError):
    """What was asked for existed and was removed for good."""

    status = 410


class RefusedError(WebError):
    """A command was refused by the rules of the domain."""

    status = 409


class UnavailableError(WebError):
    """The database cannot be read at the moment. The page tries again by itself."""

    status = 503
