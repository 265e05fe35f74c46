"""Sign-in by an account at an OpenID provider: the authorization code flow with PKCE.

Sources: OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (issuer in the answer).

::

    provider = OpenIdProvider(settings_of(os.environ))
    address, attempt = await provider.begin("https://host/multiflexi/sign-in/openid/back")
    identity = await provider.finish(attempt, request.query_params)      # after the user came back
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from domain.permissions import SYSTEM_ROLES

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures that an ID token may have: by a key that only the provider holds, and never none."""

LEEWAY = 60
"""Seconds by which the clocks of provider and MultiFlexi may differ."""

LASTS = 600
"""Seconds that a user has to sign in at the provider."""

KEPT = 3600
"""Seconds after which what the provider says about itself is fetched anew."""

TIMEOUT = 10.0
"""Seconds that an answer of the provider may take."""

DISCOVERY = "/.well-known/openid-configuration"


class OpenIdError(Exception):
    """The sign-in at the provider did not succeed.

    Attributes
    ----------
    code : str
        ``unreachable``, ``refused`` (by the provider or the user), ``expired`` or ``untrusted`` (what came back is not
        what was asked for, or is not from the provider).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class OpenIdSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The provider and how MultiFlexi is known there.

    Attributes
    ----------
    issuer : str
        Address of the provider (``MULTIFLEXI_OPENID_ISSUER``).
    client_id, client_secret : str
        What the provider gave for MultiFlexi (``MULTIFLEXI_OPENID_CLIENT_ID``,
        ``MULTIFLEXI_OPENID_CLIENT_SECRET``); without a secret it is a public client.
    name : str
        What the button on the sign-in page calls it (``MULTIFLEXI_OPENID_NAME``).
    scope : str
        What is asked for (``MULTIFLEXI_OPENID_SCOPE``).
    role : str or None
        Who signs in there and has no user here is made one with this system role (``MULTIFLEXI_OPENID_ROLE``); None:
        nobody is.
    domains : tuple[str, ...]
        Only with a verified e-mail address in one of these domains is somebody made a user
        (``MULTIFLEXI_OPENID_DOMAINS``, separated by commas); empty: whatever the address.
    """

    issuer: str
    client_id: str
    client_secret: str = ""
    name: str = "OpenID"
    scope: str = "openid email profile"
    role: str | None = None
    domains: tuple[str, ...] = ()


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in under way, kept where only the browser that began it can bring it back.

    ``again``: the user must prove anew at the provider who they are, whether they are signed in there or not.
    """

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    begun: float
    again: bool = False


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who the provider says it is. By issuer and subject an account is known; an e-mail address may change hands."""

    issuer: str
    subject: str
    email: str | None = None
    email_verified: bool = False
    first_name: str | None = None
    last_name: str | None = None
    login: str | None = None


def settings_of(environment: Mapping[str, str]) -> OpenIdSettings | None:
    """Return the provider that the environment names, None if it names none.

    Raises
    ------
    ValueError
        It is named in part, or its address is not protected by TLS.
    """
    issuer = environment.get("MULTIFLEXI_OPENID_ISSUER", "").strip()
    if not issuer:
        return None
    client_id = environment.get("MULTIFLEXI_OPENID_CLIENT_ID", "").strip()
    if not client_id:
        raise ValueError("MULTIFLEXI_OPENID_ISSUER is set, but MULTIFLEXI_OPENID_CLIENT_ID is not.")
    scope = environment.get("MULTIFLEXI_OPENID_SCOPE") or "openid email profile"
    if "openid" not in scope.split():
        raise ValueError(f"MULTIFLEXI_OPENID_SCOPE is “{scope}”; it must hold “openid”.")
    if not protected(issuer):
        raise ValueError(f"MULTIFLEXI_OPENID_ISSUER is “{issuer}”; expected an address that begins with https://.")
    return OpenIdSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=environment.get("MULTIFLEXI_OPENID_CLIENT_SECRET", ""),
        name=environment.get("MULTIFLEXI_OPENID_NAME") or "OpenID",
        scope=scope,
        role=_role(environment.get("MULTIFLEXI_OPENID_ROLE", "").strip().lower()),
        domains=tuple(re.findall(r"[^\s,@]+", environment.get("MULTIFLEXI_OPENID_DOMAINS", "").lower())),
    )


