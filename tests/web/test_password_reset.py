"""A forgotten password: a link in a mail, through a mail server that runs on this machine."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from commands.actor import SYSTEM
from commands.shell import Shell
from domain.user_commands import ChangeUser, CreateUser
from eventstore.errors import SettingsError
from tests.fakes.mail_server import MailServer
from tests.integrations.probe.tls_servers import Authority
from tests.web.conftest import Served, free_port, serving
from tests.web.seeding import Installation
from tests.web.test_sign_in import PASSWORD, post
from web.auth.reset import RESET
from web.auth.settings import SignInSettings
from web.mail import MailError, MailSettings, mail_settings, send

ADDRESS = "jane.doe@example.com"
STRONG = "klokan tramvaj mlha hvozd"


@pytest.fixture
async def mails() -> AsyncIterator[MailServer]:
    async with MailServer() as server:
        yield server


@pytest.fixture
async def with_mail(
    installation: Installation, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    monkeypatch.setenv("MULTIFLEXI_SMTP_URL", f"smtp://postman:let%20me@127.0.0.1:{mails.port}")
    monkeypatch.setenv("EMAIL_FROM", "MultiFlexi <robot@example.com>")
    monkeypatch.setenv("MULTIFLEXI_URL", "http://multiflexi.example.com/")
    async with serving(installation) as served:
        yield served


async def jane(installation: Installation) -> int:
    user = await installation.user("jane", PASSWORD)
    wish = ChangeUser(user_id=user, email=ADDRESS, language="cs")
    await Shell(installation.store).execute(wish, SYSTEM)
    return user


async def asked(client: httpx.AsyncClient, served: Served, address: str) -> httpx.Response:
    answer = await post(client, "/sign-in/forgotten", email=address)
    await asyncio.gather(*served.site.sending)
    return answer


def link_in(message: EmailMessage) -> str:
    text = message.get_content()
    found = re.search(r"http://multiflexi\.example\.com/multiflexi(/sign-in/reset\?token=\S+)", text)
    assert found is not None, text
    return found[1]


async def test_a_forgotten_password_is_chosen_anew_once_by_a_link_in_a_mail(
    installation: Installation, with_mail: Served, mails: MailServer
) -> None:
    user = await jane(installation)
    open_session = await installation.session(user)
    async with with_mail.stranger() as client:
        assert 'href="/multiflexi/sign-in/forgotten"' in (await client.get("/sign-in")).text
        assert "a link is on its way" in (await asked(client, with_mail, "Jane.Doe@EXAMPLE.com")).text
        [(sender, recipients, message)] = mails.taken
        assert (sender, recipients, message["From"]) == (
            "robot@example.com",
            [ADDRESS],
            "MultiFlexi <robot@example.com>",
        )
        assert message["Subject"] == "Nové heslo do MultiFlexi" and "jane" in message.get_content()
        link = link_in(message)
        for _ in range(2):  # a program that checks mails looks first
            assert 'value="jane"' in (await client.get(link)).text
        token = link.partition("token=")[2]
        for password, again in (
            (STRONG, "other"),
            ("short", "short"),
            ("jane.doe@example.com", "jane.doe@example.com"),
        ):
            answer = await post(client, "/sign-in/reset", token=token, password=password, again=again)
            assert answer.status_code == 422
        done = await post(client, "/sign-in/reset", token=token, password=STRONG, again=STRONG)
        assert done.status_code == 200 and "Your password was changed." in done.text
        for answer in (
            await client.get(link),
            await post(client, "/sign-in/reset", token=token, password=PASSWORD, again=PASSWORD),
        ):
            assert answer.status_code == 401 and "This link is not good any more" in answer.text
        assert (await post(client, "/sign-in", login="jane", password=PASSWORD)).status_code == 401
        assert (await post(client, "/sign-in", login="jane", password=STRONG)).status_code == 303
    async with with_mail.client(open_session) as before:
        assert (await before.get("/account.json")).status_code == 401, "who was signed in is no longer"
    rows = await installation.store.pool.fetch("SELECT to_jsonb(t)::text FROM one_time_secret t")
    assert token not in " ".join(row[0] for row in rows)


async def test_unknown_addresses_are_answered_alike_and_get_nothing(
    installation: Installation, with_mail: Served, mails: MailServer
) -> None:
    user = await jane(installation)
    shell = Shell(installation.store)
    await shell.execute(CreateUser(login="remote", email="no.password@example.com"), SYSTEM)
    pages = set[str]()
    async with with_mail.stranger() as client:
        for address in (ADDRESS, "nobody@example.com", "no.password@example.com", "no address"):
            answer = await asked(client, with_mail, address)
            assert answer.status_code == 200
            pages.add(re.sub(r'(value|data-now)="[^"]*"', "", answer.text))
        assert len(pages) == 1
        assert [recipients for _, recipients, _ in mails.taken] == [[ADDRESS]]
        await shell.execute(ChangeUser(user_id=user, enabled=False), SYSTEM)
        assert (await client.get(link_in(mails.taken[0][2]))).status_code == 401, "disabled meanwhile"
        await asked(client, with_mail, ADDRESS)
    assert len(mails.taken) == 1


async def test_a_newer_link_makes_the_older_void_and_each_ends_after_an_hour(
    installation: Installation, with_mail: Served, mails: MailServer
) -> None:
    await jane(installation)
    async with with_mail.stranger() as client:
        for _ in range(2):
            await asked(client, with_mail, ADDRESS)
        first, second = (link_in(message) for _, _, message in mails.taken)
        assert (await client.get(first)).status_code == 401
        assert (await client.get(second)).status_code == 200
        age = "UPDATE one_time_secret SET expires_at = expires_at - interval '1 hour' WHERE purpose = $1"
        await installation.web_store.pool.execute(age, RESET)
        assert (await client.get(second)).status_code == 401


async def test_links_are_not_asked_for_without_end_and_signing_in_goes_on(
    installation: Installation, with_mail: Served, mails: MailServer
) -> None:
    await jane(installation)
    async with with_mail.stranger() as client:
        for _ in range(5):
            assert (await asked(client, with_mail, ADDRESS)).status_code == 200
        for address in (ADDRESS, "nobody@example.com"):
            assert (await asked(client, with_mail, address)).status_code == 429
        assert len(mails.taken) == 5
        assert (await post(client, "/sign-in", login="jane", password=PASSWORD)).status_code == 303


async def test_whoever_is_locked_out_gets_in_again_by_another_password(
    installation: Installation, with_mail: Served, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await jane(installation)
    settings = SignInSettings(by_address=False, address="http://multiflexi.example.com")
    monkeypatch.setattr(with_mail.site.sign_in.attempts, "_settings", settings)
    async with with_mail.stranger() as client:
        for status in (401, 401, 401, 401, 401, 429):
            assert (await post(client, "/sign-in", login="jane", password="wrong")).status_code == status
        await asked(client, with_mail, ADDRESS)
        token = link_in(mails.taken[0][2]).partition("token=")[2]
        await post(client, "/sign-in/reset", token=token, password=STRONG, again=STRONG)
        assert (await post(client, "/sign-in", login="jane", password=STRONG)).status_code == 303


async def test_a_mail_server_that_refuses_is_told_in_the_log_and_not_to_the_visitor(
    installation: Installation, with_mail: Served, mails: MailServer, capsys: pytest.CaptureFixture[str]
) -> None:
    await jane(installation)
    mails.refuses = "550 No such user"
    async with with_mail.stranger() as client:
        assert "a link is on its way" in (await asked(client, with_mail, ADDRESS)).text
    assert "550" in capsys.readouterr().out


async def test_without_a_mail_server_no_link_is_offered(served: Served) -> None:
    async with served.stranger() as client:
        assert "forgotten" not in (await client.get("/sign-in")).text
        answer = await client.get("/sign-in/forgotten")
        assert answer.status_code == 404 and "No mail server is set up" in answer.text


async def test_a_mail_cannot_be_led_elsewhere_by_its_texts(mails: MailServer) -> None:
    settings = mail_settings({"MULTIFLEXI_SMTP_URL": f"smtp://postman:let%20me@127.0.0.1:{mails.port}"})
    assert settings is not None
    for address in ("a@example.com\nBcc: b@example.com", "no address", ""):
        with pytest.raises(MailError):
            await send(settings, address, "Subject", "Text")
    await send(settings, ADDRESS, "Příliš žluťoučký", ".\n..\nkůň")
    [(_, recipients, message)] = mails.taken
    assert (recipients, message["Subject"]) == ([ADDRESS], "Příliš žluťoučký")
    assert message.get_content().splitlines() == [".", "..", "kůň"]


async def test_a_wrong_password_and_a_server_that_is_away_are_told(mails: MailServer) -> None:
    for url, text in (
        (f"smtp://postman:wrong@127.0.0.1:{mails.port}", "535"),
        (f"smtp://127.0.0.1:{free_port()}", "refused"),
    ):
        settings = mail_settings({"MULTIFLEXI_SMTP_URL": url})
        assert settings is not None
        with pytest.raises(MailError, match=text):
            await send(settings, ADDRESS, "Subject", "Text")


@pytest.mark.parametrize(
    "url",
    ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://h:99999", "smtp://n:p@mail.example.com?tls=no"],
)
def test_a_wrong_address_of_a_mail_server_is_told_when_it_is_read(url: str) -> None:
    with pytest.raises(SettingsError, match="MULTIFLEXI_SMTP_URL"):
        mail_settings({"MULTIFLEXI_SMTP_URL": url})


def test_mails_are_encrypted_unless_the_server_is_on_this_machine() -> None:
    ways = {
        "smtp://mail.example.com": ("starttls", 587),
        "smtps://mail.example.com": ("tls", 465),
        "smtp://localhost:25": ("none", 25),
        "smtp://relay.example.com:25?tls=no": ("none", 25),
    }
    for url, way in ways.items():
        settings = mail_settings({"MULTIFLEXI_SMTP_URL": url})
        assert settings is not None and (settings.encryption, settings.port) == way, url
    with pytest.raises(SettingsError, match="EMAIL_FROM"):
        mail_settings({"MULTIFLEXI_SMTP_URL": "smtp://localhost", "EMAIL_FROM": "nobody"})


@pytest.mark.parametrize("encryption", ["starttls", "tls"])
async def test_mails_go_only_to_a_server_whose_certificate_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encryption: str
) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue())
    async with MailServer(context, starttls=encryption == "starttls") as server:
        known = MailSettings(
            host="localhost", port=server.port, encryption=encryption, sender=Address("", "robot", "example.com"),
            name="postman", password="let me",
        )  # fmt: skip
        with pytest.raises(MailError, match="certificate verify failed"):
            await send(known, ADDRESS, "Subject", "Text")
        assert server.taken == []
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        await send(known, ADDRESS, "Subject", "Text")
    assert [recipients for _, recipients, _ in server.taken] == [[ADDRESS]]
