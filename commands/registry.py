"""How each command is prepared. A command that is not here is executed as it is."""

from __future__ import annotations

from collections import deque

from commands import (
    access_requests,
    applications,
    assignments,
    companies,
    credential_prototypes,
    credentials,
    directory,
    erasures,
    jobs,
    memberships,
    run_templates,
    system,
    templates_together,
    tokens,
    user_groups,
    users,
)
from commands.preparing import Desk, Prepare, Prepared, PrepareMany, as_it_is
from domain.access_request import ApproveRequest, RefuseRequest, RequestAccess
from domain.api_token import ChangeToken, CreateToken
from domain.application import (
    ChangeApplication,
    DisableApplication,
    EnableApplication,
    ImportApplication,
    RemoveApplication,
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
    RemoveCredential,
    RevealCredential,
)
from domain.credential_prototype import ImportCredentialPrototype, RemoveCredentialPrototype
from domain.credential_type import ChangeCredentialType, CreateCredentialType, RemoveCredentialType
from domain.customer import CreateCustomer, RemoveCustomer
from domain.erasure import (
    ApproveErasure,
    CompleteErasure,
    ForgetErasure,
    RejectErasure,
    RequestErasure,
    StartErasure,
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
from domain.server import CreateServer, RemoveServer
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
from domain.user_group import AddGroupMember, CreateGroup, RemoveGroup

PREPARE: dict[type[Command], Prepare] = {
    CreateCompany: companies.prepare_create,
    ChangeCompany: companies.prepare_change,
    RemoveCompany: companies.prepare_remove,
    SuspendCompany: companies.prepare_suspend,
    RestoreCompany: companies.prepare_suspend,
    AssignApplication: companies.prepare_assign,
    UnassignApplication: companies.prepare_unassign,
    ImportApplication: applications.prepare_import,
    ChangeApplication: applications.prepare_change,
    EnableApplication: applications.prepare_change,
    DisableApplication: applications.prepare_change,
    RemoveApplication: applications.prepare_remove,
    CreateRunTemplate: run_templates.prepare_create,
    ChangeRunTemplate: run_templates.prepare_change,
    ActivateRunTemplate: run_templates.prepare_change,
    DeactivateRunTemplate: run_templates.prepare_change,
    RescheduleRunTemplate: run_templates.prepare_change,
    RemoveRunTemplate: run_templates.prepare_remove,
    AssignCredential: assignments.prepare_assign,
    UnassignCredential: assignments.prepare_unassign,
    ImportCredentialPrototype: credential_prototypes.prepare_import,
    RemoveCredentialPrototype: credential_prototypes.prepare_remove,
    CreateCredentialType: credentials.prepare_create_type,
    ChangeCredentialType: credentials.prepare_change_type,
    RemoveCredentialType: credentials.prepare_remove_type,
    CreateCredential: credentials.prepare_create,
    ChangeCredential: credentials.prepare_change,
    RevealCredential: credentials.prepare_reveal,
    RecordCredentialCheck: credentials.prepare_now,
    RemoveCredential: credentials.prepare_remove,
    ScheduleJob: jobs.prepare_schedule,
    ChangeJob: jobs.prepare_now,
    StartJob: jobs.prepare_now,
    FinishJob: jobs.prepare_now,
    RequestCancel: jobs.prepare_request,
    CancelJob: jobs.prepare_now,
    PauseSystem: system.prepare_change,
    ResumeSystem: system.prepare_change,
    CreateUser: users.prepare_create,
    ChangeUser: users.prepare_change,
    ChangeProfile: users.prepare_change,
    RemoveUser: users.prepare_remove,
    GrantRole: users.prepare_role,
    RevokeRole: users.prepare_role,
    SetPassword: users.prepare_own,
    EnableTotp: users.prepare_own,
    DisableTotp: users.prepare_own,
    MakeRecoveryCodes: users.prepare_own,
    UseRecoveryCode: users.prepare_own,
    AddPasskey: users.prepare_own,
    RemovePasskey: users.prepare_own,
    LinkIdentity: users.prepare_link,
    UnlinkIdentity: users.prepare_own,
    CreateCustomer: directory.prepare_create,
    RemoveCustomer: directory.prepare_remove,
    CreateServer: directory.prepare_create,
    RemoveServer: directory.prepare_remove,
    GrantMembership: memberships.prepare_grant,
    RevokeMembership: memberships.prepare_revoke,
    CreateGroup: user_groups.prepare_create,
    RemoveGroup: user_groups.prepare_remove,
    AddGroupMember: user_groups.prepare_add,
    RequestAccess: access_requests.prepare_request,
    ApproveRequest: access_requests.prepare_approve,
    RefuseRequest: access_requests.prepare_refuse,
    RequestErasure: erasures.prepare_request,
    ApproveErasure: erasures.prepare_review,
    RejectErasure: erasures.prepare_review,
    StartErasure: erasures.prepare_start,
    CompleteErasure: erasures.prepare_complete,
    ForgetErasure: erasures.prepare_forget,
    CreateToken: tokens.prepare_create,
    ChangeToken: tokens.prepare_change,
}


PREPARE_MANY: dict[type[Command], PrepareMany] = {
    RescheduleRunTemplate: templates_together.prepare_reschedule,
    RemoveRunTemplate: templates_together.prepare_remove,
}
"""Of commands that follow from others by the thousand, what prepares many of them at once."""

TOGETHER = 1000
"""Most commands that are prepared at once; between so many, the process does its other work."""


def prepare_of(command: Command) -> Prepare:
    """Return the function that prepares a command."""
    return PREPARE.get(type(command), as_it_is)


async def prepared_together(
    desk: Desk, command: Command, follows: bool, waiting: deque[tuple[Command, bool | None]]
) -> list[Prepared]:
    """Prepare a command that follows from another, with those after it that can be prepared with it at once."""
    together = PREPARE_MANY.get(type(command))
    if together is None:
        return [await prepare_of(command)(desk, command)]
    alike = [command]
    while waiting and len(alike) < TOGETHER and type(waiting[0][0]) is type(command) and waiting[0][1] is follows:
        alike.append(waiting.popleft()[0])
    return await together(desk, alike)
