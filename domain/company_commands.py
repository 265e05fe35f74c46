"""What may be wished of a company."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from domain.command import Command
from domain.event import UNSET, Unset

DEFAULT_TIME_ZONE = "Europe/Prague"


class CompanyCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a company."""

    category: ClassVar[str] = "company"

    company_id: int


class CreateCompany(CompanyCommand, frozen=True, kw_only=True):
    """Set up a company.

    ``code`` is derived from the name when absent. The executor gives ``company_id`` and ``uuid``.
    """

    creates: ClassVar[bool] = True
    secret: ClassVar[tuple[str, ...]] = ("environment",)

    name: str
    code: str | None = None
    time_zone: str = DEFAULT_TIME_ZONE
    enabled: bool = True
    registration_number: str | None = None
    vat_number: str | None = None
    email: str | None = None
    logo: str | None = None
    customer_id: int | None = None
    server_id: int | None = None
    zabbix_host: str | None = None
    max_parallel: int | None = None
    settings: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    environment: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    keep_output: int | None = None
    keep_artifacts: int | None = None
    keep_history: int | None = None
    company_id: int = 0
    uuid: str = ""


class ChangeCompany(CompanyCommand, frozen=True, kw_only=True):
    """Change some fields of a company; None empties one, unset leaves it as it is.

    ``max_parallel`` is how many of its jobs run at once (None: any number); while it is ``paused``, none starts,
    for a ``pause_reason`` that is forgotten when it is resumed.
    ``environment`` takes the place of all variables of its jobs; ``set_environment`` changes single ones, None takes
    one away.
    """

    secret: ClassVar[tuple[str, ...]] = ("environment", "set_environment")

    name: str | Unset = UNSET
    code: str | Unset = UNSET
    time_zone: str | Unset = UNSET
    enabled: bool | Unset = UNSET
    registration_number: str | Unset | None = UNSET
    vat_number: str | Unset | None = UNSET
    email: str | Unset | None = UNSET
    logo: str | Unset | None = UNSET
    customer_id: int | Unset | None = UNSET
    server_id: int | Unset | None = UNSET
    zabbix_host: str | Unset | None = UNSET
    max_parallel: int | Unset | None = UNSET
    paused: bool | Unset = UNSET
    pause_reason: str | Unset | None = UNSET
    settings: dict[str, str] | Unset = UNSET
    environment: dict[str, str] | Unset = UNSET
    keep_output: int | Unset | None = UNSET
    keep_artifacts: int | Unset | None = UNSET
    keep_history: int | Unset | None = UNSET
    set_environment: dict[str, str | None] = msgspec.field(default_factory=dict[str, str | None])


class SuspendCompany(CompanyCommand, frozen=True, kw_only=True):
    """Let nothing of a company be due until it is resumed; with ``archived`` it leaves the lists, too."""

    reason: str | None = None
    archived: bool = False


class RestoreCompany(CompanyCommand, frozen=True, kw_only=True):
    """End the suspension of a company, and bring it back from the archive."""


class AssignApplication(CompanyCommand, frozen=True, kw_only=True):
    """Give a company an application of the catalogue."""

    application_id: int


class UnassignApplication(CompanyCommand, frozen=True, kw_only=True):
    """Take an application from a company.

    With ``cascade`` the run templates that use it go with it; without, it is refused while there are any.
    """

    application_id: int
    cascade: bool = False


class RemoveCompany(CompanyCommand, frozen=True, kw_only=True):
    """Let a company go.

    With ``cascade`` its run templates, its credentials and their types go with it; without, it is refused while there
    are any. The keys of its credentials and of its environment are destroyed.
    """

    cascade: bool = False
