"""Environments of run templates and jobs as the command line shows them: decrypted, what is secret masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cli.reading import Reader
from domain.definition import fields
from domain.environment import environment_in
from domain.event import Erased
from web.masking import masked

DEFINITIONS = """
    SELECT a.id, a.document->'definition'->'environment' AS environment
      FROM application a WHERE a.id = ANY ($1::integer[])
"""


async def show_environments(
    reader: Reader, rows: Sequence[dict[str, Any]], category: str, field: str = "environment"
) -> None:
    """Put environments in clear into rows of run templates or jobs; what is secret is masked.

    Parameters
    ----------
    reader : Reader
        Opens them.
    rows : Sequence[dict]
        Rows with ``id`` and ``app_id``.
    category : str
        Category of the streams they come from: ``run_template`` or ``job``.
    field : str
        Where the environment stands in a row.
    """
    opened = [{"environment": row[field]} for row in rows]
    await reader.reveal_at(
        [(one, "environment", f"{category}-{row['id']}") for row, one in zip(rows, opened, strict=True)]
    )
    ids = sorted({row["app_id"] for row, one in zip(rows, opened, strict=True) if one["environment"] and row["app_id"]})
    definitions = (await reader.fetch(DEFINITIONS, ids)).rows if ids else []
    secret = {each["id"]: {name for name, named in fields(each).items() if named.secret} for each in definitions}
    for row, one in zip(rows, opened, strict=True):
        clear = one["environment"]
        if not isinstance(clear, Erased):
            clear = masked(environment_in(clear), secret.get(row["app_id"], ()))
        row[field] = clear
