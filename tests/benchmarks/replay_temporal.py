"""The same workflows and histories for Temporal's Python SDK, which may be installed.

A history is translated event by event: both services write the same kinds of events,
in the same order. What only SWF needs is left out: the timers of no seconds that bring
on a next decision where more than 100 are due, and those decisions.
"""

import base64
import gc
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from temporalio.client import WorkflowHistory
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from flowser.events import Event
from flowser.replay.matching import MORE
from tests.benchmarks.replay_temporal_flows import WORKFLOWS

#: By whom workflow code is run.
RUNNERS: dict[str, Callable[[], WorkflowRunner]] = {
    "temporalio": UnsandboxedWorkflowRunner,
    "temporalio, sandbox": SandboxedWorkflowRunner,
}

_RUN_ID = "7d0e3f2a-0000-4000-8000-000000000001"
_QUEUE = {"name": "deciders"}
_STARTED: dict[str, Any] = {
    "taskQueue": _QUEUE,
    "workflowTaskTimeout": "10s",
    "originalExecutionRunId": _RUN_ID,
    "firstExecutionRunId": _RUN_ID,
    "attempt": 1,
}

#: What a worker of today says in its first completion: without, little is compared.
_FLAGS = {"sdkMetadata": {"coreUsedFlags": [1, 2, 3]}}

#: Members that are ids of events, and what they are called there.
_REFERENCES = {
    "scheduled_event_id": "scheduledEventId",
    "started_event_id": "startedEventId",
}


class Outcome(NamedTuple):
    """What a replay came to.

    Attributes:
        seconds: Of CPU, of all threads.
        failure: None when history and code agree to the end.
    """

    seconds: float
    failure: Exception | None


async def replayed(
    runner: Callable[[], WorkflowRunner], histories: Sequence[WorkflowHistory]
) -> list[Outcome]:
    """Replay histories by one replayer; its beginning and its end are not counted."""
    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=runner(),
        runtime=Runtime(telemetry=TelemetryConfig(logging=None)),
    )
    began, outcomes = 0.0, []

    async def given() -> AsyncIterator[WorkflowHistory]:
        nonlocal began
        for one in histories:
            gc.collect()
            began = time.process_time()
            yield one

    async with replayer.workflow_replay_iterator(given()) as results:
        async for result in results:
            seconds = time.process_time() - began
            outcomes.append(Outcome(seconds, result.replay_failure))
    return outcomes


def history(events: Iterable[Event]) -> WorkflowHistory:
    """Translate a history."""
    written = {"events": [*_Translation().all(events)]}
    return WorkflowHistory.from_json("o-1", written)


def _payloads(text: str | None) -> dict[str, Any]:
    """Wrap JSON."""
    data = base64.b64encode((text or "null").encode()).decode()
    kind = base64.b64encode(b"json/plain").decode()
    return {"payloads": [{"metadata": {"encoding": kind}, "data": data}]}


def _argument(text: str | None) -> dict[str, Any]:
    """Wrap the one argument of a function."""
    [value] = json.loads(text or "null").values()
    return _payloads(json.dumps(value))


class _Translation:
    """Translates one history."""

    def __init__(self) -> None:
        self._ids: dict[int, int] = {}  # of our events, and what is theirs
        self._decided = 0  # the event of the last decision
        self._activities = itertools.count(1)
        self._timers = itertools.count(1)
        self._names: dict[str, str] = {}  # of timers

    def all(self, events: Iterable[Event]) -> Iterator[dict[str, Any]]:
        """Translate all events but those that only SWF needs."""
        skipped = last = 0
        for event in events:
            attributes: Any = event.attributes
            if getattr(attributes, "timer_id", "").startswith(MORE):
                skipped = 3 if event.type == "TimerFired" else 0
            elif skipped:
                skipped -= 1  # of the decision that it brought on
            else:
                last += 1
                self._ids[event.id] = last
                yield self._event(last, event)

    def _event(self, number: int, event: Event) -> dict[str, Any]:
        name = event.type.replace("DecisionTask", "WorkflowTask")
        written = self._common(event.attributes) | self._own(name, event.attributes)
        if name == "WorkflowTaskCompleted":
            self._decided = number
        return {
            "eventId": number,
            "eventTime": event.time_stamp.isoformat(),
            "eventType": name,
            f"{name[0].lower()}{name[1:]}EventAttributes": written,
        }

    def _common(self, attributes: Any) -> dict[str, Any]:
        """Translate ids of events."""
        written: dict[str, Any] = {}
        for ours, theirs in _REFERENCES.items():
            if (id := getattr(attributes, ours, None)) is not None:
                written[theirs] = self._ids[id]
        if hasattr(attributes, "decision_task_completed_event_id"):
            written["workflowTaskCompletedEventId"] = self._decided
        return written

    def _own(self, name: str, a: Any) -> dict[str, Any]:
        """Translate what events of one type have."""
        own: dict[str, Any] = {}
        match name:
            case "WorkflowExecutionStarted":
                own = _STARTED | {
                    "workflowType": {"name": a.workflow_type.name},
                    "input": _argument(a.input),
                }
            case "WorkflowExecutionSignaled":
                own = {"signalName": a.signal_name, "input": _payloads(a.input)}
            case "ActivityTaskScheduled":
                own = {
                    "activityId": str(next(self._activities)),
                    "activityType": {"name": a.activity_type.name},
                    "taskQueue": _QUEUE,
                    "input": _argument(a.input),
                    "startToCloseTimeout": "60s",
                }
            case "ActivityTaskCompleted" | "WorkflowExecutionCompleted":
                own = {"result": _payloads(a.result)}
            case "TimerStarted":
                self._names[a.timer_id] = str(next(self._timers))
                seconds = f"{a.start_to_fire_timeout}s"
                own = {
                    "timerId": self._names[a.timer_id],
                    "startToFireTimeout": seconds,
                }
            case "TimerFired" | "TimerCanceled":
                own = {"timerId": self._names[a.timer_id]}
            case "WorkflowTaskCompleted":
                own = {} if self._decided else _FLAGS
            case "WorkflowTaskScheduled":
                own = {"taskQueue": _QUEUE, "attempt": 1}
        return own
