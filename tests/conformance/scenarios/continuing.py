"""Continuing as new.

Source:
    swf-semantics.md sections 3.2 and 6.5.
"""

from typing import Any

from tests.conformance.face import Swf, answered, decision, taken
from tests.conformance.registry import scenario

_MOTO = "10.1: ContinueAsNewWorkflowExecution raises NotImplementedError"


def _continuing(**attributes: Any) -> dict[str, Any]:
    return decision("ContinueAsNewWorkflowExecution", **attributes)


async def _next(swf: Swf, run: dict[str, str]) -> dict[str, str]:
    """Name the run that a run continued as."""
    ((_, told),) = await swf.last(run, 1)
    return {"workflowId": run["workflowId"], "runId": told["newExecutionRunId"]}


@scenario(moto=_MOTO)
async def a_run_continues_with_the_defaults_of_its_type(swf: Swf) -> None:
    """Section 6.5 [recorded:test]: not with its own settings, and without its tags."""
    given: dict[str, Any] = {"executionStartToCloseTimeout": "60", "tagList": ["t"]}
    run = await swf.start(input="1", **given)
    await swf.decide(await swf.task(), _continuing())
    following = await _next(swf, run)
    assert following["runId"] != run["runId"]
    continued = {
        "newExecutionRunId": following["runId"],
        "decisionTaskCompletedEventId": 4,
        "workflowType": swf.order,
        "taskList": swf.deciders,
        "childPolicy": "TERMINATE",
        "executionStartToCloseTimeout": "1000",
        "taskStartToCloseTimeout": "10",
    }
    await swf.expect(
        run,
        [swf.started(input="1", **given), swf.scheduled()],
        [taken(2)],
        [answered(2, 3), ("WorkflowExecutionContinuedAsNew", continued)],
    )
    started = swf.started(continuedExecutionRunId=run["runId"])
    await swf.expect(following, [started, swf.scheduled()])
    described = await swf.describe(run)
    assert described["executionInfo"]["closeStatus"] == "CONTINUED_AS_NEW"
    assert (await swf.task())["workflowExecution"] == following


@scenario(moto=_MOTO)
async def a_run_continues_with_all_that_it_was_given(swf: Swf) -> None:
    second = swf.order | {"version": "2"}
    await swf.call("RegisterWorkflowType", **second)
    mine = {"name": swf.id("mine")}
    given: dict[str, Any] = {
        "input": "in",
        "executionStartToCloseTimeout": "60",
        "taskList": mine,
        "taskPriority": "3",
        "taskStartToCloseTimeout": "NONE",
        "childPolicy": "ABANDON",
        "tagList": ["t", "u"],
        "lambdaRole": "arn:aws:iam::123456789012:role/r",
    }
    run = await swf.start()
    await swf.decide(await swf.task(), _continuing(workflowTypeVersion="2", **given))
    following = await _next(swf, run)
    ids = {
        "newExecutionRunId": following["runId"],
        "decisionTaskCompletedEventId": 4,
        "workflowType": second,
    }
    assert await swf.last(run, 1) == [("WorkflowExecutionContinuedAsNew", ids | given)]
    origin = {"continuedExecutionRunId": run["runId"], "workflowType": second}
    timeouts = {"startToCloseTimeout": "NONE", "taskPriority": "3"}
    await swf.expect(
        following,
        [
            swf.started(**origin, **given),
            swf.scheduled(taskList=mine, **timeouts),
        ],
    )
    await swf.call("DeprecateWorkflowType", workflowType=second)


@scenario(moto=_MOTO)
async def why_a_run_does_not_continue(swf: Swf) -> None:
    """Section 3.2; each wakes the decider, for the run goes on [inferred]."""
    bare, old = ({"name": swf.order["name"], "version": v} for v in ("2", "3"))
    for type in (bare, old):
        await swf.call("RegisterWorkflowType", **type)
    await swf.call("DeprecateWorkflowType", workflowType=old)
    whole: dict[str, Any] = {
        "workflowTypeVersion": "2",
        "executionStartToCloseTimeout": "9",
    }
    listed = whole | {"taskList": swf.deciders}
    attempts: list[tuple[dict[str, Any], str]] = [
        ({"workflowTypeVersion": "4"}, "WORKFLOW_TYPE_DOES_NOT_EXIST"),
        ({"workflowTypeVersion": "3"}, "WORKFLOW_TYPE_DEPRECATED"),
        (
            {"workflowTypeVersion": "2"},
            "DEFAULT_EXECUTION_START_TO_CLOSE_TIMEOUT_UNDEFINED",
        ),
        (whole, "DEFAULT_TASK_LIST_UNDEFINED"),
        (listed, "DEFAULT_TASK_START_TO_CLOSE_TIMEOUT_UNDEFINED"),
        (
            listed | {"taskStartToCloseTimeout": "9"},
            "DEFAULT_CHILD_POLICY_UNDEFINED",
        ),
    ]
    run = await swf.start()
    expected = [[swf.started(), swf.scheduled()]]
    for number, (given, cause) in enumerate(attempts):
        await swf.decide(await swf.task(), _continuing(**given))
        at = 2 + 4 * number
        failed = {"cause": cause, "decisionTaskCompletedEventId": at + 2}
        expected += [
            [taken(at)],
            [
                answered(at, at + 1),
                ("ContinueAsNewWorkflowExecutionFailed", failed),
                swf.scheduled(),
            ],
        ]
    await swf.expect(run, *expected)
    await swf.call("DeprecateWorkflowType", workflowType=bare)


