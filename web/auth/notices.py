"""Mails that tell users what was changed of how they sign in: who did not do it themselves learns of it.

::

    outcome = await notices.execute(site, wish, actor, language=view.language)     # on the web
    await notices.tell(mail, before, outcome.events, link=..., language="en")      # anywhere else
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog
from babel.dates import format_datetime

from commands.actor import Actor
from commands.preparing import Outcome
from commands.shell import Shell
from domain.event import UNSET, Event
from domain.user import User
from domain.user_commands import UserCommand
from domain.user_events import (
    IdentityLinked,
    IdentityUnlinked,
    PasskeyAdded,
    PasskeyRemoved,
    PasswordSet,
    RecoveryCodesMade,
    TotpDisabled,
    TotpEnabled,
    UserChanged,
)
from web import i18n
from web.errors import N_
from web.mail import MailError, MailSettings, send
from web.site import Site
from web.view import BASE

SUBJECT = N_("How you sign in to MultiFlexi was changed")
TEXT = N_(
    "This was changed of the user {login} of MultiFlexi on {when}:\n\n{what}\n\n"
    "If it was you, or you know of it, do nothing. If not, tell your administrator at once and look at your account:"
    "\n\n{link}"
)
WHAT: dict[type[Event], str] = {
    PasswordSet: N_("The password was changed."),
    TotpEnabled: N_("Signing in asks for a code of a device from now on."),
    TotpDisabled: N_("Signing in asks for no code any more."),
    RecoveryCodesMade: N_("New recovery codes were made; those before are void."),
    PasskeyAdded: N_("A passkey was added."),
    PasskeyRemoved: N_("A passkey was removed."),
    IdentityLinked: N_("An account elsewhere signs you in from now on."),
    IdentityUnlinked: N_("An account elsewhere no longer signs you in."),
    UserChanged: N_("The e-mail address was changed."),
}
PASSWORD_GONE = N_("The password was taken away.")
LOGIN_CHANGED = N_("The login was changed.")

log = structlog.get_logger(__name__)


async def execute(site: Site, shell: Shell, wish: UserCommand, actor: Actor, *, language: str) -> Outcome:
    """Execute a command of a user, and let a mail go to them if it changed how they sign in; nobody waits for it.

    Parameters
    ----------
    language : str
        Of the mail, where the user has chosen none.
    """
    before = None if site.mail is None else await site.sign_in.user(wish.user_id)
    outcome = await shell.execute(wish, actor, source="web")
    announce(site, before, () if outcome.replayed else outcome.events, language=language)
    return outcome


def announce(site: Site, before: User | None, events: Iterable[Event], *, language: str) -> None:
    """Let a mail go to a user of whom events tell that signing in was changed."""
    if site.mail is None or before is None:
        return
    link = f"{site.sign_in_settings.address}{BASE}/account"
    task = asyncio.create_task(tell(site.mail, before, events, link=link, language=language))
    site.sending.add(task)
    task.add_done_callback(site.sending.discard)


async def tell(mail: MailSettings, before: User, events: Iterable[Event], *, link: str, language: str) -> None:
    """Send a mail to a user, to their old address and to their new one, if events change how they sign in.

    Parameters
    ----------
    before : User
        The user as they were before.
    link : str
        Address of the page of their account.
    """
    there = list(events)
    lines = [line for line in map(line_of, there) if line]
    addresses = [before.email, *(one.email for one in there if isinstance(one, UserChanged))]
    chosen = before.language if before.language in i18n.LANGUAGES else language
    translate = i18n.translations(chosen).gettext
    when = f"{format_datetime(datetime.now(UTC), locale=chosen)} UTC"
    what = "\n".join(f"- {translate(line)}" for line in lines)
    text = translate(TEXT).format(login=before.login, when=when, what=what, link=link)
    for address in dict.fromkeys(one for one in addresses if lines and isinstance(one, str)):
        try:
            await send(mail, address, translate(SUBJECT), text)
        except MailError as error:
            log.error("a user was not told what was changed", user=before.user_id, error=str(error))


def line_of(event: Event) -> str | None:
    """Return what a mail says of an event; None: it does not change how somebody signs in."""
    match event:
        case PasswordSet(cause="upgraded"):
            return None
        case PasswordSet(password=None):
            return PASSWORD_GONE
        case UserChanged(email=email, login=login) if email is UNSET:
            return None if login is UNSET else LOGIN_CHANGED
        case _:
            return WHAT.get(type(event))
