"""Icons of applications on the command line: taken in beside a definition, replaced, written out, taken away."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.cli.conftest import DEFINITION, Cli

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9" /></svg>'
GIF = base64.b64decode("R0lGODlhAQABAAAAADs=")


def written(folder: Path, **members: object) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "echo.multiflexi.app.json"
    path.write_text(json.dumps({**DEFINITION, **members}))
    return path


@pytest.mark.parametrize(
    ("image", "file"),
    [("img/echo.svg", "img/echo.svg"), ("", f"{DEFINITION['uuid']}.svg"), ("echo.svg", "images/echo.svg")],
)
def test_an_icon_beside_the_definition_is_taken_in_cleaned_and_written_out_beside_it(
    cli: Cli, tmp_path: Path, image: str, file: str
) -> None:
    path = written(tmp_path / "in", image=image)
    there = path.parent / file
    there.parent.mkdir(exist_ok=True)
    there.write_bytes(SVG.replace(b"<path", b"<script>alert(1)</script><path onclick='x()'"))
    for words in (("--file", str(path)), ("--file", str(path.parent))):
        assert cli("application:import-json", *words).code == 0
    out = tmp_path / "out"
    out.mkdir()
    exported = cli.json("application:export-json", "--id", "1", "--file", str(out / "a.app.json"))
    icon = Path(exported["icon"])
    assert icon == out / (image or f"{DEFINITION['uuid']}.svg")
    assert icon.read_bytes() == SVG
    # Imported from there, nothing is different.
    assert "nothing was changed" in cli("application:import-json", "--file", str(out / "a.app.json")).out
    again = cli.json("application:export-json", "--id", "1", "--file", str(out / "b.app.json"))
    assert Path(again["icon"]).read_bytes() == SVG


def test_an_icon_that_cannot_be_used_is_warned_of_and_a_link_out_of_the_folder_not_followed(
    cli: Cli, tmp_path: Path
) -> None:
    path = written(tmp_path / "in", image="echo.svg")
    (path.parent / "echo.svg").write_text("no picture")
    run = cli("application:import-json", "--file", str(path))
    assert run.code == 0
    assert "/image: echo.svg: The icon is neither SVG, PNG, JPEG, GIF nor WebP." in run.err
    (path.parent / "echo.svg").unlink()
    (tmp_path / "outside.svg").write_bytes(SVG)
    (path.parent / "echo.svg").symlink_to(tmp_path / "outside.svg")
    assert cli("application:import-json", "--file", str(path)).err == ""
    assert "icon" not in cli.json("application:export-json", "--id", "1", "--file", str(tmp_path / "x.json"))


def test_an_icon_is_replaced_and_taken_away(cli: Cli, tmp_path: Path) -> None:
    url = "data:image/gif;base64," + base64.b64encode(GIF).decode()
    cli.json("application:import-json", "--file", str(written(tmp_path / "in", image=url)))
    out = tmp_path / "x.json"
    # What the definition itself holds needs no file beside it.
    assert "icon" not in cli.json("application:export-json", "--id", "1", "--file", str(out))
    assert json.loads(out.read_text())["image"] == url
    cli.json("application:import-json", "--file", str(written(tmp_path / "in", version="2.0", image="")))
    exported = cli.json("application:export-json", "--id", "1", "--file", str(out))
    assert Path(exported["icon"]).read_bytes() == GIF
    (tmp_path / "new.svg").write_bytes(SVG)
    assert cli.json("application:update", "1", "--icon", str(tmp_path / "new.svg"))["updated"] is True
    assert cli.json("application:update", "1", "--icon", str(tmp_path / "new.svg"))["updated"] is False
    exported = cli.json("application:export-json", "--id", "1", "--file", str(out))
    assert Path(exported["icon"]).read_bytes() == SVG
    (tmp_path / "large.svg").write_bytes(b" " * 200_000)
    refused = cli.json("application:update", "1", "--icon", str(tmp_path / "large.svg"), code=1)
    assert "at most 131072 are possible" in refused["message"]
    assert cli.json("application:update", "1", "--icon", "")["updated"] is True
    assert "icon" not in cli.json("application:export-json", "--id", "1", "--file", str(out))
