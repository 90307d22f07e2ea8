"""The life of a run: decision tasks, activities, time-outs, closing, children."""

import pytest

from flowser import decisions as d
from flowser import requests, shapes
from flowser.local.engine.functions import Outcome
from tests.local.engine.rig import DOMAIN, Fault, Quotas, Rig, schedule


def _token(task: dict[str, str]) -> str:
    return task["taskToken"]


def _started(rig: Rig) -> tuple[dict[str, str], dict[str, str]]:
    """Start a run, and bring its first activity into somebody's hands."""
    run = rig.start()
    rig.decide(rig.poll(), schedule())
    return run, rig.poll_activity()


def test_a_run_begins_with_its_defaults_resolved_and_zeros_written() -> None:
    rig = Rig()
    run = rig.start()
    started, scheduled = rig.history(run)
    assert started["workflowExecutionStartedEventAttributes"] == {
        "childPolicy": "TERMINATE",
        "taskList": {"name": "deciders"},
        "workflowType": {"name": "order", "version": "1"},
        "executionStartToCloseTimeout": "1000",
        "taskStartToCloseTimeout": "10",
        "parentInitiatedEventId": 0,
    }
    assert scheduled["decisionTaskScheduledEventAttributes"] == {
        "taskList": {"name": "deciders"},
        "startToCloseTimeout": "10",
        "scheduleToStartTimeout": "NONE",
    }
    assert started["eventTimestamp"] == scheduled["eventTimestamp"]


def test_a_plain_run_has_the_recorded_sequence_of_events() -> None:
    rig = Rig()
    run, activity = _started(rig)
    rig.send(
        requests.RespondActivityTaskCompleted(task_token=_token(activity), result="1")
    )
    task = rig.poll()
    assert (task["startedEventId"], task["previousStartedEventId"]) == (9, 3)
    rig.decide(task, d.CompleteWorkflowExecution(result="done"))
    assert rig.types(run) == [
        "WorkflowExecutionStarted",
        "DecisionTaskScheduled",
        "DecisionTaskStarted",
        "DecisionTaskCompleted",
        "ActivityTaskScheduled",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        "DecisionTaskScheduled",
        "DecisionTaskStarted",
        "DecisionTaskCompleted",
        "WorkflowExecutionCompleted",
    ]


def test_signals_before_the_first_poll_schedule_no_further_task() -> None:
    rig = Rig()
    run = rig.start()
    for _ in range(5):
        rig.send(
            requests.SignalWorkflowExecution(
                domain=DOMAIN, workflow_id="o-1", signal_name="go"
            )
        )
    rig.decide(rig.poll(), d.CompleteWorkflowExecution())
    assert len(rig.types(run)) == 10


def test_complete_with_unseen_signal_is_unhandled_decision() -> None:
    rig = Rig()
    run = rig.start()
    task = rig.poll()
    rig.send(
        requests.SignalWorkflowExecution(
            domain=DOMAIN, workflow_id="o-1", signal_name="go"
        )
    )
    rig.decide(task, d.CompleteWorkflowExecution())
    assert rig.types(run)[3:] == [
        "WorkflowExecutionSignaled",
        "DecisionTaskScheduled",
        "DecisionTaskCompleted",
        "CompleteWorkflowExecutionFailed",
    ]
    rig.decide(rig.poll(), d.CompleteWorkflowExecution())
    assert rig.types(run)[-1] == "WorkflowExecutionCompleted"


def test_close_that_is_not_last_applies_nothing_and_leaves_the_token_good() -> None:
    rig = Rig()
    run = rig.start()
    task = rig.poll()
    with pytest.raises(Fault, match="Close must be last decision in list"):
        rig.decide(task, d.CompleteWorkflowExecution(), d.RecordMarker(marker_name="m"))
    assert len(rig.types(run)) == 3
    rig.decide(task, d.CompleteWorkflowExecution())
    assert rig.types(run)[-1] == "WorkflowExecutionCompleted"


