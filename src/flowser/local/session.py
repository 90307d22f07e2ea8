"""An HTTP session that ends in a service of this process: no socket in between.

It has the face of ``aiobotocore.httpsession.AIOHTTPSession``, so that the real client
stays in the path, down to headers and bytes.

Source:
    DESIGN section 2.
"""

import functools
from collections.abc import Awaitable
from typing import Any, Self

from multidict import CIMultiDict

from flowser.local.protocol import Answer, Protocol
from flowser.local.service import Service


class Raw:
    """The body of an answer, to be read."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        """Give the whole body."""
        return self._body

    def close(self) -> None:
        """Close nothing."""


class Response:
    """An answer, as aiobotocore and flowser read it.

    Attributes:
        status_code: The HTTP status.
        headers: Without regard to upper and lower case.
        raw: The body.
        url: Where it came from.
    """

    def __init__(self, url: str, answer: Answer) -> None:
        self.url = url
        self.status_code = answer.status
        self.headers: CIMultiDict[str] = CIMultiDict(answer.headers)
        self.headers["Content-Length"] = str(len(answer.body))
        self.raw = Raw(answer.body)

    @property
    def content(self) -> Awaitable[bytes]:
        """The whole body, to be awaited."""
        return self.raw.read()


class Session:
    """Carries requests to a service of this process."""

    def __init__(self, protocol: Protocol, **_: Any) -> None:
        """Take what answers; options of sessions with sockets mean nothing here."""
        self._protocol = protocol
        self._open = False

    async def __aenter__(self) -> Self:
        """Begin to carry."""
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        """Carry no more."""
        self._open = False

    async def close(self) -> None:
        """Carry no more."""
        self._open = False

    async def send(self, request: Any) -> Response:
        """Send a prepared request: its url, headers and body."""
        if not self._open:
            raise RuntimeError("the session is not open: enter it with async with")
        headers = CIMultiDict(
            (name, value.decode() if isinstance(value, bytes) else str(value))
            for name, value in request.headers.items()
        )
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        answer = await self._protocol.answer(headers, bytes(body), _present)
        return Response(request.url, answer)


def _present() -> bool:
    # A caller that goes away cancels its call, and is known to be gone.
    return True


def session_class(service: Service) -> Any:
    """Make what ``connect(http_session_cls=...)`` and ``AioConfig`` take.

    Args:
        service: Where all requests go, whatever their URL.
    """
    return functools.partial(Session, Protocol(service))
