"""The lean wire: a call, from a typed request to a typed answer, in little time.

Strategy: encode once, sign with the day's key, let an HTTP session carry the bytes,
decode straight into the result. Polls and everything else go by HTTP sessions of
their own, so that a thousand held polls delay no heartbeat.

Rules: no boto here; HTTP sessions, credentials, and the meaning of their exceptions
are given from outside. A poll is sent once: SWF does not hand a task out again when
its answer is lost. Headers, bodies and credentials are never logged.

Source:
    DESIGN section 4; reliability.md section 0; swf-semantics.md section 1.1.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from flowser import _sigv4, requests, wire
from flowser._backoff import Backoff
from flowser.exceptions import (
    ConfigurationError,
    ConnectionFailed,
    Error,
    ExpiredCredentials,
    InternalFailure,
    ResponseLost,
    ServiceError,
    Throttled,
)
from flowser.shapes import Shape

R = TypeVar("R", bound=Shape)

_log = logging.getLogger(__name__)

#: Answers of this many bytes are refused; a page of 1,000 events has far fewer.
MAX_ANSWER_BYTES = 64 * 1024 * 1024

#: Calls other than polls are sent this often, as long as that makes sense.
ATTEMPTS = 6

#: No call is sent again when that would be later than this, in seconds.
PATIENCE = 20.0

#: As PATIENCE, for throttled calls of the control plane, whose buckets are small.
CONTROL_PATIENCE = 60.0

_CONTROL = ("Register", "Deprecate", "Undeprecate", "Delete", "List", "Tag", "Untag")
_CONTROL_DESCRIBES = frozenset(
    {"DescribeDomain", "DescribeActivityType", "DescribeWorkflowType"}
)

#: SWF does not deduplicate these: sent again only when it certainly did not act. (It
#: refuses a second start with an id only as long as the first run is open.)
_UNREPEATABLE = frozenset({"SignalWorkflowExecution", "StartWorkflowExecution"})

_PASSING = (ConnectionFailed, ResponseLost, Throttled, InternalFailure)
_IN_DOUBT = (ResponseLost, InternalFailure)


class Response(Protocol):
    """An HTTP answer, as aiobotocore's HTTP sessions give it."""

    status_code: int
    headers: Mapping[str, str]
    raw: Any

    @property
    def content(self) -> Awaitable[bytes]:
        """The whole body."""
        ...


class HttpSession(Protocol):
    """What carries bytes: an aiobotocore HTTP session."""

    async def send(self, request: Any, /) -> Response:
        """Send a prepared request, and give its answer."""
        ...


class Credentials(Protocol):
    """Where keys come from."""

    #: How often keys were read anew.
    generation: int

    async def keys(self, operation: str) -> _sigv4.Keys:
        """Give the keys to sign a call with, refreshed when they are due.

        Raises:
            ConnectionFailed: When they cannot be refreshed now.
        """
        ...

    async def renew(self, generation: int) -> bool:
        """Read keys anew, unless that was done since *generation*.

        Returns:
            Whether there are other keys to try.
        """
        ...


class Transport(NamedTuple):
    """What a connection stands on; all of it is given from outside.

    Attributes:
        signer: Signs calls to the endpoint.
        credentials: Gives the keys.
        polls: Carries polls; times out later than SWF answers them.
        calls: Carries everything else.
        prepare: Makes what a session sends; botocore's AWSPreparedRequest.
        explain: Turns a session's exception into flowser's; None when it is a bug.
        user_agent: The header of that name.
    """

    signer: _sigv4.Signer
    credentials: Credentials
    polls: HttpSession
    calls: HttpSession
    prepare: Callable[..., Any]
    explain: Callable[[str, Exception], Error | None]
    user_agent: str


