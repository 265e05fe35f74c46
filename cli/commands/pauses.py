"""Pauses: of the installation, of a company, of an application. No job starts meanwhile; those that run go on."""

from __future__ import annotations

from typing import Any

from cli.acting import acting
from cli.command import KEY_OPTION, Options, command, one_id, option, required_id
from cli.output import Output
from domain.application import ChangeApplication
from domain.command import Command
from domain.company import ChangeCompany
from domain.system import PauseSystem, ResumeSystem

REASON = option("reason", metavar="TEXT", help="Why; `status` shows it.")


@command(REASON, KEY_OPTION)
async def pause_system(output: Output, options: Options) -> None:
    """Let no job of the installation start any more.

    Those that run go on. What is due joins the queue and waits there.
    """
    await change(PauseSystem(reason=options.reason), {}, "The installation", output, options)


@command(KEY_OPTION)
async def resume_system(output: Output, options: Options) -> None:
    """Let jobs of the installation start again."""
    await change(ResumeSystem(), {}, "The installation", output, options)


@command(*one_id("company"), REASON, KEY_OPTION)
async def pause_company(output: Output, options: Options) -> None:
    """Let no job of a company start any more.

    Those that run go on. What is due joins the queue and waits there.
    """
    number = required_id(options, "company")
    wish = ChangeCompany(company_id=number, paused=True, pause_reason=options.reason)
    await change(wish, {"company_id": number}, f"Company {number}", output, options)


@command(*one_id("company"), KEY_OPTION)
async def resume_company(output: Output, options: Options) -> None:
    """Let jobs of a company start again."""
    number = required_id(options, "company")
    wish = ChangeCompany(company_id=number, paused=False)
    await change(wish, {"company_id": number}, f"Company {number}", output, options)


@command(*one_id("application"), REASON, KEY_OPTION)
async def pause_application(output: Output, options: Options) -> None:
    """Let no job of an application start any more.

    Those that run go on. What is due joins the queue and waits there.
    """
    number = required_id(options, "application")
    wish = ChangeApplication(application_id=number, paused=True, pause_reason=options.reason)
    await change(wish, {"application_id": number}, f"Application {number}", output, options)


@command(*one_id("application"), KEY_OPTION)
async def resume_application(output: Output, options: Options) -> None:
    """Let jobs of an application start again."""
    number = required_id(options, "application")
    wish = ChangeApplication(application_id=number, paused=False)
    await change(wish, {"application_id": number}, f"Application {number}", output, options)


async def change(wish: Command, document: dict[str, Any], what: str, output: Output, options: Options) -> None:
    """Pause or resume something, and answer what was done."""
    paused = isinstance(wish, PauseSystem) or getattr(wish, "paused", False) is True
    async with acting() as act:
        outcome = await act.execute(wish, options.idempotency_key)
    changed = bool(outcome.events)
    text = f"{what} is paused: none of its jobs starts; those that run go on." if paused else f"{what} is not paused."
    if not changed:
        text = f"{what} {'was paused' if paused else 'was not paused'} already; nothing was changed."
    elif not paused:
        text = f"{what} is no longer paused: its jobs start again."
    output.answer({**document, "paused": paused, "changed": changed}, text)
