"""What somebody wished and may not, in the viewer's language: what pages call it, and what permissions allow to."""

from __future__ import annotations

from domain.permissions import EVERYTHING, permission_of
from web import phrases
from web.errors import N_
from web.words import Translate

WISHES: tuple[str, ...] = (
    N_("see the company and what it consists of"),
    N_("change the company, pause and resume it"),
    N_("see run templates"),
    N_("make, change and remove run templates"),
    N_("see jobs, tasks and the queue"),
    N_("start jobs"),
    N_("cancel jobs and empty the queue"),
    N_("see what jobs wrote, and their artifacts"),
    N_("see credentials, their secrets masked"),
    N_("assign credentials to run templates"),
    N_("make, change and remove credentials"),
    N_("see the secrets of credentials in clear"),
    N_("see who may do what in the company"),
    N_("grant and revoke access to the company, decide on requests"),
    N_("see who changed what and when"),
    N_("set up companies"),
    N_("remove companies"),
    N_("see, make, change and remove customers and servers"),
    N_("see the catalogue of applications"),
    N_("import, change and remove applications"),
    N_("import, change and remove credential prototypes"),
    N_("see the users"),
    N_("make, change and remove users, their roles and groups"),
    N_("manage the user's own account: profile, password, second factor, passkeys, sessions"),
    N_("make and revoke the user's own API tokens"),
    N_("ask for access"),
    N_("see how the installation is"),
    N_("pause the installation, maintain its queue, its keys and its read models"),
    N_("change a company"),
    N_("change run templates"),
    N_("clone a company"),
    N_("import applications"),
    N_("change applications"),
    N_("make run templates"),
    N_("change credential types"),
    N_("manage customers and servers"),
    N_("manage the members of a company"),
    N_("manage the own account"),
    N_("manage users"),
    N_("remove a run template"),
    N_("see the credentials of a run template"),
    N_("see the groups of users"),
    N_("see the members of a company"),
    N_("see the own access"),
    N_("try a run template"),
    N_("see a file of job {id}"),
    N_("see the output of job {id}"),
    N_("suspend a company"),
    N_("archive a company"),
    N_("restore a company"),
    N_("remove a company"),
)
"""What permissions allow to (:mod:`domain.permissions`), and what pages call what they refuse."""


def told(wish: str, translate: Translate) -> str:
    """Return a wish in another language: a command by what its permission allows to, as it is if that is not known.

    Examples
    --------
    >>> told("ChangeCompany", str.upper), told("manage users", str.upper)
    ('CHANGE THE COMPANY, PAUSE AND RESUME IT', 'MANAGE USERS')
    >>> told("ChangeCompany", str)
    'ChangeCompany'
    """
    try:
        text = EVERYTHING.get(permission_of(wish), wish)
    except LookupError:
        text = wish
    found = phrases.translated(text, WISHES, translate)
    return wish if found == text else found
