"""A worker: pollers and handlers of a domain, in one place with one end.

Strategy: the task group that the worker enters and leaves in its host's task has one
task, a supervisor; pollers and handlers are asyncio tasks that this one looks after
(``_worker/``), so that the end of the group is never the end of a poll in flight.
Nothing outlives the block but a handler that refuses to end, or that goes on in its
thread; the log names it.

Source:
    DESIGN section 4; reliability.md sections 3 and 4.
"""

import asyncio
import contextlib
import contextvars
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import anyio

from flowser import wire
from flowser._deps import provide
from flowser._settings import all_checked, checked
from flowser._worker.crew import Crew, log
from flowser._worker.handlers import Handlers
from flowser._worker.pollers import TaskList, pollers_of
from flowser._worker.serving import Serving, Settings
from flowser._worker.signals import handled
from flowser._worker.watchdog import Watchdog
from flowser.domain import Domain
from flowser.types import Activity, AnyActivity, AnyWorkflow, Workflow

F = TypeVar("F", bound=Callable[..., Any])

#: Makes what activities and steps depend on, and ends it.
Lifespan = Callable[[Domain], contextlib.AbstractAsyncContextManager[Any]]

#: Seconds for which a handler may block the event loop before it is named in the log.
_PATIENCE = 2.0


