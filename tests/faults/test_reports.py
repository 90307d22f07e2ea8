"""Answers of handlers on their way to SWF: none is lost, none is sent for another.

Source:
    reliability.md section 0 items 4 and 5, section 4 experiments 10 to 14.
"""

import asyncio
import json
from typing import Any

import pytest

from flowser.tasks import Decision
from tests.conftest import BareClient
from tests.faults.farm import (
    CANCELED,
    COMPLETED,
    DECIDED,
    FAILED,
    Farm,
    Rig,
    Season,
    Work,
    of_type,
    rigged,
    told,
    worker_of,
)
from tests.faults.virtual import now, virtual
from tests.support.proxy_rules import Kind

RESULT = {"corn": [1, 2, 3], "note": "söt ☃", "long": "x" * 20_000}


async def harvested(rig: Rig, *, result: Any = RESULT) -> Any:
    """Let a worker answer the one activity of a run; give the worker's counts."""
    worker = worker_of(rig.farm)

    @worker.activity(Work)
    async def harvest(_: int) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    async with worker:
        await rig.swf.until(
            lambda: worker.in_flight == 0 and bool(worker.counts), "end", timeout=600
        )
    return worker.counts


@pytest.mark.parametrize("kind", ["lost", "cut", "truncjson"])
@virtual
async def test_completion_whose_answer_is_lost_counts_once(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 10: the second attempt finds the task closed, by the first."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        run = await rig.begin()
        rig.proxy.fault(COMPLETED, kind)
        counts = await harvested(rig)
        assert counts == {"activities completed": 1}
        (done,) = of_type(await rig.events(run), "ActivityTaskCompleted")
        assert json.loads(done.result) == RESULT
        assert rig.swf.calls[FAILED] == 0
    sends = rig.swf.calls[COMPLETED]
    assert [level for level, _ in told(caplog)] == ["INFO"] * (sends - 1)
    assert "closed, by an earlier attempt" in caplog.text or sends == 1


@virtual
async def test_completion_of_the_task_layer_whose_answer_is_lost_is_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 10, by hand: complete() returns, and says so once at INFO."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        run = await rig.begin()
        rig.proxy.fault(COMPLETED, "lost")
        task = await rig.farm.poll_activity(Work)
        await task.complete(RESULT)
        assert task.answered
        assert len(of_type(await rig.events(run), "ActivityTaskCompleted")) == 1
    ((level, text),) = told(caplog)
    assert level == "INFO"
    assert "closed, by an earlier attempt" in text


async def test_plain_client_that_repeats_a_completion_is_understood(
    bare_client: BareClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 10, over aiobotocore, whose own retry meets the unknown resource."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        run = await rig.begin()
        rig.proxy.fault(COMPLETED, "lost")
        conn = bare_client(rig.proxy.url, retries={"total_max_attempts": 3})
        async with conn as client:
            task = await Farm(client).poll_activity(Work)
            await task.complete(RESULT)
        assert len(of_type(await rig.events(run), "ActivityTaskCompleted")) == 1
    assert "closed, by an earlier attempt" in caplog.text


@virtual
async def test_completion_is_delivered_when_throttling_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 11: twenty throttles cost less than a minute, and not the result."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        run = await rig.begin()
        rig.proxy.fault(COMPLETED, "throttle", times=20)
        began = now()
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(harvested(rig))
            await rig.swf.happened("ActivityTaskCompleted", timeout=60)
            assert 5 < now() - began < 60
        assert serving.result() == {"activities completed": 1}
        (done,) = of_type(await rig.events(run), "ActivityTaskCompleted")
        assert json.loads(done.result) == RESULT
        assert rig.proxy.count(COMPLETED) == 21
    assert [level for level, _ in told(caplog)] == ["WARNING", "INFO"]
    assert "answering tasks fails and is tried again" in caplog.text
    assert "answering tasks works again" in caplog.text


@virtual
async def test_completion_is_tried_until_the_task_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 11, without an end: SWF times out; the worker hears, and stops."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        await rig.begin(start_to_close_timeout=90, heartbeat_timeout="NONE")
        rule = rig.proxy.fault(COMPLETED, "throttle", times=None)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(harvested(rig))
            await rig.swf.happened("ActivityTaskTimedOut", timeout=100)
            before = rig.proxy.count(COMPLETED)
            rule.times = 0
        assert serving.result() == {"activities over": 1}
        assert before < 100  # ninety seconds of trying, and no spinning
        assert rig.swf.calls[FAILED] == 0
    assert "the task was closed meanwhile" in caplog.text


@virtual
async def test_completion_that_arrives_twice_is_no_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 12: the network doubles the request; the echo is ignored."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        run = await rig.begin()
        rig.proxy.fault(COMPLETED, "dup")
        counts = await harvested(rig)
        assert sum(counts.values()) == 1
        assert len(of_type(await rig.events(run), "ActivityTaskCompleted")) == 1
        assert rig.swf.calls[COMPLETED] == 2
        assert rig.swf.calls[FAILED] == 0
    ((level, text),) = told(caplog)
    assert level == "INFO"
    assert "the task was closed meanwhile" in text


@pytest.mark.parametrize("kind", ["lost", "cut", "status"])
@virtual
async def test_decisions_whose_answer_is_lost_are_applied_once(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 13: as 10, for RespondDecisionTaskCompleted."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        worker = worker_of(rig.farm)

        @worker.decider(Season)
        async def decide(decision: Decision) -> None:
            if decision.started_event_id == 3:
                decision.schedule(Work, 1, activity_id="a").mark("sown")
            else:
                await decision.workflow_execution.complete("reaped")

        rig.proxy.fault(DECIDED, kind)
        run = await rig.start()
        async with worker:
            task = await rig.owner.poll_activity(Work)
            await task.complete()
            await rig.swf.happened("WorkflowExecutionCompleted", timeout=100)
        kinds = [event.type for event in await rig.events(run)]
        assert worker.counts == {"decisions completed": 2}
    for once in ("ActivityTaskScheduled", "MarkerRecorded"):
        assert kinds.count(once) == 1
    assert kinds.count("DecisionTaskCompleted") == 2
    assert "DecisionTaskTimedOut" not in kinds
    assert {level for level, _ in told(caplog)} <= {"INFO"}


@pytest.mark.parametrize(
    "outcome", [RESULT, ValueError("hail")], ids=["done", "failed"]
)
@virtual
async def test_page_of_html_is_no_answer(
    outcome: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 14: a proxy's 500 page is an error, and the answer is sent again."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        run = await rig.begin()
        rig.proxy.fault("Respond*", "status", times=3, html=True)
        await harvested(rig, result=outcome)
        kinds = [event.type for event in await rig.events(run)]
    assert {"ActivityTaskCompleted", "ActivityTaskFailed"} & {*kinds} == {
        "ActivityTaskFailed"
        if isinstance(outcome, Exception)
        else "ActivityTaskCompleted"
    }
    assert rig.proxy.count(COMPLETED) + rig.proxy.count(FAILED) == 4
    assert "<html>" not in caplog.text


@virtual
async def test_page_of_html_is_no_answer_to_decisions_and_cancels() -> None:
    """Experiment 14, for the task layer's other answers."""
    async with rigged() as rig:
        rig.proxy.fault("Respond*", "status", times=4, html=True, status=503)
        await rig.start()
        decision = await rig.farm.poll_decision(Season)
        await decision.schedule(Work, 1, activity_id="a").complete()
        task = await rig.farm.poll_activity(Work)
        rig.proxy.fault("Respond*", "status", times=4, html=True)
        await task.cancel("frost")
        assert rig.swf.events["ActivityTaskScheduled"] == 1
        assert rig.swf.events["ActivityTaskCanceled"] == 1
        assert rig.proxy.count(DECIDED) == rig.proxy.count(CANCELED) == 5
