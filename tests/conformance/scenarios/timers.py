"""Timers.

Source:
    swf-semantics.md sections 0.1, 3.2 and 5.
"""

from typing import Any

from tests.conformance.face import Expected, Swf, answered, decision, marked, taken
from tests.conformance.registry import scenario


def _starting(id: str = "t", seconds: str = "3", **more: Any) -> dict[str, Any]:
    given = {"timerId": id, "startToFireTimeout": seconds}
    return decision("StartTimer", **given, **more)


def _begins(batch: int, id: str = "t", seconds: str = "3", **more: Any) -> Expected:
    told = {"timerId": id, "startToFireTimeout": seconds}
    return "TimerStarted", told | {"decisionTaskCompletedEventId": batch} | more


@scenario(moto="10.2: the type is misspelt TimerCancelled")
async def timers_start_and_stop_within_a_batch_and_wake_nobody(swf: Swf) -> None:
    """Section 0.1 number 8 [recorded]; an id is free again after canceling."""
    run = await swf.start()
    await swf.decide(
        await swf.task(),
        _starting("timer 1", control="note"),
        decision("CancelTimer", timerId="timer 1"),
        _starting("timer 1"),
        decision("RecordMarker", markerName="m"),
    )
    canceled = {
        "timerId": "timer 1",
        "startedEventId": 5,
        "decisionTaskCompletedEventId": 4,
    }
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [
            answered(2, 3),
            _begins(4, "timer 1", control="note"),
            ("TimerCanceled", canceled),
            _begins(4, "timer 1"),
            marked(4),
        ],
    )


@scenario(clock=True)
async def a_timer_fires_once_and_its_id_is_free_again(swf: Swf) -> None:
    """Section 3.2 [recorded]."""
    run = await swf.start()
    await swf.decide(await swf.task(), _starting())
    await swf.skip(2.999)
    assert await swf.last(run, 1) == [_begins(4)]
    await swf.skip(0.001)
    await swf.decide(await swf.task(), _starting())
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3), _begins(4)],
        [("TimerFired", {"timerId": "t", "startedEventId": 5}), swf.scheduled()],
        [taken(7)],
        [answered(7, 8), _begins(9)],
    )


@scenario(clock=True)
async def a_canceled_timer_never_fires(swf: Swf) -> None:
    run = await swf.start()
    cancel = decision("CancelTimer", timerId="t")
    await swf.decide(await swf.task(), _starting(), cancel)
    await swf.skip(100)
    assert len(await swf.history(run)) == 6


@scenario(clock=True)
async def a_timer_of_no_seconds_fires_after_its_batch(swf: Swf) -> None:
    """Section 3.1 [recorded: 12 to 123 ms later]."""
    run = await swf.start()
    mark = decision("RecordMarker", markerName="m")
    await swf.decide(await swf.task(), _starting(seconds="0"), mark)
    await swf.skip(0.001)
    await swf.expect(
        run,
        [swf.started(), swf.scheduled()],
        [taken(2)],
        [answered(2, 3), _begins(4, seconds="0"), marked(4)],
        [("TimerFired", {"timerId": "t", "startedEventId": 5}), swf.scheduled()],
    )


@scenario(clock=True)
async def a_timer_that_fires_first_cannot_be_canceled(swf: Swf) -> None:
    """Section 3.2: the outcome of the race is CancelTimerFailed."""
    run = await swf.start()
    await swf.decide(await swf.task(), _starting())
    await swf.signal()
    thinking = await swf.task()
    await swf.skip(3)
    await swf.decide(thinking, decision("CancelTimer", timerId="t"))
    failed = {
        "timerId": "t",
        "cause": "TIMER_ID_UNKNOWN",
        "decisionTaskCompletedEventId": 11,
    }
    assert await swf.last(run, 4) == [
        ("TimerFired", {"timerId": "t", "startedEventId": 5}),
        swf.scheduled(),
        answered(7, 8),
        ("CancelTimerFailed", failed),
    ]


@scenario(clock=True)
async def timers_fire_in_the_order_in_which_they_are_due(swf: Swf) -> None:
    run = await swf.start()
    timers = [_starting(id, seconds) for id, seconds in ("a5", "b1", "c3")]
    await swf.decide(await swf.task(), *timers)
    await swf.skip(5)
    events = await swf.history(run)
    fired = [
        event["timerFiredEventAttributes"]["timerId"]
        for event in events
        if event["eventType"] == "TimerFired"
    ]
    assert fired == ["b", "c", "a"]


@scenario(moto="10.2: timer failures do not wake")
async def a_timer_id_is_in_use_once(swf: Swf) -> None:
    """Section 3.2; that it wakes the decider is inferred."""
    run = await swf.start()
    await swf.decide(await swf.task(), _starting(), _starting())
    failed = {
        "timerId": "t",
        "cause": "TIMER_ID_ALREADY_IN_USE",
        "decisionTaskCompletedEventId": 4,
    }
    assert await swf.last(run, 3) == [
        _begins(4),
        ("StartTimerFailed", failed),
        swf.scheduled(),
    ]
    assert (await swf.describe(run))["openCounts"]["openTimers"] == 1
