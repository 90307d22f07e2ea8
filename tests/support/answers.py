"""What a scripted SWF may answer, and the fault bodies shared by all our servers.

Source: swf-semantics.md, section 1.2.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

SWF = "com.amazonaws.swf.base.model"
VALIDATION = "com.amazon.coral.validate"
AVAILABILITY = "com.amazon.coral.availability"
SERVICE = "com.amazon.coral.service"

CONTENT_TYPE = "application/x-amz-json-1.0"


@dataclass(frozen=True)
class Recorded:
    """A request as it came over the wire.

    Attributes:
        operation: The text after the last dot of the target, "PollForActivityTask".
        target: The whole ``X-Amz-Target`` header.
        headers: All headers; names are found in any case.
        body: The bytes of the body.
        params: The body as decoded JSON.
        at: When it was read; seconds of the event loop's clock.
    """

    operation: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    params: dict[str, Any]
    at: float


@dataclass(frozen=True)
class Fault:
    """An AWS error.

    Attributes:
        code: The name after the ``#`` of ``__type``.
        message: Text; left out of the body when it is None.
        status: HTTP status.
        namespace: The part of ``__type`` before the ``#``.
    """

    code: str
    message: str | None = ""
    status: int = 400
    namespace: str = SWF

    @property
    def body(self) -> bytes:
        """The error as JSON bytes."""
        error = {"__type": f"{self.namespace}#{self.code}"}
        if self.message is not None:
            error["message"] = self.message
        return msgspec.json.encode(error)


class Refused(Exception):
    """Raised inside a server to answer a request with a fault."""

    def __init__(self, fault: Fault) -> None:
        """Carry *fault* to whoever writes the answer."""
        super().__init__(f"{fault.code}: {fault.message}")
        self.fault = fault


@dataclass(frozen=True)
class Status:
    """A bare HTTP answer: any status, body and content type."""

    code: int
    body: bytes = b""
    content_type: str = CONTENT_TYPE


@dataclass(frozen=True)
class Lost:
    """The request is read, then the connection is closed without an answer."""


@dataclass(frozen=True)
class Cut:
    """Headers with the full length, half of the body, then the connection closes."""

    json: Any


@dataclass(frozen=True)
class TruncatedJson:
    """A complete HTTP 200 whose body is the first half of the JSON."""

    json: Any


@dataclass(frozen=True)
class Delayed:
    """Waits until *gate* is set, then answers *then*."""

    gate: asyncio.Event
    then: "Answer"


@dataclass(frozen=True)
class Hang:
    """Waits until *event* is set, then answers *then* (an empty 200 by default)."""

    event: asyncio.Event
    then: "Answer" = field(default=None)


Answer = (
    dict[str, Any]
    | None
    | Fault
    | Status
    | Lost
    | Cut
    | TruncatedJson
    | Delayed
    | Hang
    | Callable[[Recorded], Awaitable["Answer"]]
)


def throttled() -> Fault:
    """Give SWF's throttling error."""
    return Fault("ThrottlingException", "Rate exceeded", namespace=AVAILABILITY)


def limit_exceeded() -> Fault:
    """Give the error for too many concurrent polls on a task list."""
    text = "Limit on maximum concurrent poll requests per task list reached"
    return Fault("LimitExceededFault", text)


def expired_token() -> Fault:
    """Give the error for credentials that have expired."""
    text = "The security token included in the request is expired"
    return Fault("ExpiredTokenException", text, namespace=SERVICE)


def unknown_resource(message: str) -> Fault:
    """Give an UnknownResourceFault; section 1.3 lists SWF's messages."""
    return Fault("UnknownResourceFault", message)


def invalid(message: str) -> Fault:
    """Give a ValidationException; section 1.4 lists SWF's messages."""
    return Fault("ValidationException", message, namespace=VALIDATION)


def internal_failure(status: int = 500) -> Fault:
    """Give a server error without a message."""
    name = "ServiceUnavailable" if status == 503 else "InternalFailure"
    return Fault(name, None, status, SERVICE)
