"""The 54 history events, typed, and what is done with events that are not known.

An :class:`Event` has an id, a type, a time stamp and typed attributes; the class of
the attributes has the name of the event type::

    match event.attributes:
        case ActivityTaskCompleted(scheduled_event_id=scheduled, result=result):
            ...

Strategy: msgspec decodes a page straight into the right class per event, by a
tagged union whose tag is ``eventType``. An event that the union does not know (from
a newer service), or that lacks a required member (from an emulator), is kept as an
:class:`UnrecognizedEvent` with its attributes as plain JSON; nothing is dropped.

Source:
    swf-semantics.md section 4; botocore's service-2.json.
"""

import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Union, dataclass_transform

import msgspec

from flowser import serializing, shapes


class Attributes(shapes.Shape):
    """What an event of one type tells; one subclass per event type."""


class WorkflowExecutionStarted(Attributes):
    """A run began; always event 1."""

    child_policy: str
    task_list: shapes.TaskList
    workflow_type: shapes.WorkflowType
    input: str | None = None
    execution_start_to_close_timeout: str | None = None
    task_start_to_close_timeout: str | None = None
    task_priority: str | None = None
    tag_list: list[str] | None = None
    continued_execution_run_id: str | None = None
    parent_workflow_execution: shapes.WorkflowExecution | None = None
    parent_initiated_event_id: int | None = None
    lambda_role: str | None = None


class WorkflowExecutionCancelRequested(Attributes):
    """Somebody asked the run to cancel itself."""

    external_workflow_execution: shapes.WorkflowExecution | None = None
    external_initiated_event_id: int | None = None
    cause: str | None = None


class WorkflowExecutionCompleted(Attributes):
    """The run closed with a result."""

    decision_task_completed_event_id: int
    result: str | None = None


class CompleteWorkflowExecutionFailed(Attributes):
    """Closing as completed was refused; the run goes on."""

    cause: str
    decision_task_completed_event_id: int


class WorkflowExecutionFailed(Attributes):
    """The decider closed the run as failed."""

    decision_task_completed_event_id: int
    reason: str | None = None
    details: str | None = None


class FailWorkflowExecutionFailed(Attributes):
    """Closing as failed was refused; the run goes on."""

    cause: str
    decision_task_completed_event_id: int


class WorkflowExecutionTimedOut(Attributes):
    """The run was open for too long."""

    timeout_type: str
    child_policy: str


class WorkflowExecutionCanceled(Attributes):
    """The decider closed the run as canceled."""

    decision_task_completed_event_id: int
    details: str | None = None


class CancelWorkflowExecutionFailed(Attributes):
    """Closing as canceled was refused; the run goes on."""

    cause: str
    decision_task_completed_event_id: int


class WorkflowExecutionContinuedAsNew(Attributes):
    """The run closed, and a new run of the same workflow id began."""

    decision_task_completed_event_id: int
    new_execution_run_id: str
    task_list: shapes.TaskList
    child_policy: str
    workflow_type: shapes.WorkflowType
    input: str | None = None
    execution_start_to_close_timeout: str | None = None
    task_priority: str | None = None
    task_start_to_close_timeout: str | None = None
    tag_list: list[str] | None = None
    lambda_role: str | None = None


class ContinueAsNewWorkflowExecutionFailed(Attributes):
    """Continuing as new was refused; the run goes on."""

    cause: str
    decision_task_completed_event_id: int


class WorkflowExecutionTerminated(Attributes):
    """The run was closed from outside."""

    child_policy: str
    reason: str | None = None
    details: str | None = None
    cause: str | None = None


class DecisionTaskScheduled(Attributes):
    """A decision task waits on a task list."""

    task_list: shapes.TaskList
    task_priority: str | None = None
    start_to_close_timeout: str | None = None
    schedule_to_start_timeout: str | None = None


class DecisionTaskStarted(Attributes):
    """A decider was given the decision task."""

    scheduled_event_id: int
    identity: str | None = None


class DecisionTaskCompleted(Attributes):
    """A decider answered the decision task."""

    scheduled_event_id: int
    started_event_id: int
    execution_context: str | None = None
    task_list: shapes.TaskList | None = None
    task_list_schedule_to_start_timeout: str | None = None


