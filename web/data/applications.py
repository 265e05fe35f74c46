"""Applications of the catalogue: the list, one of them, and what importing a definition would change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from domain.definition import as_text, fields
from domain.field_values import WIDGETS
from domain.localized import localized
from domain.member_order import in_order
from domain.requirements import required, unmet
from domain.shapes import entries, is_object, texts
from projections.queries import query as shared
from web.data.company_choice import Choice, company_choice
from web.database import Connection
from web.errors import N_, NotFoundError
from web.view import View

PAGE = 50
COMPANIES_SHOWN = 50
HIDDEN = "••••••"


class ApplicationRow(msgspec.Struct, frozen=True, kw_only=True):
    """An application in a list; names and descriptions in the viewer's language. ``icon`` is the digest of one."""

    id: int
    name: str
    version: str
    executable: str
    enabled: bool
    description: str
    tags: list[str]
    homepage: str | None
    icon: str | None
    changed_at: datetime


class IconShown(msgspec.Struct, frozen=True):
    """The icon of an application."""

    digest: str
    media_type: str
    content: bytes


class Tag(msgspec.Struct, frozen=True):
    """A tag or topic, and how many applications have it."""

    name: str
    applications: int


class ApplicationList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of applications. ``more`` is the ``skip`` of the next page, if there is one."""

    applications: list[ApplicationRow]
    tags: list[Tag]
    find: str | None
    tag: str | None
    skip: int
    more: int | None


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that an application takes; ``widget`` is the control of a form that asks for it."""

    name: str
    type: str
    widget: str
    required: bool
    secret: bool
    default: str | None
    category: str
    label: str
    description: str
    hint: str
    options: dict[str, str]


class ExitCode(msgspec.Struct, frozen=True, kw_only=True):
    """What an exit code means."""

    code: str
    description: str
    severity: str
    retry: bool


class FileShown(msgspec.Struct, frozen=True, kw_only=True):
    """A file that jobs leave, or something that the application makes or needs."""

    name: str
    detail: str
    description: str


class VersionShown(msgspec.Struct, frozen=True, kw_only=True):
    """A definition that the application has had."""

    number: int
    version: str
    imported_at: datetime
    current: bool


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A company that has the application; ``unmet`` are the credentials that it requires and the company lacks."""

    company_id: int
    name: str
    run_templates: int
    unmet: list[str]


class ApplicationShown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page of an application shows."""

    application: ApplicationRow
    uuid: str
    author: str | None
    license: str | None
    image: str | None
    settings: list[Setting]
    exit_codes: list[ExitCode]
    artifacts: list[FileShown]
    produces: list[FileShown]
    consumes: list[FileShown]
    requirements: list[str]
    versions: list[VersionShown]
    companies: list[Holder]
    more_companies: bool


async def load_list(connection: Connection, view: View) -> tuple[ApplicationList, Choice]:
    """Read a page of applications, and what the filter of companies offers.

    Raises
    ------
    BadRequestError
        The parameter ``skip`` is no number.
    """
    skip, find, tag = view.number("skip"), view.parameters.get("find"), view.parameters.get("tag")
    choice = await company_choice(connection, view)
    found = await connection.fetch(shared("application.list"), PAGE + 1, skip, False, find, tag, view.company_id)
    tags = await connection.fetch(shared("application.tags"))
    icons = await load_icons(connection, [record["id"] for record in found[:PAGE]])
    listed = ApplicationList(
        applications=[_row(record, view.language, icons) for record in found[:PAGE]],
        tags=[Tag(record["tag"], record["applications"]) for record in tags],
        find=find,
        tag=tag,
        skip=skip,
        more=skip + PAGE if len(found) > PAGE else None,
    )
    return listed, choice


