"""Decisions that signal and cancel other runs.

Source:
    swf-semantics.md sections 3.2, 6.1 and 6.2.
"""

from typing import Any

from tests.conformance.face import Swf, answered, decision, taken
from tests.conformance.registry import scenario

_MOTO = "10.1: the two decisions raise NotImplementedError"


async def _pair(swf: Swf) -> tuple[dict[str, str], dict[str, str]]:
    target = await swf.start("target", taskList={"name": swf.id("others")})
    return await swf.start(), target


@scenario(moto=_MOTO)
async def a_signal_reaches_its_target_first_and_then_its_source(swf: Swf) -> None:
    """Section 6.2: the source learns the run id [model]."""
    run, target = await _pair(swf)
    given = {"workflowId": target["workflowId"], "signalName": "go"}
    words = {"input": "in", "control": "note"}
    made = [
        decision("SignalExternalWorkflowExecution", **given, **words),
        decision("SignalExternalWorkflowExecution", **given, runId=target["runId"]),
    ]
    await swf.decide(await swf.task(), *made)
    initiated = "SignalExternalWorkflowExecutionInitiated"
    batch = {"decisionTaskCompletedEventId": 4}
    done = "ExternalWorkflowExecutionSignaled"
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [
            answered(2, 3),
            (initiated, batch | given | words),
            (initiated, batch | given | {"runId": target["runId"]}),
        ],
        [
            (done, {"workflowExecution": target, "initiatedEventId": 5}),
            swf.scheduled(),
        ],
        [(done, {"workflowExecution": target, "initiatedEventId": 6})],
    )
    others = {"taskList": {"name": swf.id("others")}}
    source = {"externalWorkflowExecution": run, "signalName": "go"}
    signaled = "WorkflowExecutionSignaled"
    await swf.expect(
        target,
        [swf.started(**others), swf.scheduled(**others)],
        [(signaled, source | {"externalInitiatedEventId": 5, "input": "in"})],
        [(signaled, source | {"externalInitiatedEventId": 6})],
    )


@scenario(moto=_MOTO)
async def a_cancel_request_reaches_its_target_first_and_then_its_source(
    swf: Swf,
) -> None:
    """Section 6.1 [recorded:test]."""
    run, target = await _pair(swf)
    given = {"workflowId": target["workflowId"], "control": "note"}
    made = decision("RequestCancelExternalWorkflowExecution", **target, control="note")
    named = decision("RequestCancelExternalWorkflowExecution", **given)
    await swf.decide(await swf.task(), made, named)
    initiated = "RequestCancelExternalWorkflowExecutionInitiated"
    batch = {"decisionTaskCompletedEventId": 4, "control": "note"}
    done = "ExternalWorkflowExecutionCancelRequested"
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3), (initiated, batch | target), (initiated, batch | given)],
        [
            (done, {"workflowExecution": target, "initiatedEventId": 5}),
            swf.scheduled(),
        ],
        [(done, {"workflowExecution": target, "initiatedEventId": 6})],
    )
    source = {"externalWorkflowExecution": run}
    assert await swf.last(target, 2) == [
        (
            "WorkflowExecutionCancelRequested",
            source | {"externalInitiatedEventId": number},
        )
        for number in (5, 6)
    ]
    info = (await swf.describe(target))["executionInfo"]
    assert info["cancelRequested"] is True


@scenario(moto=_MOTO)
async def targets_that_are_not_open_are_unknown(swf: Swf) -> None:
    """Sections 6.1 and 6.2 [recorded:test]: never there, closed, or of another run."""
    closed = await swf.start("closed", taskList={"name": swf.id("others")})
    await swf.terminate("closed")
    run, target = await _pair(swf)
    other = {"workflowId": target["workflowId"], "runId": closed["runId"]}
    unknown = {"workflowId": swf.id("never")}
    for kind, more in (
        ("SignalExternalWorkflowExecution", {"signalName": "s"}),
        ("RequestCancelExternalWorkflowExecution", {}),
    ):
        await _fails(swf, run, kind, more, [unknown, closed, other])
    assert len(await swf.history(target)) == 2


async def _fails(
    swf: Swf,
    run: dict[str, str],
    kind: str,
    more: dict[str, str],
    targets: list[dict[str, str]],
) -> None:
    """Expect all Initiated before any Failed, and one decision task for them."""
    task = await swf.task()
    made: list[Any] = [
        decision(kind, control="note", **each, **more) for each in targets
    ]
    await swf.decide(task, *made)
    batch = task["startedEventId"] + 1
    told = {"decisionTaskCompletedEventId": batch, "control": "note"}
    cause = {"cause": "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION"}
    failed = [
        (
            f"{kind}Failed",
            told | cause | each | {"initiatedEventId": batch + number},
        )
        for number, each in enumerate(targets, 1)
    ]
    assert await swf.last(run, 7) == [
        *((f"{kind}Initiated", told | each | more) for each in targets),
        failed[0],
        swf.scheduled(),
        *failed[1:],
    ]


@scenario(moto=_MOTO)
async def a_run_may_signal_and_cancel_itself(swf: Swf) -> None:
    run = await swf.start()
    me = {"workflowId": run["workflowId"]}
    await swf.decide(
        await swf.task(),
        decision("SignalExternalWorkflowExecution", **me, signalName="s"),
        decision("RequestCancelExternalWorkflowExecution", **me, runId=""),
    )
    assert [kind for kind, _ in await swf.last(run, 7)] == [
        "SignalExternalWorkflowExecutionInitiated",
        "RequestCancelExternalWorkflowExecutionInitiated",
        "WorkflowExecutionSignaled",
        "DecisionTaskScheduled",
        "ExternalWorkflowExecutionSignaled",
        "WorkflowExecutionCancelRequested",
        "ExternalWorkflowExecutionCancelRequested",
    ]
    batch = {"decisionTaskCompletedEventId": 4}
    events = await swf.last(run, 6)
    assert events[0] == ("RequestCancelExternalWorkflowExecutionInitiated", batch | me)
