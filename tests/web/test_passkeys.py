"""Passkeys: both ceremonies with an authenticator in software, and what must not pass."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.authenticator import PRESENT, Authenticator, encoded
from web.auth.passkeys import (
    NewPasskey,
    PasskeyError,
    Site,
    ask_for_new,
    ask_to_sign_in,
    check_new,
    check_sign_in,
    credential_of,
)

SITE = Site(host="multiflexi.example.com", origin="https://multiflexi.example.com")


def added(device: Authenticator) -> NewPasskey:
    asked = ask_for_new(SITE, "0b7e", "jana", "Jana Nováková", [])
    return check_new(SITE, asked.challenge, device.make(asked.options))


def signed_in(device: Authenticator, passkey: NewPasskey, count: int = 0) -> int:
    asked = ask_to_sign_in(SITE)
    return check_sign_in(SITE, asked.challenge, device.sign(asked.options), passkey.public_key, count)


def test_a_passkey_is_added_and_signs_in() -> None:
    device = Authenticator(SITE.origin)
    passkey = added(device)
    assert passkey.credential_id == encoded(device.credential_id)
    assert passkey.transports == ["hybrid", "internal"]
    count = signed_in(device, passkey, passkey.sign_count)
    assert count == 1 and signed_in(device, passkey, count) == 2


def test_the_browser_is_asked_for_a_passkey_that_knows_its_user_and_is_unlocked() -> None:
    options = ask_for_new(SITE, "0b7e", "jana", "", ["AQID"]).options
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["excludeCredentials"][0]["id"] == "AQID"
    assert options["user"]["displayName"] == "jana" and "jana" not in options["user"]["id"]
    assert ask_to_sign_in(SITE).options["userVerification"] == "required"


def test_challenges_are_never_the_same() -> None:
    assert len({ask_to_sign_in(SITE).challenge for _ in range(100)}) == 100


def test_a_page_of_another_site_gets_nothing() -> None:
    device = Authenticator("https://multiflexi.example.com.evil.example")
    with pytest.raises(PasskeyError):
        added(device)
    honest = Authenticator(SITE.origin)
    passkey = added(honest)
    honest.origin = device.origin
    with pytest.raises(PasskeyError):
        signed_in(honest, passkey)


def test_a_device_that_nobody_unlocked_neither_is_added_nor_signs_in() -> None:
    device = Authenticator(SITE.origin)
    passkey = added(device)
    device.flags = PRESENT
    with pytest.raises(PasskeyError):
        added(device)
    with pytest.raises(PasskeyError):
        signed_in(device, passkey)


def test_an_answer_to_another_challenge_is_refused() -> None:
    device = Authenticator(SITE.origin)
    passkey = added(device)
    first, second = ask_to_sign_in(SITE), ask_to_sign_in(SITE)
    with pytest.raises(PasskeyError):
        check_sign_in(SITE, second.challenge, device.sign(first.options), passkey.public_key, 0)
    one, other = ask_for_new(SITE, "u", "jana", "", []), ask_for_new(SITE, "u", "jana", "", [])
    with pytest.raises(PasskeyError):
        check_new(SITE, other.challenge, device.make(one.options))


def test_the_signature_of_another_key_is_refused() -> None:
    device, other = Authenticator(SITE.origin), Authenticator(SITE.origin)
    with pytest.raises(PasskeyError):
        signed_in(other, added(device))


def test_a_copy_of_a_device_is_noticed_by_its_count() -> None:
    device = Authenticator(SITE.origin)
    passkey = added(device)
    with pytest.raises(PasskeyError):
        signed_in(device, passkey, count=7)


@pytest.mark.parametrize(
    "answer", [{}, {"id": 7}, {"id": "AQID"}, {"id": "AQID", "rawId": "AQID", "response": None, "type": "public-key"}]
)
def test_a_damaged_answer_is_told(answer: dict[str, Any]) -> None:
    passkey = added(Authenticator(SITE.origin))
    with pytest.raises(PasskeyError):
        check_new(SITE, "AAAA", answer)
    with pytest.raises(PasskeyError):
        check_sign_in(SITE, "AAAA", answer, passkey.public_key, 0)


@pytest.mark.parametrize("named", [None, "", 7, "x" * 2000])
def test_an_answer_that_names_no_passkey_is_told(named: object) -> None:
    with pytest.raises(PasskeyError):
        credential_of({"id": named})
