"""Lambda functions.

Source:
    swf-semantics.md section 3.2, ScheduleLambdaFunction.
"""

import asyncio
import json
from typing import Any

from flowser.local.engine.quotas import Quotas
from tests.conformance.face import Expected, Swf, answered, decision, taken
from tests.conformance.registry import scenario

_MOTO = "10.1: ScheduleLambdaFunction raises NotImplementedError"
_ROLE = "arn:aws:iam::123456789012:role/r"


def _calling(id: str = "1", name: str = "double", **more: Any) -> dict[str, Any]:
    return decision("ScheduleLambdaFunction", id=id, name=name, **more)


def _scheduled(
    batch: int, id: str = "1", name: str = "double", **more: Any
) -> Expected:
    told = {"id": id, "name": name, "startToCloseTimeout": "900"}
    ids = {"decisionTaskCompletedEventId": batch}
    return "LambdaFunctionScheduled", told | ids | more


async def _double(event: Any, context: Any) -> Any:
    return event * 2 if isinstance(event, int) else event


async def _broken(event: Any, context: Any) -> None:
    raise ValueError("no")


async def _stuck(event: Any, context: Any) -> None:
    await asyncio.Event().wait()


@scenario(moto=_MOTO)
async def without_a_role_no_function_is_invoked(swf: Swf) -> None:
    """Section 3.2 [live-3p]: Scheduled, and no Started; an id may be used again."""
    run = await swf.start()
    await swf.decide(await swf.task(), _calling())
    failed = {
        "scheduledEventId": 5,
        "cause": "ASSUME_ROLE_FAILED",
        "message": "No IAM role is attached to the current workflow execution.",
    }
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3), _scheduled(4)],
        [("StartLambdaFunctionFailed", failed), swf.scheduled()],
    )
    await swf.decide(await swf.task(), _calling())
    assert (await swf.last(run, 3))[0] == _scheduled(9)


@scenario(moto=_MOTO, aws="needs a role")
async def a_function_that_is_not_there_fails(swf: Swf) -> None:
    """Section 3.2 [live-3p]."""
    run = await swf.start(lambdaRole=_ROLE)
    await swf.decide(await swf.task(), _calling(name="unknown"))
    ids = {"scheduledEventId": 5, "startedEventId": 6}
    assert await swf.last(run, 4) == [
        _scheduled(4, name="unknown"),
        ("LambdaFunctionStarted", {"scheduledEventId": 5}),
        ("LambdaFunctionFailed", ids | {"reason": "ResourceNotFoundException"}),
        swf.scheduled(),
    ]


@scenario(functions={"double": _double})
async def a_function_is_given_its_input_or_an_empty_object(swf: Swf) -> None:
    """Section 3.2 [live-3p]."""
    run = await swf.start(lambdaRole=_ROLE)
    given = {"control": "note", "startToCloseTimeout": "5"}
    for number, (input, result) in enumerate((({"input": "21"}, "42"), ({}, "{}"))):
        await swf.decide(await swf.task(), _calling(**input, **given))
        await _over(swf, run)
        at = 5 + 6 * number
        ids = {"scheduledEventId": at, "startedEventId": at + 1}
        assert await swf.last(run, 4) == [
            _scheduled(at - 1, **input, **given),
            ("LambdaFunctionStarted", {"scheduledEventId": at}),
            ("LambdaFunctionCompleted", ids | {"result": result}),
            swf.scheduled(),
        ]
    counts = (await swf.describe(run))["openCounts"]
    assert counts["openLambdaFunctions"] == 0


async def _over(swf: Swf, run: dict[str, str]) -> None:
    """Wait until the function has come to its end, which it does elsewhere."""
    while (  # noqa: ASYNC110 - nobody tells of it
        await swf.last(run, 1)
    )[0][0] == "LambdaFunctionStarted":
        await asyncio.sleep(0)


@scenario(functions={"broken": _broken})
async def a_function_that_raises_fails(swf: Swf) -> None:
    """Section 3.2: the reason is Unhandled, and the details are what was raised."""
    run = await swf.start(lambdaRole=_ROLE)
    await swf.decide(await swf.task(), _calling(name="broken"))
    await _over(swf, run)
    failed, scheduled = await swf.last(run, 2)
    assert failed[0] == "LambdaFunctionFailed"
    assert scheduled == swf.scheduled()
    details = json.loads(failed[1].pop("details"))
    assert (details["errorType"], details["errorMessage"]) == ("ValueError", "no")
    ids = {"scheduledEventId": 5, "startedEventId": 6}
    assert failed[1] == ids | {"reason": "Unhandled"}


@scenario(functions={"stuck": _stuck}, clock=True)
async def a_function_that_takes_too_long_times_out(swf: Swf) -> None:
    """Section 5.1."""
    run = await swf.start(lambdaRole=_ROLE)
    await swf.decide(await swf.task(), _calling(name="stuck", startToCloseTimeout="5"))
    assert (await swf.describe(run))["openCounts"]["openLambdaFunctions"] == 1
    await swf.skip(5)
    ids = {"scheduledEventId": 5, "startedEventId": 6}
    timed_out = ids | {"timeoutType": "START_TO_CLOSE"}
    assert await swf.last(run, 2) == [
        ("LambdaFunctionTimedOut", timed_out),
        swf.scheduled(),
    ]


@scenario(quotas=Quotas(open_lambdas=2), functions={"stuck": _stuck})
async def why_a_function_is_not_scheduled(swf: Swf) -> None:
    run = await swf.start(lambdaRole=_ROLE)
    ids = ("1", "1", "2", "3")
    made = [_calling(id, "stuck") for id in ids]
    await swf.decide(await swf.task(), *made)
    batch = {"decisionTaskCompletedEventId": 4, "name": "stuck"}
    failed = "ScheduleLambdaFunctionFailed"
    limit = "OPEN_LAMBDA_FUNCTIONS_LIMIT_EXCEEDED"
    history = await swf.history(run)
    assert history[8]["eventType"] == "DecisionTaskScheduled"
    events = history[4:8]
    told = [event[next(k for k in event if "Attributes" in k)] for event in events]
    assert told[1] == batch | {"id": "1", "cause": "ID_ALREADY_IN_USE"}
    assert told[3] == batch | {"id": "3", "cause": limit}
    assert [event["eventType"] for event in events][1::2] == [failed, failed]
