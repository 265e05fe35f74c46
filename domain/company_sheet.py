r"""A sheet of companies to set up: CSV with a line for each, read and checked before anything is written.

A line says what a company is, which application it runs and how often, and the values of the credential that the jobs
of this one company get. Columns are known by name; ``credential.NAME``, ``env.NAME`` and ``company_env.NAME`` give
values of the credential's fields, of the run template's environment and of the environment of all jobs of the company.

An empty cell says nothing of its column; ``-`` takes away what is there, and ``\-`` is a value that is a hyphen.

Examples
--------
>>> sheet = read("name;ic;application;interval\nAcme Corp;27082440;Probe;d\n")
>>> sheet.lines[0].company.code, sheet.lines[0].template.interval, sheet.problems
('acme-corp', 'd', ())
>>> [str(problem) for problem in read("name,interval\nAcme,x\n").problems]  # doctest: +ELLIPSIS
['line 2, interval: The interval is given without an application. Name one in the column application.']
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from domain import company, run_template
from domain.company import CreateCompany, code_from_name
from domain.errors import ValidationError
from domain.run_template import CreateRunTemplate
from domain.run_template_fields import CHECKS
from domain.sheet_rows import Problem, rows_of, trimmed

MOST_LINES = 10_000
LARGEST = 20_000_000
"""Most characters of a sheet."""

COMPANY = {
    "name": "name",
    "code": "code",
    "ic": "registration_number",
    "dic": "vat_number",
    "email": "email",
    "time_zone": "time_zone",
    "zabbix_host": "zabbix_host",
    "max_parallel": "max_parallel",
    "keep_output": "keep_output",
    "keep_artifacts": "keep_artifacts",
    "keep_history": "keep_history",
}
"""Fields of a company by their columns."""

TEMPLATE = {
    "template": "name",
    "interval": "interval",
    "cron": "cron",
    "executor": "executor",
    "deadline_offset": "deadline_offset",
    "delay": "delay",
    "jitter": "jitter",
    "max_attempts": "max_attempts",
    "retry_backoff": "retry_backoff",
    "retry_min_gap": "retry_min_gap",
    "note": "note",
}
"""Fields of a run template by their columns."""

NOTHING = "-"
"""A cell that takes away what is there."""

NEVER_EMPTY = frozenset(("name", "code", "time_zone", "template", "interval", "max_attempts", "retry_backoff"))
"""Columns of which there is always something; what gives no hint is in ``OTHERS``."""

OTHERS = ("application", "credential_type", "credential")
NUMBERS = frozenset(
    (
        "max_parallel",
        "keep_output",
        "keep_artifacts",
        "keep_history",
        "delay",
        "jitter",
        "max_attempts",
        "retry_min_gap",
    )
)
PREFIXES = ("credential.", "env.", "company_env.")
ALSO = {
    "slug": "code",
    "ico": "ic",
    "ičo": "ic",
    "registration_number": "ic",
    "dič": "dic",
    "vat_number": "dic",
    "e-mail": "email",
    "mail": "email",
    "timezone": "time_zone",
    "app": "application",
    "interv": "interval",
    "run_template": "template",
    "credential_prototype": "credential_type",
}
"""Other names of columns."""

KNOWN = (*COMPANY, *TEMPLATE, *OTHERS)
Wish = TypeVar("Wish", CreateCompany, CreateRunTemplate)
_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_UUID = "00000000-0000-4000-8000-000000000000"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What a line of a sheet asks for.

    Attributes
    ----------
    number : int
        Its number in the file.
    company : CreateCompany
        The company, its code included.
    application : str or None
        Id, UUID or name of an application.
    template : CreateRunTemplate or None
        Run template of that application; its name is empty when the application's is meant.
    credential_type : str or None
        Id or code of a credential prototype.
    credential : str or None
        Name of the credential.
    values : dict[str, str]
        Values of the credential by field, in clear.
    given : frozenset[str]
        Columns that it fills or empties.
    emptied : frozenset[str]
        Columns that it empties.
    """

    number: int
    company: CreateCompany
    application: str | None = None
    template: CreateRunTemplate | None = None
    credential_type: str | None = None
    credential: str | None = None
    values: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    given: frozenset[str] = frozenset()
    emptied: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Line({self.number}, {self.company.code!r})"


class Sheet(msgspec.Struct, frozen=True):
    """The lines of a sheet, and what is wrong with it."""

    lines: tuple[Line, ...]
    problems: tuple[Problem, ...]


