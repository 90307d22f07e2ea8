"""The state of the mini SWF: domains, executions, tasks, queues, pages.

Nothing here waits or answers; `mini_engine` moves it from one state to the next.

Source: swf-semantics.md, sections 1, 2 and 4.
"""

import asyncio
import base64
import os
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar

from tests.support.answers import Refused, unknown_resource
from tests.support.mini_http import Connection
from tests.support.mini_pages import Params, encode, seal

# Section 4, column W, for the events that this server writes.
WAKES = frozenset(
    [
        "WorkflowExecutionStarted",
        "WorkflowExecutionCancelRequested",
        "WorkflowExecutionSignaled",
        "DecisionTaskTimedOut",
        "ScheduleActivityTaskFailed",
        "ActivityTaskCompleted",
        "ActivityTaskFailed",
        "ActivityTaskTimedOut",
        "ActivityTaskCanceled",
        "RequestCancelActivityTaskFailed",
        "StartTimerFailed",
        "TimerFired",
        "CancelTimerFailed",
        "ContinueAsNewWorkflowExecutionFailed",
    ]
)


TIMEOUT_TYPES = {
    "scheduleToStartTimeout": "SCHEDULE_TO_START",
    "scheduleToCloseTimeout": "SCHEDULE_TO_CLOSE",
    "startToCloseTimeout": "START_TO_CLOSE",
    "heartbeatTimeout": "HEARTBEAT",
}


@cache
def attributes_member(event_type: str) -> str:
    """Name the member of an event that holds its attributes."""
    return f"{event_type[0].lower()}{event_type[1:]}EventAttributes"


def new_run_id() -> str:
    """Make a run id as long and as awkward as SWF's; it may contain ``/+=``."""
    return "22" + base64.b64encode(os.urandom(32)).decode()


