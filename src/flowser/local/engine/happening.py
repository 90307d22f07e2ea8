"""What each of the 54 events does to its run: one row each, in a table that is total.

Source:
    swf-semantics.md sections 2.2, 4, 5.1 and 9.1.
"""

from collections.abc import Callable
from typing import Any

from flowser import events as e
from flowser.local.engine import clocks, waking
from flowser.local.engine.facts import Happened
from flowser.local.engine.state import (
    ActivityTask,
    DecisionTask,
    Due,
    Pending,
    Run,
    State,
)


def _started(
    state: State, run: Run, fact: Happened, a: e.WorkflowExecutionStarted
) -> None:
    run.started = a
    timeout = a.execution_start_to_close_timeout
    run.clock = clocks.deadline(
        state, fact.at, timeout or "NONE", Due("execution", run.number, fact.id)
    )
    if run.clock is None:  # a longer or endless one ends at a year too (section 5.2)
        most = str(state.quotas.lifetime)
        run.clock = clocks.deadline(
            state, fact.at, most, Due("execution", run.number, fact.id)
        )


def _closed(state: State, run: Run, fact: Happened, a: e.Attributes) -> None:
    """Stop every clock and take every task back (section 11.3).

    Open activities are still counted: a recorded run shows one after its end.
    """
    run.close_status = waking.CLOSING[type(a)]
    run.closed_at = fact.at
    run.cancel_requested = False  # so recorded, twice (section 6.1)
    state.deadlines.discard(run.clock)
    for task in (run.running, run.pending, *run.activities.values()):
        if task is not None:
            clocks.stop(state, task)
    run.running = run.pending = None
    for pending in (*run.timers.values(), *run.lambdas.values()):
        state.deadlines.discard(pending.clock)


def _cancel_requested(state: State, run: Run, fact: Happened, a: e.Attributes) -> None:
    run.cancel_requested = True


def _decision_scheduled(
    state: State, run: Run, fact: Happened, a: e.DecisionTaskScheduled
) -> None:
    task = run.pending = DecisionTask(run, fact.id, fact.at)
    task.attributes = a
    if run.running is None:
        _offer_decision(state, task, fact.at)


def _offer_decision(state: State, task: DecisionTask, at: int) -> None:
    # Its wait is measured from here, so that a slow decider does not evict itself
    # (section 9.1 suggests it).
    a = task.attributes
    clocks.start(state, task, "decision-start", at, a.schedule_to_start_timeout)
    clocks.enqueue(state, task, "decision", a.task_list.name, a.task_priority)


def _decision_started(
    state: State, run: Run, fact: Happened, a: e.DecisionTaskStarted
) -> None:
    task = run.running = run.pending
    run.pending = None
    if task is not None:
        clocks.stop(state, task)
        task.started_id = fact.id
        timeout = task.attributes.start_to_close_timeout
        clocks.start(state, task, "decision-close", fact.at, timeout)


def _decision_over(state: State, run: Run, at: int) -> None:
    if run.running is not None:
        clocks.stop(state, run.running)
        run.running = None
    if run.pending is not None:
        _offer_decision(state, run.pending, at)


def _decision_completed(
    state: State, run: Run, fact: Happened, a: e.DecisionTaskCompleted
) -> None:
    run.previous_id = a.started_event_id
    if a.execution_context is not None:
        run.context = a.execution_context
    if a.task_list is not None:
        override = (a.task_list.name, a.task_list_schedule_to_start_timeout)
        original = override == (run.config.task_list.name, None)
        run.override = None if original else override
    _decision_over(state, run, fact.at)


def _decision_timed_out(
    state: State, run: Run, fact: Happened, a: e.DecisionTaskTimedOut
) -> None:
    run.override = None  # both kinds send tasks back to the original list (9.1)
    if a.timeout_type == "SCHEDULE_TO_START" and run.pending is not None:
        clocks.stop(state, run.pending)
        run.pending = None
    else:
        _decision_over(state, run, fact.at)


