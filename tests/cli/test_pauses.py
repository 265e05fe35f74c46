"""The installation, companies and applications paused, and what the status tells of it."""

from __future__ import annotations

from cli.catalogue import COMMANDS
from tests.cli.conftest import Cli
from tests.cli.life import Life

CLAIM = "SELECT job_id FROM claim_jobs('executor@test:1', 'host', ARRAY['Native'], 5, 30)"


def claimed(jobs: Life) -> list[int]:
    """Claim jobs as an executor does."""
    found: list[int] = []

    async def work(store: object) -> None:
        found.extend(row[0] for row in await store.pool.fetch(CLAIM))  # type: ignore[attr-defined]

    jobs.run(work)
    return found


def test_nothing_starts_while_the_installation_is_paused(cli: Cli, template: int, jobs: Life) -> None:
    cli("run-template:schedule", "1")
    assert cli.json("system:pause", "--reason", "The disk is changed") == {"paused": True, "changed": True}
    assert "was paused already" in cli("system:pause").out
    assert claimed(jobs) == []
    (paused,) = cli.json("status")["paused"]
    assert (paused["what"], paused["id"], paused["reason"]) == ("installation", None, "The disk is changed")
    assert "the installation (The disk is changed)" in cli("status").out
    assert cli.json("system:resume") == {"paused": False, "changed": True}
    assert cli.json("system:resume") == {"paused": False, "changed": False}
    assert claimed(jobs) == [1]


def test_nothing_of_a_company_or_of_an_application_starts_while_it_is_paused(
    cli: Cli, template: int, jobs: Life
) -> None:
    cli("run-template:schedule", "1")
    assert cli.json("company:pause", "1", "--reason", "Stocktaking") == {
        "company_id": 1,
        "paused": True,
        "changed": True,
    }
    assert cli.json("application:pause", "--id", "1") == {"application_id": 1, "paused": True, "changed": True}
    assert cli.json("company:get", "1")["paused"] is cli.json("application:get", "1")["paused"] is True
    assert [(row["what"], row["id"], row["reason"]) for row in cli.json("status")["paused"]] == [
        ("company", 1, "Stocktaking"),
        ("application", 1, None),
    ]
    assert "company 1 (Acme Corp), application 1 (Echo)" in cli("status").out
    assert claimed(jobs) == []
    cli("company:resume", "1")
    assert claimed(jobs) == []
    assert "its jobs start again" in cli("application:resume", "1").out
    assert claimed(jobs) == [1]
    assert cli.json("status")["paused"] == []


def test_a_pause_with_the_same_key_is_done_once(cli: Cli, template: int) -> None:
    line = ("company:pause", "1", "--idempotency-key", "k")
    first = cli.json(*line)
    cli("company:resume", "1")
    assert cli.json(*line) == first
    assert cli.json("company:get", "1")["paused"] is False
    refused = cli.json("company:pause", "2", "--idempotency-key", "k", code=1)
    assert refused["field"] == "idempotency_key"


def test_what_is_not_there_is_not_paused(cli: Cli) -> None:
    for name in COMMANDS:
        if name.endswith((":pause", ":resume")) and not name.startswith("system"):
            assert "There is no" in cli.json(name, "9", code=1)["message"], name
            assert cli(name).code == 2, name


def test_a_limit_of_a_company_is_set_and_taken_away(cli: Cli) -> None:
    cli("company:create", "--name", "Acme", "--max_parallel", "3")
    assert cli.json("company:get", "1")["max_parallel"] == 3
    cli("company:update", "1", "--max_parallel", "5")
    assert cli.json("company:list")[0]["max_parallel"] == 5
    cli("company:update", "1", "--max-parallel", "")
    assert cli.json("company:get", "1")["max_parallel"] is None
