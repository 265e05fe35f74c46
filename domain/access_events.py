"""Events of access that was refused: stream ``access-USER``, ``access-USER-COMPANY`` where a company was concerned."""

from __future__ import annotations

from typing import ClassVar

from domain.event import Event


class AccessEvent(Event, frozen=True, kw_only=True):
    """Base of the events of access."""

    category: ClassVar[str] = "access"

    user_id: int


class AccessDenied(AccessEvent, frozen=True, kw_only=True):
    """A user was refused what they wished.

    ``wish`` is the name of a command or of what was to be seen, ``permission`` what it needs, ``token_id`` the API
    token that was used. After the ``last`` one, the user was refused so often that no more is put down for an hour.
    """

    wish: str
    permission: str
    company_id: int | None = None
    token_id: int | None = None
    last: bool = False
