"""Icons: pictures of a few kinds pass as they are, an SVG without what could run or load; the rest is refused."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import definition, icon
from domain.errors import ValidationError

HEAD = b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">'
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (32).to_bytes(4) + (24).to_bytes(4) + b"\x08\x06\x00\x00\x00"
UUID = "775ed801-2489-4981-bc14-d8a01cba1938"
GIF = base64.b64decode("R0lGODlhAQABAAAAADs=")
HARMFUL = [
    b"<script>alert(1)</script>",
    b'<script href="https://evil.example/x.js"/>',
    b'<path d="M0 0" onclick="alert(1)"/>',
    b'<path d="M0 0" ONLOAD="alert(1)"/>',
    b'<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></body></foreignObject>',
    b'<h:script xmlns:h="http://www.w3.org/1999/xhtml">alert(1)</h:script>',
    b'<a href="javascript:alert(1)"><path d="M0 0"/></a>',
    b'<use xlink:href="https://evil.example/x.svg#a"/>',
    b'<use href="data:image/svg+xml;base64,PHN2Zz4="/>',
    b'<image href="https://evil.example/x.png"/>',
    b'<path fill="url(https://evil.example/x.svg#p)"/>',
    b"<path style=\"background: url( '//evil.example/x' )\"/>",
    b"<style>@import url(https://evil.example/x.css);</style>",
    b"<style>path { fill: url(https://evil.example/x) }</style>",
    b"<style>path { fill: u\\72l(https://evil.example/x) }</style>",
    b'<set attributeName="onload" to="alert(1)"/>',
    b'<animate attributeName="href" values="javascript:alert(1)"/>',
    b'<?xml-stylesheet href="https://evil.example/x.css"?>',
    b"<!-- <script>alert(1)</script> -->",
]


def test_an_svg_keeps_what_is_looked_at() -> None:
    kept = (
        b'<defs><linearGradient id="g"><stop offset="0" stop-color="#fff" /></linearGradient></defs>'
        b"<style>.a{fill:#123}</style>"
        b'<g class="a" transform="scale(2)"><path d="M0 0h9" fill="url(#g)" /><use xlink:href="#g" /></g>'
    )
    found = icon.read(HEAD + kept + b"</svg>")
    assert found.media_type == icon.SVG_TYPE
    assert kept in found.data
    assert icon.read(found.data) == found, "cleaning what is clean changes nothing"


@pytest.mark.parametrize("harmful", HARMFUL, ids=range(len(HARMFUL)))
def test_an_svg_loses_what_could_run_or_load(harmful: bytes) -> None:
    cleaned = icon.read(HEAD + harmful + b'<rect width="9"/></svg>').data
    assert b'<rect width="9" />' in cleaned
    assert not re.search(rb"script|alert|evil|onclick|onload|foreign|import|\\", cleaned, re.IGNORECASE), cleaned


@given(st.lists(st.sampled_from([*HARMFUL, b"<g>", b"</g>", b'<path d="M1 1"/>', b"text", b"&lt;script&gt;"])))
def test_whatever_is_put_together_is_refused_or_clean(parts: list[bytes]) -> None:
    try:
        cleaned = icon.read(HEAD + b"".join(parts) + b"</svg>").data
    except ValidationError:
        return
    for element in ET.fromstring(cleaned).iter():
        assert element.tag.rpartition("}")[2] not in ("script", "foreignObject", "a", "image", "set", "animate")
        assert not [name for name in element.attrib if name.lower().startswith("on")]
        assert not [value for value in element.attrib.values() if "evil" in value or "javascript" in value]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "neither SVG"),
        (b"hello", "neither SVG"),
        (b"<html/>", "neither SVG"),
        (b'<svg xmlns="https://else.example"/>', "neither SVG"),
        (b"\xff\xfe<\x00s\x00", "neither SVG"),
        (b'<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + HEAD + b"&a;</svg>", "defines entities"),
        (HEAD + b"<g>" * 100 + b"</g>" * 100 + b"</svg>", "nested deeper than 64"),
        (b"x" * 131_073, "at most 131072 are possible"),
        (PNG[:16] + (9000).to_bytes(4) + PNG[20:], "9000 by 24 pixels"),
    ],
)
def test_what_is_no_icon_is_refused_with_the_reason(data: bytes, told: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(told)):
        icon.read(data)


def test_pictures_of_pixels_stay_as_they_are() -> None:
    for data, kind in (
        (PNG, "image/png"),
        (GIF, "image/gif"),
        (b"\xff\xd8\xff\xe0 a photo", "image/jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    ):
        assert icon.read(data) == icon.Icon(kind, data)


def test_a_definition_may_hold_its_icon_and_is_warned_of_one_that_cannot_be_used() -> None:
    def read(image: str) -> definition.Definition:
        document = {"$schema": "x:y", "name": "P", "description": "d", "executable": "p", "uuid": UUID}
        return definition.read({**document, "environment": {}, "image": image})

    good = "data:image/gif;base64," + base64.b64encode(GIF).decode()
    assert read(good).warnings == ()
    assert icon.within({"image": good}) == icon.Icon("image/gif", GIF)
    svg = icon.within({"image": "data:image/svg+xml;utf8,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"})
    assert svg is not None and svg.media_type == icon.SVG_TYPE
    for image in ("data:image/gif;base64,???", "data:image/png", "data:text/plain,hello"):
        assert [one.code for one in read(image).warnings] == ["icon_unusable"]
    assert icon.within({"image": "probe.svg"}) is None
    assert icon.within({"image": 5}) is None
