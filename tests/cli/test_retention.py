"""Retention on the command line: rules of a company, what is over removed, and told as removed; files of jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.job_events import Artifact, Channel
from domain.retention_events import OutputRemoved
from eventstore.artifacts import store_artifact
from eventstore.output import key_owner
from eventstore.store import EventStore
from tests.cli.conftest import Cli
from tests.cli.life import Life

OLD = datetime.now(UTC) - timedelta(days=100)


@pytest.fixture
def run(cli: Cli, template: int, jobs: Life) -> Callable[..., int]:
    """Return what lets a job run and leave a file ``report.json``."""

    def run(data: bytes = b"{}", output: bytes = b"hello\n", **fields: Any) -> int:
        job: int = cli.json("run-template:schedule", str(template))["job_id"]
        digests: list[str] = []

        async def keep(store: EventStore) -> None:
            digests.append(await store_artifact(store, 1, job, data))

        jobs.run(keep)
        jobs.start(job)
        jobs.write(job, output)
        file = Artifact(name="out/report.json", content_type="application/json", size=len(data), digest=digests[0])
        jobs.finish(job, artifacts=[file], stdout=Channel(length=len(output), digest="00"), **fields)
        jobs.fold()
        return job

    return run


def test_rules_are_set_shown_and_taken_away(cli: Cli) -> None:
    cli("company:create", "--name", "A", "--keep_output", "30")
    cli("company:update", "1", "--keep-history", "365", "--keep-artifacts", "90")
    shown = cli.json("company:get", "1")
    assert [shown[f"keep_{what}"] for what in ("output", "artifacts", "history")] == [30, 90, 365]
    cli("company:update", "1", "--keep-output", "")
    assert cli.json("company:list")[0]["keep_output"] is None
    refused = cli.json("company:update", "1", "--keep_output", "40000", code=1)
    assert (refused["field"], "36500" in refused["message"]) == ("keep_output", True)
    assert "does not count" in cli("company:update", "1", "--keep_output", "0").err


def test_files_of_jobs_are_listed_shown_and_saved(cli: Cli, run: Callable[..., int], tmp_path: Path) -> None:
    job = run(b'{"a": 1}')
    (file,) = cli.json("artifact:list")
    assert (file["job_id"], file["filename"], file["size"], file["removed_at"]) == (job, "out/report.json", 8, None)
    listed = cli.json("artifact:list", "--job_id", str(job), "--order", "D")
    assert [row["filename"] for row in listed] == ["stdout.txt", "out/report.json"]
    assert cli.json("artifact:get", str(file["id"]), "--fields", "artifact") == {"artifact": '{"a": 1}'}
    assert "artifact" not in cli.json("artifact:get", "--id", str(file["id"]))
    target = tmp_path / "copy.json"
    target.write_text("old")
    saved = cli.json("artifact:save", "--id", str(file["id"]), "--file", str(target))
    assert (saved["saved"], saved["size"], target.read_bytes()) == (True, 8, b'{"a": 1}')
    assert cli("artifact:save", str(listed[0]["id"]), "--file", "-").bytes == b"hello\n"
    cli("artifact:save", str(file["id"]), "--file", str(tmp_path))
    assert (tmp_path / "report.json").read_bytes() == b'{"a": 1}'


def test_what_there_is_no_file_of_is_told(cli: Cli, run: Callable[..., int], tmp_path: Path) -> None:
    job = run()
    assert "is no id of a file" in cli("artifact:get", "7").err
    assert cli.json("artifact:get", f"{job}002", code=1)["status"] == "not found"
    assert cli.json("artifact:list", "--job_id", "99", code=1)["status"] == "not found"
    assert "Which file?" in cli("artifact:save", "--file", "x").err
    refused = cli("artifact:save", f"{job}001", "--file", str(tmp_path / "none" / "x"))
    assert (refused.code, "cannot be written: No such file" in refused.err) == (1, True)
    assert list(tmp_path.glob(".x*")) == []


def test_what_is_over_is_removed_by_hand_and_told_as_removed(cli: Cli, run: Callable[..., int]) -> None:
    old = run(b"old", finished_at=OLD)
    run(b"new")
    refused = cli("job:cleanup", "--days", "30")
    assert (refused.code, "Nothing was removed. --force removes output, artifacts, history" in refused.err) == (1, True)
    dry = cli.json("job:cleanup", "--days", "30", "--dry-run")
    assert (dry["dry_run"], [each["what"] for each in dry["removals"]]) == (True, ["artifacts", "history"])
    assert cli.json("artifact:get", f"{old}001")["removed_at"] is None
    done = cli("job:cleanup", "--days", "30", "--what", "artifacts", "--company", "1", "--force")
    assert "removed: company 1: 1 files of jobs that ended before" in done.out
    assert cli("job:cleanup", "--days", "30", "--what", "logs", "--force").code == 2


def test_a_removed_file_a_removed_output_and_a_removed_job_say_so(
    cli: Cli, run: Callable[..., int], jobs: Life, tmp_path: Path
) -> None:
    job = run(finished_at=OLD)
    cli("job:cleanup", "--days", "30", "--what", "artifacts", "--force")
    jobs.fold()
    assert cli.json("artifact:get", f"{job}001")["removed_at"] is not None
    refused = cli("artifact:save", f"{job}001", "--file", str(tmp_path / "x"))
    assert "it was kept for 30 days, as somebody asked for" in refused.err
    now = datetime.now(UTC)
    common: dict[str, Any] = {"company_id": 1, "days": 10, "by_hand": False, "removed_at": now}
    jobs.append("retention-1", OutputRemoved(month=f"{now:%Y-%m}", jobs=1, chunks=1, bytes=6, **common))
    jobs.run(lambda store: store.keyring.destroy(key_owner(1)))
    recent = run()
    jobs.fold()
    assert cli.json("job:get", str(recent))["output_removed_at"] is not None
    refused = cli("artifact:save", f"{recent}901", "--file", str(tmp_path / "x"))
    assert "it was kept for 10 days, by the rule of its company" in refused.err
    assert not (tmp_path / "x").exists()
    assert [row["what"] for row in cli.json("retention:list")] == ["output", "artifacts"]
    assert cli.json("retention:list", "--company_id", "2") == []


def test_the_newest_jobs_stay_in_the_history(cli: Cli, run: Callable[..., int], jobs: Life) -> None:
    first, second = run(), run()
    assert cli("prune").out == "Nothing was removed.\n"
    assert "The audit trail is evidence" in cli("prune", "--logs").err
    done = cli.json("prune", "--jobs", "--keep", "1")
    assert [(each["what"], each["jobs"]) for each in done["removals"]] == [("history", 1)]
    jobs.fold()
    assert [row["id"] for row in cli.json("job:list")] == [second]
    gone = cli("job:get", str(first))
    assert f"Job {first} was removed from the history on " in gone.err