def test_a_waiting_poll_is_answered_by_the_start_of_a_run() -> None:
    rig = Rig()
    parked = rig.poll()
    rig.start()
    assert rig.answers[parked]["startedEventId"] == 3
    assert [e["eventId"] for e in rig.answers[parked]["events"]] == [1, 2, 3]


def test_a_poll_that_waits_in_vain_is_answered_empty_after_a_minute() -> None:
    rig = Rig()
    parked = rig.poll()
    rig.skip(59.9)
    assert parked not in rig.answers
    rig.skip(0.1)
    answer = rig.answers[parked]
    assert answer == {"startedEventId": 0, "previousStartedEventId": 0}


def test_a_task_is_not_handed_to_a_caller_that_has_gone() -> None:
    rig = Rig()
    gone, there = rig.poll(), rig.poll()
    rig.engine.abandon(gone)
    rig.start()
    assert set(rig.answers) == {there}


def test_priorities_come_before_times() -> None:
    rig = Rig()
    for name, priority in (("low", "-1"), ("none", None), ("high", "5")):
        rig.start(name, task_priority=priority)
    order = [rig.poll()["workflowExecution"]["workflowId"] for _ in range(3)]
    assert order == ["high", "none", "low"]


@pytest.mark.parametrize(
    ("seconds", "kind", "started"),
    [(100, "SCHEDULE_TO_START", False), (50, "START_TO_CLOSE", True)],
)
def test_an_activity_times_out_when_it_is_due(
    seconds: int, kind: str, *, started: bool
) -> None:
    rig = Rig()
    run = rig.start()
    rig.decide(rig.poll(), schedule())
    if started:
        rig.poll_activity()
    rig.skip(seconds - 0.001)
    before = len(rig.types(run))
    rig.skip(0.001)
    event = rig.history(run)[before]
    attributes = event["activityTaskTimedOutEventAttributes"]
    assert attributes["timeoutType"] == kind
    assert attributes["startedEventId"] == (6 if started else 0)


def test_a_heartbeat_restarts_its_clock_and_leaves_its_details() -> None:
    rig = Rig()
    run = rig.start()
    rig.decide(rig.poll(), schedule(heartbeat_timeout="5"))
    token = _token(rig.poll_activity())
    rig.skip(4)
    request = requests.RecordActivityTaskHeartbeat(task_token=token, details="half")
    assert rig.send(request) == {"cancelRequested": False}
    rig.skip(4.999)
    assert rig.types(run)[-1] == "ActivityTaskStarted"
    rig.skip(0.001)
    attributes = rig.history(run)[-2]["activityTaskTimedOutEventAttributes"]
    assert (attributes["timeoutType"], attributes["details"]) == ("HEARTBEAT", "half")


def test_a_decision_that_times_out_is_scheduled_again_and_its_token_is_dead() -> None:
    rig = Rig()
    run = rig.start()
    task = rig.poll()
    rig.skip(10)
    assert rig.types(run)[3:] == ["DecisionTaskTimedOut", "DecisionTaskScheduled"]
    with pytest.raises(Fault, match="Unknown decision task, scheduledEventId = 2"):
        rig.decide(task)
    assert rig.poll()["previousStartedEventId"] == 0


def test_a_timer_fires_once_and_a_canceled_one_never() -> None:
    rig = Rig()
    run = rig.start()
    timers = [d.StartTimer(timer_id=t, start_to_fire_timeout="3") for t in "ab"]
    rig.decide(rig.poll(), *timers, d.CancelTimer(timer_id="a"))
    rig.skip(500)
    fired = [e for e in rig.history(run) if e["eventType"] == "TimerFired"]
    assert [e["timerFiredEventAttributes"] for e in fired] == [
        {"timerId": "b", "startedEventId": 6}
    ]


