"""Documents that are imported on pages: given as a file, as text, or by an address; looked at first, then taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar.datastructures import UploadFile

from commands.catalogue import document_of
from commands.fetching import is_address
from domain import json_places
from domain.errors import ValidationError
from web.errors import N_

LARGEST = 2_000_000
"""Most bytes of a document, as it goes to the browser and back."""

TOO_LARGE = N_("The file is larger than 2 MB. Import it on the command line.")
NO_SOURCE = N_("Choose a file, or give its text or address.")

FIELDS = ("file", "source", "address")
"""Fields of the form, in the order in which they count."""


async def source_of(form: Any) -> bytes:
    """Return the document that a form holds, names the address of, or comes back with from the page before.

    Raises
    ------
    ValidationError
        There is none, it is too large, or its address cannot be fetched; the error names the field.
    """
    file = form.get("file")
    address = str(form.get("address") or "").strip()
    if isinstance(file, UploadFile) and file.filename:
        return _fitting(await file.read(LARGEST + 1), "file")
    if text := str(form.get("source") or ""):
        # A browser sends lines with CRLF, whatever they ended with.
        return _fitting(text.replace("\r\n", "\n").encode(), "source")
    if not address:
        raise ValidationError(NO_SOURCE, field="file", code="no_source")
    try:
        return _fitting(await document_of(address if is_address(address) else f"https://{address}"), "address")
    except ValidationError as error:
        raise ValidationError(error.message, field="address", code=error.code) from error


def typed_of(form: Any, source: bytes = b"") -> dict[str, str]:
    """Return what stands in the fields again; the text of a file that was read can be put right there."""
    text = source.decode(errors="replace") if source else str(form.get("source") or "")
    return {"source": text, "address": str(form.get("address") or "").strip()}


def lines_of(source: bytes, pointers: Mapping[str, str]) -> dict[str, int]:
    """Return the lines of parts of a document, by name; none of a very long one, as that would take long.

    Parameters
    ----------
    source : bytes
        JSON text.
    pointers : Mapping[str, str]
        JSON pointers (RFC 6901) of the parts, by name.
    """
    text = source.decode(errors="replace")
    if len(text) > json_places.LARGEST:
        return {}
    found = json_places.places(text)
    return {name: found.line(pointer) for name, pointer in pointers.items()}


def _fitting(source: bytes, field: str) -> bytes:
    if len(source) > LARGEST:
        raise ValidationError(TOO_LARGE, field=field, code="too_large")
    return source
