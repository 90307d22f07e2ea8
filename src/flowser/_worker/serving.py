"""What a worker serves: its task lists, and what becomes of what they deliver.

Source:
    DESIGN section 4 rules 2 and 3; reliability.md section 4 experiments 28 and 31.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

import msgspec

from flowser import requests, results, shapes
from flowser._flow import linting
from flowser._flow.recording import recorded
from flowser._polling import activity_poll, decision_poll, identity
from flowser._worker.crew import Crew, Fields
from flowser._worker.deciding import OnDecisionError, RunningDecision
from flowser._worker.handlers import Handlers
from flowser._worker.heart import Pace
from flowser._worker.held import HeldActivity, HeldDecision, HeldTurn
from flowser._worker.pollers import TaskList
from flowser._worker.replaying import Replays, RunningReplay, Sticky
from flowser._worker.running import RunningActivity
from flowser._worker.slots import Slot, Slots
from flowser._worker.sticky import Bounds
from flowser.domain import Domain
from flowser.exceptions import BrokenHistory, InvalidArgument
from flowser.types import Activity, Workflow

log = logging.getLogger("flowser.worker")


class Settings(NamedTuple):
    """The settings of :class:`flowser.Worker`, as they are named there."""

    activities: int
    decisions: int
    activity_pollers: int
    decision_pollers: int
    threads: int
    drain: float
    grace: float
    heartbeat_interval: float
    on_decision_error: OnDecisionError
    sticky: bool
    sticky_timeout: int
    cached_runs: int
    cached_bytes: int
    cached_seconds: float
    watchdog: float | None
    identity: str | None

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InvalidArgument: Naming what is wrong.
        """
        for name in _NUMBERS:
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise InvalidArgument(name, f"is {value!r}", "give 1 or more")
        for name, least in _SECONDS.items():
            value = getattr(self, name)
            if name == "watchdog" and value is None:
                continue
            if not (isinstance(value, int | float) and value >= least):
                remedy = f"give {least:g} or more seconds"
                raise InvalidArgument(name, f"is {value!r}", remedy)
        if self.on_decision_error not in ("leave", "fail"):
            problem = f"is {self.on_decision_error!r}"
            raise InvalidArgument("on_decision_error", problem, '"leave" or "fail"')
        if not isinstance(self.sticky, bool):
            raise InvalidArgument("sticky", f"is {self.sticky!r}", "give True or False")

    @property
    def keeping(self) -> Sticky | None:
        """How runs are kept; None when none are."""
        bounds = Bounds(self.cached_runs, self.cached_bytes, self.cached_seconds)
        return Sticky(bounds, self.sticky_timeout) if self.sticky else None


_NUMBERS = (
    "activities",
    "decisions",
    "activity_pollers",
    "decision_pollers",
    "threads",
    "sticky_timeout",
    "cached_runs",
    "cached_bytes",
)
_SECONDS = {
    "drain": 0.0,
    "grace": 0.0,
    "heartbeat_interval": 0.1,
    "cached_seconds": 0.0,
    "watchdog": 0.1,
}


