"""Secrets put into every secret field are searched for, in clear and in common encodings, wherever something is kept.

Searched are all tables of all schemas, a dump, the files of the server, logs, output, and what every process of the
machine shows of itself in ``/proc``. They are found in the environment of the job that was given them, and only there.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
from psycopg import sql

from commands.actor import SYSTEM
from commands.credential_prototypes import import_prototype
from commands.shell import Shell
from commands.tokens import digest_of
from daemons.postgres_binaries import find_binaries
from domain.api_token import CreateToken
from domain.application import ImportApplication
from domain.company import ChangeCompany, CreateCompany
from domain.credential import ChangeCredential, CreateCredential
from domain.credential_type import CreateCredentialType
from domain.job import ScheduleJob
from domain.run_template import AssignCredential, ChangeRunTemplate, CreateRunTemplate
from domain.user_commands import EnableTotp, MakeRecoveryCodes
from eventstore.output import read_output
from tests.testbed.credentials import prototype_text
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import open_store, wait_until
from tests.web.conftest import free_port
from tests.web.seeding import MASTER_KEY, Installation
from tests.web.test_sign_in import post
from web.auth import one_time_codes
from web.auth.cookies import SESSION
from web.auth.one_time import OneTimeSecrets
from web.auth.reset import RESET

PROJECT = Path(__file__).resolve().parents[2]
MARK = "CANARYQ7XW2KZD4M"
"""What all secrets of the test begin with: it fits wherever a secret does, base32 included."""

SECRETS = {
    name: f"{MARK}-{number:02}-ž\"<&>\\'+/=%"
    for number, name in enumerate(
        (
            "COMPANY_SECRET",
            "TEMPLATE_SECRET",
            "CHANGED_SECRET",
            "PLAIN_NAME",
            "JOB_SECRET",
            "BANK_TOKEN",
            "BANK_ACCOUNT",
        )
    )
}
SHARED = f"https://joe:{MARK}@bank.example/?a=b"
ENCODED = """for name in {names}; do eval value=\\$$name; printf %s "$value" | base64 -w0; echo;
printf "me:%s!" "$value" | base64 -w0; echo; printf %s "$value" | od -An -v -tx1 | tr -d " \\n"; echo; done;"""
SCRIPT = """-c 'ENCODED env
(env >&2; sh -c "env; env > result.txt"); (while [ ! -e "$GATE" ]; do sleep 0.1; done) & wait'"""
"""The job tells its secrets, encoded and as they are. Two processes of it are there at any moment until the gate opens:
its shell, and the one that it waits for."""
PARAMETERS = SCRIPT.replace("ENCODED", ENCODED.format(names=" ".join(SECRETS)))

DEFINITION: dict[str, Any] = {
    "uuid": "6f0d1c52-5d0a-4f8b-9a3c-3d2d8f1b7c11", "name": "Teller", "description": "Tells all it knows",
    "executable": "/bin/sh", "cmdparams": PARAMETERS, "version": "1.0",
    "environment": {
        "PLAIN_NAME": {"type": "password", "description": "Secret by its type", "required": False},
        "RESULT_FILE": {"type": "string", "description": "Result", "required": False, "defval": "result.txt"},
    },
}  # fmt: skip
RELATIONS = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm') AND n.nspname NOT LIKE 'pg\\_toast%' ORDER BY 1, 2
"""


def encodings(secret: str) -> Iterator[bytes]:
    """Give a text in clear and as it may stand encoded."""
    for clear in dict.fromkeys((secret, secret[::-1], quote(secret, safe=""), json.dumps(secret)[1:-1])):
        yield clear.encode()
    for plain in (secret.encode(), secret.encode("utf-16-le"), secret.encode("utf-16-be")):
        yield plain
        yield plain.hex().encode()
        yield plain.hex().upper().encode()
        for before in range(3):
            # Of a text within a longer one, the characters that depend on it alone.
            encoded = base64.b64encode(b"\0" * before + plain).rstrip(b"=")
            middle = encoded[(before * 8 + 5) // 6 : -1]
            yield middle
            yield middle.replace(b"+", b"-").replace(b"/", b"_")


def found_in(data: bytes, needles: Iterable[bytes]) -> list[bytes]:
    return [needle for needle in needles if needle in data]


def test_encodings_are_found() -> None:
    needles = list(encodings(MARK))
    assert min(map(len, needles)) >= 16
    for before in ("", "x", "xy", "xyz"):
        text = f"{before}{MARK}-01-{before}".encode()
        for hidden in (text, text[::-1], base64.b64encode(text), base64.urlsafe_b64encode(text), text.hex().encode()):
            assert found_in(hidden, needles), hidden
        assert found_in(base64.b64encode(text.decode().encode("utf-16")), needles)
    assert not found_in(b"nothing of it", needles)


class Parts:
    """The parts of an installation as processes of their own, with their logs."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.port = free_port()
        self.logs: list[Path] = []
        self._stack = ExitStack()
        self._folder = folder
        self._variables = {
            **os.environ,
            **database.variables,
            "ENCRYPTION_MASTER_KEY": MASTER_KEY,
            "MULTIFLEXI_PORT": str(self.port),
        }

    def start(self, *modules: str) -> None:
        for module in modules:
            self.logs.append(self._folder / f"{module}.log")
            told = self._stack.enter_context(self.logs[-1].open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", module], cwd=PROJECT, env=self._variables, stdout=told, stderr=told
            )
            self._stack.callback(process.wait)
            self._stack.callback(process.terminate)

    def stop(self) -> None:
        self._stack.close()


