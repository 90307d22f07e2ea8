"""Children: started, closed, not started, and what becomes of them without a parent.

Source:
    swf-semantics.md sections 3.2, 6.3 and 6.4.
"""

from typing import Any

from flowser.local.engine.quotas import Quotas
from tests.conformance.face import Expected, Swf, answered, decision, marked, taken
from tests.conformance.registry import scenario

_MOTO = "10.1: StartChildWorkflowExecution raises NotImplementedError"


def _child(swf: Swf, id: str = "child", **more: Any) -> dict[str, Any]:
    given = {"workflowId": swf.id(id), "workflowType": swf.order}
    return decision("StartChildWorkflowExecution", **(given | more))


def _initiated(swf: Swf, batch: int, id: str = "child", **more: Any) -> Expected:
    resolved = {
        "workflowId": swf.id(id),
        "workflowType": swf.order,
        "taskList": swf.deciders,
        "childPolicy": "TERMINATE",
        "executionStartToCloseTimeout": "1000",
        "taskStartToCloseTimeout": "10",
        "decisionTaskCompletedEventId": batch,
    }
    return "StartChildWorkflowExecutionInitiated", resolved | more


def _told(swf: Swf, kind: str, child: dict[str, str], **more: Any) -> Expected:
    told = {
        "workflowExecution": child,
        "workflowType": swf.order,
        "initiatedEventId": 5,
    }
    return f"ChildWorkflowExecution{kind}", told | more


async def _family(swf: Swf, **more: Any) -> tuple[Any, Any]:
    """Start a run and its child; give the run, and the child's decision task."""
    run = await swf.start()
    nursery = {"name": swf.id("nursery")}
    await swf.decide(await swf.task(), _child(swf, taskList=nursery, **more))
    return run, await swf.task(taskList=nursery)


@scenario(moto=_MOTO)
async def a_parent_and_its_child_tell_each_other(swf: Swf) -> None:
    """Section 6.4 [recorded]: ids of the parent's history, in both."""
    nursery = {"name": swf.id("nursery")}
    run, task = await _family(swf)
    child = task["workflowExecution"]
    origin = {"parentWorkflowExecution": run, "parentInitiatedEventId": 5}
    await swf.expect(
        child,
        [swf.started(taskList=nursery, **origin), swf.scheduled(taskList=nursery)],
        [taken(2)],
    )
    described = await swf.describe(run)
    assert described["openCounts"]["openChildWorkflowExecutions"] == 1
    await swf.decide(await swf.task())
    await swf.decide(task, decision("CompleteWorkflowExecution", result="r"))
    assert (await swf.describe(child))["executionInfo"]["parent"] == run
    described = await swf.describe(run)
    assert described["openCounts"]["openChildWorkflowExecutions"] == 0
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3), _initiated(swf, 4, taskList=nursery)],
        [_told(swf, "Started", child), swf.scheduled()],
        [taken(7)],
        [answered(7, 8)],
        [
            _told(swf, "Completed", child, startedEventId=6, result="r"),
            swf.scheduled(),
        ],
    )


@scenario(moto=_MOTO)
async def a_child_gets_all_that_it_was_given(swf: Swf) -> None:
    given: dict[str, Any] = {
        "input": "in",
        "taskList": {"name": swf.id("nursery")},
        "taskPriority": "3",
        "tagList": ["t"],
        "childPolicy": "REQUEST_CANCEL",
        "executionStartToCloseTimeout": "60",
        "taskStartToCloseTimeout": "NONE",
        "lambdaRole": "arn:aws:iam::123456789012:role/r",
    }
    run = await swf.start(taskPriority="9")
    mark = decision("RecordMarker", markerName="m")
    made = [_child(swf, control="note", **given), mark]
    await swf.decide(await swf.task(), *made)
    child = (await swf.task(taskList=given["taskList"]))["workflowExecution"]
    started = _told(swf, "Started", child)
    await swf.expect(
        run,
        [swf.started(taskPriority="9"), swf.scheduled(taskPriority="9")],
        [taken(2)],
        [answered(2, 3), _initiated(swf, 4, control="note", **given), marked(4)],
        [started, swf.scheduled(taskPriority="9")],
    )
    origin = {"parentWorkflowExecution": run, "parentInitiatedEventId": 5}
    scheduled = {"taskList": given["taskList"], "taskPriority": "3"}
    await swf.expect(
        child,
        [
            swf.started(**given, **origin),
            swf.scheduled(startToCloseTimeout="NONE", **scheduled),
        ],
        [taken(2)],
    )


