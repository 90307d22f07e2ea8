"""A local SWF for one test: no sockets, its own time, and faults when they are wanted.

Source:
    issue 3 section 4; dx.md section 2.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, NamedTuple, Self

from flowser._client import Credentials, Settings, opened
from flowser._lean import Connection
from flowser.exceptions import Error
from flowser.local.engine import facts
from flowser.local.engine.quotas import Quotas
from flowser.local.service import Service
from flowser.local.storage import Store
from flowser.testing.checks import (
    DifferentDecision,
    checked_replays,
    unchecked_replays,
)
from flowser.testing.clock import Clock, virtual_time
from flowser.testing.faults import Faults
from flowser.testing.network import ENDPOINT_URL, Network, session_class
from flowser.testing.running import Running


class UnusedFaults(Error, AssertionError):
    """What was to go wrong in a test did not: the test proves nothing about it."""


class _Keys(NamedTuple):
    """Credentials that open nothing."""

    access_key: str = "local"
    secret_key: str = "local"  # noqa: S105 - opens nothing
    token: str | None = None


class _Memory(Store):
    """A store that says when there is news, and how late it is at the least."""

    def __init__(self, news: Callable[[], None]) -> None:
        super().__init__()
        self._news = news
        self.least = 0

    def append(self, taken: Iterable[facts.Fact]) -> None:
        """Take over what happened; what nobody is told of is no news."""
        taken = list(taken)
        super().append(taken)
        if any(not isinstance(fact, facts.Heartbeat) for fact in taken):
            self._news()

    @property
    def last_at(self) -> int:
        """The time from which a server goes on."""
        return max(super().last_at, self.least)


class LocalSwf(Running):
    """A local SWF in this process, and time that goes on only while nothing happens.

    ::

        async with LocalSwf() as swf:
            assert await swf.run(order, "o-1", amount=Decimal(3)) == "expired"

            charging = swf.replace(charge).returns("r-1")
            run = await swf.start(order, "o-2", amount=Decimal(3))
            await swf.skip(hours=1)
            await run.signal("approve", Approval("ann"))
            assert await run.result() == "shipped"
            assert charging.count == 1

    With pytest, it is the fixture ``swf``. Coroutine workflows are run with nothing
    more to write; domains and workers of your own are on ``swf.conn``::

            photos = Photos(swf.conn)
            await photos.register()
            async with flowser.Worker(photos):
                handle = await photos.start(Album, {"id": "a-1"})

    While it lasts, ``asyncio.sleep`` and all other timers of the event loop are on its
    time, which jumps from one to the next when nothing else can happen; see
    :mod:`flowser.testing.clock` for what it waits for. A poll that came back empty five
    times may be held for longer than a minute, and another question that got one answer
    five times for a while, so that a month in which nothing happens takes no time.

    Attributes:
        conn: A connection, for domains.
        faults: What is to go wrong.
    """

    conn: Connection

    def __init__(
        self,
        *,
        autojump: bool = True,
        still: float = 0.01,
        region_name: str = "us-east-1",
        account: str = "123456789012",
        quotas: Quotas | None = None,
        throttle: bool = False,
        functions: Mapping[str, Callable[..., Any]] | None = None,
        check_replays: bool = True,
        worker: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin nothing yet.

        Args:
            autojump: Whether time goes on by itself; otherwise only by :meth:`skip`.
            still: Real seconds without input after which nothing is under way any
                more, for tests that also use sockets, or threads of their own.
            region_name: The region of the connection.
            account: Twelve digits, for ARNs.
            quotas: SWF's own, if None.
            throttle: Whether to throttle as AWS does.
            functions: Lambda functions, by name.
            check_replays: Whether every decision of a coroutine workflow is made again,
                twice, by a replay from nothing, and must be the same; see
                :func:`checked_replays`.
            worker: Options of the :class:`flowser.Worker` that serves :meth:`run` and
                :meth:`start`: ``lifespan``, or ``watchdog=None`` for a debugger.
        """
        self._clock_options: dict[str, Any] = {"autojump": autojump, "still": still}
        self._options: dict[str, Any] = {
            "account": account,
            "quotas": quotas,
            "throttle": throttle,
            "functions": functions,
        }
        self._checked = check_replays
        self.region_name = region_name
        self._network = Network(self._time, (quotas or Quotas()).poll)
        self.faults: Faults = self._network.faults
        super().__init__(worker or {})
        self._entered = self._dead = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self.region_name}>"

    async def __aenter__(self) -> Self:
        """Begin, on the event loop that runs.

        Raises:
            ConfigurationError: When that loop has no place for a virtual clock.
            InvalidArgument: When *worker* has a wrong option.
        """
        if self._entered:
            raise RuntimeError("a LocalSwf lasts for one block: make another")
        self._entered = True
        async with AsyncExitStack() as stack:
            checks = checked_replays() if self._checked else unchecked_replays()
            stack.enter_context(checks)
            self._clock: Clock = stack.enter_context(
                virtual_time(**self._clock_options)
            )
            repeats = self._network.repeats
            self._store = _Memory(repeats.news)
            stack.callback(self._store.close)
            self._clock.followers.append(repeats)
            stack.callback(self._clock.followers.remove, repeats)
            await self._start()
            stack.push_async_callback(self._stop)
            self.conn = await stack.enter_async_context(self.connect())
            own = await stack.enter_async_context(self.connect())
            own.release_polls = self._release_polls
            await stack.enter_async_context(self._running(own))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End, and forget everything; time goes on as it does.

        Raises:
            DifferentDecision: When a decision that was made again was another one.
            UnusedFaults: When something that was to go wrong did not.
            UnusedStandIn: When one was named for what nobody called.
            Error: Why a workflow could not go on, if nobody has heard of it yet.
        """
        try:
            await self._stack.aclose()
        except DifferentDecision as found:
            if error is None:
                raise
            error.add_note(str(found))
        if error is None:
            self._check()

    def _check(self) -> None:
        """Raise what the test has not seen."""
        self._check_runs()
        if self.faults.pending:
            named = ", ".join(map(repr, self.faults.pending))
            words = f"these faults did not happen: {named}"
            raise UnusedFaults(f"{words}; swf.faults.clear() drops them")

    def forgive(self) -> None:
        """Let the end raise nothing of what did not happen: the test failed already."""
        self.faults.clear()
        self._forgive_runs()

    async def _start(self) -> None:
        self._service = Service(self._store, **self._options)
        await self._service.__aenter__()
        self._network.lead_to(self._service)

    async def _stop(self) -> None:
        await self._network.cut()
        await self._service.__aexit__(None, None, None)

    def _release_polls(self) -> None:
        self._service.release()
        self._network.repeats.release()

    def _time(self) -> float:
        return self._clock.time()

    # -- ways to it --

    def connect(
        self, *, region_name: str | None = None, max_pollers: int = 1000
    ) -> AbstractAsyncContextManager[Connection]:
        """Open one more way to it, as another process or for another region.

        Args:
            region_name: That of this SWF, if None.
            max_pollers: As of :func:`flowser.connect`.
        """
        settings = Settings(
            endpoint_url=ENDPOINT_URL,
            region_name=region_name or self.region_name,
            credentials=Credentials(_Keys(), None),
            http_session_cls=session_class(self._network),
            http={},
        )
        return opened(settings, max_pollers=max_pollers, clock=self._time)

    @property
    def http_session_cls(self) -> type:
        """What leads there, for ``flowser.connect``; with any ``endpoint_url``."""
        return session_class(self._network)

    def client(self, **config: Any) -> AbstractAsyncContextManager[Any]:
        """Open a plain aiobotocore client.

        ::

            async with swf.client() as client:
                await client.list_domains(registrationStatus="REGISTERED")

        Args:
            **config: Of ``aiobotocore.config.AioConfig``: ``retries``, say.
        """
        from flowser.testing import _boto  # noqa: PLC0415 - few need it

        return _boto.client(self._network, self.region_name, config)

    # -- time --

    @property
    def now(self) -> datetime:
        """The time, as histories bear it."""
        return datetime.fromtimestamp(self._service.now() / 1000, UTC)

    async def skip(
        self,
        by: timedelta | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Let time go on, from deadline to deadline, and everything happen meanwhile.

        Args:
            by: How far; the others are added.
            days: Of 24 hours.
            hours: Of 60 minutes.
            minutes: Of 60 seconds.
            seconds: With 0 of all, what is due now happens.

        Raises:
            InvalidArgument: When that is in the past.
        """
        more = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        await self._clock.skip(((by or timedelta()) + more).total_seconds())

    async def settle(self) -> None:
        """Let everything happen that can without time going on."""
        await self._clock.settle()

    # -- the end of a server --

    @contextlib.asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        """Let the server be dead for as long as a block lasts.

        Calls in flight lose their answers, and others find nobody. Afterwards, it goes
        on with all that it has stored; what fell due meanwhile happens then.

        Raises:
            RuntimeError: When it is dead already.
        """
        if self._dead:
            raise RuntimeError("the server is down already: wait for that block's end")
        self._dead = True
        await self._stop()
        left, left_at = self._service.now(), self._time()
        try:
            yield
        finally:
            self._store.least = left + round((self._time() - left_at) * 1000)
            await self._start()
            self._dead = False

    async def restart(self) -> None:
        """Let the server die, and start again at once; see :meth:`down`."""
        async with self.down():
            pass
