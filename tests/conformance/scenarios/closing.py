"""How runs close, why they may not, and that nothing follows.

Source:
    swf-semantics.md sections 0.1, 3.2 and 3.3.
"""

from typing import Any

from tests.conformance.face import (
    Swf,
    answered,
    begun,
    decision,
    marked,
    signaled,
    taken,
)
from tests.conformance.registry import scenario

_COMPLETE = decision("CompleteWorkflowExecution")

_PLAIN: dict[str, tuple[str, str, dict[str, str]]] = {
    "CompleteWorkflowExecution": (
        "WorkflowExecutionCompleted",
        "COMPLETED",
        {"result": "r"},
    ),
    "FailWorkflowExecution": (
        "WorkflowExecutionFailed",
        "FAILED",
        {"reason": "why", "details": "d"},
    ),
    "CancelWorkflowExecution": (
        "WorkflowExecutionCanceled",
        "CANCELED",
        {"details": "d"},
    ),
}


@scenario(moto="10.2: falsy attributes are dropped, closeTimestamp")
async def a_run_is_completed_failed_or_canceled(swf: Swf) -> None:
    """Section 3.2; canceled without being asked to [recorded:test]."""
    for kind, (event, status, told) in _PLAIN.items():
        for attributes in (told, {}, dict.fromkeys(told, "")):
            run = await swf.start()
            await swf.decide(await swf.task(), decision(kind, **attributes))
            await swf.expect(
                run,
                [swf.started(), swf.scheduled()],
                [taken(2)],
                [
                    answered(2, 3),
                    (event, {"decisionTaskCompletedEventId": 4} | attributes),
                ],
            )
            info = (await swf.describe(run))["executionInfo"]
            assert info["executionStatus"] == "CLOSED"
            assert info["closeStatus"] == status
            closed = (await swf.history(run))[-1]["eventTimestamp"]
            assert info["closeTimestamp"] == closed


@scenario(moto="10.2: UNHANDLED_DECISION exists only for Cancel")
async def no_close_goes_past_an_unhandled_decision_task(swf: Swf) -> None:
    """Section 3.3: the rest of the list stays applied, and the token is used up."""
    run = await swf.start()
    kinds = [*_PLAIN, "ContinueAsNewWorkflowExecution"]
    expected = [[swf.started(), swf.scheduled()]]
    scheduled = 2
    for kind in kinds:
        task = await swf.task()
        await swf.signal()
        mark = decision("RecordMarker", markerName="m")
        await swf.decide(task, mark, decision(kind))
        began = task["startedEventId"]
        batch = began + 3
        cause = {"cause": "UNHANDLED_DECISION", "decisionTaskCompletedEventId": batch}
        expected += [
            [taken(scheduled)],
            [signaled(), swf.scheduled()],
            [answered(scheduled, began), marked(batch), (f"{kind}Failed", cause)],
        ]
        scheduled = began + 2
    await swf.expect(run, *expected)
    await swf.decide(await swf.task(), _COMPLETE)


@scenario(moto="10.2: ActivityTaskScheduled shows only given timeouts")
async def what_wakes_nobody_does_not_keep_a_run_open(swf: Swf) -> None:
    """Section 3.3 [inferred]: an activity that starts while the decider thinks."""
    run = await swf.start()
    await swf.decide(await swf.task(), swf.paying())
    await swf.signal()
    thinking = await swf.task()
    await swf.work()
    await swf.decide(thinking, _COMPLETE)
    batch = {"decisionTaskCompletedEventId": 10}
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3), swf.paid(4)],
        [signaled(), swf.scheduled()],
        [taken(7)],
        [begun(5)],
        [answered(7, 8), ("WorkflowExecutionCompleted", batch)],
    )


