"""Refusals of the domain in the viewer's language.

The domain words them in English, as the command line needs them. Each pattern here has a translation; a refusal of
another pattern is told as it is. A test walks the errors of the domain that pages can meet.
"""

from __future__ import annotations

from domain.errors import DomainError
from domain.field_values import FieldsError
from web import phrases, wishes, words
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
    "phone": N_("telephone"),
    "url": N_("address"),
    "kind": N_("type"),
    "zabbix host": N_("host in Zabbix"),
    "keep output": N_("days for which output is kept"),
    "keep artifacts": N_("days for which files are kept"),
    "keep history": N_("days for which the history is kept"),
}
"""What messages call the fields."""

PATTERNS: tuple[str, ...] = (
    N_("There is nobody with this login."),
    N_(
        "The code {code} belongs to credential prototype {id} with another UUID. Give the document another code, or "
        "remove that prototype."
    ),
    N_(
        "The document no longer has fields that are in use: {listed}. Jobs would no longer get them. Keep the fields, "
        "or import it with --drop-used."
    ),
    N_("There is no request {id}. `user-erasure:list` shows those there are."),
    N_("Request {id} is {state}; only one that is {wanted} can {verb}."),
    N_("Say why: who asked for it is told."),
    N_("Type it as it stands above, to be sure that it is the one you mean."),
    N_("Give the number of a group."),
    N_("Choose the file of a picture."),
    N_("Choose a file, or give its text or address."),
    N_("The file is larger than 2 MB. Import it on the command line."),
    N_("The icon has {bytes} bytes; at most {most} are possible."),
    N_("The icon has {width} by {height} pixels; at most {most} a side are possible."),
    N_("The icon is no base64."),
    N_("The icon is neither SVG, PNG, JPEG, GIF nor WebP."),
    N_("The icon defines entities, which could make it grow without bounds."),
    N_("The icon is nested deeper than {most} levels."),
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
    N_("There is always one: it cannot be taken away. A value that is a hyphen is written \\-."),
    N_("Take it away by credential:update --unset. A value that is a hyphen is written \\-."),
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
    N_("There is an open request for the erasure of user {id} already."),
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
    N_("{count} companies refer to customer {id}: {listed}. Change them first."),
    N_("{count} companies refer to server {id}: {listed}. Change them first."),
    N_("The address holds a password, and addresses are not secret. Put it into a credential."),
    N_("This is no address. Give one such as https://accounts.example:5434/."),
    N_("There is no customer {id}. `customer:list` shows those there are."),
    N_("There is no server {id}. `server:list` shows those there are."),
    N_("There are more than {count} settings."),
    N_("“{name}” is no name of a setting. Use letters, digits and _ . : -"),
    N_("Application {id} has the UUID {uuid}, the definition {other}: it is another one."),
    N_(
        "There is no credential {id} in the company of run template {template}. `credential:list` shows those "
        "there are."
    ),
    N_("There is no credential {id}. `credential:list` shows those there are."),
    N_("There is no credential type {id} in this company. `credential-type:list` shows those there are."),
    N_(
        "Credential {id} is not assigned to run template {template}. `run-template:list-credentials` shows those "
        "that are."
    ),
    N_("Credential {id} is write-only, and stays so: whoever relied on it would be deceived. Make another credential."),
    N_("Credential {id} is write-only: its values are never shown. Give it new values instead."),
    N_(
        "Credential {id} is assigned to {count} run templates: {listed}. Their jobs would go without it. Unassign "
        "it first, or remove it with --cascade."
    ),
    N_("Credential {id} has no value of {name}."),
    N_("{count} credentials are of credential type {id}: {listed}. Remove them first."),
    N_("Who is to have access? Name a user or a group."),
    N_("There is no permission “{name}” in a company. There are: {names}."),
    N_("There is no such access to this company."),
    N_("There is no request {id}. `access-request:list` shows those there are."),
    N_("Request {id} was {what} already."),
    N_("A reason has at most {most} characters."),
    N_("There is no group {id}. `user-group:list` shows those there are."),
    N_("The name of a group has 1 to {most} characters."),
    N_("The description of a group has at most {most} characters."),
    N_("User {id} is not in group {group}."),
    N_("{whom} has no access to company {id}."),
    N_("{count} run templates were chosen; 1 to {most} can be changed at once."),
    N_(
        "Company {id} has {count} run templates of application {application}. Remove them first, or take the "
        "application away with all that depends on it."
    ),
    N_("Company {id} has {what}. Remove them first, or remove the company with all that depends on it."),
    N_("{count} run templates use application {id}. Remove them first, or disable the application."),
    N_("Application {id} has had no version {version}. `application:versions` shows those it had."),
    N_("There is no {kind} {id}. `{command}:list` shows what there is."),
    N_("The name “{name}” is in use by another company. Choose another."),
    N_("The code “{code}” belongs to another prototype."),
    N_("There is an application with the UUID {uuid} already."),
    N_("The login “{login}” is in use by another user. Choose another."),
    N_("The e-mail address {address} is in use by another user. Choose another."),
    N_("The name “{name}” belongs to another group. Choose another."),
    N_("The user has asked for access to company {id} already."),
    N_("A value that must be unique is in use ({name})."),
    N_(
        "{wish} needs the permission {permission}, which {actor} does not have in company {id}. Ask an "
        "administrator for it."
    ),
    N_("An idempotency key has 1 to {most} printable characters."),
    N_("The command holds a character that cannot be stored (half a pair)."),
    N_("More than {count} redirects follow each other."),
    N_("“{address}” is no address; expected https://…"),
    N_("An address with a password in it would be stored in logs of the way; leave it out."),
    N_("{host} is {address}, in a private network or on this machine. Allow that with --allow-local, or give a file."),
    N_("{host} did not answer within {seconds} s."),
    N_("{host} answered more than {size} bytes."),
    N_("{host} answered {status}, no JSON.{more}"),
    N_("{host} answered {status}."),
    N_("{host} cannot be found: {detail}."),
    N_("{host} cannot be fetched: {detail}."),
    N_(
        "The value {name} of {of} cannot be opened: the key {key} of {owner} was destroyed. Give the field a new value."
    ),
    N_(
        "The value {name} of {of} does not open with the key of {owner}: it was altered or moved. Run "
        "`multiflexi-cli audit:verify`, and give the field a new value."
    ),
    N_("The definition's command line cannot be understood: {detail}."),
    N_("The application's definition names no executable."),
    N_("The credential “{name}” requires {field_name}, which has no value. Give it one."),
    N_("The environment has a variable {name}: a name may not be empty nor hold '='."),
    N_("The value of {name} holds a zero byte, which no process can be given."),
    N_("{command} needs access to a company, and {actor} has access to none. Ask for it: `access-request:create`."),
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

MISFITS: tuple[str, ...] = (
    N_("expected one of the options."),
    N_("expected at least {least}."),
    N_("expected at most {most}."),
    N_("expected a whole number."),
    N_("expected a number."),
    N_("expected a number, with a point in place of the comma."),
    N_("expected true or false."),
    N_("expected one line."),
    N_("a path has at most {most} bytes."),
    N_("expected an address such as https://example.org/."),
    N_("expected a mail address such as name@example.org."),
    N_("expected the form {example}."),
)
"""What can be wrong with the value of a setting (:mod:`domain.field_values`)."""

STATES: dict[str, str] = {
    "queued": N_("waiting"),
    "running": N_("running"),
    "finished": N_("finished"),
    "cancelled": N_("cancelled"),
    "pending": N_("waiting for a decision"),
    "approved": N_("approved"),
    "rejected": N_("refused"),
    "withdrawn": N_("withdrawn"),
    "processing": N_("being carried out"),
    "completed": N_("carried out"),
    "be approved": N_("be approved"),
    "be rejected": N_("be refused"),
    "be withdrawn": N_("be withdrawn"),
    "be processed": N_("be carried out"),
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


_WORDS = {"field": FIELDS, "part": PARTS, **dict.fromkeys(("state", "wanted", "verb"), STATES)}
"""Words that values of messages are, by the name of the value."""


def misfit(reason: str, translate: Translate) -> str:
    """Return what is wrong with the value of a setting, as a sentence in the viewer's language."""
    told = phrases.translated(reason, MISFITS, translate)
    return told[:1].upper() + told[1:]


def told(error: DomainError, translate: Translate) -> str:
    """Return a refusal in the viewer's language."""
    if isinstance(error, FieldsError):
        return " ".join(f"{name}: {misfit(reason, translate)}" for name, reason in error.fields.items())

    def value(name: str, text: str) -> str:
        if (known := _WORDS.get(name)) is not None:
            return translate(known.get(text, text))
        if name in ("wish", "command"):
            return wishes.told(text, translate)
        if name == "actor":
            return words.actor(text, translate)
        return phrases.translated(text, WHY, translate) if name == "why" else text

    return phrases.translated(error.message, PATTERNS, translate, value)