class DecisionTaskTimedOut(Attributes):
    """A decision task was not started, or not answered, in time."""

    timeout_type: str
    scheduled_event_id: int
    started_event_id: int


class ActivityTaskScheduled(Attributes):
    """An activity task waits on a task list; its timeouts are resolved."""

    activity_type: shapes.ActivityType
    activity_id: str
    task_list: shapes.TaskList
    decision_task_completed_event_id: int
    input: str | None = None
    control: str | None = None
    schedule_to_start_timeout: str | None = None
    schedule_to_close_timeout: str | None = None
    start_to_close_timeout: str | None = None
    task_priority: str | None = None
    heartbeat_timeout: str | None = None


class ScheduleActivityTaskFailed(Attributes):
    """An activity task could not be scheduled."""

    activity_type: shapes.ActivityType
    activity_id: str
    cause: str
    decision_task_completed_event_id: int


class ActivityTaskStarted(Attributes):
    """A worker was given the activity task."""

    scheduled_event_id: int
    identity: str | None = None


class ActivityTaskCompleted(Attributes):
    """A worker completed the activity task."""

    scheduled_event_id: int
    started_event_id: int
    result: str | None = None


class ActivityTaskFailed(Attributes):
    """A worker failed the activity task."""

    scheduled_event_id: int
    started_event_id: int
    reason: str | None = None
    details: str | None = None


class ActivityTaskTimedOut(Attributes):
    """A clock of the activity task ran out."""

    timeout_type: str
    scheduled_event_id: int
    started_event_id: int
    details: str | None = None


class ActivityTaskCanceled(Attributes):
    """The activity task was canceled."""

    scheduled_event_id: int
    started_event_id: int
    details: str | None = None
    latest_cancel_requested_event_id: int | None = None


class ActivityTaskCancelRequested(Attributes):
    """The decider asked for the activity task to be canceled."""

    decision_task_completed_event_id: int
    activity_id: str


class RequestCancelActivityTaskFailed(Attributes):
    """No open activity task has that id."""

    activity_id: str
    cause: str
    decision_task_completed_event_id: int


class WorkflowExecutionSignaled(Attributes):
    """A signal arrived."""

    signal_name: str
    input: str | None = None
    external_workflow_execution: shapes.WorkflowExecution | None = None
    external_initiated_event_id: int | None = None


class MarkerRecorded(Attributes):
    """The decider left a note for itself."""

    marker_name: str
    decision_task_completed_event_id: int
    details: str | None = None


class RecordMarkerFailed(Attributes):
    """A marker could not be recorded."""

    marker_name: str
    cause: str
    decision_task_completed_event_id: int


class TimerStarted(Attributes):
    """A timer runs."""

    timer_id: str
    start_to_fire_timeout: str
    decision_task_completed_event_id: int
    control: str | None = None


class StartTimerFailed(Attributes):
    """A timer could not be started."""

    timer_id: str
    cause: str
    decision_task_completed_event_id: int


class TimerFired(Attributes):
    """A timer ran out."""

    timer_id: str
    started_event_id: int


class TimerCanceled(Attributes):
    """A timer was stopped."""

    timer_id: str
    started_event_id: int
    decision_task_completed_event_id: int


class CancelTimerFailed(Attributes):
    """No open timer has that id."""

    timer_id: str
    cause: str
    decision_task_completed_event_id: int


class StartChildWorkflowExecutionInitiated(Attributes):
    """SWF accepted the start of a child."""

    workflow_id: str
    workflow_type: shapes.WorkflowType
    task_list: shapes.TaskList
    decision_task_completed_event_id: int
    child_policy: str
    control: str | None = None
    input: str | None = None
    execution_start_to_close_timeout: str | None = None
    task_priority: str | None = None
    task_start_to_close_timeout: str | None = None
    tag_list: list[str] | None = None
    lambda_role: str | None = None


class StartChildWorkflowExecutionFailed(Attributes):
    """A child could not be started."""

    workflow_type: shapes.WorkflowType
    cause: str
    workflow_id: str
    initiated_event_id: int
    decision_task_completed_event_id: int
    control: str | None = None


class ChildWorkflowExecutionStarted(Attributes):
    """A child began."""

    workflow_execution: shapes.WorkflowExecution
    workflow_type: shapes.WorkflowType
    initiated_event_id: int


