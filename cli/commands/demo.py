"""The demo."""

from __future__ import annotations

from cli.acting import acting
from cli.command import Options, command, flag
from cli.output import Output
from commands.demo import ensure_demo


@command(flag("start", help="Start a job also if the demo was there before."))
async def create_demo(output: Output, options: Options) -> None:
    """Set up a demo company that probes this host, and run it once.

    What is there already stays as it is, also what somebody changed or removed of it.
    """
    async with acting() as act:
        made = await ensure_demo(act.shell, start_job=options.start)
    if made is None:
        nothing = {"company_id": None, "run_template_id": None, "job_id": None}
        output.answer(nothing, "The demo was removed; it was not made again.")
        return
    ids = {"company_id": made.company_id, "run_template_id": made.run_template_id, "job_id": made.job_id}
    job = f"; `multiflexi-cli job:watch {made.job_id}` follows its job" if made.job_id else ""
    output.answer(ids, f"The demo is company {made.company_id} with run template {made.run_template_id}{job}.")
