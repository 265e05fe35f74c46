"""What a projection is: a name, a version, tables and a fold over batches of events in SQL.

A projection lives in two files of its name: ``NAME.sql`` makes its tables and its function
``fold_NAME(batch event[])``, and its entry in :mod:`projections.registry` says the rest. To change its tables or its
fold, raise its version: the next ``daemons.prepare.prepare`` builds the new one beside the old one and swaps them. A
table that the new version no longer has is dropped by a migration.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

FOLDER = Path(__file__).resolve().parent
ALL_CLASSES = (0, 99)


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """A read model.

    Attributes
    ----------
    name : str
        Name of the projection, its SQL file and its fold.
    version : int
        Version of its tables and its fold.
    tables : tuple[str, ...]
        Tables that it owns.
    types : tuple[str, ...]
        Event types that it folds; empty: all of them.
    classes : tuple[int, int]
        First and last class (:mod:`eventstore.log`) of the events that it folds; a rebuild reads no others.
    apart : bool
        Whether it is so much work that a rebuild gives it a lane of its own.
    inline : bool
        Whether it is folded in the appending transaction.
    shared : bool
        Whether rows without a company may be read by everybody.
    """

    name: str
    version: int
    tables: tuple[str, ...]
    types: tuple[str, ...] = ()
    classes: tuple[int, int] = ALL_CLASSES
    apart: bool = False
    inline: bool = False
    shared: bool = False

    @property
    def fold(self) -> str:
        """Name of its fold."""
        return f"fold_{self.name}"

    @property
    def definition(self) -> str:
        """SQL that makes its tables and its fold in the first schema of the search path."""
        return (FOLDER / f"{self.name}.sql").read_text(encoding="utf-8")