class ChildWorkflowExecutionCompleted(Attributes):
    """A child closed with a result."""

    workflow_execution: shapes.WorkflowExecution
    workflow_type: shapes.WorkflowType
    initiated_event_id: int
    started_event_id: int
    result: str | None = None


class ChildWorkflowExecutionFailed(Attributes):
    """A child failed."""

    workflow_execution: shapes.WorkflowExecution
    workflow_type: shapes.WorkflowType
    initiated_event_id: int
    started_event_id: int
    reason: str | None = None
    details: str | None = None


class ChildWorkflowExecutionTimedOut(Attributes):
    """A child was open for too long."""

    workflow_execution: shapes.WorkflowExecution
    workflow_type: shapes.WorkflowType
    timeout_type: str
    initiated_event_id: int
    started_event_id: int


class ChildWorkflowExecutionCanceled(Attributes):
    """A child closed as canceled."""

    workflow_execution: shapes.WorkflowExecution
    workflow_type: shapes.WorkflowType
    initiated_event_id: int
    started_event_id: int
    details: str | None = None


class ChildWorkflowExecutionTerminated(Attributes):
    """A child was terminated."""

    workflow_execution: shapes.WorkflowExecution
    workflow_type: shapes.WorkflowType
    initiated_event_id: int
    started_event_id: int


class SignalExternalWorkflowExecutionInitiated(Attributes):
    """SWF accepted a signal for another execution."""

    workflow_id: str
    signal_name: str
    decision_task_completed_event_id: int
    run_id: str | None = None
    input: str | None = None
    control: str | None = None


class SignalExternalWorkflowExecutionFailed(Attributes):
    """A signal did not reach the other execution."""

    workflow_id: str
    cause: str
    initiated_event_id: int
    decision_task_completed_event_id: int
    run_id: str | None = None
    control: str | None = None


class ExternalWorkflowExecutionSignaled(Attributes):
    """A signal reached the other execution."""

    workflow_execution: shapes.WorkflowExecution
    initiated_event_id: int


class RequestCancelExternalWorkflowExecutionInitiated(Attributes):
    """SWF accepted a cancel request for another execution."""

    workflow_id: str
    decision_task_completed_event_id: int
    run_id: str | None = None
    control: str | None = None


class RequestCancelExternalWorkflowExecutionFailed(Attributes):
    """A cancel request did not reach the other execution."""

    workflow_id: str
    cause: str
    initiated_event_id: int
    decision_task_completed_event_id: int
    run_id: str | None = None
    control: str | None = None


class ExternalWorkflowExecutionCancelRequested(Attributes):
    """A cancel request reached the other execution."""

    workflow_execution: shapes.WorkflowExecution
    initiated_event_id: int


class LambdaFunctionScheduled(Attributes):
    """A Lambda function will be invoked."""

    id: str
    name: str
    decision_task_completed_event_id: int
    control: str | None = None
    input: str | None = None
    start_to_close_timeout: str | None = None


class LambdaFunctionStarted(Attributes):
    """A Lambda function runs."""

    scheduled_event_id: int


class LambdaFunctionCompleted(Attributes):
    """A Lambda function returned."""

    scheduled_event_id: int
    started_event_id: int
    result: str | None = None


class LambdaFunctionFailed(Attributes):
    """A Lambda function failed."""

    scheduled_event_id: int
    started_event_id: int
    reason: str | None = None
    details: str | None = None


class LambdaFunctionTimedOut(Attributes):
    """A Lambda function ran for too long."""

    scheduled_event_id: int
    started_event_id: int
    timeout_type: str | None = None


class ScheduleLambdaFunctionFailed(Attributes):
    """A Lambda function could not be scheduled."""

    id: str
    name: str
    cause: str
    decision_task_completed_event_id: int