def _activity_scheduled(
    state: State, run: Run, fact: Happened, a: e.ActivityTaskScheduled
) -> None:
    task = ActivityTask(run, fact.id, fact.at)
    task.attributes = a
    run.activities[fact.id] = run.activity_ids[a.activity_id] = task
    run.latest_activity_at = fact.at
    clocks.start(state, task, "activity-start", fact.at, a.schedule_to_start_timeout)
    clocks.start(state, task, "activity-whole", fact.at, a.schedule_to_close_timeout)
    clocks.enqueue(state, task, "activity", a.task_list.name, a.task_priority)


def _activity_started(
    state: State, run: Run, fact: Happened, a: e.ActivityTaskStarted
) -> None:
    task = run.activities[a.scheduled_event_id]
    task.started_id = fact.id
    run.latest_activity_at = fact.at
    clocks.dequeue(state, task)
    state.deadlines.discard(task.clocks.pop("activity-start", None))
    timeouts = task.attributes
    clocks.start(
        state, task, "activity-close", fact.at, timeouts.start_to_close_timeout
    )
    clocks.start(state, task, "heartbeat", fact.at, timeouts.heartbeat_timeout)


def _activity_over(
    state: State,
    run: Run,
    fact: Happened,
    a: e.ActivityTaskCompleted
    | e.ActivityTaskFailed
    | e.ActivityTaskTimedOut
    | e.ActivityTaskCanceled,
) -> None:
    task = run.activities.pop(a.scheduled_event_id)
    del run.activity_ids[task.attributes.activity_id]
    run.latest_activity_at = fact.at
    clocks.stop(state, task)


def _activity_cancel_requested(
    state: State, run: Run, fact: Happened, a: e.ActivityTaskCancelRequested
) -> None:
    run.activity_ids[a.activity_id].cancel_requested_id = fact.id
    run.latest_activity_at = fact.at


def _timer_started(state: State, run: Run, fact: Happened, a: e.TimerStarted) -> None:
    timer = run.timers[fact.id] = run.timer_ids[a.timer_id] = Pending(fact.id, a)
    timeout = a.start_to_fire_timeout
    timer.clock = clocks.deadline(
        state, fact.at, timeout, Due("timer", run.number, fact.id)
    )


def _timer_over(
    state: State, run: Run, fact: Happened, a: e.TimerFired | e.TimerCanceled
) -> None:
    del run.timer_ids[a.timer_id]
    state.deadlines.discard(run.timers.pop(a.started_event_id).clock)


def _child_initiated(state: State, run: Run, fact: Happened, a: e.Attributes) -> None:
    run.children[fact.id] = Pending(fact.id, a)


def _child_started(
    state: State, run: Run, fact: Happened, a: e.ChildWorkflowExecutionStarted
) -> None:
    run.children[a.initiated_event_id].started_id = fact.id


def _child_over(state: State, run: Run, fact: Happened, a: Any) -> None:
    run.children.pop(a.initiated_event_id, None)  # 0 when it was never initiated


def _external_initiated(
    state: State, run: Run, fact: Happened, a: e.Attributes
) -> None:
    run.externals[fact.id] = Pending(fact.id, a)


def _external_over(state: State, run: Run, fact: Happened, a: Any) -> None:
    del run.externals[a.initiated_event_id]


def _lambda_scheduled(
    state: State, run: Run, fact: Happened, a: e.LambdaFunctionScheduled
) -> None:
    run.lambdas[fact.id] = run.lambda_ids[a.id] = Pending(fact.id, a)


def _lambda_started(
    state: State, run: Run, fact: Happened, a: e.LambdaFunctionStarted
) -> None:
    function = run.lambdas[a.scheduled_event_id]
    function.started_id = fact.id
    scheduled = function.attributes
    if isinstance(scheduled, e.LambdaFunctionScheduled):
        timeout = scheduled.start_to_close_timeout or str(state.quotas.lambda_timeout)
        clock = clocks.deadline(
            state, fact.at, timeout, Due("lambda", run.number, function.id)
        )
        function.clock = clock


