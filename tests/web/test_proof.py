"""Who changes how they sign in proves first who they are, and is told by mail, so that nobody else does it unseen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import httpx
import pytest

from commands.actor import SYSTEM
from commands.shell import Shell
from domain.user_commands import ChangeUser, EnableTotp, LinkIdentity, SetPassword
from tests.fakes.mail_server import MailServer
from tests.fakes.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdServer
from tests.web.conftest import Served, serving
from tests.web.seeding import Installation
from tests.web.signing_in import PASSWORD, Clock, token_of_form
from web.auth import one_time_codes
from web.auth.attempts import MOST_BEGUN, LockedError
from web.auth.cookies import SESSION
from web.auth.notices import line_of
from web.auth.passkey_sign_in import begin
from web.auth.passkeys import Site
from web.auth.sessions import PROOF_LASTS
from web.auth.sign_in import SignIn, Visitor

SITE = Site("localhost", "http://localhost:8000", "MultiFlexi")


@pytest.fixture
def provider() -> Iterator[OpenIdServer]:
    with OpenIdServer("http://127.0.0.1:9/").running() as running:
        yield running


@pytest.fixture
async def mails() -> AsyncIterator[MailServer]:
    async with MailServer() as server:
        yield server


@pytest.fixture
async def with_openid(
    installation: Installation, provider: OpenIdServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    monkeypatch.setenv("MULTIFLEXI_OPENID_ISSUER", provider.issuer)
    monkeypatch.setenv("MULTIFLEXI_OPENID_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("MULTIFLEXI_OPENID_CLIENT_SECRET", CLIENT_SECRET)
    async with serving(installation) as served:
        provider.client.redirect_uris = [f"{served.url}/sign-in/openid/back"]
        yield served


@pytest.fixture
async def with_mail(
    installation: Installation, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    monkeypatch.setenv("MULTIFLEXI_SMTP_URL", f"smtp://postman:let%20me@127.0.0.1:{mails.port}")
    monkeypatch.setenv("EMAIL_FROM", "robot@example.com")
    monkeypatch.setenv("MULTIFLEXI_URL", "http://multiflexi.example.com")
    async with serving(installation) as served:
        yield served


async def by_provider(installation: Installation, provider: OpenIdServer, login: str = "jane") -> int:
    """Make a user who signs in by an account at the provider alone, and has a second factor."""
    user, shell = await installation.user(login), Shell(installation.store)
    await shell.execute(LinkIdentity(user_id=user, issuer=provider.issuer, subject=provider.user["sub"]), SYSTEM)
    await shell.execute(EnableTotp(user_id=user, totp_secret=one_time_codes.new_secret(), recovery=()), SYSTEM)
    return user


async def went_to_provider(client: httpx.AsyncClient, path: str) -> tuple[str, httpx.Response]:
    """Begin on a page, sign in at the provider and come back; return how it was asked, and the answer."""
    begun = await client.get(path)
    assert begun.status_code == 303, begun.text
    async with httpx.AsyncClient() as elsewhere:
        consent = await elsewhere.get(begun.headers["location"])
    return begun.headers["location"], await client.get(consent.headers["location"])


async def sent_form(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    return await client.post(path, data={"_csrf_token": await token_of_form(client, "/account"), **fields})


async def test_who_signs_in_at_a_provider_proves_there_anew_who_they_are_before_a_change(
    installation: Installation, with_openid: Served, provider: OpenIdServer
) -> None:
    await by_provider(installation, provider)
    async with with_openid.stranger() as client:
        asked, back = await went_to_provider(client, "/sign-in/openid")
        assert back.status_code == 303 and "prompt=" not in asked
        for path in ("/account/no-second-factor", "/account/recovery-codes"):
            refused = await sent_form(client, path)
            assert refused.status_code == 422 and "Prove once more that it is you, then change it." in refused.text
        assert (await sent_form(client, "/account/password", password=PASSWORD, again=PASSWORD)).status_code == 422
        assert (await sent_form(client, "/account/passkey/begin")).status_code == 403
        assert 'href="/multiflexi/account/prove"' in (await client.get("/account")).text
        asked, back = await went_to_provider(client, "/account/prove")
        assert "prompt=login" in asked and "max_age=0" in asked
        assert back.headers["location"] == "/multiflexi/account?saved=proved"
        assert 'href="/multiflexi/account/prove"' not in (await client.get("/account")).text
        assert (await sent_form(client, "/account/no-second-factor")).status_code == 303


async def test_an_old_proof_of_the_provider_or_that_of_somebody_else_is_none(
    installation: Installation, with_openid: Served, provider: OpenIdServer
) -> None:
    await by_provider(installation, provider)
    async with with_openid.stranger() as client:
        await went_to_provider(client, "/sign-in/openid")
        for wrong in ({"auth_time": 1_700_000_000}, {"auth_time": None}):
            provider.wrong = wrong
            _, back = await went_to_provider(client, "/account/prove")
            assert back.status_code == 401, wrong
        provider.wrong = {}
        provider.user = {**provider.user, "sub": "somebody-else"}
        _, back = await went_to_provider(client, "/account/prove")
        assert back.status_code == 401 and "signs somebody else in" in back.text
        assert (await sent_form(client, "/account/no-second-factor")).status_code == 422


async def test_a_proof_is_good_for_ten_minutes(installation: Installation, sign_in: SignIn, clock: Clock) -> None:
    user = await installation.user("jane")
    token = (await sign_in.open(user, "openid", Visitor())).token
    session = await sign_in.sessions.find(token)
    assert session is not None and not sign_in.sessions.fresh(session)
    await sign_in.sessions.prove(session)
    for seconds, good in ((PROOF_LASTS, True), (1, False)):
        clock.now += timedelta(seconds=seconds)
        session = await sign_in.sessions.find(token)
        assert session is not None and sign_in.sessions.fresh(session) is good


async def test_signing_in_is_not_begun_without_end_from_an_address(
    installation: Installation, sign_in: SignIn, clock: Clock
) -> None:
    most, here = sign_in.settings.most_failures * MOST_BEGUN, Visitor("192.0.2.7")
    for _ in range(most):
        await begin(sign_in, SITE, here)
    for _ in range(2):
        with pytest.raises(LockedError):
            await begin(sign_in, SITE, here)
    await begin(sign_in, SITE, Visitor("192.0.2.8"))
    clock.advance(sign_in.settings.lockout + 1)
    for _ in range(most * 2):
        await begin(sign_in, SITE, here)
        await sign_in.attempts.finished(here.address)


async def test_unlinked_accounts_of_a_provider_are_not_tried_without_end(
    installation: Installation, with_openid: Served, provider: OpenIdServer
) -> None:
    await by_provider(installation, provider)
    subject = provider.user["sub"]
    async with with_openid.stranger() as client:
        for number in range(5):
            provider.user = {**provider.user, "sub": f"nobody-{number}"}
            _, back = await went_to_provider(client, "/sign-in/openid")
            assert back.status_code == 401 and "No user is linked" in back.text
        provider.user = {**provider.user, "sub": subject}
        _, back = await went_to_provider(client, "/sign-in/openid")
        assert back.status_code == 429 and SESSION not in back.cookies
        codes = [(await client.get("/sign-in/openid")).status_code for _ in range(5 * MOST_BEGUN)]
        assert codes.count(429) == 6 and codes[-1] == 429


async def test_a_user_is_told_by_mail_in_their_language_what_was_changed_of_how_they_sign_in(
    installation: Installation, with_mail: Served, mails: MailServer
) -> None:
    user, shell = await installation.user("jane", PASSWORD), Shell(installation.store)
    await shell.execute(ChangeUser(user_id=user, email="jane@example.com", language="cs"), SYSTEM)
    codes = EnableTotp(user_id=user, totp_secret=one_time_codes.new_secret(), recovery=())
    await shell.execute(codes, SYSTEM)
    async with with_mail.client(await installation.session(user)) as client:
        await sent_form(client, "/account/recovery-codes", current=PASSWORD)
        await sent_form(client, "/account/no-second-factor", current=PASSWORD)
        strong = "klokan tramvaj mlha hvozd"
        changed = await sent_form(client, "/account/password", current=PASSWORD, password=strong, again=strong)
        assert changed.status_code == 303
        await sent_form(client, "/account/token", name="Nightly")  # is no way to sign in
        await asyncio.gather(*with_mail.site.sending)
    async with with_mail.client() as administrator:
        form = {"login": "jane", "email": "jane@example.org", "language": "cs", "first_name": "Jane"}
        token = await token_of_form(administrator, f"/user/{user}")
        for _ in range(2):  # the second time, nothing changes
            await administrator.post(f"/user/{user}/profile", data={"_csrf_token": token, **form})
        await asyncio.gather(*with_mail.site.sending)
    told = [(message["To"], message.get_content()) for _, _, message in mails.taken]
    assert {message["Subject"] for _, _, message in mails.taken} == {"Vaše přihlašování do MultiFlexi bylo změněno"}
    assert [to for to, _ in told] == ["jane@example.com"] * 4 + ["jane@example.org"]
    lines = [re.findall(r"^- (.+?)\r?$", text, re.MULTILINE) for _, text in told]
    assert lines == [
        ["Byly vytvořeny nové záchranné kódy; dřívější už neplatí."],
        ["Při přihlášení už není potřeba kód."],
        ["Heslo bylo změněno."],
        ["E-mailová adresa byla změněna."],
        ["E-mailová adresa byla změněna."],
    ]
    assert all("jane" in text and "/multiflexi/account" in text for _, text in told)
    assert "jane@example.org" not in told[3][1], "the old address may be another's by now"


async def test_a_password_hashed_anew_is_no_change_and_a_mail_that_cannot_be_sent_stops_nothing(
    installation: Installation, with_mail: Served, mails: MailServer
) -> None:
    user, shell = await installation.user("jane", PASSWORD), Shell(installation.store)
    await shell.execute(ChangeUser(user_id=user, email="jane@example.com"), SYSTEM)
    mails.refuses = "550 No such user"
    async with with_mail.client() as administrator:
        token = await token_of_form(administrator, f"/user/{user}")
        done = await administrator.post(f"/user/{user}/password", data={"_csrf_token": token})
        assert done.status_code in (200, 201)
        await asyncio.gather(*with_mail.site.sending)
    outcome = await shell.execute(SetPassword(user_id=user, password="$argon2id$new", cause="upgraded"), SYSTEM)
    assert [line_of(event) for event in outcome.events] == [None]
    assert mails.taken == []
