"""What schedulers have put into the log, decision by decision, beside what the model says."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from tests.daemons.scheduler_model import Template, Waiting

DECISIONS = """
    SELECT e.position, e.xid::text AS of, e.type, e.data FROM events e
     WHERE e.position > $1 AND e.company_id = $2 AND e.meta->>'actor' = 'daemon:scheduler'
       AND e.type IN ('JobScheduled', 'TaskOpened', 'TaskMissed', 'DueSkipped', 'JobCancelRequested')
       AND NOT (e.type = 'TaskMissed' AND e.data->>'reason' LIKE 'The window ended%')
     ORDER BY e.position
"""


def compare(template: Template, events: list[tuple[str, dict[str, Any]]], seen: Waiting) -> None:
    """Compare a decision in the log with the model's, and note it there."""
    of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for kind, data in events:
        of[kind].append(data)
    moments = ("scheduled_at", "opened_at", "skipped_at", "missed_at", "requested_at")
    [now] = {moment(data[field]) for _, data in events for field in moments if field in data}
    right = template.decision(now, seen)
    jobs = {data["job_id"]: moment(data["due"]) for data in of["JobScheduled"]}
    assert sorted(jobs.values()) == right.jobs
    assert all(moment(data["not_before"]) == moment(data["due"]) for data in of["JobScheduled"])
    tasks = {data["task_id"]: moment(data["window_start"]) for data in of["TaskOpened"]}
    assert sorted(tasks.values()) == sorted(right.jobs + right.missed)
    assert all(moment(data["window_end"]) == template.after(tasks[data["task_id"]]) for data in of["TaskOpened"])
    assert sorted(tasks[data["task_id"]] for data in of["TaskMissed"]) == right.missed
    assert [(data["reason"], data["count"]) for data in of["DueSkipped"]] == [right.skipped][
        : right.skipped is not None
    ]
    assert {data["job_id"] for data in of["JobCancelRequested"]} == right.cancelled
    following = {data["next_due"] for data in of["JobScheduled"] + of["DueSkipped"]}
    assert {moment(each) for each in following} == {right.next_due}
    template.decided(right, jobs)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
