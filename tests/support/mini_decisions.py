"""What each decision does to an execution.

Known here: schedule and cancel an activity task, start and cancel a timer, record a
marker, and the four that close. Children, external executions and lambdas are refused
as a whole, so that no test takes silence for success.

Source: swf-semantics.md, section 3.
"""

from collections.abc import Callable
from functools import partial

from tests.support.answers import Refused, invalid, member_missing
from tests.support.mini_defaults import (
    ACTIVITY_SETTINGS,
    WORKFLOW_SETTINGS,
    resolve,
    undefined_cause,
)
from tests.support.mini_engine import Engine
from tests.support.mini_model import TIMEOUT_TYPES, ActivityTask, Execution
from tests.support.mini_pages import Params

OPEN_LIMIT = 1000

Apply = Callable[[Engine, Execution, Params], None]


def apply_decisions(
    engine: Engine, execution: Execution, decisions: list[Params], completed_id: int
) -> None:
    """Apply decisions that `validate` has passed, in order.

    Args:
        engine: Whose execution it is.
        execution: What the decisions are about.
        decisions: As they came over the wire.
        completed_id: The DecisionTaskCompleted event.
    """
    completed = {"decisionTaskCompletedEventId": completed_id}
    for decision in decisions:
        name = decision["decisionType"]
        apply, _ = DECISIONS[name]
        apply(engine, execution, decision[_member(name)] | completed)


def validate(decisions: list[Params]) -> None:
    """Refuse a list that SWF would refuse as a whole; nothing is applied then.

    Raises:
        Refused: ValidationException, with the words of section 1.4.
    """
    for decision in decisions:
        _validate_one(decision)
    names = [decision["decisionType"] for decision in decisions]
    if CLOSES.keys() & names[:-1]:
        raise Refused(invalid("Close must be last decision in list"))
    if CLOSES.keys() & names and {"ScheduleActivityTask", "StartTimer"} & {*names}:
        text = "Specified decision is incompatible with close decision"
        raise Refused(invalid(text))


def _validate_one(decision: Params) -> None:
    name = decision.get("decisionType")
    if name not in DECISIONS:
        raise Refused(invalid(f"The mini SWF does not know the decision {name}"))
    given = decision.get(_member(name))
    if given is None:
        structure = f"{name}DecisionAttributes"
        text = f"{structure} must be specified for decision of type {name}"
        raise Refused(invalid(text))
    for required in DECISIONS[name][1]:
        if given.get(required) is None:
            raise Refused(member_missing(required))


def _member(name: str) -> str:
    return f"{name[0].lower()}{name[1:]}DecisionAttributes"


def _schedule_activity(engine: Engine, execution: Execution, given: Params) -> None:
    settings, cause = _activity_settings(execution, given)
    if cause is not None:
        failed = _keep(given, "activityType", "activityId") | {"cause": cause}
        engine.append(execution, "ScheduleActivityTaskFailed", failed)
        return
    scheduled_id = engine.append(execution, "ActivityTaskScheduled", given | settings)
    task = ActivityTask(
        execution,
        settings["taskList"]["name"],
        scheduled_id,
        activity_id=given["activityId"],
        activity_type=given["activityType"],
        input=given.get("input"),
        timeouts={name: settings[name] for name in TIMEOUT_TYPES},
    )
    execution.tasks[scheduled_id] = task
    execution.activities[task.activity_id] = task
    engine.wind(task, "scheduleToStartTimeout")
    engine.wind(task, "scheduleToCloseTimeout")
    engine.enqueue("activity", task)


def _activity_settings(
    execution: Execution, given: Params
) -> tuple[Params, str | None]:
    """Resolve the defaults of the type, or tell why the task cannot be scheduled."""
    known = execution.domain.type_of("activity", given["activityType"])
    if known is None:
        return {}, "ACTIVITY_TYPE_DOES_NOT_EXIST"
    if given["activityId"] in execution.activities:
        return {}, "ACTIVITY_ID_ALREADY_IN_USE"
    settings, absent = resolve(given, known.defaults, ACTIVITY_SETTINGS)
    if absent is not None:
        return {}, undefined_cause(absent)
    if len(execution.activities) >= OPEN_LIMIT:
        return {}, "OPEN_ACTIVITIES_LIMIT_EXCEEDED"
    return settings, None


def _request_cancel_activity(
    engine: Engine, execution: Execution, given: Params
) -> None:
    task = execution.activities.get(given["activityId"])
    if task is None:
        failed = given | {"cause": "ACTIVITY_ID_UNKNOWN"}
        engine.append(execution, "RequestCancelActivityTaskFailed", failed)
        return
    task.cancel_id = engine.append(execution, "ActivityTaskCancelRequested", given)
    if not task.started_id:
        attributes = {"latestCancelRequestedEventId": task.cancel_id}
        engine.end_activity(task, "ActivityTaskCanceled", attributes)


def _record_marker(engine: Engine, execution: Execution, given: Params) -> None:
    engine.append(execution, "MarkerRecorded", given)


