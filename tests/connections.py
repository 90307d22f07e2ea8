"""Lean connections for tests, with time-outs and pacing as a test wants them."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from aiobotocore.session import AioSession

from flowser import _client
from flowser._lean import Connection
from tests.support.pace import Pace

#: Opens a connection to a URL; options are those of ``_client.opened``.
Opened = Callable[..., AbstractAsyncContextManager[Connection]]


def opener(session: AioSession, carrier: type | None = None) -> Opened:
    """Make what opens connections; the session's loaded models are shared.

    Args:
        session: Where all is resolved.
        carrier: The class of its HTTP sessions; None for flowser's choice.
    """

    @contextlib.asynccontextmanager
    async def opened(url: str, **options: Any) -> AsyncIterator[Connection]:
        source = _client.Source(session)
        settings = await _client.resolve(
            source, endpoint_url=url, http_session_cls=carrier
        )
        async with _client.opened(settings, **options) as connection:
            yield connection

    return opened


def paced(pace: Pace) -> dict[str, Any]:
    """Let a connection's pauses pass at once."""
    return {"sleep": pace.sleep, "clock": pace.clock}
