"""What lies between the engine and those who keep its facts, or its callers."""

from typing import Any

import pytest

from flowser import decisions as d
from flowser import requests, shapes
from flowser.local.engine import facts
from flowser.local.engine.functions import Outcome
from flowser.local.engine.world import Parked
from tests.local.engine.rig import DOMAIN, Fault, Quotas, Rig, schedule

_SINCE = shapes.ExecutionTimeFilter(oldest_date=0)


def _ids(run: dict[str, str]) -> shapes.WorkflowExecution:
    return shapes.WorkflowExecution(workflow_id=run["workflowId"], run_id=run["runId"])


def _list(kind: Any) -> Any:
    return kind(domain=DOMAIN, start_time_filter=_SINCE)


# -- runs that close in the very call that asks for them --------------------------


def test_a_run_that_this_call_has_closed_is_described_and_read() -> None:
    rig = Rig()
    run = rig.start(execution_start_to_close_timeout="5")
    rig.now += 5_000
    answer = rig.send(
        requests.DescribeWorkflowExecution(domain=DOMAIN, execution=_ids(run))
    )
    assert answer["executionInfo"]["closeStatus"] == "TIMED_OUT"
    other = rig.start("other", execution_start_to_close_timeout="5")
    rig.now += 5_000
    assert rig.types(other)[-1] == "WorkflowExecutionTimedOut"


def test_a_token_of_a_run_that_this_call_has_closed_names_it() -> None:
    rig = Rig()
    run = rig.start(execution_start_to_close_timeout="5")
    task = rig.poll()
    rig.now += 5_000
    with pytest.raises(Fault, match=f"runId={run['runId'][:4]}"):
        rig.decide(task)


@pytest.mark.parametrize(
    "kind",
    [requests.ListOpenWorkflowExecutions, requests.ListClosedWorkflowExecutions],
)
def test_lists_tell_open_runs_from_closed_ones_in_every_call(kind: Any) -> None:
    """The archive has not heard yet of what this call has closed."""
    rig = Rig()
    rig.start(execution_start_to_close_timeout="5")
    rig.now += 5_000
    status = "OPEN" if kind is requests.ListOpenWorkflowExecutions else "CLOSED"
    for _ in range(2):
        infos = rig.send(_list(kind))["executionInfos"]
        assert all(info["executionStatus"] == status for info in infos)
    assert len(infos) == (status == "CLOSED")


# -- what is left in memory -------------------------------------------------------


def test_a_list_that_is_empty_again_is_forgotten() -> None:
    rig = Rig()
    for number in range(20):
        rig.start(f"o-{number}", task_list=shapes.TaskList(name=f"l-{number}"))
        rig.decide(rig.poll(f"l-{number}"), schedule(), d.CancelTimer(timer_id="t"))
        rig.engine.abandon(rig.poll(f"nobody's-{number}"))
        request = requests.TerminateWorkflowExecution(
            domain=DOMAIN, workflow_id=f"o-{number}"
        )
        rig.send(request)
    world = rig.engine.world
    assert not world.state.queues
    assert not world.state.touched
    assert not world.waiting
    assert not len(world.expiries)
    assert not len(world.state.deadlines)
    assert not world.closed


def test_buckets_of_closed_runs_are_forgotten() -> None:
    rig = Rig(throttle=True)
    run = rig.start()
    rig.types(run)
    rig.send(requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id="o-1"))
    rig.types(run)
    assert not [whose for whose, _ in rig.engine.world.throttle._buckets if whose == 1]


# -- restarts ---------------------------------------------------------------------


def test_tasks_have_their_order_whatever_the_order_of_facts() -> None:
    """A store gives them run by run."""
    rig = Rig()
    for name in ("a", "b", "c"):
        rig.start(name, task_priority="1" if name == "c" else None)
        rig.skip(1)
        if name == "a":
            rig.decide(rig.poll())
    signal = requests.SignalWorkflowExecution(
        domain=DOMAIN, workflow_id="a", signal_name="s"
    )
    rig.send(signal)
    rig.facts.sort(key=lambda fact: getattr(fact, "run", 0))
    rig.restart()
    ids = [rig.poll()["workflowExecution"]["workflowId"] for _ in range(3)]
    assert ids == ["c", "b", "a"]


def test_time_outs_that_were_due_meanwhile_happen_at_once() -> None:
    rig = Rig()
    run = rig.start()
    timer = d.StartTimer(timer_id="t", start_to_fire_timeout="9")
    rig.decide(rig.poll(), schedule(), timer)
    rig.now += 150_000
    rig.restart()
    assert rig.types(run)[6:] == [
        "TimerFired",
        "DecisionTaskScheduled",
        "ActivityTaskTimedOut",
    ]


def test_time_never_goes_back() -> None:
    rig = Rig()
    run = rig.start()
    rig.now -= 5_000
    signal = requests.SignalWorkflowExecution(
        domain=DOMAIN, workflow_id="o-1", signal_name="s"
    )
    rig.send(signal)
    first, *_, last = rig.history(run)
    assert last["eventTimestamp"] == first["eventTimestamp"]


# -- callers ----------------------------------------------------------------------


def test_tokens_are_good_in_their_region_only() -> None:
    rig = Rig()
    rig.start()
    token = rig.poll()["taskToken"]
    request = requests.RespondDecisionTaskCompleted(task_token=token)
    for _ in range(2):
        with pytest.raises(Fault, match="Invalid token"):
            rig.engine.call(rig.now, request, region="elsewhere")
        terminate = requests.TerminateWorkflowExecution(
            domain=DOMAIN, workflow_id="o-1"
        )
        if rig.engine.world.state.runs:
            rig.send(terminate)


def test_nobody_waits_where_nobody_may() -> None:
    rig = Rig(quotas=Quotas(pollers=0))
    with pytest.raises(Fault, match="maximum concurrent poll requests"):
        rig.poll()
    assert not rig.engine.world.waiting
    rig.start()
    assert rig.poll()["startedEventId"] == 3


def test_a_caller_that_has_gone_already_takes_no_task() -> None:
    rig = Rig()
    rig.start()
    rig.engine.world.present = lambda caller: caller != "gone"
    listed = shapes.TaskList(name="deciders")
    request = requests.PollForDecisionTask(domain=DOMAIN, task_list=listed)
    assert "taskToken" not in rig.send(request, "gone")
    assert rig.send(request, "there")["startedEventId"] == 3


def test_a_run_whose_history_is_too_long_hands_out_no_task() -> None:
    rig = Rig(quotas=Quotas(history_events=8))
    run = rig.start()
    task = rig.poll()
    parked = rig.poll()
    rig.decide(
        task, *[d.RecordMarker(marker_name="m")] * 9, d.CancelTimer(timer_id="t")
    )
    assert rig.types(run)[-2:] == [
        "DecisionTaskScheduled",
        "WorkflowExecutionTerminated",
    ]
    assert isinstance(parked, Parked)
    assert parked not in rig.answers


def test_a_lambda_function_that_outlives_its_run_changes_nothing() -> None:

    rig = Rig(functions=frozenset("f"))
    run = rig.start(lambda_role="arn:aws:iam::1:role/r")
    rig.decide(rig.poll(), d.ScheduleLambdaFunction(id="1", name="f"))
    (invocation,) = rig.engine.take_invocations()
    rig.send(requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id="o-1"))
    rig.engine.finished(rig.now, invocation, Outcome(result="1"))
    rig.take()
    assert rig.types(run)[-1] == "WorkflowExecutionTerminated"
    assert not [f for f in rig.facts if isinstance(f, facts.RunClosed)][1:]
