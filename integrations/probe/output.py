"""What people read: one aligned line for each result, and a closing line."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from integrations.probe.plan import Step
from integrations.probe.results import Result, State, counts, overall
from integrations.probe.texts import Catalogue, Text, text

STATE_WORDS = {
    State.OK: text("OK"),
    State.WARNING: text("WARNING"),
    State.FAILURE: text("FAILURE"),
    State.SKIPPED: text("SKIPPED"),
}

CHECK_WORDS = {
    "disk": text("disk"),
    "inodes": text("inodes"),
    "memory": text("memory"),
    "swap": text("swap"),
    "load": text("load"),
    "time": text("time"),
    "services": text("service"),
    "processes": text("process"),
    "certificates": text("certificate"),
}

_VALUE_WIDTH = 48
_MOST_SUBJECT_WIDTH = 40


class Console:
    """Writes lines to a stream, each at once, so that whoever watches sees them as they come.

    A stream that breaks does not end the run: the report is still to be written.

    Parameters
    ----------
    stream : text stream
        Standard output or standard error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.broken = False
        if isinstance(stream, io.TextIOWrapper):
            # Whoever collects the output of jobs reads UTF-8, whatever LANG says; a terminal knows its own encoding.
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")

    def line(self, line: str) -> None:
        """Write a line, unless the stream is broken."""
        if self.broken:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except OSError:
            self.broken = True
            self._discard()

    def _discard(self) -> None:
        """Let what is left in the buffer go nowhere, or Python would complain at its end."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


class Summary:
    """Forms the lines of one run.

    Parameters
    ----------
    catalogue : Catalogue
        The language.
    steps : sequence of Step
        The plan, from which the widths of the columns follow.
    """

    def __init__(self, catalogue: Catalogue, steps: Sequence[Step]) -> None:
        self._render = catalogue.render
        self._state_width = max(len(catalogue.render(word)) for word in STATE_WORDS.values())
        self._check_width = max((len(self._render(CHECK_WORDS[step.check])) for step in steps), default=0)
        subjects = (len(subject) for step in steps for subject in step.subjects)
        self._subject_width = min(max(subjects, default=0), _MOST_SUBJECT_WIDTH)

    def line(self, result: Result) -> str:
        """Return the line of one result: state, check, subject, value, threshold."""
        value = self._render(result.value)
        if result.threshold is not None:
            value = f"{value:<{_VALUE_WIDTH}}  {self._render(result.threshold)}"
        state = self._render(STATE_WORDS[result.state])
        check = self._render(CHECK_WORDS[result.check])
        columns = [f"{state:<{self._state_width}}", f"{check:<{self._check_width}}"]
        if self._subject_width:
            columns.append(f"{result.subject:<{self._subject_width}}")
        return "  ".join([*columns, value]).rstrip()

    def closing(self, results: Sequence[Result], seconds: float) -> str:
        """Return the last line: the outcome and how many results there are of each state."""
        found = counts(results)
        return self._render(
            text(
                "{outcome}: checks {count}, OK {ok}, warning {warnings}, failure {failures}, skipped {skipped}; "
                "{seconds:.1f} s",
                outcome=STATE_WORDS[overall(results)],
                count=len(results),
                seconds=seconds,
                ok=found[State.OK],
                warnings=found[State.WARNING],
                failures=found[State.FAILURE],
                skipped=found[State.SKIPPED],
            )
        )


def message_of(results: Sequence[Result]) -> Text:
    """Return the report's message: what is wrong, the worst first, or that all is well."""
    wrong = sorted((result for result in results if result.state >= State.WARNING), key=lambda r: (-r.state, r.check))
    if wrong:
        return text("{problems}", problems=tuple(_problem(result) for result in wrong))
    if overall(results) is State.OK:
        return text("all well (checks: {count})", count=counts(results)[State.OK])
    return text("nothing could be checked")


def _problem(result: Result) -> Text:
    template = "{state}: {check} {subject}: {value}" if result.subject else "{state}: {check}: {value}"
    return text(
        template,
        state=STATE_WORDS[result.state],
        check=CHECK_WORDS[result.check],
        subject=result.subject,
        value=result.value,
    )


def problem_lines(catalogue: Catalogue, problems: Iterable[Text], producer: str) -> list[str]:
    """Return lines for standard error, each beginning with the program's name."""
    return [f"{producer}: {catalogue.render(problem)}" for problem in problems]


def standard_consoles() -> tuple[Console, Console]:
    """Return standard output and standard error."""
    return Console(sys.stdout), Console(sys.stderr)
