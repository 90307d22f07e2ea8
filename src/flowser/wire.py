"""The seam between flowser and the bytes: one call, and what goes over it.

Everything that talks to SWF does so by ``await wire.call(operation, params,
result_type)``. There are two wires: a lean one, ``_lean.Connection``, and one over a
plain aiobotocore client, ``_boto.BotoWire``. This module is what both share: how a
request is checked and written, how an answer is read, and which exception an error
becomes.

Source:
    swf-semantics.md sections 1.1, 1.2 and 2.1.
"""

import functools
import re
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

import msgspec

from flowser import events, limits, requests, shapes
from flowser.exceptions import (
    SERVICE_ERRORS,
    ClockSkewed,
    EmptyTaskPollResult,
    InternalFailure,
    InvalidArgument,
    ResponseLost,
    ServiceError,
    Throttled,
)
from flowser.shapes import Shape

R = TypeVar("R", bound=Shape)


#: The words with which a signature is refused for its time, not for its key.
_SKEW = re.compile(r"Signature (expired|not yet current)")


def release_polls(wire: "Wire") -> None:
    """Have polls answered that an SWF on this machine holds; AWS cannot be told.

    So a worker that stops need not wait out its polls.
    """
    release = getattr(wire, "release_polls", None)
    if release is not None:
        release()


class Wire(Protocol):
    """Carries one call to SWF, and its answer back."""

    async def call(
        self, operation: str, params: requests.Request[Any], result_type: type[R], /
    ) -> R:
        """Call an operation of SWF.

        Args:
            operation: One of the 39 names.
            params: Its request.
            result_type: The class of its answer, from :mod:`flowser.results`.

        Returns:
            The answer.

        Raises:
            InvalidArgument: Before anything is sent.
            EmptyTaskPollResult: When a poll ended without a task.
            ServiceError: When SWF answered with an error.
            ConnectionFailed: When the request did not reach SWF.
            ResponseLost: When it may have, and no whole answer came back.
        """
        ...


async def send(wire: Wire, request: requests.Request[R]) -> R:
    """Send a request over a wire; its class says the operation and the answer."""
    kind = type(request)
    return await wire.call(kind.__name__, request, requests.answer(kind))


def encode(params: requests.Request[Any]) -> bytes:
    """Check a request, and write it as the body of a call.

    Raises:
        InvalidArgument: When SWF would refuse it.
    """
    limits.check(params)
    try:
        body = msgspec.json.encode(params)
    except UnicodeEncodeError as error:
        problem = "contains a lone surrogate, which is no character"
        raise InvalidArgument(type(params).__name__, problem, "remove it") from error
    if len(body) >= limits.MAX_REQUEST_BYTES:
        problem = f"has {len(body):,} bytes; SWF takes 1 MB with headers"
        remedy = "send less at once: fewer decisions, or shorter payloads"
        raise InvalidArgument(type(params).__name__, problem, remedy)
    return body


def decode(operation: str, body: bytes, result_type: type[R]) -> R:
    """Read the body of an answer.

    Raises:
        EmptyTaskPollResult: When it is the answer of a poll that brought no task.
        ResponseLost: When it is not what SWF answers to this operation.
    """
    body = body or b"{}"  # as operations answer that have nothing to say
    try:
        result, reason = _typed(result_type, body)
        if result is not None and getattr(result, "task_token", True):
            return result
        plain = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ResponseLost(operation, f"unreadable answer: {error}") from error
    return convert(operation, plain, result_type, reason)


def _typed(
    result_type: type[R], body: bytes
) -> tuple[R | None, msgspec.ValidationError | None]:
    """Read an answer in which all is known, or say what is not."""
    try:
        return _decoder(result_type).decode(body), None
    except msgspec.ValidationError as error:
        return None, error


@functools.cache
def _decoder(result_type: type[R]) -> msgspec.json.Decoder[R]:
    # Lax only so that a time stamp, a number on the wire, becomes a datetime.
    return msgspec.json.Decoder(result_type, strict=False)


def convert(
    operation: str,
    answer: Any,
    result_type: type[R],
    reason: Exception | None = None,
) -> R:
    """Make the result of a plain answer, in which not all may be known.

    Args:
        operation: For the errors.
        answer: What came back, as plain JSON.
        result_type: The class of the result.
        reason: Why it could not be read at once, if that was tried.

    Raises:
        EmptyTaskPollResult: When it is the answer of a poll that brought no task.
        ResponseLost: When it is not what SWF answers to this operation.
    """
    if operation in requests.POLLS and isinstance(answer, dict):
        _check_token(operation, answer)
    try:
        if isinstance(answer, dict) and isinstance(answer.get("events"), list):
            page = msgspec.convert(answer | {"events": []}, result_type, strict=False)
            known = [events.event(raw) for raw in answer["events"]]
            return msgspec.structs.replace(page, events=known)
        return msgspec.convert(shapes.without_nulls(answer), result_type, strict=False)
    except (
        msgspec.ValidationError,
        AttributeError,
        TypeError,
        RecursionError,
    ) as error:
        problem = f"not an answer of {operation}: {reason or error}"
        raise ResponseLost(operation, problem) from error


def _check_token(operation: str, answer: dict[str, Any]) -> None:
    """Recognise a poll that brought nothing.

    The token may be missing or ``""`` (semantics 2.1). Without a ``startedEventId``
    of 0 the answer is broken, and a task may be lost (reliability.md 0.3).
    """
    if answer.get("taskToken"):
        return
    if answer.get("startedEventId") == 0:
        raise EmptyTaskPollResult(operation)
    raise ResponseLost(operation, "neither a task nor an empty poll")


def _kind_of(status: int) -> type[ServiceError]:
    """Judge an error without a known code, of a proxy or a load balancer perhaps."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled
    timed_out = status == HTTPStatus.REQUEST_TIMEOUT
    failed = timed_out or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return InternalFailure if failed else ServiceError


class _ErrorBody(msgspec.Struct):
    type: str = msgspec.field(name="__type", default="")
    message: str | None = None
    Message: str | None = None


def error(
    operation: str, status: int, body: bytes, request_id: str | None = None
) -> ServiceError:
    """Make the exception that an error answer stands for.

    Args:
        operation: What was called.
        status: The HTTP status, 400 or more.
        body: The answer; anything but JSON (a proxy's page) is not looked into.
        request_id: SWF's id of the request.
    """
    try:
        told = msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = _ErrorBody()
    code = told.type.rpartition("#")[2].partition(":")[0]
    message = told.message or told.Message or ""
    return service_error(operation, code, message, status, request_id)


def service_error(
    operation: str, code: str, message: str, status: int, request_id: str | None = None
) -> ServiceError:
    """Make the exception for an error's code, whoever read it from the wire."""
    kind = SERVICE_ERRORS.get(code) or _kind_of(status)
    if code == "InvalidSignatureException" and _SKEW.search(message):
        kind = ClockSkewed
    return kind(
        operation,
        code or f"HTTP {status}",
        message,
        status=status,
        request_id=request_id,
    )
