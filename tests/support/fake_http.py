"""What ``http_session_cls`` can be: bytes without sockets."""

from collections.abc import Awaitable
from typing import Any, ClassVar, Self


class FakeResponse:
    """An answer with a body, as AioAWSResponse is."""

    raw = None
    status_code = 200

    def __init__(self, body: bytes) -> None:
        """Answer 200 with *body*."""
        self.headers: dict[str, str] = {}
        self._body = body

    @property
    def content(self) -> Awaitable[bytes]:
        """The body, to be awaited."""

        async def read() -> bytes:
            return self._body

        return read()


class FakeSession:
    """An HTTP session without sockets, with the face of aiobotocore's.

    Attributes:
        made: All of them, in the order they were made.
        keywords: What it was made with.
        sent: The requests.
        open: Whether it was entered and not left.
    """

    made: ClassVar[list["FakeSession"]] = []

    def __init__(self, **keywords: Any) -> None:
        """Keep the keywords to be looked at."""
        self.keywords = keywords
        self.sent: list[Any] = []
        self.open = False
        self.made.append(self)

    async def __aenter__(self) -> Self:
        """Open it."""
        self.open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        self.open = False

    async def send(self, request: Any) -> FakeResponse:
        """Answer every request alike."""
        self.sent.append(request)
        return FakeResponse(b'{"startedEventId": 0, "count": 5}')
