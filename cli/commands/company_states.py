"""Companies suspended, put into the archive and brought back, with what depends on them."""

from __future__ import annotations

from typing import Any

from cli.acting import Acting, acting
from cli.command import KEY_OPTION, Options, command, one_id, option, required_id
from cli.output import Output
from domain.company import RestoreCompany, SuspendCompany

REASON = option("reason", metavar="TEXT", help="Why; stored encrypted.")
WHAT = {
    "scheduled": ("run template with a schedule", "run templates with a schedule"),
    "templates": ("run template", "run templates"),
    "credentials": ("credential", "credentials"),
    "waiting": ("job that waits", "jobs that wait"),
    "running": ("job that runs", "jobs that run"),
    "members": ("user with access", "users with access"),
}
"""What may depend on a company: one of it, several."""


@command(*one_id("company"), REASON, KEY_OPTION)
async def suspend_company(output: Output, options: Options) -> None:
    """Let nothing of a company be due until it is restored.

    Jobs that wait or run go on. What would have been due meanwhile is not caught up.
    """
    await leave(output, options, archived=False)


@command(*one_id("company"), REASON, KEY_OPTION)
async def archive_company(output: Output, options: Options) -> None:
    """Suspend a company and take it out of the lists; nothing is lost."""
    await leave(output, options, archived=True)


@command(*one_id("company"), KEY_OPTION)
async def restore_company(output: Output, options: Options) -> None:
    """End the suspension of a company and bring it back from the archive."""
    number = required_id(options, "company")
    async with acting() as act:
        outcome = await act.execute(RestoreCompany(company_id=number), options.idempotency_key)
        there = await dependents(act, number)
    changed = bool(outcome.events)
    due = there["scheduled"]
    text = f"Company {number} is back; {due} of its run templates {'is' if due == 1 else 'are'} due again."
    if not changed:
        text = f"Company {number} was not suspended; nothing was changed."
    output.answer({"company_id": number, "enabled": True, "archived": False, "changed": changed}, text)


async def leave(output: Output, options: Options, *, archived: bool) -> None:
    """Suspend a company, and tell what that stops."""
    number = required_id(options, "company")
    async with acting() as act:
        there = await dependents(act, number)
        wish = SuspendCompany(company_id=number, reason=options.reason, archived=archived)
        outcome = await act.execute(wish, options.idempotency_key)
    changed = bool(outcome.events)
    done = "in the archive" if archived else "suspended"
    text = f"Company {number} is {done}. What depends on it: {told(there)}."
    if not changed:
        text = f"Company {number} was {done} already; nothing was changed."
    output.answer(
        {"company_id": number, "enabled": False, "archived": archived, "changed": changed, "dependents": there}, text
    )


async def dependents(act: Acting, company_id: int) -> dict[str, Any]:
    """Return how many things depend on a company, by kind."""
    found = await act.reader.row("company.dependents", company_id)
    return found or dict.fromkeys(WHAT, 0)


def told(there: dict[str, Any]) -> str:
    """Return what depends on a company, as people read it.

    Examples
    --------
    >>> told({"templates": 2, "waiting": 0, "credentials": 1})
    '2 run templates, 1 credential'
    """
    return ", ".join(f"{count} {WHAT[name][count != 1]}" for name, count in there.items() if count) or "nothing"
