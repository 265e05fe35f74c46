"""Commands of companies: their codes are unique, and what depends on a company changes with it."""

from __future__ import annotations

from commands.facts import present
from commands.preparing import TEMPLATE_OWNER, Desk, Prepared, filled, fresh_id
from domain.company import ChangeCompany, CreateCompany, RemoveCompany, code_from_name, warnings
from domain.errors import StateError, TakenError
from domain.event import UNSET
from domain.membership import GrantMembership
from domain.run_template import RemoveRunTemplate, RescheduleRunTemplate


async def prepare_create(desk: Desk, command: CreateCompany) -> Prepared:
    """Give a company its id and UUID, and see that its code is free."""
    company_id = await fresh_id(desk, command)
    await _check_code(desk, command.code or code_from_name(command.name), company_id)
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
    consequences: list[RescheduleRunTemplate] = []
    if command.time_zone is not UNSET:
        company = await present(desk.facts, "company", command.company_id, "company")
        if company["time_zone"] != command.time_zone.strip():
            templates = await desk.facts.ids("run_templates_by_company_time", command.company_id)
            consequences = [RescheduleRunTemplate(run_template_id=one, zone=command.time_zone) for one in templates]
    return Prepared(command=command, consequences=tuple(consequences), warnings=tuple(warnings(command)))


async def prepare_remove(desk: Desk, command: RemoveCompany) -> Prepared:
    """Let the run templates of a company go with it, or refuse while there are any."""
    templates = await desk.facts.ids("run_templates", command.company_id, None)
    if templates and not command.cascade:
        raise StateError(
            f"Company {command.company_id} has {len(templates)} run templates. Remove them first, or remove the "
            "company with all that depends on it.",
            field="company_id",
            code="company_in_use",
        )
    gone = tuple(RemoveRunTemplate(run_template_id=one) for one in templates)
    return Prepared(command=command, consequences=gone, last=True, again_when_taken=(TEMPLATE_OWNER,))


def _founder(desk: Desk, company_id: int) -> tuple[GrantMembership, ...]:
    """Return what lets a user into the company that they set up."""
    user_id = desk.actor.user_id
    if user_id is None or desk.actor.companies == "*":
        return ()
    return (GrantMembership(user_id=user_id, company_id=company_id, role="admin", founding=True),)


async def _check_code(desk: Desk, code: str, company_id: int) -> None:
    # The unique index decides; this tells of codes that differ in case alone, which people would confuse.
    row = await desk.facts.row("company_of_code", code.strip(), company_id)
    if row is not None:
        raise TakenError(
            f"The code “{row['slug']}” is in use by another company. Choose another.",
            field="code",
            code="company_code_taken",
        )
