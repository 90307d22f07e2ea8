"""Decision tasks: when they are scheduled, handed out, answered, and timed out.

Source:
    swf-semantics.md sections 0.1, 2.2, 2.3 and 3.1.
"""

from typing import Any

from tests.conformance.face import (
    TIMEOUTS,
    Swf,
    answered,
    begun,
    decision,
    marked,
    signaled,
    taken,
)
from tests.conformance.registry import scenario


@scenario()
async def a_start_writes_two_events_at_once(swf: Swf) -> None:
    """Section 2.2, "start" [recorded]."""
    run = await swf.start()
    await swf.expect(run, [swf.started(), swf.scheduled()])


@scenario(moto="10.1: lambdaRole and taskPriority of a start are ignored")
async def a_start_writes_all_that_it_was_given(swf: Swf) -> None:
    given: dict[str, Any] = {
        "input": "in",
        "tagList": ["t", "u"],
        "taskPriority": "7",
        "childPolicy": "ABANDON",
        "executionStartToCloseTimeout": "60",
        "taskStartToCloseTimeout": "NONE",
        "lambdaRole": "arn:aws:iam::123456789012:role/r",
    }
    mine = {"name": swf.id("mine")}
    run = await swf.start(taskList=mine, **given)
    await swf.expect(
        run,
        [
            swf.started(taskList=mine, **given),
            swf.scheduled(taskList=mine, startToCloseTimeout="NONE", taskPriority="7"),
        ],
    )


@scenario()
async def a_plain_run_has_eleven_events(swf: Swf) -> None:
    """Section 2.2, "plain" [recorded]."""
    run = await swf.start()
    paying = swf.paying(input="10", **TIMEOUTS)
    await swf.decide(await swf.task(identity="decider"), paying)
    work = await swf.work(identity="payer")
    assert work["activityId"] == "a"
    assert work["activityType"] == swf.pay
    assert work["workflowExecution"] == run
    assert (work["startedEventId"], work["input"]) == (6, "10")
    await swf.complete(work, result="paid")
    done = decision("CompleteWorkflowExecution", result="done")
    await swf.decide(await swf.task(), done)
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2, identity="decider")],
        [answered(2, 3), swf.paid(4, input="10")],
        [begun(5, identity="payer")],
        [
            (
                "ActivityTaskCompleted",
                {"scheduledEventId": 5, "startedEventId": 6, "result": "paid"},
            ),
            swf.scheduled(),
        ],
        [taken(8)],
        [
            answered(8, 9),
            (
                "WorkflowExecutionCompleted",
                {"decisionTaskCompletedEventId": 10, "result": "done"},
            ),
        ],
    )


@scenario()
async def what_wakes_while_a_decider_thinks_schedules_the_next_task(swf: Swf) -> None:
    """Section 2.2, "mid-decision" [recorded]: the task is there at once, once."""
    run = await swf.start()
    await swf.decide(await swf.task(), swf.paying(**TIMEOUTS))
    work = await swf.work()
    await swf.signal()
    thinking = await swf.task()
    await swf.complete(work)
    await swf.signal()
    await swf.decide(thinking)
    following = await swf.task()
    assert following["previousStartedEventId"] == 9
    assert following["startedEventId"] == 14
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3), swf.paid(4)],
        [begun(5)],
        [signaled(), swf.scheduled()],
        [taken(8)],
        [
            ("ActivityTaskCompleted", {"scheduledEventId": 5, "startedEventId": 6}),
            swf.scheduled(),
        ],
        [signaled()],
        [answered(8, 9)],
        [taken(11)],
    )


@scenario(moto="10.2: UNHANDLED_DECISION exists only for Cancel")
async def a_close_that_has_not_seen_all_fails_as_an_event(swf: Swf) -> None:
    """Section 2.2, "unhandled" [recorded], with the ids of the recording."""
    run = await swf.start()
    await swf.decide(await swf.task(), swf.paying("a"), swf.paying("b"))
    await swf.signal()
    await swf.decide(await swf.task())
    await swf.complete(await swf.work())
    await swf.signal()
    await swf.signal()
    thinking = await swf.task()
    assert (thinking["startedEventId"], thinking["previousStartedEventId"]) == (16, 9)
    work = await swf.work()
    await swf.complete(work)
    await swf.decide(thinking, decision("CompleteWorkflowExecution", result="1"))
    again = await swf.task()
    assert (again["startedEventId"], again["previousStartedEventId"]) == (22, 16)
    refused = {"cause": "UNHANDLED_DECISION", "decisionTaskCompletedEventId": 20}
    paid = "ActivityTaskCompleted"
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3), swf.paid(4, "a"), swf.paid(4, "b")],
        [signaled(), swf.scheduled()],
        [taken(8)],
        [answered(8, 9)],
        [begun(5)],
        [(paid, {"scheduledEventId": 5, "startedEventId": 11}), swf.scheduled()],
        [signaled()],
        [signaled()],
        [taken(13)],
        [begun(6)],
        [(paid, {"scheduledEventId": 6, "startedEventId": 17}), swf.scheduled()],
        [answered(13, 16), ("CompleteWorkflowExecutionFailed", refused)],
        [taken(19)],
    )


