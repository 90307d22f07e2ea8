"""The end of a worker: nothing new is begun, all that was begun is answered.

Source:
    DESIGN section 4 rule 1; reliability.md section 4 experiments 16 to 19.
"""

import asyncio
import contextlib

import pytest

from flowser.tasks import Decision
from flowser.worker import Worker
from tests.faults.farm import (
    FAILED,
    POLL_ACTIVITY,
    TASK,
    Season,
    Work,
    idle,
    of_type,
    rigged,
    scripted_farm,
    told,
    worker_of,
)
from tests.faults.virtual import now, virtual
from tests.support.answers import Hang
from tests.support.scripted import EMPTY_POLL

# -- experiment 16 --


@virtual
async def test_stop_lets_a_hundred_activities_and_four_polls_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 16: no new poll, 100 completions, all within the poll and 1 s."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        run = await rig.begin(100)
        worker = worker_of(rig.farm, activities=104, activity_pollers=4)

        @worker.activity(Work)
        async def work(number: int) -> int:
            await asyncio.sleep(1)
            return number

        async with worker:
            await rig.swf.happened("ActivityTaskStarted", 100)
            await rig.swf.parked("work", 4)
            polls, stopped = rig.swf.calls[POLL_ACTIVITY], now()
            worker.stop()
        assert now() - stopped <= 60 + 1
        assert rig.swf.calls[POLL_ACTIVITY] == polls
        assert worker.counts == {"activities completed": 100}
        results = of_type(await rig.events(run), "ActivityTaskCompleted")
        assert {int(done.result) for done in results} == {*range(100)}
        assert not worker.abandoned
    assert told(caplog) == []


@virtual
async def test_poll_that_began_just_before_the_end_is_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 16, by default: SWF's full minute, and the way there and back."""
    caplog.set_level("INFO")
    async with scripted_farm() as (server, farm):
        gate = asyncio.Event()
        server.answer(POLL_ACTIVITY, Hang(gate, EMPTY_POLL))
        worker = Worker(farm)
        worker.activity(Work)(idle)
        async with worker:
            await server.received(POLL_ACTIVITY)
            asyncio.get_running_loop().call_later(60.5, gate.set)
            worker.stop()
    assert told(caplog) == []


# -- experiment 17 --


@virtual
async def test_task_that_comes_after_the_stop_is_worked_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 17: handed out 10 ms after the signal, to polls that were held."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        run = await rig.begin(0)
        await rig.owner.execution(run.workflow_id, run.run_id).signal("wake")
        decision = await rig.decision()
        decision.schedule(Work, 7, activity_id="late")
        worker = worker_of(rig.farm)
        worker.activity(Work)(idle)

        @worker.decider(Season)
        async def decide(task: Decision) -> None:
            await task.workflow_execution.complete("in time")

        async with worker:
            await rig.swf.parked("work")
            await rig.swf.parked("seasons")
            worker.stop()
            await asyncio.sleep(0.01)
            await decision.complete()
        kinds = [event.type for event in await rig.events(run)]
    assert kinds.count("ActivityTaskCompleted") == 1
    assert kinds[-1] == "WorkflowExecutionCompleted"
    assert worker.counts == {"activities completed": 1, "decisions completed": 1}
    assert told(caplog) == []


@virtual
async def test_task_that_comes_while_all_is_cut_off_is_given_back() -> None:
    """Experiment 17, at the very end: it is failed, not dropped."""
    async with scripted_farm() as (server, farm):
        gate = asyncio.Event()
        server.answer(POLL_ACTIVITY, TASK, Hang(gate, TASK))
        worker = Worker(farm, drain=5, grace=5)
        worker.activity(Work)(Handler(clings=False).handle)
        async with worker:
            await server.received(POLL_ACTIVITY, 2)
            worker.stop()
            await asyncio.sleep(4.99)
            gate.set()
        failed = [request.params["reason"] for request in server.of(FAILED)]
    assert failed == ["worker stopping"] * 2


# -- experiment 18 --


class Handler:
    """Handles tasks for ever; when it clings, through several cancellations.

    Attributes:
        released: Ends it.
    """

    def __init__(self, *, clings: bool) -> None:
        self.released = asyncio.Event()
        self._clings = 5 if clings else 0

    async def handle(self, _: object) -> None:
        """Handle a task."""
        for _ in range(self._clings):
            with contextlib.suppress(asyncio.CancelledError):
                await self.released.wait()
        await self.released.wait()


@pytest.mark.parametrize("clings", [False, True], ids=["lets go", "clings"])
@virtual
async def test_abort_answers_for_every_handler(
    clings: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 18: within 5 s each is failed as "worker stopping", and named."""
    ids = {f"a-{index}" for index in range(20)}
    handler = Handler(clings=clings)
    async with rigged() as rig:
        run = await rig.begin(20)
        worker = worker_of(rig.farm, activities=21)
        worker.activity(Work)(handler.handle)
        async with worker:
            await rig.swf.happened("ActivityTaskStarted", 20)
            await rig.swf.parked("work")  # so the 20 answers have arrived
            worker.stop()
            await asyncio.sleep(1)
            worker.abort()
            aborted = now()
            await rig.swf.happened("ActivityTaskFailed", 20)
            assert now() - aborted <= 5
        ended = now()
        handler.released.set()
        assert ended - aborted <= 5.1
        failed = of_type(await rig.events(run), "ActivityTaskFailed")
        assert [task.reason for task in failed] == ["worker stopping"] * 20
    named = [text.split()[3] for _, text in told(caplog) if "is cut off" in text]
    assert sorted(named) == sorted(ids)
    assert worker.aborted
    assert {task["activity_id"] for task in worker.abandoned} == ids
    lost = [text for _, text in told(caplog) if "may have been handed out" in text]
    assert len(lost) == 1  # the poll that was held


@virtual
async def test_abort_answers_a_wanted_cancel_as_canceled() -> None:
    """Experiment 18: a task that was to be canceled anyway is answered so."""
    handler = Handler(clings=True)
    async with rigged() as rig:
        run = await rig.begin()
        worker = worker_of(rig.farm)
        worker.activity(Work)(handler.handle)
        async with worker:
            await rig.swf.happened("ActivityTaskStarted")
            await rig.owner.execution(run.workflow_id, run.run_id).signal("stop")
            decision = await rig.decision()
            await decision.request_cancel_activity("a-0").complete()
            await asyncio.sleep(15)  # a heartbeat told
            worker.abort()
        handler.released.set()
        assert rig.swf.events["ActivityTaskCanceled"] == 1


# -- experiment 19 --


@pytest.mark.parametrize("clings", [False, True])
@virtual
async def test_worker_ends_although_swf_is_gone(
    clings: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 19: within drain and grace; what could not be told is named."""
    drain, grace = 20.0, 5.0
    async with rigged() as rig:
        await rig.begin(3)
        worker = Worker(rig.farm, drain=drain, grace=grace)
        release = asyncio.Event()
        barrier = asyncio.Barrier(4)

        @worker.activity(Work)
        async def work(_: int) -> str:
            await barrier.wait()
            await release.wait()
            return "done, but nobody hears"

        async with worker:
            await barrier.wait()
            await rig.proxy.down()
            stopped = now()
            worker.stop()
            if not clings:
                release.set()
        assert now() - stopped <= drain + grace + 0.1
    abandoned = [text for _, text in told(caplog) if "abandoned unanswered" in text]
    assert sorted(text.split()[0] for text in abandoned) == ["a-0", "a-1", "a-2"]
    assert {task["activity_id"] for task in worker.abandoned} == {"a-0", "a-1", "a-2"}
