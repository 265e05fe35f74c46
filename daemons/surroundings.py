"""What the jobs of one executor share."""

from __future__ import annotations

import os
from collections.abc import Mapping

from commands.environment_file import SystemFile
from commands.job_environment import Planner
from daemons.clock import WALL, Clock
from daemons.recorder import Recorder
from daemons.work_folder import WorkFolders
from eventstore.store import EventStore

GRACE = 10.0
"""Seconds that a job has to end by itself when it was asked to (``MULTIFLEXI_CANCEL_GRACE``)."""

DRAIN = 3.0
"""Seconds that running jobs have to end when their executor stops, and again after they were asked to, before they are
killed (``MULTIFLEXI_DRAIN``). Whoever stops the executor must wait for twice as long and a little more."""


class Surroundings:
    """What the jobs of one executor share.

    Attributes
    ----------
    job_user : str or None
        User of the processes whose template names none (``MULTIFLEXI_JOB_USER``); None: the executor's own.

    Parameters
    ----------
    store : EventStore
        Role ``executor``.
    recorder : Recorder
        Writes for them.
    environment : Mapping[str, str]
        The executor's, which holds its settings.
    clock : Clock
        What time it is; that of this machine unless told.
    """

    def __init__(
        self,
        store: EventStore,
        recorder: Recorder,
        environment: Mapping[str, str] = os.environ,
        *,
        clock: Clock = WALL,
    ) -> None:
        self.clock = clock
        self.store = store
        self.recorder = recorder
        self.folders = WorkFolders()
        self.planner = Planner(SystemFile())
        self.grace = float(environment.get("MULTIFLEXI_CANCEL_GRACE") or GRACE)
        self.drain = float(environment.get("MULTIFLEXI_DRAIN") or DRAIN)
        self.job_user = environment.get("MULTIFLEXI_JOB_USER") or None
        self.labels = [label.strip() for label in environment.get("MULTIFLEXI_LABELS", "").split(",") if label.strip()]
