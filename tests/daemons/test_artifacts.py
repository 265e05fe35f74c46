"""Files that jobs leave: found in their folder only, typed, stored once, listed, read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemons.artifacts import content_type, find, open_beneath, patterns_of, read_beneath, relative
from domain.application_events import ApplicationUpdated
from eventstore.artifacts import ArtifactMissingError, key_owner, read_artifact
from eventstore.log import Append
from integrations import probe
from tests.testbed.engine import COMPANY, Lab, engine
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

LISTED = "SELECT number, filename, content_type, size, digest FROM artifact WHERE job_id = $1 ORDER BY number"


async def template(lab: Lab, script: str, artifacts: list[str], **values: str) -> int:
    made = await lab.template("/bin/sh", ["-c", script], values=values)
    application = await lab.store.pool.fetchval("SELECT app_id FROM run_template WHERE id = $1", made)
    definition = {
        "name": "Files",
        "executable": "/bin/sh",
        "cmdparams": f"-c '{script}'",
        "environment": {},
        "artifacts": [{"name": "File", "type": "file", "path": path} for path in artifacts],
    }
    await update(lab, application, definition)
    return made


async def update(lab: Lab, application: int, definition: dict[str, Any]) -> None:
    updated = ApplicationUpdated(
        application_id=application,
        name=definition["name"] if isinstance(definition["name"], str) else definition["name"]["en"],
        version="2.0",
        executable=definition["executable"],
        definition=definition,
        digest="2",
    )
    await lab.store.append(Append(stream=f"application-{application}", events=[updated]))


async def listed(lab: Lab, job: int) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await lab.store.pool.fetch(LISTED, job)]


async def test_files_are_found_by_pattern_typed_and_read_back(database: Database) -> None:
    script = 'mkdir out; echo "{}" > out/report.json; echo a,b > b.csv; echo no > other.bin'
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await template(lab, script, [r".*\.json$", "*.csv"]))
        rows = await listed(lab, job["id"])
        assert [row[:4] for row in rows] == [
            (1, "b.csv", "text/csv", 4),
            (2, "out/report.json", "application/json", 3),
        ]
        assert await read_artifact(lab.store, COMPANY, rows[1][4]) == b"{}\n"


async def test_the_result_file_is_found_and_not_listed_twice(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        made = await template(
            lab, "echo {} > result-7.json", ["${RESULT_FILE}"], RESULT_FILE="result-{NR}.json", NR="7"
        )
        job = await lab.run(made)
        assert [row[:3] for row in await listed(lab, job["id"])] == [(1, "result-7.json", "application/json")]


async def test_the_same_content_is_stored_once(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        made = await template(lab, "echo same > a.txt; echo same > b.txt", ["txt$"])
        for _ in range(2):
            job = await lab.run(made)
            assert len({row[4] for row in await listed(lab, job["id"])}) == 1
        assert await lab.store.pool.fetchval("SELECT count(*) FROM artifact_content") == 1
        stored = await lab.store.pool.fetchval("SELECT payload FROM artifact_content")
        assert b"same" not in stored


async def test_no_link_and_no_path_leads_out_of_the_folder(database: Database, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text('{"secret": true}')
    links = f"ln -s {outside} link.json; ln -s {tmp_path} dir; mkfifo pipe.json; ln {outside} hard.json"
    script = f"{links} || true; echo 1 > own.json"
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await template(lab, script, ["json$"], RESULT_FILE=str(outside)))
        assert [row[1] for row in await listed(lab, job["id"])] == ["own.json"]
        job = await lab.run(await template(lab, script, ["json$"], RESULT_FILE="dir/outside.json"))
        assert [row[1] for row in await listed(lab, job["id"])] == ["own.json"]


async def test_files_that_are_too_large_are_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTIFLEXI_ARTIFACT_LIMIT", "1000")
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await template(lab, "head -c 1001 /dev/zero > large.bin; echo x > small.bin", ["bin$"]))
        assert [row[1] for row in await listed(lab, job["id"])] == ["small.bin"]
        events = [recorded.event async for recorded in lab.store.read_stream(f"job-{job['id']}")]
        assert events[-1].artifacts_left_out == 1  # type: ignore[attr-defined]


async def test_the_report_of_the_probe_appears(database: Database) -> None:
    import msgspec

    path = Path(probe.__file__).parent / "multiflexi-probe.multiflexi.app.json"
    async with engine(database, "executor", "projector") as lab:
        made = await lab.template("multiflexi-probe", values={"PROBE_CHECKS": "load"})
        application = await lab.store.pool.fetchval("SELECT app_id FROM run_template WHERE id = $1", made)
        await update(lab, application, msgspec.json.decode(path.read_bytes()))
        job = await lab.run(made)
        assert job["exitcode"] in (0, 1, 255), job["reason"]
        ((_, name, kind, size, digest),) = await listed(lab, job["id"])
        assert (name, kind) == ("probe_report.json", "application/json")
        data = await read_artifact(lab.store, COMPANY, digest)
        assert len(data) == size and "status" in msgspec.json.decode(data)


async def test_another_company_does_not_read_it_and_an_erased_one_is_told(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await template(lab, "echo mine > a.txt", ["txt$"]))
        ((*_, digest),) = await listed(lab, job["id"])
        async with open_store(database, role="app", companies=[2]) as other:
            with pytest.raises(ArtifactMissingError, match="has no content"):
                await read_artifact(other, COMPANY, digest)
        async with open_store(database) as store:
            await store.keyring.destroy(key_owner(COMPANY))
            with pytest.raises(ArtifactMissingError, match="was erased"):
                await read_artifact(store, COMPANY, digest)


def test_paths_are_opened_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"12345")
    (tmp_path / "in" / "folder").symlink_to(tmp_path)
    assert read_beneath(tmp_path / "in", "a", 5) == b"12345"
    assert read_beneath(tmp_path / "in", "a", 4) is None
    assert open_beneath(tmp_path / "in", "folder/in/a") is None
    assert open_beneath(tmp_path / "in", "missing") is None
    assert find(tmp_path / "in", "../in/a", []) == ["a"]
    assert relative(tmp_path / "in", "../other") is None


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.json", b"", "application/json"),
        ("a.csv", b"", "text/csv"),
        ("a.pdf", b"", "application/pdf"),
        ("a.xml", b"", "application/xml"),
        ("a.tar.gz", b"", "application/gzip"),
        ("statement", b"%PDF-1.7", "application/pdf"),
        ("page", b"<!DOCTYPE html><p>", "text/html"),
        ("note", "příliš".encode(), "text/plain"),
        ("note", "ř".encode() * 3000, "text/plain"),
        ("noise", b"\xff\x00\x01", "application/octet-stream"),
    ],
)
def test_files_are_typed(name: str, data: bytes, kind: str) -> None:
    assert content_type(name, data) == kind


def test_a_pattern_that_is_no_expression_is_read_as_the_shells() -> None:
    (pattern,) = patterns_of({"artifacts": [{"path": "*.csv"}]}, {})
    assert pattern.search("a.csv") and not pattern.search("a.csv.bak")
    (literal,) = patterns_of({"artifacts": [{"path": "${RESULT_FILE}"}]}, {"RESULT_FILE": "a+b.json"})
    assert literal.search("a+b.json")


async def test_files_whose_names_are_no_text_are_kept_by_a_name_that_is(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        script = r"""printf 1 >"$(printf "a\\377.art")"; printf 2 >"$(printf "b\\nc.art")" """
        job = await lab.run(await template(lab, script, [r"\.art$"]))
        assert job["outcome"] == "success"
        assert [row[1] for row in await listed(lab, job["id"])] == ["a\\xff.art", "b\nc.art"]