async def test_secrets_are_found_in_the_environment_of_their_job_and_nowhere_else(
    database: Database, postgres: Server, tmp_path: Path
) -> None:
    parts, gate = Parts(database, tmp_path), tmp_path / "gate"
    needles = set(encodings(MARK))
    async with Installation(database) as installation:
        parts.start("daemons.executor", "daemons.projector", "daemons.scheduler", "web")
        try:
            needles |= await sign_in_everywhere(database, installation, parts.port)
            job = await give_secrets(installation, gate)
            await wait_until(lambda: told_all(installation, job), "the output of the job")
            own, others = processes(needles)
            assert len(own) >= 2, "the job and what it started"
            for environment in own.values():
                assert all(f"{name}={value}".encode() in environment for name, value in SECRETS.items())
            assert others == {}
            gate.touch()
            await wait_until(lambda: is_over(installation, job), "the end of the job")
            await output_tells_none(installation, job, needles)
        finally:
            gate.touch()
            parts.stop()
        nothing_is_kept(database, postgres, needles)
        for log in parts.logs:
            assert not found_in(log.read_bytes(), needles), log.name


async def sign_in_everywhere(database: Database, installation: Installation, port: int) -> set[bytes]:
    """Use every secret of signing in; return how those would be found that the program made up."""
    shell = Shell(installation.store)
    user = await installation.user("jane", f"{MARK} and a long enough password", roles=("super_admin",))
    token = f"mfx_{MARK}{'abcdefghijklmnop'}"
    await shell.execute(CreateToken(user_id=user, digest=digest_of(token)), SYSTEM, key="token")
    async with open_store(database, role="app", master_key=MASTER_KEY) as web:
        forgotten = await OneTimeSecrets(web, lambda: datetime.now(UTC)).keep(RESET, user, 600)
    codes = tuple(one_time_codes.digest_of(f"{MARK}-{number}") for number in range(3))
    address = f"http://127.0.0.1:{port}/multiflexi"
    async with httpx.AsyncClient(base_url=address, timeout=20) as client:
        await wait_until(lambda: answers(client), "the web interface")
        wrong = await post(client, "/sign-in", login="jane", password=f"{MARK} is wrong")
        assert wrong.status_code == 401
        done = await post(client, "/sign-in", login="jane", password=f"{MARK} and a long enough password")
        assert done.status_code == 303
        assert (await client.get("/jobs")).status_code == 200
        cookie = client.cookies[SESSION]
        await shell.execute(EnableTotp(user_id=user, totp_secret=MARK * 2, recovery=codes), SYSTEM, key="totp")
        await shell.execute(MakeRecoveryCodes(user_id=user, recovery=codes), SYSTEM, key="codes")
    async with httpx.AsyncClient(base_url=address, timeout=20) as client:
        asked = await post(client, "/sign-in", login="jane", password=f"{MARK} and a long enough password")
        form = re.search(r'name="_csrf_token" value="([^"]+)"', asked.text)
        assert form is not None
        code = {"_csrf_token": form[1], "code": one_time_codes.code_at(MARK * 2, time.time())}
        assert (await client.post("/sign-in/code", data=code)).status_code == 303
        assert (await client.get("/sign-in/reset", params={"token": forgotten})).status_code == 200
        got = await client.get("/jobs.json", headers={"authorization": f"Bearer {token}"})
        assert got.status_code == 200
    return {needle for made in (cookie, forgotten) for needle in encodings(made)}


async def answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health")).status_code == 200
    except httpx.TransportError:
        return False


