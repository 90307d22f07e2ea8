"""A small, fast HTTP/1.1 server for JSON posts: one asyncio.Protocol per connection.

It knows just enough of HTTP for SWF clients: keep-alive, Content-Length bodies, one
request at a time per connection. Requests are handed over by plain calls; the answer
may be sent at once or, for a long poll, later.
"""

import asyncio
import contextlib
import select
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from tests.support.answers import CONTENT_TYPE

_MAX_HEAD = 64 * 1024
_MAX_BODY = 16 * 1024 * 1024
_CLOSE_SECONDS = 1.0
_BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
_REASONS = {200: b"OK", 400: b"Bad Request", 500: b"Internal Server Error"}
_OK_HEAD = (
    f"HTTP/1.1 200 OK\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: "
).encode()

# Linux tells a closed peer apart from a readable socket; elsewhere only a full
# hang-up is seen, and connection_lost reports the rest a moment later.
_HANG_UP = getattr(select, "POLLRDHUP", 0)


@dataclass(slots=True)
class Request:
    """A request, as bytes and as far as SWF cares.

    Attributes:
        operation: The text after the last dot of ``X-Amz-Target``.
        head: Request line and headers, with the empty line.
        body: As long as Content-Length says.
    """

    operation: str
    head: bytes
    body: bytes


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: "HttpServer") -> None:
        """Serve one client of *server*."""
        self._server = server
        self._buffer = b""
        self._busy = False
        self._transport: asyncio.Transport | None = None
        self.on_close: Callable[[], object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the transport, and tell whoever was about to answer."""
        self._transport = None
        self._server.forget(self)
        if self.on_close is not None:
            self.on_close()

    def data_received(self, data: bytes) -> None:
        """Take in bytes and hand over a request when it is complete."""
        self._buffer += data
        self._next_request()

    @property
    def gone(self) -> bool:
        """Whether the client has hung up, even if the loop was not told yet."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return True
        watched = select.poll()
        watched.register(transport.get_extra_info("socket").fileno(), _HANG_UP)
        return bool(watched.poll(0))

    def reply(self, body: bytes, status: int = 200) -> None:
        """Answer the request in hand with a JSON *body*."""
        if status == 200:
            self.send(b"%b%d\r\n\r\n%b" % (_OK_HEAD, len(body), body))
            return
        self.send(json_answer(status, body))

    def send(self, answer: bytes) -> None:
        """Answer the request in hand with a whole HTTP message."""
        if self._transport is not None:
            self._transport.write(answer)
        self._busy = False
        self.on_close = None
        if self._buffer:
            # Not at once: the caller may be in the middle of a state change.
            asyncio.get_running_loop().call_soon(self._next_request)

    def close(self) -> None:
        """Close the connection after what was sent has left."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _next_request(self) -> None:
        if self._busy or self._transport is None:
            return
        end = self._buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            if len(self._buffer) > _MAX_HEAD:
                self._refuse()
            return
        head = self._buffer[:end]
        length = _content_length(head)
        if not 0 <= length <= _MAX_BODY:
            self._refuse()
        elif len(self._buffer) >= end + length:
            body = self._buffer[end : end + length]
            self._buffer = self._buffer[end + length :]
            self._busy = True
            self._server.handle(Request(_operation(head), head, body), self)

    def _refuse(self) -> None:
        self._buffer = b""
        self.send(_BAD_REQUEST)
        self.close()


Handler = Callable[[Request, Connection], None]


class HttpServer:
    """A listening socket and the connections that came from it."""

    def __init__(self, handle: Handler) -> None:
        """Create a server that does not listen yet.

        Args:
            handle: Called with each request; it sees to it that the connection's
                ``reply`` or ``send`` is called once, now or later.
        """
        self.handle = handle
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._emptied = asyncio.Event()

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen and accept.

        Returns:
            The port, which the system chose if *port* is 0.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port)
        chosen: int = self._server.sockets[0].getsockname()[1]
        return chosen

    def stop_listening(self) -> None:
        """Refuse new connections; those that are open stay open."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def forget(self, connection: Connection) -> None:
        """Drop a connection that is closed."""
        self.connections.discard(connection)
        if not self.connections:
            self._emptied.set()

    async def close(self) -> None:
        """Stop listening and close every connection after what was sent has left."""
        self.stop_listening()
        await self._close_all(Connection.close)
        # Left over are clients that do not read.
        await self._close_all(Connection.abort)

    async def abort(self) -> None:
        """Stop listening and drop every connection at once."""
        self.stop_listening()
        await self._close_all(Connection.abort)

    async def _close_all(self, close: Callable[[Connection], None]) -> None:
        if not self.connections:
            return
        self._emptied.clear()
        for connection in tuple(self.connections):
            close(connection)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._emptied.wait()


def json_answer(status: int, body: bytes, content_type: str = CONTENT_TYPE) -> bytes:
    """Build a whole HTTP answer."""
    return b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        _REASONS.get(status, b"Unknown"),
        content_type.encode(),
        len(body),
        body,
    )


def header(head: bytes, name: bytes) -> bytes:
    """Find a header.

    Args:
        head: A request or status line and the headers.
        name: In lower case.

    Returns:
        Its value, or nothing.
    """
    start = head.lower().find(b"\r\n" + name + b":")
    if start < 0:
        return b""
    start += len(name) + 3
    return head[start : head.index(b"\r\n", start)].strip()


def _content_length(head: bytes) -> int:
    value = header(head, b"content-length")
    if not value:
        return 0
    return int(value) if value.isdigit() else -1


def _operation(head: bytes) -> str:
    return header(head, b"x-amz-target").rpartition(b".")[2].decode("latin-1")
