"""A client that costs little, so that servers are what is measured.

It signs nothing, and sends as many headers as those that do.
"""

import asyncio
import re
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

_HEAD = (
    "%s / HTTP/1.1\r\n"
    "Host: {host}:{port}\r\n"
    "X-Amz-Target: SimpleWorkflowService.%s\r\n"
    "Content-Type: application/x-amz-json-1.0\r\n"
    "User-Agent: load/1.0\r\n"
    "X-Amz-Date: 20260101T000000Z\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential="
    "testing/20260101/us-east-1/swf/aws4_request, "
    f"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={'0' * 64}\r\n"
    "Content-Length: %d\r\n\r\n"
)
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_CLOSES = re.compile(rb"(?i)\r\nconnection: *close")


class RefusedError(Exception):
    """An answer other than 200."""


class Caller(asyncio.Protocol):
    """A connection, for one call at a time; opened anew when the server closed it."""

    def __init__(self, url: str) -> None:
        """Call the server at *url*."""
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._head = _HEAD.format(host=self._host, port=self._port)
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._answer: asyncio.Future[bytes] | None = None

    async def call(self, operation: str, body: bytes, method: str = "POST") -> bytes:
        """Make a call, and give the body of the answer.

        Args:
            operation: Of SWF.
            body: JSON.
            method: Of HTTP.

        Raises:
            RefusedError: When it is not 200.
            ConnectionError: When there is none.
        """
        loop = asyncio.get_running_loop()
        if self._transport is None or self._transport.is_closing():
            await loop.create_connection(lambda: self, self._host, self._port)
        assert self._transport is not None
        self._answer = loop.create_future()
        head = self._head % (method, operation, len(body))
        self._transport.write(head.encode() + body)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the call in hand."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        """Take in bytes, until the answer is complete."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n") + 4
        if end < 4 or self._answer is None:
            return
        length = _LENGTH.search(self._buffer, 0, end)
        assert length is not None
        if len(self._buffer) >= end + int(length[1]):
            head, body = bytes(self._buffer[:end]), bytes(self._buffer[end:])
            self._buffer.clear()
            if _CLOSES.search(head):
                self.close()
            self._take(head, body)

    def _take(self, head: bytes, body: bytes) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            return  # nobody waits any more
        if head[9:12] == b"200":
            answer.set_result(body)
        else:
            answer.set_exception(RefusedError(f"{head[9:12]!r}: {body[:500]!r}"))


async def spread(
    callers: Sequence[Caller], job: Callable[[Caller], Awaitable[Any]], times: int
) -> None:
    """Do a job so many times, by all callers at once, each one after another."""
    turns = iter(range(times))

    async def work(caller: Caller) -> None:
        for _ in turns:
            await job(caller)

    async with asyncio.TaskGroup() as group:
        for caller in callers:
            group.create_task(work(caller))


@contextmanager
def calling(url: str, number: int) -> Iterator[list[Caller]]:
    """Give callers that hang up at the end of the block."""
    callers = [Caller(url) for _ in range(number)]
    try:
        yield callers
    finally:
        for caller in callers:
            caller.close()


@asynccontextmanager
async def beside(works: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Do something beside the block, until its end."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