def read(text: str) -> Sheet:
    """Read a sheet: commas, semicolons or tabs part its columns, whichever its first line has most of.

    What a spreadsheet program adds is no mistake: a line ``sep=;`` before the header, which names the separator, and
    empty columns after the last.
    """
    problems: list[Problem] = []
    if len(text) > LARGEST:
        return Sheet((), (Problem(1, None, f"The sheet has more than {LARGEST} characters."),))
    rows = rows_of(text.removeprefix("\ufeff"), problems)
    top, header = next(rows, (1, list[str]()))
    columns = _columns(top, trimmed(header), problems)
    if problems:
        return Sheet((), tuple(problems))
    lines: list[Line] = []
    for number, read_cells in rows:
        cells = trimmed(read_cells, len(columns))
        if len(lines) == MOST_LINES:
            problems.append(Problem(number, None, f"There are more than {MOST_LINES} lines. Part the sheet."))
            break
        if len(cells) != len(columns):
            told = f"There are {len(cells)} values for {len(columns)} columns. Is a separator missing, or one too many?"
            problems.append(Problem(number, None, told))
            continue
        told = {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if cell.strip()}
        emptied = frozenset(name for name, cell in told.items() if cell == NOTHING)
        given = {name: _literal(cell) for name, cell in told.items() if name not in emptied}
        line, wrong = _line(number, given, emptied)
        problems.extend(wrong)
        if line is not None:
            lines.append(line)
    if not lines and not problems:
        problems.append(Problem(top, None, "There is no line below the header."))
    problems.extend(_repeated(lines))
    return Sheet(tuple(lines), tuple(sorted(problems, key=lambda problem: problem.line)))


def _columns(line: int, header: list[str], problems: list[Problem]) -> list[str]:
    columns: list[str] = []
    for cell in header:
        name = _column(cell)
        if name is None:
            close = difflib.get_close_matches(cell.strip().lower(), [*KNOWN, *ALSO], n=1)
            hint = f"Did you mean {ALSO.get(close[0], close[0])}?" if close else f"There are: {', '.join(KNOWN)}, "
            hint += "" if close else "and credential.NAME, env.NAME and company_env.NAME."
            problems.append(Problem(line, cell.strip()[:60] or None, f"There is no such column. {hint}"))
        elif name in columns:
            problems.append(Problem(line, name, "The column is there twice."))
        columns.append(name or "")
    if "name" not in columns and not problems:
        problems.append(Problem(line, "name", "The column is missing. The first line names the columns."))
    return columns


def _column(cell: str) -> str | None:
    """Return the name of a column as it is known; None if it is not.

    Examples
    --------
    >>> _column(" IČO "), _column("Time zone"), _column("credential.BANK_TOKEN"), _column("colour")
    ('ic', 'time_zone', 'credential.BANK_TOKEN', None)
    """
    stripped = cell.strip()
    for prefix in PREFIXES:
        if stripped.lower().startswith(prefix) and len(stripped) > len(prefix):
            return prefix + stripped[len(prefix) :]
    name = re.sub(r"\s+", "_", stripped.lower())
    name = ALSO.get(name, name)
    return name if name in KNOWN else None


def _literal(cell: str) -> str:
    r"""Return what a cell says: a backslash before a lone hyphen makes it a value.

    Examples
    --------
    >>> _literal(r"\-"), _literal(r"\\-"), _literal(r"a\-b")
    ('-', '\\-', 'a\\-b')
    """
    return cell[1:] if re.fullmatch(r"\\+-", cell) else cell


