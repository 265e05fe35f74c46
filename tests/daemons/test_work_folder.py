"""What jobs make of their working folders goes with them, and nothing else does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from daemons import folder_removal
from daemons.folder_removal import remove_tree
from daemons.work_folder import WorkFolders

DEPTH = 1100
"""Deeper than Python's calls, and a path longer than the system takes."""


def deep(folder: Path) -> None:
    home = os.open(".", os.O_PATH)
    os.chdir(folder)
    try:
        for _ in range(DEPTH):
            Path("file").touch()
            Path("deep").mkdir()
            os.chdir("deep")
    finally:
        os.fchdir(home)
        os.close(home)


def remove_otherwise(folder: str) -> None:
    """Remove what was left, as what removes the temporary folders of tests cannot do it."""
    subprocess.run(["rm", "-rf", folder], check=True)


async def test_a_folder_as_deep_as_can_be_is_removed(tmp_path: Path) -> None:
    folders = WorkFolders(tmp_path)
    folder = folders.make(1, "0123456789abcdef")
    (Path(folder) / "empty").mkdir()
    deep(Path(folder))
    try:
        await folders.remove(folder)
        assert list(tmp_path.iterdir()) == []
    finally:
        remove_otherwise(folder)


@pytest.mark.parametrize("what", ["file", "link to a folder", "link to nothing"])
async def test_what_has_taken_the_place_of_a_folder_is_removed_and_what_it_leads_to_is_not(
    tmp_path: Path, what: str
) -> None:
    others = tmp_path / "others"
    others.mkdir()
    (others / "kept").write_text("kept")
    folders = WorkFolders(tmp_path / "jobs")
    folder = Path(folders.make(1, "0123456789abcdef"))
    folder.rmdir()
    if what == "file":
        folder.write_text("a file")
    else:
        folder.symlink_to(others if what == "link to a folder" else tmp_path / "nothing")
    await folders.remove(str(folder))
    assert list((tmp_path / "jobs").iterdir()) == []
    assert (others / "kept").read_text() == "kept"


def test_links_and_special_files_in_a_folder_go_and_what_they_lead_to_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("kept")
    folder = tmp_path / "job"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "link").symlink_to(tmp_path / "kept")
    (folder / "link").symlink_to(tmp_path / "kept" / "file")
    os.mkfifo(folder / "pipe")
    assert remove_tree(str(folder))
    assert (tmp_path / "kept" / "file").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become a user who has no right to everything")
def test_a_user_without_rights_to_everything_removes_folders_whose_rights_were_taken_away() -> None:
    place = Path(tempfile.mkdtemp())
    try:
        folder = place / "job"
        (folder / "unreadable" / "below").mkdir(parents=True)
        (folder / "unreadable" / "below" / "file").touch()
        (folder / "unwritable").mkdir()
        (folder / "unwritable" / "file").touch()
        for path in (place, *place.rglob("*")):
            os.chown(path, 65534, 65534)
        (folder / "unwritable").chmod(0o500)
        (folder / "unreadable" / "below").chmod(0)
        (folder / "unreadable").chmod(0)
        folder.chmod(0)
        # The program's own folder may be closed to that user: what is run is only told.
        program = f"{Path(folder_removal.__file__).read_text()}\nprint(remove_tree({str(folder)!r}))\n"
        python = os.path.realpath(sys.executable)
        nobody = {"user": 65534, "group": 65534, "cwd": "/"}
        said = subprocess.run([python, "-I", "-"], input=program, text=True, capture_output=True, check=False, **nobody)
        assert (said.stdout, said.stderr) == ("True\n", "")
        assert not folder.exists()
    finally:
        shutil.rmtree(place)


def test_what_cannot_be_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "job" / "below").mkdir(parents=True)
    (tmp_path / "job" / "below" / "file").touch()

    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.unlink", refused)
    assert not remove_tree(str(tmp_path / "job"))