def _lambda_over(state: State, run: Run, fact: Happened, a: Any) -> None:
    function = run.lambdas.pop(a.scheduled_event_id)
    state.deadlines.discard(function.clock)
    if isinstance(function.attributes, e.LambdaFunctionScheduled):
        del run.lambda_ids[function.attributes.id]


def _note(state: State, run: Run, fact: Happened, a: e.Attributes) -> None:
    """Change nothing: the event is in the history."""


#: What each of the 54 events does to its run.
EVENTS: dict[type[e.Attributes], Callable[[State, Run, Happened, Any], None]] = {
    e.WorkflowExecutionStarted: _started,
    e.WorkflowExecutionCancelRequested: _cancel_requested,
    e.WorkflowExecutionCompleted: _closed,
    e.CompleteWorkflowExecutionFailed: _note,
    e.WorkflowExecutionFailed: _closed,
    e.FailWorkflowExecutionFailed: _note,
    e.WorkflowExecutionTimedOut: _closed,
    e.WorkflowExecutionCanceled: _closed,
    e.CancelWorkflowExecutionFailed: _note,
    e.WorkflowExecutionContinuedAsNew: _closed,
    e.ContinueAsNewWorkflowExecutionFailed: _note,
    e.WorkflowExecutionTerminated: _closed,
    e.DecisionTaskScheduled: _decision_scheduled,
    e.DecisionTaskStarted: _decision_started,
    e.DecisionTaskCompleted: _decision_completed,
    e.DecisionTaskTimedOut: _decision_timed_out,
    e.ActivityTaskScheduled: _activity_scheduled,
    e.ScheduleActivityTaskFailed: _note,
    e.ActivityTaskStarted: _activity_started,
    e.ActivityTaskCompleted: _activity_over,
    e.ActivityTaskFailed: _activity_over,
    e.ActivityTaskTimedOut: _activity_over,
    e.ActivityTaskCanceled: _activity_over,
    e.ActivityTaskCancelRequested: _activity_cancel_requested,
    e.RequestCancelActivityTaskFailed: _note,
    e.WorkflowExecutionSignaled: _note,
    e.MarkerRecorded: _note,
    e.RecordMarkerFailed: _note,
    e.TimerStarted: _timer_started,
    e.StartTimerFailed: _note,
    e.TimerFired: _timer_over,
    e.TimerCanceled: _timer_over,
    e.CancelTimerFailed: _note,
    e.StartChildWorkflowExecutionInitiated: _child_initiated,
    e.StartChildWorkflowExecutionFailed: _child_over,
    e.ChildWorkflowExecutionStarted: _child_started,
    e.ChildWorkflowExecutionCompleted: _child_over,
    e.ChildWorkflowExecutionFailed: _child_over,
    e.ChildWorkflowExecutionTimedOut: _child_over,
    e.ChildWorkflowExecutionCanceled: _child_over,
    e.ChildWorkflowExecutionTerminated: _child_over,
    e.SignalExternalWorkflowExecutionInitiated: _external_initiated,
    e.SignalExternalWorkflowExecutionFailed: _external_over,
    e.ExternalWorkflowExecutionSignaled: _external_over,
    e.RequestCancelExternalWorkflowExecutionInitiated: _external_initiated,
    e.RequestCancelExternalWorkflowExecutionFailed: _external_over,
    e.ExternalWorkflowExecutionCancelRequested: _external_over,
    e.LambdaFunctionScheduled: _lambda_scheduled,
    e.LambdaFunctionStarted: _lambda_started,
    e.LambdaFunctionCompleted: _lambda_over,
    e.LambdaFunctionFailed: _lambda_over,
    e.LambdaFunctionTimedOut: _lambda_over,
    e.ScheduleLambdaFunctionFailed: _note,
    e.StartLambdaFunctionFailed: _lambda_over,
}
