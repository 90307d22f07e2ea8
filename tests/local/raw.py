"""A caller who writes bytes to a socket, and may be as rude as it likes."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from multidict import CIMultiDict

from flowser.local.service import Service

JSON = "application/x-amz-json-1.0"
TARGET = "SimpleWorkflowService."

#: Seconds to wait for what a server does at once.
SOON = 10.0


class Reply(NamedTuple):
    """An answer as it came."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The name of the error that the body is."""
        return str(self.json["__type"]).rpartition("#")[2]


class Raw:
    """A connection to a server."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.host = host

    def send(self, data: bytes) -> Self:
        """Send bytes."""
        self.writer.write(data)
        return self

    def call(self, operation: str, members: Any = None, **headers: str | None) -> Self:
        """Send a request; headers of None are left out."""
        body = members if isinstance(members, bytes) else _json(members)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send(request(TARGET + operation, body, {"Host": self.host} | given))

    async def reply(self, timeout: float = SOON) -> Reply:
        """Read an answer."""
        async with asyncio.timeout(timeout):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status, *lines = head.decode().split("\r\n")[:-2]
            headers: CIMultiDict[str] = CIMultiDict()
            for line in lines:
                name, _, value = line.partition(": ")
                headers.add(name, value)
            body = await self.reader.readexactly(int(headers.get("Content-Length", 0)))
        return Reply(int(status.split()[1]), headers, body)

    async def ask(self, operation: str, members: Any = None, **headers: Any) -> Reply:
        """Send a request, and read its answer."""
        return await self.call(operation, members, **headers).reply()

    async def ended(self, timeout: float = SOON) -> bytes:
        """Read until the server closes; give what came until then."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(timeout):
                return await self.reader.read()
        return b""

    def reset(self) -> None:
        """Drop the connection, with a RST."""
        sock = self.writer.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Raw]:
    """Connect to a server."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port, limit=2**25
    )
    raw = Raw(reader, writer, parts.netloc)
    try:
        yield raw
    finally:
        await raw.close()


def request(
    target: str,
    body: bytes,
    headers: Mapping[str, str | None],
    line: str = "POST / HTTP/1.1",
) -> bytes:
    """Write a request: what AWS clients send, unless *headers* say otherwise."""
    usual: dict[str, str | None] = {
        "X-Amz-Target": target,
        "Content-Type": JSON,
        "Content-Length": str(len(body)),
    }
    given = CIMultiDict(usual)
    given.update(headers)
    lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
    head = "\r\n".join([line, *lines, "", ""])
    return head.encode(errors="surrogateescape") + body


def _json(members: Any) -> bytes:
    return json.dumps(members or {}).encode()


async def held(swf: Service, polls: int) -> None:
    """Wait until a service holds so many polls."""
    async with asyncio.timeout(SOON):
        while len(swf._waiting) != polls:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
