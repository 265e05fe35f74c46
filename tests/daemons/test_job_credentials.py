"""What a job gets of credentials: the values of those assigned to its template, masked in its output, and no others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from commands.actor import SYSTEM
from commands.credential_prototypes import import_prototype
from commands.shell import Shell
from domain.credential import ChangeCredential, CreateCredential
from domain.credential_type import CreateCredentialType
from domain.run_template import AssignCredential, UnassignCredential
from eventstore.vault import vault_owner
from tests.testbed.credentials import BANK, prototype_text
from tests.testbed.engine import COMPANY, Lab, engine
from tests.testbed.postgres import Database
from tests.testbed.stores import wait_until

TOKEN = "tok-5c1f-hunter2"


class Bank:
    """A company with a credential of a made-up bank, and what tests do with it."""

    def __init__(self, lab: Lab, type_id: int) -> None:
        self.lab = lab
        self.shell = Shell(lab.store)
        self.type_id = type_id

    async def do(self, command: Any) -> int:
        return (await self.shell.execute(command, SYSTEM)).id

    async def credential(self, **values: str) -> int:
        wish = CreateCredential(credential_type_id=self.type_id, name="Bank", values=values)
        return await self.do(wish)

    async def assigned(self, template: int, **values: str) -> int:
        credential = await self.credential(**values)
        await self.do(AssignCredential(run_template_id=template, credential_id=credential))
        return credential

    async def environment(self, template: int, **fields: Any) -> dict[str, str]:
        """Run a template that is ``/usr/bin/env`` and return what it wrote."""
        job = await self.lab.run(template, **fields)
        assert job["outcome"] == "success", job["reason"]
        lines = (await self.lab.output(job["id"])).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)


@asynccontextmanager
async def bank(database: Database, document: dict[str, Any] = BANK, **shared: str) -> AsyncIterator[Bank]:
    async with engine(database, "executor", "projector") as lab:
        shell = Shell(lab.store)
        prototype = await import_prototype(shell, prototype_text(document), SYSTEM)
        wish = CreateCredentialType(
            company_id=COMPANY, credential_prototype_id=prototype.id, name="Our bank", values=shared
        )
        yield Bank(lab, (await shell.execute(wish, SYSTEM)).id)


async def test_a_job_gets_the_values_of_the_credentials_of_its_template_masked_in_its_output(
    database: Database,
) -> None:
    async with bank(database, BANK_URL="https://bank.example") as here:
        template = await here.lab.template("/bin/sh", ["-c", 'test "$BANK_TOKEN" = tok-5c1f-hunter2 && env'])
        await here.assigned(template, BANK_TOKEN=TOKEN)
        got = await here.environment(template)
        assert got["BANK_TOKEN"] == "******"
        assert got["BANK_URL"] == "https://bank.example"
        assert got["BANK_LIMIT"] == "50", "the prototype's default"
        assert "BANK_ACCOUNT" not in got


async def test_a_job_never_sees_a_credential_that_is_not_assigned_to_its_template(database: Database) -> None:
    async with bank(database) as here:
        one, other = [await here.lab.template("/usr/bin/env") for _ in range(2)]
        credential = await here.assigned(one, BANK_TOKEN=TOKEN)
        assert "BANK_TOKEN" in await here.environment(one)
        assert "BANK_TOKEN" not in await here.environment(other)
        await here.do(UnassignCredential(run_template_id=one, credential_id=credential))
        assert "BANK_TOKEN" not in await here.environment(one)
        assert len(await here.lab.store.pool.fetch("SELECT FROM run_template_credential")) == 0


async def test_credentials_go_before_template_company_system_and_the_one_off_values_of_a_job(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    file = tmp_path / "multiflexi.env"
    file.write_text("BANK_URL=system\nBANK_ACCOUNT=system\nBANK_LIMIT=system\n")
    monkeypatch.setenv("MULTIFLEXI_ENV_FILE", str(file))
    async with bank(database, BANK_URL="https://shared.example", BANK_ACCOUNT="shared") as here:
        fields = {"BANK_LIMIT": {"type": "integer", "defval": "7"}}
        template = await here.lab.template("/usr/bin/env", environment=fields)
        await here.assigned(template, BANK_TOKEN=TOKEN, BANK_ACCOUNT="own")
        await here.lab.change(template, environment={"BANK_URL": "template", "BANK_ACCOUNT": "template"})
        got = await here.environment(template, environment={"BANK_URL": "job"})
        assert (got["BANK_URL"], got["BANK_ACCOUNT"]) == ("https://shared.example", "own")
        assert got["BANK_LIMIT"] == "system", "a default of the prototype is the weakest"


async def test_of_two_credentials_with_the_same_field_the_one_assigned_later_counts(database: Database) -> None:
    async with bank(database) as here:
        template = await here.lab.template("/usr/bin/env")
        await here.assigned(template, BANK_TOKEN=TOKEN, BANK_ACCOUNT="first", BANK_URL="https://first.example")
        await here.assigned(template, BANK_TOKEN=TOKEN, BANK_ACCOUNT="second")
        got = await here.environment(template)
        assert (got["BANK_ACCOUNT"], got["BANK_URL"]) == ("second", "https://first.example")


async def test_a_job_does_not_start_while_its_credential_lacks_what_it_requires(database: Database) -> None:
    async with bank(database) as here:
        template = await here.lab.template("/usr/bin/env")
        credential = await here.assigned(template)
        job = await here.lab.run(template)
        assert (job["outcome"], job["exitcode"]) == ("failure", 255)
        assert job["reason"] == "The credential “Bank” requires BANK_TOKEN, which has no value. Give it one."
        await here.do(ChangeCredential(credential_id=credential, values={"BANK_TOKEN": TOKEN}))
        assert "BANK_TOKEN" in await here.environment(template)


async def test_a_value_whose_key_was_destroyed_ends_the_job_with_the_reason_and_nothing_leaks(
    database: Database,
) -> None:
    async with bank(database) as here:
        template = await here.lab.template("/usr/bin/env")
        await here.assigned(template, BANK_TOKEN=TOKEN)
        await here.environment(template)
        await here.lab.store.pool.execute("DELETE FROM data_keys WHERE owner = $1", vault_owner(COMPANY))

        async def forgotten() -> bool:
            job = await here.lab.run(template)
            return job["outcome"] != "success" and "was destroyed" in job["reason"] and TOKEN not in job["reason"]

        await wait_until(forgotten, "the end of what the executor remembers of keys")


async def test_a_ciphertext_that_was_moved_to_another_credential_does_not_open(database: Database) -> None:
    async with bank(database) as here:
        template = await here.lab.template("/usr/bin/env")
        mine = await here.assigned(template, BANK_TOKEN=TOKEN)
        other = await here.credential(BANK_TOKEN="another")
        await here.lab.store.pool.execute(
            "UPDATE credential c SET document = jsonb_set(c.document, '{values}', o.document->'values') "
            "FROM credential o WHERE c.id = $1 AND o.id = $2", mine, other
        )  # fmt: skip
        job = await here.lab.run(template)
        assert job["outcome"] == "failure"
        assert f"The value BANK_TOKEN of credential-{mine} does not open" in job["reason"]


async def test_the_password_within_an_address_is_masked(database: Database) -> None:
    document = {**BANK, "fields": [{"keyword": "SERVER", "type": "string"}]}
    async with bank(database, document) as here:
        template = await here.lab.template("/bin/sh", ["-c", "env; echo pass4321"])
        await here.assigned(template, SERVER="smtp://user:pass4321@mail.example:25")
        job = await here.lab.run(template)
        written = (await here.lab.output(job["id"])).decode()
        assert "SERVER=smtp://user:******@mail.example:25" in written
        assert "pass4321" not in written
