"""The report for MultiFlexi: JSON in the format of its schema for reports, written so that nobody sees half of it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from integrations.probe import NAME
from integrations.probe.results import REPORT_STATUSES, Result, State, counts

ARTIFACT = "report"
"""Name under which the application definition's ``produces`` knows the report."""


def build_report(
    *, outcome: State, message: str, results: Sequence[Result], seconds: float, result_file: str, moment: datetime
) -> dict[str, object]:
    """Return the report of a run.

    Parameters
    ----------
    outcome : State
        What the run amounts to.
    message : str
        The same for people.
    results : sequence of Result
        Where the metrics come from.
    seconds : float
        How long the run took.
    result_file : str
        Where the report will be; it is an artifact itself.
    moment : datetime
        When the run ended, with zone.
    """
    found = counts(results)
    metrics: dict[str, float] = {f"checks.{state.name.lower()}": number for state, number in found.items()}
    metrics["duration_seconds"] = round(seconds, 3)
    for result in results:
        metrics.update(result.metrics)
    return {
        "producer": NAME,
        "status": REPORT_STATUSES[outcome],
        "timestamp": moment.isoformat(timespec="seconds"),
        "message": message,
        "artifacts": {ARTIFACT: [result_file]},
        "metrics": metrics,
    }


def write_report(result_file: str, report: dict[str, object]) -> None:
    """Write a report to a file, whole or not at all.

    A device or a pipe (``/dev/stdout``) is written to, not replaced; a link stays a link.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    content = (json.dumps(report, ensure_ascii=False, indent=2) + "\n").encode(errors="replace")
    path = Path(os.path.realpath(result_file))
    if Path(result_file).exists() and not path.is_file():
        with Path(result_file).open("wb") as stream:
            stream.write(content)
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):  # what stands in the way of the draft is told, not what of its removal
            draft.unlink()
        raise
