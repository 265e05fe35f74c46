"""Mails to users whose way of signing in was changed on the command line, where a mail server is set up."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cli.acting import Acting
from cli.quiet_log import configure_log
from domain.aggregates import USER
from domain.event import Event
from domain.user import User
from web import i18n
from web.auth.notices import tell
from web.mail import mail_settings
from web.view import BASE


async def user_before(act: Acting, user_id: int) -> User | None:
    """Return a user as they are before a change; None if no mail could be sent of it."""
    if not os.environ.get("MULTIFLEXI_SMTP_URL"):
        return None
    events = [each.event async for each in act.store.read_stream(USER.stream(user_id))]
    state: User | None = USER.fold(events)
    return state


async def announce(before: User | None, events: Sequence[Event]) -> None:
    """Send a mail to a user if events change how they sign in; that it cannot be sent is told in the log."""
    mail = mail_settings(os.environ)
    if before is None or mail is None or not events:
        return
    configure_log()
    link = f"{os.environ.get('MULTIFLEXI_URL', '').rstrip('/')}{BASE}/account"
    await tell(mail, before, events, link=link, language=i18n.DEFAULT)
