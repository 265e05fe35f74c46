"""Commands of companies: their codes are unique, and what depends on a company changes with it."""

from __future__ import annotations

from commands.facts import present
from commands.preparing import TEMPLATE_OWNER, Desk, Prepared, filled, fresh_id, guard
from domain.access_request import WithdrawRequest
from domain.aggregates import APPLICATION
from domain.command import Command
from domain.company import (
    AssignApplication,
    ChangeCompany,
    CreateCompany,
    RemoveCompany,
    RestoreCompany,
    SuspendCompany,
    UnassignApplication,
    code_from_name,
    warnings,
)
from domain.credential import RemoveCredential
from domain.credential_type import RemoveCredentialType
from domain.errors import StateError, TakenError
from domain.event import UNSET, Unset
from domain.membership import GrantMembership, RevokeMembership
from domain.run_template import RemoveRunTemplate, RescheduleRunTemplate
from eventstore.vault import vault_owner


async def prepare_create(desk: Desk, command: CreateCompany) -> Prepared:
    """Give a company its id and UUID, and see that its code is free."""
    company_id = await fresh_id(desk, command)
    await _check_code(desk, command.code or code_from_name(command.name), company_id)
    await _check_links(desk, command)
    return Prepared(
        command=filled(command, company_id=company_id, uuid=desk.new_uuid()),
        fresh=True,
        consequences=_founder(desk, company_id),
        warnings=tuple(warnings(command)),
    )


async def prepare_change(desk: Desk, command: ChangeCompany) -> Prepared:
    """See that a new code is free, and let templates that follow the company's time zone be due anew."""
    if command.code is not UNSET:
        await _check_code(desk, command.code, command.company_id)
    await _check_links(desk, command)
    company = await present(desk.facts, "company", command.company_id, "company")
    enabled: bool = company["enabled"] if isinstance(command.enabled, Unset) else command.enabled
    zone: str = company["time_zone"] if isinstance(command.time_zone, Unset) else command.time_zone.strip()
    consequences: tuple[RescheduleRunTemplate, ...] = ()
    if enabled != company["enabled"]:
        consequences = await _rescheduled(desk, command.company_id, zone, dormant=not enabled)
    elif zone != company["time_zone"]:
        templates = await desk.facts.ids("run_templates_by_company_time", command.company_id)
        consequences = tuple(
            RescheduleRunTemplate(run_template_id=one, zone=zone, dormant=not enabled) for one in templates
        )
    return Prepared(command=command, consequences=consequences, warnings=tuple(warnings(command)))


async def prepare_suspend(desk: Desk, command: SuspendCompany | RestoreCompany) -> Prepared:
    """Let nothing of a company be due any more, or everything again from now on."""
    company = await present(desk.facts, "company", command.company_id, "company")
    enabled = isinstance(command, RestoreCompany)
    consequences: tuple[RescheduleRunTemplate, ...] = ()
    if enabled != company["enabled"]:
        consequences = await _rescheduled(desk, command.company_id, company["time_zone"], dormant=not enabled)
    return Prepared(command=command, consequences=consequences)


async def _rescheduled(desk: Desk, company_id: int, zone: str, *, dormant: bool) -> tuple[RescheduleRunTemplate, ...]:
    templates = await desk.facts.ids("run_templates_scheduled", company_id, None)
    return tuple(RescheduleRunTemplate(run_template_id=one, zone=zone, dormant=dormant, all=True) for one in templates)


async def prepare_assign(desk: Desk, command: AssignApplication) -> Prepared:
    """See that an application is there before a company is given it."""
    application = await present(desk.facts, "application", command.application_id, "application")
    return Prepared(command=command, guards=(guard(APPLICATION, application, company_id=None),))


async def prepare_unassign(desk: Desk, command: UnassignApplication) -> Prepared:
    """Let the run templates of an application that a company gives back go with it, or refuse while there are any."""
    templates = await desk.facts.ids("run_templates", command.company_id, command.application_id)
    if templates and not command.cascade:
        raise StateError(
            f"Company {command.company_id} has {len(templates)} run templates of application {command.application_id}. "
            "Remove them first, or take the application away with all that depends on it.",
            field="application_id",
            code="application_in_use",
        )
    gone = tuple(RemoveRunTemplate(run_template_id=one) for one in templates)
    return Prepared(command=command, consequences=gone, last=True, again_when_taken=(TEMPLATE_OWNER,))


async def prepare_remove(desk: Desk, command: RemoveCompany) -> Prepared:
    """Let run templates and credentials of a company go with it, and its keys; or refuse while there are any."""
    number = command.company_id
    templates = await desk.facts.ids("run_templates", number, None)
    credentials = await desk.facts.ids("credentials_of_company", number)
    types = await desk.facts.ids("types_of_company", number)
    if (templates or credentials or types) and not command.cascade:
        there = {"run templates": templates, "credentials": credentials, "credential types": types}
        counted = ", ".join(f"{len(ids)} {what}" for what, ids in there.items() if ids)
        raise StateError(
            f"Company {number} has {counted}. Remove them first, or remove the company with all that depends on it.",
            field="company_id",
            code="company_in_use",
        )
    gone: list[Command] = [RemoveRunTemplate(run_template_id=one) for one in templates]
    gone += [RemoveCredential(credential_id=one, leaving=True) for one in credentials]
    gone += [RemoveCredentialType(credential_type_id=one, leaving=True) for one in types]
    # Who was let in is let out, so that the log tells it as of any other company that they leave.
    gone += [RevokeMembership(membership_id=one) for one in await desk.all_facts.ids("memberships_of_company", number)]
    gone += [WithdrawRequest(access_request_id=one) for one in await desk.all_facts.ids("requests_of_company", number)]
    return Prepared(
        command=command,
        consequences=tuple(gone),
        last=True,
        again_when_taken=(TEMPLATE_OWNER,),
        destroyed=(vault_owner(number), f"environment:{number}"),
    )


def _founder(desk: Desk, company_id: int) -> tuple[GrantMembership, ...]:
    """Return what lets a user into the company that they set up."""
    user_id = desk.actor.user_id
    if user_id is None or desk.actor.companies == "*":
        return ()
    return (GrantMembership(user_id=user_id, company_id=company_id, role="admin", founding=True),)


async def _check_links(desk: Desk, command: CreateCompany | ChangeCompany) -> None:
    """Refuse a customer or a server that is not there."""
    for label, number in (("customer", command.customer_id), ("server", command.server_id)):
        if isinstance(number, int):
            await present(desk.all_facts, label, number, label)


async def _check_code(desk: Desk, code: str, company_id: int) -> None:
    # The unique index decides; this tells of codes that differ in case alone, which people would confuse.
    row = await desk.facts.row("company_of_code", code.strip(), company_id)
    if row is not None:
        raise TakenError(
            f"The code “{row['slug']}” is in use by another company. Choose another.",
            field="code",
            code="company_code_taken",
        )
