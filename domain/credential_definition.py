"""Credential prototypes as documents: what a kind of credential is called and which fields it has.

Examples
--------
>>> document = {"uuid": "f79aaa38-2eaf-453a-beee-3a2afa1221d5", "code": "Bank", "name": "Bank", "version": "1.0",
...             "fields": [{"keyword": "BANK_TOKEN", "type": "string", "required": True}]}
>>> read(document).code
'Bank'
>>> fields(document)["BANK_TOKEN"].secret
True
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from domain import checks, json_text
from domain.credential_format import PROTOTYPE
from domain.definition import as_text, digest
from domain.findings import DocumentError, Finding, Findings
from domain.json_places import located
from domain.localized import localized
from domain.member_order import order_of
from domain.shapes import is_object

WHAT = "credential prototype"
LARGEST = 2_000_000
"""Most bytes of a prototype."""

SECRET_TYPES = frozenset({"password", "secret"})
SECRET_NAME = re.compile(
    r"PASS(WORD|WD|PHRASE)?($|_)|SECRET|TOKEN(?!_NAME)|API_?KEY|(^|_)KEY($|_)|PRIVATE|(^|_)DSN($|_)|(^|_)PIN($|_)"
    r"|(^|_)(AUTH|BEARER|COOKIE)($|_)",
    re.IGNORECASE,
)
"""Names whose values are secrets, whatever their type: prototypes in use give tokens and addresses with passwords in
them as plain strings."""


class Prototype(msgspec.Struct, frozen=True):
    """A prototype that was read.

    Attributes
    ----------
    document : dict[str, Any]
        The JSON document as it was given.
    digest : str
        SHA-256 of the document, whatever the order of its members.
    uuid, code, name, version : str
        As lists show them; the name in English if there is one, the version empty if there is none.
    warnings : tuple[Finding, ...]
        Where it leaves the format.
    """

    document: dict[str, Any]
    digest: str
    uuid: str
    code: str
    name: str
    version: str
    warnings: tuple[Finding, ...]

    @property
    def order(self) -> dict[str, list[str]]:
        """Order of the members of its objects, for stores that do not keep it."""
        return order_of(self.document)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a credential: an environment variable that it gives to jobs.

    Attributes
    ----------
    name : str
        Name of the variable.
    type : str
        ``string``, ``password``, ``email``, ``url``, ``integer``, ``number``, ``boolean``, ``select``, ``textarea`` or
        ``file``.
    default : str or None
        What a job gets when neither credential nor anything else has a value.
    secret : bool
        Whether its value is never shown, but revealed on request.
    options : dict[str, Any]
        Labels by value, plain or by language, where a value is to be chosen.
    label, description, hint : Any
        Texts, plain or by language (``domain.localized``).
    validation : dict[str, Any]
        ``pattern``, ``min``, ``max``, ``minLength``, ``maxLength``.
    """

    name: str
    type: str = "string"
    required: bool = False
    default: str | None = None
    secret: bool = False
    options: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    label: Any = None
    description: Any = None
    hint: Any = None
    validation: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])


def read(source: bytes | str | Mapping[str, Any]) -> Prototype:
    """Read a prototype from JSON text, or from the document that it holds.

    Raises
    ------
    DocumentError
        It is none; the error holds every place that is wrong.
    """
    findings = Findings()
    if isinstance(source, Mapping):
        document: object = json_text.plain(dict(source))
        json_text.check_storable(document, findings)
    else:
        document = json_text.parse(source, WHAT, largest=LARGEST, findings=findings)
    if not findings.errors:
        PROTOTYPE(findings, "", document)
    if findings.errors or not is_object(document):
        raise DocumentError(WHAT, located(findings.errors, source), code="prototype_invalid")
    name = " ".join(localized(document["name"]).split())
    if not name or len(name) > checks.LONGEST_NAME:
        reason = f"the name has {len(name)} characters; 1 to {checks.LONGEST_NAME} are possible."
        findings.error("/name", "length", reason)
        raise DocumentError(WHAT, located(findings.errors, source), code="prototype_invalid")
    _warn_of_mixture(document, findings)
    return Prototype(
        document=document,
        digest=digest(document),
        uuid=str(document["uuid"]).lower(),
        code=str(document["code"]),
        name=name,
        version=as_text(document.get("version")).strip(),
        warnings=tuple(findings.warnings),
    )


def fields(document: Mapping[str, Any]) -> dict[str, Field]:
    """Return the fields of a prototype in its order, by the name of their variable."""
    listed = document.get("fields")
    members = cast("list[Any]", listed) if isinstance(listed, list) else []
    found = (_field(member) for member in members if is_object(member) and member.get("keyword"))
    return {field.name: field for field in found}


def is_secret(name: str, kind: str = "string", flag: object = None) -> bool:
    """Tell whether a value is a secret, by its type, its flag, or its name.

    Examples
    --------
    >>> is_secret("FIO_TOKEN"), is_secret("FIO_TOKEN_NAME"), is_secret("MAILER_DSN"), is_secret("DB_HOST")
    (True, False, True, False)
    """
    if isinstance(flag, bool):
        return flag
    return kind in SECRET_TYPES or SECRET_NAME.search(name) is not None


def _field(member: dict[str, Any]) -> Field:
    kind = as_text(member.get("type")) or "string"
    name = str(member["keyword"])
    default = member.get("default_value", member.get("default"))
    validation = member.get("validation")
    return Field(
        name=name,
        type={"secret": "password", "text": "textarea"}.get(kind, kind),
        required=as_text(member.get("required")).lower() in ("true", "1", "yes"),
        default=None if default in (None, "") else as_text(default),
        secret=is_secret(name, kind, member.get("secret")),
        options=_options(member.get("options")),
        label=member.get("name"),
        description=member.get("description"),
        hint=member.get("hint"),
        validation=validation if is_object(validation) else {},
    )


def _options(value: object) -> dict[str, Any]:
    if is_object(value):
        return dict(value)
    found: dict[str, Any] = {}
    for member in cast("list[object]", value) if isinstance(value, list) else []:
        if is_object(member):
            found[as_text(member.get("value"))] = member.get("label") or as_text(member.get("value"))
        else:
            found[as_text(member)] = as_text(member)
    return found


def _warn_of_mixture(document: dict[str, Any], findings: Findings) -> None:
    """Warn of what only the format of credential types has, in a prototype that also has what only prototypes have."""
    listed = document.get("fields")
    for index, member in enumerate(cast("list[Any]", listed) if isinstance(listed, list) else []):
        place = f"/fields/{index}"
        if member.get("default") is not None:
            if member.get("default_value") is not None:
                findings.warn(f"{place}/default", "default_twice", "there is a default_value, too, which counts.")
            else:
                findings.warn(f"{place}/default", "older", "the format calls it default_value; it is read as such.")
        kind = member.get("type")
        if kind in ("secret", "number"):
            other = {"secret": "password", "number": "integer"}[kind]
            findings.warn(f"{place}/type", "older", f"the format calls it {other}; it is read as such.")
        elif kind not in SECRET_TYPES and is_secret(str(member.get("keyword")), flag=member.get("secret")):
            reason = "it is no password by its type, but sounds like a secret; its values are treated as secrets."
            findings.warn(f"{place}/type", "sounds_secret", reason)
