"""The native executor: a process of this host in a session of its own, with only its own environment.

posix_spawn(3) starts it, several times as fast as a fork of the executor; the executor's own working directory is the
job's for that moment, and the limits are put on it by prlimit(2) before its loader is through, also on what it may have
started by then. It is watched by a pidfd in the event loop (pidfd_open(2)), its pipes by readers; no thread, no
polling. What it leaves behind is ended with it.
"""

from __future__ import annotations

import errno
import os
import pwd
import resource
import shutil
import signal
import subprocess
import time
from contextlib import suppress

from daemons.executors import process_tree
from daemons.executors.interface import Ended, Launch, Sink, StartError
from daemons.executors.native_run import NativeRun
from daemons.executors.watch import Watch
from daemons.limits import NONE, put_on, set_limit

NOT_FOUND = 127
CANNOT_EXECUTE = 126
FAILURE = 255
STDERR = 2

RESTORED = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
"""Signals that jobs answer as programs expect it, whatever the executor does."""

MASK = 0o022
"""Rights that files of jobs do not have unless their programs say so (umask(2))."""

UNLIMITED = (
    "{} runs as another user than the executor (it is set-user-ID), so the job's limits cannot be put on it. "
    "Take the limits away, or let the executor run as root."
)

AT_ONCE = 0.001
"""Seconds in which a process is started, loaded, and has not begun to start others."""


class NativeExecutor:
    """Runs jobs as processes of this host."""

    name = "Native"

    def __init__(self) -> None:
        keep_from_jobs()
        self._null = os.open(os.devnull, os.O_RDWR)
        self._home = os.open(".", os.O_PATH)
        self._watch: Watch | None = None

    async def start(self, launch: Launch, sink: Sink) -> NativeRun:
        """Start the process of a job.

        Raises
        ------
        StartError
            The executable does not exist or may not be executed, the user does not exist, or the system has no more
            processes or descriptors.
        """
        path = find(launch)
        account = account_of(launch)
        pipes: list[int] = []
        began = time.monotonic()
        try:
            pipes += os.pipe()
            pipes += os.pipe()
            pid = self._spawn(path, launch, account, pipes[1], pipes[3])
        except OSError as error:
            for descriptor in pipes:
                os.close(descriptor)
            raise StartError(refusal(path, launch.command[0], error)) from error
        os.close(pipes[1])
        os.close(pipes[3])
        if launch.limits is not NONE:
            try:
                restrict(pid, launch, time.monotonic() - began > AT_ONCE)
            except PermissionError as error:
                end_unlimited(pid, pipes)
                raise StartError(Ended(exit_code=CANNOT_EXECUTE, reason=UNLIMITED.format(path))) from error
        process_tree.ORPHANS.leaders[pid] = launch.token
        if self._watch is None:
            self._watch = Watch()
        return NativeRun(pid, pipes[0], pipes[2], launch, sink, self._watch)

    def _spawn(self, path: str, launch: Launch, account: pwd.struct_passwd | None, out: int, err: int) -> int:
        if account is not None:
            return self._spawn_as(path, launch, account, out, err)
        try:
            os.chdir(launch.folder)
            return os.posix_spawn(
                path,
                launch.command,
                launch.environment,
                file_actions=(
                    (os.POSIX_SPAWN_DUP2, self._null, 0),
                    (os.POSIX_SPAWN_DUP2, out, 1),
                    (os.POSIX_SPAWN_DUP2, err, 2),
                ),
                setsid=True,
                setsigmask=(),
                setsigdef=RESTORED,
            )
        finally:
            os.fchdir(self._home)

    def _spawn_as(self, path: str, launch: Launch, account: pwd.struct_passwd, out: int, err: int) -> int:
        os.chown(launch.folder, account.pw_uid, account.pw_gid)
        process = subprocess.Popen(
            launch.command,
            executable=path,
            cwd=launch.folder,
            env={"USER": account.pw_name, "LOGNAME": account.pw_name, **launch.environment},
            stdin=self._null,
            stdout=out,
            stderr=err,
            start_new_session=True,
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
        )
        process.returncode = 0  # it is reaped here, by its pid
        return process.pid


