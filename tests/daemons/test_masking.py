"""Secret values in output: masked wherever they begin and end, whatever the pieces that the output comes in."""

from __future__ import annotations

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.encoded import LONGEST_ENCODED
from daemons.masking import HEAD, MASK, Masker, secrets_of

LETTERS = st.binary(max_size=40).map(lambda data: bytes(b"abc"[byte % 3] for byte in data))
SECRETS = st.lists(LETTERS.filter(lambda secret: 3 <= len(secret) <= 2 * HEAD), max_size=4)
# Long ones that agree in what is looked for first.
ALIKE = st.lists(LETTERS.map(lambda rest: b"abacabadabac"[: 9 + len(rest) % 4] + rest[:8]), max_size=4)
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
    "base64url without padding": lambda text: base64.urlsafe_b64encode(text).rstrip(b"="),
    "hex": lambda text: text.hex().encode(),
    "HEX": lambda text: text.hex().upper().encode(),
    "percent": lambda text: urllib.parse.quote(text, safe="").encode(),
    "path": lambda text: urllib.parse.quote(text).encode(),
    "form": lambda text: urllib.parse.quote_plus(text).encode(),
    "percent in small digits": lambda text: re.sub(
        rb"%..", lambda one: one[0].lower(), urllib.parse.quote(text, safe="").encode()
    ),
    "JSON": lambda text: json.dumps(text.decode()).encode(),
    "JSON in UTF-8": lambda text: json.dumps(text.decode(), ensure_ascii=False).encode(),
    "JSON of PHP": lambda text: json.dumps(text.decode()).replace("/", "\\/").encode(),
    "HTML": lambda text: html.escape(text.decode()).encode(),
    "XML": lambda text: html.escape(text.decode(), quote=False).encode(),
}
VALUES = [
    "hunter22",
    'p@ss/wörd+ & "more" <of> it\'s ~100%',
    "x" * 40 + "ž?>" * 30,
    "line one of it\nand then line two\n",
]


def masked(text: bytes, *values: str, step: int = 0) -> bytes:
    """Return what is told of a text, given at once or in pieces of so many bytes."""
    masker = Masker(secrets_of(values))
    pieces = [text[at : at + step] for at in range(0, len(text), step)] if step else [text]
    return b"".join(map(masker.feed, pieces)) + masker.close()


@given(SECRETS | ALIKE, st.lists(LETTERS, max_size=8))
def test_the_same_is_masked_in_pieces_as_in_the_whole(secrets: list[bytes], pieces: list[bytes]) -> None:
    longest_first = sorted(set(secrets), key=len, reverse=True)
    pattern = re.compile(b"|".join(map(re.escape, longest_first))) if secrets else None
    whole = b"".join(pieces)
    masker = Masker(secrets)
    told = b"".join(masker.feed(piece) for piece in pieces) + masker.close()
    assert told == (pattern.sub(MASK, whole) if pattern else whole)


def test_nothing_is_held_back_that_begins_no_secret() -> None:
    masker = Masker([b"hunter2"])
    assert masker.feed(b"a line\n") == b"a line\n"
    assert masker.feed(b"hunt") == b""
    assert masker.feed(b"ing\n") == b"hunting\n"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_secret_is_masked_in_common_encodings_alone_and_within_text(value: str, encoding: str) -> None:
    encode = ENCODINGS[encoding]
    for before in ("", "u:", "xyz", "user"):
        for after in ("", "\n", "!", "!!", " and more"):
            text = encode(f"{before}{value}{after}".encode())
            for step in (0, 1, 7, 64):
                told = masked(b"> " + text + b" <", value, step=step)
                assert MASK in told, (before, after)
                left = told.replace(MASK, b"")
                # What is left is what stood around it, and of base64 at most a character on either side.
                assert len(left) <= 4 + len(encode(before.encode())) + len(encode(after.encode())) + 4, told
            if not before and after in ("", "\n") and "JSON" not in encoding:
                assert told in (b"> " + MASK + b" <", b"> " + MASK + encode(after.encode()) + b" <")


@pytest.mark.parametrize("width", [64, 76])
def test_base64_of_a_long_secret_is_masked_also_over_several_lines(width: int) -> None:
    for value in (VALUES[2], VALUES[2] * 9):
        for end in ("", "\n"):
            whole = base64.b64encode((value + end).encode())
            text = b"\n".join(whole[at : at + width] for at in range(0, len(whole), width))
            assert masked(b"> " + text + b"\n", value, step=50) == b"> " + MASK + b"\n"


def test_each_long_line_of_a_secret_is_masked_by_itself() -> None:
    key = "-----BEGIN KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ\n0p==\n-----END KEY-----\n"
    told = masked(b"  MC4CAQAwBQYDK2VwBCIEIJ\r\n  0p==\r\n", key)
    assert told == b"  ******\r\n  0p==\r\n"


def test_very_short_and_very_long_secrets_are_looked_for_as_they_are() -> None:
    assert masked(base64.b64encode(b"abc") + b" abc 616263", "abc") == b"YWJj ****** 616263"
    long = "0123456789abcdef" * (LONGEST_ENCODED // 16 + 1)
    assert masked(f"<{long}>".encode(), long) == b"<******>"
    assert masked(long.encode().hex().encode(), long) == long.encode().hex().encode()


def test_many_secrets_and_their_beginnings_everywhere_change_nothing_else() -> None:
    secrets = tuple(f"https://api.example.org/{number:04}/secret" for number in range(300))
    text = b"GET https://api.example.org/0007/public\n" * 500
    assert masked(text, *secrets, step=4096) == text
    assert masked(text + secrets[7].encode() + b"\n", *secrets, step=4096) == text + MASK + b"\n"


def test_a_secret_is_masked_in_a_url_too() -> None:
    masker = Masker(secrets_of(("p@ss/word",)))
    assert masker.feed(b"https://me:p%40ss%2Fword@host/ ") == b"https://me:******@host/ "


def test_values_of_one_or_two_bytes_do_not_blot_out_the_text() -> None:
    assert Masker([b"a", b"ab"]).feed(b"abracadabra ") == b"abracadabra "