class Serving:
    """Makes the task lists of a worker, and begins what they deliver."""

    def __init__(
        self,
        domain: Domain,
        runs: Handlers[Activity],
        decides: Handlers[Workflow],
        settings: Settings,
        crew: Crew,
        *,
        stopping: Callable[[], bool],
    ) -> None:
        """Serve nothing yet."""
        self._domain = domain
        self._runs = runs
        self._decides = decides
        self._settings = settings
        self._crew = crew
        self._identity = (settings.identity or domain.identity or identity())[:256]
        self._paces: dict[type[Activity], Pace] = {}
        self._replayed = any(handler.method == "run" for handler in decides)
        keeping = settings.keeping if self._replayed else None
        self._replays = Replays(crew, settings.watchdog, keeping, stopping)
        self._unknown: set[shapes.ActivityType | shapes.WorkflowType] = set()

    def check(self) -> None:
        """Refuse settings with which this domain cannot be served.

        Raises:
            InvalidArgument: Naming what is wrong, and the remedy.
            LintFailed: When a workflow calls what cannot be replayed, and the domain's
                *lint* is "raise".
        """
        runs, decides, given = self._runs.lists(), self._decides.lists(), self._settings
        if not (runs or decides):
            remedy = "give a type run or decide, or use worker.activity and .decider"
            raise InvalidArgument(repr(self._domain), "has no handler", remedy)
        deciding = len(decides) + (self._replays.own_list is not None)
        for name, lists in (
            ("activities", len(runs)),
            ("decisions", deciding),
            ("threads", sum(runs.values())),
        ):
            if getattr(given, name) < lists:
                problem = f"is {getattr(given, name)}; there are {lists} task lists"
                raise InvalidArgument(name, problem, f"give {lists} or more")
        polls = min(given.activities, len(runs) * given.activity_pollers)
        polls += min(given.decisions, deciding * given.decision_pollers)
        most = getattr(self._domain.conn, "max_pollers", polls)
        if polls > most:
            problem = f"is {most}; this worker holds {polls} polls"
            remedy = f"flowser.connect(max_pollers={polls}), or fewer pollers"
            raise InvalidArgument("max_pollers", problem, remedy)
        for handler in self._runs:
            self._pace(handler.kind)
        replayed = [each.kind for each in self._decides if each.method == "run"]
        linting.check(replayed, self._domain.lint)

    def lists(self) -> list[TaskList[Any]]:
        """Make the task lists, without pollers."""
        return [*self._activity_lists(), *self._decision_lists()]

    # -- activities --

    def _activity_lists(self) -> Iterator[TaskList[results.ActivityTask]]:
        places = asyncio.Semaphore(self._settings.activities)
        threads = asyncio.Semaphore(self._settings.threads)
        for name, threaded in self._runs.lists().items():
            yield TaskList(
                self._domain.name,
                name,
                # Threads first: who waits for one keeps no place from the others.
                slots=Slots(threads, places) if threaded else Slots(places),
                poll=self._poll_activity,
                receive=self._receive_activity,
                hopeless=self._crew.cannot_poll,
                wanted=self._settings.activity_pollers,
            )

    def _poll_activity(self, name: str) -> Awaitable[results.ActivityTask]:
        poll = activity_poll(self._domain.name, name, self._identity)
        return self._domain.call(poll)

    def _receive_activity(
        self, result: results.ActivityTask, name: str, slot: Slot
    ) -> None:
        kind = result.activity_type
        handler = self._runs.get(kind.name, kind.version)
        task = HeldActivity(result, self._domain, self._crew.reports)
        if handler is None:
            outlook = "no handler here serves the activity type: its tasks are failed"
            self._tell_unknown(kind, outlook, name, task.fields)
        pace = self._pace(Activity if handler is None else handler.kind)
        self._crew.run(RunningActivity(task, handler, pace, slot, self._crew))

    def _pace(self, kind: type[Activity]) -> Pace:
        if kind not in self._paces:
            self._paces[kind] = Pace.of(kind, self._settings.heartbeat_interval)
        return self._paces[kind]

    # -- decisions --

    @asynccontextmanager
    async def replaying(self) -> AsyncIterator[None]:
        """Be ready for coroutine workflows; at the end, throw away their runs."""
        async with AsyncExitStack() as stack:
            if self._replayed:
                stack.enter_context(recorded())
                stack.push_async_callback(self._replays.close)
            yield

    def _decision_lists(self) -> Iterator[TaskList[results.DecisionTask]]:
        places = asyncio.Semaphore(self._settings.decisions)
        own = self._replays.own_list
        for name in (*self._decides.lists(), *([own] if own else [])):
            yield TaskList(
                self._domain.name,
                name,
                slots=Slots(places),
                poll=self._poll_decision,
                receive=self._receive_decision,
                hopeless=self._crew.cannot_poll,
                wanted=self._settings.decision_pollers,
            )

    def _decision_poll(self, name: str) -> requests.PollForDecisionTask:
        """Ask for the newest events first; on the own list, for the new ones only."""
        poll = decision_poll(self._domain.name, name, self._identity)
        if name != self._replays.own_list:
            return poll
        return msgspec.structs.replace(
            poll, reverse_order=None, start_at_previous_started_event=True
        )

    def _poll_decision(self, name: str) -> Awaitable[results.DecisionTask]:
        self._replays.expire()
        return self._domain.call(self._decision_poll(name))

    def _receive_decision(
        self, result: results.DecisionTask, name: str, slot: Slot
    ) -> None:
        request, reports = self._decision_poll(name), self._crew.reports
        kind = result.workflow_type
        handler = self._decides.get(kind.name, kind.version)
        if handler is not None and handler.method == "run":
            turn = HeldTurn(result, self._domain, reports, request)
            replays = self._replays
            self._crew.run(RunningReplay(turn, handler, replays, slot, self._crew))
            return
        try:
            task = HeldDecision(result, self._domain, reports, request)
        except BrokenHistory:
            self._crew.counts["decisions dropped"] += 1
            slot.free()
            return
        if handler is None:
            outlook = "no handler here serves the workflow type: its tasks are left"
            self._tell_unknown(kind, outlook, name, task.fields)
            self._crew.counts["decisions unknown"] += 1
            slot.free()
            return
        on_error = self._settings.on_decision_error
        self._crew.run(RunningDecision(task, handler, on_error, slot, self._crew))

    def _tell_unknown(
        self,
        kind: shapes.ActivityType | shapes.WorkflowType,
        outlook: str,
        task_list: str,
        fields: Fields,
    ) -> None:
        """Log a type that nobody here serves, once."""
        if kind not in self._unknown:
            self._unknown.add(kind)
            message = "%s; it is %s %s on the task list %s"
            words = outlook, kind.name, kind.version, task_list
            log.error(message, *words, extra=fields)
