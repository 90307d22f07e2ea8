"""What callers do to a run from outside: signal, cancel, terminate, describe.

Source:
    swf-semantics.md sections 1.3, 1.7, 6.1 to 6.3 and 7.
"""

from typing import Any

from tests.conformance.face import Swf, decision, signaled
from tests.conformance.registry import scenario

_ASKING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("SignalWorkflowExecution", {"signalName": "s"}),
    ("RequestCancelWorkflowExecution", {}),
    ("TerminateWorkflowExecution", {}),
)


@scenario(moto="10.2: SignalWorkflowExecution requires input")
async def signals_come_in_the_order_in_which_they_were_sent(swf: Swf) -> None:
    """Section 6.2: with and without a run id, with and without input."""
    run = await swf.start()
    await swf.decide(await swf.task())
    await swf.signal(input="1")
    await swf.signal(runId=run["runId"], signalName="named", input="")
    await swf.call("SignalWorkflowExecution", **run | {"runId": ""}, signalName="s")
    bare = {"signalName": "s", "externalInitiatedEventId": 0}
    assert await swf.last(run, 4) == [
        signaled(input="1"),
        swf.scheduled(),
        signaled(signalName="named", input=""),
        ("WorkflowExecutionSignaled", bare),
    ]


@scenario(moto="10.1: RequestCancelWorkflowExecution is absent")
async def a_cancel_request_is_a_request(swf: Swf) -> None:
    """Section 6.1 [recorded]: the decider may ignore it; each is an event."""
    run = await swf.start()
    await swf.decide(await swf.task())
    info = (await swf.describe(run))["executionInfo"]
    assert info["cancelRequested"] is False
    for _ in range(2):
        await swf.call("RequestCancelWorkflowExecution", workflowId=run["workflowId"])
    info = (await swf.describe(run))["executionInfo"]
    assert info["cancelRequested"] is True
    requested = "WorkflowExecutionCancelRequested", {"externalInitiatedEventId": 0}
    assert await swf.last(run, 3) == [requested, swf.scheduled(), requested]
    await swf.decide(await swf.task(), decision("CompleteWorkflowExecution"))
    info = (await swf.describe(run))["executionInfo"]
    # Recorded so, twice.
    assert (info["closeStatus"], info["cancelRequested"]) == ("COMPLETED", False)


@scenario(moto="10.2: terminate sets no closeTimestamp")
async def termination_is_immediate(swf: Swf) -> None:
    """Section 6.3: with a child policy of its own, or the run's."""
    run = await swf.start()
    task = await swf.task()
    words = {"reason": "why", "details": "d", "childPolicy": "ABANDON"}
    await swf.terminate(**words)
    told = words | {"cause": "OPERATOR_INITIATED"}
    assert await swf.last(run, 1) == [("WorkflowExecutionTerminated", told)]
    named = f"workflowId={run['workflowId']}, runId={run['runId']}"
    await swf.refuses(
        "UnknownResourceFault",
        f"Unknown execution: WorkflowExecution=[{named}]",
        "RespondDecisionTaskCompleted",
        taskToken=task["taskToken"],
    )
    described = await swf.describe(run)
    assert described["executionInfo"]["closeStatus"] == "TERMINATED"
    assert "closeTimestamp" in described["executionInfo"]
    assert described["openCounts"]["openDecisionTasks"] == 0
    second = await swf.start()
    await swf.terminate()
    told = {"childPolicy": "TERMINATE", "cause": "OPERATOR_INITIATED"}
    assert await swf.last(second, 1) == [("WorkflowExecutionTerminated", told)]


@scenario(moto="10.1: RequestCancelWorkflowExecution is absent")
async def runs_that_are_not_open_are_unknown(swf: Swf) -> None:
    """Section 1.3: missing, closed, or another run of the same id."""
    closed = await swf.start()
    await swf.terminate()
    id = closed["workflowId"]
    named = f"WorkflowExecution=[workflowId={id}, runId={closed['runId']}]"
    for operation, members in _ASKING:
        asked = {"workflowId": id} | members
        unknown = "UnknownResourceFault", f"Unknown execution, workflowId = {id}"
        await swf.refuses(*unknown, operation, **asked)
        unknown = "UnknownResourceFault", f"Unknown execution: {named}"
        await swf.refuses(*unknown, operation, **asked, runId=closed["runId"])
    await swf.start()
    for operation, members in _ASKING:
        asked = {"workflowId": id, "runId": closed["runId"]} | members
        unknown = "UnknownResourceFault", f"Unknown execution: {named}"
        await swf.refuses(*unknown, operation, **asked)


@scenario(moto="10.2: WorkflowExecutionAlreadyStartedFault message")
async def an_id_is_open_once(swf: Swf) -> None:
    """Section 1.2: without a message [live-3p]."""
    run = await swf.start()
    await swf.refuses(
        "WorkflowExecutionAlreadyStartedFault",
        "",
        "StartWorkflowExecution",
        workflowId=run["workflowId"],
        workflowType=swf.order,
    )


