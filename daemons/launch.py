"""Everything on one machine, in one process tree: what ``make run`` starts.

The embedded PostgreSQL (unless ``DATABASE_URL`` names another), the migrations, each daemon and the web interface; then
the demo data, the address, and the output of a first job.
"""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from daemons import data_folder, port
from daemons.child import Child, ChildSpec, die_with_parent
from daemons.data_folder import DataFolderError, DataFolderInUseError
from daemons.port import PortError
from daemons.postgres import EmbeddedPostgres
from daemons.postgres_part import PostgresPart
from daemons.prepare import prepare
from daemons.supervisor import PartError, Supervisor
from eventstore import settings
from eventstore.errors import SettingsError
from schema.errors import SchemaError

PATH = "/multiflexi"
PORT_TRIES = 5
CLI = str(Path(sys.executable).with_name("multiflexi-cli"))

DAEMONS = (
    ChildSpec(name="projector", command=[sys.executable, "-m", "daemons.projector"]),
    ChildSpec(name="scheduler", command=[sys.executable, "-m", "daemons.scheduler"]),
    # It ends its jobs in an orderly way also when we are killed.
    ChildSpec(
        name="executor",
        command=[sys.executable, "-m", "daemons.executor"],
        grace=8.0,
        when_orphaned=signal.SIGTERM,
    ),
)
"""The daemons, in the order in which they are started."""


def web(number: int) -> ChildSpec:
    """Return the web interface on a port; it is ready when it answers."""
    return ChildSpec(
        name="web",
        command=[sys.executable, "-m", "web"],
        environment={"MULTIFLEXI_PORT": str(number)},
        ready=lambda pid: port.answers(pid, number, PATH),
    )


class Demo(msgspec.Struct, frozen=True):
    """What ``demo:create`` answers.

    Attributes
    ----------
    company_id, run_template_id, job_id : int or None
        The demo company, its template, and the job that was started; None if somebody has removed the demo.
    """

    company_id: int | None
    run_template_id: int | None
    job_id: int | None