class StartLambdaFunctionFailed(Attributes):
    """A Lambda function could not be invoked."""

    scheduled_event_id: int | None = None
    cause: str | None = None
    message: str | None = None


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,)
)
class Event(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="eventType", weakref=True
):
    """One event of a history.

    Attributes:
        id: 1 to n without gaps, in order of time.
        time_stamp: When it was written, in UTC.
        attributes: One of the 54 classes of this module, or plain JSON when the event
            type is unknown.
    """

    id: int = msgspec.field(name="eventId")
    time_stamp: datetime = msgspec.field(name="eventTimestamp")
    attributes: Attributes | dict[str, Any]
    #: Not on the wire; set by a history whose serializer is not JSON.
    loads: Callable[[str], Any] | Any = msgspec.field(name="-", default=None)

    @property
    def type(self) -> str:
        """The event type: ``"ActivityTaskCompleted"``."""
        return str(self.__struct_config__.tag)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """The attributes by SWF's own names; ``input`` and ``result`` as objects."""
        return EventAttrs(self)


class UnrecognizedEvent(Event, tag=False, tag_field=None):
    """An event of a type, or a form, that this version of flowser does not know."""

    event_type: str
    attributes: dict[str, Any]

    @property
    def type(self) -> str:
        """The event type, as SWF wrote it."""
        return self.event_type


class EventAttrs(Mapping[str, Any]):
    """A mapping of an event's attributes by SWF's own names.

    The payloads ``input`` and ``result`` are read when they are looked at, so that a
    payload of somebody else's, which cannot be read, harms nobody who does not ask.
    """

    __slots__ = ("_loads", "_members")

    def __init__(self, event: Event) -> None:
        self._loads = event.loads or serializing.JSON.loads
        self._members: dict[str, Any] = msgspec.to_builtins(event.attributes)

    def __getitem__(self, name: str) -> Any:
        value = self._members[name]
        return self._loads(value) if name in {"input", "result"} else value

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return repr(self._members)


def member(event_type: str) -> str:
    """Name the member that holds an event's attributes on the wire."""
    return f"{event_type[0].lower()}{event_type[1:]}EventAttributes"


def _event_class(attributes: type[Attributes]) -> type[Event]:
    where = msgspec.field(name=member(attributes.__name__))
    if not any(field.required for field in msgspec.structs.fields(attributes)):
        where = msgspec.field(name=where.name, default_factory=attributes)
    made = msgspec.defstruct(
        f"{attributes.__name__}Event",
        [("attributes", attributes, where)],
        bases=(Event,),
        namespace={"type": attributes.__name__},  # quicker than the property
        module=__name__,
        tag=attributes.__name__,
        tag_field="eventType",
        frozen=True,
        kw_only=True,
    )
    return typing.cast("type[Event]", made)


#: The class of an event's attributes, by event type.
ATTRIBUTES: dict[str, type[Attributes]] = {
    attributes.__name__: attributes for attributes in Attributes.__subclasses__()
}

#: The class of an event, by event type: what a page is decoded into.
EVENTS: dict[str, type[Event]] = {
    name: _event_class(attributes) for name, attributes in ATTRIBUTES.items()
}

#: What a decoder is told: any of them, by its tag.
AnyEvent: Any = Union[tuple(EVENTS.values())]  # noqa: UP007 - made at run time


def event(raw: dict[str, Any]) -> Event:
    """Read one event from plain JSON, whatever it is.

    Args:
        raw: An event as SWF, or an emulator, wrote it.

    Returns:
        The event of its class; an :class:`UnrecognizedEvent` when the type is not
        known, or when a required member other than an id is missing.

    Raises:
        msgspec.ValidationError: When it is no event at all.
    """
    known = EVENTS.get(str(raw.get("eventType")))
    if known is not None:
        try:
            whole = _with_zeros(shapes.without_nulls(raw))
            return msgspec.convert(whole, known, strict=False)
        except msgspec.ValidationError:
            pass
    name = raw.get("eventType", "")
    plain = {"attributes": raw.get(member(name), {}) if name else {}}
    plain |= {key: raw[key] for key in ("eventId", "eventTimestamp") if key in raw}
    plain["event_type"] = name
    return msgspec.convert(plain, UnrecognizedEvent, strict=False)


def _with_zeros(raw: dict[str, Any]) -> dict[str, Any]:
    """Write the ids that emulators leave out when they are 0 (semantics 10.2)."""
    where = member(raw["eventType"])
    fields = msgspec.structs.fields(ATTRIBUTES[raw["eventType"]])
    zeros = {f.encode_name: 0 for f in fields if f.required and f.type is int}
    return raw | {where: zeros | raw.get(where, {})}
