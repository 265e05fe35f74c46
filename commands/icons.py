"""Icons of applications: looked for beside the files of definitions, set, and written beside them again."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from commands.actor import Actor
from commands.preparing import Executes, Outcome
from domain import icon
from domain.application import SetApplicationIcon
from domain.definition import Definition
from domain.errors import DomainError, ValidationError
from domain.findings import Finding

PACKAGED = Path("/usr/share/multiflexi/images")
"""Where packages put icons, named as definitions name them or by the UUID of the application."""


def icon_file(path: Path | str) -> bytes:
    """Return the bytes of the file of an icon, one more than an icon may have at most.

    Raises
    ------
    ValidationError
        It cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(icon.LARGEST + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValidationError(f"{path} cannot be read: {reason}.", field="image", code="file_unreadable") from None


def icon_beside(path: Path, read: Definition) -> Path | None:
    """Return the file of the icon that belongs to the file of a definition, if there is one.

    It has the name that the definition gives it, or that of the UUID, and is in the folder of the definition, in one
    named ``images`` there, or where packages put icons.
    """
    for folder in (path.parent, path.parent / "images", PACKAGED):
        for name in _names(read):
            found = folder / name
            if found.is_file() and found.resolve().is_relative_to(folder.resolve()):
                return found
    return None


def named_file(document: Mapping[str, Any]) -> str | None:
    """Return the name of the file that a definition names as its icon; None if it names none.

    Examples
    --------
    >>> named_file({"image": "img/probe.svg"}), named_file({"image": "https://example.org/a.png"}), named_file({})
    ('img/probe.svg', None, None)
    """
    image = document.get("image")
    if not isinstance(image, str) or not image.strip() or ":" in image or Path(image).is_absolute():
        return None
    return None if ".." in Path(image).parts else image


async def set_icon(shell: Executes, application_id: int, data: bytes | None, actor: Actor, by: str = "cli") -> Outcome:
    """Give an application an icon, or take it away (None)."""
    content = None if data is None else base64.b64encode(data).decode()
    return await shell.execute(SetApplicationIcon(application_id=application_id, content=content), actor, source=by)


async def take_icon(
    shell: Executes, path: Path, read: Definition, application_id: int, actor: Actor
) -> tuple[Finding, ...]:
    """Give an application the icon beside the file of its definition; return a warning if it cannot be used."""
    found = icon_beside(path, read)
    if found is None:
        return ()
    try:
        await set_icon(shell, application_id, icon_file(found), actor)
    except DomainError as error:
        return (Finding("/image", "icon_unusable", f"{found.name}: {error.message}"),)
    return ()


def _names(read: Definition) -> Iterator[str]:
    named = named_file(read.document)
    if named is not None:
        yield named
    for suffix in icon.SUFFIXES.values():
        yield f"{read.uuid}.{suffix}"
