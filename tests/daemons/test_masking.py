"""Secret values in output: masked wherever they begin and end, whatever the pieces that the output comes in."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from daemons.masking import MASK, Masker, secrets_of

LETTERS = st.binary(max_size=40).map(lambda data: bytes(b"abc"[byte % 3] for byte in data))
SECRETS = st.lists(LETTERS.filter(lambda secret: 3 <= len(secret) <= 8), max_size=4)


@given(SECRETS, st.lists(LETTERS, max_size=8))
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


def test_a_secret_is_masked_in_a_url_too() -> None:
    masker = Masker(secrets_of(("p@ss/word",)))
    assert masker.feed(b"https://me:p%40ss%2Fword@host/ ") == b"https://me:******@host/ "


def test_values_of_one_or_two_bytes_do_not_blot_out_the_text() -> None:
    assert Masker([b"a", b"ab"]).feed(b"abracadabra ") == b"abracadabra "
