"""The aggregates there are: of each category of streams, what is folded, what decides and what its commands are.

To add an aggregate ``thing``:

1. ``domain/thing_events.py``: a base ``ThingEvent(Event)`` with ``category = "thing"`` and the id ``thing_id``, and a
   frozen struct for each event; ``eventstore.codec`` imports the module, the tests keep a stored sample of each.
2. ``domain/thing.py``: the state ``Thing``, a base ``ThingCommand(Command)`` with the same category, one frozen struct
   for each command, ``decide(state, command)`` and ``evolve(state, event)``.
3. An entry in :data:`ALL` below: the shell of commands then loads, folds, decides and appends for it.
4. A sequence ``thing_id`` in a migration, and what its commands need filled in (``commands.registry``).
5. A read model in ``projections``, inline if commands must see it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from domain import (
    access_request,
    api_token,
    application,
    company,
    credential,
    credential_prototype,
    credential_type,
    customer,
    erasure,
    job,
    membership,
    run_template,
    server,
    system,
    user,
    user_group,
)
from domain.access_request_events import AccessRequestEvent
from domain.api_token_events import ApiTokenEvent
from domain.application_events import ApplicationEvent
from domain.command import Command
from domain.company_events import CompanyEvent
from domain.credential_events import CredentialEvent
from domain.credential_prototype_events import CredentialPrototypeEvent
from domain.credential_type_events import CredentialTypeEvent
from domain.customer_events import CustomerEvent
from domain.erasure_events import ErasureEvent
from domain.event import Event
from domain.job_events import JobEvent
from domain.membership_events import MembershipEvent
from domain.run_template_events import RunTemplateEvent
from domain.server_events import ServerEvent
from domain.system_events import SystemEvent
from domain.user_commands import UserCommand
from domain.user_events import UserEvent
from domain.user_group_events import UserGroupEvent


class Aggregate(msgspec.Struct, frozen=True):
    """One aggregate.

    Attributes
    ----------
    category : str
        Category of its streams.
    state : type
        What its events are folded into.
    events, commands : type
        Bases of its events and of its commands.
    decide, evolve : Callable
        ``decide(state, command) -> list[Event]`` and ``evolve(state, event) -> state``.
    unread : Mapping[str, msgspec.Raw]
        Large fields of its events that no decision looks at, each with the JSON text of an empty one: a stream is read
        without them to decide a command.
    """

    category: str
    state: type[msgspec.Struct]
    events: type[Event]
    commands: type[Command]
    decide: Callable[[Any, Any], list[Any]]
    evolve: Callable[[Any, Any], Any]
    unread: Mapping[str, msgspec.Raw] = {}

    def stream(self, entity_id: int) -> str:
        """Return the stream of one thing of this kind.

        Examples
        --------
        >>> COMPANY.stream(7)
        'company-7'
        """
        return f"{self.category}-{entity_id}"

    def fold(self, events: Iterable[Event], state: Any = None) -> Any:
        """Return the state that events lead to, None if there are none."""
        for event in events:
            state = self.evolve(state, event)
        return state


COMPANY = Aggregate("company", company.Company, CompanyEvent, company.CompanyCommand, company.decide, company.evolve)
APPLICATION = Aggregate(
    "application",
    application.Application,
    ApplicationEvent,
    application.ApplicationCommand,
    application.decide,
    application.evolve,
    {"definition": msgspec.Raw(b"{}"), "order": msgspec.Raw(b"{}"), "content": msgspec.Raw(b'""')},
)
RUN_TEMPLATE = Aggregate(
    "run_template",
    run_template.RunTemplate,
    RunTemplateEvent,
    run_template.RunTemplateCommand,
    run_template.decide,
    run_template.evolve,
)
JOB = Aggregate("job", job.Job, JobEvent, job.JobCommand, job.decide, job.evolve)
SYSTEM = Aggregate("system", system.System, SystemEvent, system.SystemCommand, system.decide, system.evolve)
CREDENTIAL_PROTOTYPE = Aggregate(
    "credential_prototype",
    credential_prototype.CredentialPrototype,
    CredentialPrototypeEvent,
    credential_prototype.CredentialPrototypeCommand,
    credential_prototype.decide,
    credential_prototype.evolve,
)
CREDENTIAL_TYPE = Aggregate(
    "credential_type",
    credential_type.CredentialType,
    CredentialTypeEvent,
    credential_type.CredentialTypeCommand,
    credential_type.decide,
    credential_type.evolve,
)
CREDENTIAL = Aggregate(
    "credential",
    credential.Credential,
    CredentialEvent,
    credential.CredentialCommand,
    credential.decide,
    credential.evolve,
)
USER = Aggregate("user", user.User, UserEvent, UserCommand, user.decide, user.evolve)
MEMBERSHIP = Aggregate(
    "membership",
    membership.Membership,
    MembershipEvent,
    membership.MembershipCommand,
    membership.decide,
    membership.evolve,
)
API_TOKEN = Aggregate(
    "api_token",
    api_token.ApiToken,
    ApiTokenEvent,
    api_token.ApiTokenCommand,
    api_token.decide,
    api_token.evolve,
)
CUSTOMER = Aggregate(
    "customer", customer.Customer, CustomerEvent, customer.CustomerCommand, customer.decide, customer.evolve
)
SERVER = Aggregate("server", server.Server, ServerEvent, server.ServerCommand, server.decide, server.evolve)
USER_GROUP = Aggregate(
    "user_group",
    user_group.UserGroup,
    UserGroupEvent,
    user_group.UserGroupCommand,
    user_group.decide,
    user_group.evolve,
)
ACCESS_REQUEST = Aggregate(
    "access_request",
    access_request.AccessRequest,
    AccessRequestEvent,
    access_request.AccessRequestCommand,
    access_request.decide,
    access_request.evolve,
)
ERASURE = Aggregate("erasure", erasure.Erasure, ErasureEvent, erasure.ErasureCommand, erasure.decide, erasure.evolve)

ALL = (
    COMPANY,
    APPLICATION,
    RUN_TEMPLATE,
    JOB,
    SYSTEM,
    CREDENTIAL_PROTOTYPE,
    CREDENTIAL_TYPE,
    CREDENTIAL,
    USER,
    MEMBERSHIP,
    API_TOKEN,
    CUSTOMER,
    SERVER,
    USER_GROUP,
    ACCESS_REQUEST,
    ERASURE,
)
BY_CATEGORY = {aggregate.category: aggregate for aggregate in ALL}


def of_command(command: Command) -> Aggregate:
    """Return the aggregate that a command is about.

    Examples
    --------
    >>> of_command(company.CreateCompany(name="Acme")).category
    'company'
    """
    return BY_CATEGORY[command.category]