def find(launch: Launch) -> str:
    """Return the path of the executable. Whether there is one at a path that was given is seen when it is started.

    Raises
    ------
    StartError
        It is nowhere.
    """
    name = launch.command[0]
    if os.sep in name:
        return os.path.join(launch.folder, name)  # noqa: PTH118 - on the path of every job
    if path := shutil.which(name, path=launch.environment.get("PATH", os.defpath)):
        return path
    raise StartError(not_found(name, f" in PATH ({launch.environment.get('PATH', os.defpath)})"))


def not_found(name: str, where: str = "") -> Ended:
    """Return how a job ends whose executable is nowhere."""
    reason = f"Executable {name} was not found{where}. Is the application installed on this host?"
    return Ended(exit_code=NOT_FOUND, outcome="not_found", reason=reason)


def keep_from_jobs() -> None:
    """Take care that jobs do not inherit what the executor itself inherited and did not ask for.

    Descriptors, such as a lock of its shell; the mask of rights; signals that are blocked, or ignored: a signal with a
    handler is as programs expect it once another program is started (execve(2)).
    """
    for descriptor in [int(entry.name) for entry in (process_tree.PROC / "self" / "fd").iterdir()]:
        if descriptor > STDERR:
            with suppress(OSError):  # the listing's own is gone
                os.set_inheritable(descriptor, False)
    os.umask(MASK)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in RESTORED:
        if signal.getsignal(number) is signal.SIG_IGN and number not in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, lambda *_: None)


def account_of(launch: Launch) -> pwd.struct_passwd | None:
    """Return the account that the job runs as, None for the executor's own.

    Raises
    ------
    StartError
        There is no such user, or the executor may not become it.
    """
    if not launch.run_as:
        return None
    try:
        account = pwd.getpwnam(launch.run_as)
    except KeyError:
        reason = f"The job is to run as {launch.run_as}, but this host has no such user."
        raise StartError(Ended(exit_code=CANNOT_EXECUTE, reason=reason)) from None
    if account.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        reason = f"The job is to run as {launch.run_as}; only an executor that runs as root can do that."
        raise StartError(Ended(exit_code=CANNOT_EXECUTE, reason=reason))
    return account


def refusal(path: str, name: str, error: OSError) -> Ended:
    """Return how a job ends whose process the system refused to start."""
    if error.errno in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
        reason = (
            f"The system refused another process: {error.strerror}. Lower MULTIFLEXI_MAX_PARALLEL, or raise its limits."
        )
        return Ended(exit_code=FAILURE, reason=reason)
    if error.errno == errno.E2BIG:
        return Ended(exit_code=CANNOT_EXECUTE, reason="Command line and environment are longer than the system allows.")
    if error.errno == errno.ENOENT and not os.path.exists(path):  # noqa: PTH110 - a link to nothing is none, too
        return not_found(name)
    if error.errno == errno.ENOENT:
        reason = f"{path} cannot be started: {error.strerror}. Is its interpreter installed?"
        return Ended(exit_code=NOT_FOUND, outcome="not_found", reason=reason)
    return Ended(exit_code=CANNOT_EXECUTE, reason=f"{path} cannot be started: {error.strerror}.")


def restrict(pid: int, launch: Launch, late: bool) -> None:
    """Put the limits on a process, and on what it may have started if that is late."""
    put_on(pid, launch.limits)
    if late and process_tree.has_children(pid):
        for process in process_tree.descendants(pid):
            put_on(process, launch.limits)
    wanted = launch.limits.processes
    account = launch.run_as and pwd.getpwnam(launch.run_as)
    uid = account.pw_uid if account else os.geteuid()
    if wanted is not None and uid != 0:
        # The system counts per user, so the limit is what the user has now and what the job may add; and never root.
        set_limit(pid, resource.RLIMIT_NPROC, processes_of(uid) + wanted - 1)


def end_unlimited(pid: int, pipes: list[int]) -> None:
    """End a process that no limits can be put on."""
    process_tree.kill_group(pid)
    os.waitpid(pid, 0)
    os.close(pipes[0])
    os.close(pipes[2])


def processes_of(uid: int) -> int:
    """Return how many threads a user has."""
    count = 0
    for entry in process_tree.PROC.iterdir():
        try:
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                count += sum(1 for _ in (entry / "task").iterdir())
        except OSError:
            continue  # it has ended meanwhile
    return count