def _start_timer(engine: Engine, execution: Execution, given: Params) -> None:
    timer_id = given["timerId"]
    cause = None
    if timer_id in execution.timers:
        cause = "TIMER_ID_ALREADY_IN_USE"
    elif len(execution.timers) >= OPEN_LIMIT:
        cause = "OPEN_TIMERS_LIMIT_EXCEEDED"
    if cause is not None:
        failed = _keep(given, "timerId") | {"cause": cause}
        engine.append(execution, "StartTimerFailed", failed)
        return
    started_id = engine.append(execution, "TimerStarted", given)
    fire = partial(_fire_timer, engine, execution, timer_id)
    clock = engine.later(given["startToFireTimeout"], fire)
    execution.timers[timer_id] = (started_id, clock)


def _fire_timer(engine: Engine, execution: Execution, timer_id: str) -> None:
    started_id, _ = execution.timers.pop(timer_id)
    attributes = {"timerId": timer_id, "startedEventId": started_id}
    engine.append(execution, "TimerFired", attributes)
    engine.settle(execution)


def _cancel_timer(engine: Engine, execution: Execution, given: Params) -> None:
    started_id, clock = execution.timers.pop(given["timerId"], (0, None))
    if not started_id:
        failed = given | {"cause": "TIMER_ID_UNKNOWN"}
        engine.append(execution, "CancelTimerFailed", failed)
        return
    if clock is not None:
        clock.cancel()
    canceled = given | {"startedEventId": started_id}
    engine.append(execution, "TimerCanceled", canceled)


def _close(decision: str, engine: Engine, execution: Execution, given: Params) -> None:
    if _unhandled(decision, engine, execution, given):
        return
    event_type, status = CLOSES[decision]
    engine.append(execution, event_type, given)
    engine.close(execution, status)


def _unhandled(
    decision: str, engine: Engine, execution: Execution, given: Params
) -> bool:
    """Refuse to close when something happened that the decider has not seen."""
    if execution.pending is None and not execution.woken:
        return False
    failed = _keep(given) | {"cause": "UNHANDLED_DECISION"}
    engine.append(execution, f"{decision}Failed", failed)
    return True


def _continue_as_new(engine: Engine, execution: Execution, given: Params) -> None:
    name = "ContinueAsNewWorkflowExecution"
    if _unhandled(name, engine, execution, given):
        return
    old = execution.workflow_type
    ids = old | {"version": given.get("workflowTypeVersion") or old["version"]}
    successor, cause = _successor(execution, ids, given)
    if successor is None:
        failed = _keep(given) | {"cause": cause}
        engine.append(execution, f"{name}Failed", failed)
        return
    continued = successor.config | {
        "newExecutionRunId": successor.run_id,
        "workflowType": ids,
        "tagList": successor.tags,
        "input": given.get("input"),
    }
    event_type, status = CLOSES[name]
    engine.append(execution, event_type, _keep(given) | continued)
    engine.close(execution, status)
    started = {"continuedExecutionRunId": execution.run_id, "input": given.get("input")}
    engine.start(successor, started)


def _successor(
    execution: Execution, ids: Params, given: Params
) -> tuple[Execution | None, str]:
    """Build the next run of a chain, or tell why it cannot be started."""
    known = execution.domain.type_of("workflow", ids)
    if known is None:
        return None, "WORKFLOW_TYPE_DOES_NOT_EXIST"
    config, absent = resolve(given, known.defaults, WORKFLOW_SETTINGS)
    if absent is not None:
        return None, undefined_cause(absent)
    tags = given.get("tagList")
    domain, workflow_id = execution.domain, execution.workflow_id
    return Execution(domain, workflow_id, ids, config, tags), ""


def _keep(given: Params, *names: str) -> Params:
    """Take the members that a ...Failed event repeats."""
    kept = ("decisionTaskCompletedEventId", *names)
    return {name: given[name] for name in kept}


# The event that closes the run, and the status it leaves.
CLOSES = {
    "CompleteWorkflowExecution": ("WorkflowExecutionCompleted", "COMPLETED"),
    "FailWorkflowExecution": ("WorkflowExecutionFailed", "FAILED"),
    "CancelWorkflowExecution": ("WorkflowExecutionCanceled", "CANCELED"),
    "ContinueAsNewWorkflowExecution": (
        "WorkflowExecutionContinuedAsNew",
        "CONTINUED_AS_NEW",
    ),
}

# What applies each decision, and the members it cannot do without.
DECISIONS: dict[str, tuple[Apply, tuple[str, ...]]] = {
    "ScheduleActivityTask": (_schedule_activity, ("activityType", "activityId")),
    "RequestCancelActivityTask": (_request_cancel_activity, ("activityId",)),
    "RecordMarker": (_record_marker, ("markerName",)),
    "StartTimer": (_start_timer, ("timerId", "startToFireTimeout")),
    "CancelTimer": (_cancel_timer, ("timerId",)),
    **{name: (partial(_close, name), ()) for name in CLOSES},
    "ContinueAsNewWorkflowExecution": (_continue_as_new, ()),
}
