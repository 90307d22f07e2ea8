"""The tasks of a worker: what runs, what is counted, and how it all ends.

Source:
    DESIGN section 4 rule 1; reliability.md section 4 experiments 16 to 19.
"""

import asyncio
import contextlib
import logging
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import anyio

from flowser._polling import Condition
from flowser.exceptions import ConfigurationError

log = logging.getLogger("flowser.worker")

#: The runs whose failures are counted, at most: those that failed last.
_FAILING = 1_000

#: Seconds without failure after which answers and heartbeats count as well again.
_CALM = 10.0

#: Parts of the grace: a handler that was cancelled lets go in the first; it is
#: answered for in the second; in the rest all is cancelled.
_LETTING_GO, _ANSWERING = 0.6, 0.95


#: What log records about a task carry.
Fields = dict[str, str | None]


class Running(Protocol):
    """A task of SWF that is being handled."""

    @property
    def fields(self) -> Fields:
        """What log records about it carry."""
        ...

    async def work(self) -> None:
        """Handle and answer it."""
        ...

    def cut_off(self) -> bool:
        """Cancel the handler, if it runs; say whether it did."""
        ...

    async def answer_for(self) -> None:
        """Answer in place of a handler that does not let go."""
        ...

    @property
    def unanswered(self) -> bool:
        """Whether SWF has still to be told how it ended."""
        ...


class Crew:
    """The asyncio tasks of a worker.

    Attributes:
        counts: How many tasks ended in which way.
        exited: Whether a handler wanted the process to end.
        reports: Tells how answers fare.
        heartbeats: Tells how heartbeats fare.
        threads: Bounds the threads that plain handlers run in.
        bugs: Exceptions that nothing was to raise.
        abandoned: Fields of the tasks that were cut off at the end.
    """

    def __init__(self, threads: int, stop: Callable[[], None]) -> None:
        """Employ nobody yet.

        Args:
            threads: How many threads plain handlers may run in.
            stop: Stops the worker.
        """
        self.threads = anyio.CapacityLimiter(threads)
        self.stop = stop
        self.counts: Counter[str] = Counter()
        self.exited = False
        self.reports = Condition("answering tasks", calm=_CALM)
        self.heartbeats = Condition("sending heartbeats", calm=_CALM)
        self.bugs: list[BaseException] = []
        self.abandoned: dict[tuple[str | None, str | None], Fields] = {}
        self._pollers: set[asyncio.Task[None]] = set()
        self._running: dict[asyncio.Task[None], Running] = {}
        self._helping: dict[asyncio.Task[None], Running | None] = {}
        self._failing: OrderedDict[str, int] = OrderedDict()
        self._cut_short = False
        self._changed = asyncio.Event()

    # -- at work --

    def poll(self, loop: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run the loop of a poller."""
        task = self._task(loop)
        self._pollers.add(task)
        return task

    def run(self, running: Running) -> None:
        """Handle a task of SWF."""
        self._running[self._task(running.work())] = running

    def help(
        self, what: Coroutine[Any, Any, None], running: Running | None = None
    ) -> "asyncio.Task[None]":
        """Run something short, such as a heartbeat.

        Args:
            what: It.
            running: What it is done for.
        """
        task = self._task(what)
        self._helping[task] = running
        return task

    def _task(self, what: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(what)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._pollers.discard(task)
        about = self._helping.pop(task, None) or self._running.pop(task, None)
        if not task.cancelled() and (bug := task.exception()) is not None:
            message = "a bug in flowser ends the worker: %r"
            fields = about.fields if about else None
            log.critical(message, bug, exc_info=bug, extra=fields)
            self.bugs.append(bug)
            self.stop()
        if not self.busy:
            self.wake()

    def cannot_poll(self, error: ConfigurationError, task_list: Fields) -> None:
        """Stop the worker, for no poll will ever succeed; say so once.

        Args:
            error: Why: the connection was closed, say.
            task_list: Fields of the list that was polled.
        """
        if not self._cut_short:
            self._cut_short = True
            log.error("the worker stops, it cannot poll: %s", error, extra=task_list)
        self.stop()

    @property
    def busy(self) -> bool:
        """Whether there are polls in flight, or handlers."""
        return bool(self._pollers or self._running)

    @property
    def polling(self) -> int:
        """How many pollers have not ended."""
        return len(self._pollers)

    @property
    def in_flight(self) -> int:
        """How many tasks of SWF are being handled."""
        return len(self._running)

    def failed(self, run_id: str, error: BaseException) -> int:  # noqa: ARG002 - heard in tests
        """Count one more decision of a run that failed; say how many in a row."""
        times = self._failing.pop(run_id, 0) + 1
        self._failing[run_id] = times
        if len(self._failing) > _FAILING:
            self._failing.popitem(last=False)
        return times

    def decided(self, run_id: str) -> None:
        """Forget that decisions of a run failed."""
        self._failing.pop(run_id, None)

    # -- the end --

    def exit(self) -> None:
        """Stop, for a handler raised SystemExit or KeyboardInterrupt."""
        self.exited = True
        self.stop()

    def wake(self) -> None:
        """Let :meth:`settle` look again."""
        self._changed.set()

    async def settle(self, seconds: float, unless: Callable[[], bool]) -> None:
        """Wait until nothing is in flight, or *seconds* have passed, or *unless*."""
        limit = None if math.isinf(seconds) else seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while self.busy and not unless():
                    self._changed.clear()
                    await self._changed.wait()

    async def cut_off(self, grace: float) -> None:
        """End what is left within *grace* seconds, and name it in the log."""
        clock = asyncio.get_running_loop().time
        began = clock()

        def left(part: float) -> float:
            return max(0.0, began + grace * part - clock())

        for task in self._pollers:
            task.cancel()
        for running in tuple(self._running.values()):
            if running.cut_off():
                self._name(running, "the worker ends: %s is cut off")
        await self.settle(left(_LETTING_GO), lambda: False)
        for running in tuple(self._running.values()):
            self.help(running.answer_for(), running)
        await self._gone(left(_ANSWERING))
        for running in self._running.values():
            if running.unanswered:
                self._name(running, "%s is abandoned unanswered: SWF will time it out")
        await self._end(left(1.0))

    def _name(self, running: Running, message: str) -> None:
        fields = running.fields
        what = fields["activity_id"] or fields["workflow_id"]
        log.warning(message, what, extra=fields)
        self.abandoned[what, fields["run_id"]] = fields

    async def _gone(self, seconds: float) -> None:
        tasks = {*self._running, *self._helping}
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _end(self, seconds: float) -> None:
        """Cancel all that is left; a handler that swallows that is left behind."""
        for task in (*self._pollers, *self._running, *self._helping):
            task.cancel()
        await asyncio.sleep(0)
        await self._gone(seconds)

    async def rest(self) -> None:
        """Let the heartbeats that were stopped come to their end."""
        for task in self._helping:
            task.cancel()
        if self._helping:
            await asyncio.wait(tuple(self._helping), timeout=1.0)