class Connection:
    """An open way to SWF; :func:`flowser.connect` makes it.

    Give it to a :class:`~flowser.Domain`. One is enough for a process. It is a
    :class:`~flowser.wire.Wire`.

    Attributes:
        region_name: The region that calls are signed for.
        endpoint_url: Where they go.
        max_pollers: How many polls can be held at a time.
        release_polls: Has them answered; None but for an SWF in this process.
    """

    release_polls: Callable[[], None] | None = None

    def __init__(
        self,
        transport: Transport,
        *,
        region_name: str,
        max_pollers: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.region_name = region_name
        self.endpoint_url = transport.signer.url
        self.max_pollers = max_pollers
        self._transport = transport
        self._sleep = sleep
        self._clock = clock
        self._polling = 0
        self._crowded = False
        self._closed = False
        self._loop = asyncio.get_running_loop()

    def __repr__(self) -> str:
        return f"<flowser.Connection to {self.endpoint_url} ({self.region_name})>"

    async def call(
        self, operation: str, params: requests.Request[Any], result_type: type[R], /
    ) -> R:
        """Call an operation of SWF.

        A poll is sent once, whatever becomes of it. Everything else is repeated, with
        growing pauses, after throttling, failures of SWF or of the network: six times
        within 20 seconds; throttled registrations and listings for up to a minute.
        SignalWorkflowExecution and StartWorkflowExecution are not repeated when SWF
        may have acted: a signal would arrive, or a payment run, twice. A call that
        SWF refused for expired credentials is repeated once, with credentials read
        anew.

        Args:
            operation: One of the 39 names.
            params: Its request.
            result_type: The class of its answer.

        Returns:
            The answer.

        Raises:
            InvalidArgument: Before anything is sent.
            EmptyTaskPollResult: When a poll ended without a task.
            ServiceError: When SWF answered with an error. Its ``retried`` tells
                whether an earlier attempt may have succeeded.
            ConnectionFailed: When the request did not reach SWF.
            ResponseLost: When it may have, and no whole answer came back.
            ConfigurationError: When the connection was closed.

        Source:
            reliability.md sections 0 and 4 (experiments 3 to 15).
        """
        body = wire.encode(params)
        if requests.is_long_poll(params):
            return await self._poll(operation, body, result_type)
        return await self._persist(operation, body, result_type)

    def close(self) -> None:
        """Refuse further calls."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigurationError(
                "the connection is closed: call inside `async with flowser.connect()`"
            )

    def _check_loop(self) -> None:
        if self._loop is not asyncio.get_running_loop():
            raise ConfigurationError(
                "the connection belongs to another event loop: open one in each"
            )

    async def _poll(self, operation: str, body: bytes, result_type: type[R]) -> R:
        self._polling += 1
        if self._polling > self.max_pollers and not self._crowded:
            self._crowded = True
            _log.warning(
                "more than max_pollers=%d polls at a time: the others wait for a "
                "connection; give flowser.connect a larger max_pollers",
                self.max_pollers,
            )
        try:
            return await self._attempt(
                self._transport.polls, operation, body, result_type
            )
        finally:
            self._polling -= 1

    async def _persist(self, operation: str, body: bytes, result_type: type[R]) -> R:
        calls = self._transport.calls
        trials = Trials(operation, self._clock())
        while True:
            try:
                return await self._attempt(calls, operation, body, result_type)
            except (ConnectionFailed, ResponseLost, ServiceError) as error:
                pause = trials.pause_after(error, self._clock())
                if pause is None:
                    raise
                _log.debug("%s; again in %.1f s", error, pause)
            await self._sleep(pause)

    async def _attempt(
        self, session: HttpSession, operation: str, body: bytes, result_type: type[R]
    ) -> R:
        credentials = self._transport.credentials
        generation = credentials.generation
        try:
            answer = await self._exchange(session, operation, body)
        except ExpiredCredentials:  # SWF did not act, so that even a poll may go again
            if not await credentials.renew(generation):
                raise
            answer = await self._exchange(session, operation, body)
        return wire.decode(operation, answer, result_type)

    async def _exchange(
        self, session: HttpSession, operation: str, body: bytes
    ) -> bytes:
        """Send a request once; give the body of the answer unless it is an error."""
        signer, credentials, _, _, prepare, explain, agent = self._transport
        self._check_loop()
        keys = await credentials.keys(operation)
        self._check_open()  # here, for it may be closed while keys are refreshed
        now = datetime.now(UTC)  # noqa: TID251 - a signature bears the date
        target = f"SimpleWorkflowService.{operation}"
        headers = signer.sign(keys, now, target, body)
        headers["User-Agent"] = agent
        request = prepare("POST", signer.url, headers, body, stream_output=True)
        try:
            response = await session.send(request)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or not task.cancelling():  # then it is the pool's doing
                self._check_open()
            raise
        except Exception as error:
            if known := explain(operation, error):
                raise known from error
            raise
        answer = await _body(operation, response)
        status = response.status_code
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s: HTTP %d, request %s", operation, status, _id(response))
        if status >= 300:  # noqa: PLR2004 - as HTTP counts
            raise wire.error(operation, status, answer, _id(response))
        return answer


class Trials:
    """Judges whether, and when, a call is sent again."""

    def __init__(self, operation: str, began: float) -> None:
        self._operation = operation
        self._began = began
        self._backoff: Backoff | None = None
        self._in_doubt = False

    def pause_after(self, error: Error, now: float) -> float | None:
        """Judge a failure, and mark it if an earlier attempt may have succeeded.

        Returns:
            Seconds to wait before the next attempt; None when there is to be none.
        """
        if isinstance(error, ServiceError):
            error.retried = self._in_doubt
        doubtful = isinstance(error, _IN_DOUBT)
        self._in_doubt |= doubtful
        if not isinstance(error, _PASSING):
            return None
        if doubtful and self._operation in _UNREPEATABLE:
            return None
        return self._pause(now, patient=isinstance(error, Throttled))

    def _pause(self, now: float, *, patient: bool) -> float | None:
        self._backoff = self._backoff or Backoff(first=0.4, most=10.0)
        pause = self._backoff.pause()
        end = now - self._began + pause
        if patient and is_control(self._operation):
            return pause if end <= CONTROL_PATIENCE else None
        within = end <= PATIENCE and self._backoff.failures < ATTEMPTS
        return pause if within else None


def is_control(operation: str) -> bool:
    """Tell whether an operation is of the control plane: types, domains, lists."""
    return operation.startswith(_CONTROL) or operation in _CONTROL_DESCRIBES


def _id(response: Response) -> str | None:
    return response.headers.get("x-amzn-requestid")


async def _body(operation: str, response: Response) -> bytes:
    try:
        return await _read(response)
    except Exception as error:
        # The status arrived, so SWF has acted, whatever it is that went wrong.
        problem = f"the answer was cut: {str(error) or type(error).__name__}"
        raise ResponseLost(operation, problem) from error


async def _read(response: Response) -> bytes:
    """Read a body, but not one without end."""
    announced = response.headers.get("content-length")
    if announced is not None and int(announced) <= MAX_ANSWER_BYTES:
        return await response.content
    pieces = getattr(getattr(response.raw, "content", None), "iter_any", None)
    if pieces is None:
        return await response.content  # not aiohttp's: nothing to count by
    read = bytearray()
    try:
        _check_size(int(announced or 0))
        async for piece in pieces():
            read += piece
            _check_size(len(read))
    except BaseException:
        response.raw.close()
        raise
    return bytes(read)


def _check_size(size: int) -> None:
    if size > MAX_ANSWER_BYTES:
        raise ValueError(f"more than {MAX_ANSWER_BYTES:,} bytes; refused")