@dataclass(slots=True, eq=False)
class Execution:
    """One run of a workflow.

    Attributes:
        events: The history, each event as JSON bytes; event n stands at n - 1.
        running: The decision task that a decider holds.
        pending: The decision task that waits; section 2.2.
        tasks: Tasks that are not closed, by the id of their scheduled event.
        activities: Activity tasks that are not closed, by activity id; those that
            the end of the execution abandoned stay.
        timers: Open timers: id of the TimerStarted event, and the clock.
        woken: An event that calls for a decision task was appended and not settled.
        config: The resolved ``executionConfiguration``.
    """

    domain: "Domain"
    workflow_id: str
    workflow_type: Params
    config: Params
    tags: list[str] | None
    started_at: float = 0.0
    run_id: str = field(default_factory=new_run_id)
    events: list[bytes] = field(default_factory=list)
    running: "DecisionTask | None" = None
    pending: "DecisionTask | None" = None
    tasks: dict[int, "Task"] = field(default_factory=dict)
    activities: dict[str, "ActivityTask"] = field(default_factory=dict)
    timers: dict[str, tuple[int, asyncio.TimerHandle | None]] = field(
        default_factory=dict
    )
    clock: asyncio.TimerHandle | None = None
    woken: bool = False
    close_status: str | None = None
    closed_at: float | None = None
    cancel_requested: bool = False
    context: str | None = None
    last_activity_at: float | None = None
    previous_started_id: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the run has not been closed."""
        return self.close_status is None

    @property
    def ids(self) -> Params:
        """The ``workflowExecution`` structure."""
        return {"workflowId": self.workflow_id, "runId": self.run_id}

    @property
    def unknown(self) -> Refused:
        """The fault for a call that needs this run to be open or known."""
        return unknown_execution(self.workflow_id, self.run_id)

    def append(self, event_type: str, at: float, attributes: Params) -> int:
        """Append an event.

        Args:
            event_type: SWF's name of it.
            at: Seconds since the epoch.
            attributes: Members that are None are left out, as SWF does.

        Returns:
            Its id.
        """
        event_id = len(self.events) + 1
        given = {name: value for name, value in attributes.items() if value is not None}
        event = {
            "eventId": event_id,
            "eventTimestamp": at,
            "eventType": event_type,
            attributes_member(event_type): given,
        }
        self.events.append(encode(event))
        if event_type in WAKES:
            self.woken = True
        if event_type.startswith("ActivityTask"):
            self.last_activity_at = at
        return event_id


@dataclass(slots=True, eq=False)
class Task:
    """A decision task or an activity task, from its scheduled event to its end."""

    kind: ClassVar[str]

    execution: Execution
    task_list: str
    scheduled_id: int
    started_id: int = 0
    live: bool = True
    queued: bool = False
    clocks: dict[str, asyncio.TimerHandle] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """The task token."""
        return seal("task", self.execution.run_id, self.scheduled_id, self.kind)

    def close(self) -> None:
        """Stop its clocks and forget it."""
        self.live = False
        for clock in self.clocks.values():
            clock.cancel()
        self.clocks.clear()
        self.execution.tasks.pop(self.scheduled_id, None)


@dataclass(slots=True, eq=False)
class DecisionTask(Task):
    """A decision task."""

    kind = "decision task"


@dataclass(slots=True, eq=False)
class ActivityTask(Task):
    """An activity task.

    Attributes:
        timeouts: Resolved; by the names of the ScheduleActivityTask decision.
        details: Those of the last heartbeat.
        cancel_id: The latest ActivityTaskCancelRequested event.
    """

    kind = "activity"

    activity_id: str = ""
    activity_type: Params = field(default_factory=dict)
    input: str | None = None
    timeouts: dict[str, str] = field(default_factory=dict)
    details: str | None = None
    cancel_id: int | None = None


@dataclass(slots=True, eq=False)
class Waiter:
    """A long poll that is being held."""

    connection: Connection
    params: Params
    clock: asyncio.TimerHandle | None = None
    live: bool = True

    def answer(self, body: bytes) -> None:
        """Let the poll go with *body*."""
        self.leave()
        self.connection.reply(body)

    def leave(self) -> None:
        """Stop waiting without an answer."""
        self.live = False
        if self.clock is not None:
            self.clock.cancel()


@dataclass(slots=True, eq=False)
class Queue:
    """One task list of one kind: tasks that wait for pollers, or the reverse."""

    tasks: deque[Task] = field(default_factory=deque)
    waiters: deque[Waiter] = field(default_factory=deque)

    def next_task(self) -> Task | None:
        """Take the oldest task that is still open."""
        while self.tasks:
            task = self.tasks.popleft()
            if task.live:
                return task
        return None

    def next_waiter(self) -> Waiter | None:
        """Take the poll that has waited longest and whose client is still there."""
        while self.waiters:
            waiter = self.waiters.popleft()
            if waiter.live and not waiter.connection.gone:
                waiter.leave()
                return waiter
            waiter.leave()
        return None

    def park(self, waiter: Waiter) -> None:
        """Add a poll; those that ran out before it are dropped."""
        while self.waiters and not self.waiters[0].live:
            self.waiters.popleft()
        self.waiters.append(waiter)


@dataclass(slots=True, eq=False)
class RegisteredType:
    """A workflow or activity type: what it was registered with."""

    ids: Params
    description: str | None
    defaults: Params
    created_at: float


@dataclass(slots=True, eq=False)
class Domain:
    """A domain.

    Attributes:
        types: By kind ("workflow" or "activity"), name and version.
        open: The open run of each workflow id.
        closed: Closed runs, in order of closing.
    """

    name: str
    description: str | None
    retention: str
    types: dict[tuple[str, str, str], RegisteredType] = field(default_factory=dict)
    open: dict[str, Execution] = field(default_factory=dict)
    closed: list[Execution] = field(default_factory=list)

    def type_of(self, kind: str, ids: Params) -> RegisteredType | None:
        """Find a type by its ``{name, version}``."""
        return self.types.get((kind, ids["name"], ids["version"]))


def unknown_execution(workflow_id: str, run_id: str | None) -> Refused:
    """Build the fault for an execution that is missing or closed; section 1.3."""
    if run_id:
        ids = f"WorkflowExecution=[workflowId={workflow_id}, runId={run_id}]"
        return Refused(unknown_resource(f"Unknown execution: {ids}"))
    return Refused(unknown_resource(f"Unknown execution, workflowId = {workflow_id}"))


def unknown_task(kind: str, scheduled_id: int) -> Refused:
    """Build the fault for the token of a task that is over; section 1.3."""
    text = f"Unknown {kind}, scheduledEventId = {scheduled_id}"
    return Refused(unknown_resource(text))
