"""Sign-in at an OpenID provider, against the server side of Authlib."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from joserfc.jwk import RSAKey

from tests.fakes.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdServer
from web.auth.openid import Attempt, OpenIdError, OpenIdProvider, OpenIdSettings, settings_of

BACK = "http://127.0.0.1:9/multiflexi/sign-in/openid/back"


@pytest.fixture
def server() -> Iterator[OpenIdServer]:
    with OpenIdServer(BACK).running() as running:
        yield running


def provider_of(server: OpenIdServer, **settings: Any) -> OpenIdProvider:
    known = {"issuer": server.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **settings}
    return OpenIdProvider(OpenIdSettings(**known))


async def consent(address: str) -> dict[str, str]:
    """Go where the browser is sent, and return with what parameters it comes back."""
    async with httpx2.AsyncClient() as browser:
        answer = await browser.get(address)
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(BACK)
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


async def sign_in(provider: OpenIdProvider) -> Any:
    address, attempt = await provider.begin(BACK)
    return await provider.finish(attempt, await consent(address))


async def test_a_user_who_signs_in_at_the_provider_is_known_by_issuer_and_subject(server: OpenIdServer) -> None:
    identity = await sign_in(provider_of(server))
    assert (identity.issuer, identity.subject) == (server.issuer, "8b1e7c")
    assert (identity.email, identity.email_verified) == ("jana.novakova@example.com", True)
    assert (identity.first_name, identity.last_name, identity.login) == ("Jana", "Nováková", "jana")


async def test_an_address_that_the_provider_has_not_verified_is_told_as_that(server: OpenIdServer) -> None:
    server.user["email_verified"] = "true"  # a text is no answer
    assert not (await sign_in(provider_of(server))).email_verified


@pytest.mark.parametrize(
    ("claim", "value", "named"),
    [
        ("iss", "https://other.example.com", "its issuer"),
        ("aud", "somebody-else", "its audience"),
        ("aud", [CLIENT_ID, "somebody-else"], "its audience"),
        ("azp", "somebody-else", "the client that it is for"),
        ("nonce", "of-another-sign-in", "its nonce"),
        ("exp", 1_000_000_000, "its end"),
        ("exp", "soon", "its end"),
        ("iat", 1_000_000_000, "its beginning"),
        ("sub", "", "its subject"),
    ],
)
async def test_a_token_that_is_not_what_was_asked_for_is_refused(
    server: OpenIdServer, claim: str, value: object, named: str
) -> None:
    server.wrong = {claim: value}
    with pytest.raises(OpenIdError, match=named) as raised:
        await sign_in(provider_of(server))
    assert raised.value.code == "untrusted"


async def test_a_token_signed_by_another_key_is_refused(server: OpenIdServer) -> None:
    server.signing_key = RSAKey.generate_key(2048, auto_kid=True)
    with pytest.raises(OpenIdError, match="not signed by it") as raised:
        await sign_in(provider_of(server))
    assert raised.value.code == "untrusted"


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_a_token_without_a_signature_of_the_provider_is_refused_whatever_it_offers(
    server: OpenIdServer, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("joserfc.jwt.encode", lambda _header, claims, _key, _algorithms: unsigned(claims, algorithm))
    with pytest.raises(OpenIdError, match="not signed by it"):
        await sign_in(provider_of(server))


def unsigned(claims: dict[str, Any], algorithm: str) -> str:
    """Return a token that claims to be signed by nothing, or by the secret that client and provider share."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    signed = f"{part(json.dumps({'alg': algorithm}).encode())}.{part(json.dumps(claims).encode())}"
    signature = hmac.digest(CLIENT_SECRET.encode(), signed.encode(), hashlib.sha256) if algorithm == "HS256" else b""
    return f"{signed}.{part(signature)}"


async def test_a_provider_that_changed_its_keys_is_asked_for_them_again(server: OpenIdServer) -> None:
    provider = provider_of(server)
    await sign_in(provider)
    server.key = server.signing_key = RSAKey.generate_key(2048, auto_kid=True)
    assert (await sign_in(provider)).subject == "8b1e7c"


