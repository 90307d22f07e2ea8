"""Decisions that stay in their run: activities, timers, markers, Lambda functions.

Source:
    swf-semantics.md section 3.2, in the order of its checks.
"""

from typing import Any

from flowser import decisions as d
from flowser import events as e
from flowser import shapes
from flowser.local.engine import functions
from flowser.local.engine.batch import Batch
from flowser.local.engine.state import Registered

#: What has to be said by the decision or by the type, and the cause when it is not.
_REQUIRED = {
    "task_list": ("defaultTaskList", "DEFAULT_TASK_LIST_UNDEFINED"),
    "schedule_to_start_timeout": (
        "defaultTaskScheduleToStartTimeout",
        "DEFAULT_SCHEDULE_TO_START_TIMEOUT_UNDEFINED",
    ),
    "schedule_to_close_timeout": (
        "defaultTaskScheduleToCloseTimeout",
        "DEFAULT_SCHEDULE_TO_CLOSE_TIMEOUT_UNDEFINED",
    ),
    "start_to_close_timeout": (
        "defaultTaskStartToCloseTimeout",
        "DEFAULT_START_TO_CLOSE_TIMEOUT_UNDEFINED",
    ),
    "heartbeat_timeout": (
        "defaultTaskHeartbeatTimeout",
        "DEFAULT_HEARTBEAT_TIMEOUT_UNDEFINED",
    ),
}


def schedule_activity(batch: Batch, decision: d.ScheduleActivityTask) -> None:
    """Schedule an activity task, its defaults resolved."""
    type = decision.activity_type
    registered = batch.domain.types["activity"].get((type.name, type.version))
    resolved: dict[str, Any] = {}
    cause = _activity_refused(batch, decision, registered, resolved)
    if cause is not None:
        failed = e.ScheduleActivityTaskFailed(
            activity_type=type,
            activity_id=decision.activity_id,
            cause=cause,
            decision_task_completed_event_id=batch.id,
        )
        batch.append(failed)
        return
    scheduled = e.ActivityTaskScheduled(
        activity_type=type,
        activity_id=decision.activity_id,
        decision_task_completed_event_id=batch.id,
        input=decision.input,
        control=decision.control,
        **resolved,
    )
    batch.append(scheduled)


def _activity_refused(  # noqa: PLR0911 - one for each cause, in order
    batch: Batch,
    decision: d.ScheduleActivityTask,
    registered: Registered | None,
    resolved: dict[str, Any],
) -> str | None:
    if registered is None:
        return "ACTIVITY_TYPE_DOES_NOT_EXIST"
    if registered.deprecated_at is not None:
        return "ACTIVITY_TYPE_DEPRECATED"
    if decision.activity_id in batch.run.activity_ids:
        return "ACTIVITY_ID_ALREADY_IN_USE"
    if undefined := _resolve(decision, registered, resolved):
        return undefined
    if len(batch.run.activities) >= batch.world.quotas.open_activities:
        return "OPEN_ACTIVITIES_LIMIT_EXCEEDED"
    if not batch.allowed("ScheduleActivityTask"):
        return "ACTIVITY_CREATION_RATE_EXCEEDED"
    return None


def _resolve(
    decision: d.ScheduleActivityTask, registered: Registered, resolved: dict[str, Any]
) -> str | None:
    defaults = registered.fact.defaults
    for member, (default, cause) in _REQUIRED.items():
        value = getattr(decision, member)
        if value is None and (value := defaults.get(default)) is not None:
            value = shapes.TaskList(name=value) if member == "task_list" else value
        if value is None:
            return cause
        resolved[member] = value
    priority = decision.task_priority or defaults.get("defaultTaskPriority")
    resolved["task_priority"] = priority
    return None


