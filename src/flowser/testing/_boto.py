"""Plain aiobotocore clients without sockets: the only room here that knows boto."""

import contextlib
import functools
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore import exceptions as boto

from flowser.local.session import Response, Session
from flowser.testing.network import ENDPOINT_URL, Network, session_class


@functools.cache
def _session() -> AioSession:
    """Make a session whose loaded models all tests share."""
    return get_session()


@contextlib.asynccontextmanager
async def client(network: Network, region: str, config: Any) -> AsyncIterator[Any]:
    """Open a plain aiobotocore client on a network.

    Args:
        network: What it sends by.
        region: What it signs for.
        config: Of ``AioConfig``.
    """
    given = {"http_session_cls": _translating(network)}
    async with _session().create_client(
        "swf",
        region_name=region,
        endpoint_url=ENDPOINT_URL,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - opens nothing
        config=AioConfig(**(given | config)),
    ) as opened:
        yield opened


def _translating(network: Network) -> type[Session]:
    """Make a session that raises what aiobotocore's does."""

    class BotoSession(session_class(network)):  # type: ignore[misc]
        async def send(self, request: Any) -> Response:
            try:
                answer: Response = await super().send(request)
                return answer
            except aiohttp.ClientError as error:
                raise _translated(error, request) from error

    return BotoSession


def _translated(error: aiohttp.ClientError, request: Any) -> Exception:
    where: dict[str, Any] = {"endpoint_url": request.url, "error": error}
    made: Exception
    if isinstance(error, aiohttp.ServerTimeoutError):
        made = boto.ReadTimeoutError(**where)
    elif isinstance(
        error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError
    ):
        made = boto.ConnectionClosedError(request=request, **where)
    else:
        made = boto.EndpointConnectionError(**where)
    return made
