"""Definitions and prototypes as files: where packages put them, which folders were chosen, and writing one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.failure import RefusedError
from cli.output import Output

INSTALLED = "usr/lib/*/multiflexi"
"""Where packages put their documents, from the root on."""


def package_folders(variable: str) -> list[Path]:
    """Return the folders of packages that are there.

    Parameters
    ----------
    variable : str
        Variable of the environment that names other folders, separated as in ``PATH``.
    """
    told = os.environ.get(variable)
    named = told.split(os.pathsep) if told else sorted(Path("/").glob(INSTALLED))
    return [Path(folder) for folder in named if str(folder) and Path(folder).is_dir()]


def chosen_folders(named: Sequence[str]) -> list[Path]:
    """Return the folders that ``--folder`` names.

    Raises
    ------
    RefusedError
        One of them is not there.
    """
    folders = [Path(folder) for folder in named]
    for folder in folders:
        if not folder.is_dir():
            raise RefusedError(f"There is no folder {folder}.", field="folder")
    return folders


def write_document(output: Output, path: str, document: Mapping[str, Any], indent: int) -> bool:
    """Write a document to a file, or to standard output for ``-``; return whether there is a file to tell of.

    Raises
    ------
    RefusedError
        The file cannot be written.
    """
    text = json.dumps(document, ensure_ascii=False, indent=indent) + "\n"
    if path == "-":
        output.write(text.encode())
        return False
    write_file(path, text.encode())
    return True


def write_file(path: str, data: bytes) -> None:
    """Write a file.

    Raises
    ------
    RefusedError
        It cannot be written.
    """
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}."
        raise RefusedError(message, field="file", file=path) from None