def test_an_override_goes_back_to_the_original_list_when_nobody_starts() -> None:
    rig = Rig()
    run = rig.start()
    rig.decide(
        rig.poll(),
        schedule(),
        task_list=shapes.TaskList(name="mine"),
        task_list_schedule_to_start_timeout="5",
    )
    activity = _token(rig.poll_activity())
    rig.send(requests.RespondActivityTaskCompleted(task_token=activity))
    rig.skip(5)
    last = [
        event["decisionTaskScheduledEventAttributes"]
        for event in rig.history(run)
        if event["eventType"] == "DecisionTaskScheduled"
    ]
    assert [each["taskList"]["name"] for each in last] == [
        "deciders",
        "mine",
        "deciders",
    ]
    assert [each["scheduleToStartTimeout"] for each in last] == ["NONE", "5", "NONE"]


def _child(workflow_id: str = "c-1", **members: str) -> d.StartChildWorkflowExecution:
    type = shapes.WorkflowType(name="order", version="1")
    return d.StartChildWorkflowExecution(
        workflow_type=type,
        workflow_id=workflow_id,
        task_list=shapes.TaskList(name="children"),
        **members,  # type: ignore[arg-type] # input and control only
    )


def test_a_parent_is_told_of_its_child() -> None:
    rig = Rig()
    run = rig.start()
    rig.decide(rig.poll(), _child())
    task = rig.poll("children")
    rig.decide(task, d.CompleteWorkflowExecution(result="r"))
    assert rig.types(run)[4:7] == [
        "StartChildWorkflowExecutionInitiated",
        "ChildWorkflowExecutionStarted",
        "DecisionTaskScheduled",
    ]
    told = rig.history(run)[7]["childWorkflowExecutionCompletedEventAttributes"]
    assert told["workflowExecution"] == task["workflowExecution"]
    assert (told["initiatedEventId"], told["startedEventId"]) == (5, 6)
    assert told["result"] == "r"


def test_termination_is_passed_on_to_children() -> None:
    rig = Rig()
    run = rig.start()
    rig.decide(rig.poll(), _child())
    child = rig.poll("children")["workflowExecution"]
    rig.send(requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id="o-1"))
    last = rig.history(child)[-1]["workflowExecutionTerminatedEventAttributes"]
    assert last["cause"] == "CHILD_POLICY_APPLIED"
    assert rig.types(run)[-1] == "WorkflowExecutionTerminated"


def test_a_run_that_continues_as_new_frees_its_id_at_no_instant() -> None:
    rig = Rig()
    run = rig.start()
    rig.decide(rig.poll(), d.ContinueAsNewWorkflowExecution(input="2"))
    closed = rig.history(run)[-1]["workflowExecutionContinuedAsNewEventAttributes"]
    following = {"workflowId": "o-1", "runId": closed["newExecutionRunId"]}
    started = rig.history(following)[0]["workflowExecutionStartedEventAttributes"]
    assert started["continuedExecutionRunId"] == run["runId"]
    assert started["input"] == "2"


def test_a_signal_to_nobody_fails_at_the_source() -> None:
    rig = Rig()
    run = rig.start()
    signal = d.SignalExternalWorkflowExecution(workflow_id="none", signal_name="s")
    rig.decide(rig.poll(), signal)
    assert rig.types(run)[4:] == [
        "SignalExternalWorkflowExecutionInitiated",
        "SignalExternalWorkflowExecutionFailed",
        "DecisionTaskScheduled",
    ]


def test_a_history_that_is_too_long_ends_the_run() -> None:
    rig = Rig(quotas=Quotas(history_events=20))
    run = rig.start()
    markers = [d.RecordMarker(marker_name="m") for _ in range(30)]
    rig.decide(rig.poll(), *markers)
    last = rig.history(run)[-1]["workflowExecutionTerminatedEventAttributes"]
    assert last == {"cause": "EVENT_LIMIT_EXCEEDED", "childPolicy": "TERMINATE"}


def test_a_closed_run_is_described_and_forgotten_after_its_retention() -> None:
    rig = Rig()
    run, _ = _started(rig)
    rig.send(requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id="o-1"))
    ids = shapes.WorkflowExecution(workflow_id="o-1", run_id=run["runId"])
    describe = requests.DescribeWorkflowExecution(domain=DOMAIN, execution=ids)
    answer = rig.send(describe)
    assert answer["executionInfo"]["closeStatus"] == "TERMINATED"
    assert answer["openCounts"]["openActivityTasks"] == 1
    rig.skip(86_400)
    with pytest.raises(Fault, match="Unknown execution"):
        rig.send(describe)


