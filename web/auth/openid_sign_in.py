"""Signing in by an account at an OpenID provider, and linking one to the account of a user.

A user is known by issuer and subject alone: an e-mail address that the provider tells is no proof of whose user it is.
"""

from __future__ import annotations

import msgspec
import structlog

from commands.actor import SYSTEM
from commands.users import identity_key
from domain.errors import DomainError
from domain.user_commands import CreateUser, LinkIdentity
from web.auth.openid import LASTS, Attempt, Identity, OpenIdError, OpenIdProvider
from web.auth.sign_in import SignedInBy, SignIn, Visitor, WrongError
from web.errors import N_, WebError

OPENID = "openid"
LINK = "openid link"

TOLD = {
    "unreachable": N_("{name} cannot be reached now. Try again, or sign in by password."),
    "refused": N_("{name} did not sign you in."),
    "expired": N_("Too much time has passed. Sign in again."),
    "untrusted": N_("The answer of {name} cannot be trusted. The log of the web interface has the details."),
}
UNKNOWN = N_("No user is linked to this account. Sign in by password, and link it on your page.")
SOMEBODY_ELSE = N_("This account signs somebody else in. Sign in again.")
NOT_MADE = N_("A user could not be made for your account at {name}. Ask your administrator to make one.")

log = structlog.get_logger(__name__)


class OpenIdFailedError(WebError):
    """Signing in at the provider did not succeed."""

    status = 401


class Back(msgspec.Struct, frozen=True):
    """Who came back from the provider: to the page that was asked for, or to link the account to a user.

    ``again``: to prove once more that they are the user who is signed in.
    """

    identity: Identity
    wanted: str
    user_id: int | None
    again: bool = False


async def begin(
    sign_in: SignIn,
    provider: OpenIdProvider,
    redirect_uri: str,
    visitor: Visitor,
    *,
    wanted: str = "",
    user_id: int | None = None,
    again: bool = False,
) -> tuple[str, str]:
    """Return the address to send the user to, and the token by which the sign-in is found when they come back.

    Parameters
    ----------
    redirect_uri : str
        Where the provider sends them back to.
    wanted : str
        The page that was asked for.
    user_id : int or None
        The user to whom the account is to be linked; None: they sign in by it.
    again : bool
        Whether the user is signed in already, and is to prove who they are once more.

    Raises
    ------
    LockedError
        It was begun too often from there.
    OpenIdFailedError
        The provider cannot be asked.
    """
    try:
        await sign_in.attempts.step(visitor.address, sign_in.clock())
        address, attempt = await provider.begin(redirect_uri, again=again)
    except OpenIdError as error:
        raise _failed(provider, error) from None
    data = {"attempt": msgspec.to_builtins(attempt), "wanted": wanted}
    return address, await sign_in.secrets.keep(OPENID, user_id, LASTS, **data)


async def came_back(sign_in: SignIn, provider: OpenIdProvider, token: str, answer: dict[str, str]) -> Back:
    """Return who came back from the provider; the token is good once.

    Raises
    ------
    OpenIdFailedError
        What came back does not prove who it is.
    """
    kept = await sign_in.secrets.take(OPENID, token)
    if kept is None:
        raise OpenIdFailedError(TOLD["expired"])
    attempt = msgspec.convert(kept.data["attempt"], Attempt)
    try:
        identity = await provider.finish(attempt, answer)
    except OpenIdError as error:
        raise _failed(provider, error) from None
    return Back(identity, kept.data["wanted"], kept.user_id, again=attempt.again)


async def finish(sign_in: SignIn, provider: OpenIdProvider, identity: Identity, visitor: Visitor) -> SignedInBy:
    """Sign in the user of a verified account; make one first where that is set up and there is none.

    Raises
    ------
    WrongError
        No user has linked it and none is to be made, or the user may not sign in.
    """
    key = await identity_key(sign_in.facts, identity.issuer, identity.subject)
    row = await sign_in.facts.row("user_of_identity", key)
    keys = await sign_in.begin(f"openid {key}", 0 if row is None else row["id"], visitor)
    user_id: int = await _made(sign_in, provider, identity, key) if row is None else row["id"]
    user = await sign_in.user(user_id)
    if user is None or not user.enabled:
        raise WrongError(UNKNOWN)
    await sign_in.attempts.succeeded(keys)
    await sign_in.attempts.finished(visitor.address)
    return await sign_in.open(user.user_id, "openid", visitor)


async def prove(sign_in: SignIn, came: Back, cookie: str, visitor: Visitor) -> None:
    """Note that the user of a session has proved once more who they are, by an account that is linked to theirs.

    Parameters
    ----------
    cookie : str
        Id of the session, which must be of the user who was sent to the provider.

    Raises
    ------
    OpenIdFailedError
        It is somebody else.
    """
    session = await sign_in.sessions.find(cookie) if cookie else None
    key = await identity_key(sign_in.facts, came.identity.issuer, came.identity.subject)
    row = await sign_in.facts.row("user_of_identity", key)
    if session is None or session.user_id != came.user_id or row is None or row["id"] != session.user_id:
        await sign_in.failed(0 if session is None else session.user_id, "openid", visitor)
        raise OpenIdFailedError(SOMEBODY_ELSE)
    await sign_in.attempts.finished(visitor.address)
    await sign_in.sessions.prove(session)


async def _made(sign_in: SignIn, provider: OpenIdProvider, identity: Identity, key: str) -> int:
    """Make a user for an account that has none; of two at once, both find the same."""
    settings, email = provider.settings, identity.email
    if settings.role is None:
        raise WrongError(UNKNOWN)
    domain = email.rpartition("@")[2].lower() if email and identity.email_verified else None
    if settings.domains and domain not in settings.domains:
        raise WrongError(NOT_MADE, name=settings.name)
    wish = CreateUser(
        login=identity.login or email or identity.subject,
        # An address that is not verified would let anybody take one that belongs to somebody else.
        email=email if identity.email_verified else None,
        first_name=identity.first_name,
        last_name=identity.last_name,
        roles=(settings.role,),
    )
    try:
        made = await sign_in.shell.execute(wish, SYSTEM, key=f"openid {key}", source="openid")
        link = LinkIdentity(user_id=made.id, issuer=identity.issuer, subject=identity.subject)
        await sign_in.shell.execute(link, SYSTEM, source="openid")
    except DomainError as error:
        log.warning("no user was made of an account elsewhere", provider=settings.issuer, error=str(error))
        raise WrongError(NOT_MADE, name=settings.name) from None
    return made.id


def _failed(provider: OpenIdProvider, error: OpenIdError) -> OpenIdFailedError:
    if error.code != "expired":
        log.warning("sign-in at the provider failed", provider=provider.settings.issuer, error=str(error))
    return OpenIdFailedError(TOLD[error.code], name=provider.settings.name)
