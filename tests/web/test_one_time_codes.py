"""One-time codes and recovery codes."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.auth.one_time_codes import (
    address_of,
    code_at,
    digest_of,
    new_recovery_codes,
    new_secret,
    picture_of,
    step_of,
)

RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""The key of the test vectors in RFC 6238, appendix B, in base32."""


@pytest.mark.parametrize(
    ("moment", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_rfc(moment: int, code: str) -> None:
    assert code_at(RFC_SECRET, moment) == code
    assert step_of(RFC_SECRET, f" {code[:3]} {code[3:]}", moment, 0) == moment // 30


@given(st.floats(1e9, 4e9), st.integers(-5, 5))
def test_a_code_is_taken_from_the_period_before_to_the_one_after(moment: float, periods: int) -> None:
    code = code_at(RFC_SECRET, moment + 30 * periods)
    taken = step_of(RFC_SECRET, code, moment, 0)
    near = {code_at(RFC_SECRET, moment + 30 * period) for period in (-1, 0, 1)}
    assert (taken is not None) == (code in near)


def test_a_code_is_good_once_and_none_before_it_is_good_afterwards() -> None:
    now = 1_700_000_000.0
    step = step_of(RFC_SECRET, code_at(RFC_SECRET, now), now, 0)
    assert step is not None and step == int(now // 30)
    for earlier in (now, now - 30):
        assert step_of(RFC_SECRET, code_at(RFC_SECRET, earlier), now, step) is None
    assert step_of(RFC_SECRET, code_at(RFC_SECRET, now + 30), now + 30, step) == step + 1


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345a", "²34567", "१२३४५६"])
def test_what_is_no_code_is_refused(typed: str) -> None:
    assert step_of(RFC_SECRET, typed, 59, 0) is None


def test_an_authenticator_can_take_the_secret() -> None:
    address = address_of(RFC_SECRET, "jana@example.com")
    assert address.startswith("otpauth://totp/MultiFlexi:jana%40example.com?")
    assert f"secret={RFC_SECRET}" in address and "issuer=MultiFlexi" in address
    picture = ET.fromstring(picture_of(address))
    assert picture.tag == "svg" and {part.get("fill") for part in picture} >= {"#fff"}
    # It grows with its box: a size of its own would leave it too small for a camera.
    assert picture.get("width") is None and len((picture.get("viewBox") or "").split()) == 4


def test_secrets_and_recovery_codes_are_fresh_and_told_apart() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    codes = new_recovery_codes()
    assert len({digest_of(code) for code in codes}) == len(codes) == 10
    assert all(len(code) == 17 and digest_of(code.upper().replace("-", " ")) == digest_of(code) for code in codes)