async def test_an_answer_to_another_sign_in_is_refused(server: OpenIdServer) -> None:
    provider = provider_of(server)
    address, _ = await provider.begin(BACK)
    _, other = await provider.begin(BACK)
    with pytest.raises(OpenIdError, match="does not belong") as raised:
        await provider.finish(other, await consent(address))
    assert raised.value.code == "untrusted"


async def test_a_code_is_of_no_use_without_the_verifier_of_who_asked(server: OpenIdServer) -> None:
    provider = provider_of(server)
    address, attempt = await provider.begin(BACK)
    stolen = Attempt(
        state=attempt.state, nonce=attempt.nonce, verifier="x" * 64, redirect_uri=BACK, begun=attempt.begun
    )
    with pytest.raises(OpenIdError) as raised:
        await provider.finish(stolen, await consent(address))
    assert raised.value.code == "refused"


async def test_a_code_is_taken_once(server: OpenIdServer) -> None:
    provider = provider_of(server)
    address, attempt = await provider.begin(BACK)
    answer = await consent(address)
    await provider.finish(attempt, answer)
    with pytest.raises(OpenIdError) as raised:
        await provider.finish(attempt, answer)
    assert raised.value.code == "refused"


async def test_a_user_who_does_not_consent_is_told(server: OpenIdServer) -> None:
    server.refuses = True
    with pytest.raises(OpenIdError, match="did not sign you in") as raised:
        await sign_in(provider_of(server))
    assert raised.value.code == "refused"


async def test_an_answer_of_another_provider_is_refused(server: OpenIdServer) -> None:
    provider = provider_of(server)
    address, attempt = await provider.begin(BACK)
    with pytest.raises(OpenIdError, match="another provider"):
        await provider.finish(attempt, {**await consent(address), "iss": "https://other.example.com"})


async def test_signing_in_takes_no_longer_than_ten_minutes(server: OpenIdServer) -> None:
    passed = [0.0]
    settings = OpenIdSettings(issuer=server.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    provider = OpenIdProvider(settings, clock=lambda: time.time() + passed[0])
    address, attempt = await provider.begin(BACK)
    passed[0] = 601
    with pytest.raises(OpenIdError) as raised:
        await provider.finish(attempt, await consent(address))
    assert raised.value.code == "expired"


async def test_a_wrong_secret_is_told_as_refused(server: OpenIdServer) -> None:
    with pytest.raises(OpenIdError) as raised:
        await sign_in(provider_of(server, client_secret="another"))
    assert raised.value.code == "refused"


async def test_a_provider_that_is_away_or_calls_itself_otherwise_is_told(server: OpenIdServer) -> None:
    with pytest.raises(OpenIdError, match="cannot be asked") as raised:
        await provider_of(server, issuer="http://127.0.0.1:9").begin(BACK)
    assert raised.value.code == "unreachable"
    with pytest.raises(OpenIdError, match="Set the issuer to exactly that"):
        await provider_of(server, issuer=server.issuer + "/").begin(BACK)


def test_settings_are_read_whole_or_refused() -> None:
    named = {"MULTIFLEXI_OPENID_ISSUER": "https://id.example.com", "MULTIFLEXI_OPENID_CLIENT_ID": "multiflexi"}
    assert settings_of({}) is None
    assert settings_of(named) == OpenIdSettings(issuer="https://id.example.com", client_id="multiflexi")
    with pytest.raises(ValueError, match="CLIENT_ID is not"):
        settings_of({"MULTIFLEXI_OPENID_ISSUER": "https://id.example.com"})
    with pytest.raises(ValueError, match="begins with https"):
        settings_of({**named, "MULTIFLEXI_OPENID_ISSUER": "http://id.example.com"})
    with pytest.raises(ValueError, match="must hold “openid”"):
        settings_of({**named, "MULTIFLEXI_OPENID_SCOPE": "email"})
