"""What becomes of an answered decision task: a batch of decisions, then their effects.

Source:
    swf-semantics.md sections 3.1 and 3.3.
"""

from collections.abc import Callable, Sequence
from typing import Any

from flowser import decisions as d
from flowser import events as e
from flowser import requests
from flowser.local.engine import closing, faults, outgoing, scheduling
from flowser.local.engine.batch import Batch
from flowser.local.engine.polling import decision_task
from flowser.local.engine.world import World

#: What each of the 13 decisions does.
DECISIONS: dict[type[d.Decision], Callable[[Batch, Any], None]] = {
    d.CancelTimer: scheduling.cancel_timer,
    d.CancelWorkflowExecution: closing.cancel,
    d.CompleteWorkflowExecution: closing.complete,
    d.ContinueAsNewWorkflowExecution: closing.continue_as_new,
    d.FailWorkflowExecution: closing.fail,
    d.RecordMarker: scheduling.record_marker,
    d.RequestCancelActivityTask: scheduling.request_cancel_activity,
    d.RequestCancelExternalWorkflowExecution: outgoing.request_cancel,
    d.ScheduleActivityTask: scheduling.schedule_activity,
    d.ScheduleLambdaFunction: scheduling.schedule_lambda,
    d.SignalExternalWorkflowExecution: outgoing.signal,
    d.StartChildWorkflowExecution: outgoing.start_child,
    d.StartTimer: scheduling.start_timer,
}


def completed(world: World, request: requests.RespondDecisionTaskCompleted) -> None:
    """Apply the decisions of a decider, all or, when one is malformed, none."""
    run, task = decision_task(world, request.task_token)
    decisions = [wrapped.attributes for wrapped in request.decisions or ()]
    _check(decisions)
    event = e.DecisionTaskCompleted(
        scheduled_event_id=task.id,
        started_event_id=task.started_id,
        execution_context=request.execution_context,
        task_list=request.task_list,
        task_list_schedule_to_start_timeout=request.task_list_schedule_to_start_timeout,
    )
    batch = Batch(world, run, world.append(run, event))
    for decision in decisions:
        DECISIONS[type(decision)](batch, decision)
    world.settle(run)


def _check(decisions: Sequence[d.Decision]) -> None:
    closing = [isinstance(decision, d.CLOSING) for decision in decisions]
    if any(closing[:-1]):
        raise faults.invalid("Close must be last decision in list")
    if any(closing) and any(isinstance(each, d.OPENING) for each in decisions):
        text = "Specified decision is incompatible with close decision"
        raise faults.invalid(text)


OPERATIONS: dict[type[requests.Request[Any]], Callable[[World, Any], Any]] = {
    requests.RespondDecisionTaskCompleted: completed,
}
