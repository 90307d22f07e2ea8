"""A reverse server in front of a real SWF server that injects faults by rule.

It forwards bytes verbatim and keeps connections alive. A client that hangs up while
its long poll is held takes the connection to the real server down with it.
"""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.support.http import Connection, HttpServer, Request, header
from tests.support.proxy_rules import Answered, Kind, Rule, planted
from tests.support.watch import Watch


@dataclass(frozen=True)
class Call:
    """A call that is over: the operation, and "ok" or the kind of its fault."""

    operation: str
    outcome: str


class _Upstream:
    """A connection to the real server."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.usable = True

    @property
    def stale(self) -> bool:
        """Whether the server has closed it in the meantime."""
        return self._reader.at_eof()

    async def exchange(self, request: Request) -> Answered:
        """Forward a request and read the answer."""
        self.usable = False
        self._writer.write(request.head + request.body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(header(head, b"content-length") or 0)
        answered = Answered(head, await self._reader.readexactly(length))
        self.usable = not answered.last
        return answered

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class FaultingProxy:
    """A server in front of *target_url* that does what its rules say.

    Example::

        async with FaultingProxy(swf.url) as proxy:
            proxy.fault("PollForActivityTask", "lost")
            ...
            await proxy.seen("PollForActivityTask", outcome="lost")

    Attributes:
        url: Where it listens; known once it has been entered.
        calls: The calls that are over, in the order in which they ended.
    """

    url: str

    def __init__(self, target_url: str) -> None:
        """Create a proxy that does not listen yet."""
        target = urlsplit(target_url)
        assert target.hostname
        assert target.port
        self._target = (target.hostname, target.port)
        self._rules: list[Rule] = []
        self._server = HttpServer(self._handle)
        self._port = 0
        self._errors: list[Exception] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: list[_Upstream] = []
        self._arrived: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self._watch = Watch(lambda: f"{dict(self._arrived)}, over: {self.calls}")
        self.calls: list[Call] = []

    async def __aenter__(self) -> Self:
        """Listen on a free loopback port."""
        await self.up()
        self.url = f"http://127.0.0.1:{self._port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drop everything and stop listening.

        Raises:
            ExceptionGroup: If the proxy itself had failed somewhere.
        """
        await self.down()
        if self._errors and error is None:
            raise ExceptionGroup("the proxy failed", self._errors)

    def fault(
        self,
        pattern: str,
        kind: Kind,
        times: int | None = 1,
        after: int = 0,
        *,
        status: int = 500,
        html: bool = False,
        gate: asyncio.Event | None = None,
    ) -> Rule:
        """Let calls go wrong. Of several rules for a call, the first one made wins.

        Args:
            pattern: A glob over operations: ``PollFor*``.
            kind: ``lost``: forwarded, the answer dropped. ``cut``: half the answer,
                then closed. ``truncjson``: a complete 200 with half the JSON.
                ``status``: a bare *status*, not forwarded. ``throttle``, ``limit``,
                ``expired``: that error, not forwarded. ``dup``: forwarded twice, the
                second answer returned. ``slow``: the answer waits for *gate*.
                ``refuse``: closed before the body is looked at, not forwarded.
            times: How many calls; None is for ever.
            after: How many matching calls pass unharmed first.
            status: Of kind ``status``.
            html: Whether the body of kind ``status`` is a page of HTML.
            gate: Of kind ``slow``.

        Returns:
            The rule; set its ``times`` to 0 to end it.
        """
        assert (kind == "slow") == (gate is not None)
        rule = Rule(pattern, kind, times, after, status, html, gate)
        self._rules.append(rule)
        return rule

    def heal(self) -> None:
        """Drop all rules."""
        self._rules.clear()

    async def down(self) -> None:
        """Refuse connections and drop those there are, as if the server had died."""
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.abort()
        while self._idle:
            await self._idle.pop().close()

    async def up(self) -> None:
        """Listen, again on the same port after `down`."""
        self._port = await self._server.listen(port=self._port)

    def count(self, operation: str, outcome: str | None = None) -> int:
        """Tell how many calls of *operation* are over, with *outcome* or with any."""
        return sum(
            call.operation == operation and outcome in (None, call.outcome)
            for call in self.calls
        )

    async def seen(
        self,
        operation: str,
        n: int = 1,
        outcome: str | None = None,
        timeout: float = 10.0,
    ) -> None:
        """Wait until *n* calls of *operation* are over, with *outcome* or with any."""
        what = f"{n} x {operation} over with {outcome or 'any outcome'}"
        await self._watch.until(
            lambda: self.count(operation, outcome) >= n, what, timeout
        )

    async def arrived(self, operation: str, n: int = 1, timeout: float = 10.0) -> None:
        """Wait until *n* calls of *operation* have come in since the start."""
        what = f"{n} x {operation}"
        await self._watch.until(lambda: self._arrived[operation] >= n, what, timeout)

    async def held(self, operation: str, n: int = 1, timeout: float = 10.0) -> None:
        """Wait until *n* answers to *operation* have come to wait for their gate."""
        what = f"{n} slow answers to {operation}"
        await self._watch.until(lambda: self._held[operation] >= n, what, timeout)

    def _handle(self, request: Request, connection: Connection) -> None:
        self._arrived[request.operation] += 1
        self._watch.poke()
        rule = self._rule_for(request.operation)
        # No task group can own it: a request comes in by a plain callback.
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._work(request, connection, rule))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        connection.on_close = task.cancel

    def _rule_for(self, operation: str) -> Rule | None:
        return next((rule for rule in self._rules if rule.takes(operation)), None)

    async def _work(
        self, request: Request, connection: Connection, rule: Rule | None
    ) -> None:
        outcome: str = "ok" if rule is None else rule.kind
        try:
            if rule is None:
                self._pass_on(connection, await self._exchange(request))
            else:
                await self._misbehave(request, connection, rule)
        except asyncio.CancelledError:
            outcome = "gone"
            raise
        except (OSError, asyncio.IncompleteReadError):
            outcome = "upstream"
            connection.abort()
        except Exception as error:  # noqa: BLE001  (raised when the proxy is left)
            self._errors.append(error)
            connection.abort()
        finally:
            self.calls.append(Call(request.operation, outcome))
            self._watch.poke()

    async def _misbehave(
        self, request: Request, connection: Connection, rule: Rule
    ) -> None:
        if rule.kind == "refuse":
            connection.abort()
            return
        instead = planted(rule)
        if instead is not None:
            connection.send(instead)
            return
        answered = await self._exchange(request)
        match rule.kind:
            case "lost":
                connection.close()
            case "cut":
                connection.send(answered.half)
                connection.close()
            case "truncjson":
                connection.send(answered.truncated)
            case "dup":
                self._pass_on(connection, await self._exchange(request))
            case "slow":
                assert rule.gate is not None
                self._held[request.operation] += 1
                self._watch.poke()
                await rule.gate.wait()
                self._pass_on(connection, answered)

    def _pass_on(self, connection: Connection, answered: Answered) -> None:
        connection.send(answered.whole)
        if answered.last:
            connection.close()

    async def _exchange(self, request: Request) -> Answered:
        upstream = await self._connect()
        try:
            return await upstream.exchange(request)
        finally:
            if upstream.usable:
                self._idle.append(upstream)
            else:
                await upstream.close()

    async def _connect(self) -> _Upstream:
        while self._idle:
            upstream = self._idle.pop()
            if not upstream.stale:
                return upstream
            await upstream.close()
        return _Upstream(*await asyncio.open_connection(*self._target))
