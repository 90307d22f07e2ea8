"""What requests look like on the wire, and what the engine makes of that.

A decision of the client's is a union: its type says its one member. What a server is
sent may name one type and bring the attributes of others, which are validated too, and
then not looked at.

Source:
    swf-semantics.md sections 1.4 and 1.5.
"""

import typing
from enum import StrEnum
from typing import Any

import msgspec

from flowser import decisions, requests
from flowser.local.engine import faults


class DecisionType(StrEnum):
    """The 13 types, in the order in which the service lists them."""

    COMPLETE_WORKFLOW_EXECUTION = "CompleteWorkflowExecution"
    START_TIMER = "StartTimer"
    REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION = (
        "RequestCancelExternalWorkflowExecution"
    )
    SIGNAL_EXTERNAL_WORKFLOW_EXECUTION = "SignalExternalWorkflowExecution"
    CANCEL_TIMER = "CancelTimer"
    RECORD_MARKER = "RecordMarker"
    SCHEDULE_ACTIVITY_TASK = "ScheduleActivityTask"
    CONTINUE_AS_NEW_WORKFLOW_EXECUTION = "ContinueAsNewWorkflowExecution"
    SCHEDULE_LAMBDA_FUNCTION = "ScheduleLambdaFunction"
    FAIL_WORKFLOW_EXECUTION = "FailWorkflowExecution"
    REQUEST_CANCEL_ACTIVITY_TASK = "RequestCancelActivityTask"
    START_CHILD_WORKFLOW_EXECUTION = "StartChildWorkflowExecution"
    CANCEL_WORKFLOW_EXECUTION = "CancelWorkflowExecution"


#: A decision as it comes: a type, and room for the attributes of each type.
_Decision: Any = msgspec.defstruct(
    "Decision",
    [
        ("decision_type", DecisionType, msgspec.field(name="decisionType")),
        *(
            (
                name,
                kind | None,
                msgspec.field(default=None, name=decisions.member(name)),
            )
            for name, kind in decisions.DECISIONS.items()
        ),
    ],
    module=__name__,
    frozen=True,
)

#: The one request that comes in another form than it is carried out in.
_Completed = msgspec.defstruct(
    "Completed",
    [("decisions", tuple[_Decision, ...] | None, None)],
    bases=(requests.RespondDecisionTaskCompleted,),
    module=__name__,
    frozen=True,
    kw_only=True,
)


def wire(request: type[requests.Request[Any]]) -> type[msgspec.Struct]:
    """Give the class that a request is read by."""
    completed = request is requests.RespondDecisionTaskCompleted
    return _Completed if completed else request


def resolved(given: Any) -> requests.Request[Any]:
    """Make what the engine carries out of what came.

    Raises:
        Fault: When a decision lacks the attributes of its type.
    """
    if not isinstance(given, _Completed):
        return typing.cast("requests.Request[Any]", _without_empty_run(given))
    members = msgspec.structs.asdict(given)
    if members["decisions"] is not None:
        members["decisions"] = tuple(map(_wrapped, members["decisions"]))
    return requests.RespondDecisionTaskCompleted(**members)


def _wrapped(given: Any) -> decisions.Wrapped:
    name = given.decision_type
    attributes = getattr(given, name)
    if attributes is None:
        # Not one of the errors that are counted, and told alone (section 1.4).
        text = f"{name}DecisionAttributes must be specified for decision of type {name}"
        raise faults.invalid(text)
    return decisions.wrapped(_without_empty_run(attributes))


def _without_empty_run(shape: Any) -> Any:
    """Take an empty run id, where it may be empty, for none (section 1.5)."""
    if getattr(shape, "run_id", None) == "":
        return msgspec.structs.replace(shape, run_id=None)
    return shape
