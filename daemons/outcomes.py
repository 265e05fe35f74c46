"""What the end of a process means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemons.executors.interface import Ended

SUCCESS, WARNING, FAILURE = "success", "warning", "failure"
SEVERITIES = {"success": SUCCESS, "info": SUCCESS, "warning": WARNING, "error": FAILURE, "critical": FAILURE}


def outcome_of(ended: Ended, definition: Mapping[str, Any] | None) -> str:
    """Return the outcome of a job from how its process ended and the exit codes that its definition declares.

    Examples
    --------
    >>> [outcome_of(Ended(exit_code=code), {"exitCodes": {"3": {"severity": "warning"}}}) for code in (0, 1, 2, 3, 127)]
    ['success', 'warning', 'failure', 'warning', 'not_found']
    """
    if ended.outcome is not None:
        return ended.outcome
    declared = ((definition or {}).get("exitCodes") or {}).get(str(ended.exit_code))
    if declared:
        return SEVERITIES.get(declared.get("severity", "error"), FAILURE)
    if ended.exit_code == 127:
        return "not_found"
    return {0: SUCCESS, 1: WARNING}.get(ended.exit_code, FAILURE)