class Launcher:
    """Starts an installation and keeps it running until a signal comes.

    Parameters
    ----------
    folder : Path
        Data folder.
    environment : Mapping[str, str]
        Variables of the installation.
    daemons : Sequence[ChildSpec]
        Daemons, in the order in which they are started.
    web : Callable[[int], ChildSpec]
        Takes a port and returns the web interface.
    cli : str
        The program that makes the demo data and shows the first job.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        daemons: Sequence[ChildSpec] = DAEMONS,
        web: Callable[[int], ChildSpec] = web,
        cli: str = CLI,
    ) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self._daemons = daemons
        self._web = web
        self._cli = cli
        self._lock = data_folder.Lock(folder, "multiflexi")

    async def run(self) -> None:
        """Start everything, show the first job, and return when a signal has stopped all of it.

        Raises
        ------
        PartError, PortError, DataFolderError, SchemaError, SettingsError
            It could not be started; nothing is left running.
        """
        data_folder.prepare(self.folder)
        self._lock.take()
        try:
            number = port.choose(self.environment, self.folder)
            data_folder.write_master_key(self.folder)
            async with Supervisor(say) as supervisor:
                await self._start_database(supervisor)
                for spec in self._daemons:
                    await supervisor.start(self._child(spec))
                number = await self._start_web(supervisor, number)
                address = f"http://{port.HOST}:{number}{PATH}"
                self._lock.tell(json.dumps({"process": os.getpid(), "address": address}))
                demo = await self._demo()
                say(f"MultiFlexi is ready at {address}")
                await self._administrator()
                if demo is not None and demo.job_id is not None:
                    await self._show(demo.job_id)
                say(f"Ctrl-C stops it. Logs: {self.folder / 'log'}   Commands: .venv/bin/multiflexi-cli --help")
                await supervisor.until_stopped()
            say("Stopped. The data is kept; `make run` continues with it.")
        finally:
            self._lock.release()

    async def _start_database(self, supervisor: Supervisor) -> None:
        if not self.environment.get("DATABASE_URL"):
            server = EmbeddedPostgres(self.folder)
            await supervisor.start(PostgresPart(server))
            data_folder.write_connection(self.folder, *server.login_urls())
        chosen = settings.load({**self.environment, "MULTIFLEXI_DATA": str(self.folder)})
        try:
            done = await asyncio.to_thread(prepare, chosen.url_of("owner"))
        except psycopg.Error as error:
            raise PartError(f"The database could not be brought up to date: {error}") from None
        say(f"database is up to date{f' ({len(done)} changes)' if done else ''}")

    async def _start_web(self, supervisor: Supervisor, number: int) -> int:
        """Start the web interface; where another program takes a port that we found, on the next one."""
        for tries_left in reversed(range(PORT_TRIES)):
            child = self._child(self._web(number))
            try:
                await supervisor.start(child)
            except PartError:
                if not tries_left or "MULTIFLEXI_PORT" in self.environment or port.is_free(number):
                    raise
                await supervisor.forget(child)
                number = port.choose(self.environment, self.folder)
            else:
                break
        port.remember(self.folder, number)
        return number

    async def _demo(self) -> Demo | None:
        """Make the demo company and start its first job; without them MultiFlexi runs all the same."""
        process = await self._call("demo:create", "--start", "--format", "json", stdout=asyncio.subprocess.PIPE)
        answer, errors = await _finished(process)
        try:
            return msgspec.json.decode(answer, type=Demo)
        except msgspec.MsgspecError:
            say(f"The demo data could not be made (exit code {process.returncode}): {_reason(answer, errors)}")
            return None

    async def _administrator(self) -> None:
        """Make the first administrator of a new installation, and tell the password this once."""
        process = await self._call("user:first", "--format", "json", stdout=asyncio.subprocess.PIPE)
        answer, errors = await _finished(process)
        try:
            made = msgspec.json.decode(answer, type=dict[str, Any])
        except msgspec.MsgspecError:
            made = {"message": _reason(answer, errors)}
        if "message" in made:
            say(f"The first administrator could not be made: {made['message']}")
        elif made.get("user_id") is not None:
            say(f"Sign in as {made['login']} with this password, which is shown this once:")
            say(str(made["password"]))

    async def _show(self, job_id: int) -> None:
        """Show the output of the first job of this run as it comes."""
        say(f"The first job, number {job_id}:")
        process = await self._call("job:watch", "--id", str(job_id), stdout=None)
        _, errors = await _finished(process)
        if errors:
            say(errors.decode(errors="replace").strip())

    async def _call(self, *arguments: str, stdout: int | None) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            self._cli, *arguments, env=self._variables(), stdin=asyncio.subprocess.DEVNULL, stdout=stdout,
            stderr=asyncio.subprocess.PIPE, start_new_session=True, preexec_fn=die_with_parent(signal.SIGKILL),
        )  # fmt: skip

    def _child(self, spec: ChildSpec) -> Child:
        environment = {**self._variables(), **spec.environment}
        return Child(dataclasses.replace(spec, environment=environment), self.folder / "log")

    def _variables(self) -> dict[str, str]:
        """Return the variables of all parts: our data folder, and a path to our programs (`multiflexi-probe`)."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{self.environment.get('PATH', os.defpath)}"
        return {**self.environment, "PATH": path, "MULTIFLEXI_DATA": str(self.folder), "PYTHONUNBUFFERED": "1"}


async def _finished(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """Wait for a command and return what it wrote; end it if we are stopped meanwhile."""
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return output or b"", errors or b""


def _reason(answer: bytes, errors: bytes) -> str:
    """Return what a command says of its failure: the message of its answer, else the last line it wrote."""
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        said = (errors or answer).decode(errors="replace").strip()
        return said.rpartition("\n")[2] or "it said nothing"


def say(text: str) -> None:
    """Write a line for the user."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError:
        # The terminal is gone; there is nobody left to tell, and what runs must still be stopped.
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - stays open until we end


def main(*, daemons: Sequence[ChildSpec] = DAEMONS, web: Callable[[int], ChildSpec] = web, cli: str = CLI) -> int:
    """Run the installation that the environment describes; the arguments are those of :class:`Launcher`.

    Returns
    -------
    int
        Exit code: 0 after a signal, 1 if it could not be started.
    """
    folder = settings.data_folder()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # job output may hold what this terminal cannot show
    try:
        asyncio.run(Launcher(folder, os.environ, daemons=daemons, web=web, cli=cli).run())
    except DataFolderInUseError as error:
        say(_already_running(folder, error.holder))
        return 1
    except (PartError, PortError, DataFolderError, SchemaError, SettingsError) as error:
        say(str(error))
        return 1
    return 0


def _already_running(folder: Path, holder: str) -> str:
    try:
        told: dict[str, Any] = json.loads(holder)
        where = f"at {told['address']} (process {told['process']})"
    except (ValueError, KeyError, TypeError):
        where = "(it is just starting)"
    return (
        f"MultiFlexi already runs on the data in {folder} {where}.\n"
        "Open that address, or stop it there with Ctrl-C. For a second installation beside it: "
        "MULTIFLEXI_DATA=/another/folder make run"
    )
