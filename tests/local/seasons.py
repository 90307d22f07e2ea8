"""A workflow that counts what its activities bring, whatever happens to them.

Its result is right only if each of them is counted once.
"""

import json
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from flowser.domain import Domain
from flowser.events import Event
from flowser.tasks import Decision
from flowser.types import Activity, Workflow


class Crop(Activity):
    """Grows, in a time that is in its input, to a value that is there too."""

    name = "Crop"
    version = "1"
    task_list = "crops"
    heartbeat_timeout = "30"
    start_to_close_timeout = "60"
    schedule_to_start_timeout = "300"
    schedule_to_close_timeout = "600"


class Season(Workflow):
    """Grows crops and at most one smaller season, waits for a timer and signals."""

    name = "Season"
    version = "1"
    task_list = "seasons"
    task_start_to_close_timeout = "20"
    execution_start_to_close_timeout = "864000"


class Farm(Domain):
    """Where all this happens."""

    name = "farm"
    workflow_types = [Season]
    activity_types = [Crop]


class Plan(NamedTuple):
    """The input of a season.

    Attributes:
        id: Of the execution.
        values: What each crop brings.
        wait: Seconds of the timer.
        signals: The names of the signals to wait for.
        child: The plan of a smaller season, or None.
        years: How often to begin again.
    """

    id: str
    values: list[int]
    wait: int
    signals: list[str]
    child: Any
    years: int

    @property
    def result(self) -> int:
        """What it all has to come to."""
        return sum(self.values) + (Plan(*self.child).result if self.child else 0)


class _Tried(NamedTuple):
    """What a history says of something that may be tried several times."""

    times: int = 0
    open: bool = False
    result: int | None = None


def _tried(events: Iterable[Event], opens: dict[str, str], name: str) -> _Tried:
    """Follow the attempts at something: opened, ended, and perhaps with a result.

    Args:
        events: In order.
        opens: The type of what opens it, and the member that bears its name.
        name: What the names of all attempts begin with.
    """
    found, current = _Tried(), 0
    for event in events:
        told: Any = event.attributes
        if event.type in opens:
            if getattr(told, opens[event.type]).startswith(name):
                found, current = _Tried(found.times + 1, open=True), event.id
        elif current and _ends(event, current):
            result = getattr(told, "result", None)
            value = None if result is None else json.loads(result)[-1]
            found, current = _Tried(found.times, open=False, result=value), 0
    return found


_STARTS = ("ActivityTaskStarted", "ChildWorkflowExecutionStarted")


def _ends(event: Event, opened: int) -> bool:
    told: Any = event.attributes
    ids = {
        getattr(told, "scheduled_event_id", 0),
        getattr(told, "initiated_event_id", 0),
    }
    return opened in ids and event.type not in _STARTS


async def decide(decision: Decision, serial: str) -> None:
    """Decide on a season.

    Args:
        decision: The task.
        serial: Nobody else's; it is left in a marker.
    """
    plan = Plan(*await decision.start_input)
    events = [event async for event in decision.events][::-1]
    decision.mark("decided", serial)
    brought = [*_grow(decision, plan, events), _have_child(decision, plan, events)]
    if not _waited(decision, plan, events) or None in brought:
        return
    if plan.years:
        following = plan._replace(years=plan.years - 1, signals=[])
        await decision.continue_as_new(following)
        return
    total = sum(value or 0 for value in brought)
    await decision.workflow_execution.complete([plan.id, total])


def _grow(decision: Decision, plan: Plan, events: list[Event]) -> list[int | None]:
    run = zlib.crc32((decision.workflow_execution.run_id or "").encode())
    brought = []
    for index, value in enumerate(plan.values):
        name = f"{plan.id}-{run:08x}-{index}-"
        crop = _tried(events, {"ActivityTaskScheduled": "activity_id"}, name)
        if crop.result is None and not crop.open:
            id = f"{name}{crop.times}"
            decision.schedule(Crop, [id, value], activity_id=id)
        brought.append(crop.result)
    return brought


def _have_child(decision: Decision, plan: Plan, events: list[Event]) -> int | None:
    if not plan.child:
        return 0
    opens = {"StartChildWorkflowExecutionInitiated": "workflow_id"}
    child = _tried(events, opens, plan.child[0])
    if child.result is None and not child.open:
        id = f"{plan.child[0]}-{child.times}-{plan.years}"
        decision.start_child(Season, plan.child, workflow_id=id)
    return child.result


def _waited(decision: Decision, plan: Plan, events: list[Event]) -> bool:
    types = [event.type for event in events]
    if "TimerStarted" not in types:
        decision.start_timer("wait", plan.wait)
    came = {
        getattr(event.attributes, "signal_name", None)
        for event in events
        if event.type == "WorkflowExecutionSignaled"
    }
    return "TimerFired" in types and came >= set(plan.signals)
