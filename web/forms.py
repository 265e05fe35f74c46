"""Forms: what was sent in one, and what the rules refuse of it, told beside the field at fault.

Examples
--------
>>> from domain.errors import ValidationError
>>> def saved(reason: str, field: str) -> str:
...     wrong = Wrong(str.upper, ("name",))
...     with wrong:
...         raise ValidationError(reason, field=field)
...     return f"{wrong.fields}"
>>> saved("too long", "name"), saved("too long", "company_id")
("{'name': 'too long'}", "{'': 'too long'}")
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import TracebackType

from domain.errors import DomainError, ForbiddenError
from domain.field_values import FieldsError
from web import refusals
from web.access import AnyRequest
from web.words import Translate

ABOVE = ""
"""What is wrong and concerns no field of the form stands above it."""

ENVIRONMENT = "environment"
LONGEST_KEY = 200


class Wrong:
    """What is wrong with a form; a refusal of what is done in its ``with`` block is one more thing.

    Who may not do it is told so on a page of its own: that passes through, as do all faults of the program.

    Parameters
    ----------
    translate : Translate
        Into the language of the viewer.
    shown : Collection[str]
        Fields that the form shows. What concerns any other stands above the form, so that it is seen.
    fields, variables : Mapping[str, str]
        What is known to be wrong already.

    Attributes
    ----------
    fields : dict[str, str]
        By the name of the field; :data:`ABOVE` for the form as a whole.
    variables : dict[str, str]
        By the name of the variable of the environment; :data:`ABOVE` for all of them.
    """

    def __init__(
        self,
        translate: Translate,
        shown: Collection[str] = (),
        fields: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._translate = translate
        self._shown = shown
        self.fields = dict(fields or {})
        self.variables = dict(variables or {})

    def __bool__(self) -> bool:
        return bool(self.fields or self.variables)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, DomainError) or isinstance(error, ForbiddenError):
            return False
        self.add(error)
        return True

    def add(self, error: DomainError) -> None:
        """Put a refusal down beside what it concerns."""
        if isinstance(error, FieldsError) and ENVIRONMENT not in self._shown:
            self.variables |= {name: refusals.misfit(why, self._translate) for name, why in error.fields.items()}
        elif error.field == ENVIRONMENT and ENVIRONMENT not in self._shown:
            self.variables[ABOVE] = refusals.told(error, self._translate)
        else:
            field = error.field if error.field in self._shown else ABOVE
            self.fields[field or ABOVE] = refusals.told(error, self._translate)


async def sent(request: AnyRequest) -> dict[str, str]:
    """Return the texts of the form that was sent."""
    return {name: str(value) for name, value in (await request.form()).items() if isinstance(value, str)}


def key_of(form: Mapping[str, object]) -> str | None:
    """Return the idempotency key of a form, by which it is carried out once however often it is sent."""
    return str(form.get("key") or "")[:LONGEST_KEY] or None
