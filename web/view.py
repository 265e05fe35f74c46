"""How one request is answered: its language, time zone, theme and company, and the addresses of other pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from litestar.utils.scope.state import ScopeState

from eventstore.connection import Companies
from web import times
from web.access import AnyRequest, acting_companies
from web.errors import N_, BadRequestError, NotFoundError
from web.preferences import PARAMETERS, language_of, theme_of, zone_of

BASE = "/multiflexi"
"""Path below which everything lies."""

NOT_A_NUMBER = N_("The parameter {name} is “{value}”; expected a number.")
MAX_ID = 2**31 - 1
"""Largest id there can be: a PostgreSQL ``integer``."""
LONGEST_ID = len(str(MAX_ID))


@dataclass(frozen=True)
class View:
    """How one request is answered.

    Attributes
    ----------
    companies : Companies
        Companies that the request acts for.
    company_id : int or None
        Company that the pages are narrowed to.
    language, theme : str
        As the viewer chose.
    chosen_zone : str or None
        IANA name of the zone that the viewer chose.
    path : str
        Path of the page.
    parameters : Mapping[str, str]
        Parameters of the page, without those that are kept in cookies.
    csrf_token : str
        What forms of the page send along.
    now : datetime
        The moment at which the request came.
    viewer : str or None
        Login of who is signed in by a session.
    sees_users : bool
        Whether they may see the users of the installation.
    """

    companies: Companies
    company_id: int | None
    language: str
    theme: str
    chosen_zone: str | None
    path: str
    parameters: Mapping[str, str]
    csrf_token: str
    now: datetime
    viewer: str | None = None
    sees_users: bool = False

    @classmethod
    def plain(cls, request: AnyRequest) -> View:
        """Return a view of a page that shows no data, as one that tells of an error."""
        return cls(
            companies=(),
            company_id=None,
            language=language_of(request),
            theme=theme_of(request),
            chosen_zone=zone_of(request),
            path=request.url.path,
            parameters={},
            csrf_token="",
            now=datetime.now(UTC),
        )

    @property
    def key(self) -> tuple[object, ...]:
        """What decides how a live part looks: viewers with the same key are sent the same."""
        acting = self.companies if isinstance(self.companies, str) else tuple(self.companies)
        return acting, self.company_id, self.language, self.chosen_zone

    def clock(self, company_zone: str | None = None) -> times.Clock:
        """Return what formats times: in the viewer's zone, else the company's, else the zone at home."""
        name = times.first_known(self.chosen_zone, company_zone, times.HOME)
        return times.Clock(self.language, name, datetime.now(UTC))

    def url(self, path: str = "", **parameters: object) -> str:
        """Return the address of a page, narrowed to the same company.

        Parameters
        ----------
        path : str
            Path below the base.
        parameters : object
            Parameters; those that are None are left out.
        """
        wanted: dict[str, object | None] = {"company": self.company_id, **parameters}
        query = urlencode({name: value for name, value in wanted.items() if value is not None})
        return f"{BASE}/{path}{'?' if query else ''}{query}"

    def number(self, name: str, otherwise: int = 0) -> int:
        """Return a parameter that is a number, ``otherwise`` if the address has none of this name.

        Raises
        ------
        BadRequestError
            It is no number, or one of too many digits.
        """
        text = self.parameters.get(name)
        if text is None:
            return otherwise
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise BadRequestError(NOT_A_NUMBER, name=name, value=text[:40])
        return int(text)

    def here(self, **changes: object) -> str:
        """Return the address of this page with some parameters changed, those that are None left out."""
        merged: dict[str, object | None] = {**self.parameters, **changes}
        query = urlencode({name: value for name, value in merged.items() if value is not None})
        return f"{self.path}{'?' if query else ''}{query}"


async def view_of(request: AnyRequest) -> View:
    """Return how a request is answered; the dependency ``view`` of all pages.

    Raises
    ------
    BadRequestError
        The parameter ``company`` is no id.
    """
    query = {name: value for name, value in request.query_params.items() if isinstance(value, str)}
    return View(
        companies=await acting_companies(request),
        company_id=identifier(query["company"], "company") if query.get("company") else None,
        language=language_of(request),
        theme=theme_of(request),
        chosen_zone=zone_of(request),
        path=f"{BASE}/" if request.url.path == BASE else request.url.path,
        parameters={name: value for name, value in query.items() if name not in PARAMETERS and value},
        csrf_token=str(ScopeState.from_scope(request.scope).csrf_token or ""),
        now=datetime.now(UTC),
        viewer=request.auth.login if request.auth is not None else None,
        sees_users=request.user.may("users.view"),
    )


def identifier(text: str, name: str) -> int:
    """Return an id that stands in an address.

    Raises
    ------
    BadRequestError
        It is no positive number, or one that no id can be.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_ID and 0 < int(text) <= MAX_ID):
        raise BadRequestError(NOT_A_NUMBER, name=name, value=text[:40])
    return int(text)


def named_id(name: str, missing: str) -> int:
    """Return the id in the address of a thing.

    Parameters
    ----------
    name : str
        Part of the address.
    missing : str
        What is told where it can be no id: the message that there is no such thing.

    Raises
    ------
    NotFoundError
        It cannot be one.
    """
    try:
        return identifier(name, "id")
    except BadRequestError:
        raise NotFoundError(missing, id=name[:40]) from None
