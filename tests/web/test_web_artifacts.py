"""The files of a job: listed, looked at, sent; and told apart from those that retention has removed."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from domain.retention_events import ArtifactsRemoved, OutputRemoved
from eventstore.output import key_owner
from tests.web.conftest import Served
from tests.web.seeding import Installation
from tests.web.test_web_pages import small_world
from web.data import artifacts
from web.data.artifacts import ArtifactShown, disposition

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
SCRIPT = b"<script>alert(1)</script>"


async def job_with_files(installation: Installation, *files: tuple[str, str, bytes]) -> tuple[int, int]:
    company, application, template = await small_world(installation)
    made = [await installation.artifact(company, *file) for file in files]
    job = await installation.job(company, application, template, artifacts=made, artifacts_left_out=2)
    await installation.project()
    return company, job


async def test_files_of_a_job_are_listed_with_type_size_and_digest(installation: Installation, served: Served) -> None:
    data = b'{"status": "ok"}'
    _, job = await job_with_files(installation, ("out/report.json", "application/json", data))
    async with served.client() as client:
        listed = (await client.get(f"/job/{job}.json")).json()
        page = (await client.get(f"/job/{job}")).text
        assert (await client.get(f"/job/{job}/artifact/1.json")).json() == listed["artifacts"][0]
    digest = hashlib.sha256(data).hexdigest()
    assert listed["artifacts"] == [
        {
            "number": 1,
            "name": "out/report.json",
            "content_type": "application/json",
            "size": len(data),
            "digest": digest,
            "removed": False,
        }
    ]
    assert "out/report.json" in page
    assert f"SHA-256 {digest}" in page
    assert "2 more files were not kept." in page


async def test_a_file_is_sent_byte_for_byte_and_can_do_nothing(installation: Installation, served: Served) -> None:
    large = bytes(range(256)) * 1000
    _, job = await job_with_files(
        installation,
        ("výpis 1.csv", "text/csv", large),
        ("../../evil.html", "text/html", SCRIPT),
        ("a.svg", "image/svg+xml", b"<svg/>"),
    )
    async with served.client() as client:
        sent = await client.get(f"/job/{job}/artifact/1/download")
        assert sent.content == large
        assert sent.headers["content-length"] == str(len(large))
        assert sent.headers["content-type"].startswith("text/csv")
        assert sent.headers["content-disposition"] == (
            "attachment; filename=\"v_pis 1.csv\"; filename*=UTF-8''v%C3%BDpis%201.csv"
        )
        for number in (2, 3):
            evil = await client.get(f"/job/{job}/artifact/{number}/download")
            assert evil.headers["content-type"] == "application/octet-stream"
            assert evil.headers["content-disposition"].startswith("attachment; ")
            assert evil.headers["x-content-type-options"] == "nosniff"
            assert evil.headers["content-security-policy"] == "default-src 'none'; sandbox"
            assert "/" not in evil.headers["content-disposition"].partition(";")[2]


async def test_texts_and_images_are_shown_and_nothing_in_them_is_run(
    installation: Installation, served: Served
) -> None:
    _, job = await job_with_files(
        installation,
        ("report.json", "application/json", b'{"a":[1,2]}'),
        ("page.html", "text/html", SCRIPT),
        ("chart.png", "image/png", PNG),
        ("fake.png", "image/png", SCRIPT),
        ("archive.zip", "application/zip", b"PK"),
        ("latin.txt", "text/plain", b"\xff\xfe caf\xe9"),
        ("long.log", "text/plain", b"x" * (artifacts.SHOWN_TEXT + 10)),
        ("broken.json", "application/json", b'{"a":'),
    )
    async with served.client() as client:

        async def page(number: int) -> str:
            return (await client.get(f"/job/{job}/artifact/{number}")).text

        assert "{\n  &#34;a&#34;: [\n    1,\n    2\n  ]\n}" in await page(1)
        html = await page(2)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert SCRIPT.decode() not in html
        assert f'src="/multiflexi/job/{job}/artifact/3/image"' in await page(3)
        picture = await client.get(f"/job/{job}/artifact/3/image")
        assert (picture.content, picture.headers["content-type"]) == (PNG, "image/png")
        assert "This is no image" in await page(4)
        assert (await client.get(f"/job/{job}/artifact/4/image")).status_code == 404
        assert (await client.get(f"/job/{job}/artifact/2/image")).status_code == 404
        assert "No preview" in await page(5)
        assert "caf\N{REPLACEMENT CHARACTER}" in await page(6)
        long = await page(7)
        assert "This is the beginning of a long text." in long
        assert long.count("x" * 1000) >= 200
        assert "{&#34;a&#34;:" in await page(8)


def test_only_what_is_small_enough_is_shown() -> None:
    def shows(content_type: str, size: int, removed: bool = False) -> bool:
        return ArtifactShown(
            number=1, name="f", content_type=content_type, size=size, digest="0", removed=removed
        ).shows

    assert shows("text/plain; charset=utf-8", artifacts.LONGEST_TEXT)
    assert not shows("text/plain", artifacts.LONGEST_TEXT + 1)
    assert shows("image/png", artifacts.LARGEST_IMAGE)
    assert not shows("image/png", artifacts.LARGEST_IMAGE + 1)
    assert not shows("application/pdf", 1)
    assert not shows("text/plain", 1, removed=True)


@pytest.mark.parametrize(
    ("name", "plain"),
    [("a\r\nX: y.txt", "a_X_ y.txt"), ("..", "file"), ('q"uote.txt', "q_uote.txt"), ("dir\\x.txt", "dir_x.txt")],
)
def test_a_name_cannot_break_its_header(name: str, plain: str) -> None:
    assert disposition(name).startswith(f'attachment; filename="{plain}"; ')


async def test_a_removed_file_is_told_as_such(installation: Installation, served: Served) -> None:
    company, job = await job_with_files(
        installation, ("old.txt", "text/plain", b"old"), ("erased.txt", "text/plain", b"erased")
    )
    with psycopg.connect(installation.database.owner_url, options="-c search_path=multiflexi") as connection:
        connection.execute("DELETE FROM artifact_content WHERE digest = %s", (hashlib.sha256(b"old").hexdigest(),))
    async with served.client() as client:
        listed = (await client.get(f"/job/{job}.json")).json()["artifacts"]
        assert [each["removed"] for each in listed] == [True, False]
        assert "removed by retention" in (await client.get(f"/job/{job}")).text
        assert "The file was removed" in (await client.get(f"/job/{job}/artifact/1")).text
        gone = await client.get(f"/job/{job}/artifact/1/download", headers={"accept": "application/json"})
        assert gone.status_code == 410
        assert gone.json()["title"] == "This was removed"
        await installation.store.keyring.destroy(f"artifact:{company}")
        listed = (await client.get(f"/job/{job}.json")).json()["artifacts"]
        assert [each["removed"] for each in listed] == [True, True]
        assert (await client.get(f"/job/{job}/artifact/2/download")).status_code == 410
        assert (await client.get(f"/job/{job}/artifact/3")).status_code == 404
        assert (await client.get(f"/job/{job}/artifact/0")).status_code == 404


async def test_a_download_of_output_that_was_removed_says_so(installation: Installation, served: Served) -> None:
    company, application, template = await small_world(installation)
    job = await installation.job(company, application, template, output=[("stdout", b"hello\n")])
    await installation.project()
    async with served.client() as client:
        assert (await client.get(f"/job/{job}/output/stdout.txt")).content == b"hello\n"
        assert (await client.get(f"/job/{job}/output/stderr.txt")).content == b""
        await served.site.database.store.keyring.destroy(key_owner(company))
        answer = await client.get(f"/job/{job}/output/stdout.txt")
        assert answer.status_code == 410


async def test_what_retention_removed_is_told_with_when_and_by_which_rule(
    installation: Installation, served: Served
) -> None:
    company, job = await job_with_files(installation, ("old.txt", "text/plain", b"old"))
    now = datetime.now(UTC)
    common: dict[str, Any] = {"company_id": company, "days": 30, "removed_at": now}
    output = OutputRemoved(month=f"{now:%Y-%m}", jobs=1, chunks=1, bytes=6, by_hand=False, **common)
    files = ArtifactsRemoved(before=now, files=1, bytes=3, by_hand=True, **common)
    await installation.append(f"retention-{company}", company, output, files)
    await installation.project()
    async with served.client() as client:
        told = (await client.get(f"/job/{job}.json")).json()
        assert told["removals"]["output"]["days"] == 30
        assert [each["removed"] for each in told["artifacts"]] == [True], "though the content is still stored"
        assert "Removed by hand: " in (await client.get(f"/job/{job}")).text
        assert "Removed by hand: " in (await client.get(f"/job/{job}/artifact/1")).text
        await served.site.database.store.keyring.destroy(key_owner(company))
        written = await installation.job(company, 1, 1, output=[("stdout", b"hello\n")])
        await installation.project()
        await served.site.database.store.keyring.destroy(key_owner(company))
        page = (await client.get(f"/job/{written}")).text
        assert "Removed by the rule of the company, which keeps it for 30 days: " in page