@scenario(moto=_MOTO)
async def priority_is_not_inherited_by_children(swf: Swf) -> None:
    """Section 9.3 [docs]."""
    await swf.start(taskPriority="9")
    await swf.decide(await swf.task(), _child(swf))
    children = [await swf.task(), await swf.task()]
    child = children[1]["workflowExecution"]
    assert child["workflowId"] == swf.id("child")
    events = await swf.last(child, 3)
    assert events[1] == swf.scheduled()


@scenario(moto=_MOTO)
async def a_parent_hears_how_its_child_ended(swf: Swf) -> None:
    """Section 6.4 [model][recorded:test]."""
    ends = {
        "Failed": ("FailWorkflowExecution", {"reason": "why", "details": "d"}),
        "Canceled": ("CancelWorkflowExecution", {"details": "d"}),
        "Completed": ("CompleteWorkflowExecution", {}),
    }
    for kind, (close, words) in ends.items():
        run, task = await _family(swf)
        await swf.decide(await swf.task())
        await swf.decide(task, decision(close, **words))
        told = _told(swf, kind, task["workflowExecution"], startedEventId=6, **words)
        assert await swf.last(run, 2) == [told, swf.scheduled()]
        await swf.terminate()


@scenario(moto=_MOTO)
async def a_parent_hears_that_its_child_was_terminated(swf: Swf) -> None:
    run, task = await _family(swf)
    await swf.decide(await swf.task())
    await swf.terminate("child", reason="why", details="d")
    told = _told(swf, "Terminated", task["workflowExecution"], startedEventId=6)
    assert await swf.last(run, 2) == [told, swf.scheduled()]


@scenario(clock=True)
async def a_parent_hears_that_its_child_timed_out(swf: Swf) -> None:
    run, task = await _family(swf, executionStartToCloseTimeout="5")
    await swf.decide(await swf.task())
    await swf.skip(5)
    child, kind = task["workflowExecution"], {"timeoutType": "START_TO_CLOSE"}
    told = _told(swf, "TimedOut", child, startedEventId=6, **kind)
    assert await swf.last(run, 2) == [told, swf.scheduled()]


@scenario(clock=True)
async def a_child_without_a_time_limit_has_a_year(swf: Swf) -> None:
    """Section 5.2: NONE, which a start does not take, is a year [inferred]."""
    ever = {"executionStartToCloseTimeout": "99999999", "childPolicy": "ABANDON"}
    run = await swf.start(**ever)
    await swf.skip(9)
    made = _child(swf, executionStartToCloseTimeout="NONE")
    await swf.decide(await swf.task(), made)
    ((_, told), _) = await swf.last(run, 2)
    child = told["workflowExecution"]
    await swf.skip(365 * 86_400 - 9)
    assert (await swf.last(run, 1))[0][0] == "WorkflowExecutionTimedOut"
    await swf.skip(8.999)
    unlimited = swf.started(
        executionStartToCloseTimeout="NONE",
        parentWorkflowExecution=run,
        parentInitiatedEventId=5,
    )
    assert await swf.last(child, 2) == [unlimited, swf.scheduled()]
    await swf.skip(0.001)
    assert (await swf.last(child, 1))[0][0] == "WorkflowExecutionTimedOut"


# -- why a child does not start ---------------------------------------------------


