"""A forgotten password: a link in a mail lets its user choose another, once, within an hour.

Whether there is a user of an address is not told: the answer is the same, and comes before anything is looked up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog
from babel.dates import format_timedelta

from commands import passwords
from commands.actor import SYSTEM
from domain import checks
from domain.errors import ValidationError
from domain.event import Event
from domain.user import User
from domain.user_commands import SetPassword
from eventstore.errors import EventStoreError
from web import i18n
from web.auth.sign_in import SignIn, Visitor, WrongError
from web.errors import N_
from web.mail import MailError, MailSettings, send

RESET = "password reset"
LASTS = 3600.0
"""Seconds for which a link is good."""

VOID = N_("This link is not good any more: it was used, or too much time has passed. Ask for another.")
SUBJECT = N_("Choose another password for MultiFlexi")
TEXT = N_(
    "Somebody, probably you, asked for another password for the user {login} of MultiFlexi.\n\n"
    "Choose it here, within {time}:\n\n{link}\n\n"
    "If it was not you, do nothing: your password stays as it is."
)

log = structlog.get_logger(__name__)

Sending = set[asyncio.Task[None]]
"""Mails on their way; the event loop itself keeps no hold of what it runs."""


async def ask(
    sign_in: SignIn,
    mail: MailSettings,
    email: str,
    visitor: Visitor,
    *,
    link: Callable[[str], str],
    language: str,
    sending: Sending,
) -> None:
    """Send a link to the user of an address, if there is one; without waiting for it, so that time tells nothing.

    Parameters
    ----------
    link : Callable
        Takes the token and returns the address of the page.
    language : str
        Of the mail, where the user has chosen none.
    sending : Sending
        Where the mail is noted until it is handed over.

    Raises
    ------
    LockedError
        It was asked too often, for this address or from there.
    """
    # Counted apart from signing in: who asked for a link must not be locked out when they use it.
    apart = Visitor(f"reset {visitor.address}" if visitor.address else None)
    await sign_in.begin(f"reset {email[:300]}", 0, apart)
    task = asyncio.create_task(_send(sign_in, mail, email, link, language))
    sending.add(task)
    task.add_done_callback(sending.discard)


async def _send(sign_in: SignIn, mail: MailSettings, email: str, link: Callable[[str], str], language: str) -> None:
    try:
        user = await _user_of(sign_in, email)
        if user is None:
            return
        await sign_in.secrets.drop(RESET, user.user_id)
        token = await sign_in.secrets.keep(RESET, user.user_id, LASTS)
        chosen = user.language if user.language in i18n.LANGUAGES else language
        translate = i18n.translations(chosen).gettext
        time = format_timedelta(timedelta(seconds=LASTS), granularity="minute", threshold=2, locale=chosen)
        text = translate(TEXT).format(login=user.login, time=time, link=link(token))
        await send(mail, str(user.email), translate(SUBJECT), text)
    except (MailError, EventStoreError) as error:
        log.error("a link for another password was not sent", error=str(error))


async def _user_of(sign_in: SignIn, email: str) -> User | None:
    """Return who may have another password: an enabled user who has one, and a mail address."""
    try:
        checked = checks.email(email)
    except ValidationError:
        return None
    row = (
        None
        if checked is None
        else await sign_in.facts.row("user_of_email", await sign_in.facts.keyed("email", checked))
    )
    user = None if row is None else await sign_in.user(row["id"])
    if user is None or not user.enabled or user.password is None or not isinstance(user.email, str):
        return None
    return user


async def user_of(sign_in: SignIn, token: str) -> User:
    """Return whose link it is; it stays good.

    Raises
    ------
    WrongError
        The link was used, is too old, or its user may not sign in any more.
    """
    kept = await sign_in.secrets.look(RESET, token)
    user = None if kept is None or kept.user_id is None else await sign_in.user(kept.user_id)
    if user is None or not user.enabled:
        raise WrongError(VOID)
    return user


async def finish(sign_in: SignIn, token: str, password: str) -> list[Event]:
    """Give the user of a link another password; all their sessions end, and what was locked is open again.

    Returns what happened to the user.

    Raises
    ------
    WrongError
        The link is not good.
    ValidationError
        The password is not good enough; the link stays good.
    """
    user = await user_of(sign_in, token)
    about = [str(each) for each in (user.login, user.email, user.first_name, user.last_name) if each]
    encoded = await passwords.hashed(passwords.check(password, about))
    if await sign_in.secrets.take(RESET, token) is None:
        raise WrongError(VOID)
    wish = SetPassword(user_id=user.user_id, password=encoded, cause="reset")
    outcome = await sign_in.shell.execute(wish, SYSTEM, source="web")
    await sign_in.sessions.close(user.user_id, cause="password")
    await sign_in.attempts.forgive(f"login {user.login}")
    return list(outcome.events)
