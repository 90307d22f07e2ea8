"""The 13 decisions, typed.

A decision's class has the name of its decision type. On the wire it is an object with
that type and one member that holds the attributes: :func:`wrapped` makes it, as a
:class:`Wrapped`.

Source:
    swf-semantics.md section 3.2; botocore's service-2.json.
"""

import typing
from typing import dataclass_transform

import msgspec

from flowser import limits, shapes


class Decision(shapes.Shape):
    """Something a decider asks of SWF; one subclass per decision type."""


class ScheduleActivityTask(Decision):
    """Ask for an activity to be done."""

    activity_type: shapes.ActivityType
    activity_id: limits.Name
    control: limits.Data | None = None
    input: limits.Data | None = None
    schedule_to_close_timeout: limits.SecondsOrNone | None = None
    task_list: shapes.TaskList | None = None
    task_priority: limits.Priority | None = None
    schedule_to_start_timeout: limits.SecondsOrNone | None = None
    start_to_close_timeout: limits.SecondsOrNone | None = None
    heartbeat_timeout: limits.SecondsOrNone | None = None


class RequestCancelActivityTask(Decision):
    """Ask for an open activity task to be canceled."""

    activity_id: limits.Name


class CompleteWorkflowExecution(Decision):
    """Close the run with a result."""

    result: limits.Data | None = None


class FailWorkflowExecution(Decision):
    """Close the run as failed."""

    reason: limits.Reason | None = None
    details: limits.Data | None = None


class CancelWorkflowExecution(Decision):
    """Close the run as canceled."""

    details: limits.Data | None = None


class ContinueAsNewWorkflowExecution(Decision):
    """Close the run and begin a new one with the same workflow id."""

    input: limits.Data | None = None
    execution_start_to_close_timeout: limits.SecondsOrNone | None = None
    task_list: shapes.TaskList | None = None
    task_priority: limits.Priority | None = None
    task_start_to_close_timeout: limits.SecondsOrNone | None = None
    child_policy: shapes.ChildPolicy | None = None
    tag_list: limits.TagList | None = None
    workflow_type_version: limits.Version | None = None
    lambda_role: limits.Arn | None = None


class RecordMarker(Decision):
    """Leave a note in the history."""

    marker_name: limits.Label
    details: limits.Data | None = None


class StartTimer(Decision):
    """Ask to be woken after a number of seconds."""

    timer_id: limits.Name
    start_to_fire_timeout: limits.Seconds
    control: limits.Data | None = None


class CancelTimer(Decision):
    """Stop a timer."""

    timer_id: limits.Name


class SignalExternalWorkflowExecution(Decision):
    """Send a signal to another execution of the domain."""

    workflow_id: limits.Name
    signal_name: limits.Label
    run_id: limits.RunIdOptional | None = None
    input: limits.Data | None = None
    control: limits.Data | None = None


class RequestCancelExternalWorkflowExecution(Decision):
    """Ask another execution of the domain to cancel itself."""

    workflow_id: limits.Name
    run_id: limits.RunIdOptional | None = None
    control: limits.Data | None = None


class StartChildWorkflowExecution(Decision):
    """Start a child."""

    workflow_type: shapes.WorkflowType
    workflow_id: limits.Name
    control: limits.Data | None = None
    input: limits.Data | None = None
    execution_start_to_close_timeout: limits.SecondsOrNone | None = None
    task_list: shapes.TaskList | None = None
    task_priority: limits.Priority | None = None
    task_start_to_close_timeout: limits.SecondsOrNone | None = None
    child_policy: shapes.ChildPolicy | None = None
    tag_list: limits.TagList | None = None
    lambda_role: limits.Arn | None = None


class ScheduleLambdaFunction(Decision):
    """Ask for a Lambda function to be invoked."""

    id: limits.Label
    name: limits.FunctionName
    control: limits.Data | None = None
    input: limits.Data | None = None
    start_to_close_timeout: limits.LambdaSeconds | None = None


#: The class of a decision, by decision type.
DECISIONS: dict[str, type[Decision]] = {
    decision.__name__: decision for decision in Decision.__subclasses__()
}

#: Decisions that close the run: at most one, and the last of its list.
CLOSING: tuple[type[Decision], ...] = (
    CompleteWorkflowExecution,
    FailWorkflowExecution,
    CancelWorkflowExecution,
    ContinueAsNewWorkflowExecution,
)

#: Decisions that SWF refuses in one list with a closing one.
#: Source: swf-semantics.md section 3.3 (the third is inferred there).
OPENING: tuple[type[Decision], ...] = (
    ScheduleActivityTask,
    StartTimer,
    ScheduleLambdaFunction,
)


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Wrapped(msgspec.Struct, frozen=True, kw_only=True, tag_field="decisionType"):
    """A decision as it is on the wire: its type beside its attributes."""

    attributes: Decision


def member(decision_type: str) -> str:
    """Name the member that holds a decision's attributes on the wire."""
    return f"{decision_type[0].lower()}{decision_type[1:]}DecisionAttributes"


def _wrapper(decision: type[Decision]) -> type[Wrapped]:
    name = decision.__name__
    made = msgspec.defstruct(
        f"Wrapped{name}",
        [("attributes", decision, msgspec.field(name=member(name)))],
        bases=(Wrapped,),
        module=__name__,
        tag=name,
        tag_field="decisionType",
        frozen=True,
        kw_only=True,
    )
    return typing.cast("type[Wrapped]", made)


_WRAPPERS = {decision: _wrapper(decision) for decision in DECISIONS.values()}


def wrapped(decision: Decision) -> Wrapped:
    """Give a decision the form that it has on the wire."""
    return _WRAPPERS[type(decision)](attributes=decision)
