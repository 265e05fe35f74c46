"""The field of a form in which a company is chosen that something is made for."""

from __future__ import annotations

from collections.abc import Iterable

from web.access import AnyRequest, need
from web.data.company_choice import CompanyChoice
from web.errors import N_

NO_COMPANY = N_("Choose a company.")


async def company_missing(
    request: AnyRequest, sent: str, offered: Iterable[CompanyChoice], permission: str, *, wish: str
) -> str | None:
    """Return what is wrong with the company that was sent, in English; None if it is one of those offered.

    Raises
    ------
    DeniedError
        It is a company in which the sender may not do this; that is put down.
    """
    if sent in {str(one.id) for one in offered}:
        return None
    if sent.isascii() and sent.isdigit():
        await need(request, permission, int(sent[:10]), wish=wish)
    return NO_COMPANY
