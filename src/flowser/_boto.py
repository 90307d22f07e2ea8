"""A plain aiobotocore client as a wire, and what botocore's exceptions mean.

Strategy: an application that has an aiobotocore SWF client can use it. botocore then
signs, retries and parses as that client was configured; what is checked before, and
what comes back, is the same as by the lean wire. It is slower, a history page by far,
and two things it cannot give back: botocore drops unknown members and the attributes
of unknown events, and sends dates in whole seconds.

Rules: with ``_client.py`` the only importer of aiobotocore and botocore; no exception
of theirs reaches a caller, but as a ``__cause__``.

Source:
    DESIGN section 4; reliability.md section 0; perf.md section 2.
"""

import contextlib
import logging
import socket
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp
import msgspec
from aiobotocore.client import AioBaseClient
from aiobotocore.session import ClientCreatorContext
from botocore import exceptions as boto
from botocore import xform_name
from botocore.client import BaseClient
from botocore.parsers import ResponseParserError

from flowser import requests, wire
from flowser.exceptions import (
    ConfigurationError,
    ConnectionFailed,
    Error,
    InvalidArgument,
    ResponseLost,
    ServiceError,
)
from flowser.shapes import Shape

R = TypeVar("R", bound=Shape)

_log = logging.getLogger("flowser")

#: SWF holds polls for 60 seconds; the advice is to wait for 70 at least.
_LEAST_READ_TIMEOUT = 70
_DEFAULT_POOL = 10
_DEFAULT_ATTEMPTS = {"legacy": 5, "standard": 3, "adaptive": 3}


class _Use:
    """What all domains do together with one client."""

    def __init__(self) -> None:
        self.polls = 0  # in flight
        self.crowded = False  # and warned of


#: One word of warning for a client is enough, however many domains use it.
_uses: weakref.WeakKeyDictionary[Any, _Use] = weakref.WeakKeyDictionary()

_NOT_REACHED = (
    boto.ConnectTimeoutError,
    boto.ProxyConnectionError,
    boto.SSLError,
    ConnectionRefusedError,
    socket.gaierror,
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
)
_LOST = (
    boto.HTTPClientError,
    boto.ConnectionError,
    ResponseParserError,
    aiohttp.ClientError,
    OSError,
    EOFError,
)


def explain(operation: str, error: Exception) -> Error | None:
    """Say what an exception of the HTTP layer, or of botocore, means for a call.

    Args:
        operation: What was called.
        error: What came instead of an answer.

    Returns:
        ConnectionFailed when nothing was sent, ResponseLost when something may have
        been; None when it is a bug.
    """
    if isinstance(error, boto.ParamValidationError):
        return InvalidArgument(operation, str(error), "see the botocore model")
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError):
        return ConfigurationError(f"{operation}: {error}")
    if isinstance(error, boto.EndpointConnectionError):
        # aiobotocore also calls it so when a connection breaks after the request.
        cause = error.kwargs.get("error")
        broken = isinstance(cause, aiohttp.ClientConnectionError | ConnectionError)
        reached = broken and not isinstance(cause, _NOT_REACHED)
    elif isinstance(error, (*_NOT_REACHED, *_LOST)):
        reached = not isinstance(error, _NOT_REACHED)
    elif isinstance(error, boto.BotoCoreError):  # of credentials: nothing was sent
        reached = False
    else:
        return None
    return (ResponseLost if reached else ConnectionFailed)(operation, _words(error))


def _words(error: Exception) -> str:
    cause = error.kwargs.get("error") if isinstance(error, boto.BotoCoreError) else None
    words = str(error) or type(error).__name__
    return words if cause is None or str(cause) in words else f"{words} ({cause})"


def wire_of(conn: Any) -> wire.Wire:
    """Make a wire of whatever a domain was given to talk by.

    Args:
        conn: A connection, any other wire, or a plain aiobotocore SWF client.

    Raises:
        ConfigurationError: Naming what was given instead, and what to do.
    """
    kind = f"{type(conn).__module__}.{type(conn).__qualname__}"
    if isinstance(conn, AioBaseClient):
        service = conn.meta.service_model.service_name
        if service != "swf":
            raise ConfigurationError(f"an aiobotocore client of {service}, not of swf")
        return BotoWire(conn)
    if isinstance(conn, BaseClient):
        raise ConfigurationError(
            f"{kind} is a boto3 or botocore client, which blocks: use flowser.connect()"
        )
    if isinstance(conn, ClientCreatorContext) or hasattr(conn, "__aenter__"):
        raise ConfigurationError(
            f"{kind} is not entered: write `async with ... as conn`, and give conn"
        )
    if not callable(getattr(conn, "call", None)):
        raise ConfigurationError(
            f"{kind} is no connection: use flowser.connect(), or an aiobotocore client"
        )
    found: wire.Wire = conn
    return found


