"""Random histories of an installation.

A history is led by wishes, each a verb and two numbers; :func:`history_of` turns each into what is possible at that
point, or leaves it out. So every history is one that the domain allows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from tests.projections import lives_of_credentials as credentials
from tests.projections import lives_of_erasures as erasures
from tests.projections import lives_of_groups as groups
from tests.projections import lives_of_jobs as jobs
from tests.projections import lives_of_settings as settings
from tests.projections import lives_of_users as users
from tests.projections.history import History

Wish = tuple[str, int, int]

VERBS: dict[Callable[[History, int, int], None], tuple[str, ...]] = {
    settings.found_company: (),
    settings.change_company: ("companies",),
    settings.give_company_another_code: ("companies",),
    settings.swap_codes: ("companies",),
    settings.remove_company: ("companies",),
    settings.assign_application: ("companies", "applications"),
    settings.unassign_application: ("companies",),
    settings.import_application: (),
    settings.update_application: ("applications",),
    settings.remove_application: ("applications",),
    settings.create_template: ("companies", "applications"),
    settings.change_template: ("templates",),
    settings.reschedule_template: ("templates",),
    settings.remove_template: ("templates",),
    jobs.schedule_due: ("templates",),
    jobs.skip_due: ("templates",),
    jobs.miss_a_window: ("templates",),
    jobs.expire_task: ("queued", "running"),
    jobs.schedule_by_hand: ("templates",),
    jobs.change_job: ("queued",),
    jobs.start_job: ("queued",),
    jobs.ask_job_to_end: ("running",),
    jobs.finish_job: ("running",),
    jobs.cancel_job: ("queued",),
    jobs.write_output: ("running",),
    credentials.import_prototype: (),
    credentials.update_prototype: ("prototypes",),
    credentials.remove_prototype: ("prototypes",),
    credentials.create_type: ("companies", "prototypes"),
    credentials.change_type: ("types",),
    credentials.create_credential: ("types",),
    credentials.change_credential: ("credentials",),
    credentials.remove_credential: ("credentials",),
    credentials.assign_or_unassign: ("credentials", "templates"),
    users.create_user: (),
    users.change_user: ("users",),
    users.swap_logins: ("users",),
    users.change_ways_in: ("users",),
    users.grant_or_revoke_role: ("users",),
    users.add_or_remove_passkey: ("users",),
    users.link_or_unlink_identity: ("users",),
    users.grant_or_revoke_membership: ("users", "companies"),
    users.remove_user: ("users",),
    users.create_token: ("users",),
    users.change_or_revoke_token: ("tokens",),
    users.sign_in_or_out: ("users",),
    groups.create_group: (),
    groups.change_group: ("groups",),
    groups.swap_groups: ("groups",),
    groups.remove_group: ("groups",),
    groups.join_or_leave: ("groups", "users"),
    groups.let_group_in_or_out: ("companies", "groups"),
    groups.ask_for_access: ("companies", "users"),
    groups.answer_request: ("requests",),
    erasures.ask_for_erasure: ("users",),
    erasures.go_on_with_erasure: ("erasures",),
    settings.pause_or_resume: (),
    settings.remove_what_is_over: ("companies",),
}
"""Of each verb, what must be there for it."""

BY_NAME = {verb.__name__: verb for verb in VERBS}
OFTEN = ("create_template", "schedule_due", "schedule_due", "schedule_by_hand", "start_job", "start_job", "finish_job")


def history_of(wishes: Sequence[Wish]) -> History:
    """Return the history that wishes lead to."""
    now = History()
    for name, a, b in (("found_company", 0, 1), ("import_application", 0, 0), *wishes):
        verb = BY_NAME[name]
        if all(getattr(now, needed) for needed in VERBS[verb]):
            verb(now, a, b)
    return now


def wishes(seed: int, count: int) -> list[Wish]:
    """Return the first wishes of one of many endless lists of them."""
    chance = random.Random(seed)
    return [(chance.choice([*BY_NAME, *OFTEN]), chance.randrange(6), chance.randrange(6)) for _number in range(count)]


def histories(shortest: int = 60, longest: int = 140) -> st.SearchStrategy[History]:
    """Return a strategy for histories. What fails shrinks to the shortest part of its history that does."""
    return st.builds(wishes, st.integers(0, 2**32), st.integers(shortest, longest)).map(history_of)