def _role(name: str) -> str | None:
    if name and name not in SYSTEM_ROLES:
        raise ValueError(f"MULTIFLEXI_OPENID_ROLE is “{name}”; expected one of {', '.join(SYSTEM_ROLES)}.")
    return name or None


def protected(address: str) -> bool:
    """Return whether what is sent to an address cannot be read on the way: TLS, or this very machine.

    Examples
    --------
    >>> protected("https://id.example.com"), protected("http://127.0.0.1:9"), protected("http://id.example.com")
    (True, True, False)
    """
    parts = urlsplit(address)
    if parts.scheme == "https":
        return bool(parts.hostname)
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


class OpenIdProvider:
    """Client of one provider. What the provider says about itself is fetched when it is first needed.

    Parameters
    ----------
    settings : OpenIdSettings
        The provider.
    clock : Callable
        Gives the moment in seconds since 1970.
    """

    def __init__(self, settings: OpenIdSettings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._clock = clock
        self._about: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._fetched = 0.0

    async def begin(self, redirect_uri: str, *, again: bool = False) -> tuple[str, Attempt]:
        """Return the address to send the user to, and what must be kept until they come back.

        Parameters
        ----------
        redirect_uri : str
            Where the provider sends them back to; it must be known there.
        again : bool
            Whether the user must prove anew who they are, though the provider may know them yet.

        Raises
        ------
        OpenIdError
            The provider cannot be reached, or does not describe itself as it must.
        """
        about = await self._describe()
        attempt = Attempt(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            redirect_uri=redirect_uri,
            begun=self._clock(),
            again=again,
        )
        anew = {"prompt": "login", "max_age": "0"} if again else {}
        async with self._client(redirect_uri) as client:
            address, _ = client.create_authorization_url(
                about["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
                **anew,
            )
        return address, attempt

    async def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Identity:
        """Return who signed in.

        Parameters
        ----------
        attempt : Attempt
            What :meth:`begin` gave.
        answer : Mapping[str, str]
            Parameters with which the provider sent the user back.

        Raises
        ------
        OpenIdError
            See its codes.
        """
        about = await self._describe()
        if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise OpenIdError("untrusted", "The answer does not belong to this sign-in.")
        issuer = answer.get("iss")
        if issuer not in (None, about["issuer"]) or (
            issuer is None and about.get("authorization_response_iss_parameter_supported")
        ):
            raise OpenIdError("untrusted", "The answer is from another provider.")
        if "error" in answer:
            said = answer.get("error_description") or answer["error"]
            raise OpenIdError("refused", f"{self.settings.name} did not sign you in: {said[:200]}")
        if not 0 <= self._clock() - attempt.begun <= LASTS:
            raise OpenIdError("expired", "Signing in took too long. Begin again.")
        token = await self._token(about, attempt, answer.get("code", ""))
        return self._identity(about, await self._claims(about, attempt, token))

    async def _token(self, about: dict[str, Any], attempt: Attempt, code: str) -> str:
        try:
            async with self._client(attempt.redirect_uri) as client:
                answer = await client.fetch_token(
                    about["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=attempt.verifier,
                )
        except AuthlibBaseError as error:
            raise OpenIdError("refused", f"{self.settings.name} did not take its own code: {error}") from error
        except (httpx2.HTTPError, ValueError) as error:
            raise self._unreachable(error) from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OpenIdError("untrusted", f"{self.settings.name} answered without an ID token.")
        return token

    async def _claims(self, about: dict[str, Any], attempt: Attempt, token: str) -> dict[str, Any]:
        """Return the claims of an ID token, all checks of OpenID Connect Core 3.1.3.7 done."""
        claims = await self._signed(about, token)
        client = self.settings.client_id
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else list(audience or ())
        now = self._clock()
        checks = {
            "its issuer": claims.get("iss") == about["issuer"],
            "its audience": client in audiences and (len(audiences) == 1 or "azp" in claims),
            "the client that it is for": claims.get("azp", client) == client,
            "its nonce": hmac.compare_digest(str(claims.get("nonce", "")).encode(), attempt.nonce.encode()),
            "its end": _number(claims.get("exp")) > now - LEEWAY,
            "its beginning": now - LASTS - LEEWAY < _number(claims.get("iat")) < now + LEEWAY,
            # A provider that was asked for a fresh proof says when it was given (OpenID Connect Core, 3.1.2.1).
            "the moment of the proof": not attempt.again or _number(claims.get("auth_time")) >= attempt.begun - LEEWAY,
            "its subject": isinstance(claims.get("sub"), str) and 0 < len(claims["sub"]) <= 255,
        }
        if wrong := [what for what, fine in checks.items() if not fine]:
            raise OpenIdError("untrusted", f"The ID token of {self.settings.name} is wrong: {', '.join(wrong)}.")
        return claims

    async def _signed(self, about: dict[str, Any], token: str) -> dict[str, Any]:
        """Return the claims of a token whose signature is the provider's; it may have changed its keys meanwhile."""
        offered = about.get("id_token_signing_alg_values_supported") or ["RS256"]
        allowed = [name for name in ALGORITHMS if name in offered]
        for fresh in (False, True):
            keys = await self._key_set(about, fresh=fresh)
            try:
                return dict(jwt.decode(token, keys, algorithms=allowed).claims)
            except (JoseError, ValueError) as error:
                if fresh:
                    raise OpenIdError(
                        "untrusted", f"The ID token of {self.settings.name} is not signed by it: {error}"
                    ) from error
        raise AssertionError

    def _identity(self, about: dict[str, Any], claims: dict[str, Any]) -> Identity:
        def text(name: str) -> str | None:
            value = claims.get(name)
            return value.strip()[:255] or None if isinstance(value, str) else None

        return Identity(
            issuer=about["issuer"],
            subject=claims["sub"],
            email=text("email"),
            email_verified=claims.get("email_verified") is True,
            first_name=text("given_name"),
            last_name=text("family_name"),
            login=text("preferred_username"),
        )

    async def _describe(self) -> dict[str, Any]:
        if self._about and 0 <= self._clock() - self._fetched < KEPT:
            return self._about
        about = await self._fetch(self.settings.issuer.rstrip("/") + DISCOVERY)
        if about.get("issuer") != self.settings.issuer:
            raise OpenIdError(
                "untrusted",
                f"{self.settings.issuer} calls itself {about.get('issuer')!r}. Set the issuer to exactly that.",
            )
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not protected(str(about.get(name, ""))):
                raise OpenIdError("untrusted", f"{self.settings.issuer} has no {name} that is protected by TLS.")
        self._about, self._keys, self._fetched = about, None, self._clock()
        return about

    async def _key_set(self, about: dict[str, Any], *, fresh: bool) -> KeySet:
        if self._keys is None or fresh:
            document = await self._fetch(about["jwks_uri"])
            try:
                self._keys = KeySet.import_key_set(document)  # type: ignore[arg-type]
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise OpenIdError("untrusted", f"The keys of {self.settings.issuer} cannot be read: {error}") from error
        return self._keys

    async def _fetch(self, address: str) -> dict[str, Any]:
        try:
            async with httpx2.AsyncClient(timeout=TIMEOUT, follow_redirects=False) as client:
                answer = await client.get(address, headers={"accept": "application/json"})
                answer.raise_for_status()
                return msgspec.json.decode(answer.content, type=dict[str, Any])
        except (httpx2.HTTPError, msgspec.DecodeError) as error:
            raise self._unreachable(error) from error

    def _client(self, redirect_uri: str) -> Any:
        # Its base class comes from whichever HTTP client is installed, which a type checker cannot see.
        return AsyncOAuth2Client(
            client_id=self.settings.client_id,
            client_secret=self.settings.client_secret or None,
            token_endpoint_auth_method="client_secret_basic" if self.settings.client_secret else "none",
            scope=self.settings.scope,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT,
        )

    def _unreachable(self, error: Exception) -> OpenIdError:
        return OpenIdError("unreachable", f"{self.settings.issuer} cannot be asked: {error or type(error).__name__}")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