@scenario(moto="10.2: timer failures do not wake")
async def what_wakes_within_the_list_is_unhandled_too(swf: Swf) -> None:
    """Section 3.3 [inferred]: a decision that failed before the close."""
    run = await swf.start()
    lost = decision("CancelTimer", timerId="unknown")
    await swf.decide(await swf.task(), lost, _COMPLETE)
    batch = {"decisionTaskCompletedEventId": 4}
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [
            answered(2, 3),
            (
                "CancelTimerFailed",
                batch | {"timerId": "unknown", "cause": "TIMER_ID_UNKNOWN"},
            ),
            (
                "CompleteWorkflowExecutionFailed",
                batch | {"cause": "UNHANDLED_DECISION"},
            ),
            swf.scheduled(),
        ],
    )


@scenario(moto="10.2: the check omits ContinueAsNew")
async def a_close_comes_last_or_nothing_is_applied(swf: Swf) -> None:
    """Section 0.1 number 4 [moto:verified]: the token stays good."""
    run = await swf.start()
    task = await swf.task()
    mark = decision("RecordMarker", markerName="m")
    for kind in (*_PLAIN, "ContinueAsNewWorkflowExecution"):
        for made in ([decision(kind), mark], [mark, decision(kind), _COMPLETE]):
            await swf.refuses(
                "ValidationException",
                "Close must be last decision in list",
                "RespondDecisionTaskCompleted",
                taskToken=task["taskToken"],
                decisions=made,
            )
    assert len(await swf.history(run)) == 3
    await swf.decide(task, _COMPLETE)


@scenario(moto="10.2: the incompatible-with-close rule is unknown")
async def a_close_refuses_company_that_opens_something(swf: Swf) -> None:
    """Section 3.3 [recorded:test, the third inferred]."""
    run = await swf.start()
    task = await swf.task()
    opening = [
        swf.paying(),
        decision("StartTimer", timerId="t", startToFireTimeout="1"),
        decision("ScheduleLambdaFunction", id="1", name="f"),
    ]
    for kind in (*_PLAIN, "ContinueAsNewWorkflowExecution"):
        for each in opening:
            await swf.refuses(
                "ValidationException",
                "Specified decision is incompatible with close decision",
                "RespondDecisionTaskCompleted",
                taskToken=task["taskToken"],
                decisions=[each, decision(kind)],
            )
    assert len(await swf.history(run)) == 3
    await swf.decide(task, _COMPLETE)


@scenario(moto="10.1: six decisions raise NotImplementedError")
async def a_close_takes_other_company(swf: Swf) -> None:
    """Section 3.3 [recorded:test]: what was asked for is done, and told to nobody."""
    other = await swf.start("other", taskList={"name": swf.id("others")})
    run = await swf.start()
    await swf.decide(
        await swf.task(),
        swf.paying(),
        decision("StartTimer", timerId="t", startToFireTimeout="9"),
    )
    work = await swf.work()
    await swf.signal()
    await swf.decide(
        await swf.task(),
        decision("RequestCancelActivityTask", activityId="a"),
        decision("CancelTimer", timerId="t"),
        decision("RecordMarker", markerName="m"),
        decision(
            "StartChildWorkflowExecution",
            workflowId=swf.id("child"),
            workflowType=swf.order,
        ),
        decision(
            "SignalExternalWorkflowExecution",
            workflowId=other["workflowId"],
            signalName="s",
        ),
        decision(
            "RequestCancelExternalWorkflowExecution", workflowId=other["workflowId"]
        ),
        _COMPLETE,
    )
    assert [kind for kind, _ in await swf.last(run, 8)] == [
        "DecisionTaskCompleted",
        "ActivityTaskCancelRequested",
        "TimerCanceled",
        "MarkerRecorded",
        "StartChildWorkflowExecutionInitiated",
        "SignalExternalWorkflowExecutionInitiated",
        "RequestCancelExternalWorkflowExecutionInitiated",
        "WorkflowExecutionCompleted",
    ]
    assert [kind for kind, _ in await swf.last(other, 2)] == [
        "WorkflowExecutionSignaled",
        "WorkflowExecutionCancelRequested",
    ]
    child = (await swf.task())["workflowExecution"]
    assert child["workflowId"] == swf.id("child")
    info = (await swf.describe(child))["executionInfo"]
    assert info["parent"] == run
    count = len(await swf.history(run))
    await swf.terminate("child")
    await swf.terminate("other")
    await _lost(swf, run, work)
    assert len(await swf.history(run)) == count


