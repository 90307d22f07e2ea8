"""Connections whose callers may be slow, but not for ever.

aiohttp closes a connection on which nothing happens. Left for here are heads that come
in by drops, answers that nobody reads, and what is not HTTP.

Source:
    reliability.md section 5.
"""

import asyncio
import functools
import logging
import math
import select
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from flowser.local.engine import faults
from flowser.local.protocol import Answer, refusal

log = logging.getLogger(__name__)

#: Seconds for a head to come in.
_HEAD = 10.0

#: Seconds that a connection stays open while nothing comes in or goes out. Longer than
#: a poll is held: a client's next call finds it open.
_IDLE = 75.0

#: Seconds in which the rest of a refused body is read, so that its sender gets to read
#: the answer.
_REST = 2.0

# Linux tells a caller that has hung up from one that is silent; elsewhere aiohttp
# tells it a moment later.
_HANG_UP = getattr(select, "POLLRDHUP", 0)


class Connection(web.RequestHandler):
    """A connection to a caller."""

    __slots__ = ("_hang_up", "_head_since", "_head_timer", "_unread_timer")

    def __init__(self, listener: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        """Be one of a listener's connections."""
        super().__init__(
            listener,
            loop=loop,
            access_log=None,  # type: ignore[arg-type] # as aiohttp's manual has it
            auto_decompress=False,
            keepalive_timeout=_IDLE,
            lingering_time=_REST,
        )
        # When a head began to come in; None between requests, never during one.
        self._head_since: float | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._hang_up: Callable[[int], list[Any]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the caller's transport."""
        super().connection_made(transport)
        socket = transport.get_extra_info("socket")
        if _HANG_UP and socket is not None:
            watched = select.poll()
            watched.register(socket.fileno(), _HANG_UP)
            self._hang_up = watched.poll

    def is_present(self) -> bool:
        """Tell whether the caller is there, even if the loop has not been told yet.

        One that has gone is let go at once: nobody may be reading what it does.
        """
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        if self._hang_up is None or not self._hang_up(0):
            return True
        transport.abort()
        return False

    def begin(self) -> None:
        """Know that a request is in hand."""
        self._head_since = math.inf

    def end(self) -> None:
        """Know that it is answered."""
        self._head_since = None

    def data_received(self, data: bytes) -> None:
        """Take bytes, and see to it that they become a head in time."""
        if self._head_since is None:
            self._head_since = self._loop.time()
            if self._head_timer is None:  # else it looks again when it is due
                self._head_timer = self._loop.call_later(_HEAD, self._check_head)
        super().data_received(data)

    def _check_head(self) -> None:
        self._head_timer = None
        if self._head_since is None or self._head_since == math.inf:
            return
        due = self._head_since + _HEAD
        if due > self._loop.time():
            self._head_timer = self._loop.call_at(due, self._check_head)
        else:
            self._abort()

    def pause_writing(self) -> None:
        """Wait until the caller has read more; but not for ever."""
        super().pause_writing()
        self._unread_timer = self._loop.call_later(_IDLE, self._abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        _cancel(self._unread_timer)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the caller."""
        super().connection_lost(exc)
        _cancel(self._head_timer)
        _cancel(self._unread_timer)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's
        """Close, in the end even if the caller does not read."""
        transport = self.transport
        await super().shutdown(timeout)
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it may quote the request
    ) -> web.StreamResponse:
        """Answer what is not HTTP, or what failed in this server.

        Nobody is told of the bytes: there may be keys among them.
        """
        if status < 500:  # noqa: PLR2004 - HTTP's
            fault = faults.serialization("The request is not HTTP")
        else:
            log.error("a request failed inside the server", exc_info=exc)
            fault = faults.internal()
        return response(refusal(fault, request.headers))


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


class Listener(web.Server):
    """Makes connections; a call whose caller hangs up is canceled."""

    def __init__(
        self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    ) -> None:
        """Listen for the sake of *handle*."""
        super().__init__(handle, handler_cancellation=True)

    def __call__(self) -> Connection:
        """Make a connection."""
        return Connection(self, asyncio.get_running_loop())


class _Written(web.StreamResponse):
    """An answer that leaves in one piece, and leaves the connection open.

    Nearly every caller gets it so. To compose an aiohttp Response, and to write that,
    takes a fifth of the time of a whole call. Of one that is written, aiohttp asks no
    more than whether the connection goes on: nothing else of its state is set up.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Write it all."""
        await request.writer.write(_bytes(self._answer))
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: it is written."""


#: The statuses of answers that a connection goes on after.
_USUAL = {200: "HTTP/1.1 200 OK\r\n", 400: "HTTP/1.1 400 Bad Request\r\n"}


def _is_usual(answer: Answer, request: web.BaseRequest) -> bool:
    """Tell whether a connection goes on, and needs no header to say so."""
    modern = request.version == HttpVersion11
    return modern and request.keep_alive and answer.status in _USUAL


def _bytes(answer: Answer) -> bytes:
    now = int(time.time())  # noqa: TID251 - callers compare it with their own
    head = _USUAL[answer.status]
    for name, value in answer.headers.items():
        head += f"{name}: {value}\r\n"
    head += f"Content-Length: {len(answer.body)}\r\nDate: {_date(now)}\r\n\r\n"
    return head.encode("ascii") + answer.body


@functools.lru_cache(maxsize=1)
def _date(now: int) -> str:
    return formatdate(now, usegmt=True)


def response(
    answer: Answer, request: web.BaseRequest | None = None
) -> web.StreamResponse:
    """Write an answer as aiohttp wants it.

    Args:
        answer: To be written.
        request: That it answers; None when it can have no next one.
    """
    if request is not None and _is_usual(answer, request):
        return _Written(answer)
    made = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
    if request is None or answer.status not in _USUAL:
        made.force_close()
    return made
