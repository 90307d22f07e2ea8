"""Reads histories as they grow, and objects to what no history of SWF's may hold.

It knows the engine's events as JSON, and nothing else of the engine but which of them
wake the decider; what is open it works out itself.

Source:
    swf-semantics.md sections 1.1, 2.2, 3.1 and 4.
"""

from collections import defaultdict
from typing import Any, NamedTuple

from flowser import events as e
from flowser.local.engine import waking

#: What an event opens.
_OPENS = {
    "DecisionTaskScheduled": "decisions",
    "ActivityTaskScheduled": "activities",
    "TimerStarted": "timers",
    "StartChildWorkflowExecutionInitiated": "children",
    "SignalExternalWorkflowExecutionInitiated": "externals",
    "RequestCancelExternalWorkflowExecutionInitiated": "externals",
    "LambdaFunctionScheduled": "lambdas",
}

#: What an event says to have begun, and the member that names what opened it.
_BEGINS = {
    "DecisionTaskStarted": ("decisions", "scheduledEventId"),
    "ActivityTaskStarted": ("activities", "scheduledEventId"),
    "ChildWorkflowExecutionStarted": ("children", "initiatedEventId"),
    "LambdaFunctionStarted": ("lambdas", "scheduledEventId"),
}


class _End(NamedTuple):
    """What an event closes, and whether that may, must or must not have begun."""

    what: str
    member: str
    begun: bool | None = True


def _ends() -> dict[str, _End]:
    ends = {
        "DecisionTaskCompleted": _End("decisions", "scheduledEventId"),
        "DecisionTaskTimedOut": _End("decisions", "scheduledEventId", begun=None),
        "ActivityTaskTimedOut": _End("activities", "scheduledEventId", begun=None),
        "ActivityTaskCanceled": _End("activities", "scheduledEventId", begun=None),
        "StartLambdaFunctionFailed": _End("lambdas", "scheduledEventId", begun=False),
        "TimerFired": _End("timers", "startedEventId", begun=False),
        "TimerCanceled": _End("timers", "startedEventId", begun=False),
    }
    for outcome in ("Completed", "Failed"):
        ends[f"ActivityTask{outcome}"] = _End("activities", "scheduledEventId")
    for outcome in ("Completed", "Failed", "TimedOut"):
        ends[f"LambdaFunction{outcome}"] = _End("lambdas", "scheduledEventId")
    for outcome in ("Completed", "Failed", "TimedOut", "Canceled", "Terminated"):
        ends[f"ChildWorkflowExecution{outcome}"] = _End("children", "initiatedEventId")
    for outcome in (
        "SignalExternalWorkflowExecutionFailed",
        "ExternalWorkflowExecutionSignaled",
        "RequestCancelExternalWorkflowExecutionFailed",
        "ExternalWorkflowExecutionCancelRequested",
    ):
        ends[outcome] = _End("externals", "initiatedEventId", begun=False)
    return ends


_ENDS = _ends()

#: These name the batch that began what failed, and come after it.
_LATER = {
    "SignalExternalWorkflowExecutionFailed",
    "RequestCancelExternalWorkflowExecutionFailed",
    "StartChildWorkflowExecutionFailed",
}

_WAKING = {attributes.__name__ for attributes in waking.WAKING}
_CLOSING = {attributes.__name__ for attributes in waking.CLOSING}


class Witness:
    """What the events of one history say.

    Attributes:
        last: The id of the last event.
        open: By kind, what is open: the id that opened it, and that it began with.
    """

    def __init__(self) -> None:
        self.last = 0
        self.time = 0.0
        self.closed = False
        self.open: dict[str, dict[int, int]] = defaultdict(dict)
        self._batch = 0
        self._woken = 0
        self._started = 0

    def see(self, event: dict[str, Any]) -> None:
        """Take the next event."""
        kind, id = event["eventType"], event["eventId"]
        attributes = event[e.member(kind)]
        assert not self.closed, (kind, "after the closing event")
        assert id == self.last + 1, (kind, id)
        assert event["eventTimestamp"] >= self.time, (kind, "time went back")
        assert (kind == "WorkflowExecutionStarted") == (id == 1), kind
        self._see_batch(kind, id, attributes)
        self._see_work(kind, id, attributes)
        self._see_decisions(kind, id)
        self.last, self.time = id, event["eventTimestamp"]
        self.closed = kind in _CLOSING
        if self.closed:
            self.open["decisions"].clear()

    def _see_batch(self, kind: str, id: int, attributes: dict[str, Any]) -> None:
        """The events of decisions follow each other, right after their batch."""
        named = attributes.get("decisionTaskCompletedEventId")
        canceled = kind == "ActivityTaskCanceled" and not attributes["startedEventId"]
        if kind == "DecisionTaskCompleted":
            self._batch = id
        elif named is None and not canceled:
            self._batch = 0
        elif kind not in _LATER:
            assert self._batch, (kind, "outside of a batch")
            assert named in {None, self._batch}, (kind, named)

    def _see_work(self, kind: str, id: int, attributes: dict[str, Any]) -> None:
        """What begins was opened, what ends had begun, and nothing does so twice."""
        if kind in _OPENS:
            self.open[_OPENS[kind]][id] = 0
        elif kind in _BEGINS:
            what, member = _BEGINS[kind]
            assert self.open[what][attributes[member]] == 0, (kind, "begun twice")
            self.open[what][attributes[member]] = id
        elif kind in _ENDS:
            what, member, begun = _ENDS[kind]
            started = self.open[what].pop(attributes[member])
            assert begun in {None, bool(started)}, kind
            if what not in {"timers", "externals"} and begun is not False:
                assert attributes["startedEventId"] == started, kind
        elif kind == "StartChildWorkflowExecutionFailed":
            # Never initiated: 0, which is not open.
            initiated = attributes["initiatedEventId"]
            assert not self.open["children"].pop(initiated, initiated and -1), kind

    def _see_decisions(self, kind: str, id: int) -> None:
        """At most one decision task runs and one is pending, and each has a reason."""
        if kind in _WAKING:
            self._woken = id
        if kind == "DecisionTaskScheduled":
            assert self._woken > self._started, "nothing called for a decision task"
        if kind == "DecisionTaskStarted":
            self._started = id
        tasks = list(self.open["decisions"].values())
        assert sum(started == 0 for started in tasks) <= 1, "two are pending"
        assert sum(started != 0 for started in tasks) <= 1, "two run"

    def rest(self) -> None:
        """Say that no transition is under way."""
        pending = 0 in self.open["decisions"].values()
        assert self.closed or pending == (self._woken > self._started)

    def counts(self) -> dict[str, int]:
        """Count what is open, as DescribeWorkflowExecution does."""
        return {
            "openActivityTasks": len(self.open["activities"]),
            "openDecisionTasks": min(1, len(self.open["decisions"])),
            "openTimers": len(self.open["timers"]),
            "openChildWorkflowExecutions": len(self.open["children"]),
            "openLambdaFunctions": len(self.open["lambdas"]),
        }