async def _lost(swf: Swf, run: dict[str, str], work: dict[str, Any]) -> None:
    """Expect a worker to be told that the run has closed."""
    named = f"workflowId={run['workflowId']}, runId={run['runId']}"
    await swf.refuses(
        "UnknownResourceFault",
        f"Unknown execution: WorkflowExecution=[{named}]",
        "RespondActivityTaskCompleted",
        taskToken=work["taskToken"],
    )


@scenario(
    moto="10.2: UNHANDLED_DECISION exists only for Cancel; openTimers not counted"
)
async def open_work_does_not_keep_a_run_open(swf: Swf) -> None:
    """Section 0.1 number 3 [recorded: openActivityTasks is 1 after the close]."""
    run = await swf.start()
    await swf.decide(
        await swf.task(),
        swf.paying(),
        decision("StartTimer", timerId="t", startToFireTimeout="9"),
    )
    work = await swf.work()
    await swf.signal()
    await swf.decide(await swf.task(), _COMPLETE)
    count = len(await swf.history(run))
    assert (await swf.describe(run))["openCounts"] == {
        "openActivityTasks": 1,
        "openDecisionTasks": 0,
        "openTimers": 1,
        "openChildWorkflowExecutions": 0,
        "openLambdaFunctions": 0,
    }
    await _lost(swf, run, work)
    assert len(await swf.history(run)) == count


@scenario(clock=True)
async def nothing_follows_the_closing_event(swf: Swf) -> None:
    """Section 2.2 [recorded]: no clock goes on, and no task is left on a list."""
    run = await swf.start()
    await swf.decide(
        await swf.task(),
        swf.paying("a"),
        swf.paying("b", heartbeatTimeout="5"),
        decision("StartTimer", timerId="t", startToFireTimeout="9"),
    )
    await swf.work()
    await swf.signal()
    await swf.terminate()
    count = len(await swf.history(run))
    await swf.skip(5_000)
    assert len(await swf.history(run)) == count
    for kind, task_list in (("Activity", swf.payers), ("Decision", swf.deciders)):
        pending = await swf.call(f"CountPending{kind}Tasks", taskList=task_list)
        assert pending == {"count": 0, "truncated": False}


@scenario(clock=True)
async def a_run_that_lasts_too_long_times_out(swf: Swf) -> None:
    """Sections 5.1 and 5.2: its decider is not told."""
    run = await swf.start(executionStartToCloseTimeout="30", childPolicy="ABANDON")
    task = await swf.task()
    await swf.signal()
    await swf.skip(9)
    await swf.decide(task)
    await swf.skip(20.999)
    assert (await swf.last(run, 1))[0][0] != "WorkflowExecutionTimedOut"
    await swf.skip(0.001)
    timed_out = {"timeoutType": "START_TO_CLOSE", "childPolicy": "ABANDON"}
    assert await swf.last(run, 1) == [("WorkflowExecutionTimedOut", timed_out)]
    info = (await swf.describe(run))["executionInfo"]
    assert info["closeStatus"] == "TIMED_OUT"


@scenario(clock=True)
async def no_run_lasts_longer_than_a_year(swf: Swf) -> None:
    """Section 5.2 [model]."""
    run = await swf.start(executionStartToCloseTimeout="99999999")
    await swf.skip(365 * 86_400 - 1)
    assert (await swf.last(run, 1))[0][0] == "DecisionTaskScheduled"
    await swf.skip(1)
    assert (await swf.last(run, 1))[0][0] == "WorkflowExecutionTimedOut"


@scenario(moto="10.2: terminate sets no closeTimestamp")
async def an_id_is_free_again_when_its_run_has_closed(swf: Swf) -> None:
    """Section 1.7 [model]."""
    first = await swf.start()
    await swf.terminate()
    second = await swf.start()
    assert first["runId"] != second["runId"]
    for run, status in ((first, "CLOSED"), (second, "OPEN")):
        info = (await swf.describe(run))["executionInfo"]
        assert info["executionStatus"] == status
