"""Passkeys: the two ceremonies of WebAuthn Level 2, on our side of the wire.

A passkey signs in by itself, without login and password: it proves that the device is there and that its owner unlocked
it. What begins a ceremony returns the options for the browser (JSON, as ``navigator.credentials`` takes them) and the
challenge, which is kept in the session until the browser answers, and used once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

TIMEOUT = 300_000
"""Milliseconds that the browser gives the user."""

TRANSPORTS = frozenset({"usb", "nfc", "ble", "smart-card", "hybrid", "internal"})
"""Ways to an authenticator that the specification names; others that a browser tells are not kept."""


class PasskeyError(Exception):
    """What the browser answered does not prove what it should."""


class Site(msgspec.Struct, frozen=True):
    """An installation, as browsers know it.

    Attributes
    ----------
    host : str
        Host name, without the port: passkeys belong to it.
    origin : str
        Scheme, host and port of the pages.
    name : str
        What the browser's dialogue calls it.
    """

    host: str
    origin: str
    name: str = "MultiFlexi"


class NewPasskey(msgspec.Struct, frozen=True):
    """What is kept of a passkey; id and public key (COSE) as base64url."""

    credential_id: str
    public_key: str
    transports: list[str]
    sign_count: int


class Asked(msgspec.Struct, frozen=True):
    """A ceremony that has begun: options for the browser, and the challenge (base64url) to keep."""

    options: dict[str, Any]
    challenge: str


def ask_for_new(site: Site, user: str, login: str, name: str, known: Sequence[str]) -> Asked:
    """Begin to add a passkey.

    Parameters
    ----------
    site : Site
        This installation.
    user : str
        UUID of the user, by which their devices know the account: nothing personal.
    login, name : str
        What the device shows.
    known : Sequence[str]
        Ids of the passkeys they have: no device gets a second one.
    """
    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name=site.name,
        user_id=user.encode(),
        user_name=login,
        user_display_name=name or login,
        timeout=TIMEOUT,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in known],
    )
    return _asked(options)


def check_new(site: Site, challenge: str, answer: dict[str, Any]) -> NewPasskey:
    """Return the passkey that the browser made.

    Raises
    ------
    PasskeyError
        The answer is of another site or another ceremony, is damaged, or nobody unlocked the device.
    """
    try:
        verified = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise PasskeyError(f"The passkey could not be added: {error}") from error
    response = answer.get("response")
    told = response.get("transports") if isinstance(response, dict) else None
    return NewPasskey(
        credential_id=bytes_to_base64url(verified.credential_id),
        public_key=bytes_to_base64url(verified.credential_public_key),
        transports=sorted(TRANSPORTS.intersection(told)) if isinstance(told, list) else [],
        sign_count=verified.sign_count,
    )


def ask_to_sign_in(site: Site, known: Sequence[str] = ()) -> Asked:
    """Begin to sign in by a passkey.

    Parameters
    ----------
    site : Site
        This installation.
    known : Sequence[str]
        Ids of the passkeys that may sign; none: whichever the user chooses, who is known by it.
    """
    options = webauthn.generate_authentication_options(
        rp_id=site.host,
        timeout=TIMEOUT,
        allow_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _asked(options)


def credential_of(answer: dict[str, Any]) -> str:
    """Return the id of the passkey that an answer claims to be of, by which its public key is looked up."""
    claimed = answer.get("id")
    if not isinstance(claimed, str) or not 0 < len(claimed) <= 1400:
        raise PasskeyError("The browser's answer names no passkey.")
    return claimed.rstrip("=")


def check_sign_in(site: Site, challenge: str, answer: dict[str, Any], public_key: str, sign_count: int) -> int:
    """Return the new count of signatures of a passkey that has signed.

    Parameters
    ----------
    site : Site
        This installation.
    challenge : str
        Of the ceremony.
    answer : dict
        What the browser sent.
    public_key : str
        Of the passkey that :func:`credential_of` names.
    sign_count : int
        Its count when it signed last. One that does not grow tells of a copy, unless the device does not count (0).

    Raises
    ------
    PasskeyError
        It is not signed by it, of another site or another ceremony, damaged, a copy, or nobody unlocked the device.
    """
    try:
        verified = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=base64url_to_bytes(public_key),
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise PasskeyError(f"The passkey did not sign you in: {error}") from error
    return verified.new_sign_count


def _asked(options: Any) -> Asked:
    document = msgspec.json.decode(webauthn.options_to_json(options), type=dict[str, Any])
    return Asked(document, document["challenge"])
