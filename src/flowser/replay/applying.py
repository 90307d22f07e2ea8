"""What an event does to a run, by event type; events that are not here do nothing.

Source:
    dx.md section 1.2 (apply); swf-semantics.md section 4.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from flowser.events import Event
from flowser.exceptions import SerializationError
from flowser.replay import failures
from flowser.replay.failures import OperationFailed
from flowser.replay.operations import Operation
from flowser.replay.troubles import Undecodable

if TYPE_CHECKING:
    from flowser.replay.state import State

Effect = Callable[["State", Event, Any], None]

#: How an operation ends: the error, made of its id, its name and the attributes.
Failing = Callable[[Operation[Any], Any], OperationFailed]


def _started(run: "State", event: Event, attributes: Any) -> None:
    run.begin_main(event, attributes)


def _signaled(run: "State", event: Event, attributes: Any) -> None:
    run.signaled(event.id, attributes.signal_name, attributes.input)


def _cancel_requested(run: "State", _: Event, __: Any) -> None:
    run.request_cancel()


def _delivered(number: str) -> Effect:
    """Make the effect of an event that brings a result of what *number* names."""
    number_of = attrgetter(number)

    def effect(run: "State", event: Event, attributes: Any) -> None:
        command: Any = run.closed(event, number_of(attributes))
        try:
            command.deliver(getattr(attributes, "result", None))
        except SerializationError as error:
            raise Undecodable(event.id, str(error)) from error

    return effect


def _failed(number: str, failing: Failing) -> Effect:
    """Make the effect of an event that ends what *number* names without a result."""

    def effect(run: "State", event: Event, attributes: Any) -> None:
        operation: Any = run.closed(event, getattr(attributes, number))
        operation.fail(failing(operation, attributes))

    return effect


def _reasoned(kind: Callable[..., OperationFailed]) -> Failing:
    return lambda op, a: kind(op.id, op.name, a.reason, a.details)


def _detailed(kind: Callable[..., OperationFailed]) -> Failing:
    return lambda op, a: kind(op.id, op.name, getattr(a, "details", None))


def _timed(kind: Callable[..., OperationFailed]) -> Failing:
    return lambda op, a: kind(
        op.id, op.name, a.timeout_type or "START_TO_CLOSE", getattr(a, "details", None)
    )


def _refused(run: "State", event: Event, attributes: Any) -> None:
    run.refused(run.bound.pop(event.id), event, attributes.cause)


def _child_refused(run: "State", event: Event, attributes: Any) -> None:
    number = attributes.initiated_event_id
    child = run.closed(event, number) if number else run.bound.pop(event.id)
    run.refused(child, event, attributes.cause)


def _external_failed(run: "State", event: Event, attributes: Any) -> None:
    run.refused(
        run.closed(event, attributes.initiated_event_id), event, attributes.cause
    )


def _function_refused(run: "State", event: Event, attributes: Any) -> None:
    function: Any = run.closed(event, attributes.scheduled_event_id)
    reason = ": ".join(filter(None, (attributes.cause, attributes.message)))
    function.fail(failures.FunctionFailed(function.id, function.name, reason))


def _child_started(run: "State", event: Event, attributes: Any) -> None:
    child: Any = run.known(event, attributes.initiated_event_id)
    child.begun(attributes.workflow_execution.run_id)


def _fired(run: "State", event: Event, attributes: Any) -> None:
    timer: Any = run.closed(event, attributes.started_event_id)
    timer.fire()


def _close_refused(run: "State", event: Event, attributes: Any) -> None:
    run.close_refused(event, attributes.cause)


_SCHEDULED, _INITIATED = "scheduled_event_id", "initiated_event_id"

#: The effect of an event, by event type.
EFFECTS: dict[str, Effect] = {
    "WorkflowExecutionStarted": _started,
    "WorkflowExecutionSignaled": _signaled,
    "WorkflowExecutionCancelRequested": _cancel_requested,
    "CompleteWorkflowExecutionFailed": _close_refused,
    "FailWorkflowExecutionFailed": _close_refused,
    "CancelWorkflowExecutionFailed": _close_refused,
    "ContinueAsNewWorkflowExecutionFailed": _close_refused,
    "ScheduleActivityTaskFailed": _refused,
    "ActivityTaskCompleted": _delivered(_SCHEDULED),
    "ActivityTaskFailed": _failed(_SCHEDULED, _reasoned(failures.ActivityFailed)),
    "ActivityTaskTimedOut": _failed(_SCHEDULED, _timed(failures.ActivityTimedOut)),
    "ActivityTaskCanceled": _failed(_SCHEDULED, _detailed(failures.ActivityCanceled)),
    "StartTimerFailed": _refused,
    "TimerFired": _fired,
    "StartChildWorkflowExecutionFailed": _child_refused,
    "ChildWorkflowExecutionStarted": _child_started,
    "ChildWorkflowExecutionCompleted": _delivered(_INITIATED),
    "ChildWorkflowExecutionFailed": _failed(
        _INITIATED, _reasoned(failures.ChildFailed)
    ),
    "ChildWorkflowExecutionTimedOut": _failed(
        _INITIATED, _timed(failures.ChildTimedOut)
    ),
    "ChildWorkflowExecutionCanceled": _failed(
        _INITIATED, _detailed(failures.ChildCanceled)
    ),
    "ChildWorkflowExecutionTerminated": _failed(
        _INITIATED, _detailed(failures.ChildTerminated)
    ),
    "SignalExternalWorkflowExecutionFailed": _external_failed,
    "ExternalWorkflowExecutionSignaled": _delivered(_INITIATED),
    "RequestCancelExternalWorkflowExecutionFailed": _external_failed,
    "ExternalWorkflowExecutionCancelRequested": _delivered(_INITIATED),
    "ScheduleLambdaFunctionFailed": _refused,
    "StartLambdaFunctionFailed": _function_refused,
    "LambdaFunctionCompleted": _delivered(_SCHEDULED),
    "LambdaFunctionFailed": _failed(_SCHEDULED, _reasoned(failures.FunctionFailed)),
    "LambdaFunctionTimedOut": _failed(_SCHEDULED, _timed(failures.FunctionTimedOut)),
}