class BotoWire:
    """Carries calls by a plain aiobotocore client, with that client's settings.

    Polls and other calls share its pool, time-outs and retries; what is wrong with
    these for long polls is logged once, with the configuration to use instead.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        known = client in _uses
        self._use = _uses.setdefault(client, _Use())
        if not known and (faults := list(_faults(client.meta.config))):
            _log.warning("%s", _advice(faults))

    def __repr__(self) -> str:
        return f"<flowser wire over an aiobotocore client of {self.endpoint_url}>"

    @property
    def endpoint_url(self) -> str:
        """Where the client calls."""
        url: str = self._client.meta.endpoint_url
        return url

    @property
    def region_name(self) -> str:
        """The region that the client signs for."""
        region: str = self._client.meta.region_name
        return region

    async def call(
        self, operation: str, params: requests.Request[Any], result_type: type[R], /
    ) -> R:
        """Call an operation of SWF.

        The client's own retries apply. A service error after a retry has ``retried``
        set, since botocore does not tell what became of the earlier attempts.

        Args:
            operation: One of the 39 names.
            params: Its request.
            result_type: The class of its answer.

        Returns:
            The answer.

        Raises:
            InvalidArgument: Before anything is sent.
            EmptyTaskPollResult: When a poll ended without a task.
            ServiceError: When SWF answered with an error.
            ConnectionFailed: When the request did not reach SWF.
            ResponseLost: When it may have, and no whole answer came back.
            ConfigurationError: When the client has no credentials.
        """
        wire.encode(params)
        with self._counted(params):
            answer = await self._answer(operation, msgspec.to_builtins(params))
        return wire.convert(operation, _in_utc(answer), result_type)

    @contextlib.contextmanager
    def _counted(self, params: requests.Request[Any]) -> Iterator[None]:
        """Count the polls in flight, and warn when they leave no connection free."""
        poll = requests.is_long_poll(params)
        use, pool = self._use, self._client.meta.config.max_pool_connections
        use.polls += poll
        if use.polls >= pool and not use.crowded:
            use.crowded = True
            _log.warning(
                "%d polls at a time hold all connections of this aiobotocore client "
                "(max_pool_connections=%d): everything else waits for them to end",
                *(use.polls, pool),
            )
        try:
            yield
        finally:
            use.polls -= poll

    async def _answer(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        try:
            method = getattr(self._client, xform_name(operation))
            answer: dict[str, Any] = await method(**members)
        except boto.ClientError as error:
            raise _service_error(operation, error) from error
        except Exception as error:
            if known := explain(operation, error):
                raise known from error
            raise
        del answer["ResponseMetadata"]
        return answer


def _service_error(operation: str, error: boto.ClientError) -> ServiceError:
    told = error.response.get("Error", {})
    about = error.response.get("ResponseMetadata", {})
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    status = int(about.get("HTTPStatusCode", 400))
    if code == str(status):  # botocore's words for an answer that has none
        code, message = "", ""
    made = wire.service_error(operation, code, message, status, about.get("RequestId"))
    made.retried = about.get("RetryAttempts", 0) > 0
    return made


def _in_utc(value: Any) -> Any:
    """Bring botocore's local times to UTC, as results have them."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, dict):
        return {name: _in_utc(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_in_utc(item) for item in value]
    return value


def _faults(config: Any) -> Iterator[str]:
    """List what is wrong with a client's configuration for long polls."""
    if config.read_timeout is not None and config.read_timeout < _LEAST_READ_TIMEOUT:
        yield (
            f"read_timeout={config.read_timeout} gives up polls that SWF holds for "
            "60 s, and a task handed out meanwhile is lost"
        )
    retries = config.retries or {}
    mode = retries.get("mode", "legacy")
    attempts = retries.get("total_max_attempts", _DEFAULT_ATTEMPTS.get(mode, 3))
    if attempts > 1:
        yield (
            f"{mode} retries, {attempts} attempts, poll again silently when an answer "
            "is lost, and hide the task that was in it"
        )
    if config.max_pool_connections <= _DEFAULT_POOL:
        yield (
            f"max_pool_connections={config.max_pool_connections} makes calls wait for "
            "polls to end"
        )


def _advice(faults: list[str]) -> str:
    return (
        "this aiobotocore client is not made for long polls: "
        + "; ".join(faults)
        + ". Use flowser.connect(), or create the client with config=AioConfig("
        'read_timeout=75, retries={"total_max_attempts": 1}, max_pool_connections=N), '
        "N being the number of pollers and 20 more"
    )
