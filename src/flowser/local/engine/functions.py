"""Lambda functions: begun after the batch that asked for them, run by somebody else.

Source:
    swf-semantics.md section 3.2, ScheduleLambdaFunction.
"""

from typing import NamedTuple

from flowser import events as e
from flowser.local.engine.state import Run
from flowser.local.engine.world import Invocation, World

_NO_ROLE = "No IAM role is attached to the current workflow execution."


class Outcome(NamedTuple):
    """What a function came to: a result, or the reason why there is none."""

    result: str | None = None
    reason: str | None = None
    details: str | None = None


def invoke(world: World, run: Run, id: int) -> None:
    """Begin a function that was scheduled."""
    scheduled = run.lambdas[id].attributes
    if not isinstance(scheduled, e.LambdaFunctionScheduled):
        return
    if run.config.lambda_role is None:
        failed = e.StartLambdaFunctionFailed(
            scheduled_event_id=id, cause="ASSUME_ROLE_FAILED", message=_NO_ROLE
        )
        world.append(run, failed)
    else:
        world.append(run, e.LambdaFunctionStarted(scheduled_event_id=id))
        if scheduled.name in world.functions:
            input = "{}" if scheduled.input is None else scheduled.input
            world.invocations.append(Invocation(run.number, id, scheduled.name, input))
        else:
            _failed(world, run, id, Outcome(reason="ResourceNotFoundException"))
    world.settle(run)


def finished(world: World, invocation: Invocation, outcome: Outcome) -> None:
    """Take what a function came to, unless nobody waits for it any more."""
    run = world.state.runs.get(invocation.run)
    if run is None or invocation.id not in run.lambdas:
        return
    if outcome.reason is not None:
        _failed(world, run, invocation.id, outcome)
    else:
        completed = e.LambdaFunctionCompleted(
            scheduled_event_id=invocation.id,
            started_event_id=run.lambdas[invocation.id].started_id,
            result=outcome.result,
        )
        world.append(run, completed)
    world.settle(run)


def _failed(world: World, run: Run, id: int, outcome: Outcome) -> None:
    failed = e.LambdaFunctionFailed(
        scheduled_event_id=id,
        started_event_id=run.lambdas[id].started_id,
        reason=outcome.reason,
        details=outcome.details,
    )
    world.append(run, failed)
