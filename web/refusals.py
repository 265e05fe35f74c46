"""Refusals of the domain in the viewer's language.

The domain words them in English, as the command line needs them. Each pattern here has a translation; a refusal of
another pattern is told as it is. A test walks the errors of the domain that pages can meet.
"""

from __future__ import annotations

from domain.errors import DomainError
from web import phrases
from web.errors import N_
from web.words import Translate

FIELDS: dict[str, str] = {
    "name": N_("name"),
    "reason": N_("reason"),
    "pause reason": N_("reason of the pause"),
    "delay": N_("delay"),
    "jitter": N_("spread"),
    "missed limit": N_("number of missed runs"),
    "missed policy": N_("rule for missed runs"),
    "overlap policy": N_("rule for overlapping runs"),
    "when lost": N_("rule for a lost executor"),
    "executor": N_("executor"),
    "priority": N_("priority"),
    "max parallel": N_("number of jobs at once"),
    "limits": N_("limit"),
    "max attempts": N_("number of attempts"),
    "retry backoff": N_("back-off"),
    "retry min gap": N_("time between attempts"),
    "note": N_("note"),
    "code": N_("code"),
    "e-mail": N_("e-mail"),
    "email": N_("e-mail"),
    "login": N_("login"),
    "registration number": N_("IČO"),
    "vat number": N_("DIČ"),
    "zabbix host": N_("host in Zabbix"),
    "keep output": N_("days for which output is kept"),
    "keep artifacts": N_("days for which files are kept"),
    "keep history": N_("days for which the history is kept"),
}
"""What messages call the fields."""

PATTERNS: tuple[str, ...] = (
    N_("Give a day and a time."),
    N_("There is no such column. Did you mean {close}?"),
    N_("There is no such column. There are: {names}."),
    N_("The column is there twice."),
    N_("The column is missing. The first line names the columns."),
    N_("There is no line below the header."),
    N_("There are {count} values for {columns} columns. Is a separator missing, or one too many?"),
    N_("There are more than {count} lines. Part the sheet."),
    N_("It cannot be read as CSV: {why}."),
    N_("It is no whole number."),
    N_("No code can be made from the name. Give one."),
    N_("The {column} is given without an application. Name one in the column application."),
    N_("It is given without a credential type. Name a prototype in the column credential_type."),
    N_("The credential gives this value, too, and goes before. Give it once."),
    N_("Line {line} has the same code, {code}. Each company has a line of its own."),
    N_("The code {code} is in use by a company that you may not change."),
    N_("Company {id} with this code is in the archive. Restore it first."),
    N_("There is no application “{name}”. `application:list` shows those there are."),
    N_("{count} applications are called “{name}”. Give the id of one."),
    N_("Application {id} is disabled. Enable it first."),
    N_("There is no credential prototype “{name}”. `credential-prototype:list` shows them."),
    N_("It is required and has no value. Give it one."),
    N_("The value of {name} is not {expected}."),
    N_("The credential has no field “{name}”. {hint}"),
    N_("The password has {count} characters; at least {least} are needed. A few words are easy to keep."),
    N_("The password has more than {count} characters."),
    N_("The password is easily guessed: {why}. Add words that have nothing to do with each other."),
    N_("The password is easily guessed. Add words that have nothing to do with each other."),
    N_("User {id} is the only one with the role {role} and cannot be {what}. Grant it to somebody else first."),
    N_("{wish} needs the permission {permission}, which {actor} does not have. Ask an administrator for it."),
    N_(
        "The code “{code}” has not the right form. Use 1 to 63 letters, digits, - and _, and letters or digits at both "
        "ends."
    ),
    N_("The code “{code}” is in use by another company. Choose another."),
    N_("This is no e-mail address. Expected name@domain."),
    N_("The {field} is missing. Give it."),
    N_("The {field} holds a control character. Use one line of text."),
    N_("The {field} has {count} characters; at most {most} are possible. Shorten it."),
    N_("The {field} holds a character that cannot be stored (NUL or half a pair)."),
    N_("The {field} is {value}; it must lie between {lowest} and {highest}."),
    N_("The {field} “{value}” does not exist. Choose one of {options}."),
    N_("The time zone “{name}” does not exist. Did you mean {close}?"),
    N_("The time zone “{name}” does not exist. Give an IANA name such as Europe/Prague or UTC."),
    N_("The interval “{name}” does not exist. Choose one of {options}."),
    N_("The interval is c (custom), but there is no cron expression. Give one, such as 30 2 * * *."),
    N_("The cron expression “{expression}” is wrong in its {part}: {why}"),
    N_("The cron expression “{expression}” is wrong: {why}"),
    N_("The deadline “{offset}” cannot be read. Give a span such as +3h or +1h30m, or a time of day such as 08:00."),
    N_("The template ends at {end}, before it begins at {begin}."),
    N_("There are more than {count} labels."),
    N_("“{label}” is no label. Use 1 to 63 letters, digits and _ . : / = -"),
    N_("“{user}” is no name of a user of the system."),
    N_("“{name}” is no name of an environment variable. Use letters, digits and _, no space and no =."),
    N_("The value of {name} cannot be given to a process: it holds a NUL or half a pair, or is over {most} bytes."),
    N_("There are {count} environment variables; at most {most} are possible."),
    N_("The environment has {size} bytes in all; at most {most} can be given to a process."),
    N_("There is no run template {id}. `run-template:list` shows those there are."),
    N_("There is no job {id}. `job:list` shows those there are."),
    N_("There is no company {id}. `company:list` shows those there are."),
    N_("There is no application {id}. `application:list` shows those there are."),
    N_("Company {id} is switched off: none of its jobs start. Switch it on first."),
    N_("Application {id} ({name}) is switched off or was removed: no job of it starts. Switch it on first."),
    N_(
        "Job {id} is {state}; only one that has ended can be run again. To run its template once more: "
        "`run-template:schedule {template}`."
    ),
    N_("Job {id} is {state}; only a {wanted} job can {verb}."),
    N_("Others changed the same thing {count} times meanwhile ({names}). Nothing was written; try again."),
    N_("The idempotency key “{key}” was used before, for another command. Use a new key for a new command."),
    N_("{command} concerns the installation, which {actor} does not act for. Ask an administrator for access."),
    N_("{command} concerns company {id}, which {actor} does not act for. Ask an administrator for access."),
)
"""Messages of the domain, the more particular first."""

