"""Icons of applications: small pictures that are checked, and cleaned where they could do more than be looked at.

Examples
--------
>>> cleaned = read(b'<svg xmlns="http://www.w3.org/2000/svg" onload="x()"><script>x()</script><path d="M0 0h9"/></svg>')
>>> cleaned.media_type, cleaned.data
('image/svg+xml', b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9" /></svg>')
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from domain.errors import ValidationError

LARGEST = 131_072
"""Most bytes of an icon."""

WIDEST = 2_048
"""Most pixels of a side, where the beginning of the file tells them."""

DEEPEST = 64
SVG_TYPE = "image/svg+xml"
SUFFIXES = {SVG_TYPE: "svg", "image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
"""What an icon may be, and how the names of such files end."""

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
_ELEMENTS = frozenset(
    {
        "svg",
        "g",
        "defs",
        "title",
        "desc",
        "symbol",
        "use",
        "path",
        "rect",
        "circle",
        "ellipse",
        "line",
        "polyline",
        "polygon",
        "text",
        "tspan",
    }
    | {"linearGradient", "radialGradient", "stop", "clipPath", "mask", "pattern", "marker", "style", "filter"}
    | {"feGaussianBlur", "feOffset", "feBlend", "feFlood", "feColorMatrix", "feComposite", "feMerge", "feMergeNode"}
)
_UNSAFE = re.compile(r"url\s*\(\s*(?!['\"]?#)|javascript:|expression\s*\(|@|\\|<", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"(?!on)[A-Za-z][A-Za-z0-9_.-]*", re.IGNORECASE)
_DATA_URL = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),(.*)", re.DOTALL | re.IGNORECASE)

ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)


class Icon(msgspec.Struct, frozen=True):
    """A picture that may be shown.

    Attributes
    ----------
    media_type : str
        One of :data:`SUFFIXES`, by what the file holds, whatever it is called.
    data : bytes
        The file; of an SVG, what is left after cleaning.
    """

    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the file, as hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


def read(data: bytes) -> Icon:
    """Return a picture as an icon.

    Raises
    ------
    ValidationError
        It is none, or too large.
    """
    if len(data) > LARGEST:
        raise _refused(f"The icon has {len(data)} bytes; at most {LARGEST} are possible.", "icon_too_large")
    media_type, sides = _kind(data)
    if media_type is None:
        return Icon(SVG_TYPE, _cleaned(data))
    if max(sides) > WIDEST:
        message = f"The icon has {sides[0]} by {sides[1]} pixels; at most {WIDEST} a side are possible."
        raise _refused(message, "icon_too_large")
    return Icon(media_type, data)


def within(document: Mapping[str, Any]) -> Icon | None:
    """Return the icon that a definition itself holds as a ``data:`` URL (RFC 2397); None if it holds none.

    Raises
    ------
    ValidationError
        What it holds is no icon.
    """
    image = document.get("image")
    if not isinstance(image, str) or not image.lower().startswith("data:"):
        return None
    match = _DATA_URL.fullmatch(image)
    if match is None:
        raise _refused("The data: URL of the icon has no comma, so no data.", "icon_invalid")
    data = urllib.parse.unquote_to_bytes(match[3])
    if ";base64" in match[2].lower():
        try:
            data = base64.b64decode(b"".join(data.split()), validate=True)
        except binascii.Error:
            raise _refused("The data: URL of the icon is no base64.", "icon_invalid") from None
    return read(data)


def _kind(data: bytes) -> tuple[str | None, tuple[int, int]]:
    """Return the type of a picture of pixels and its sides where they are told; no type for what may be an SVG."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        return "image/png", (int.from_bytes(data[16:20]), int.from_bytes(data[20:24]))
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif", (int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little"))
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg", (0, 0)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp", (0, 0)
    return None, (0, 0)


def _cleaned(data: bytes) -> bytes:
    """Return an SVG without all that could run, load or look like something else."""
    wrong = _refused("The icon is neither SVG, PNG, JPEG, GIF nor WebP.", "icon_invalid")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise wrong from None
    if "<!ENTITY" in text.upper():
        raise _refused("The icon defines entities, which could make it grow without bounds.", "icon_invalid")
    try:
        root = ET.fromstring(text)  # noqa: S314 (without entities, of bounded size)
    except (ET.ParseError, ValueError):
        raise wrong from None
    if root.tag != f"{{{SVG}}}svg":
        raise wrong
    _clean(root, 0)
    return ET.tostring(root, encoding="unicode").encode()


def _clean(element: ET.Element, depth: int) -> None:
    if depth > DEEPEST:
        raise _refused(f"The icon is nested deeper than {DEEPEST} levels.", "icon_invalid")
    for name, value in list(element.attrib.items()):
        if not _harmless(name, value):
            del element.attrib[name]
    if element.tag == f"{{{SVG}}}style" and _UNSAFE.search(element.text or ""):
        element.text = ""
    for child in list(element):
        namespace, _, name = child.tag[1:].partition("}")
        if namespace == SVG and name in _ELEMENTS:
            _clean(child, depth + 1)
        else:
            element.remove(child)


def _harmless(name: str, value: str) -> bool:
    if name in ("href", f"{{{XLINK}}}href"):
        return value.startswith("#")
    return _ATTRIBUTE.fullmatch(name) is not None and _UNSAFE.search(value) is None


def _refused(message: str, code: str) -> ValidationError:
    return ValidationError(message, field="image", code=code)
