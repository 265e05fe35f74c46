"""What happens to each simulated server in each hour of a day, from a seed: the same seed is the same day.

A server is up and answers at once (``healthy``), answers after the deadline (``slow``), fails once or twice before it
answers (``flaky``), fails whatever is tried (``failing``), or cannot be reached at all (``down``). For an hour nobody
schedules: the scheduler itself is away.

Examples
--------
>>> script = Script(seed=1, servers=3, hours=4)
>>> script.condition(0, 0) == Script(seed=1, servers=3, hours=4).condition(0, 0)
True
>>> {script.truth(server, script.outage_hour) for server in range(3)}
{'missed'}
"""

from __future__ import annotations

import random
from typing import NamedTuple

ATTEMPTS = 3
GAP = 600
"""Seconds between attempts."""

DEADLINE = 1200
"""Seconds from the beginning of an hour in which the answer is on time."""

STATES = ("fulfilled", "fulfilled_late", "failed", "missed")

CHARACTERS = (
    ("steady", 0.62, {"healthy": 0.98, "flaky": 0.02}),
    ("overloaded", 0.12, {"healthy": 0.70, "slow": 0.30}),
    ("shaky", 0.12, {"healthy": 0.65, "flaky": 0.30, "failing": 0.05}),
    ("broken", 0.06, {"healthy": 0.30, "failing": 0.70}),
    ("moving", 0.08, {"healthy": 1.0}),
)
"""Kinds of servers, their share, and how often each condition holds; ``moving`` ones are down for some hours."""


class Look(NamedTuple):
    """How an attempt ends: exit code, seconds that it takes, what it says."""

    exit_code: int
    seconds: int
    text: str


class Hour(NamedTuple):
    """A server in an hour: its condition, seconds until it answers, attempts that fail before it does."""

    condition: str
    seconds: int
    failures: int


class Script:
    """The script of a day.

    Parameters
    ----------
    seed : int
        What all follows from.
    servers, hours : int
        How many servers, and how many hours the day has.
    """

    def __init__(self, *, seed: int, servers: int, hours: int) -> None:
        self.seed = seed
        self.servers = servers
        self.hours = hours
        self.outage_hour = random.Random(f"{seed}|outage").randrange(1, hours) if hours > 1 else -1
        self._plan = [self._server(server) for server in range(servers)]

    def _server(self, server: int) -> list[Hour]:
        chance = random.Random(f"{self.seed}|{server}")
        character, _, weights = chance.choices(CHARACTERS, [share for _, share, _ in CHARACTERS])[0]
        away = range(0)
        if character == "moving":
            begin = chance.randrange(self.hours)
            away = range(begin, begin + chance.randint(2, 6))
        return [self._hour(chance, "down" if hour in away else None, weights) for hour in range(self.hours)]

    @staticmethod
    def _hour(chance: random.Random, forced: str | None, weights: dict[str, float]) -> Hour:
        drawn = chance.choices(list(weights), list(weights.values()))[0]
        condition = forced or drawn
        seconds = chance.randint(1500, 2400) if condition == "slow" else chance.randint(2, 20)
        failures = {"failing": ATTEMPTS, "flaky": chance.randint(1, ATTEMPTS - 1)}.get(condition, 0)
        return Hour(condition, seconds, failures)

    def condition(self, server: int, hour: int) -> str:
        """Return the condition of a server in an hour; after the day all are up."""
        return self._plan[server][hour].condition if hour < self.hours else "healthy"

    def names_up(self, hour: int) -> list[str]:
        """Return the names of the servers that can be reached in an hour."""
        return [name(server) for server in range(self.servers) if self.condition(server, hour) != "down"]

    def look(self, server: int, hour: int, attempt: int) -> Look:
        """Return how an attempt of an hour's probe ends."""
        _, seconds, failures = self._plan[server][hour]
        if attempt <= failures:
            return Look(2, seconds, f"{name(server)} does not answer\n")
        return Look(0, seconds, f"{name(server)} answers after {seconds} s\n")

    def truth(self, server: int, hour: int) -> str:
        """Return what must become of the task of an hour: the script alone says so, nothing that was run."""
        condition, seconds, failures = self._plan[server][hour]
        if hour == self.outage_hour or condition == "down":
            return "missed"
        if failures >= ATTEMPTS:
            return "failed"
        answered = (failures + 1) * seconds + failures * GAP
        return "fulfilled" if answered <= DEADLINE else "fulfilled_late"


def name(server: int) -> str:
    """Return the name of a server.

    Examples
    --------
    >>> name(6)
    'server-007'
    """
    return f"server-{server + 1:03}"