def _line(number: int, given: Mapping[str, str], emptied: frozenset[str]) -> tuple[Line | None, list[Problem]]:
    wrong = [Problem(number, column, told) for column, told in _never_empty(emptied)]
    values, environment, of_company = ({c[len(p) :]: v for c, v in given.items() if c.startswith(p)} for p in PREFIXES)
    fields = _fields(number, given, COMPANY, wrong)
    fields.setdefault("name", "")
    fields.setdefault("code", code_from_name(fields["name"]))
    wish, refused = tried(CreateCompany(**fields, environment=of_company, company_id=1, uuid=_UUID))
    wrong += [Problem(number, _where(field, COMPANY, "company_env"), message) for field, message in refused]
    if not fields["code"] and "name" in given:
        wrong.append(Problem(number, "code", "No code can be made from the name. Give one."))
    template = None
    if (application := given.get("application")) is not None:
        asked = _fields(number, given, TEMPLATE, wrong)
        asked.setdefault("name", "")
        if "cron" in given:
            asked.setdefault("interval", "c")
        template = CreateRunTemplate(**asked, environment=environment, company_id=1, application_id=1)
        known = msgspec.structs.replace(template, name=template.name or "-", run_template_id=1, uuid=_UUID, now=_NOON)
        _, refused = tried(msgspec.structs.replace(known, zone=wish.time_zone if wish else "UTC"))
        wrong += [Problem(number, _where(field, TEMPLATE, "env"), message) for field, message in refused]
        if not refused:
            stored = {name: CHECKS[name](getattr(known, name)) for name in TEMPLATE.values()}
            template = msgspec.structs.replace(template, **stored | {"name": template.name})
    wrong += _unasked(number, {**given, **dict.fromkeys(emptied, "")}, values, environment)
    if wrong or wish is None:
        return None, wrong
    made = Line(
        number=number,
        company=msgspec.structs.replace(wish, company_id=0, uuid=""),
        application=application,
        template=template,
        credential_type=given.get("credential_type"),
        credential=given.get("credential"),
        values=values,
        given=frozenset(given) | emptied,
        emptied=emptied,
    )
    return made, wrong


def _never_empty(emptied: frozenset[str]) -> Iterator[tuple[str, str]]:
    for column in sorted(emptied):
        if column in NEVER_EMPTY or column in OTHERS:
            yield column, r"There is always one: it cannot be taken away. A value that is a hyphen is written \-."
        elif column.startswith("credential."):
            yield column, r"Take it away by credential:update --unset. A value that is a hyphen is written \-."


def _fields(number: int, given: Mapping[str, str], table: Mapping[str, str], wrong: list[Problem]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for column, field in table.items():
        value = given.get(column)
        if value is None:
            continue
        if column in NUMBERS and not re.fullmatch(r"[0-9]{1,9}", value):
            wrong.append(Problem(number, column, "It is no whole number."))
        else:
            fields[field] = int(value) if column in NUMBERS else value
    return fields


def tried(wish: Wish) -> tuple[Wish | None, list[tuple[str | None, str]]]:
    """Return a command that the domain takes, and what it refuses of it: all of it, not only the first."""
    refused: list[tuple[str | None, str]] = []
    defaults = {
        field.name: field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        for field in msgspec.structs.fields(wish)
        if not field.required
    } | {"name": "-"}
    tried = wish
    while True:
        try:
            company.decide(None, tried) if isinstance(tried, CreateCompany) else run_template.decide(None, tried)
        except ValidationError as error:
            refused.append((error.field, error.message))
            if error.field not in defaults or getattr(tried, error.field) == defaults[error.field]:
                return None, refused
            tried = msgspec.structs.replace(tried, **{error.field: defaults[error.field]})
        else:
            return (wish if not refused else None), refused


def _where(field: str | None, table: Mapping[str, str], environment: str) -> str | None:
    if field == "environment":
        return environment
    return next((column for column, name in table.items() if name == field), field)


def _unasked(
    number: int, given: Mapping[str, str], values: Mapping[str, str], environment: Mapping[str, str]
) -> list[Problem]:
    """Return what is given for something that is not asked for, or twice."""
    wrong: list[Problem] = []
    if "application" not in given:
        about = [*(name for name in TEMPLATE if name in given), *(f"env.{name}" for name in environment)]
        about += [name for name in ("credential_type",) if name in given]
        for column in about[:1]:
            told = (
                f"The {column.replace('_', ' ')} is given without an application. Name one in the column application."
            )
            wrong.append(Problem(number, column, told))
    if "credential_type" not in given:
        for column in [*(f"credential.{name}" for name in values), *(["credential"] if "credential" in given else [])][
            :1
        ]:
            told = "It is given without a credential type. Name a prototype in the column credential_type."
            wrong.append(Problem(number, column, told))
    told = "The credential gives this value, too, and goes before. Give it once."
    wrong.extend(Problem(number, f"env.{name}", told) for name in sorted(values.keys() & environment.keys()))
    return wrong


def _repeated(lines: list[Line]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for line in lines:
        code = (line.company.code or "").lower()
        if code in seen:
            told = f"Line {seen[code]} has the same code, {line.company.code}. Each company has a line of its own."
            yield Problem(line.number, "code", told)
        seen.setdefault(code, line.number)