@scenario(moto="10.2: startTimestamp is a constant; openDecisionTasks can be 2")
async def a_run_is_described_with_what_was_resolved(swf: Swf) -> None:
    """Section 7 [recorded]: all five counts, whatever they are."""
    given: dict[str, Any] = {"tagList": ["t"], "taskPriority": "7", "input": "1"}
    role = "arn:aws:iam::123456789012:role/r"
    run = await swf.start(lambdaRole=role, **given)
    (started, *_) = await swf.history(run)
    assert await swf.describe(run) == {
        "executionInfo": {
            "execution": run,
            "workflowType": swf.order,
            "startTimestamp": started["eventTimestamp"],
            "executionStatus": "OPEN",
            "cancelRequested": False,
            "tagList": ["t"],
        },
        "executionConfiguration": {
            "childPolicy": "TERMINATE",
            "executionStartToCloseTimeout": "1000",
            "taskStartToCloseTimeout": "10",
            "taskList": swf.deciders,
            "taskPriority": "7",
            "lambdaRole": role,
        },
        "openCounts": {
            "openActivityTasks": 0,
            "openDecisionTasks": 1,
            "openTimers": 0,
            "openChildWorkflowExecutions": 0,
            "openLambdaFunctions": 0,
        },
    }
    await swf.task()
    await swf.signal()
    counts = (await swf.describe(run))["openCounts"]
    assert counts["openDecisionTasks"] == 1  # one runs, one is pending


@scenario(clock=True)
async def the_latest_activity_is_the_latest_event_of_any(swf: Swf) -> None:
    """Section 7 [recorded]: not the latest that was scheduled."""
    run = await swf.start()
    assert "latestActivityTaskTimestamp" not in await swf.describe(run)
    await swf.decide(await swf.task(), swf.paying())
    await _latest_is(swf, run, 5)
    await swf.skip(1)
    work = await swf.work()
    await _latest_is(swf, run, 6)
    await swf.skip(1)
    await swf.complete(work)
    await _latest_is(swf, run, 7)
    await swf.skip(1)
    await swf.terminate()
    await _latest_is(swf, run, 7)


async def _latest_is(swf: Swf, run: dict[str, str], id: int) -> None:
    events = await swf.history(run)
    described = await swf.describe(run)
    at = events[id - 1]["eventTimestamp"]
    assert described["latestActivityTaskTimestamp"] == at


@scenario(moto="10.1: no paging of histories")
async def a_history_is_read_in_pages_both_ways(swf: Swf) -> None:
    """Sections 2.3 and 2.4: no token after a full last page."""
    run = await swf.start()
    for _ in range(4):
        await swf.signal()
    read, asked = "GetWorkflowExecutionHistory", {"execution": run}
    for backwards in (False, True):
        order = {"reverseOrder": backwards}
        first = await swf.call(read, **asked, **order, maximumPageSize=4)
        await swf.signal()  # a history is as long as it was when its reading began
        token = {"nextPageToken": first["nextPageToken"]}
        second = await swf.call(read, **asked, **order, **token, maximumPageSize=0)
        ids = [event["eventId"] for event in first["events"] + second["events"]]
        assert ids == sorted(ids, reverse=backwards)
        assert len(ids) == len(set(ids)) == 6 + backwards
        assert "nextPageToken" not in second
    full = await swf.call(read, **asked, maximumPageSize=8)
    assert (len(full["events"]), "nextPageToken" in full) == (8, False)


@scenario(moto="10.1: no paging of histories")
async def pages_of_a_history_go_on_when_the_run_has_closed(swf: Swf) -> None:
    run = await swf.start()
    read = "GetWorkflowExecutionHistory"
    first = await swf.call(read, execution=run, maximumPageSize=1)
    await swf.terminate()
    token = {"nextPageToken": first["nextPageToken"]}
    second = await swf.call(read, execution=run, **token)
    assert [event["eventId"] for event in second["events"]] == [2]
    assert len(await swf.history(run)) == 3
    backwards = await swf.history(run, reverseOrder=True, maximumPageSize=2)
    assert [event["eventId"] for event in backwards] == [3, 2, 1]


@scenario(moto="10.1: no paging of histories")
async def page_tokens_of_a_history_are_for_it_alone(swf: Swf) -> None:
    """Sections 1.3 and 7: corrupt ones, and those of other requests."""
    run = await swf.start()
    other = await swf.start("other")
    read = "GetWorkflowExecutionHistory"
    page = await swf.call(read, execution=run, maximumPageSize=1)
    token = page["nextPageToken"]
    invalid = "ValidationException", "Invalid token"
    await swf.refuses(*invalid, read, execution=other, nextPageToken=token)
    back = {"nextPageToken": token, "reverseOrder": True}
    await swf.refuses(*invalid, read, execution=run, **back)
    for corrupt in (token[:-8], token[4:], "x", f"{token}AAAA", token.swapcase()):
        await swf.refuses(*invalid, read, execution=run, nextPageToken=corrupt)
    listing = {"startTimeFilter": {"oldestDate": 0}, "nextPageToken": token}
    await swf.refuses(*invalid, "ListOpenWorkflowExecutions", **listing)


@scenario(clock=True)
async def page_tokens_are_good_for_a_day(swf: Swf) -> None:
    """Section 2.3 [model][recorded]."""
    run = await swf.start(executionStartToCloseTimeout="1000000")
    read = "GetWorkflowExecutionHistory"
    page = await swf.call(read, execution=run, maximumPageSize=1)
    token = {"nextPageToken": page["nextPageToken"]}
    await swf.skip(86_400)
    await swf.call(read, execution=run, **token)
    await swf.skip(0.001)
    expired = "Specified token has exceeded its maximum lifetime"
    await swf.refuses("ValidationException", expired, read, execution=run, **token)
