"""The pages of requests for erasure: who decides on them, what goes and what stays, and that it is carried out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import httpx

from commands.accounts import actor_of
from commands.actor import Actor
from commands.shell import Shell
from domain.erasure import RejectErasure, RequestErasure
from tests.web.conftest import Served
from tests.web.seeding import Installation


async def sent(client: httpx.AsyncClient, path: str, page: str = "", **fields: Any) -> httpx.Response:
    """Send a form with the token of a page: by default that of the request."""
    found = re.search(r'name="_csrf_token" value="([^"]+)"', (await client.get(page or path.rpartition("/")[0])).text)
    assert found is not None
    return await client.post(path, data={"_csrf_token": found[1], **fields})


async def acting(installation: Installation, user: int) -> tuple[Shell, Actor]:
    """Return what executes commands, and a user with what they may do."""
    shell = Shell(installation.store)
    actor = await actor_of(shell.facts, user, datetime.now(UTC))
    assert actor is not None
    return shell, actor


async def ask(installation: Installation, user: int, **more: Any) -> int:
    """Let a user ask that somebody be erased: themselves, unless it is told."""
    shell, actor = await acting(installation, user)
    return (await shell.execute(RequestErasure(**more), actor, source="web")).id


async def test_a_request_is_approved_and_carried_out_once_the_login_is_typed(
    installation: Installation, served: Served
) -> None:
    jane = await installation.user("jane", "a few words that nobody guesses")
    await installation.member(jane, await installation.company("Acme Corp"), "viewer")
    number = await ask(installation, jane, deletion_type="anonymize", reason="I <leave>")
    path = f"/erasure/{number}"
    async with served.client(await installation.session(jane)) as her, served.client() as root:
        assert (await her.get("/erasures")).status_code == 403 and (await her.get(path)).status_code == 403
        assert "Requests for erasure" in (await root.get("/users")).text
        listed = (await root.get("/erasures.json?status=open")).json()
        assert [(one["id"], one["login"], one["status"]) for one in listed["requests"]] == [(number, "jane", "pending")]
        page = (await root.get(path)).text
        assert "I &lt;leave&gt;" in page and "Erase the user" not in page
        effects = {
            one["what"]: (one["count"], one["fate"]) for one in (await root.get(f"{path}.json")).json()["effects"]
        }
        assert effects["Access to companies"] == (1, "is given up") and effects["Sessions"] == (1, "is ended")
        assert effects["Password and second factor"] == (1, "is void")
        early = await sent(root, f"{path}/process")
        assert early.status_code == 422 and "only one that is" in early.text
        assert (await sent(root, f"{path}/approve", notes="Identity checked")).status_code == 303
        assert "Identity checked" in (await root.get(path)).text
        unsure = await sent(root, f"{path}/process", confirm="john")
        assert unsure.status_code == 422 and 'id="confirm-error"' in unsure.text and 'value="john"' in unsure.text
        assert (await sent(root, f"{path}/process", confirm="jane")).status_code == 303
        shown = (await root.get(f"{path}.json")).json()
        assert (shown["request"]["status"], shown["request"]["login"], shown["name"]) == ("completed", None, None)
        assert [one["what"] for one in shown["trail"]] == ["Requested", "Approved", "Started", "Completed"]
        assert shown["trail"][-1]["sessions"] == 1 and shown["trail"][2]["changes"]["membership"] == 1
        page = (await root.get(f"{path}?lang=cs")).text
        assert "Nikdo už nepřečte, kdo uživatel byl." in page and "jane" not in page
        assert (await root.get("/erasures.json?status=open")).json()["requests"] == []
        assert "There is no request of this state." in (await root.get("/erasures?status=open&lang=en")).text
        assert (await her.get("/account.json")).status_code == 401
        again = await sent(root, f"{path}/approve", page="/users/new")
        assert again.status_code == 422 and "carried out" in again.text


async def test_a_request_is_refused_with_a_reason_and_by_nobody_who_may_not(
    installation: Installation, served: Served
) -> None:
    jane = await installation.user("jane")
    number = await ask(installation, jane, deletion_type="hard")
    path = f"/erasure/{number}"
    async with served.client() as root, served.client(await installation.session(jane)) as her:
        form = {"_csrf_token": re.findall(r'_csrf_token" value="([^"]+)"', (await her.get("/account")).text)[0]}
        assert (await her.post(f"{path}/approve", data=form)).status_code == 403
        silent = await sent(root, f"{path}/reject", reason=" ")
        assert silent.status_code == 422 and 'id="reason-error"' in silent.text
        long = await sent(root, f"{path}/approve", notes="x" * 3000)
        assert long.status_code == 422 and "x" * 3000 in long.text
        assert (await sent(root, f"{path}/explode")).status_code == 404
        assert (await sent(root, f"{path}/reject", reason="There is a contract")).status_code == 303
        assert "There is a contract" in (await root.get(path)).text
        assert (await root.get("/erasure/999")).status_code == 404 == (await root.get("/erasure/x")).status_code
        assert (await root.get("/erasures?status=odd")).status_code == 400


async def test_who_asked_for_it_does_not_approve_it_and_long_lists_go_on(
    installation: Installation, served: Served
) -> None:
    root = installation.administrator
    jane = await installation.user("jane")
    shell, actor = await acting(installation, root)
    for _ in range(51):
        number = await ask(installation, root, user_id=jane, deletion_type="soft")
        await shell.execute(RejectErasure(erasure_id=number, reason="Not yet"), actor, source="web")
    number = await ask(installation, root, user_id=jane, deletion_type="soft")
    async with served.client() as client:
        page = (await client.get(f"/erasure/{number}")).text
        assert "Somebody else must approve it" in page and "/approve" not in page
        denied = await sent(client, f"/erasure/{number}/approve")
        assert denied.status_code == 403
        assert 'href="/multiflexi/erasures?skip=50"' in (await client.get("/erasures")).text
        refused = (await client.get("/erasures.json?status=rejected&skip=50")).json()
        assert (len(refused["requests"]), refused["more"], refused["counts"]) == (
            1,
            None,
            {"rejected": 51, "pending": 1},
        )
