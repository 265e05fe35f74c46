"""Signing in by a passkey alone: it names its user, and proves that the device is theirs and that they unlocked it."""

from __future__ import annotations

from typing import Any

from web.auth import passkeys
from web.auth.passkeys import PasskeyError, Site
from web.auth.sign_in import SignedInBy, SignIn, Visitor, WrongError
from web.errors import N_
from web.queries import query

PASSKEY = "passkey challenge"
LASTS = 300.0
"""Seconds that the user has to unlock the device."""

UNKNOWN = N_("This passkey does not sign anybody in. Sign in by password.")
TOO_OLD = N_("Too much time has passed. Sign in again.")


async def begin(sign_in: SignIn, site: Site, visitor: Visitor) -> tuple[dict[str, Any], str]:
    """Return the options for the browser, and the token by which the challenge is found again.

    Raises
    ------
    LockedError
        It was begun too often from there.
    """
    await sign_in.attempts.step(visitor.address, sign_in.clock())
    asked = passkeys.ask_to_sign_in(site)
    return asked.options, await sign_in.secrets.keep(PASSKEY, None, LASTS, challenge=asked.challenge)


async def finish(sign_in: SignIn, site: Site, token: str, answer: dict[str, Any], visitor: Visitor) -> SignedInBy:
    """Sign in the user of the passkey that has signed.

    Parameters
    ----------
    sign_in : SignIn
        Where users are signed in.
    site : Site
        This installation.
    token : str
        What :func:`begin` returned; it is good once.
    answer : dict
        What the browser sent.
    visitor : Visitor
        Who signs in.

    Raises
    ------
    LockedError
        It was tried too often.
    WrongError
        The passkey is not known, has not signed this challenge, or its user may not sign in.
    """
    kept = await sign_in.secrets.take(PASSKEY, token)
    if kept is None:
        raise WrongError(TOO_OLD)
    try:
        credential_id = passkeys.credential_of(answer)
    except PasskeyError:
        raise WrongError(UNKNOWN) from None
    row = await sign_in.facts.row("user_of_passkey", credential_id)
    user = None if row is None else await sign_in.user(row["id"])
    keys = await sign_in.begin(f"passkey {credential_id[:200]}", user.user_id if user else 0, visitor)
    passkey = user.passkeys.get(credential_id) if user is not None and user.enabled else None
    if user is None or passkey is None:
        raise WrongError(UNKNOWN)
    pool = sign_in.store.pool
    known = await pool.fetchval(query("sign_in.passkey_count"), credential_id) or 0
    try:
        count = passkeys.check_sign_in(site, kept.data["challenge"], answer, passkey.public_key, known)
    except PasskeyError:
        await sign_in.failed(user.user_id, "passkey", visitor)
        raise WrongError(UNKNOWN) from None
    # Of two answers with the same count, as of a device and its copy, one signs in.
    used = await pool.fetchval(query("sign_in.use_passkey"), credential_id, user.user_id, count, sign_in.clock())
    if used is None:
        await sign_in.failed(user.user_id, "passkey", visitor)
        raise WrongError(UNKNOWN)
    await sign_in.attempts.succeeded(keys)
    await sign_in.attempts.finished(visitor.address)
    return await sign_in.open(user.user_id, "passkey", visitor)
