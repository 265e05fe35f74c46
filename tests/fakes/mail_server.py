"""A mail server on a port of this machine: takes mails as RFC 5321 describes, with AUTH PLAIN (RFC 4616, RFC 4954).

It insists on the order of the commands and on its one name and password, and keeps what it was given.
"""

from __future__ import annotations

import asyncio
import base64
import email
import ssl
from email.message import EmailMessage
from email.policy import default
from typing import Self

NAME, PASSWORD = "postman", "let me"


class MailServer:
    """The server.

    Attributes
    ----------
    port : int
        Where it listens.
    taken : list[tuple[str, list[str], EmailMessage]]
        Sender, recipients and content of each mail, as the envelope says.
    refuses : str or None
        An answer, such as ``550 No such user``, that it gives to recipients.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, starttls: bool = False) -> None:
        self.taken: list[tuple[str, list[str], EmailMessage]] = []
        self.refuses: str | None = None
        self.port = 0
        self._tls = tls
        self._starttls = starttls

    async def __aenter__(self) -> Self:
        context = None if self._starttls else self._tls
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._session(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        known, secure, sender, recipients = False, self._tls is not None and not self._starttls, "", list[str]()

        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        await say("220 mail.example.com ESMTP")
        while line := (await reader.readuntil(b"\n")).decode().strip():
            verb, _, rest = line.partition(" ")
            match verb.upper():
                case "EHLO":
                    offered = [
                        "mail.example.com",
                        *(["STARTTLS"] if self._starttls and not secure else []),
                        "AUTH PLAIN",
                    ]
                    await say("\r\n".join(f"250-{each}" for each in offered))
                    await say("250 8BITMIME")
                case "STARTTLS" if self._starttls and self._tls is not None:
                    await say("220 Go ahead")
                    await writer.start_tls(self._tls)
                    secure = True
                case "AUTH":
                    _, name, password = base64.b64decode(rest.removeprefix("PLAIN ")).decode().split("\0")
                    known = (name, password) == (NAME, PASSWORD)
                    await say("235 Welcome" if known else "535 Wrong name or password")
                case "MAIL" if known and rest.upper().startswith("FROM:"):
                    sender = rest[5:].partition(">")[0].strip(" <")
                    await say("250 OK")
                case "RCPT" if sender and rest.upper().startswith("TO:"):
                    if self.refuses is None:
                        recipients.append(rest[3:].partition(">")[0].strip(" <"))
                    await say(self.refuses or "250 OK")
                case "DATA" if recipients:
                    await say("354 End with a point")
                    data = (await reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
                    content = email.message_from_bytes(data, policy=default)
                    self.taken.append((sender, list(recipients), content))
                    sender, recipients = "", []
                    await say("250 OK")
                case "RSET" | "NOOP":
                    await say("250 OK")
                case "QUIT":
                    await say("221 Bye")
                    return
                case _:
                    await say("503 Not now")
