"""Files that browsers load: bundled, named by their content, compressed once, and served from memory.

``app.css`` becomes ``app.3f2a91c04b7d.css``. A name stands for one content for ever, so browsers may keep it for ever;
a changed file has another name. Stylesheets pull in those that they ``@import``; scripts name the modules that they
import by their final names, so that each module is kept apart from the others.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "static"
FOREVER = "public, max-age=31536000, immutable"
WORTH_COMPRESSING = 512
"""Bytes from which compression pays."""

COMPRESSED_KINDS = {".css", ".js", ".svg", ".webmanifest"}
_CSS_IMPORT = re.compile(r'@import "([^"]+)";\n?')
_JS_IMPORT = re.compile(r'((?:from|import) ")\./([\w./-]+)(")')


@dataclass(frozen=True)
class Asset:
    """A file as it is served.

    Attributes
    ----------
    name : str
        Final name, with the digest of its content.
    media_type : str
        MIME type.
    content : bytes
        The file.
    gzipped : bytes or None
        The same, compressed; None where that does not pay.
    """

    name: str
    media_type: str
    content: bytes
    gzipped: bytes | None


class Assets:
    """All files that browsers load.

    Parameters
    ----------
    folder : Path
        Where their sources lie.

    Raises
    ------
    FileNotFoundError
        A file imports one that is not there.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._by_source: dict[str, Asset] = {}
        for path in sorted(folder.rglob("*")):
            source = path.relative_to(folder)
            # Stylesheets below a folder are parts of a bundle.
            if path.is_file() and not (path.suffix == ".css" and len(source.parts) > 1):
                self._make(source.as_posix())
        self._by_name = {asset.name: asset for asset in self._by_source.values()}

    def name(self, source: str) -> str:
        """Return the final name of a file.

        Raises
        ------
        KeyError
            There is no such file: a fault of the template.
        """
        return self._by_source[source].name

    def find(self, name: str) -> Asset | None:
        """Return the file of a final name, if there is one."""
        return self._by_name.get(name)

    def _make(self, source: str) -> Asset:
        if source in self._by_source:
            return self._by_source[source]
        path = self._folder / source
        content = path.read_bytes()
        if path.suffix == ".css":
            content = self._bundle(path).encode()
        elif path.suffix == ".js":
            content = self._link(source, content.decode()).encode()
        digest = hashlib.sha256(content).hexdigest()[:12]
        squeezed = gzip.compress(content, 9, mtime=0) if path.suffix in COMPRESSED_KINDS else content
        asset = Asset(
            name=f"{path.stem}.{digest}{path.suffix}",
            media_type=_media_type(path),
            content=content,
            gzipped=squeezed if len(content) >= WORTH_COMPRESSING and len(squeezed) < len(content) else None,
        )
        self._by_source[source] = asset
        return asset

    def _bundle(self, path: Path) -> str:
        return _CSS_IMPORT.sub(lambda found: self._bundle(path.parent / found[1]), path.read_text())

    def _link(self, source: str, text: str) -> str:
        folder = Path(source).parent
        return _JS_IMPORT.sub(
            lambda found: f"{found[1]}./{self._make((folder / found[2]).as_posix()).name}{found[3]}", text
        )


def _media_type(path: Path) -> str:
    if path.suffix == ".js":
        return "text/javascript"
    if path.suffix == ".webmanifest":
        return "application/manifest+json"
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
