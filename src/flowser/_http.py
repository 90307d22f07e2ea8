"""An HTTP session for one endpoint: aiohttp, with nothing that JSON calls do not need.

It has the face of ``aiobotocore.httpsession.AIOHTTPSession``, which serves any AWS
service by any proxy, and takes a fifth longer for each call.

Rules: no boto here; aiohttp's exceptions pass through, ``_boto.explain`` knows them.

Source:
    perf.md section 7.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL


class Answer:
    """An answer, as the lean wire reads it.

    Attributes:
        status_code: The HTTP status.
        headers: Without regard to upper and lower case.
        raw: aiohttp's response.
    """

    __slots__ = ("headers", "raw", "status_code")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status_code = response.status
        self.headers: Mapping[str, str] = response.headers
        self.raw = response

    @property
    def content(self) -> Awaitable[bytes]:
        """The whole body, to be awaited."""
        return self.raw.read()


class Session:
    """Carries JSON calls to one endpoint."""

    def __init__(
        self,
        *,
        timeout: tuple[float, float],
        max_pool_connections: int,
        verify: bool | str = True,
        connector_args: Mapping[str, Any] | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            timeout: Seconds to connect, and seconds of silence.
            max_pool_connections: How many calls can be in flight.
            verify: The path of a CA bundle; True for the system's, False for none.
            connector_args: For ``aiohttp.TCPConnector``.
        """
        connect, silence = timeout
        self._timeout = aiohttp.ClientTimeout(sock_connect=connect, sock_read=silence)
        self._limit = max_pool_connections
        self._verify = verify
        self._connector_args = dict(connector_args or {})
        self._urls: dict[str, URL] = {}

    async def __aenter__(self) -> Self:
        """Begin to carry."""
        # Reads files: not in the event loop.
        tls = await asyncio.to_thread(_tls, self._verify)
        given: dict[str, Any] = {
            "ssl": tls,
            "limit": self._limit,
        } | self._connector_args
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(**given),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type"),
        )
        await self._session.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all connections."""
        await self._session.__aexit__(kind, error, traceback)

    async def send(self, request: Any) -> Answer:
        """Send a prepared request: its url, headers and body.

        Raises:
            aiohttp.ClientError: When there is no answer.
            OSError: Likewise.
        """
        url = self._urls.get(request.url)
        if url is None:
            url = self._urls[request.url] = URL(request.url, encoded=True)
        response = await self._session.request(
            "POST",
            url,
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
        )
        return Answer(response)


def _tls(verify: bool | str) -> ssl.SSLContext:
    bundle = verify if isinstance(verify, str) else None
    context = ssl.create_default_context(cafile=bundle)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
