"""An OpenID provider on a port of this machine: the server side of Authlib behind Flask, with one client and one user.

Its authorization endpoint signs the user in at once, so that a browser only follows redirects. ``wrong`` changes what
it answers, as a provider that is broken or not what it claims to be would.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin, UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import ECKey, KeySet, RSAKey
from werkzeug.serving import make_server

CLIENT_ID = "multiflexi"
CLIENT_SECRET = "made-up-secret-of-the-tests"


class Client(ClientMixin):
    """MultiFlexi, as it is known at the provider."""

    def __init__(self, redirect_uris: list[str]) -> None:
        self.redirect_uris = redirect_uris
        self.id_token_signed_response_alg = "RS256"

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uris[0]

    def get_allowed_scope(self, scope: Any) -> Any:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint != "token" or method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class Code(AuthorizationCodeMixin):
    """A code that the provider gave out."""

    def __init__(self, request: Any, user: dict[str, Any]) -> None:
        self.request_data = request.payload.data
        self.user = user
        self.redirect_uri = request.payload.redirect_uri
        self.scope = request.payload.scope

    @property
    def code_challenge(self) -> str | None:
        return self.request_data.get("code_challenge")

    @property
    def code_challenge_method(self) -> str | None:
        return self.request_data.get("code_challenge_method")

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.request_data.get("nonce")

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> Any:
        return None

    def get_amr(self) -> Any:
        return None


class OpenIdServer:
    """The provider.

    Attributes
    ----------
    issuer : str
        Its address.
    user : dict
        Claims of the user who signs in.
    wrong : dict
        Claims of the ID token that it falsifies.
    refuses : bool
        Whether the user does not consent.
    """

    def __init__(self, redirect_uri: str) -> None:
        self.user: dict[str, Any] = {
            "sub": "8b1e7c",
            "email": "jana.novakova@example.com",
            "email_verified": True,
            "given_name": "Jana",
            "family_name": "Nováková",
            "preferred_username": "jana",
        }
        self.wrong: dict[str, Any] = {}
        self.refuses = False
        self.key = RSAKey.generate_key(2048, auto_kid=True)
        self.signing_key: RSAKey | ECKey = self.key
        self.codes: dict[str, Code] = {}
        self.client = Client([redirect_uri])
        self._http = make_server("127.0.0.1", 0, self._application(), threaded=True)
        self.issuer = f"http://127.0.0.1:{self._http.server_port}"

    @contextmanager
    def running(self) -> Iterator[OpenIdServer]:
        """Serve until the block ends."""
        thread = Thread(target=self._http.serve_forever, name="openid provider")
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            thread.join()
            self._http.server_close()

    def _application(self) -> flask.Flask:
        application = flask.Flask("openid-provider")
        server = AuthorizationServer(
            application,
            query_client=lambda name: self.client if name == CLIENT_ID else None,
            save_token=lambda *_: None,
        )
        server.register_grant(self._code_grant(), [self._openid_code(), CodeChallenge(required=True)])

        @application.get("/authorize")
        def authorize() -> Any:
            grant_user = None if self.refuses else self.user
            grant = server.get_consent_grant(end_user=self.user)
            return server.create_authorization_response(grant_user=grant_user, grant=grant)

        @application.post("/token")
        def token() -> Any:
            return server.create_token_response()

        @application.get("/keys")
        def keys() -> Any:
            return KeySet([self.key]).as_dict(private=False)

        @application.get("/.well-known/openid-configuration")
        def about() -> Any:
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
            }

        return application

    def _code_grant(self) -> type[AuthorizationCodeGrant]:
        provider = self

        class Grant(AuthorizationCodeGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

            def save_authorization_code(self, code: str, request: Any) -> None:
                provider.codes[code] = Code(request, provider.user)

            def query_authorization_code(self, code: str, client: ClientMixin) -> Code | None:
                return provider.codes.get(code)

            def delete_authorization_code(self, authorization_code: Code) -> None:
                provider.codes = {name: one for name, one in provider.codes.items() if one is not authorization_code}

            def authenticate_user(self, authorization_code: Code) -> dict[str, Any]:
                return authorization_code.user

        return Grant

    def _openid_code(self) -> OpenIDCode:
        provider = self

        class IdToken(OpenIDCode):
            def exists_nonce(self, nonce: str, request: Any) -> bool:
                return any(code.get_nonce() == nonce for code in provider.codes.values())

            def resolve_client_private_key(self, client: Client) -> Any:
                return provider.signing_key

            def get_client_claims(self, client: Client) -> dict[str, Any]:
                return {"iss": provider.issuer}

            def generate_user_info(self, user: dict[str, Any], scope: str) -> UserInfo:
                return UserInfo({**user, **provider.wrong})

        return IdToken()
