"""What the parameters of a page narrow a list to, checked."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Protocol

from projections.queries import query as shared
from web.database import Connection
from web.errors import N_, BadRequestError, NotFoundError
from web.view import View


class Choices(Container[str], Iterable[str], Protocol):
    """What there is to choose from."""


def one_of(view: View, name: str, choices: Choices) -> str | None:
    """Return a parameter that has one of a few values; None: it is not given.

    Raises
    ------
    BadRequestError
        It has another.
    """
    value = view.parameters.get(name)
    if value is not None and value not in choices:
        raise BadRequestError(
            N_("The parameter {name} is “{value}”; expected one of {expected}."),
            name=name,
            value=value[:40],
            expected=", ".join(choices),
        )
    return value


async def template_name(connection: Connection, template_id: int | None) -> str | None:
    """Return the name of the run template that a list is narrowed to; None: to none.

    Raises
    ------
    NotFoundError
        There is no such run template.
    """
    if template_id is None:
        return None
    template = await connection.fetchrow(shared("run_template.find"), template_id, None)
    if template is None:
        raise NotFoundError(N_("There is no run template {id}."), id=template_id)
    name: str = template["name"]
    return name