async def load(connection: Connection, application_id: int, view: View) -> ApplicationShown:
    """Read an application with its settings, versions and companies.

    Raises
    ------
    NotFoundError
        There is none of that id.
    """
    record = await connection.fetchrow(shared("application.find"), application_id, None, None)
    if record is None:
        raise NotFoundError(N_("There is no application {id}."), id=application_id)
    document = document_of(record)
    versions = await connection.fetch(shared("application.versions"), application_id)
    holders = await connection.fetch(
        shared("application.of_companies"), view.company_id, application_id, COMPANIES_SHOWN + 1, 0, False
    )
    icons = await load_icons(connection, [application_id])
    language, needed = view.language, required(document)
    return ApplicationShown(
        application=_row(record, language, icons),
        uuid=record["uuid"],
        author=_text(document, "author"),
        license=_text(document, "license"),
        image=_text(document, "image"),
        settings=settings_of(document, language),
        exit_codes=[
            ExitCode(
                code=code,
                description=localized(meaning.get("description"), language),
                severity=as_text(meaning.get("severity")) or ("success" if code == "0" else "error"),
                retry=meaning.get("retry") is True,
            )
            for code, meaning in entries(document.get("exitCodes")).items()
        ],
        artifacts=_artifacts(document, language),
        produces=_files(document, "produces", language),
        consumes=_files(document, "consumes", language),
        requirements=list(needed),
        versions=[
            VersionShown(**{name: each[name] for name in VersionShown.__struct_fields__}) for each in versions
        ],
        companies=[
            Holder(
                company_id=each["company_id"],
                name=each["company_name"],
                run_templates=each["run_templates"],
                unmet=list(unmet(needed, msgspec.json.decode(each["offered"]))),
            )
            for each in holders[:COMPANIES_SHOWN]
        ],
        more_companies=len(holders) > COMPANIES_SHOWN,
    )


async def load_icons(connection: Connection, applications: list[int]) -> dict[int, str]:
    """Read the digests of the icons of applications, of those that have one."""
    rows = await connection.fetch(shared("application.icons"), applications)
    return {row["id"]: row["digest"] for row in rows}


async def load_icon(connection: Connection, application_id: int) -> IconShown | None:
    """Read the icon of an application, if it has one."""
    row = await connection.fetchrow(shared("application.icon"), application_id)
    return None if row is None else IconShown(row["digest"], row["media_type"], row["content"])


def document_of(record: asyncpg.Record) -> dict[str, Any]:
    """Return the definition of a record, its members in the order of their author."""
    return in_order(msgspec.json.decode(record["definition"]), msgspec.json.decode(record["member_order"]))


def settings_of(document: Mapping[str, Any], language: str) -> list[Setting]:
    """Return the settings of a definition in a language; the default of a secret is masked."""
    return [
        Setting(
            name=field.name,
            type=field.type,
            widget=WIDGETS[field.kind],
            required=field.required,
            secret=field.secret,
            default=HIDDEN if field.secret and field.default else field.default,
            category=field.category,
            label=localized(field.label, language),
            description=localized(field.description, language),
            hint=localized(field.hint, language),
            options=field.options,
        )
        for field in fields(document).values()
    ]


def _row(record: asyncpg.Record, language: str, icons: Mapping[int, str]) -> ApplicationRow:
    def decoded(name: str) -> Any:
        return msgspec.json.decode(record[name] or "null")

    return ApplicationRow(
        id=record["id"],
        name=localized(decoded("names"), language) or record["name"],
        version=record["version"],
        executable=record["executable"],
        enabled=record["enabled"],
        description=localized(decoded("description"), language),
        tags=texts(decoded("tags")),
        homepage=record["homepage"] if _safe(record["homepage"]) else None,
        icon=icons.get(record["id"]),
        changed_at=record["DatUpdate"],
    )


def _safe(address: str | None) -> bool:
    return address is not None and address.lower().startswith(("https://", "http://"))


def _text(document: Mapping[str, Any], name: str) -> str | None:
    return as_text(document[name]) if document.get(name) is not None else None


def _artifacts(document: Mapping[str, Any], language: str) -> list[FileShown]:
    listed: Any = document.get("artifacts")
    return [
        FileShown(
            name=localized(each.get("name"), language) or as_text(each.get("path")),
            detail=as_text(each.get("path")),
            description=localized(each.get("description"), language),
        )
        for each in (listed if isinstance(listed, list) else [])
        if is_object(each)
    ]


def _files(document: Mapping[str, Any], member: str, language: str) -> list[FileShown]:
    return [
        FileShown(
            name=name,
            detail=as_text(each.get("format")),
            description=localized(each.get("description"), language),
        )
        for name, each in entries(document.get(member)).items()
    ]
