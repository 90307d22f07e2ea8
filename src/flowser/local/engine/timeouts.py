"""What happens when a clock runs out; each expiry is a transition of its own.

Source:
    swf-semantics.md section 5.
"""

from collections.abc import Callable

from flowser import events as e
from flowser import shapes
from flowser.local.engine.ending import end
from flowser.local.engine.state import ActivityTask, DecisionTask, Due, Run
from flowser.local.engine.world import World


def expire(world: World, due: Due) -> None:
    """Let a clock have run out."""
    run = world.state.runs[due.run]
    CLOCKS[due.clock](world, run, due.id)
    world.settle(run)


def _execution(world: World, run: Run, id: int) -> None:
    timed_out = e.WorkflowExecutionTimedOut(
        timeout_type=shapes.TimeoutType.START_TO_CLOSE,
        child_policy=run.config.child_policy,
    )
    end(world, run, timed_out)


def _decision(world: World, run: Run, task: DecisionTask | None, kind: str) -> None:
    if task is not None:
        timed_out = e.DecisionTaskTimedOut(
            timeout_type=kind,
            scheduled_event_id=task.id,
            started_event_id=task.started_id,
        )
        world.append(run, timed_out)


def _decision_start(world: World, run: Run, id: int) -> None:
    _decision(world, run, run.pending, shapes.TimeoutType.SCHEDULE_TO_START)


def _decision_close(world: World, run: Run, id: int) -> None:
    _decision(world, run, run.running, shapes.TimeoutType.START_TO_CLOSE)


def _activity(kind: str) -> Callable[[World, Run, int], None]:
    def expired(world: World, run: Run, id: int) -> None:
        task: ActivityTask = run.activities[id]
        timed_out = e.ActivityTaskTimedOut(
            timeout_type=kind,
            scheduled_event_id=task.id,
            started_event_id=task.started_id,
            details=task.details,
        )
        world.append(run, timed_out)

    return expired


def _timer(world: World, run: Run, id: int) -> None:
    attributes = run.timers[id].attributes
    if isinstance(attributes, e.TimerStarted):
        fired = e.TimerFired(timer_id=attributes.timer_id, started_event_id=id)
        world.append(run, fired)


def _lambda(world: World, run: Run, id: int) -> None:
    timed_out = e.LambdaFunctionTimedOut(
        scheduled_event_id=id,
        started_event_id=run.lambdas[id].started_id,
        timeout_type=shapes.TimeoutType.START_TO_CLOSE,
    )
    world.append(run, timed_out)


#: What is done, by the name of the clock.
CLOCKS: dict[str, Callable[[World, Run, int], None]] = {
    "execution": _execution,
    "decision-start": _decision_start,
    "decision-close": _decision_close,
    "activity-start": _activity(shapes.TimeoutType.SCHEDULE_TO_START),
    "activity-close": _activity(shapes.TimeoutType.START_TO_CLOSE),
    "activity-whole": _activity(shapes.TimeoutType.SCHEDULE_TO_CLOSE),
    "heartbeat": _activity(shapes.TimeoutType.HEARTBEAT),
    "timer": _timer,
    "lambda": _lambda,
}
