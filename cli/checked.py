"""A document checked against its format, without a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from cli.output import Output
from domain.findings import DocumentError, Finding
from domain.json_places import located


class Read(Protocol):
    """A document that was read."""

    @property
    def warnings(self) -> Sequence[Finding]:
        """What leaves the format without harm."""
        ...


def answer_checked(
    output: Output, file: str, source: bytes, schema: Path, read: Callable[[bytes], Read], what: str
) -> int:
    """Tell whether a document can be imported; return the exit code.

    Parameters
    ----------
    output : Output
        Where it is told.
    file : str
        Name of the file, as it was given.
    source : bytes
        Its content.
    schema : Path
        The schema of its format.
    read : Callable
        Reads the document.
    what : str
        What the document is: ``definition``.
    """
    document: dict[str, Any] = {"status": "success", "file": file, "schema": str(schema)}
    try:
        found = read(source)
    except DocumentError as error:
        document |= {"status": "error", "violations": [str(finding) for finding in error.findings]}
        if output.json:
            output.document(document | {"message": f"The {what} cannot be imported."})
        output.remark(error.message)
        return 1
    warnings = [str(finding) for finding in located(found.warnings, source)]
    for warning in warnings:
        output.warn(warning)
    more = {"warnings": warnings} if warnings else {}
    message = f"The {what} can be imported."
    output.answer({**document, "message": message, **more}, message)
    return 0
