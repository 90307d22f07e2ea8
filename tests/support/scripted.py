"""An SWF that answers by script and records what it was asked."""

import asyncio
from collections import Counter, defaultdict, deque
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web

from tests.support.answers import (
    CONTENT_TYPE,
    Answer,
    Cut,
    Delayed,
    Fault,
    Hang,
    Lost,
    Recorded,
    Status,
    TruncatedJson,
    internal_failure,
)
from tests.support.watch import Watch

# Operations whose output has no members: 200 with a body of zero bytes.
VOID = frozenset(
    [
        "RegisterDomain",
        "DeprecateDomain",
        "UndeprecateDomain",
        "TagResource",
        "UntagResource",
        "RegisterWorkflowType",
        "RegisterActivityType",
        "DeprecateWorkflowType",
        "DeprecateActivityType",
        "UndeprecateWorkflowType",
        "UndeprecateActivityType",
        "DeleteWorkflowType",
        "DeleteActivityType",
        "SignalWorkflowExecution",
        "RequestCancelWorkflowExecution",
        "TerminateWorkflowExecution",
        "RespondDecisionTaskCompleted",
        "RespondActivityTaskCompleted",
        "RespondActivityTaskFailed",
        "RespondActivityTaskCanceled",
    ]
)

EMPTY_POLL: dict[str, Any] = {"startedEventId": 0, "previousStartedEventId": 0}

# Backstop for a connection that aiohttp cannot close at once.
_SHUTDOWN_SECONDS = 1.0


class ScriptedSwf:
    """A real HTTP server for SWF's protocol that answers what a test tells it to.

    Without a script, polls are parked until :meth:`release_polls`, void operations
    answer an empty body, and everything else answers ``{}``.

    Example::

        async with ScriptedSwf() as server:
            server.answer("StartWorkflowExecution", throttled(), {"runId": "r-1"})
            ...
            assert server.count("StartWorkflowExecution") == 2

    Attributes:
        url: Where it listens; known once it has been entered.
        requests: Every request, in order of arrival.
    """

    url: str

    def __init__(self) -> None:
        """Create a server that does not listen yet."""
        self.requests: list[Recorded] = []
        self._counts: Counter[str] = Counter()
        self._queued: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._defaults: dict[str, Answer] = {}
        self._parked: set[asyncio.Future[None]] = set()
        self._busy: set[asyncio.Task[Any]] = set()
        self._errors: list[Exception] = []
        self._closing = False
        self._watch = Watch(lambda: repr(dict(self._counts)))
        self._runner = web.ServerRunner(
            web.Server(self._serve, access_log=None),
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )

    async def __aenter__(self) -> Self:
        """Listen on a free loopback port."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Answer parked polls, drop all that hangs, and stop listening.

        Raises:
            ExceptionGroup: If a callable in the script had failed.
        """
        self._closing = True
        self.release_polls()
        for task in self._busy:
            task.cancel()
        await self._runner.cleanup()
        if self._errors and error is None:
            raise ExceptionGroup("the script of the SWF failed", self._errors)

    def answer(self, operation: str, *answers: Answer) -> None:
        """Queue *answers* for the next calls of *operation*, one each."""
        self._queued[operation].extend(answers)

    def always(self, operation: str, answer: Answer) -> None:
        """Set what *operation* answers whenever nothing is queued for it."""
        self._defaults[operation] = answer

    def release_polls(self) -> None:
        """Answer the polls that are parked now as empty; later ones park again."""
        for future in self._parked:
            if not future.done():
                future.set_result(None)

    def count(self, operation: str) -> int:
        """Tell how many requests for *operation* have arrived."""
        return self._counts[operation]

    def of(self, operation: str) -> list[Recorded]:
        """List the requests for *operation*, in order of arrival."""
        return [request for request in self.requests if request.operation == operation]

    async def received(
        self, operation: str, n: int = 1, timeout: float = 10.0
    ) -> Recorded:
        """Wait until *n* requests for *operation* have arrived, counted from the start.

        Args:
            operation: Its name, without the prefix of the target.
            n: How many.
            timeout: Seconds after which an AssertionError is raised.

        Returns:
            The n-th of them.
        """
        await self._watch.until(
            lambda: self._counts[operation] >= n, f"{n} x {operation}", timeout
        )
        return self.of(operation)[n - 1]

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        recorded = await self._record(request)
        answer = self._next_answer(recorded.operation)
        return await self._send(request, await self._resolve(recorded, answer))

    async def _record(self, request: web.BaseRequest) -> Recorded:
        body = await request.read()
        target = request.headers.get("X-Amz-Target", "")
        recorded = Recorded(
            operation=target.rpartition(".")[2],
            target=target,
            headers=request.headers,
            body=body,
            params=msgspec.json.decode(body) if body else {},
            at=asyncio.get_running_loop().time(),
        )
        self.requests.append(recorded)
        self._counts[recorded.operation] += 1
        self._watch.poke()
        return recorded

    def _next_answer(self, operation: str) -> Answer:
        queued = self._queued[operation]
        if queued:
            return queued.popleft()
        if operation in self._defaults:
            return self._defaults[operation]
        if operation.startswith("PollFor"):
            return self._park
        return None if operation in VOID else {}

    async def _park(self, _: Recorded) -> Answer:
        # Parked polls are answered when the server closes, so they are not "busy".
        self._busy.discard(_this_task())
        if not self._closing:
            future = asyncio.get_running_loop().create_future()
            self._parked.add(future)
            try:
                await future
            finally:
                self._parked.remove(future)
        return EMPTY_POLL

    async def _resolve(self, recorded: Recorded, answer: Answer) -> Answer:
        """Wait for gates and ask callables until a plain answer is left."""
        self._busy.add(_this_task())
        try:
            while True:
                match answer:
                    case Hang(gate, then) | Delayed(gate, then):
                        await gate.wait()
                        answer = then
                    case _ if callable(answer):
                        answer = await answer(recorded)
                    case _:
                        return answer
        except Exception as error:  # noqa: BLE001  (raised when the server is left)
            self._errors.append(error)
            return internal_failure()
        finally:
            self._busy.discard(_this_task())

    async def _send(
        self, request: web.BaseRequest, answer: Answer
    ) -> web.StreamResponse:
        match answer:
            case Lost():
                return _hang_up(request, web.StreamResponse())
            case Cut(json):
                return await _cut(request, msgspec.json.encode(json))
            case _:
                return _whole(answer)


def _whole(answer: Answer) -> web.StreamResponse:
    """Build an answer that is complete as HTTP goes."""
    match answer:
        case TruncatedJson(json):
            body = msgspec.json.encode(json)
            return _plain(200, body[: len(body) // 2])
        case Fault():
            return _plain(answer.status, answer.body)
        case Status(code, body, content_type):
            return _plain(code, body, content_type)
        case None:
            return _plain(200, b"")
        case _:
            return _plain(200, msgspec.json.encode(answer))


async def _cut(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    return _hang_up(request, response)


def _plain(
    status: int, body: bytes, content_type: str = CONTENT_TYPE
) -> web.StreamResponse:
    headers = {"Content-Type": content_type}
    return web.Response(status=status, body=body, headers=headers)


def _hang_up(
    request: web.BaseRequest, response: web.StreamResponse
) -> web.StreamResponse:
    """Close the connection; aiohttp then drops *response* unsent."""
    assert request.transport is not None
    request.transport.close()
    return response


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task
