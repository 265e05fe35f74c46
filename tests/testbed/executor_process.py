"""An executor as a process of its own, as in production: it can be killed, frozen and stopped.

::

    with ExecutorProcess(database) as executor:
        executor.kill()
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from tests.testbed.postgres import Database
from tests.testbed.stores import MASTER_KEY


class ExecutorProcess:
    """A daemon that works on a database; ended with all of its jobs when the test is over.

    Parameters
    ----------
    database : Database
        Database that is prepared.
    environment : str
        Further variables.
    """

    def __init__(self, database: Database, **environment: str) -> None:
        self._log = tempfile.NamedTemporaryFile(prefix="executor-", suffix=".log")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "daemons.executor"],
            env={
                **os.environ,
                **database.variables,
                "ENCRYPTION_MASTER_KEY": MASTER_KEY,
                "MULTIFLEXI_MAX_PARALLEL": "8",
                **environment,
            },
            stderr=self._log,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self._log.close()

    @property
    def id(self) -> str:
        """Identity of the daemon."""
        return f"executor@{os.uname().nodename}:{self.process.pid}"

    @property
    def log(self) -> str:
        """What it has logged."""
        return Path(self._log.name).read_text()

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Stop it as a paused virtual machine would be."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)
