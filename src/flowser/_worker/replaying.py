"""One decision of a coroutine workflow: a run is fed, and its answer sent.

Source:
    issue 4 sections 2 and 3; peers.md section 3.4; reliability.md section 4
    experiments 2, 13, 21, 28 and 30 to 33.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from flowser._flow.hosting import Program
from flowser._threads import Blocking, Threads
from flowser._worker.crew import Crew
from flowser._worker.deciding import Deciding
from flowser._worker.handlers import Handler
from flowser._worker.held import HeldTurn
from flowser._worker.live import Live
from flowser._worker.slots import Slot
from flowser._worker.sticky import Bounds, Cache, Key, own_list
from flowser.events import Event
from flowser.exceptions import BrokenHistory
from flowser.replay.run import Answer, Run
from flowser.replay.troubles import Spinning, Trouble
from flowser.types import Workflow

log = logging.getLogger("flowser.worker")

#: Part of the time for a decision that steps may take; what is left is for the answer.
_STEPS = 0.5

#: Events after which it is said that a history becomes long. SWF ends a run at 25,000.
_LONG = 10_000

#: Seconds in which runs are thrown away at the end.
_ENDING = 1.0


class Sticky(NamedTuple):
    """How runs are kept.

    Attributes:
        bounds: How many.
        seconds: After which a decision task leaves the own list.
    """

    bounds: Bounds
    seconds: int


class Replays:
    """What the decisions of a worker have in common.

    Attributes:
        own_list: The task list that only this worker polls; None for none.
        threads: Where workflow code runs.
        cache: The runs that are kept.
    """

    def __init__(
        self,
        crew: Crew,
        watchdog: float | None,
        sticky: Sticky | None,
        stopping: Callable[[], bool],
    ) -> None:
        """Keep nothing yet.

        Args:
            crew: Runs steps.
            watchdog: Seconds that workflow code may take; None for any time.
            sticky: How runs are kept; None keeps none.
            stopping: Whether the worker comes to its end.
        """
        self.own_list = None if sticky is None else own_list()
        self.threads = Threads(watchdog)
        self._crew = crew
        self._sticky = sticky
        self._stopping = stopping
        self._cache = None if sticky is None else Cache[Live](sticky.bounds)
        self._blocked: dict[Key, tuple[Live, Blocking]] = {}

    def begin(self, task: HeldTurn, handler: Handler[Workflow]) -> Live:
        """Begin a run anew.

        Raises:
            Blocking: When its code blocks a thread since an earlier decision.
        """
        ids = task.workflow_execution
        live, error = self._blocked.get(task.key, (None, None))
        if live is not None and error is not None and live.busy:
            raise error
        self._blocked.pop(task.key, None)
        program = Program(handler.kind, task.domain)
        run = Run(ids.workflow_id, ids.run_id or "", program)
        return Live(run, self.threads, self._crew.help)

    def take(self, task: HeldTurn) -> Live | None:
        """Take out the run of a task, if it is kept, and made the previous decision."""
        live = None if self._cache is None else self._cache.take(task.key)
        if live is None:
            return None
        if live.run.started_event_id != task.previous_started_event_id:
            live.end()
            return None
        return live

    def keep(self, task: HeldTurn, live: Live) -> None:
        """Keep a run that was decided; from here on it is whose next task comes."""
        if self._cache is None or self._stopping():
            live.end()
            return
        self._cache.put(task.key, live)

    def blocks(self, task: HeldTurn, live: Live, error: Blocking) -> None:
        """Note that the code of a run keeps its thread: it gets no other one."""
        self._blocked[task.key] = (live, error)

    def forget(self, task: HeldTurn, live: Live) -> None:
        """Throw a run away whose answer was not taken, unless its next task has it."""
        if self._cache is not None and self._cache.take(task.key, live) is not None:
            live.end()

    def expire(self) -> None:
        """Let go of runs that nothing happened to for long."""
        if self._cache is not None:
            self._cache.expire()

    def whereto(self, run: Run, answer: Answer) -> tuple[str | None, int | None]:
        """Say where the next decision tasks of a run are to wait, and for how long.

        At the worker's end that is the original list again, and for good. What closes
        a run leaves it where it is: after UNHANDLED_DECISION it comes back.
        """
        if self._sticky is None or answer.closes:
            return None, None
        if self._stopping() and run.started is not None:
            return run.started.task_list.name, None
        return self.own_list, self._sticky.seconds

    async def close(self) -> None:
        """Throw away what is kept."""
        if self._cache is not None:
            self._cache.clear()
        await self.threads.close(_ENDING)


class RunningReplay(Deciding[HeldTurn]):
    """A decision task of a coroutine workflow."""

    ours = Deciding.ours | {"GetWorkflowExecutionHistory"}

    def __init__(
        self,
        task: HeldTurn,
        handler: Handler[Workflow],
        replays: Replays,
        slot: Slot,
        crew: Crew,
    ) -> None:
        """Do not begin yet.

        Args:
            task: What was polled.
            handler: What serves its type.
            replays: What it has in common with others.
            slot: Freed at the end.
            crew: Runs it.
        """
        super().__init__(task, slot, crew)
        self._handler = handler
        self._replays = replays
        self._live: Live | None = None

    async def _decide(self) -> None:
        seconds = self._task.time_left
        now = asyncio.get_running_loop().time()
        until = None if seconds is None else now + seconds * _STEPS
        try:
            live, answer = await self._answered(until)
            live.tell_unhandled(self.fields)
            self._tell_long()
            where = self._replays.whereto(live.run, answer)
            if not answer.closes:
                # Before it is answered, for the next task may be here before the reply.
                self._live = None
                self._replays.keep(self._task, live)
        except Blocking as error:
            if self._live is not None:
                self._replays.blocks(self._task, self._live, error)
            raise
        finally:
            if self._live is not None:
                self._live.end()
        try:
            await self._task.complete(answer.decisions, answer.context, *where)
        except BaseException:
            self._replays.forget(self._task, live)
            raise

    async def _answered(self, until: float | None) -> tuple[Live, Answer]:
        """Decide by the run that is kept, or by one that is replayed."""
        newest = await self._task.newest()
        self._live = self._replays.take(self._task)
        if self._live is not None and newest[0].id <= self._live.run.last_event_id + 1:
            try:
                answer = await self._live.decide(newest, until)
            except (Blocking, Spinning):
                raise
            except (Trouble, BrokenHistory) as error:
                message = "a kept run is replayed from its beginning: %s"
                log.info(message, error, extra=self.fields)
            else:
                self._crew.counts["runs resumed"] += 1
                return self._live, answer
        if self._live is not None:
            self._live.end()
        return await self._replayed(newest, until)

    async def _replayed(
        self, newest: list[Event], until: float | None
    ) -> tuple[Live, Answer]:
        self._live = live = self._replays.begin(self._task, self._handler)
        async for page in self._task.before(newest[0].id):
            await live.feed(page)
        answer = await live.decide(newest, until)
        self._crew.counts["runs replayed"] += 1
        return live, answer

    def _tell_long(self) -> None:
        """Say, once, that a history becomes long."""
        if self._task.previous_started_event_id < _LONG <= self._task.started_event_id:
            message = (
                "the history has %d events, SWF ends runs at 25,000: continue as new"
            )
            log.warning(message, self._task.started_event_id, extra=self.fields)

    def _tell(self, error: BaseException, outlook: str) -> None:
        """Log a failure; trouble is told by its report, without our own frames."""
        if not isinstance(error, Trouble):
            super()._tell(error, outlook)
            return
        times = self._crew.failed(self._run_id, error)
        level = logging.DEBUG if times & (times - 1) else logging.ERROR
        fields = {**self.fields, "failures": times}
        message = "a run cannot be decided, for the %d. time in a row; %s: %s"
        log.log(level, message, times, outlook, error, extra=fields)
