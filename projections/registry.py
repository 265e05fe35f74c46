"""The projections there are."""

from __future__ import annotations

from eventstore.log import CONFIGURATION, JOB, OUTPUT
from projections.errors import UnknownProjectionError
from projections.projection import Projection

COMPANY = Projection(
    name="company",
    version=3,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    tables=("company", "company_app"),
    types=("CompanyCreated", "CompanyChanged", "CompanyRemoved", "ApplicationAssigned", "ApplicationUnassigned"),
)
APPLICATION = Projection(
    name="application",
    version=4,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    shared=True,
    tables=("application", "application_version", "application_icon"),
    types=(
        "ApplicationImported",
        "ApplicationUpdated",
        "ApplicationIconChanged",
        "ApplicationIconCleared",
        "ApplicationRemoved",
    ),
)
RUN_TEMPLATE = Projection(
    name="run_template",
    version=7,
    classes=(CONFIGURATION, JOB),
    inline=True,
    tables=("run_template", "due"),
    types=(
        "RunTemplateCreated",
        "RunTemplateChanged",
        "RunTemplateRemoved",
        "CredentialAssigned",
        "CredentialUnassigned",
        "JobScheduled",
        "DueSkipped",
        "CompanyRemoved",
        "ApplicationRemoved",
        "ApplicationUnassigned",
    ),
)
CREDENTIAL_PROTOTYPE = Projection(
    name="credential_prototype",
    version=2,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    shared=True,
    tables=("credential_prototype", "credential_prototype_version"),
    types=("CredentialPrototypeImported", "CredentialPrototypeUpdated", "CredentialPrototypeRemoved"),
)
CREDENTIAL = Projection(
    name="credential",
    version=1,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    tables=("credential_type", "credential", "run_template_credential"),
    types=(
        "CredentialTypeCreated",
        "CredentialTypeChanged",
        "CredentialTypeReencrypted",
        "CredentialTypeRemoved",
        "CredentialCreated",
        "CredentialChanged",
        "CredentialReencrypted",
        "CredentialRevealed",
        "CredentialChecked",
        "CredentialRemoved",
        "CredentialAssigned",
        "CredentialUnassigned",
        "RunTemplateRemoved",
    ),
)
JOB_QUEUE = Projection(
    name="job_queue",
    version=4,
    classes=(JOB, JOB),
    inline=True,
    tables=("job_queue",),
    types=("JobScheduled", "JobChanged", "JobStarted", "JobCancelRequested", "JobFinished", "JobCancelled"),
)
TASK = Projection(
    name="task",
    version=4,
    classes=(CONFIGURATION, JOB),
    inline=True,
    tables=("task",),
    types=("TaskOpened", "TaskFulfilled", "TaskFailed", "TaskMissed", "JobStarted", "JobFinished", "HistoryRemoved"),
)
SYSTEM_STATE = Projection(
    name="system_state",
    version=1,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    shared=True,
    tables=("system_state",),
    types=("SystemPaused", "SystemResumed"),
)
USER_ACCOUNT = Projection(
    name="user_account",
    version=2,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    tables=("user_account", "user_role", "user_identity", "user_passkey"),
    types=(
        "UserCreated",
        "UserChanged",
        "UserRemoved",
        "PasswordSet",
        "RoleGranted",
        "RoleRevoked",
        "TotpEnabled",
        "TotpDisabled",
        "RecoveryCodesMade",
        "RecoveryCodeUsed",
        "PasskeyAdded",
        "PasskeyRemoved",
        "IdentityLinked",
        "IdentityUnlinked",
    ),
)
MEMBERSHIP = Projection(
    name="membership",
    version=2,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    tables=("membership",),
    types=("MembershipGranted", "MembershipRevoked"),
)
USER_GROUP = Projection(
    name="user_group",
    version=1,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    tables=("user_group", "user_group_member"),
    types=("GroupCreated", "GroupChanged", "GroupRemoved", "GroupMemberAdded", "GroupMemberRemoved"),
)
ACCESS_REQUEST = Projection(
    name="access_request",
    version=1,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    tables=("access_request",),
    types=("AccessRequested", "RequestWithdrawn", "RequestApproved", "RequestRefused"),
)
ERASURE = Projection(
    name="erasure",
    version=1,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    tables=("erasure_request",),
    types=(
        "ErasureRequested",
        "ErasureWithdrawn",
        "ErasureApproved",
        "ErasureRejected",
        "ErasureStarted",
        "ErasureCompleted",
        "ErasureForgotten",
    ),
)
API_TOKEN = Projection(
    name="api_token",
    version=1,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    tables=("api_token",),
    types=("TokenCreated", "TokenChanged", "TokenRevoked"),
)
JOB_HISTORY = Projection(
    name="job_history",
    version=2,
    classes=(CONFIGURATION, JOB),
    apart=True,
    tables=("job",),
    types=("JobScheduled", "JobChanged", "JobStarted", "JobFinished", "JobCancelled", "HistoryRemoved"),
)
JOB_OUTPUT = Projection(
    name="job_output",
    version=2,
    classes=(OUTPUT, OUTPUT),
    tables=("job_output",),
    types=("OutputCaptured", "OutputDropped"),
)
ARTIFACT = Projection(
    name="artifact",
    version=2,
    classes=(CONFIGURATION, JOB),
    tables=("artifact",),
    types=("JobFinished", "HistoryRemoved"),
)
REMOVAL = Projection(
    name="removal",
    version=1,
    classes=(CONFIGURATION, CONFIGURATION),
    tables=("removal",),
    types=("OutputRemoved", "ArtifactsRemoved", "ContentsRemoved", "HistoryRemoved", "OutputMonthDropped"),
)
DASHBOARD = Projection(
    name="dashboard",
    version=1,
    classes=(JOB, JOB),
    tables=("dashboard_day", "run_template_outcomes"),
    types=("JobScheduled", "JobFinished", "JobCancelled"),
)
AUDIT_TRAIL = Projection(name="audit_trail", version=1, classes=(CONFIGURATION, JOB), tables=("audit_trail",))
CUSTOMER = Projection(
    name="customer",
    version=1,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    tables=("customer",),
    types=("CustomerCreated", "CustomerChanged", "CustomerRemoved"),
)
SERVER = Projection(
    name="server",
    version=1,
    classes=(CONFIGURATION, CONFIGURATION),
    inline=True,
    tables=("server",),
    types=("ServerCreated", "ServerChanged", "ServerRemoved"),
)

