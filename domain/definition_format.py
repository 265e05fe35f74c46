"""The format of application definitions, version 3.4.0, as a shape; ``schema/json/application.json`` says the same.

Definitions in use leave the format in many small ways. What makes a definition unusable is an error: the parts a job
cannot do without, and values of a kind that means nothing. All else is a warning.
"""

from __future__ import annotations

import re

from domain import icon
from domain.checks import is_variable
from domain.errors import ValidationError
from domain.field_values import kind_of
from domain.findings import Finding, Findings, child
from domain.shapes import (
    Check,
    Record,
    anything,
    boolean,
    is_list,
    is_object,
    kind,
    like,
    listing,
    localized_text,
    mapping,
    one_of,
    strict_text,
    text,
    whole,
    words,
    wrong_kind,
)

VERSION = "3.4.0"
MOST_FIELDS = 2_000

TYPES = ("string", "file-path", "email", "url", "integer", "float", "bool", "password", "set", "text")
CATEGORIES = ("API", "Database", "Behavior", "Security", "Other")
SEVERITIES = ("success", "info", "warning", "error", "critical")

_TYPE = one_of(*TYPES)
_FORMATS = one_of("file", "json", "text", "url", "custom")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:.+", re.DOTALL)
_ADDRESS = like(r"[A-Za-z][A-Za-z0-9+.-]*:.+", "https://example.org/")
_LABEL = like(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", "my-release", strict=True)
_CHART = like(r"oci://.+|[a-zA-Z0-9._-]+/[a-zA-Z0-9._-]+|(\./|\.\./|/).+", "oci://registry/chart", strict=True)
_VARIABLE = re.compile(r"[A-Z0-9_]+")


OTHER_DEFAULTS = ("default", "default_value")
"""Names under which a default is read, too, where there is no ``defval``; the first one counts."""


def options(findings: Findings, pointer: str, value: object) -> None:
    """Ask for the options of a field: a list, or an object of labels by value."""
    if not is_object(value) and not is_list(value):
        wrong_kind(findings, pointer, value, "a list or an object")


def field_type(findings: Findings, pointer: str, value: object) -> None:
    """Ask for a type of the format; another one is read as the one of these that comes next to it."""
    _TYPE(findings, pointer, value)
    if isinstance(value, str) and value not in TYPES:
        findings.warnings[-1] = Finding(
            pointer, "type_unknown", f"“{value[:80]}” is none of {', '.join(TYPES)}; it is read as {kind_of(value)}."
        )


def condition(findings: Findings, pointer: str, value: object) -> None:
    """Ask for values of other variables on which a field depends."""
    if not is_object(value):
        findings.warn(pointer, "not_a_condition", "expected an object of values by variable; it is not used.")


def bound(findings: Findings, pointer: str, value: object) -> None:
    """Ask for a bound of a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        findings.warn(pointer, "not_a_number", f"expected a number, found {kind(value)}; it is not used.")


def inside(findings: Findings, pointer: str, value: object) -> None:
    """Ask for a path, or a pattern of paths, below a folder; nothing is looked for outside."""
    strict_text(findings, pointer, value)
    if isinstance(value, str):
        _below(findings, pointer, value)
        if value.startswith(("/", "^/")):
            findings.warn(pointer, "outside", "the path begins at the root; files are looked for in the folder alone.")


def image(findings: Findings, pointer: str, value: object) -> None:
    """Ask for an image: an address, the data itself, or a file beside the definition."""
    text(findings, pointer, value)
    if isinstance(value, str) and not _URI.match(value):
        _below(findings, pointer, value)
    try:
        icon.within({"image": value})
    except ValidationError as error:
        findings.warn(pointer, "icon_unusable", f"{error.message} It is kept and not shown.")


def program(findings: Findings, pointer: str, value: object) -> None:
    """Ask for what is started: a name, or a path from the root."""
    strict_text(findings, pointer, value)
    if isinstance(value, str):
        _below(findings, pointer, value)


def _below(findings: Findings, pointer: str, path: str) -> None:
    if ".." in path.replace("\\.", ".").lstrip("^").split("/"):
        findings.error(pointer, "leaves_folder", "the path leads out of its folder by “..”.")


FIELD = Record(
    {
        "type": field_type,
        "category": one_of(*CATEGORIES),
        "description": localized_text,
        "hint": localized_text,
        "defval": anything,
        "required": boolean,
        "options": options,
        "min": bound,
        "max": bound,
        "condition": condition,
    },
    wanted=("type",),
)


def environment(findings: Findings, pointer: str, value: object) -> None:
    """Ask for the fields of the environment by the name of their variable."""
    if value == []:
        findings.warn(pointer, "empty_list", "expected an object; the empty list is read as an empty one.")
        return
    if not is_object(value):
        wrong_kind(findings, pointer, value, "an object of fields by the name of their variable")
        return
    if len(value) > MOST_FIELDS:
        findings.error(pointer, "too_many", f"it has {len(value)} fields, at most {MOST_FIELDS} are possible.")
        return
    for name, field in value.items():
        place = child(pointer, name)
        if not is_variable(name):
            findings.error(place, "name_form", "this is no name of an environment variable.")
        elif not _VARIABLE.fullmatch(name):
            findings.warn(place, "name_form", "names of variables are of capital letters, digits and _.")
        FIELD(findings, place, field)
        if is_object(field):
            _other_default(findings, place, field)


def _other_default(findings: Findings, place: str, field: dict[str, object]) -> None:
    """Warn of a default under the name that prototypes of credentials have for it."""
    named = [name for name in OTHER_DEFAULTS if field.get(name) is not None]
    for name in named:
        counts = "defval" if field.get("defval") is not None else named[0]
        told = "the format calls it defval; it is read as such." if counts == name else f"{counts} counts in its place."
        findings.warn(child(place, name), "older", told)


def exit_codes(findings: Findings, pointer: str, value: object) -> None:
    """Ask for what exit codes mean, by code."""
    if value == []:
        findings.warn(pointer, "empty_list", "expected an object; the empty list is read as an empty one.")
        return
    if not is_object(value):
        wrong_kind(findings, pointer, value, "an object of meanings by exit code")
        return
    for code, meaning in value.items():
        place = child(pointer, code)
        if not re.fullmatch(r"-?\d{1,10}", code, re.ASCII):
            findings.error(place, "name_form", "this is no exit code.")
        elif not (code.isdigit() and int(code) <= 255):
            findings.warn(place, "name_form", "exit codes lie between 0 and 255.")
        EXIT_CODE(findings, place, meaning)


EXIT_CODE = Record(
    {"description": localized_text, "severity": one_of(*SEVERITIES), "retry": boolean},
    wanted=("description",),
    extra=False,
)
ARTIFACT = Record(
    {"name": localized_text, "path": inside, "type": text, "description": localized_text},
    required=("path",),
    wanted=("name", "type"),
    extra=False,
)
PRODUCES = Record({"description": localized_text, "patterns": listing(text), "format": _FORMATS}, wanted=("format",))
CONSUMES = Record({"description": localized_text, "required": boolean, "format": _FORMATS}, wanted=("format",))
EVENTS = Record(
    {
        "emits": mapping(
            r"[a-zA-Z0-9_.-]+",
            Record(
                {
                    "description": localized_text,
                    "evidence": text,
                    "operation": one_of("create", "update", "delete", "any"),
                }
            ),
        ),
        "consumes": mapping(r"[a-zA-Z0-9_.-]+", Record({"description": localized_text, "format": _FORMATS})),
    },
    extra=False,
)
_HELM = Record(
    {
        "enabled": boolean,
        "releaseName": _LABEL,
        "namespace": _LABEL,
        "chart": _CHART,
        "valuesFiles": listing(inside),
        "set": mapping(r".+", text),
        "upgradeInstall": boolean,
        "timeoutSeconds": whole(1, 3600),
        "atomic": boolean,
        "wait": boolean,
    },
    extra=False,
)


def helm(findings: Findings, pointer: str, value: object) -> None:
    """Ask for the deployment by Helm; one that is enabled names its chart and release."""
    _HELM(findings, pointer, value)
    if is_object(value):
        if value.get("enabled") is True:
            for name in ("chart", "releaseName"):
                if value.get(name) is None:
                    findings.error(child(pointer, name), "missing", "it is required when Helm is enabled, and missing.")
        if value.get("valuesFiles") == []:
            findings.error(child(pointer, "valuesFiles"), "empty", "there is no file in it.")


KUBERNETES = Record(
    {
        "helm": helm,
        "artifacts": Record({"enabled": boolean, "outputPath": text, "keepPodOnFailure": boolean}, extra=False),
    },
    required=("helm",),
    extra=False,
)
_MEMBERS: dict[str, Check] = {
    "$schema": _ADDRESS,
    "image": image,
    "title": localized_text,
    "name": localized_text,
    "description": localized_text,
    "author": text,
    "license": text,
    "category": text,
    "tags": words,
    "homepage": _ADDRESS,
    "uuid": like(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "775ed801-2489-4981-bc14-d8a01cba1938"),
    "version": like(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){0,3}", "1.2.3"),
    "schemaVersion": text,
    "ociimage": like(r"[\w./:-]+(:[\w.-]+)?", "docker.io/example/application:1.2.3"),
    "executable": program,
    "cmdparamsTemplate": text,
    "environment": environment,
    "artifacts": listing(ARTIFACT),
    "produces": mapping(r"[a-zA-Z0-9_-]+", PRODUCES),
    "consumes": mapping(r"[a-zA-Z0-9_-]+", CONSUMES),
    "events": EVENTS,
    "exitCodes": exit_codes,
    "kubernetes": KUBERNETES,
    "requirements": words,
}
_OLDER = {
    "cmdparams": "cmdparamsTemplate has ${VARIABLE} in its place; {VARIABLE} is still read",
    "setup": "nothing is run at the installation",
    "deploy": "nothing is run at the deployment",
    "topics": "tags hold what they held",
    "multiflexi": "schemaVersion tells the version of the format",
    "resultfile": "artifacts tell which files are kept",
    "helmchart": "kubernetes.helm.chart has taken its place",
}
DEFINITION = Record(
    _MEMBERS,
    required=("name", "description", "executable", "environment"),
    wanted=("$schema",),
    extra=False,
    older=_OLDER,
)
