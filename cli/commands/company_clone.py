"""A company set up like another one."""

from __future__ import annotations

from typing import Any

import msgspec

from cli.acting import acting
from cli.command import Options, command, one_id, option, required_id
from cli.commands.company_changes import details, given
from cli.output import Output
from commands.company_clone import clone
from domain.company import CreateCompany


@command(
    *one_id("company to take as a pattern"), option("name", required=True, metavar="TEXT", help="Name."), *details()
)
async def clone_company(output: Output, options: Options) -> None:
    """Set up a company like another one: applications, credential types, credentials and run templates.

    No secret is taken over, so credentials have no values yet and run templates are inactive.
    """
    number = required_id(options, "company")
    fields = {name: value for name, value in given(options).items() if value is not None}
    async with acting() as act:
        wish = CreateCompany(environment=dict(options.env), **fields)
        made = await clone(act.shell, act.actor, number, wish)
    document: dict[str, Any] = {"source_id": number, **msgspec.to_builtins(made)}
    if made.left_out:
        output.warn(f"{', '.join(made.left_out)} look secret and were not taken over.")
    output.answer(
        document,
        f"Company {made.company_id} was created like company {number}: {made.applications} applications, "
        f"{made.credential_types} credential types, {made.credentials} credentials without values, "
        f"{made.run_templates} run templates, inactive. Give the credentials their values, then activate them.",
    )
