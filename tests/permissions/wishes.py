"""A valid wish of every command of the domain, about fresh things of a company or about the account of a user."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from domain.access_request import ApproveRequest, RefuseRequest, RequestAccess, WithdrawRequest
from domain.api_token import ChangeToken, CreateToken, RevokeToken
from domain.application import (
    ChangeApplication,
    DisableApplication,
    EnableApplication,
    ImportApplication,
    RemoveApplication,
    SetApplicationIcon,
)
from domain.command import Command
from domain.company import (
    AssignApplication,
    ChangeCompany,
    CreateCompany,
    RemoveCompany,
    RestoreCompany,
    SuspendCompany,
    UnassignApplication,
)
from domain.credential import (
    ChangeCredential,
    CreateCredential,
    RecordCredentialCheck,
    ReencryptCredential,
    RemoveCredential,
    RevealCredential,
)
from domain.credential_prototype import ImportCredentialPrototype, RemoveCredentialPrototype
from domain.credential_type import (
    ChangeCredentialType,
    CreateCredentialType,
    ReencryptCredentialType,
    RemoveCredentialType,
)
from domain.customer import ChangeCustomer, CreateCustomer, RemoveCustomer
from domain.erasure import (
    ApproveErasure,
    CompleteErasure,
    ForgetErasure,
    RejectErasure,
    RequestErasure,
    StartErasure,
    WithdrawErasure,
)
from domain.job import CancelJob, ChangeJob, FinishJob, RequestCancel, ScheduleJob, StartJob
from domain.membership import GrantMembership, RevokeMembership
from domain.run_template import (
    ActivateRunTemplate,
    AssignCredential,
    ChangeRunTemplate,
    CreateRunTemplate,
    DeactivateRunTemplate,
    RemoveRunTemplate,
    RescheduleRunTemplate,
    UnassignCredential,
)
from domain.server import ChangeServer, CreateServer, RemoveServer
from domain.system import PauseSystem, ResumeSystem
from domain.user_commands import (
    AddPasskey,
    ChangeProfile,
    ChangeUser,
    CreateUser,
    DisableTotp,
    EnableTotp,
    GrantRole,
    LinkIdentity,
    MakeRecoveryCodes,
    RemovePasskey,
    RemoveUser,
    RevokeRole,
    SetPassword,
    UnlinkIdentity,
    UseRecoveryCode,
)
from domain.user_group import AddGroupMember, ChangeGroup, CreateGroup, RemoveGroup, RemoveGroupMember
from tests.permissions.office import ICON, THIRD, Office

Maker = Callable[[Office, str], Awaitable[Command]]
OwnMaker = Callable[[Office, int], Awaitable[Command]]

SECRET = "JBSWY3DPEHPK3PXP"
CODE = hashlib.sha256(b"code").hexdigest()


def digest(office: Office) -> str:
    return hashlib.sha256(f"token {next(office.numbers)}".encode()).hexdigest()


async def running_job(office: Office, company: str) -> int:
    job = await office.job(company)
    await office.do(StartJob(job_id=job, executor_id="executor@host:1", host="host"))
    return job


async def create_run_template(office: Office, company: str) -> Command:
    return CreateRunTemplate(
        company_id=office.companies[company], application_id=office.application, name=office.name(company)
    )


async def assign_credential(office: Office, company: str) -> Command:
    return AssignCredential(
        run_template_id=await office.template(company), credential_id=await office.credential(company)
    )


async def unassign_credential(office: Office, company: str) -> Command:
    template, credential = await office.template(company), await office.credential(company)
    await office.do(AssignCredential(run_template_id=template, credential_id=credential))
    return UnassignCredential(run_template_id=template, credential_id=credential)


async def activate(office: Office, company: str) -> Command:
    return ActivateRunTemplate(run_template_id=await office.template(company, active=False))


async def suspend(office: Office, company: str) -> Command:
    await office.do(RestoreCompany(company_id=office.companies[company]))
    return SuspendCompany(company_id=office.companies[company], reason="Nobody pays")


async def restore(office: Office, company: str) -> Command:
    await office.do(SuspendCompany(company_id=office.companies[company], reason="Nobody pays"))
    return RestoreCompany(company_id=office.companies[company])


async def assign_application(office: Office, company: str) -> Command:
    return AssignApplication(company_id=office.companies[company], application_id=await office.fresh_application())


async def unassign_application(office: Office, company: str) -> Command:
    application, company_id = await office.fresh_application(), office.companies[company]
    await office.do(AssignApplication(company_id=company_id, application_id=application))
    return UnassignApplication(company_id=company_id, application_id=application)


async def remove_prototype(office: Office, _company: str) -> Command:
    made = await office.make(ImportCredentialPrototype(definition=office.prototype_definition()))
    return RemoveCredentialPrototype(credential_prototype_id=made)


async def enable(office: Office, _company: str) -> Command:
    application = await office.fresh_application()
    await office.do(DisableApplication(application_id=application))
    return EnableApplication(application_id=application)


async def resume_system(office: Office, _company: str) -> Command:
    await office.do(PauseSystem(reason="It moves"))
    return ResumeSystem()


async def pause_system(office: Office, _company: str) -> Command:
    await office.do(ResumeSystem())
    return PauseSystem(reason="It moves")


async def revoke_membership(office: Office, company: str) -> Command:
    user = await office.user("user")
    await office.do(GrantMembership(user_id=user, company_id=office.companies[company]))
    return RevokeMembership(user_id=user, company_id=office.companies[company])


async def asked(office: Office, company: str, user_id: int | None = None) -> int:
    return await office.make(
        RequestAccess(company_id=office.companies[company], user_id=user_id or await office.user("user"))
    )


async def erasure(office: Office, *steps: type[Command], user_id: int | None = None) -> int:
    """Have a request for the erasure of a user, and what further commands make of it."""
    number = await office.make(RequestErasure(user_id=user_id or await office.user("viewer"), reason="Asked by letter"))
    for step in steps:
        await office.do(step(erasure_id=number))  # type: ignore[call-arg]
    return number


async def old_erasure(office: Office) -> int:
    """Have a request that was withdrawn so long ago that its reasons need not be kept."""
    number = await erasure(office, WithdrawErasure)
    await office.shell.store.pool.execute(
        "UPDATE erasure_request SET closed_at = closed_at - interval '8 years' WHERE id = $1", number
    )
    return number


async def remove_group_member(office: Office, _company: str) -> Command:
    group, user = await office.group(), await office.user("viewer")
    await office.do(AddGroupMember(user_group_id=group, user_id=user))
    return RemoveGroupMember(user_group_id=group, user_id=user)


async def add_group_member(office: Office, _company: str) -> Command:
    return AddGroupMember(user_group_id=await office.group(), user_id=await office.user("viewer"))


async def check(office: Office, company: str) -> Command:
    return RecordCredentialCheck(
        credential_id=await office.credential(company), outcome="available", kind="http", message="ok", duration=0.1
    )


async def finish(office: Office, company: str) -> Command:
    return FinishJob(job_id=await running_job(office, company), outcome="success", exit_code=0)


OF_COMPANY: dict[type[Command], Maker] = {
    ChangeCompany: lambda o, c: later(ChangeCompany(company_id=o.companies[c], name=o.name(c))),
    SuspendCompany: suspend,
    RestoreCompany: restore,
    AssignApplication: assign_application,
    UnassignApplication: unassign_application,
    CreateRunTemplate: create_run_template,
    ChangeRunTemplate: lambda o, c: then(o.template(c), lambda one: ChangeRunTemplate(run_template_id=one, delay=7)),
    ActivateRunTemplate: activate,
    DeactivateRunTemplate: lambda o, c: then(o.template(c), lambda one: DeactivateRunTemplate(run_template_id=one)),
    RescheduleRunTemplate: lambda o, c: then(
        o.template(c, interval="h"), lambda one: RescheduleRunTemplate(run_template_id=one, all=True)
    ),
    RemoveRunTemplate: lambda o, c: then(o.template(c), lambda one: RemoveRunTemplate(run_template_id=one)),
    AssignCredential: assign_credential,
    UnassignCredential: unassign_credential,
    CreateCredentialType: lambda o, c: later(
        CreateCredentialType(company_id=o.companies[c], credential_prototype_id=o.prototype, name=o.name(c))
    ),
    ChangeCredentialType: lambda o, c: then(
        o.credential_type(c), lambda one: ChangeCredentialType(credential_type_id=one, name=o.name(c))
    ),
    RemoveCredentialType: lambda o, c: then(
        o.credential_type(c), lambda one: RemoveCredentialType(credential_type_id=one)
    ),
    CreateCredential: lambda o, c: later(
        CreateCredential(credential_type_id=o.types[c], name=o.name(c), values={"BANK_TOKEN": "x" * 20})
    ),
    ChangeCredential: lambda o, c: then(
        o.credential(c), lambda one: ChangeCredential(credential_id=one, name=o.name(c))
    ),
    RevealCredential: lambda o, c: then(
        o.credential(c), lambda one: RevealCredential(credential_id=one, fields=["BANK_TOKEN"])
    ),
    RecordCredentialCheck: check,
    RemoveCredential: lambda o, c: then(o.credential(c), lambda one: RemoveCredential(credential_id=one)),
    ScheduleJob: lambda o, c: then(o.template(c), lambda one: ScheduleJob(run_template_id=one)),
    ChangeJob: lambda o, c: then(o.job(c), lambda one: ChangeJob(job_id=one, priority=3)),
    CancelJob: lambda o, c: then(o.job(c), lambda one: CancelJob(job_id=one)),
    RequestCancel: lambda o, c: then(running_job(o, c), lambda one: RequestCancel(job_id=one)),
    StartJob: lambda o, c: then(o.job(c), lambda one: StartJob(job_id=one, executor_id="e@h:1", host="h")),
    FinishJob: finish,
    GrantMembership: lambda o, c: then(
        o.user("user"), lambda one: GrantMembership(user_id=one, company_id=o.companies[c], role="viewer")
    ),
    RevokeMembership: revoke_membership,
    ApproveRequest: lambda o, c: then(asked(o, c), lambda one: ApproveRequest(access_request_id=one)),
    RefuseRequest: lambda o, c: then(asked(o, c), lambda one: RefuseRequest(access_request_id=one, reason="No")),
}
"""Commands about something of a company."""

OF_INSTALLATION: dict[type[Command], Maker] = {
    CreateCompany: lambda o, _: later(CreateCompany(name=f"Company {next(o.numbers)}")),
    RemoveCompany: lambda o, _: then(o.fresh_company(), lambda one: RemoveCompany(company_id=one)),
    ImportApplication: lambda o, _: later(ImportApplication(definition=o.definition())),
    ChangeApplication: lambda o, _: then(
        o.fresh_application(), lambda one: ChangeApplication(application_id=one, max_parallel=3)
    ),
    EnableApplication: enable,
    DisableApplication: lambda o, _: then(o.fresh_application(), lambda one: DisableApplication(application_id=one)),
    SetApplicationIcon: lambda o, _: then(
        o.fresh_application(), lambda one: SetApplicationIcon(application_id=one, content=ICON)
    ),
    RemoveApplication: lambda o, _: then(o.fresh_application(), lambda one: RemoveApplication(application_id=one)),
    ImportCredentialPrototype: lambda o, _: later(ImportCredentialPrototype(definition=o.prototype_definition())),
    RemoveCredentialPrototype: remove_prototype,
    PauseSystem: pause_system,
    ResumeSystem: resume_system,
    ReencryptCredentialType: lambda o, c: later(
        ReencryptCredentialType(credential_type_id=o.types[c], sealed={}, replaced={})
    ),
    ReencryptCredential: lambda o, c: then(
        o.credential(c), lambda one: ReencryptCredential(credential_id=one, sealed={}, replaced={})
    ),
    CreateGroup: lambda o, _: later(CreateGroup(name=f"Group {next(o.numbers)}")),
    ChangeGroup: lambda o, _: then(o.group(), lambda one: ChangeGroup(user_group_id=one, description="Changed")),
    RemoveGroup: lambda o, _: then(o.group(), lambda one: RemoveGroup(user_group_id=one)),
    AddGroupMember: add_group_member,
    RemoveGroupMember: remove_group_member,
    CreateCustomer: lambda o, _: later(CreateCustomer(name=f"Customer {next(o.numbers)}")),
    ChangeCustomer: lambda o, _: then(o.customer(), lambda one: ChangeCustomer(customer_id=one, note="Pays late")),
    RemoveCustomer: lambda o, _: then(o.customer(), lambda one: RemoveCustomer(customer_id=one)),
    CreateServer: lambda o, _: later(CreateServer(name=f"Server {next(o.numbers)}", url="https://erp.example.org")),
    ChangeServer: lambda o, _: then(o.server(), lambda one: ChangeServer(server_id=one, url="https://x.example.org")),
    RemoveServer: lambda o, _: then(o.server(), lambda one: RemoveServer(server_id=one)),
    CreateUser: lambda o, _: later(CreateUser(login=f"made-{next(o.numbers)}", roles=("viewer",))),
    ChangeUser: lambda o, _: then(o.user("viewer"), lambda one: ChangeUser(user_id=one, first_name="Jane")),
    RemoveUser: lambda o, _: then(o.user("viewer"), lambda one: RemoveUser(user_id=one)),
    GrantRole: lambda o, _: then(o.user("viewer"), lambda one: GrantRole(user_id=one, role="user")),
    ApproveErasure: lambda o, _: then(erasure(o), lambda one: ApproveErasure(erasure_id=one)),
    RejectErasure: lambda o, _: then(erasure(o), lambda one: RejectErasure(erasure_id=one, reason="No")),
    StartErasure: lambda o, _: then(erasure(o, ApproveErasure), lambda one: StartErasure(erasure_id=one)),
    CompleteErasure: lambda o, _: then(
        erasure(o, ApproveErasure, StartErasure), lambda one: CompleteErasure(erasure_id=one)
    ),
    ForgetErasure: lambda o, _: then(old_erasure(o), lambda one: ForgetErasure(erasure_id=one)),
    RevokeRole: lambda o, _: then(o.user("viewer"), lambda one: RevokeRole(user_id=one, role="viewer")),
}
"""Commands about the installation, or about users as those see them who manage them."""


async def with_totp(office: Office, user_id: int) -> None:
    await office.do(EnableTotp(user_id=user_id, totp_secret=SECRET, recovery=(CODE,)))


async def disable_totp(office: Office, user_id: int) -> Command:
    await with_totp(office, user_id)
    return DisableTotp(user_id=user_id)


async def make_codes(office: Office, user_id: int) -> Command:
    await with_totp(office, user_id)
    return MakeRecoveryCodes(user_id=user_id, recovery=(digest(office),))


async def use_code(office: Office, user_id: int) -> Command:
    await with_totp(office, user_id)
    return UseRecoveryCode(user_id=user_id, digest=CODE)


async def add_passkey(office: Office, user_id: int) -> AddPasskey:
    return AddPasskey(
        user_id=user_id, credential_id=f"cGFzc2tleS{next(office.numbers)}", public_key="cHVibGlj", name="Phone"
    )


async def remove_passkey(office: Office, user_id: int) -> Command:
    added = await add_passkey(office, user_id)
    await office.do(added)
    return RemovePasskey(user_id=user_id, credential_id=added.credential_id)


async def unlink(office: Office, user_id: int) -> Command:
    subject = str(next(office.numbers))
    done = await office.do(LinkIdentity(user_id=user_id, issuer="https://id.example.org", subject=subject))
    return UnlinkIdentity(user_id=user_id, subject_key=done.events[0].subject_key)


async def token(office: Office, user_id: int) -> int:
    return await office.make(CreateToken(user_id=user_id, digest=digest(office), name="Backup"))


OF_ACCOUNT: dict[type[Command], OwnMaker] = {
    ChangeProfile: lambda _, u: later(ChangeProfile(user_id=u, first_name="Jane")),
    SetPassword: lambda _, u: later(SetPassword(user_id=u, password="$argon2id$x")),
    EnableTotp: lambda _, u: later(EnableTotp(user_id=u, totp_secret=SECRET, recovery=(CODE,))),
    DisableTotp: disable_totp,
    MakeRecoveryCodes: make_codes,
    UseRecoveryCode: use_code,
    AddPasskey: add_passkey,
    RemovePasskey: remove_passkey,
    LinkIdentity: lambda o, u: later(
        LinkIdentity(user_id=u, issuer="https://id.example.org", subject=str(next(o.numbers)))
    ),
    UnlinkIdentity: unlink,
    RequestAccess: lambda o, u: later(RequestAccess(company_id=o.companies[THIRD], user_id=u, reason="For the audit")),
    WithdrawRequest: lambda o, u: then(asked(o, THIRD, u), lambda one: WithdrawRequest(access_request_id=one)),
    RequestErasure: lambda _, u: later(RequestErasure(user_id=u, reason="I leave")),
    WithdrawErasure: lambda o, u: then(erasure(o, user_id=u), lambda one: WithdrawErasure(erasure_id=one)),
    CreateToken: lambda o, u: later(CreateToken(user_id=u, digest=digest(o), name="Backup")),
    ChangeToken: lambda o, u: then(
        token(o, u), lambda one: ChangeToken(api_token_id=one, until=datetime.now(UTC) + timedelta(days=1))
    ),
    RevokeToken: lambda o, u: then(token(o, u), lambda one: RevokeToken(api_token_id=one)),
}
"""Commands about the account of a user."""


async def later(command: Command) -> Command:
    """Return a command that needs nothing to be made before it."""
    return command


async def then(made: Awaitable[int], wish: Callable[[int], Command]) -> Command:
    """Return a command about something that is made before it."""
    return wish(await made)
