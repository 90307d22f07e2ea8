"""What a run did to the world, whatever it took to decide it.

Left out are ids and times of events, decisions, the attempts of a retry but for the
last one's end, and what became of activities and children that were asked to cancel
themselves: whether an answer to that arrives before the end is a race.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from flowser import events as e
from flowser import flow
from flowser.domain import Domain
from flowser.exceptions import Error
from flowser.executions import WorkflowExecution
from flowser.replay.run import Run


class Found:
    """The effects of a run, and of all that came of it.

    Attributes:
        effects: In no order, by run.
    """

    def __init__(self, domain: Domain, workflow: flow.Workflow[..., Any]) -> None:
        self.effects: dict[str, list[str]] = {}
        self._domain = domain
        self._workflow = workflow

    async def look(self, run: WorkflowExecution, name: str) -> None:
        """Wait for the end of a run, and look."""
        with suppress(Error):
            await run.result()
        history = [event async for event in run.history()]
        self._replay(run, history)
        effects = Effects(run)
        self.effects[name] = sorted(effects.of(history))
        for event in history:
            match event.attributes:
                case e.ChildWorkflowExecutionStarted(workflow_execution=child):
                    inner = f"{name}/{effects.short(child.workflow_id)}"
                    handle = self._domain.execution(child.workflow_id, child.run_id)
                    await self.look(handle, inner)
                case e.WorkflowExecutionContinuedAsNew(new_execution_run_id=new):
                    handle = self._domain.execution(run.workflow_id, new)
                    await self.look(handle, f"{name}+")

    def _replay(self, run: WorkflowExecution, history: list[e.Event]) -> None:
        """Replay a run that has ended: its code is still the same."""
        program = flow.Program(self._workflow.type)
        again = Run(run.workflow_id, str(run.run_id), program)
        try:
            again.feed(history)
            again.catch_up()
        finally:
            again.end()


class Effects:
    """The effects of one run."""

    def __init__(self, run: WorkflowExecution) -> None:
        self._prefix = f"{run.workflow_id}.{str(run.run_id)[:8]}."
        self._ids: dict[int, str] = {}  # of activities, by their events

    def short(self, child: str) -> str:
        """Give the part of a child's id that is the same in every run."""
        return child[len(self._prefix) :]

    def of(self, history: list[e.Event]) -> Iterator[str]:
        """Name the effects in a history."""
        told = [(event, self._about(event)) for event in history]
        asked = {about for event, about in told if event.type in _ASKING}
        for event, about in told:
            what = _WORDS.get(event.type)
            is_race = event.type in _ENDS and about in asked
            if what is not None and not is_race and "~" not in about:
                yield f"{about}: {what(event.attributes)}"

    def _about(self, event: e.Event) -> str:
        """Name what an event is about: a further attempt has a ``~`` in it."""
        a: Any = event.attributes
        match a:
            case e.ActivityTaskScheduled(activity_id=id):
                self._ids[event.id] = id.partition("~")[0]
                return f"activity {id}"
            case e.ActivityTaskCancelRequested(activity_id=id):
                return f"activity {id.partition('~')[0]}"
            case e.ActivityTaskCompleted() | e.ActivityTaskFailed():
                return f"activity {self._ids[a.scheduled_event_id]}"
            case e.TimerStarted() | e.TimerFired() | e.TimerCanceled():
                return f"timer {a.timer_id}"
        run = getattr(a, "workflow_execution", a)
        if "Child" in event.type or "CancelExternal" in event.type:
            return f"child {self.short(run.workflow_id)}"
        return event.type


def _end(attributes: Any) -> str:
    a = attributes
    return f"{type(a).__name__} {getattr(a, 'result', None) or a.reason}"


def _named(attributes: Any) -> str:
    return type(attributes).__name__


#: What an event says, by event type; others have no effect.
_WORDS: dict[str, Callable[[Any], str]] = {
    "ActivityTaskScheduled": lambda a: f"{a.activity_type.name} {a.input}",
    "ActivityTaskCancelRequested": _named,
    "TimerStarted": lambda a: f"{a.start_to_fire_timeout} s",
    "TimerFired": _named,
    "TimerCanceled": _named,
    "MarkerRecorded": lambda a: f"{a.marker_name} {a.details}",
    "StartChildWorkflowExecutionInitiated": lambda a: str(a.input),
    "RequestCancelExternalWorkflowExecutionInitiated": _named,
    "SignalExternalWorkflowExecutionInitiated": lambda a: f"{a.signal_name} {a.input}",
    "WorkflowExecutionSignaled": lambda a: f"{a.signal_name} {a.input}",
    "WorkflowExecutionCancelRequested": _named,
    "WorkflowExecutionCompleted": lambda a: str(a.result),
    "WorkflowExecutionFailed": lambda a: str(a.reason),
    "WorkflowExecutionCanceled": _named,
    "WorkflowExecutionContinuedAsNew": lambda a: str(a.input),
    "WorkflowExecutionTimedOut": _named,
    "ActivityTaskCompleted": _end,
    "ActivityTaskFailed": _end,
    "ChildWorkflowExecutionCompleted": _end,
    "ChildWorkflowExecutionFailed": _end,
    "ChildWorkflowExecutionCanceled": _named,
}

#: Those that ask an activity, or a child, to cancel itself; and those that end it.
_ASKING = frozenset(
    {"ActivityTaskCancelRequested", "RequestCancelExternalWorkflowExecutionInitiated"}
)
_ENDS = frozenset(
    {
        "ActivityTaskCompleted",
        "ActivityTaskFailed",
        "ChildWorkflowExecutionCompleted",
        "ChildWorkflowExecutionFailed",
        "ChildWorkflowExecutionCanceled",
    }
)
