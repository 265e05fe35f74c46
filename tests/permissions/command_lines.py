"""A valid line of every command of the command line, about things of a company, of the installation or of the user."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from domain.access_request import RequestAccess
from domain.api_token import CreateToken
from domain.company import AssignApplication
from domain.credential_prototype import ImportCredentialPrototype
from domain.erasure import ApproveErasure, WithdrawErasure
from domain.membership import GrantMembership
from domain.run_template import AssignCredential
from domain.user_group import AddGroupMember
from tests.permissions.office import DEFINITION, MARKS, Office
from tests.permissions.wishes import asked, digest, erasure
from tests.testbed.credentials import prototype_text


class Scene(NamedTuple):
    """What a line is about: a company by its word, what is there of it, the user who gives the line, and a folder."""

    office: Office
    company: str
    things: dict[str, int]
    user_id: int
    folder: Path

    @property
    def company_id(self) -> int:
        return self.office.companies[self.company]

    @property
    def name(self) -> str:
        """A fresh name."""
        return f"{MARKS[self.company]}-{next(self.office.numbers)}"

    def file(self, text: str) -> str:
        """Write a file and return its path."""
        path = self.folder / f"{next(self.office.numbers)}.json"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def folder_with(self, definition: dict[str, Any]) -> str:
        """Write the definition of an application into a folder of its own and return that."""
        folder = self.folder / f"applications-{next(self.office.numbers)}"
        folder.mkdir()
        (folder / "echo.multiflexi.app.json").write_text(json.dumps(definition), encoding="utf-8")
        return str(folder)

    def fresh_path(self) -> str:
        """Return the path of a file that is not there."""
        return str(self.folder / f"{next(self.office.numbers)}.out")

    def application_file(self) -> str:
        return self.file(json.dumps(self.office.definition()))

    def prototype_file(self) -> str:
        return self.file(json.dumps(self.office.prototype_definition()))


Line = Callable[[Scene], Awaitable[str] | str]


async def made(number: Awaitable[int], line: str) -> str:
    """Return a line about something that is made before it."""
    return line.format(await number)


async def application_file_in_use(scene: Scene) -> str:
    definition = scene.office.definition()
    await scene.office.fresh_application(**definition)
    return f"--file {scene.file(json.dumps(definition))}"


async def prototype(scene: Scene) -> int:
    return await scene.office.make(ImportCredentialPrototype(definition=scene.office.prototype_definition()))


async def assigned(scene: Scene) -> str:
    office = scene.office
    template, credential = await office.template(scene.company), await office.credential(scene.company)
    await office.do(AssignCredential(run_template_id=template, credential_id=credential))
    return f"{template} --credential_id {credential}"


async def unassigned(scene: Scene) -> str:
    template = await scene.office.template(scene.company)
    return f"{template} --credential_id {await scene.office.credential(scene.company)}"


async def member(scene: Scene) -> str:
    user = await scene.office.user("user")
    await scene.office.do(GrantMembership(user_id=user, company_id=scene.company_id))
    return f"--company_id {scene.company_id} --user_id {user}"


async def group_member(scene: Scene) -> str:
    group, user = await scene.office.group(), await scene.office.user("viewer")
    await scene.office.do(AddGroupMember(user_group_id=group, user_id=user))
    return f"{group} --user_id {user}"


async def own_token(scene: Scene) -> int:
    return await scene.office.make(CreateToken(user_id=scene.user_id, digest=digest(scene.office), name="Backup"))


async def own_request(scene: Scene) -> int:
    """Return a request of the user's own for a company that is there for it alone."""
    company = await scene.office.fresh_company()
    return await scene.office.make(RequestAccess(company_id=company, user_id=scene.user_id))


async def own_erasure(scene: Scene) -> int:
    """Return the open request for the erasure of the user, which is made if there is none."""
    pool = scene.office.shell.store.pool
    there = "SELECT id FROM erasure_request WHERE user_id = $1 AND status = 'pending'"
    return await pool.fetchval(there, scene.user_id) or await erasure(scene.office, user_id=scene.user_id)


async def no_own_erasure(scene: Scene) -> str:
    await scene.office.do(WithdrawErasure(erasure_id=await own_erasure(scene)))
    return "--deletion-type soft"


