"""What the credentials of a run template put into the environment of its jobs, and what hides what.

From the weakest to the strongest: defaults of the application, defaults of the prototype, the system file, the
company, the run template and the one-off values of the job, credentials. Of two credentials with the same field the
one that was assigned later counts. Credentials come last so that nobody who may run a job, but not see its credentials,
can send a password to an address of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from domain.credential_definition import Field


class Assigned(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as it is assigned.

    Attributes
    ----------
    given : frozenset[str]
        Fields that it or its type has a value of.
    """

    id: int
    name: str
    prototype: str
    fields: dict[str, Field]
    given: frozenset[str]

    @property
    def provided(self) -> list[str]:
        """Fields that it gives to jobs: those that the prototype has, and that have a value."""
        return [name for name in self.fields if name in self.given]


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A value that has no effect, because a credential has the same field.

    Attributes
    ----------
    field : str
        Name of the variable.
    tier : str
        Where the value that is hidden stands: ``company``, ``template``, ``job`` or ``credential``.
    hidden : str
        The same in words.
    credential_id : int
        The credential that hides it.
    """

    field: str
    tier: str
    hidden: str
    credential_id: int
    credential: str

    code: ClassVar[str] = "hidden_by_credential"

    @property
    def message(self) -> str:
        """The conflict in words."""
        return f"{self.hidden} {self.field} is hidden by credential {self.credential_id} “{self.credential}”."

    def __str__(self) -> str:
        return self.message


OWN = {"company": "The company's value", "template": "The run template's value", "job": "The job's value"}


def conflicts(assigned: Sequence[Assigned], tiers: Mapping[str, Iterable[str]]) -> list[Conflict]:
    """Return what credentials hide.

    Parameters
    ----------
    assigned : Sequence[Assigned]
        Credentials in the order in which they were assigned.
    tiers : Mapping[str, Iterable[str]]
        Names of the values of other tiers, by tier: a key of :data:`OWN`.
    """
    winners = {name: one for one in assigned for name in one.provided}
    found = [
        Conflict(field=name, tier=tier, hidden=OWN[tier], credential_id=winners[name].id, credential=winners[name].name)
        for tier, names in tiers.items()
        for name in sorted(names)
        if name in winners
    ]
    for one in assigned:
        for name in one.provided:
            winner = winners[name]
            if winner.id != one.id:
                hidden = f"The value of credential {one.id} “{one.name}” for"
                found.append(
                    Conflict(
                        field=name, tier="credential", hidden=hidden, credential_id=winner.id, credential=winner.name
                    )
                )
    return found
