"""What companies, applications, run templates and the installation may live through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain.application_events import (
    ApplicationIconChanged,
    ApplicationIconCleared,
    ApplicationImported,
    ApplicationRemoved,
    ApplicationUpdated,
)
from domain.company_events import ApplicationAssigned, ApplicationUnassigned, CompanyChanged, CompanyRemoved
from domain.retention_events import ArtifactsRemoved, ContentsRemoved, HistoryRemoved, OutputRemoved
from domain.run_template_events import RunTemplateChanged, RunTemplateCreated, RunTemplateRemoved
from domain.system_events import SystemPaused, SystemResumed
from eventstore.log import Append
from tests.projections.history import History, moment, pick
from tests.testbed.events import company_created

CODES = ("acme", "beta", "gamma")
UUIDS = tuple(f"00000000-0000-4000-a000-{number:012d}" for number in range(3))


def found_company(now: History, a: int, b: int) -> None:
    company = now.next_id()
    code = CODES[a % 3] if CODES[a % 3] not in now.companies.values() else f"company-{company}"
    now.companies[company] = code
    email = "mail@example.org" if b % 2 else None
    now.happen(now.one("company", company, company, company_created(company, code=code, email=email)))


def change_company(now: History, a: int, b: int) -> None:
    company = pick(now.companies, a)
    changes: tuple[dict[str, Any], ...] = (
        {"name": f"Name {now.next_id()}"},
        {"enabled": False, "email": "new@example.org"},
        {"email": None, "logo": None},
        {"settings": {"enc": "x", "key": "y"}, "customer_id": 7},
        {
            "time_zone": "America/Sao_Paulo",
            "enabled": True,
            "archived": bool(a % 2),
            "suspend_reason": "No longer ours",
        },
    )
    now.happen(now.one("company", company, company, CompanyChanged(company_id=company, **changes[b % 5])))


def give_company_another_code(now: History, a: int, b: int) -> None:
    company = pick(now.companies, a)
    code = CODES[b % 3]
    if code not in now.companies.values():
        now.companies[company] = code
        now.happen(now.one("company", company, company, CompanyChanged(company_id=company, code=code)))


def swap_codes(now: History, a: int, b: int) -> None:
    first, second = pick(now.companies, a), pick(now.companies, b)
    if first != second:
        codes = now.companies[first], now.companies[second]
        for company, code in ((first, "between"), (second, codes[0]), (first, codes[1])):
            now.happen(now.one("company", company, company, CompanyChanged(company_id=company, code=code)))
        now.companies[first], now.companies[second] = codes[1], codes[0]


def remove_company(now: History, a: int, _: int) -> None:
    company = pick(now.companies, a)
    del now.companies[company]
    gone = templates_gone(now, [number for number, each in now.templates.items() if each[0] == company])
    now.happen(*gone, now.one("company", company, company, CompanyRemoved(company_id=company)))


def templates_gone(now: History, belonging: Iterable[int]) -> list[Append]:
    """Remove the templates of what is to be removed."""
    return [
        now.one("run_template", number, company, RunTemplateRemoved(run_template_id=number, company_id=company))
        for number, company in [(number, now.templates.pop(number)[0]) for number in belonging]
    ]


def import_application(now: History, a: int, b: int) -> None:
    application = 1000 - now.next_id()  # a later one may have a smaller id
    if UUIDS[a % 3] in now.applications.values():
        return
    now.applications[application] = UUIDS[a % 3]
    imported = ApplicationImported(
        application_id=application,
        uuid=UUIDS[a % 3],
        name=f"Application {b}",
        version="1.0",
        executable="/bin/true",
        definition={"name": {"en": "Name"}, "enc": "x", "key": 1, "sub": "y", "list": [1, 2.5, None]},
        digest="d",
    )
    now.happen(now.one("application", application, None, imported))


def update_application(now: History, a: int, b: int) -> None:
    application = pick(now.applications, a)
    changes: tuple[dict[str, Any], ...] = (
        {"version": "2.0", "definition": {"other": True}, "digest": "e"},
        {"enabled": False},
        {"name": "Another name", "enabled": True},
    )
    if b % 5 == 4:
        icon = ApplicationIconChanged(application_id=application, media_type="image/gif", digest=f"{a}", content="R0lG")
        now.happen(now.one("application", application, None, icon))
    if b % 7 == 6:
        now.happen(now.one("application", application, None, ApplicationIconCleared(application_id=application)))
    updated = ApplicationUpdated(application_id=application, **changes[b % 3])
    now.happen(now.one("application", application, None, updated))


def remove_application(now: History, a: int, _: int) -> None:
    application = pick(now.applications, a)
    del now.applications[application]
    gone = templates_gone(now, [number for number in now.templates if now.used[number] == application])
    now.happen(*gone, now.one("application", application, None, ApplicationRemoved(application_id=application)))


def create_template(now: History, a: int, b: int) -> None:
    company, template = pick(now.companies, a), now.next_id()
    next_due = moment(60 * b) if b % 3 else None
    now.templates[template] = company, next_due
    now.used[template] = pick(now.applications, b)
    created = RunTemplateCreated(
        run_template_id=template,
        company_id=company,
        uuid=f"uuid-{template}",
        application_id=now.used[template],
        name=f"Template {template}",
        interval="h" if next_due else "n",
        note="Ask Jane" if a % 2 else None,
        next_due=next_due,
    )
    now.happen(now.one("run_template", template, company, created))


def change_template(now: History, a: int, b: int) -> None:
    """Change what has nothing to do with the schedule."""
    template = pick(now.templates, a)
    company, _ = now.templates[template]
    changes: tuple[dict[str, Any], ...] = (
        {"name": f"Renamed {now.next_id()}"},
        {"note": "Ask John", "delay": 5},
        {"note": None, "environment": '{"next_due":"not a time"}'},
    )
    changed = RunTemplateChanged(run_template_id=template, company_id=company, **changes[b % 3])
    now.happen(now.one("run_template", template, company, changed))


def reschedule_template(now: History, a: int, b: int) -> None:
    template = pick(now.templates, a)
    company, _ = now.templates[template]
    next_due = moment(90 * b) if b % 3 else None
    now.templates[template] = company, next_due
    changed = RunTemplateChanged(
        run_template_id=template, company_id=company, interval="d", active=next_due is not None, next_due=next_due
    )
    now.happen(now.one("run_template", template, company, changed))


def remove_template(now: History, a: int, _: int) -> None:
    template = pick(now.templates, a)
    company, _next_due = now.templates.pop(template)
    removed = RunTemplateRemoved(run_template_id=template, company_id=company)
    now.happen(now.one("run_template", template, company, removed))


def pause_or_resume(now: History, a: int, b: int) -> None:
    paused = SystemPaused(paused_at=moment(b), reason="Maintenance" if b % 2 else None)
    now.happen(now.one("system", 1, None, SystemResumed(resumed_at=moment(b)) if a % 2 else paused))


def remove_what_is_over(now: History, a: int, b: int) -> None:
    """Remove the output, the files, contents and jobs of a company, as its retention does."""
    company = pick(now.companies, a)
    common: dict[str, Any] = {"company_id": company, "days": 30, "by_hand": a % 2 == 0, "removed_at": moment(b)}
    before = moment(60 * 12 * b)
    kinds = (
        OutputRemoved(month="2026-01", jobs=1, chunks=2, bytes=3, **common),
        ArtifactsRemoved(before=before, files=1, bytes=2, **common),
        ContentsRemoved(company_id=company, removed_at=moment(b), contents=1, bytes=2),
        HistoryRemoved(before=before, jobs=1, tasks=2, **common),
    )
    now.happen(now.one("retention", company, company, kinds[(a + b) % 4], kinds[3]))


def assign_application(now: History, a: int, b: int) -> None:
    company, application = pick(now.companies, a), pick(now.applications, b)
    if (company, application) not in now.assigned:
        now.assigned.add((company, application))
        event = ApplicationAssigned(company_id=company, application_id=application)
        now.happen(now.one("company", company, company, event))


def unassign_application(now: History, a: int, _: int) -> None:
    there = sorted(pair for pair in now.assigned if pair[0] in now.companies)
    if there:
        company, application = there[a % len(there)]
        now.assigned.remove((company, application))
        used = [t for t, each in now.templates.items() if each[0] == company and now.used[t] == application]
        event = ApplicationUnassigned(company_id=company, application_id=application)
        now.happen(*templates_gone(now, used), now.one("company", company, company, event))
