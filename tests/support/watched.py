"""The local SWF in a test's own process, on a loopback port, with its doings counted.

``async with WatchedSwf() as swf: swf.url``. A test waits for what happens there instead
of for time to pass.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from flowser.local.engine.facts import Fact, Happened
from flowser.local.engine.faults import Fault
from flowser.local.engine.quotas import Quotas
from flowser.local.server import Server
from flowser.local.service import Service
from flowser.local.storage import Store
from tests.support.watch import Watch


class _Store(Store):
    """Counts events."""

    def __init__(self, events: Counter[str], watch: Watch) -> None:
        super().__init__()
        self._counted = events
        self._watch = watch

    def append(self, facts: Iterable[Fact]) -> None:
        taken = list(facts)
        super().append(taken)
        self._counted.update(
            type(fact.attributes).__name__
            for fact in taken
            if isinstance(fact, Happened)
        )
        self._watch.poke()


class _Service(Service):
    """Counts calls, and keeps the faults that are the server's own."""

    def __init__(self, calls: Counter[str], watch: Watch, *args: Any, **kw: Any):
        super().__init__(*args, **kw)
        self._calls = calls
        self._watch = watch
        self.failures: list[Exception] = []

    async def call(self, operation: str, *args: Any, **kw: Any) -> bytes:
        self._calls[operation] += 1
        # After what follows: a poll waits by then.
        asyncio.get_running_loop().call_soon(self._watch.poke)
        try:
            return await super().call(operation, *args, **kw)
        except Fault as fault:
            if fault.status >= 500:
                self.failures.append(fault)
            raise

    def polling(self, task_list: str) -> int:
        """Count the polls that are held on the lists of this name."""
        return sum(parked.queue.name == task_list for parked in self._waiting)


class WatchedSwf:
    """An SWF in this process, on a loopback port.

    Attributes:
        url: Where it listens; known once it has been entered.
        calls: How many requests of each operation came in.
        events: How many history events of each type were written.
    """

    url: str

    def __init__(
        self,
        poll_seconds: float = 60.0,
        *,
        port: int = 0,
        second: float = 1.0,
        page_size: int = 1_000,
    ) -> None:
        """Create a server that does not listen yet.

        Args:
            poll_seconds: How long an empty poll is held; real seconds.
            port: 0 lets the system choose.
            second: How long a second of a timeout or timer lasts; real seconds. A
                test of time-outs need not wait for whole ones.
            page_size: The most events or executions in a page.
        """
        self.calls: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self._watch = Watch(lambda: f"{dict(self.calls)}, {dict(self.events)}")
        self._store = _Store(self.events, self._watch)
        quotas = Quotas(poll=poll_seconds / second, page_size=page_size)
        self._service = _Service(
            self.calls, self._watch, self._store, quotas=quotas, second=second
        )
        self._server = Server(self._service, port=port)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listen."""
        self._stack.callback(self._store.close)
        await self._stack.enter_async_context(self._service)
        await self._stack.enter_async_context(self._server)
        self.url = self._server.url
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Answer the polls that are held, stop every clock and close.

        Raises:
            ExceptionGroup: If the server itself had failed somewhere.
        """
        await self._stack.aclose()
        if self._service.failures and error is None:
            raise ExceptionGroup("the local SWF failed", self._service.failures)

    def polling(self, task_list: str) -> int:
        """Count the polls that are held on the task lists of this name."""
        return self._service.polling(task_list)

    async def parked(self, task_list: str, n: int = 1, timeout: float = 10.0) -> None:
        """Wait until at least *n* polls are held on the lists of this name."""
        what = f"{n} polls held on {task_list}"
        await self.until(lambda: self.polling(task_list) >= n, what, timeout)

    async def called(self, operation: str, n: int = 1, timeout: float = 10.0) -> None:
        """Wait until *n* requests of *operation* have come in since the start."""
        what = f"{n} x {operation}"
        await self.until(lambda: self.calls[operation] >= n, what, timeout)

    async def happened(
        self, event_type: str, n: int = 1, timeout: float = 10.0
    ) -> None:
        """Wait until *n* events of this type have been written since the start."""
        what = f"{n} x {event_type}"
        await self.until(lambda: self.events[event_type] >= n, what, timeout)

    async def until(
        self, holds: Callable[[], bool], what: str, timeout: float = 10.0
    ) -> None:
        """Wait until *holds* returns true; it is looked at after each change.

        Args:
            holds: A condition on this server.
            what: Words for the error.
            timeout: Seconds after which an AssertionError is raised.
        """
        await self._watch.until(holds, what, timeout)