WHY: tuple[str, ...] = (
    N_("it has more than {count} characters."),
    N_("there is no such word. Words are {words}."),
    N_("it has {count} fields. Give minute, hour, day of month, month and day of week, or the second before them."),
    N_("no month that is asked for has such a day."),
    N_("“{text}” is no weekday. Use 0 to 7, or MON to SUN."),
    N_("a value is missing between the commas."),
    N_("the step in “{term}” is 0; use 1 or more."),
    N_("{value} lies outside {lowest} to {highest}."),
    N_(
        "“{term}” cannot be read. Use numbers from {lowest} to {highest}, names of three letters, ranges such as 1-5, "
        "steps such as */10, and commas between them."
    ),
    N_(
        "“{term}” cannot be read. Use numbers from {lowest} to {highest}, ranges such as 1-5, steps such as */10, and "
        "commas between them."
    ),
)
"""What can be wrong with a cron expression."""

STATES: dict[str, str] = {
    "queued": N_("waiting"),
    "running": N_("running"),
    "finished": N_("finished"),
    "cancelled": N_("cancelled"),
    "be cancelled": N_("be cancelled"),
    "be asked to end": N_("be asked to end"),
    "start": N_("start"),
    "finish": N_("finish"),
}
"""Words within messages."""

PARTS: dict[str, str] = {
    "second": N_("second"),
    "minute": N_("minute"),
    "hour": N_("hour"),
    "day of month": N_("day of month"),
    "month": N_("month"),
    "day of week": N_("day of week"),
}
"""Fields of a cron expression."""


def told(error: DomainError, translate: Translate) -> str:
    """Return a refusal in the viewer's language."""

    def value(name: str, text: str) -> str:
        if name == "field":
            return translate(FIELDS.get(text, text))
        if name == "part":
            return translate(PARTS.get(text, text))
        if name in ("state", "wanted", "verb"):
            return translate(STATES.get(text, text))
        if name == "why":
            return phrases.translated(text, WHY, translate)
        return text

    return phrases.translated(error.message, PATTERNS, translate, value)
