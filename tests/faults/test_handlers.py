"""Handlers that raise, answer nonsense, or are not there: the worker lives.

Source:
    reliability.md section 4 experiments 20, 21 and 27 to 29.
"""

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest

from flowser import decisions as swf
from flowser.exceptions import InvalidArgument
from flowser.tasks import Decision
from tests.faults.farm import (
    COMPLETED,
    DECIDED,
    FAILED,
    POLL_ACTIVITY,
    POLL_DECISION,
    Season,
    Work,
    of_type,
    rigged,
    scripted_farm,
    told,
    worker_of,
)
from tests.faults.virtual import now, virtual
from tests.histories import activity_task, began, decision_task, raw


def deep(depth: int, message: str) -> None:
    """Raise, from so deep that the traceback is long."""
    if depth:
        (deep if depth % 2 else deeper)(depth - 1, message)
    raise ValueError(message)


deeper = deep  # python shortens the traceback of one line that repeats


# -- experiment 20 --


@pytest.mark.parametrize(
    "message",
    ["hail", "h" * 40_000, "half a \ud800 pair"],
    ids=["short", "long", "odd"],
)
@virtual
async def test_activity_that_raises_is_failed_with_reason_and_traceback(
    message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 20: type and message, the traceback, in sizes that SWF takes."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        run = await rig.begin(2)
        worker = worker_of(rig.farm)

        @worker.activity(Work)
        async def work(number: int) -> str:
            if number == 0:
                deep(900, message)
            return "well"

        async with worker:
            await rig.swf.happened("ActivityTaskCompleted")
            await rig.swf.happened("ActivityTaskFailed")
        assert worker.counts == {"activities completed": 1, "activities failed": 1}
        (failed,) = of_type(await rig.events(run), "ActivityTaskFailed")
    assert failed.reason.startswith(f"ValueError: {message[:6]}")
    assert len(failed.reason) <= 256
    assert len(failed.details) <= 32_768
    details = json.loads(failed.details)
    assert details["type"] == "builtins.ValueError"
    assert "in deep" in details["traceback"]
    assert "/flowser/_worker/" not in failed.details
    assert [(level, text) for level, text in told(caplog)] == [
        ("WARNING", "an activity failed")
    ]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
@virtual
async def test_activity_that_wants_to_exit_is_failed_and_stops_the_worker(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 20: the answer is sent, then all ends in order."""
    async with rigged() as rig:
        run = await rig.begin()
        worker = worker_of(rig.farm)

        @worker.activity(Work)
        async def work(_: int) -> None:
            raise error

        assert not await worker.run()
        (failed,) = of_type(await rig.events(run), "ActivityTaskFailed")
    assert failed.reason.startswith(type(error).__name__)
    assert [text for level, text in told(caplog) if level == "CRITICAL"] == [
        f"{error!r} in a handler: the worker stops"
    ]


# -- experiment 21 --


@virtual
async def test_decision_that_raises_is_left_to_its_timeout(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 21, "leave": told ever more rarely, at the pace that SWF sets.

    SWF knows no failed decision tasks. One that is left comes back when its time is
    up, at a cost of three events, whatever a worker does: pauses cannot grow. Who
    wants an end takes "fail".
    """
    caplog.set_level("INFO")
    seconds, failures = 20, 9
    async with rigged() as rig:
        run = await rig.start()
        worker = worker_of(rig.farm)
        attempts: list[float] = []

        @worker.decider(Season)
        async def decide(_: Decision) -> None:
            attempts.append(now())
            if len(attempts) <= failures:
                raise ValueError("locusts")

        async with worker:
            await rig.swf.happened("DecisionTaskCompleted", timeout=1000)
        events = await rig.events(run)
    pauses = [later - earlier for earlier, later in pairwise(attempts)]
    assert pauses == [pytest.approx(seconds)] * failures
    assert len(events) == 1 + 3 * failures + 3  # scheduled, started, timed out
    assert rig.swf.calls[DECIDED] == 1
    assert worker.counts == {"decisions left": failures, "decisions completed": 1}
    assert rig.swf.calls[POLL_DECISION] <= failures + 3
    tellings = [text for level, text in told(caplog) if level == "ERROR"]
    assert [text.split(",")[1] for text in tellings] == [
        f" for the {time}. time in a row; SWF hands the task out again"
        for time in (1, 2, 4, 8)
    ]


@virtual
async def test_decision_that_raises_can_fail_its_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 21, "fail": the run is closed with reason and traceback."""
    async with rigged() as rig:
        run = await rig.start()
        worker = worker_of(rig.farm, on_decision_error="fail")

        @worker.decider(Season)
        async def decide(decision: Decision) -> None:
            decision.schedule(Work, 1, activity_id="a")
            raise ValueError("locusts")

        async with worker:
            await rig.swf.happened("WorkflowExecutionFailed")
        kinds = [event.type for event in await rig.events(run)]
        (failed,) = of_type(await rig.events(run), "WorkflowExecutionFailed")
    assert failed.reason == "ValueError: locusts"
    assert "in decide" in failed.details
    assert "ActivityTaskScheduled" not in kinds
    assert worker.counts == {"decisions failed": 1}
    assert [level for level, _ in told(caplog)] == ["ERROR"]


# -- experiment 27 --

#: What SWF would refuse, and what the error has to name.
BAD: list[tuple[Any, str]] = [
    (swf.StartTimer(timer_id="", start_to_fire_timeout="1"), "timer_id"),
    (swf.StartTimer(timer_id="t", start_to_fire_timeout=""), "start_to_fire_timeout"),
    (swf.CancelTimer(timer_id=None), "timer_id"),  # type: ignore[arg-type]
    (swf.RecordMarker(marker_name="m" * 300), "marker_name"),
]


@pytest.mark.parametrize(("bad", "member"), BAD)
@virtual
async def test_bad_decision_is_refused_before_it_is_sent(bad: Any, member: str) -> None:
    """Experiment 27: the error names the index of the decision, and the member."""
    async with rigged() as rig:
        await rig.start()
        decision = await rig.farm.poll_decision(Season)
        decision.mark("good").add(bad)
        with pytest.raises(InvalidArgument) as caught:
            await decision.complete()
        assert "decisions[1]" in str(caught.value)
        assert member in str(caught.value)
        assert type(bad).__name__ in str(caught.value)
        assert rig.swf.calls[DECIDED] == 0
        assert not decision.answered


@virtual
async def test_bad_decision_of_a_handler_is_told_and_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 27, in a worker: SWF hears nothing, the log says what is wrong."""
    async with rigged() as rig:
        await rig.start()
        worker = worker_of(rig.farm)

        @worker.decider(Season)
        async def decide(decision: Decision) -> None:
            decision.mark("good").mark("")

        async with worker:
            await rig.swf.happened("DecisionTaskTimedOut", timeout=30)
        assert rig.swf.calls[DECIDED] == 0
    assert "decisions[1]" in caplog.text
    assert "marker_name" in caplog.text


# -- experiment 28 --


@virtual
async def test_unknown_activity_type_is_failed_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 28: the decider reads the type's name; the log tells it once."""
    stranger = activity_task(activityType={"name": "Plough", "version": "7"})
    async with scripted_farm() as (server, farm):
        server.answer(POLL_ACTIVITY, stranger, stranger)
        worker = worker_of(farm)
        worker.activity(Work)(asyncio.sleep)
        async with worker:
            failed = (await server.received(FAILED, 2)).params
        first, second = (request.at for request in server.of(POLL_ACTIVITY)[:2])
        assert second - first < 1
    assert "Plough" in failed["reason"]
    assert [level for level, _ in told(caplog)] == ["ERROR"]
    assert "Plough 7" in caplog.text


@virtual
async def test_unknown_workflow_type_is_left_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 28, for decisions: another worker may know the type; none is lost."""
    stranger = decision_task(
        [
            raw(
                1,
                "WorkflowExecutionStarted",
                **began()["workflowExecutionStartedEventAttributes"],
            )
        ],
        workflowType={"name": "Drought", "version": "7"},
    )
    async with scripted_farm() as (server, farm):
        server.answer(POLL_DECISION, stranger, stranger)
        worker = worker_of(farm)
        worker.decider(Season)(asyncio.sleep)
        async with worker:
            await server.received(POLL_DECISION, 3)
        assert server.count(DECIDED) == 0
    assert worker.counts == {"decisions unknown": 2}
    assert [level for level, _ in told(caplog)] == ["ERROR"]
    assert "Drought 7" in caplog.text


# -- experiment 29 --


@virtual
async def test_result_that_is_too_long_fails_the_activity_clearly() -> None:
    """Experiment 29: 40,000 characters never hang; the limit is in the reason."""
    async with rigged() as rig:
        run = await rig.begin()
        worker = worker_of(rig.farm)

        @worker.activity(Work)
        async def work(_: int) -> str:
            return "x" * 40_000

        async with worker:
            await rig.swf.happened("ActivityTaskFailed")
        (failed,) = of_type(await rig.events(run), "ActivityTaskFailed")
        assert rig.swf.calls[COMPLETED] == 0
    assert "InvalidArgument: result" in failed.reason
    assert "32,768" in failed.reason
    assert len(failed.details) < 5_000  # and not the result


@virtual
async def test_result_that_is_too_long_is_refused_before_it_is_sent() -> None:
    """Experiment 29, by hand: the task stays open, and can be answered otherwise."""
    async with rigged() as rig:
        await rig.begin()
        task = await rig.farm.poll_activity(Work)
        with pytest.raises(InvalidArgument, match="32,768"):
            await task.complete("x" * 40_000)
        assert rig.swf.calls[COMPLETED] == 0
        await task.fail("too long")
        assert rig.swf.events["ActivityTaskFailed"] == 1


@virtual
async def test_result_that_cannot_be_written_fails_the_activity() -> None:
    """Experiment 29, for what is no JSON at all."""
    async with rigged() as rig:
        run = await rig.begin()
        worker = worker_of(rig.farm)

        @worker.activity(Work)
        async def work(_: int) -> Any:
            return object()

        async with worker:
            await rig.swf.happened("ActivityTaskFailed")
        (failed,) = of_type(await rig.events(run), "ActivityTaskFailed")
    assert "SerializationError" in failed.reason