async def company_application(scene: Scene) -> str:
    application = await scene.office.fresh_application()
    await scene.office.do(AssignApplication(company_id=scene.company_id, application_id=application))
    return f"--company_id {scene.company_id} --app_id {application}"


LINES: dict[str, Line] = {
    "access-request:approve": lambda s: made(asked(s.office, s.company), "{}"),
    "access-request:create": lambda s: made(s.office.fresh_company(), "--company_id {} --reason Audit"),
    "access-request:get": lambda s: made(own_request(s), "{}"),
    "access-request:list": lambda s: "",
    "access-request:refuse": lambda s: made(asked(s.office, s.company), "{} --reason No"),
    "access-request:withdraw": lambda s: made(own_request(s), "{}"),
    "application:create": lambda s: (
        f"--uuid {uuid.uuid4()} --name Echo{next(s.office.numbers)} --executable /bin/echo --appversion 1.0"
    ),
    "application:delete": lambda s: made(s.office.fresh_application(), "{}"),
    "application:diff": lambda s: f"{s.office.application} --file {s.file(json.dumps(DEFINITION))}",
    "application:export-json": lambda s: f"{s.office.application} --file {s.fresh_path()}",
    "application:get": lambda s: str(s.office.application),
    "application:import-json": lambda s: f"--file {s.application_file()}",
    "application:list": lambda s: "",
    "application:pause": lambda s: made(s.office.fresh_application(), "{}"),
    "application:remove-json": application_file_in_use,
    "application:resume": lambda s: made(s.office.fresh_application(), "{}"),
    "application:show-config": lambda s: str(s.office.application),
    "application:sync": lambda s: f"--folder {s.folder_with(s.office.definition())}",
    "application:update": lambda s: made(s.office.fresh_application(), "{} --description Changed"),
    "application:validate-json": lambda s: f"--file {s.application_file()}",
    "application:versions": lambda s: str(s.office.application),
    "archive:attach": lambda s: f"--file {s.file('{}')}",
    "archive:create": lambda s: "events_job_2020_01",
    "archive:list": lambda s: "",
    "archive:verify": lambda s: f"--file {s.file('{}')}",
    "artifact:get": lambda s: str(s.things["artifact"]),
    "artifact:list": lambda s: f"--company_id {s.company_id}",
    "artifact:save": lambda s: f"{s.things['artifact']} --file {s.fresh_path()}",
    "audit:check": lambda s: f"--file {s.file('{}')} --public_key {'0' * 64}",
    "audit:growth": lambda s: f"--first {s.file('{}')} --second 2",
    "audit:head": lambda s: "",
    "audit:list": lambda s: f"--company_id {s.company_id}",
    "audit:proof": lambda s: "company-1/1",
    "audit:verify": lambda s: "",
    "company-app:assign": lambda s: made(s.office.fresh_application(), f"--company_id {s.company_id} --app_id {{}}"),
    "company-app:list": lambda s: f"--company_id {s.company_id}",
    "company-app:unassign": company_application,
    "company:archive": lambda s: str(s.company_id),
    "company:clone": lambda s: f"{s.company_id} --name Company-{next(s.office.numbers)}",
    "company:create": lambda s: f"--name Company-{next(s.office.numbers)}",
    "company:get": lambda s: str(s.company_id),
    "company:import": lambda s: (
        f"--file {s.file(f'code,name{chr(10)}c{s.name},Company-{next(s.office.numbers)}{chr(10)}'.lower())}"
    ),
    "company:list": lambda s: "",
    "company:pause": lambda s: str(s.company_id),
    "company:remove": lambda s: made(s.office.fresh_company(), "{}"),
    "company:restore": lambda s: str(s.company_id),
    "company:resume": lambda s: str(s.company_id),
    "company:suspend": lambda s: str(s.company_id),
    "company:update": lambda s: f"{s.company_id} --name {s.name}",
    "credential-prototype:create": lambda s: f"--code Code{next(s.office.numbers)} --name Bank",
    "credential-prototype:delete": lambda s: made(prototype(s), "{}"),
    "credential-prototype:export-json": lambda s: f"{s.office.prototype} --file {s.fresh_path()}",
    "credential-prototype:get": lambda s: str(s.office.prototype),
    "credential-prototype:import-json": lambda s: f"--file {s.prototype_file()}",
    "credential-prototype:list": lambda s: "",
    "credential-prototype:sync": lambda s: "",
    "credential-prototype:update": lambda s: made(prototype(s), "{} --description Changed"),
    "credential-prototype:validate-json": lambda s: f"--file {s.file(prototype_text())}",
    "credential-type:create": lambda s: f"--company_id {s.company_id} --class ExampleBank --name {s.name}",
    "credential-type:delete": lambda s: made(s.office.credential_type(s.company), "{}"),
    "credential-type:get": lambda s: str(s.office.types[s.company]),
    "credential-type:import-json": lambda s: f"--file {s.prototype_file()}",
    "credential-type:list": lambda s: f"--company_id {s.company_id}",
    "credential-type:update": lambda s: f"{s.office.types[s.company]} --name {s.name}",
    "credential-type:validate-json": lambda s: f"--file {s.file(prototype_text())}",
    "credential:create": lambda s: (
        f"--name {s.name} --company_id {s.company_id} --credential_type_id {s.office.types[s.company]}"
    ),
    "credential:encrypt-existing": lambda s: "--dry-run",
    "credential:get": lambda s: str(s.things["credential"]),
    "credential:list": lambda s: f"--company_id {s.company_id}",
    "credential:remove": lambda s: made(s.office.credential(s.company), "{}"),
    "credential:test": lambda s: str(s.things["credential"]),
    "credential:update": lambda s: f"{s.things['credential']} --name {s.name}",
    "customer:create": lambda s: f"--name Customer-{next(s.office.numbers)}",
    "customer:get": lambda s: made(s.office.customer(), "{}"),
    "customer:list": lambda s: "",
    "customer:remove": lambda s: made(s.office.customer(), "{}"),
    "customer:update": lambda s: made(s.office.customer(), "{} --note Changed"),
    "database:adopt": lambda s: "",
    "database:migrate": lambda s: "",
    "demo:create": lambda s: "",
    "demo:servers": lambda s: "",
    "describe": lambda s: "",
    "encryption:init": lambda s: f"--company_id {s.company_id}",
    "encryption:rewrap": lambda s: "",
    "encryption:status": lambda s: "",
    "job:cancel": lambda s: made(s.office.job(s.company), "{}"),
    "job:cleanup": lambda s: "--days 10",
    "job:create": lambda s: f"--runtemplate_id {s.things['template']}",
    "job:delete": lambda s: made(s.office.job(s.company), "{}"),
    "job:get": lambda s: str(s.things["job"]),
    "job:list": lambda s: f"--company_id {s.company_id}",
    "job:retry": lambda s: str(s.things["job"]),
    "job:status": lambda s: f"--company_id {s.company_id}",
    "job:update": lambda s: made(s.office.job(s.company), "{} --priority 3"),
    "job:watch": lambda s: str(s.things["job"]),
    "projection:list": lambda s: "",
    "projection:rebuild": lambda s: "company",
    "prune": lambda s: "",
    "queue:fix": lambda s: "",
    "queue:list": lambda s: f"--company_id {s.company_id}",
    "queue:overview": lambda s: f"--company_id {s.company_id}",
    "queue:truncate": lambda s: f"--company_id {s.company_id} --force",
    "replay": lambda s: "--until now",
    "retention:list": lambda s: f"--company_id {s.company_id}",
    "run-template:activate": lambda s: made(s.office.template(s.company, active=False), "{}"),
    "run-template:assign-credential": unassigned,
    "run-template:clone": lambda s: f"{s.things['template']} --name {s.name}",
    "run-template:create": lambda s: f"--name {s.name} --company_id {s.company_id} --app_id {s.office.application}",
    "run-template:deactivate": lambda s: made(s.office.template(s.company), "{}"),
    "run-template:delete": lambda s: made(s.office.template(s.company), "{}"),
    "run-template:dry-run": lambda s: str(s.things["template"]),
    "run-template:get": lambda s: str(s.things["template"]),
    "run-template:list": lambda s: f"--company_id {s.company_id}",
    "run-template:list-credentials": lambda s: str(s.things["template"]),
    "run-template:populate": lambda s: f"--company_id {s.company_id}",
    "run-template:preview": lambda s: str(s.things["hourly"]),
    "run-template:reconfigure": lambda s: f"--id {s.things['template']} --delay {next(s.office.numbers)}",
    "run-template:schedule": lambda s: str(s.things["template"]),
    "run-template:stale": lambda s: "",
    "run-template:unassign-credential": assigned,
    "run-template:update": lambda s: f"{s.things['template']} --name {s.name}",
    "server:create": lambda s: f"--name Server-{next(s.office.numbers)} --url https://erp.example.org",
    "server:get": lambda s: made(s.office.server(), "{}"),
    "server:list": lambda s: "",
    "server:remove": lambda s: made(s.office.server(), "{}"),
    "server:update": lambda s: made(s.office.server(), "{} --url https://x.example.org"),
    "status": lambda s: "",
    "system:pause": lambda s: "",
    "system:resume": lambda s: "",
    "task:get": lambda s: str(s.things["task"]),
    "task:list": lambda s: f"--company_id {s.company_id}",
    "task:status": lambda s: f"--company_id {s.company_id}",
    "token:create": lambda s: "--name Backup",
    "token:delete": lambda s: made(own_token(s), "{}"),
    "token:generate": lambda s: "--name Backup",
    "token:get": lambda s: made(own_token(s), "{}"),
    "token:list": lambda s: "",
    "token:update": lambda s: made(own_token(s), "{} --name Other"),
    "user-company:assign": lambda s: made(s.office.user("user"), f"--company_id {s.company_id} --user_id {{}}"),
    "user-company:list": lambda s: f"--company_id {s.company_id}",
    "user-company:unassign": member,
    "user-group:add": lambda s: made(s.office.group(), f"{{}} --user_id {s.things['user']}"),
    "user-group:create": lambda s: f"--name Group-{next(s.office.numbers)}",
    "user-group:delete": lambda s: made(s.office.group(), "{}"),
    "user-group:get": lambda s: made(s.office.group(), "{}"),
    "user-group:list": lambda s: "",
    "user-group:remove": group_member,
    "user-group:update": lambda s: made(s.office.group(), "{} --description Changed"),
    "user-erasure:approve": lambda s: made(erasure(s.office), "--request-id {}"),
    "user-erasure:audit": lambda s: made(own_erasure(s), "--request-id {}"),
    "user-erasure:cleanup": lambda s: "",
    "user-erasure:create": no_own_erasure,
    "user-erasure:list": lambda s: "",
    "user-erasure:process": lambda s: made(erasure(s.office, ApproveErasure), "--request-id {}"),
    "user-erasure:reject": lambda s: made(erasure(s.office), "--request-id {} --reason No"),
    "user-erasure:withdraw": lambda s: made(own_erasure(s), "--request-id {}"),
    "user-role:list": lambda s: f"--user_id {s.things['user']}",
    "user-role:set": lambda s: made(s.office.user("viewer"), "--user_id {} --roles user"),
    "user:create": lambda s: f"--login made-{next(s.office.numbers)} --role viewer",
    "user:data-erasure": lambda s: "list",
    "user:delete": lambda s: made(s.office.user("viewer"), "{}"),
    "user:first": lambda s: "",
    "user:get": lambda s: str(s.things["user"]),
    "user:list": lambda s: "",
    "user:update": lambda s: made(s.office.user("viewer"), "{} --firstname Jane"),
}
"""What comes after each command."""

LISTS = {
    name for name in LINES if name.endswith((":list", ":status", ":overview", ":stale")) and name != "encryption:status"
}
"""Commands that answer nothing, and not that there is nothing, where there is nothing that their user may see."""

NEED_ALSO = {"company:clone": "credential:get"}
"""Commands that need in a company what another one needs, besides what they need in the installation."""

ANSWERED_OTHERWISE = {"archive:verify", "audit:check", "credential:test", "encryption:rewrap"}
"""Commands about a file, a server or a key, which is not a good one here: that is what they tell."""
