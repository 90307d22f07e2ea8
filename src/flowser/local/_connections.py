"""Connections whose callers may be slow, but not for ever.

aiohttp closes a connection on which nothing happens. Left for here are heads that come
in by drops, answers that nobody reads, and what is not HTTP.

Source:
    reliability.md section 5.
"""

import asyncio
import logging
import math
import select
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

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

    __slots__ = ("_head_since", "_head_timer", "_unread_timer")

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
        made = response(refusal(fault, request.headers))
        made.force_close()
        return made


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


def response(answer: Answer) -> web.Response:
    """Write an answer as aiohttp wants it."""
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


def is_present(request: web.BaseRequest) -> bool:
    """Tell whether a caller is there, even if the loop has not been told yet.

    One that has gone is let go at once: nobody may be reading what it does.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        return False
    if not _has_hung_up(transport.get_extra_info("socket")):
        return True
    transport.abort()
    return False


def _has_hung_up(socket: Any) -> bool:
    if not _HANG_UP or socket is None:
        return False
    watched = select.poll()
    watched.register(socket.fileno(), _HANG_UP)
    return bool(watched.poll(0))