def test_an_answer_after_the_end_is_told_of_the_execution() -> None:
    rig = Rig()
    _, activity = _started(rig)
    rig.send(requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id="o-1"))
    with pytest.raises(Fault, match=r"Unknown execution: WorkflowExecution=\[work"):
        rig.send(requests.RespondActivityTaskCompleted(task_token=_token(activity)))


def test_pages_of_a_decision_task_are_cut_at_its_start() -> None:
    rig = Rig()
    rig.start()
    first = rig.poll(maximum_page_size=2)
    rig.send(
        requests.SignalWorkflowExecution(
            domain=DOMAIN, workflow_id="o-1", signal_name="later"
        )
    )
    second = rig.poll(maximum_page_size=2, next_page_token=first["nextPageToken"])
    assert [e["eventId"] for e in first["events"] + second["events"]] == [1, 2, 3]
    assert "nextPageToken" not in second
    assert second["taskToken"] == first["taskToken"]


def test_a_run_that_is_signaled_too_often_is_throttled() -> None:
    rig = Rig(throttle=True)
    rig.start()
    signal = requests.SignalWorkflowExecution(
        domain=DOMAIN, workflow_id="o-1", signal_name="s"
    )
    for _ in range(1_000):
        rig.send(signal)
    with pytest.raises(Fault, match="Rate exceeded"):
        rig.send(signal)


def test_lists_and_counts_tell_open_runs_from_closed_ones() -> None:
    rig = Rig()
    for name in ("a", "b", "c"):
        rig.start(name, tag_list=("t", name))
        rig.skip(1)
    rig.send(requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id="b"))
    times = shapes.ExecutionTimeFilter(oldest_date=0)
    answer = rig.send(
        requests.ListOpenWorkflowExecutions(domain=DOMAIN, start_time_filter=times)
    )
    ids = [each["execution"]["workflowId"] for each in answer["executionInfos"]]
    assert ids == ["c", "a"]
    count = rig.send(
        requests.CountClosedWorkflowExecutions(
            domain=DOMAIN,
            close_time_filter=times,
            tag_filter=shapes.TagFilter(tag="t"),
        )
    )
    assert count == {"count": 1, "truncated": False}


def test_two_filters_of_one_list_are_refused() -> None:
    rig = Rig()
    times = shapes.ExecutionTimeFilter(oldest_date=0)
    with pytest.raises(Fault, match="more than one exclusive filters"):
        rig.send(
            requests.ListOpenWorkflowExecutions(
                domain=DOMAIN,
                start_time_filter=times,
                tag_filter=shapes.TagFilter(tag="t"),
                execution_filter=shapes.WorkflowExecutionFilter(workflow_id="a"),
            )
        )
    with pytest.raises(Fault, match="Must specify time filter"):
        rig.send(requests.ListClosedWorkflowExecutions(domain=DOMAIN))


@pytest.mark.parametrize(
    ("role", "functions", "outcome"),
    [
        (None, frozenset[str](), "StartLambdaFunctionFailed"),
        ("arn:aws:iam::1:role/r", frozenset[str](), "LambdaFunctionFailed"),
        ("arn:aws:iam::1:role/r", frozenset({"f"}), "LambdaFunctionCompleted"),
    ],
)
def test_a_function_ends_as_swf_has_it(
    role: str | None, functions: frozenset[str], outcome: str
) -> None:
    rig = Rig(functions=functions)
    run = rig.start(lambda_role=role)
    rig.decide(rig.poll(), d.ScheduleLambdaFunction(id="1", name="f"))
    for invocation in rig.engine.take_invocations():
        assert (invocation.name, invocation.input) == ("f", "{}")
        rig.engine.finished(rig.now, invocation, Outcome(result="1"))
        rig.take()
    assert rig.types(run)[-2:] == [outcome, "DecisionTaskScheduled"]
