"""The installation as a whole on the command line: status, read models, replay, audit trail, evidence, demo."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from eventstore.tree_heads import TreeHeadSigner
from projections.registry import ALL
from tests.cli.conftest import Cli
from tests.cli.life import Life

NAMES = [projection.name for projection in ALL]


def test_status_tells_how_the_installation_stands(cli: Cli, template: int, jobs: Life) -> None:
    cli("run-template:schedule", "1")
    cli("run-template:schedule", "1")
    jobs.start(2)
    status = cli.json("status")
    assert (status["companies"], status["apps"], status["runtemplates"]) == (1, 1, 1)
    assert status["jobs"] == {"queued": 1, "running": 1}
    assert status["database"]["version"].split(".")[0] == str(cli.database.version)
    assert status["database"]["events"] >= 6
    assert {row["name"] for row in status["projections"]} == set(NAMES)
    assert (status["executor"], status["scheduler"], status["daemons"]) == ("inactive", "inactive", [])
    assert status["horizon"] is None
    text = cli("status").out
    assert "No daemon runs: nothing is scheduled or executed." in text
    assert "not held back" in text


def test_status_shows_daemons_and_their_last_sign_of_life(cli: Cli) -> None:
    with psycopg.connect(cli.database.superuser_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO multiflexi.daemons (id, kind, host, pid, version, seen_at, detail) VALUES "
            "('executor@a:1', 'executor', 'a', 1, '3.0', clock_timestamp(), '{\"running\": 2}'), "
            "('scheduler@a:2', 'scheduler', 'a', 2, '3.0', clock_timestamp() - interval '1 minute', '{}')"
        )
    status = cli.json("status")
    assert (status["executor"], status["scheduler"], status["projector"]) == ("active", "inactive", "inactive")
    assert [(row["kind"], row["state"], row["pid"], row["version"]) for row in status["daemons"]] == [
        ("executor", "active", 1, "3.0"),
        ("scheduler", "silent", 2, "3.0"),
    ]
    assert status["daemons"][0]["detail"] == {"running": 2}
    assert '{"running":2}' in cli("status").out


def test_status_tells_lag_and_running_jobs_of_each_daemon(cli: Cli, template: int, jobs: Life) -> None:
    for _ in range(3):
        cli("run-template:schedule", str(template))
    jobs.start(1)
    with psycopg.connect(cli.database.superuser_url, autocommit=True) as connection:
        for kind in ("executor", "projector", "scheduler", "web"):
            connection.execute(
                "INSERT INTO multiflexi.daemons (id, kind, host, pid, version) VALUES (%s, %s, 'a', 1, '3.0')",
                (kind, kind),
            )
        connection.execute(
            "INSERT INTO multiflexi.job_leases (job_id, company_id, daemon_id, host, version, expires_at) VALUES "
            "(1, 1, 'executor', 'a', 2, now())"
        )
        connection.execute(
            "UPDATE multiflexi.job_queue SET not_before = now() - interval '90 seconds' WHERE job_id = 2"
        )
        connection.execute("UPDATE multiflexi.due SET next_due = now() - interval '40 seconds'")
    daemons = {row["kind"]: row for row in cli.json("status")["daemons"]}
    assert [daemons[kind]["running"] for kind in ("executor", "projector", "scheduler", "web")] == [1, None, None, None]
    assert 90 <= daemons["executor"]["lag_seconds"] < 900
    assert 40 <= daemons["scheduler"]["lag_seconds"] < 90
    assert daemons["projector"]["lag_seconds"] > 0
    assert daemons["web"]["lag_seconds"] is None
    jobs.fold()
    assert {row["kind"]: row["lag_seconds"] for row in cli.json("status")["daemons"]}["projector"] == 0
    head = next(line for line in cli("status").out.splitlines() if line.startswith("kind"))
    assert head.split() == [
        "kind", "state", "host", "pid", "version", "started_at", "seen_at", "lag_seconds", "running", "detail"
    ]  # fmt: skip


def test_status_counts_events_that_read_models_could_not_take(cli: Cli) -> None:
    assert (cli.json("status")["skipped_events"], cli.json("status")["skipped"]) == (0, [])
    with psycopg.connect(cli.database.superuser_url, autocommit=True) as connection:
        for position in (1, 2):
            connection.execute(
                "INSERT INTO multiflexi.skipped_events (projection, epoch, xid, position, stream, version, type, "
                "error) VALUES ('job_history', 1, '1', %s, 'job-1', 1, 'JobStarted', 'bad')",
                (position,),
            )
    status = cli.json("status")
    assert status["skipped_events"] == 2
    assert [(row["projection"], row["type"], row["events"]) for row in status["skipped"]] == [
        ("job_history", "JobStarted", 2)
    ]
    assert "2 (job_history: 2 JobStarted); `projection:rebuild job_history` tries them again" in cli("status").out


def test_status_names_the_backend_that_holds_back_the_readers(cli: Cli) -> None:
    with psycopg.connect(cli.database.superuser_url, application_name="stalled") as writer:
        writer.execute("SELECT pg_current_xact_id(), pg_sleep(1.1)")
        holder = cli.json("status")["horizon"]
        assert (holder["pid"], holder["application"]) == (writer.info.backend_pid, "stalled")
        assert f"by backend {writer.info.backend_pid}" in cli("status").out


def test_projections_are_listed_with_their_lag(cli: Cli, template: int, jobs: Life) -> None:
    before = {row["name"]: row for row in cli.json("projection:list")}
    assert set(before) == set(NAMES)
    assert before["audit_trail"]["lag"] > 0
    assert before["audit_trail"]["lag_seconds"] > 0
    assert before["company"]["lag"] == 0
    jobs.fold()
    after = {row["name"]: row for row in cli.json("projection:list")}
    assert {row["lag"] for row in after.values()} == {0}
    assert after["audit_trail"]["position"] == after["company"]["position"] > 0
    assert cli("projection:list", "--fields", "name,version,position,lag").out.split()[:4] == [
        "name", "version", "position", "lag",
    ]  # fmt: skip


def test_read_models_are_rebuilt(cli: Cli, template: int) -> None:
    with psycopg.connect(cli.database.superuser_url, autocommit=True) as connection:
        connection.execute('UPDATE multiflexi.company SET document = document || \'{"name": "Wrong"}\'')
    assert cli.json("company:get", "1")["name"] == "Wrong"
    answer = cli.json("projection:rebuild", "company", "company")
    assert (answer["rebuilt"], answer["events"]) == (["company"], 4)
    assert cli.json("company:get", "1")["name"] == "Acme Corp"
    everything = cli("projection:rebuild", "--all", "-v")
    assert everything.out.startswith(f"Rebuilt {', '.join(NAMES)} from 4 events.")
    assert "Folding events: 4 of about" in everything.err
    assert "There is no projection 'nonsense'" in cli.json("projection:rebuild", "nonsense", code=1)["message"]


def test_the_log_is_replayed_to_a_moment(cli: Cli, template: int) -> None:
    moment = datetime.now(UTC)
    cli("company:update", "1", "--name", "Later")
    answer = cli.json(
        "replay", "--until", moment.isoformat(), "--projection", "company", "--projection", "run_template"
    )
    tables = {row["table"]: row["rows"] for row in answer["tables"]}
    assert tables == {"company": 1, "company_app": 1, "run_template": 1, "due": 1}
    schema = answer["schema"]
    shown = cli.json("replay", "--schema", schema, "--show", "company", "--fields", "id,name")
    assert shown == [{"id": 1, "name": "Acme Corp"}]
    assert cli.json("company:get", "1")["name"] == "Later"
    text = cli("replay", "--schema", schema).out
    assert f"multiflexi-cli replay --schema {schema} --show company" in text
    assert "There are: company, company_app, due, run_template" in cli.json(
        "replay", "--schema", schema, "--show", "nonsense", code=1
    )["message"]  # fmt: skip
    assert cli.json("replay", "--schema", schema, "--drop") == {"schema": schema, "dropped": True}
    assert cli.json("replay", "--schema", schema, code=1)["status"] == "not found"


def test_a_replay_is_shown_and_dropped_at_once(cli: Cli, template: int) -> None:
    words = (
        "replay",
        "--until",
        "now",
        "--projection",
        "company",
        "--schema",
        "replay_mine",
        "--show",
        "company",
        "--drop",
    )
    assert [row["name"] for row in cli.json(*words)] == ["Acme Corp"]
    assert cli.json("replay", "--schema", "replay_mine", code=1)["status"] == "not found"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "Up to which moment?"),
        (["--until", "2026-01-31T12:00:00"], 1, "has no time zone"),
        (["--until", "sometime"], 2, "is no moment"),
        (["--until", "now", "--projection", "nonsense"], 1, "There is no projection 'nonsense'"),
        (["--until", "now", "--schema", "public"], 2, "begins with replay_"),
        (["--schema", "multiflexi", "--drop"], 1, "There is no replay multiflexi"),
    ],
)
def test_wrong_replays_are_told(cli: Cli, words: list[str], code: int, said: str) -> None:
    assert said in cli.json("replay", *words, code=code)["message"]


def test_the_audit_trail_shows_who_changed_what(cli: Cli, template: int, jobs: Life) -> None:
    jobs.fold()
    trail = cli.json("audit:list")
    before = ["RunTemplateCreated", "ApplicationImported", "CompanyCreated"]
    assert [row["type"] for row in trail] == ["ApplicationAssigned", *before]
    assert {(row["actor"], row["source"]) for row in trail} == {("system", "cli")}
    assert trail[-1]["changes"]["email"] == "info@acme.example"
    assert [row["stream"] for row in cli.json("audit:list", "--stream", "company-1")] == ["company-1"] * 2
    assert cli.json("audit:list", "--actor", "user:1") == []
    assert len(cli.json("audit:list", "--company_id", "1", "--limit", "1")) == 1
    older = cli.json("audit:list", "--before", str(trail[0]["position"]))
    assert [row["type"] for row in older] == before
    assert "CompanyCreated" in cli("audit:list").out


def test_an_untouched_log_verifies(cli: Cli, template: int) -> None:
    answer = cli.json("audit:verify")
    assert answer == {"ok": True, "events": 4, "first_bad": None}
    assert "4 events are as they were recorded" in cli("audit:verify").out


def test_an_altered_event_is_named(cli: Cli, template: int) -> None:
    with psycopg.connect(cli.database.superuser_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE multiflexi.events SET data = data || '{\"name\": \"Evil\"}' WHERE stream = 'company-1'"
        )
    answer = cli.json("audit:verify", code=1)
    assert answer["ok"] is False
    assert (answer["first_bad"]["stream"], answer["first_bad"]["version"]) == ("company-1", 1)
    told = cli("audit:verify")
    assert told.code == 1
    assert "company-1" in told.out


def test_a_head_that_was_kept_must_be_in_the_log(cli: Cli, template: int, jobs: Life, tmp_path: Path) -> None:
    assert cli.json("audit:head", code=1)["status"] == "not found"
    jobs.run(lambda store: TreeHeadSigner(store).sign())
    head = cli.json("audit:head")
    kept = tmp_path / "head.json"
    kept.write_text(json.dumps(head))
    assert cli.json("audit:verify", "--head", str(kept), "--public-key", head["public_key"])["ok"] is True
    assert cli.json("audit:verify", "--public-key", "00" * 32, code=1)["ok"] is False
    kept.write_text(json.dumps({**head, "id": 2}))
    assert cli.json("audit:verify", "--head", str(kept), code=1)["ok"] is False
    kept.write_text("[]")
    assert "not a tree head" in cli.json("audit:verify", "--head", str(kept), code=1)["message"]
    assert head["public_key"] in cli("audit:head").out


def test_proofs_are_made_and_checked_without_the_database(
    cli: Cli, template: int, jobs: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no signed head" in cli.json("audit:proof", "company-1@1", code=1)["message"]
    jobs.run(lambda store: TreeHeadSigner(store).sign())
    head, proof, growth = (tmp_path / name for name in ("head.json", "proof.json", "growth.json"))
    head.write_text(json.dumps(cli.json("audit:head")))
    cli("company:update", "1", "--name", "Later")
    jobs.run(lambda store: TreeHeadSigner(store).sign())
    assert cli.json("audit:proof", "company-1@1", "--file", str(proof)) == {"file": str(proof)}
    growth.write_text(json.dumps(cli.json("audit:growth", "--first", str(head))))
    key = cli.json("audit:head")["public_key"]
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@/nothing?host=/nonexistent")
    checked = cli.json("audit:check", "--file", str(proof), "--public-key", key)
    assert checked == {"ok": True, "stream": "company-1", "version": 1, "type": "CompanyCreated", "head": 2}
    assert cli.json("audit:check", "--file", str(growth), "--public-key", key) == {"ok": True, "first": 1, "second": 2}
    assert "not the key" in cli.json("audit:check", "--file", str(proof), "--public-key", "00" * 32, code=1)["message"]
    proof.write_text(proof.read_text().replace("Acme Corp", "Evil Corp"))
    altered = cli.json("audit:check", "--file", str(proof), "--public-key", key, code=1)
    assert "not what its hash says" in altered["message"]


@pytest.mark.parametrize(("event", "code"), [("company", 2), ("company-1@0", 2), ("company-9@1", 1)])
def test_a_proof_of_what_is_not_there_is_refused(cli: Cli, event: str, code: int) -> None:
    assert cli.json("audit:proof", event, code=code)["status"] == "error"


def test_the_demo_is_made_once(cli: Cli) -> None:
    made = cli.json("demo:create")
    assert made == {"company_id": 1, "run_template_id": 1, "job_id": 1}
    assert cli.json("demo:create") == {"company_id": 1, "run_template_id": 1, "job_id": None}
    assert cli.json("demo:create", "--start")["job_id"] == 2
    cli("company:remove", "1", "--cascade")
    assert cli.json("demo:create") == {"company_id": None, "run_template_id": None, "job_id": None}


def test_commands_are_described(cli: Cli) -> None:
    described = cli.json("describe")
    options = described["run-template:create"]["options"]
    assert (options["company_id"]["spellings"], options["config"]["is_array"]) == (["company_id", "company-id"], True)
    assert options["format"]["shortcut"] == "f"
    assert options["name"]["is_value_required"] is True
    assert described["company:get"]["arguments"]["number"]["is_required"] is False


def test_a_database_is_brought_up_to_date(cli: Cli) -> None:
    assert cli.json("database:migrate") == {"done": []}
    assert cli("database:migrate").out == "The database is up to date.\n"


def test_a_log_that_moved_is_noticed_and_adopted(cli: Cli, template: int) -> None:
    assert "nothing to adopt" in cli.json("database:adopt", code=1)["message"]
    with psycopg.connect(cli.database.superuser_url, autocommit=True) as connection:
        connection.execute("UPDATE multiflexi.log_epoch SET system_identifier = 1")
    for line in ("company:list", "company:create --name B", "status", "job:watch 1"):
        assert "database:adopt" in cli.json(*line.split(), code=1)["message"], line
    assert cli.json("database:adopt") == {"adopted": True, "epoch": 2}
    cli("company:create", "--name", "B")
    assert len(cli.json("company:list")) == 2
    assert cli.json("audit:verify")["ok"] is True


def test_moments_are_understood(cli: Cli, template: int) -> None:
    for text, ahead in (("+90s", 90), ("+2h", 7_200), ("+1 d", 86_400)):
        answer = cli.json("run-template:schedule", "1", "--schedule_time", text)
        expected = datetime.now(UTC) + timedelta(seconds=ahead)
        assert abs(datetime.fromisoformat(answer["scheduled"]) - expected) < timedelta(seconds=30), text