@scenario(moto=_MOTO)
async def a_parent_hears_from_the_last_of_a_chain_only(swf: Swf) -> None:
    """Section 6.5 [live-3p]: the link moves on, with the ids of the beginning."""
    nursery = {"name": swf.id("nursery")}
    run = await swf.start()
    child = decision(
        "StartChildWorkflowExecution",
        workflowId=swf.id("child"),
        workflowType=swf.order,
        taskList=nursery,
    )
    await swf.decide(await swf.task(), child)
    first = await swf.task(taskList=nursery)
    await swf.decide(await swf.task())
    await swf.decide(first, _continuing(taskList=nursery))
    count = len(await swf.history(run))
    second = await swf.task(taskList=nursery)
    following = second["workflowExecution"]
    (started, *_) = await swf.last(following, 3)
    assert started == swf.started(
        taskList=nursery,
        continuedExecutionRunId=first["workflowExecution"]["runId"],
        parentWorkflowExecution=run,
        parentInitiatedEventId=5,
    )
    info = (await swf.describe(following))["executionInfo"]
    assert info["parent"] == run
    counts = (await swf.describe(run))["openCounts"]
    assert counts["openChildWorkflowExecutions"] == 1
    assert len(await swf.history(run)) == count
    await swf.decide(second, decision("CompleteWorkflowExecution", result="r"))
    told = {
        "workflowExecution": following,
        "workflowType": swf.order,
        "initiatedEventId": 5,
        "startedEventId": 6,
        "result": "r",
    }
    assert await swf.last(run, 2) == [
        ("ChildWorkflowExecutionCompleted", told),
        swf.scheduled(),
    ]


@scenario(moto=_MOTO)
async def a_child_policy_finds_the_last_of_a_chain(swf: Swf) -> None:
    nursery = {"name": swf.id("nursery")}
    await swf.start()
    child = decision(
        "StartChildWorkflowExecution",
        workflowId=swf.id("child"),
        workflowType=swf.order,
        taskList=nursery,
    )
    await swf.decide(await swf.task(), child)
    task = await swf.task(taskList=nursery)
    await swf.decide(task, _continuing(taskList=nursery))
    second = await swf.task(taskList=nursery)
    await swf.terminate()
    told = {"childPolicy": "TERMINATE", "cause": "CHILD_POLICY_APPLIED"}
    last = await swf.last(second["workflowExecution"], 1)
    assert last == [("WorkflowExecutionTerminated", told)]


@scenario(moto=_MOTO)
async def signals_follow_a_chain_and_run_ids_do_not(swf: Swf) -> None:
    """Section 6.2 [model]: open work of the old run is not carried over either."""
    run = await swf.start()
    await swf.decide(await swf.task(), swf.paying())
    work = await swf.work()
    await swf.signal()
    await swf.decide(await swf.task(), _continuing())
    following = await _next(swf, run)
    await swf.signal()
    assert (await swf.last(following, 1))[0][0] == "WorkflowExecutionSignaled"
    named = f"workflowId={run['workflowId']}, runId={run['runId']}"
    unknown = f"Unknown execution: WorkflowExecution=[{named}]"
    await swf.refuses(
        "UnknownResourceFault",
        unknown,
        "SignalWorkflowExecution",
        **run,
        signalName="s",
    )
    await swf.refuses(
        "UnknownResourceFault",
        unknown,
        "RespondActivityTaskCompleted",
        taskToken=work["taskToken"],
    )
    counts = (await swf.describe(following))["openCounts"]
    assert counts["openActivityTasks"] == 0


@scenario(clock=True)
async def the_next_of_a_chain_has_a_time_of_its_own(swf: Swf) -> None:
    run = await swf.start(executionStartToCloseTimeout="60")
    await swf.skip(50)
    await swf.decide(await swf.task(), _continuing(executionStartToCloseTimeout="60"))
    following = await _next(swf, run)
    await swf.skip(59.999)
    assert await swf.last(following, 1) == [swf.scheduled()]
    await swf.skip(0.001)
    assert (await swf.last(following, 1))[0][0] == "WorkflowExecutionTimedOut"
