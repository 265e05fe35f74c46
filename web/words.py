"""Words for what the events name by codes: states, outcomes, exit codes, actors, intervals.

Words are marked with ``N_`` where they stand, and translated where they are shown.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from web import phrases, times
from web.errors import N_

Translate = Callable[[str], str]


class Status(NamedTuple):
    """How the state or outcome of a job is shown.

    Attributes
    ----------
    kind : str
        ``success``, ``warning``, ``failed``, ``running``, ``queued`` or ``cancelled``: colour and icon.
    label : str
        Word, to be translated.
    """

    kind: str
    label: str


STATUSES: Mapping[str, Status] = {
    "queued": Status("queued", N_("Queued")),
    "running": Status("running", N_("Running")),
    "cancelled": Status("cancelled", N_("Cancelled")),
    "success": Status("success", N_("Succeeded")),
    "warning": Status("warning", N_("Warning")),
    "failure": Status("failed", N_("Failed")),
    "not_found": Status("failed", N_("Not found")),
    "killed": Status("failed", N_("Killed")),
    "timeout": Status("failed", N_("Timed out")),
    "lost": Status("failed", N_("Lost")),
}

TASKS: Mapping[str, Status] = {
    "open": Status("queued", N_("Open")),
    "running": Status("running", N_("Running")),
    "fulfilled": Status("success", N_("Fulfilled")),
    "fulfilled_late": Status("late", N_("Fulfilled late")),
    "failed": Status("failed", N_("Failed")),
    "missed": Status("missed", N_("Missed")),
}
"""States of tasks."""

UNMET = "unmet"
"""Filter of tasks: all whose result did not come in time."""

TASK_FILTERS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    UNMET: ("warning", N_("Not in time"), ("fulfilled_late", "failed", "missed")),
    "open": ("queued", N_("Open"), ("open",)),
    "running": ("running", N_("Running"), ("running",)),
    "fulfilled": ("success", N_("Fulfilled"), ("fulfilled",)),
    "fulfilled_late": ("late", N_("Late"), ("fulfilled_late",)),
    "failed": ("failed", N_("Failed"), ("failed",)),
    "missed": ("missed", N_("Missed"), ("missed",)),
}
"""What lists of tasks can be narrowed to, in the order in which it is offered: icon, word, states."""

WAITS: Mapping[str, tuple[str, str]] = {
    "later": ("calendar", N_("put off")),
    "system_paused": ("pause", N_("the installation is paused")),
    "company_paused": ("pause", N_("its company is paused")),
    "application_paused": ("pause", N_("its application is paused")),
    "template_full": ("running", N_("its run template has no more places")),
    "application_full": ("running", N_("its application has no more places")),
    "company_full": ("running", N_("its company has no more places")),
    "no_executor": ("server", N_("no executor is there")),
    "no_kind": ("server", N_("no executor runs jobs of its kind")),
    "no_label": ("server", N_("no executor has its labels")),
    "place": ("queued", N_("its turn has not come")),
}
"""Why jobs wait: icon and words."""

WITHOUT: Mapping[str, str] = {
    "projector": N_("The history and the dashboard stand still."),
    "scheduler": N_("Nothing that is due is put into the queue."),
    "executor": N_("No job starts."),
}
"""What follows if a daemon is missing."""

CHOICES: Mapping[str, Mapping[str, str]] = {
    "missed_policy": {
        "skip": N_("do not make up for them"),
        "once": N_("make up for the latest"),
        "all": N_("make up for all"),
    },
    "overlap_policy": {
        "allow": N_("another one may run beside it"),
        "skip": N_("the due run is left out"),
        "queue": N_("one waits for its end"),
        "cancel": N_("the running one is ended"),
    },
    "when_lost": {"fail": N_("counts as a failure"), "retry": N_("always try again")},
    "retry_backoff": {
        "none": N_("at once"),
        "fixed": N_("always the same time"),
        "linear": N_("a longer time after each attempt"),
        "exponential": N_("twice the time after each attempt"),
    },
}
"""What is chosen for a run template."""

LIMITS: Mapping[str, str] = {
    "wall_time": N_("Running time, seconds"),
    "cpu_time": N_("Processor time, seconds"),
    "memory": N_("Memory"),
    "file_size": N_("Size of a file"),
    "output": N_("Output of each channel"),
    "open_files": N_("Open files"),
    "processes": N_("Processes"),
}
"""Limits of a job."""

TEMPLATE_FIELDS: Mapping[str, str] = {
    "name": N_("Name"),
    "note": N_("Note"),
    "interval": N_("Runs"),
    "cron": N_("Cron expression"),
    "time_zone": N_("Time zone"),
    "start_at": N_("Not before"),
    "end_at": N_("Not after"),
    "delay": N_("Delay, seconds"),
    "jitter": N_("Spread, seconds"),
    "active": N_("Active"),
    "inactive_reason": N_("Reason"),
    "missed_policy": N_("Missed runs"),
    "missed_limit": N_("Most of them"),
    "overlap_policy": N_("While a job of it waits or runs"),
    "max_parallel": N_("Jobs at once"),
    "priority": N_("Priority"),
    "deadline_offset": N_("Deadline"),
    "allow_late": N_("A late result"),
    "max_attempts": N_("Attempts at most"),
    "retry_backoff": N_("Between attempts"),
    "retry_min_gap": N_("Time between attempts, seconds"),
    "when_lost": N_("If its executor dies"),
    "executor": N_("Executor"),
    "labels": N_("Labels"),
    "run_as": N_("User of the process"),
    "limits": N_("Limits"),
}
"""What the fields of a run template are called."""

REASONS: tuple[str, ...] = (
    N_("The job was cancelled."),
    N_("The exit code of the job says that trying again is of no use."),
    N_("No attempt of {count} is left."),
    N_("There is no time left to try again."),
    N_("The job succeeded, but after the deadline."),
    N_("The window ended before an attempt began."),
    N_("The window ended without success."),
    N_("Its run template was removed."),
)
"""Reasons that the domain writes into events."""

EXIT_CODES: Mapping[int, str] = {
    -1: N_("The application asks to be run again later"),
    0: N_("Success"),
    1: N_("Warning: the work was done, something deserves a look"),
    2: N_("Wrong usage of the command line"),
    126: N_("The program was found, but may not be executed"),
    127: N_("The program was not found"),
    255: N_("Failure"),
}
"""What exit codes mean unless the application says otherwise (system overview; POSIX shell, 2.8.2)."""

EVENTS: Mapping[str, str] = {
    "JobScheduled": N_("Put into the queue"),
    "JobStarted": N_("Started"),
    "JobCancelRequested": N_("Somebody asked for its end"),
    "JobFinished": N_("Finished"),
    "JobChanged": N_("Changed while it waited"),
    "JobCancelled": N_("Cancelled"),
}

INTERVALS: Mapping[str, str] = {
    "n": N_("Manually"),
    "i": N_("Every minute"),
    "h": N_("Hourly"),
    "d": N_("Daily"),
    "w": N_("Weekly"),
    "m": N_("Monthly"),
    "y": N_("Yearly"),
    "c": N_("By cron"),
}

CATEGORIES = {
    "API": N_("API"),
    "Behavior": N_("Behavior"),
    "Database": N_("Database"),
    "Monitoring": N_("Monitoring"),
    "Security": N_("Security"),
    "Other": N_("Other settings"),
}
"""Headings under which definitions put their settings; one that is not here is shown as it is."""

ROLES = {
    "super_admin": N_("super_admin"),
    "admin": N_("admin"),
    "editor": N_("editor"),
    "user": N_("user"),
    "manager": N_("manager"),
    "viewer": N_("viewer"),
}
"""Roles in the installation and in companies."""


ACTORS: Mapping[str, str] = {
    "system": N_("System"),
    "daemon:scheduler": N_("Scheduler"),
    "daemon:executor": N_("Executor"),
    "daemon:eventor": N_("External event"),
    "user:web": N_("Web interface"),
    "user:cli": N_("Command line"),
    "cli": N_("Command line"),
}

DAEMONS: Mapping[str, str] = {
    "projector": N_("Projector"),
    "scheduler": N_("Scheduler"),
    "executor": N_("Executor"),
    "eventor": N_("Eventor"),
    "monitor": N_("Monitor"),
}

FILTERS: Mapping[str, str] = {
    "running": N_("Running"),
    "queued": N_("Queued"),
    "success": N_("Succeeded"),
    "warning": N_("Warning"),
    "failed": N_("Failed"),
    "cancelled": N_("Cancelled"),
}
"""What lists of jobs can be narrowed to, in the order in which it is offered."""


def status(state: str | None, outcome: str | None) -> Status:
    """Return how a job is shown; an outcome that is not known here counts as a failure of that name.

    Examples
    --------
    >>> status("finished", "success").kind, status("running", None).kind, status("finished", "exploded")
    ('success', 'running', Status(kind='failed', label='exploded'))
    """
    code = outcome or state or "queued"
    return STATUSES.get(code) or Status("failed", code)


def exit_meaning(code: int | None, definition: Mapping[str, Any] | None, language: str, translate: Translate) -> str:
    """Return what an exit code means: as the application's definition says, else in general.

    Parameters
    ----------
    code : int or None
        The exit code.
    definition : Mapping[str, Any] or None
        Definition of the application; its ``exitCodes`` map codes to ``{"description": text or {language: text}}``.
    language : str
        Language of the description.
    translate : Translate
        Translates a word of ours.
    """
    if code is None:
        return ""
    stated = ((definition or {}).get("exitCodes") or {}).get(str(code))
    if isinstance(stated, Mapping) and (text := localized(stated.get("description"), language)):
        return text
    if code in EXIT_CODES:
        return translate(EXIT_CODES[code])
    if 128 < code < 128 + signal.NSIG:
        try:
            return translate(N_("Ended by signal {name}")).format(name=signal.Signals(code - 128).name)
        except ValueError:
            return translate(N_("Ended by signal {name}")).format(name=code - 128)
    return translate(N_("Failure told by the application"))


def localized(value: object, language: str) -> str:
    """Return a text of a definition, which is plain or a mapping of languages to texts.

    Examples
    --------
    >>> localized({"en": "Digest", "cs": "Přehled"}, "cs"), localized("Digest", "cs"), localized(None, "cs")
    ('Přehled', 'Digest', '')
    """
    if isinstance(value, Mapping):
        texts: Mapping[Any, Any] = value
        return str(texts.get(language) or texts.get("en") or next(iter(texts.values()), ""))
    return value if isinstance(value, str) else ""


def reason(text: str | None, translate: Translate) -> str:
    """Return why something happened, in the viewer's language if the reason is one of the domain's own.

    Examples
    --------
    >>> reason("No attempt of 3 is left.", str.upper)
    'NO ATTEMPT OF 3 IS LEFT.'
    >>> reason("Planned work", str.upper)
    'Planned work'
    """
    return phrases.translated(text or "", REASONS, translate)


def role(name: str, translate: Translate) -> str:
    """Return what a role is called; the command line calls it by its English name."""
    return translate(ROLES.get(name, name))


def actor(name: str | None, translate: Translate) -> str:
    """Return who did something, for people."""
    if not name:
        return times.NOTHING
    if name in ACTORS:
        return translate(ACTORS[name])
    kind, _, rest = name.partition(":")
    return translate(N_("User {id}")).format(id=rest) if kind == "user" and rest else name