def request_cancel_activity(
    batch: Batch, decision: d.RequestCancelActivityTask
) -> None:
    """Ask for an activity to be canceled; one that was not started is at once."""
    task = batch.run.activity_ids.get(decision.activity_id)
    if task is None:
        failed = e.RequestCancelActivityTaskFailed(
            activity_id=decision.activity_id,
            cause="ACTIVITY_ID_UNKNOWN",
            decision_task_completed_event_id=batch.id,
        )
        batch.append(failed)
        return
    requested = e.ActivityTaskCancelRequested(
        decision_task_completed_event_id=batch.id, activity_id=decision.activity_id
    )
    id = batch.append(requested)
    if not task.started_id:
        canceled = e.ActivityTaskCanceled(
            scheduled_event_id=task.id,
            started_event_id=0,
            latest_cancel_requested_event_id=id,
        )
        batch.append(canceled)


def record_marker(batch: Batch, decision: d.RecordMarker) -> None:
    """Leave a note in the history."""
    recorded = e.MarkerRecorded(
        marker_name=decision.marker_name,
        decision_task_completed_event_id=batch.id,
        details=decision.details,
    )
    batch.append(recorded)


def start_timer(batch: Batch, decision: d.StartTimer) -> None:
    """Start a timer."""
    cause = _timer_refused(batch, decision.timer_id)
    if cause is not None:
        failed = e.StartTimerFailed(
            timer_id=decision.timer_id,
            cause=cause,
            decision_task_completed_event_id=batch.id,
        )
        batch.append(failed)
        return
    started = e.TimerStarted(
        timer_id=decision.timer_id,
        start_to_fire_timeout=decision.start_to_fire_timeout,
        decision_task_completed_event_id=batch.id,
        control=decision.control,
    )
    batch.append(started)


def _timer_refused(batch: Batch, timer_id: str) -> str | None:
    if timer_id in batch.run.timer_ids:
        return "TIMER_ID_ALREADY_IN_USE"
    if len(batch.run.timers) >= batch.world.quotas.open_timers:
        return "OPEN_TIMERS_LIMIT_EXCEEDED"
    if not batch.allowed("StartTimer"):
        return "TIMER_CREATION_RATE_EXCEEDED"
    return None


def cancel_timer(batch: Batch, decision: d.CancelTimer) -> None:
    """Stop a timer."""
    timer = batch.run.timer_ids.get(decision.timer_id)
    if timer is None:
        failed = e.CancelTimerFailed(
            timer_id=decision.timer_id,
            cause="TIMER_ID_UNKNOWN",
            decision_task_completed_event_id=batch.id,
        )
        batch.append(failed)
        return
    canceled = e.TimerCanceled(
        timer_id=decision.timer_id,
        started_event_id=timer.id,
        decision_task_completed_event_id=batch.id,
    )
    batch.append(canceled)


def schedule_lambda(batch: Batch, decision: d.ScheduleLambdaFunction) -> None:
    """Ask for a Lambda function to be invoked."""
    cause = None
    # An id was seen to be taken again (section 3.2); while open it is in use.
    if decision.id in batch.run.lambda_ids:
        cause = "ID_ALREADY_IN_USE"
    elif len(batch.run.lambdas) >= batch.world.quotas.open_lambdas:
        cause = "OPEN_LAMBDA_FUNCTIONS_LIMIT_EXCEEDED"
    if cause is not None:
        failed = e.ScheduleLambdaFunctionFailed(
            id=decision.id,
            name=decision.name,
            cause=cause,
            decision_task_completed_event_id=batch.id,
        )
        batch.append(failed)
        return
    timeout = decision.start_to_close_timeout or str(batch.world.quotas.lambda_timeout)
    scheduled = e.LambdaFunctionScheduled(
        id=decision.id,
        name=decision.name,
        decision_task_completed_event_id=batch.id,
        control=decision.control,
        input=decision.input,
        start_to_close_timeout=timeout,
    )
    id = batch.append(scheduled)
    world, run = batch.world, batch.run
    world.effects.append(lambda: functions.invoke(world, run, id))
