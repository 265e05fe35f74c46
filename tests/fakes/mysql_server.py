"""A server that speaks the first packets of MySQL: the greeting, the answer to the login, to a query.

Source: MySQL Internals, Client/Server Protocol, Connection Phase (handshake v10, ERR_Packet, OK_Packet).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SALT = bytes(range(1, 21))
OK = b"\x00\x00\x00\x02\x00\x00\x00"
CAPABILITIES = 0x0008_0200 | 0x8000 | 0x0008 | 0x0001
"""Plugins of authentication, protocol of version 4.1, secure connections, a database at connect, long passwords."""


def packet(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number]) + body


def greeting() -> bytes:
    return (
        b"\x0a8.4.0-scripted\x00" + (7).to_bytes(4, "little") + SALT[:8] + b"\x00"
        + (CAPABILITIES & 0xFFFF).to_bytes(2, "little") + b"\x2d\x02\x00" + (CAPABILITIES >> 16).to_bytes(2, "little")
        + b"\x15" + bytes(10) + SALT[8:] + b"\x00mysql_native_password\x00"
    )  # fmt: skip


def error(number: int, text: str) -> bytes:
    return b"\xff" + number.to_bytes(2, "little") + b"#HY000" + text.encode()


def scramble(password: str) -> bytes:
    """Return what a client proves a password with (mysql_native_password)."""
    once = hashlib.sha1(password.encode()).digest()
    mask = hashlib.sha1(SALT + hashlib.sha1(once).digest()).digest()
    return bytes(a ^ b for a, b in zip(once, mask, strict=True))


def one_row(value: bytes) -> bytes:
    """Return the packets of a result of one row and one column."""
    column = b"\x03def\x00\x00\x00\x011\x00\x0c\x3f\x00\x01\x00\x00\x00\x08\x81\x00\x00\x00\x00"
    end = b"\xfe\x00\x00\x02\x00"
    bodies = [b"\x01", column, end, bytes([len(value)]) + value, end]
    return b"".join(packet(number, body) for number, body in enumerate(bodies, 1))


@asynccontextmanager
async def mysql_server(password: str, refusal: bytes | None = None, *, silent: bool = False) -> AsyncIterator[int]:
    """Serve whoever has the password; refuse with an error packet if one is given; or only accept and say nothing."""

    async def read(reader: asyncio.StreamReader) -> bytes:
        head = await reader.readexactly(4)
        return await reader.readexactly(int.from_bytes(head[:3], "little"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if silent:
                await reader.read()
                return
            writer.write(packet(0, greeting()))
            login = await read(reader)
            if refusal is None and scramble(password) in login:
                writer.write(packet(2, OK))
                while (command := await read(reader))[:1] == b"\x03":
                    writer.write(one_row(b"1") if b"SELECT 1" in command else packet(1, OK))
            else:
                said = f"Access denied for user 'joe'@'localhost' (using password: YES) {password}"
                writer.write(packet(2, refusal or error(1045, said)))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has hung up
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