ALL = (
    COMPANY,
    APPLICATION,
    RUN_TEMPLATE,
    CREDENTIAL_PROTOTYPE,
    CREDENTIAL,
    JOB_QUEUE,
    TASK,
    SYSTEM_STATE,
    USER_ACCOUNT,
    MEMBERSHIP,
    USER_GROUP,
    ACCESS_REQUEST,
    ERASURE,
    API_TOKEN,
    CUSTOMER,
    SERVER,
    JOB_HISTORY,
    JOB_OUTPUT,
    ARTIFACT,
    REMOVAL,
    DASHBOARD,
    AUDIT_TRAIL,
)
INLINE = tuple(projection for projection in ALL if projection.inline)
ASYNC = tuple(projection for projection in ALL if not projection.inline)


def named(name: str) -> Projection:
    """Return a projection by its name.

    Raises
    ------
    UnknownProjectionError
        There is none of that name.
    """
    for projection in ALL:
        if projection.name == name:
            return projection
    raise UnknownProjectionError(
        f"There is no projection {name!r}. There are: {', '.join(projection.name for projection in ALL)}."
    )


def inline_folds() -> dict[str, list[str]]:
    """Return, of each event type, the folds of the inline projections that it concerns: what the store is handed."""
    folds: dict[str, list[str]] = {}
    for projection in INLINE:
        for kind in projection.types:
            folds.setdefault(kind, []).append(projection.fold)
    return folds
