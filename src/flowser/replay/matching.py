"""Which event of a history is the outcome of which decision, and whether they agree.

A decision has a key, and so has the event that it becomes. The decisions of one turn
are compared with the events of that turn as two sets: their order is of no account.

Source:
    dx.md section 1.2 (matching); swf-semantics.md section 3.2.
"""

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from flowser.events import Event
from flowser.replay import formats
from flowser.replay.commands import Command

#: Timers that only bring on the next decision begin with this; see `sending`.
MORE = "more-"


#: The id of what another program asked for: no id of ours.
_STRANGE = "?"


def _by_note(what: str) -> Callable[[Any], str]:
    def key(attributes: Any) -> str:
        note = formats.read_note(attributes.control)
        return f"{what}:{_STRANGE if note is None else note.id}"

    return key


def _marker(attributes: Any) -> str:
    note = formats.read_note(attributes.details)
    if note is None:
        return f"marker:{_STRANGE}"
    return f"{'patch' if note.kind == 'patch' else 'marker'}:{note.id}"


def _child_failed(attributes: Any) -> str | None:
    # With an Initiated event before it, it is no outcome of the decision (3.2).
    return None if attributes.initiated_event_id else _child(attributes)


_activity = attrgetter("activity_id")
_child = _by_note("child")
_external = _by_note("external")


def _cancel(attributes: Any) -> str:
    return f"cancel:{attributes.activity_id}"


def _timer(attributes: Any) -> str:
    return f"timer:{attributes.timer_id}"


def _stop(attributes: Any) -> str:
    return f"stop:{attributes.timer_id}"


def _function(attributes: Any) -> str:
    return f"lambda:{attributes.id}"


def _close(_: Any) -> str:
    return "close:"


def _refused_marker(attributes: Any) -> str:
    return f"refused marker:{attributes.marker_name}"


#: The key of an event that is the outcome of a decision, by event type; where the key
#: is None, the event is not.
KEYS: dict[str, Callable[[Any], str | None]] = {
    "ActivityTaskScheduled": _activity,
    "ScheduleActivityTaskFailed": _activity,
    "ActivityTaskCancelRequested": _cancel,
    "RequestCancelActivityTaskFailed": _cancel,
    "TimerStarted": _timer,
    "StartTimerFailed": _timer,
    "TimerCanceled": _stop,
    "CancelTimerFailed": _stop,
    "MarkerRecorded": _marker,
    "RecordMarkerFailed": _refused_marker,
    "StartChildWorkflowExecutionInitiated": _child,
    "StartChildWorkflowExecutionFailed": _child_failed,
    "SignalExternalWorkflowExecutionInitiated": _external,
    "RequestCancelExternalWorkflowExecutionInitiated": _external,
    "LambdaFunctionScheduled": _function,
    "ScheduleLambdaFunctionFailed": _function,
    "WorkflowExecutionCompleted": _close,
    "WorkflowExecutionFailed": _close,
    "WorkflowExecutionCanceled": _close,
    "WorkflowExecutionContinuedAsNew": _close,
    "CompleteWorkflowExecutionFailed": _close,
    "FailWorkflowExecutionFailed": _close,
    "CancelWorkflowExecutionFailed": _close,
    "ContinueAsNewWorkflowExecutionFailed": _close,
}

#: Outcomes that say that SWF refused the decision.
REFUSALS = frozenset(
    {
        "ScheduleActivityTaskFailed",
        "StartTimerFailed",
        "StartChildWorkflowExecutionFailed",
        "ScheduleLambdaFunctionFailed",
    }
)

#: Which decision a closing event, or the refusal of one, was the outcome of.
CLOSED_BY: dict[str, str] = {
    "WorkflowExecutionCompleted": "CompleteWorkflowExecution",
    "WorkflowExecutionFailed": "FailWorkflowExecution",
    "WorkflowExecutionCanceled": "CancelWorkflowExecution",
    "WorkflowExecutionContinuedAsNew": "ContinueAsNewWorkflowExecution",
    "CompleteWorkflowExecutionFailed": "CompleteWorkflowExecution",
    "FailWorkflowExecutionFailed": "FailWorkflowExecution",
    "CancelWorkflowExecutionFailed": "CancelWorkflowExecution",
    "ContinueAsNewWorkflowExecutionFailed": "ContinueAsNewWorkflowExecution",
}

Keyed = dict[str, Event]


def in_order(id: str) -> tuple[tuple[bool, int, str], ...]:
    """Give what section numbers are sorted by, as in a book."""
    parts = id.replace("~", ".").split(".")
    return tuple((not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in parts)


#: What operations are numbered by, and how their further attempts are called.
_NUMBERS = re.compile(r"(?:[cs]?\d+|x[0-9a-f]{8})(?:\.\d+)*|.*~\d+", re.DOTALL)


def is_number(id: str) -> bool:
    """Tell whether an operation might be called so without its author's doing."""
    return _NUMBERS.fullmatch(id) is not None


def settle(
    commands: dict[str, Command], outcomes: Keyed, bound: dict[int, Command]
) -> list[tuple[Command, Event]]:
    """Take out of both what agrees, and bind it.

    Args:
        commands: What the code asked for; what is not matched stays.
        outcomes: What history says of it; likewise.
        bound: Commands by the number of the event that they became.

    Returns:
        What agrees, for the report of what does not.
    """
    agreed = []
    for key, event in [*outcomes.items()]:
        command = commands.get(key)
        if command is None:
            continue
        if command.event is not event and not command.fits(event.attributes):
            continue
        del commands[key], outcomes[key]
        agreed.append((command, event))
        command.event = command.where = None
        if event.type in REFUSALS:
            bound[event.id] = command
        else:
            command.bind(event)
    return agreed