@scenario(moto="10.2: each waking event appends a task before the first start")
async def signals_before_the_first_poll_share_its_task(swf: Swf) -> None:
    """Section 2.2, "signals first" [recorded:test]."""
    run = await swf.start()
    for number in range(5):
        await swf.signal(input=str(number))
    await swf.decide(await swf.task(), decision("CompleteWorkflowExecution"))
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        *([signaled(input=str(number))] for number in range(5)),
        [taken(2)],
        [
            answered(2, 8),
            ("WorkflowExecutionCompleted", {"decisionTaskCompletedEventId": 9}),
        ],
    )


@scenario()
async def an_answer_without_decisions_calls_for_nothing(swf: Swf) -> None:
    """Section 3.1 [recorded]."""
    run = await swf.start()
    await swf.decide(await swf.task())
    await swf.signal()
    token = (await swf.task())["taskToken"]
    await swf.call("RespondDecisionTaskCompleted", taskToken=token)
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3)],
        [signaled(), swf.scheduled()],
        [taken(6)],
        [answered(6, 7)],
    )


@scenario(moto="10.2: latestExecutionContext is overwritten with nothing")
async def the_execution_context_lasts_until_another_is_given(swf: Swf) -> None:
    """Section 0.1 number 10 [recorded]: an empty one is one."""
    run = await swf.start()
    assert "latestExecutionContext" not in await swf.describe(run)
    for given, latest in (("one", "one"), (None, "one"), ("", "")):
        members = {} if given is None else {"executionContext": given}
        await swf.decide(await swf.task(), **members)
        assert (await swf.describe(run))["latestExecutionContext"] == latest
        await swf.signal()
    contexts = [
        attributes.get("executionContext")
        for kind, attributes in await swf.last(run, 16)
        if kind == "DecisionTaskCompleted"
    ]
    assert contexts == ["one", None, ""]


@scenario(moto="10.1: RequestCancelActivityTask raises NotImplementedError")
async def events_of_decisions_keep_their_order_and_share_a_time(swf: Swf) -> None:
    """Section 3.1 [recorded]: mixes of TimerStarted, TimerCanceled, MarkerRecorded."""
    run = await swf.start()
    await swf.decide(
        await swf.task(),
        decision("RecordMarker", markerName="m", details="1"),
        decision("CancelTimer", timerId="t"),
        decision("RecordMarker", markerName="m"),
        decision("RequestCancelActivityTask", activityId="unknown"),
    )
    batch = {"decisionTaskCompletedEventId": 4}
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [
            answered(2, 3),
            marked(4, details="1"),
            (
                "CancelTimerFailed",
                batch | {"timerId": "t", "cause": "TIMER_ID_UNKNOWN"},
            ),
            marked(4),
            (
                "RequestCancelActivityTaskFailed",
                batch | {"activityId": "unknown", "cause": "ACTIVITY_ID_UNKNOWN"},
            ),
            swf.scheduled(),
        ],
    )


@scenario(moto="10.1: a poll for a further page is a poll; startedEvent ignored")
async def a_task_brings_its_history_up_to_its_start(swf: Swf) -> None:
    """Section 2.3: what comes later belongs to the next task."""
    run = await swf.start()
    first = await swf.task()
    assert first["previousStartedEventId"] == 0
    assert first["workflowExecution"] == run
    assert first["workflowType"] == swf.order
    assert [event["eventId"] for event in first["events"]] == [1, 2, 3]
    await swf.signal()
    await swf.decide(first)
    second = await swf.task(startAtPreviousStartedEvent=True)
    assert (second["previousStartedEventId"], second["startedEventId"]) == (3, 7)
    assert [event["eventId"] for event in second["events"]] == [3, 4, 5, 6, 7]
    assert second["taskToken"] != first["taskToken"]


