"""``multiflexi-probe``: checks the host it runs on and tells what it found.

Takes no arguments but ``--help`` and ``--version``; all settings come from the environment, as MultiFlexi hands them to
its applications.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from integrations.probe import NAME, VERSION
from integrations.probe.output import Console, Summary, message_of, problem_lines, standard_consoles
from integrations.probe.plan import Step, make_plan
from integrations.probe.report import build_report, write_report
from integrations.probe.results import EXIT_CODES, Result, State, overall
from integrations.probe.runner import Finding, run_steps
from integrations.probe.settings import Settings, SettingsError, read_settings
from integrations.probe.texts import Catalogue, Text, choose_language, text

_INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it (128 + SIGINT)."""

_HELP = text(
    "Usage: {name} [--help | --version]\n\n"
    "Checks disk space, memory, load, time synchronisation, services, processes and certificates of this host.\n"
    "All settings come from the environment; the application definition describes them.\n"
    "Exit code: 0 all well, 1 warning, 255 failure.",
    name=NAME,
)


class _Run:
    """One run: what it speaks with, when it began and how many seconds its checks took."""

    def __init__(self) -> None:
        self.catalogue = Catalogue(choose_language(os.environ))
        self.out, self.err = standard_consoles()
        self.begun = time.monotonic()
        self.seconds = 0.0

    def complain(self, problems: Sequence[Text]) -> None:
        for line in problem_lines(self.catalogue, problems, NAME):
            self.err.line(line)

    def report(self, result_file: str, outcome: State, message: str, results: Sequence[Result]) -> bool:
        """Write the report if one is wanted; return False, having told, if that cannot be done."""
        if not result_file:
            return True
        report = build_report(
            outcome=outcome,
            message=message,
            results=results,
            seconds=self.seconds,
            result_file=result_file,
            moment=datetime.now(tz=UTC).astimezone(),
        )
        try:
            write_report(result_file, report)
        except OSError as error:
            reason = error.strerror or str(error)
            self.complain([text("RESULT_FILE='{path}': cannot be written: {reason}", path=result_file, reason=reason)])
            return False
        return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the probe.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments of the command line, by default those of the process.

    Returns
    -------
    int
        Exit code: 0 all well, 1 warning, 255 failure or wrong settings.
    """
    run = _Run()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in (["--help"], ["-h"]):
        run.out.line(run.catalogue.render(_HELP))
        return 0
    if given == ["--version"]:
        run.out.line(f"{NAME} {VERSION}")
        return 0
    if given:
        run.complain([text("unknown argument {argument}: settings come from the environment", argument=given[0])])
        return EXIT_CODES[State.FAILURE]
    try:
        return _probe(run)
    except SettingsError as error:
        run.complain(error.problems)
        message = "; ".join(run.catalogue.render(problem) for problem in error.problems)
        run.report(os.environ.get("RESULT_FILE", "").strip(), State.FAILURE, message, [])
        return EXIT_CODES[State.FAILURE]
    except KeyboardInterrupt:
        run.complain([text("interrupted")])
        return _INTERRUPTED


def _probe(run: _Run) -> int:
    settings = read_settings(os.environ)
    steps = make_plan(settings)
    if settings.debug:
        _tell_settings(run.err, settings)
    results = _take(run, settings, steps)
    outcome = overall(results)
    exit_code = EXIT_CODES[outcome]
    message = run.catalogue.render(message_of(results))
    if not run.report(settings.result_file, outcome, message, results):
        exit_code = EXIT_CODES[State.FAILURE]
    if run.out.broken:
        run.complain([text("standard output cannot be written")])
    return settings.force_exitcode or exit_code


def _take(run: _Run, settings: Settings, steps: Sequence[Step]) -> list[Result]:
    """Run the plan, telling each result as it comes and the outcome at the end."""
    summary = Summary(run.catalogue, steps)
    heading = text(
        "{name} {version} on {host}, {moment}",
        name=NAME,
        version=VERSION,
        host=os.uname().nodename,
        moment=datetime.now(tz=UTC).astimezone().isoformat(" ", "seconds"),
    )
    run.out.line(run.catalogue.render(heading))
    results = []
    for finding in run_steps(steps, settings.timeout):
        results.append(finding.result)
        run.out.line(summary.line(finding.result))
        if settings.debug:
            _tell_finding(run.err, finding)
    run.seconds = time.monotonic() - run.begun
    if settings.sleep:
        run.out.line(run.catalogue.render(text("waiting {seconds:g} s (PROBE_SLEEP)", seconds=settings.sleep)))
        time.sleep(settings.sleep)
    if settings.force_exitcode:
        forced = text("exit code {code} is forced (FORCE_EXITCODE)", code=settings.force_exitcode)
        run.out.line(run.catalogue.render(forced))
    run.out.line(summary.closing(results, run.seconds))
    return results


def _tell_settings(err: Console, settings: Settings) -> None:
    for name in Settings.__slots__:
        err.line(f"debug: {name} = {getattr(settings, name)!r}")


def _tell_finding(err: Console, finding: Finding) -> None:
    result = finding.result
    err.line(f"debug: {result.check} {result.subject}: {result.state.name} after {finding.seconds:.3f} s")
    if finding.error is not None:
        import traceback  # noqa: PLC0415 - only for those who debug

        for line in "".join(traceback.format_exception(finding.error)).splitlines():
            err.line(f"debug: {line}")


if __name__ == "__main__":
    sys.exit(main())