@scenario(moto=_MOTO)
async def a_child_needs_an_id_that_is_not_open(swf: Swf) -> None:
    """Section 3.2 [model]: Failed follows Initiated, and names it."""
    run = await swf.start()
    task = await swf.task()
    await swf.start("child", taskList={"name": swf.id("others")})
    await swf.decide(task, _child(swf, control="note"))
    failed = {
        "workflowId": swf.id("child"),
        "workflowType": swf.order,
        "cause": "WORKFLOW_ALREADY_RUNNING",
        "initiatedEventId": 5,
        "decisionTaskCompletedEventId": 4,
        "control": "note",
    }
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3), _initiated(swf, 4, control="note")],
        [("StartChildWorkflowExecutionFailed", failed), swf.scheduled()],
    )
    counts = (await swf.describe(run))["openCounts"]
    assert counts["openChildWorkflowExecutions"] == 0


@scenario(moto=_MOTO)
async def a_child_that_cannot_be_is_never_initiated(swf: Swf) -> None:
    """Section 3.2 [model]: initiatedEventId is 0."""
    old = {"name": swf.id("old"), "version": "1"}
    bare = {"name": swf.id("bare"), "version": "1"}
    unknown = {"name": swf.id("unknown"), "version": "1"}
    for type in (old, bare):
        await swf.call("RegisterWorkflowType", **type)
    await swf.call("DeprecateWorkflowType", workflowType=old)
    whole = {"executionStartToCloseTimeout": "9"}
    listed = whole | {"taskList": swf.deciders}
    timed = listed | {"taskStartToCloseTimeout": "9"}
    attempts: list[tuple[dict[str, str], dict[str, Any], str]] = [
        (unknown, {}, "WORKFLOW_TYPE_DOES_NOT_EXIST"),
        (old, {}, "WORKFLOW_TYPE_DEPRECATED"),
        (bare, {}, "DEFAULT_EXECUTION_START_TO_CLOSE_TIMEOUT_UNDEFINED"),
        (bare, whole, "DEFAULT_TASK_LIST_UNDEFINED"),
        (bare, listed, "DEFAULT_TASK_START_TO_CLOSE_TIMEOUT_UNDEFINED"),
        (bare, timed, "DEFAULT_CHILD_POLICY_UNDEFINED"),
    ]
    run = await swf.start()
    made = [_child(swf, workflowType=type, **given) for type, given, _ in attempts]
    await swf.decide(await swf.task(), *made)
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [
            answered(2, 3),
            *(_never(swf, type, cause) for type, _, cause in attempts),
            swf.scheduled(),
        ],
    )


def _never(swf: Swf, type: dict[str, str], cause: str, **more: Any) -> Expected:
    failed = {
        "workflowId": swf.id("child"),
        "workflowType": type,
        "cause": cause,
        "initiatedEventId": 0,
        "decisionTaskCompletedEventId": 4,
    }
    return "StartChildWorkflowExecutionFailed", failed | more


@scenario(quotas=Quotas(open_children=2))
async def a_run_has_so_many_children(swf: Swf) -> None:
    run = await swf.start()
    await swf.decide(await swf.task(), *(_child(swf, id) for id in ("a", "b", "child")))
    refused = _never(swf, swf.order, "OPEN_CHILDREN_LIMIT_EXCEEDED")
    assert (await swf.last(run, 4))[0] == refused


@scenario(quotas=Quotas(open_executions=3))
async def a_domain_has_so_many_open_executions(swf: Swf) -> None:
    """Section 8.1: children count, those that are about to start too."""
    run = await swf.start()
    await swf.decide(await swf.task(), *(_child(swf, id) for id in ("a", "b", "child")))
    refused = _never(swf, swf.order, "OPEN_WORKFLOWS_LIMIT_EXCEEDED")
    assert (await swf.last(run, 4))[0] == refused
    await swf.refuses(
        "LimitExceededFault",
        "Limit on open workflow executions per domain reached",
        "StartWorkflowExecution",
        workflowId=swf.id("one more"),
        workflowType=swf.order,
    )
    await swf.terminate("a")
    await swf.start("one more")


