"""Heartbeats: they go on, they bring cancels, and their end ends the handler.

Source:
    reliability.md section 4 experiments 22 to 26.
"""

import asyncio
import logging
import threading
from contextlib import suppress
from itertools import product
from typing import Any

import pytest

from flowser.executions import WorkflowExecution
from flowser.tasks import Decision
from tests.faults.farm import (
    CANCELED,
    COMPLETED,
    FAILED,
    HEARTBEAT,
    Rig,
    Work,
    of_type,
    rigged,
    told,
    worker_of,
)
from tests.faults.virtual import now, virtual
from tests.support.proxy_rules import Kind


async def request_cancel(rig: Rig, run: WorkflowExecution) -> None:
    """Have the decider ask for the activity to be canceled."""
    await rig.owner.execution(run.workflow_id, run.run_id).signal("stop")
    decision: Decision = await rig.decision()
    await decision.request_cancel_activity("a-0").complete()


def answers(rig: Rig) -> int:
    """Count the answers to activity tasks that reached SWF."""
    return sum(rig.swf.calls[name] for name in (COMPLETED, FAILED, CANCELED))


# -- experiment 22 --


@virtual
async def test_handler_that_hangs_is_cancelled_at_its_deadline(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 22: after start-to-close the slot is free, and nothing is sent."""
    caplog.set_level("INFO")

    class Brief(Work):
        start_to_close_timeout = "5"

    async with rigged() as rig:
        await rig.begin(2, start_to_close_timeout=5)
        worker = worker_of(rig.farm, activities=1)
        cancelled_at = []

        @worker.activity(Brief)
        async def work(number: int) -> None:
            if number == 0:
                try:
                    await asyncio.Event().wait()
                finally:
                    cancelled_at.append(now() - began)

        async with worker:
            began = now()
            await rig.swf.happened("ActivityTaskCompleted", timeout=20)
            assert 5 <= cancelled_at[0] <= 5.5
            assert now() - began <= 6  # by the slot that was freed
        assert worker.counts == {"activities completed": 1, "activities over": 1}
        assert answers(rig) == 1
    assert [level for level, _ in told(caplog)] == ["INFO"]
    assert "the task was closed meanwhile" in caplog.text


# -- experiment 23: by the real clock, for the loop is really blocked --


class Unblocks(logging.Handler):
    """Lets a handler go on when the worker has told that it blocks."""

    def __init__(self, message: str, event: threading.Event) -> None:
        super().__init__()
        self._message = message
        self._event = event

    def emit(self, record: logging.LogRecord) -> None:
        if self._message in record.getMessage():
            self._event.set()


async def test_handler_that_blocks_the_loop_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 23: the log shows the blocking line, once, and the way out."""
    caplog.set_level("INFO")
    noticed = threading.Event()
    handler = Unblocks("has been blocked", noticed)
    logging.getLogger("flowser.worker").addHandler(handler)
    try:
        async with rigged(poll_seconds=0.5) as rig:
            await rig.begin()
            worker = worker_of(rig.farm)

            @worker.activity(Work)
            async def work(_: int) -> bool:
                return noticed.wait(30)  # the blocking line

            async with worker:
                await rig.swf.happened("ActivityTaskCompleted", timeout=30)
            assert worker.counts == {"activities completed": 1}
    finally:
        logging.getLogger("flowser.worker").removeHandler(handler)
    (warning,) = [text for level, text in told(caplog) if level == "WARNING"]
    assert "asyncio.to_thread" in warning
    assert "# the blocking line" in caplog.text


# -- experiment 24 --


@pytest.mark.parametrize("finishes", [False, True], ids=["lets go", "finishes"])
@virtual
async def test_cancel_request_cancels_the_handler_once(
    finishes: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 24: it may clean up, or finish; the answer says what it did."""
    caplog.set_level("INFO")
    cancels = 0
    async with rigged() as rig:
        run = await rig.begin(heartbeat_timeout=30)
        worker = worker_of(rig.farm)

        @worker.activity(Work)
        async def work(_: int) -> str:
            nonlocal cancels
            while True:
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    cancels += 1
                    await asyncio.sleep(45)  # longer than the heartbeat timeout
                    if not finishes:
                        raise
                    return "all the same"

        async with worker:
            await rig.swf.happened("ActivityTaskStarted")
            await request_cancel(rig, run)
            requested = now()
            end = "ActivityTaskCompleted" if finishes else "ActivityTaskCanceled"
            await rig.swf.happened(end, timeout=100)
            assert 45 <= now() - requested <= 45 + 10.1  # a third of the timeout
            beats = rig.swf.calls[HEARTBEAT]
        assert cancels == 1
        assert answers(rig) == 1
        assert rig.swf.calls[HEARTBEAT] == beats  # none after the answer
        (ended,) = of_type(await rig.events(run), end)
    if finishes:
        assert ended.result == '"all the same"'
    assert {level for level, _ in told(caplog)} <= {"INFO"}


# -- experiment 25 --


@virtual
async def test_task_that_is_over_ends_its_handler(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 25: a heartbeat hears UnknownResource; nothing more is sent."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        run = await rig.begin()
        worker = worker_of(rig.farm)
        ended_at = []

        @worker.activity(Work)
        async def work(_: int) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended_at.append(now())

        async with worker:
            await rig.swf.happened("ActivityTaskStarted")
            await rig.owner.execution(run.workflow_id, run.run_id).terminate()
            terminated = now()
            await rig.swf.called(HEARTBEAT, 1, timeout=20)
        assert ended_at[0] - terminated <= 10.1
        assert rig.swf.calls[HEARTBEAT] == 1
        assert answers(rig) == 0
        assert worker.counts == {"activities over": 1}
    ((level, text),) = told(caplog)
    assert level == "INFO"
    assert "the task was closed meanwhile" in text


@virtual
async def test_handler_that_does_not_let_go_of_a_closed_task_sends_nothing() -> None:
    """Experiment 25, with a handler that swallows its cancellation."""
    async with rigged() as rig:
        run = await rig.begin()
        worker = worker_of(rig.farm)

        @worker.activity(Work)
        async def work(_: int) -> str:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return "too late"

        async with worker:
            await rig.swf.happened("ActivityTaskStarted")
            await rig.owner.execution(run.workflow_id, run.run_id).terminate()
        assert answers(rig) == 0
        assert worker.counts == {"activities over": 1}


# -- experiment 26 --


@pytest.mark.parametrize(
    ("timeout", "kind"),
    [
        *product((3, 30), ("throttle", "status", "lost", "refuse")),
        (300, "throttle"),
    ],
)
@virtual
async def test_activity_outlives_heartbeats_that_fail_for_half_the_timeout(
    timeout: int, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 26: they are repeated inside the window, and told once."""
    caplog.set_level("INFO")

    class Beating(Work):
        heartbeat_timeout = timeout
        start_to_close_timeout = "3600"

    async with rigged() as rig:
        await rig.begin(heartbeat_timeout=timeout, start_to_close_timeout=3600)
        worker = worker_of(rig.farm)
        done = asyncio.Event()

        @worker.activity(Beating)
        async def work(_: int) -> None:
            await done.wait()

        async with worker:
            await rig.swf.happened("ActivityTaskStarted")
            began = now()
            rule = rig.proxy.fault(HEARTBEAT, kind, times=None)
            await asyncio.sleep(timeout / 2)
            rule.times = 0
            await asyncio.sleep(timeout * 2)
            heard = rig.swf.calls[HEARTBEAT]
            done.set()
            await rig.swf.happened("ActivityTaskCompleted")
        assert now() - began >= timeout * 2.5
        assert rig.swf.events["ActivityTaskTimedOut"] == 0
        assert heard >= 6  # a third of the timeout, at most
        assert rig.proxy.count(HEARTBEAT) <= 20 + timeout / 2  # and no spinning
        assert worker.counts == {"activities completed": 1}
    # Nothing, when the connection's own repetitions were enough.
    assert [level for level, _ in told(caplog)] in ([], ["WARNING", "INFO"])


@virtual
async def test_heartbeats_of_many_are_told_as_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 26, for fifty activities: one line when it begins, one at the end."""
    caplog.set_level("INFO")
    async with rigged() as rig:
        await rig.begin(50, heartbeat_timeout=30)
        worker = worker_of(rig.farm)
        done = asyncio.Event()

        @worker.activity(Work)
        async def work(_: Any) -> None:
            await done.wait()

        async with worker:
            await rig.swf.happened("ActivityTaskStarted", 50)
            rule = rig.proxy.fault(HEARTBEAT, "throttle", times=None)
            await asyncio.sleep(15)
            rule.times = 0
            await asyncio.sleep(30)
            done.set()
        assert worker.counts == {"activities completed": 50}
    assert [level for level, _ in told(caplog)] in ([], ["WARNING", "INFO"])