class Worker:
    """Serves the types of a domain that have a handler.

    ::

        async with flowser.Worker(domain):
            ...  # it works as long as this block lasts

        await flowser.Worker(domain).run()  # until SIGTERM or SIGINT

    An activity type is served by its ``run(self, input)``: ``async def``, or a plain
    ``def``, which runs in a thread. A workflow type is served by its
    ``async def run(self, input)``, a coroutine that is replayed (:mod:`flowser.flow`),
    or by its ``async def decide(self, decision)``. Functions that were decorated are
    such types. Types without are left to other workers. Each activity task, and each
    task of a ``decide``, gets a new instance of its type, whose ``task`` is the task.

    What ``run`` returns completes the activity, what it raises fails it. While it
    runs, the worker heartbeats: at a third of the type's ``heartbeat_timeout``, with
    the details that ``await self.task.heartbeat(details)``, or in a thread
    ``self.task.beat(details)``, told last. When the decider requests a cancel, an
    async handler is cancelled, once; it may clean up, and when it lets go the task is
    answered as canceled. A handler in a thread looks at ``self.task.cancel_requested``:
    nobody can interrupt it. One that goes on when *drain* is over is answered as failed
    by "worker stopping; the handler still runs in a thread", and does go on until it
    returns, or the process ends.

    Only the ``heartbeat_timeout`` of the type counts for this: SWF does not tell a
    worker of another that was given to ``schedule(...)``. Do not give a shorter one.

    Answers are repeated until SWF takes them, or says that the task is over. While SWF
    takes fewer pollers than there are, the others try again after minutes. When the
    connection is closed, the worker stops.

    ``decide`` answers the decision task itself; when it returns without having done
    so, the worker completes the task with the decisions that were collected. A task
    whose ``decide`` raises is left unanswered, so that SWF hands it out again when its
    time is up, or its run is failed: see *on_decision_error*.

    A worker works once. It must be used in the thread of its event loop.

    Attributes:
        domain: The domain that it serves.
        aborted: Whether :meth:`abort` was called before it had ended.
        abandoned: What was cut off at the end: the fields of each task, as in the log.
        counts: How many tasks ended how, by "activities completed", "... failed",
            "... canceled", "... over" (SWF had closed it), "... refused" (the answer),
            "decisions completed", "... failed", "... left", "... dropped" and
            "... unknown" (the type); of coroutine workflows, how many decisions began
            with "runs replayed" and with "runs resumed" from memory.
        in_flight: How many tasks are being handled now.

    Source:
        DESIGN section 4.
    """

    def __init__(
        self,
        domain: Domain,
        *,
        activities: int = 100,
        decisions: int = 100,
        activity_pollers: int = 1,
        decision_pollers: int = 1,
        threads: int = 100,
        drain: float = 70.0,
        grace: float = 5.0,
        heartbeat_interval: float = 60.0,
        on_decision_error: Literal["leave", "fail"] = "leave",
        sticky: bool = True,
        sticky_timeout: int = 5,
        cached_runs: int = 1_000,
        cached_bytes: int = 64 * 1024 * 1024,
        cached_seconds: float = 3600.0,
        watchdog: float | None = 10.0,
        lifespan: Lifespan | None = None,
        identity: str | None = None,
    ) -> None:
        """Collect the handlers of a domain.

        Args:
            domain: What to serve.
            activities: How many activities may be in hand, polled for or handled.
            decisions: The same for decisions.
            activity_pollers: How many polls to hold for each task list of activities.
                When SWF says that these are too many, fewer go on.
            decision_pollers: The same for decisions.
            threads: How many of the activities may be of task lists that a plain
                ``def`` serves. A thread that goes on after *drain* outlives the worker.
            drain: Seconds from :meth:`stop` until what is in hand is cut off. SWF
                holds polls for 60 seconds, and the way takes time, too; a poll that is
                cut off may cost a task. A plain ``def`` that is cut off goes on in its
                thread, though its task is answered as failed.
            grace: Seconds after that in which handlers let go and are answered for.
            heartbeat_interval: The longest time between two heartbeats, in seconds: a
                cancel request is seen no later.
            on_decision_error: What becomes of a decision task whose handler raises:
                "leave" it to be handed out again, or "fail" its run. Not for ``run``:
                what that raises fails its run, and what flowser finds, never.
            sticky: Whether runs of coroutine workflows stay in memory between their
                decisions, which then come to a task list of this worker's own; without,
                every decision replays its run. Where IAM names the task lists that may
                be polled, allow those that begin with ``flowser-``.
            sticky_timeout: Seconds after which others may take such a decision, when
                this worker does not: when it was killed, say.
            cached_runs: How many runs stay in memory; the one that had no decision for
                the longest time goes first.
            cached_bytes: How much they may take, about: what their variables hold is
                not counted.
            cached_seconds: For how long a run stays that has no decision.
            watchdog: Seconds that the code of a workflow may run without waiting: after
                that it is interrupted, the log names it with its stacks, and its
                decision is left. It runs in a thread, so that heartbeats and polls go
                on meanwhile. With None it runs in the thread of the event loop,
                unwatched, where a debugger can follow.
            lifespan: Called with the domain, it gives an async context manager around
                all work; what that yields, :func:`flowser.deps` gives to activities and
                steps.
            identity: Who polls, for the history; the domain's, or host and process.

        Raises:
            InvalidArgument: Naming what is wrong.
        """
        self.domain = domain
        self._settings = Settings(
            activities=activities,
            decisions=decisions,
            activity_pollers=activity_pollers,
            decision_pollers=decision_pollers,
            threads=threads,
            drain=drain,
            grace=grace,
            heartbeat_interval=heartbeat_interval,
            on_decision_error=on_decision_error,
            sticky=sticky,
            sticky_timeout=sticky_timeout,
            cached_runs=cached_runs,
            cached_bytes=cached_bytes,
            cached_seconds=cached_seconds,
            watchdog=watchdog,
            identity=identity,
        )
        self._lifespan = lifespan
        self._prepare()

    def _prepare(self) -> None:
        self._settings.check()
        kinds = self.domain.activity_types, self.domain.workflow_types
        self._runs = Handlers("run", all_checked(kinds[0], Activity))
        deciders = all_checked(kinds[1], Workflow)
        self._decides = Handlers("decide", deciders, or_else="run")
        self.aborted = False
        self._crew = Crew(self._settings.threads, self.stop)
        self._lists: list[TaskList[Any]] = []
        self._stopping = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()
        self._group: asyncio.TaskGroup | None = None
        self._supervisor: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.domain!r}>"

    # -- handlers --

    def activity(self, t: AnyActivity) -> Callable[[F], F]:
        """Serve an activity type by the function that follows: ``(input) -> result``.

        It may be ``async def`` or ``def``; :func:`flowser.current_activity` gives it
        its task. It comes in place of the type's ``run``.

        Args:
            t: Subclass of types.Activity, or a decorated function; the domain need not
                list it.

        Returns:
            A decorator that gives the function back as it is.

        Raises:
            InvalidArgument: From the decorator, when the function does not take one
                argument, or the type is not complete.
        """
        kind = checked(t, Activity, "t")

        def decorate(function: F) -> F:
            self._runs.add(kind, function)
            return function

        return decorate

    def decider(self, t: AnyWorkflow) -> Callable[[F], F]:
        """Serve a workflow type by the function that follows: ``async (decision)``.

        It comes in place of the type's ``run`` or ``decide``.

        Args:
            t: Subclass of types.Workflow, or a decorated function; the domain need not
                list it.

        Returns:
            A decorator that gives the function back as it is.

        Raises:
            InvalidArgument: From the decorator, when the function is a plain ``def``,
                or does not take one argument, or the type is not complete.
        """
        kind = checked(t, Workflow, "t")

        def decorate(function: F) -> F:
            self._decides.add(kind, function)
            return function

        return decorate

    def check(self) -> None:
        """Refuse settings with which it cannot work; a start does this, too.

        Raises:
            InvalidArgument: Naming what is wrong, and the remedy.
        """
        self._serving().check()

    def _serving(self) -> Serving:
        return Serving(
            self.domain,
            self._runs,
            self._decides,
            self._settings,
            self._crew,
            stopping=self._stopping.is_set,
        )

    # -- life --

    async def run(self) -> bool:
        """Work until stopped.

        In the main thread, SIGTERM and SIGINT are handled meanwhile: the first stops,
        the second aborts, the third does what it would have done without a worker. A
        signal for which the host has a handler of its own, or which it ignores, is left
        to it: call :meth:`stop` there.

        Returns:
            Whether all ended in order: nothing was aborted or abandoned, and no handler
            raised SystemExit or KeyboardInterrupt.

        Raises:
            InvalidArgument: When it cannot work with these settings.
            ExceptionGroup: When it failed by a bug of flowser.
        """
        with handled(self._signalled):
            async with self:
                await self._stopping.wait()
        return not (self.aborted or self.abandoned or self._crew.exited)

    def stop(self) -> None:
        """Poll no more; end when what is in hand is done, or *drain* is over."""
        self._stopping.set()
        for task_list in self._lists:
            for poller in tuple(task_list.pollers):
                poller.stop()
        wire.release_polls(self.domain.wire)

    def abort(self) -> None:
        """Cancel all handlers now, answer for them, and end within *grace*."""
        ended = self._supervisor is not None and self._supervisor.done()
        self.aborted = self.aborted or not ended
        self.stop()
        self._crew.wake()

    def _signalled(self) -> bool:
        """Stop at the first signal, abort at the second; say whether to hear more."""
        if not self._stopping.is_set():
            self.stop()
            return True
        self.abort()
        return False

    @property
    def counts(self) -> Counter[str]:
        """How many tasks ended in which way."""
        return self._crew.counts

    @property
    def abandoned(self) -> list[dict[str, str | None]]:
        """What was cut off at the end: the fields of each task, as in the log."""
        return list(self._crew.abandoned.values())

    @property
    def in_flight(self) -> int:
        """How many tasks are being handled now."""
        return self._crew.in_flight

    async def __aenter__(self) -> Self:
        """Begin to work.

        Raises:
            InvalidArgument: When it cannot work with these settings.
        """
        if self._group is not None:
            raise RuntimeError("a worker works once: make another")
        serving = self._serving()
        serving.check()
        self._lists = serving.lists()
        self._group = asyncio.TaskGroup()
        context = contextvars.copy_context()
        if self._lifespan is not None:
            made = self._lifespan(self.domain)
            provided = await self._stack.enter_async_context(made)
            context.run(provide, provided)
        await self._group.__aenter__()
        supervising = self._supervise(serving)
        self._supervisor = self._group.create_task(supervising, context=context)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and wait until it has ended; so too after an exception.

        A further cancellation aborts it.

        Raises:
            ExceptionGroup: When it failed by a bug of flowser.
        """
        self.stop()
        cancelled = await self._outlasted()
        async with self._stack:
            if self._group is not None:
                await self._group.__aexit__(None, None, None)
        if cancelled is not None:
            raise cancelled

    async def _outlasted(self) -> asyncio.CancelledError | None:
        """Wait for the end, through cancellations; give the last of them."""
        cancelled = None
        with anyio.CancelScope(shield=True):
            while self._supervisor is not None and not self._supervisor.done():
                try:
                    await asyncio.wait([self._supervisor])
                except asyncio.CancelledError as error:
                    cancelled = error
                    self.abort()
        return cancelled

    async def _supervise(self, serving: Serving) -> None:
        """Run pollers until stopped, and then bring all to an end."""
        crew, fields = self._crew, {"domain": self.domain.name}
        log.info("the worker begins", extra=fields)
        with Watchdog(_PATIENCE):
            async with serving.replaying():
                await self._work(fields)
        log.info("the worker has ended", extra=fields)
        if len(crew.bugs) > 1:
            raise BaseExceptionGroup("a worker failed", crew.bugs)
        for bug in crew.bugs:
            raise bug

    async def _work(self, fields: dict[str, str]) -> None:
        crew = self._crew
        if not self._stopping.is_set():
            for poller in pollers_of(self._lists):
                crew.poll(poller.run())
        await self._stopping.wait()
        message = "the worker polls no more; up to %g s for %d polls and %d tasks"
        await asyncio.sleep(0)  # pollers without a poll in flight end at once
        counted = self._settings.drain, crew.polling, crew.in_flight
        log.info(message, *counted, extra=fields)
        await crew.settle(self._settings.drain, lambda: self.aborted)
        if crew.busy:
            for task_list in self._lists:
                task_list.tell_cancelled()
            await crew.cut_off(self._settings.grace)
        await crew.rest()