# -- child policies ---------------------------------------------------------------


@scenario(moto=_MOTO)
async def termination_goes_down_the_generations(swf: Swf) -> None:
    """Section 6.3 [model]: each by its own policy; closed parents hear nothing."""
    run = await swf.start()
    await swf.decide(await swf.task(), _child(swf, "child", childPolicy="TERMINATE"))
    family = [run]
    for following in ("grandchild", "last"):
        task = await _task_of(swf, family)
        await swf.decide(task, _child(swf, following, childPolicy="REQUEST_CANCEL"))
        family.append(task["workflowExecution"])
    task = await _task_of(swf, family)
    family.append(task["workflowExecution"])
    await swf.terminate(childPolicy="TERMINATE")
    applied = {"cause": "CHILD_POLICY_APPLIED"}
    ends = [await swf.last(each, 1) for each in family]
    terminated = "WorkflowExecutionTerminated"
    operator = {"childPolicy": "TERMINATE", "cause": "OPERATOR_INITIATED"}
    assert ends == [
        [(terminated, operator)],
        [(terminated, applied | {"childPolicy": "TERMINATE"})],
        [(terminated, applied | {"childPolicy": "REQUEST_CANCEL"})],
        [swf.scheduled()],
    ]
    requested = applied | {"externalInitiatedEventId": 0}
    assert (await swf.last(family[-1], 2))[0] == (
        "WorkflowExecutionCancelRequested",
        requested,
    )


async def _task_of(swf: Swf, others: list[Any]) -> dict[str, Any]:
    """Take the decision task of the newest of a family; the others think of nothing."""
    while True:
        task = await swf.task()
        if task["workflowExecution"] not in others:
            return task
        await swf.decide(task)


@scenario(moto=_MOTO)
async def an_abandoned_child_goes_on(swf: Swf) -> None:
    run, task = await _family(swf)
    await swf.terminate(childPolicy="ABANDON")
    count = len(await swf.history(run))
    child = task["workflowExecution"]
    assert await swf.last(child, 1) == [taken(2)]
    await swf.decide(task, decision("CompleteWorkflowExecution"))
    assert len(await swf.history(run)) == count


@scenario(clock=True)
async def a_child_policy_is_applied_when_a_run_times_out(swf: Swf) -> None:
    run = await swf.start(executionStartToCloseTimeout="5", childPolicy="TERMINATE")
    made = [_child(swf, id, executionStartToCloseTimeout="50") for id in ("a", "b")]
    await swf.decide(await swf.task(), *made)
    tasks = [await swf.task() for _ in range(3)]
    children = [
        task["workflowExecution"] for task in tasks if task["workflowExecution"] != run
    ]
    await swf.skip(5)
    told = {"cause": "CHILD_POLICY_APPLIED", "childPolicy": "TERMINATE"}
    for child in children:
        assert await swf.last(child, 1) == [("WorkflowExecutionTerminated", told)]
        described = await swf.describe(child)
        assert described["executionInfo"]["closeStatus"] == "TERMINATED"


@scenario(moto=_MOTO)
async def other_ends_of_a_parent_leave_its_children_alone(swf: Swf) -> None:
    """Section 6.3 [model wording]."""
    for close in ("Complete", "Fail", "Cancel", "ContinueAsNew"):
        run, task = await _family(swf)
        await swf.decide(await swf.task(), decision(f"{close}WorkflowExecution"))
        described = await swf.describe(run)
        assert described["openCounts"]["openChildWorkflowExecutions"] == 1
        assert await swf.last(task["workflowExecution"], 1) == [taken(2)]
        await swf.terminate("child")
        if close == "ContinueAsNew":
            await swf.terminate()
