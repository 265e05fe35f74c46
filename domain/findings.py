"""What a check of a document found: each place with the reason, as errors that refuse it and warnings that do not."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from domain.errors import ValidationError


class Finding(msgspec.Struct, frozen=True):
    """One place of a document and what is wrong there.

    Attributes
    ----------
    pointer : str
        The place as a JSON pointer (RFC 6901); empty: the whole document.
    code : str
        Stable name of the rule.
    reason : str
        What is wrong and what was expected.
    line : int or None
        Line of the text, from 1, where the document was given as text and the reason does not name it.
    """

    pointer: str
    code: str
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        line = "" if self.line is None else f"line {self.line}: "
        return f"{self.pointer or '/'}: {line}{self.reason}"


class Findings:
    """Collects findings while a document is walked."""

    def __init__(self) -> None:
        self.errors: list[Finding] = []
        self.warnings: list[Finding] = []

    def error(self, pointer: str, code: str, reason: str) -> None:
        """Note a place for which the document is refused."""
        self.errors.append(Finding(pointer, code, reason))

    def warn(self, pointer: str, code: str, reason: str) -> None:
        """Note a place that leaves the format, but not so far that the document is refused."""
        self.warnings.append(Finding(pointer, code, reason))


class DocumentError(ValidationError):
    """A document that is refused.

    Attributes
    ----------
    findings : tuple[Finding, ...]
        Every place that is wrong.
    line, column : int or None
        Where the text is no JSON, from 1.
    """

    default_code = "document_invalid"

    def __init__(
        self,
        what: str,
        findings: Sequence[Finding],
        *,
        line: int | None = None,
        column: int | None = None,
        code: str | None = None,
    ) -> None:
        places = "1 place is" if len(findings) == 1 else f"{len(findings)} places are"
        listed = "".join(f"\n  {finding}" for finding in findings[:20])
        more = f"\n  … and {len(findings) - 20} more" if len(findings) > 20 else ""
        super().__init__(f"The {what} is refused: {places} wrong.{listed}{more}", field=what, code=code)
        self.findings = tuple(findings)
        self.line = line
        self.column = column


def child(pointer: str, name: str | int) -> str:
    """Return the pointer of a member of the place that another points to.

    Examples
    --------
    >>> child("/environment", "A/B")
    '/environment/A~1B'
    """
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