@scenario(moto="10.1: no paging of polls")
async def pages_of_a_task_are_read_by_polling_again(swf: Swf) -> None:
    """Section 2.3: never a new task; cut at its start; none after a full last page."""
    run = await swf.start()
    await swf.signal()
    first = await swf.task(maximumPageSize=2)
    await swf.signal()
    asked = {"maximumPageSize": 2, "nextPageToken": first["nextPageToken"]}
    second = await swf.task(**asked)
    same = ("taskToken", "startedEventId", "previousStartedEventId")
    assert [second[name] for name in same] == [first[name] for name in same]
    assert second["workflowExecution"] == run
    ids = [event["eventId"] for page in (first, second) for event in page["events"]]
    assert ids == [1, 2, 3, 4]
    assert "nextPageToken" not in second


@scenario(moto="10.1: no paging of polls")
async def pages_of_a_task_come_backwards_too(swf: Swf) -> None:
    await swf.start()
    asked = {"maximumPageSize": 2, "reverseOrder": True}
    first = await swf.task(**asked)
    second = await swf.task(**asked, nextPageToken=first["nextPageToken"])
    ids = [[event["eventId"] for event in page["events"]] for page in (first, second)]
    assert ids == [[3, 2], [1]]
    assert "nextPageToken" not in second


@scenario(moto="10.1: no paging of polls")
async def page_tokens_of_a_task_are_for_it_alone(swf: Swf) -> None:
    """Sections 1.3 and 2.3."""
    run = await swf.start()
    task = await swf.task(maximumPageSize=1)
    token = task["nextPageToken"]
    poll, invalid = "PollForDecisionTask", ("ValidationException", "Invalid token")
    asked = {"taskList": swf.deciders, "nextPageToken": token}
    elsewhere = asked | {"taskList": {"name": swf.id("other")}}
    await swf.refuses(*invalid, poll, **elsewhere)
    await swf.refuses(*invalid, poll, **asked, reverseOrder=True)
    await swf.refuses(*invalid, poll, **(asked | {"nextPageToken": "AAAA" + token}))
    history = "GetWorkflowExecutionHistory"
    await swf.refuses(*invalid, history, execution=run, nextPageToken=token)
    await swf.decide(task)
    over = "Unknown decision task, scheduledEventId = 2"
    await swf.refuses("UnknownResourceFault", over, poll, **asked)


@scenario(clock=True)
async def a_decision_that_takes_too_long_is_lost(swf: Swf) -> None:
    """Sections 2.2 and 5.2; previousStartedEventId is of the last one completed."""
    run = await swf.start()
    await swf.decide(await swf.task())
    await swf.signal()
    late = await swf.task()
    await swf.skip(9.999)
    await swf.skip(0.001)
    await swf.refuses(
        "UnknownResourceFault",
        "Unknown decision task, scheduledEventId = 6",
        "RespondDecisionTaskCompleted",
        taskToken=late["taskToken"],
        decisions=[decision("CompleteWorkflowExecution")],
    )
    again = await swf.task()
    assert (again["previousStartedEventId"], again["startedEventId"]) == (3, 10)
    timed_out = {
        "timeoutType": "START_TO_CLOSE",
        "scheduledEventId": 6,
        "startedEventId": 7,
    }
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3)],
        [signaled(), swf.scheduled()],
        [taken(6)],
        [("DecisionTaskTimedOut", timed_out), swf.scheduled()],
        [taken(9)],
    )


@scenario(clock=True)
async def a_task_that_waits_behind_one_that_times_out_is_enough(swf: Swf) -> None:
    """Section 2.2: no second DecisionTaskScheduled [inferred]."""
    run = await swf.start()
    await swf.task()
    await swf.signal()
    await swf.skip(10)
    await swf.task()
    timed_out = {
        "timeoutType": "START_TO_CLOSE",
        "scheduledEventId": 2,
        "startedEventId": 3,
    }
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [signaled(), swf.scheduled()],
        [("DecisionTaskTimedOut", timed_out)],
        [taken(5)],
    )


@scenario(clock=True)
async def a_task_without_a_time_limit_is_thought_about_for_days(swf: Swf) -> None:
    lasting = {"executionStartToCloseTimeout": "1000000"}
    await swf.start(taskStartToCloseTimeout="NONE", **lasting)
    task = await swf.task()
    await swf.skip(3 * 86_400)
    await swf.decide(task, decision("CompleteWorkflowExecution"))


@scenario(clock=True)
async def a_task_that_may_take_no_time_is_over_at_once(swf: Swf) -> None:
    """Section 5.2 [inferred]."""
    run = await swf.start(taskStartToCloseTimeout="0")
    await swf.task()
    await swf.skip(0.001)
    assert [kind for kind, _ in await swf.last(run, 3)] == [
        "DecisionTaskStarted",
        "DecisionTaskTimedOut",
        "DecisionTaskScheduled",
    ]