async def give_secrets(installation: Installation, gate: Path) -> int:
    """Put a secret into every field that may hold one, and start a job that gets all of them."""
    shell = Shell(installation.store)

    async def do(command: Any) -> int:
        # The key of a command is kept, too: it must not tell what the command held.
        key = f"{type(command).__name__}-{len(done)}"
        done.append((await shell.execute(command, SYSTEM, key=key)).id)
        return done[-1]

    done: list[int] = []
    first = {"COMPANY_SECRET": f"{MARK}-replaced"}
    company = await do(CreateCompany(name="Acme Corp", code="acme", environment=first))
    await do(ChangeCompany(company_id=company, set_environment={"COMPANY_SECRET": SECRETS["COMPANY_SECRET"]}))
    application = await do(ImportApplication(definition=DEFINITION))
    values = {name: SECRETS[name] for name in ("TEMPLATE_SECRET", "PLAIN_NAME")}
    template = await do(
        CreateRunTemplate(
            company_id=company, application_id=application, name="Teller",
            environment={**values, "GATE": str(gate), "BANK_ACCOUNT": f"{MARK}-hidden"},
        )
    )  # fmt: skip
    changed: dict[str, str | None] = {"CHANGED_SECRET": SECRETS["CHANGED_SECRET"], "CITY": "Ostrava"}
    await do(ChangeRunTemplate(run_template_id=template, set_environment=changed))
    document = json.loads(prototype_text())
    document["fields"][1]["type"] = "password"
    prototype = (await import_prototype(shell, json.dumps(document), SYSTEM)).id
    kind = await do(
        CreateCredentialType(
            company_id=company, credential_prototype_id=prototype, name="Bank", values={"BANK_URL": SHARED}
        )
    )
    own = {name: SECRETS[name] for name in ("BANK_TOKEN", "BANK_ACCOUNT")}
    credential = await do(CreateCredential(credential_type_id=kind, name="Account", values=own))
    await do(ChangeCredential(credential_id=credential, values={"BANK_TOKEN": SECRETS["BANK_TOKEN"]}))
    await do(AssignCredential(run_template_id=template, credential_id=credential))
    return await do(ScheduleJob(run_template_id=template, environment={"JOB_SECRET": SECRETS["JOB_SECRET"]}))


async def told_all(installation: Installation, job: int) -> bool:
    """Whether the job has written its environment to both channels and now waits."""
    written = [chunk async for chunk in read_output(installation.store, job)]
    text = b"".join(chunk.data for chunk in written if chunk.channel == "stdout")
    return text.count(b"CITY=Ostrava") == 2 and {chunk.channel for chunk in written} == {"stdout", "stderr"}


async def is_over(installation: Installation, job: int) -> bool:
    ended = await installation.store.pool.fetchval("SELECT j.outcome FROM job j WHERE j.id = $1", job)
    assert ended in (None, "success")
    return ended is not None


def processes(needles: set[bytes]) -> tuple[dict[int, bytes], dict[int, list[bytes]]]:
    """Return the environments of the job's processes, and what is found of secrets in what others show."""
    own: dict[int, bytes] = {}
    others: dict[int, list[bytes]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment, command = (folder / "environ").read_bytes(), (folder / "cmdline").read_bytes()
            if environment != (folder / "environ").read_bytes():
                continue  # it ended, or became another program, as it was read: a part of it tells nothing
        except OSError:
            continue  # it has ended, or is another user's
        is_own = b"MULTIFLEXI_JOB_TOKEN=" in environment and f"{MARK}".encode() in environment
        if is_own:
            own[int(folder.name)] = environment
        if found := found_in(command if is_own else environment + b"\n" + command, needles):
            others[int(folder.name)] = found
    return own, others


async def output_tells_none(installation: Installation, job: int, needles: set[bytes]) -> None:
    for channel in ("stdout", "stderr"):
        text = b"".join([c.data async for c in read_output(installation.store, job) if c.channel == channel])
        assert b"CITY=Ostrava" in text
        assert all(f"{name}=******".encode() in text for name in SECRETS), text
        assert not found_in(text, needles)
        if channel == "stdout":
            assert text.count(b"******") >= 5 * len(SECRETS), "twice as they are, three times encoded"


def nothing_is_kept(database: Database, postgres: Server, needles: set[bytes]) -> None:
    """Search all rows of all tables, a dump, and the files of the server, the log of its writes included."""
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        relations = connection.execute(RELATIONS).fetchall()
        assert len(relations) > 50
        for schema, name in relations:
            forms = ("text", "binary") if schema == "multiflexi" else ("text",)
            for form in forms:
                copy = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT {})").format(
                    sql.Identifier(schema, name), sql.SQL(form)
                )
                with connection.cursor().copy(copy) as rows:
                    data = b"".join(bytes(block) for block in rows)
                assert not found_in(data, needles), f"{schema}.{name}"
        activity = connection.execute("SELECT string_agg(query, ' ') FROM pg_stat_activity").fetchone()
        assert activity and not found_in(activity[0].encode(), needles)
    dump = subprocess.run(
        [find_binaries(postgres.version).program("pg_dump"), database.superuser_url], capture_output=True, check=True
    )
    assert b"JobScheduled" in dump.stdout
    assert not found_in(dump.stdout, needles)
    files = [path for path in postgres.folder.rglob("*") if path.is_file()]
    assert len(files) > 100
    for path in files:
        # The server may have put another in its place, or done away with it, since it was listed.
        with suppress(FileNotFoundError):
            assert not found_in(path.read_bytes(), needles), path
