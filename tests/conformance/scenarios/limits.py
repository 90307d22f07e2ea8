"""Quotas of executions, and throttling.

Source:
    swf-semantics.md sections 3.2, 6.3 and 8.
"""

from typing import Any

from flowser.local.engine.quotas import Quotas
from tests.conformance.face import Swf, decision
from tests.conformance.registry import scenario


def _timer(id: str) -> dict[str, Any]:
    return decision("StartTimer", timerId=id, startToFireTimeout="900")


@scenario(quotas=Quotas(open_activities=2, open_timers=2))
async def a_run_has_so_many_activities_and_timers(swf: Swf) -> None:
    run = await swf.start()
    ids = ("a", "b", "c")
    await swf.decide(await swf.task(), *map(swf.paying, ids), *map(_timer, ids))
    batch = {"decisionTaskCompletedEventId": 4}
    activity = {"activityType": swf.pay, "activityId": "c"}
    events = await swf.last(run, 7)
    assert events[2] == (
        "ScheduleActivityTaskFailed",
        batch | activity | {"cause": "OPEN_ACTIVITIES_LIMIT_EXCEEDED"},
    )
    assert events[5] == (
        "StartTimerFailed",
        batch | {"timerId": "c", "cause": "OPEN_TIMERS_LIMIT_EXCEEDED"},
    )
    await swf.complete(await swf.work())
    cancel = decision("CancelTimer", timerId="a")
    await swf.decide(await swf.task(), swf.paying("c"), cancel, _timer("c"))
    counts = (await swf.describe(run))["openCounts"]
    assert (counts["openActivityTasks"], counts["openTimers"]) == (2, 2)


@scenario(quotas=Quotas(history_events=20))
async def a_history_that_is_too_long_ends_its_run(swf: Swf) -> None:
    """Section 6.3 [recorded: at 25,044]: after the batch that made it so."""
    run = await swf.start()
    marks = [decision("RecordMarker", markerName="m")] * 20
    await swf.decide(await swf.task(), *marks)
    told = {"cause": "EVENT_LIMIT_EXCEEDED", "childPolicy": "TERMINATE"}
    assert await swf.last(run, 1) == [("WorkflowExecutionTerminated", told)]
    assert len(await swf.history(run)) == 25
    other = await swf.start("signaled")
    for _ in range(18):
        await swf.signal("signaled")
    assert await swf.last(other, 1) == [("WorkflowExecutionTerminated", told)]
    assert len(await swf.history(other)) == 21


@scenario(quotas=Quotas(history_events=10))
async def a_child_whose_history_is_too_long_is_terminated_for_its_parent(
    swf: Swf,
) -> None:
    run = await swf.start()
    nursery = {"name": swf.id("nursery")}
    child = decision(
        "StartChildWorkflowExecution",
        workflowId=swf.id("child"),
        workflowType=swf.order,
        taskList=nursery,
    )
    await swf.decide(await swf.task(), child)
    marks = [decision("RecordMarker", markerName="m")] * 10
    await swf.decide(await swf.task(taskList=nursery), *marks)
    (last,) = await swf.last(run, 1)
    assert last[0] == "ChildWorkflowExecutionTerminated"


_RATE = "ThrottlingException", "Rate exceeded"


@scenario(throttle=True, clock=True, many=True)
async def calls_beyond_the_bucket_are_throttled(swf: Swf) -> None:
    """Section 8.2: 50 at once and 30 a second, for tags; each call has its own."""
    arn = f"arn:aws:swf:us-east-1:123456789012:/domain/{swf.domain}"
    for _ in range(50):
        await swf.call("ListTagsForResource", resourceArn=arn)
    await swf.refuses(*_RATE, "ListTagsForResource", resourceArn=arn)
    await swf.call("DescribeDomain", name=swf.domain)
    await swf.skip(1)
    for _ in range(30):
        await swf.call("ListTagsForResource", resourceArn=arn)
    await swf.refuses(*_RATE, "ListTagsForResource", resourceArn=arn)


@scenario(throttle=True, clock=True, many=True)
async def calls_about_one_run_are_throttled(swf: Swf) -> None:
    """Section 8.2: 200 cancel requests at once."""
    run = await swf.start()
    await swf.start("other")
    cancel = "RequestCancelWorkflowExecution"
    for _ in range(200):
        await swf.call(cancel, workflowId=run["workflowId"])
    await swf.refuses(*_RATE, cancel, workflowId=run["workflowId"])
    await swf.call(cancel, workflowId=swf.id("other"))
    assert len(await swf.history(run)) == 202


@scenario(throttle=True, clock=True, many=True)
async def decisions_beyond_the_bucket_fail(swf: Swf) -> None:
    """Section 8.2: the causes named RATE_EXCEEDED; the buckets are of the account."""
    run = await swf.start("run")
    target = {"workflowId": swf.id("other")}
    await swf.start("other", taskList={"name": swf.id("others")})
    signal = decision("SignalExternalWorkflowExecution", **target, signalName="s")
    cancel = decision("RequestCancelExternalWorkflowExecution", **target)
    unknown = {"workflowId": swf.id("nobody")}
    task = await swf.task()
    lost = decision("SignalExternalWorkflowExecution", **unknown, signalName="s")
    gone = decision("RequestCancelExternalWorkflowExecution", **unknown)
    await swf.decide(task, *[lost] * 1_200, signal, *[gone] * 1_200, cancel)
    await swf.history(run)
    rate = "EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED"
    causes = {cause for _, cause in swf.causes}
    assert {f"SIGNAL_{rate}", f"REQUEST_CANCEL_{rate}"} <= causes


@scenario(throttle=True, clock=True, many=True)
async def activities_timers_and_children_have_buckets_too(swf: Swf) -> None:
    """Section 8.2: what a run may not have takes nothing from them."""
    child = decision(
        "StartChildWorkflowExecution",
        workflowId=swf.id("run0"),
        workflowType=swf.order,
    )
    wholesale = [
        ([swf.paying(str(n)) for n in range(500)], "ACTIVITY_CREATION_RATE_EXCEEDED"),
        ([_timer(str(n)) for n in range(1_000)], "TIMER_CREATION_RATE_EXCEEDED"),
        ([child] * 250, "CHILD_CREATION_RATE_EXCEEDED"),
    ]
    single = [swf.paying("one"), _timer("one"), child]
    for number in range(2):
        run = await swf.start(f"run{number}", taskPriority=str(number))
        made = [each for many, _ in wholesale for each in many]
        await swf.decide(await swf.task(), *made)
    run = await swf.start("last", taskPriority="2")
    await swf.decide(await swf.task(), *single)
    causes = [told["cause"] for _, told in await swf.last(run, 4) if "cause" in told]
    assert causes == [cause for _, cause in wholesale]
