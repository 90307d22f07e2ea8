"""The time of a local SWF for a test, with workers on it and by hand."""

import asyncio
import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import flowser
from flowser.exceptions import (
    EmptyTaskPollResult,
    ExecutionFailed,
    ExecutionTimedOut,
    UnknownResourceFault,
)
from flowser.testing import Deadlock, LocalSwf
from tests.declared import logged
from tests.testing.printing import (
    DAY,
    Album,
    LivelyAlbum,
    LivelyPrint,
    LivelyPrinter,
    Printer,
    printer,
    until_printed,
    worker,
)

# -- time, with a worker --


async def test_month_and_hours_of_work_take_a_moment(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with LocalSwf() as swf:
        domain, start = await printer(swf, LivelyPrinter), swf.now
        async with worker(domain) as working:
            handle = await domain.start(LivelyAlbum, {"id": "a-1"})
            began = time.process_time()
            assert await handle.result() == "printed"
            assert time.process_time() - began < 10  # 2,000 calls, and no wait
        assert swf.now - start > timedelta(days=30, hours=10)
        assert swf.now - start < timedelta(days=30, hours=10, minutes=3)
        assert working.counts["activities completed"] == 1
        assert not working.abandoned
        seconds = {
            event.type: (event.time_stamp - start).total_seconds()
            async for event in handle.history()
        }
    assert seconds["TimerFired"] == pytest.approx(30 * DAY, abs=0.1)
    assert seconds["ActivityTaskCompleted"] == pytest.approx(30 * DAY + 36e3, abs=0.1)
    assert logged(caplog, logging.WARNING) == []


async def test_years_without_work_take_no_time() -> None:
    async with LocalSwf() as swf:
        domain, began = await printer(swf), time.process_time()
        async with worker(domain, activity_pollers=20):
            await asyncio.sleep(5 * 365 * DAY)  # in which 50 million polls end
        assert time.process_time() - began < 10


async def test_activity_that_is_not_heard_of_times_out() -> None:
    class Deciding(LivelyPrinter):
        activity_types = []

    async with LocalSwf() as swf:
        await printer(swf, LivelyPrinter)
        domain = Deciding(swf.conn)
        handle = await domain.start(LivelyAlbum, {"id": "a-1"})
        async with worker(domain):
            await swf.skip(days=30)
            task = await domain.poll_activity("printers")
            start = swf.now
            await swf.skip(hours=2)
            assert await task.heartbeat("here") is False
            with pytest.raises(ExecutionFailed) as caught:
                await handle.result()
        assert caught.value.reason == "HEARTBEAT"
        assert timedelta(hours=5) <= swf.now - start < timedelta(hours=5, minutes=3)
        with pytest.raises(UnknownResourceFault):
            await task.complete("late")


async def test_decision_that_takes_too_long_is_handed_out_again() -> None:
    async with LocalSwf() as swf:
        domain = await printer(swf)
        handle = await domain.start(Album, {"id": "a-1"})
        await domain.poll_decision(Album)
        again = await domain.poll_decision(Album)
        assert again.workflow_execution == handle
        types = [event.type async for event in handle.history()]
        assert types[2:6] == [
            "DecisionTaskStarted",
            "DecisionTaskTimedOut",
            "DecisionTaskScheduled",
            "DecisionTaskStarted",
        ]


async def test_execution_of_nobody_times_out_in_its_time() -> None:
    async with LocalSwf() as swf:
        domain = await printer(swf)
        start = swf.now
        handle = await domain.start(Album, {"id": "a-1"})
        with pytest.raises(ExecutionTimedOut):
            await handle.result()
        assert timedelta(0) <= swf.now - start - timedelta(days=90) < timedelta(hours=1)


async def test_poll_takes_a_minute_and_no_time() -> None:
    async with LocalSwf() as swf:
        domain = await printer(swf)
        for _ in range(8):
            start = swf.now
            with pytest.raises(EmptyTaskPollResult):
                await domain.poll_activity("printers")
            assert swf.now - start == timedelta(minutes=1)


async def test_poll_that_is_repeated_gets_its_task_at_once() -> None:
    async with LocalSwf() as swf:
        domain = await printer(swf)
        polling = asyncio.get_running_loop().create_task(_polled(domain))
        await swf.skip(minutes=20, seconds=7)
        start = swf.now
        handle = await domain.start(Album, {"id": "a-1"})
        decision = await polling
        assert decision.workflow_execution == handle
        assert swf.now == start


async def _polled(domain: Printer) -> Any:
    while True:
        try:
            return await domain.poll_decision(Album)
        except EmptyTaskPollResult:
            continue


async def test_worker_that_stops_waits_for_its_polls_and_loses_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with LocalSwf() as swf:
        domain = await printer(swf)
        working = worker(domain, drain=float("inf"))
        async with working:
            await swf.skip(days=10)
            start = swf.now
        assert swf.now - start <= timedelta(minutes=1)
    assert not working.abandoned
    assert logged(caplog, logging.WARNING) == []


async def test_reads_in_a_row_take_no_time() -> None:
    async with LocalSwf() as swf:
        domain = await printer(swf)
        handle, start = await domain.start(Album, {"id": "a-1"}), swf.now
        for _ in range(100):
            await handle.describe()
        assert swf.now == start


async def test_read_that_is_repeated_hears_of_news_at_once() -> None:
    async with LocalSwf() as swf:
        domain = await printer(swf)
        handle = await domain.start(Album, {"id": "a-1"})

        async def terminate() -> None:
            await asyncio.sleep(3 * DAY)
            await handle.terminate()

        async with asyncio.TaskGroup() as group:
            group.create_task(terminate())
            while await _is_open(handle):  # noqa: ASYNC110 - as users do
                await asyncio.sleep(10)
            told = swf.now
        closed = (await handle.describe()).execution_info.close_timestamp
        assert closed is not None
        assert told - closed <= timedelta(seconds=10)


async def _is_open(handle: Any) -> bool:
    return (await handle.describe()).execution_info.close_status is None


async def test_handler_in_a_thread_holds_the_time() -> None:
    class Slow(LivelyPrint):
        def run(self, input: Any) -> str:  # type: ignore[override]
            threading.Event().wait(0.1)
            return "printed"

    class Slowly(LivelyPrinter):
        activity_types = [Slow]

    async with LocalSwf() as swf:
        domain = await printer(swf, Slowly)
        async with worker(domain):
            handle = await domain.start(LivelyAlbum, {"id": "a-1"})
            assert await handle.result() == "printed"
        times = {event.type: event.time_stamp async for event in handle.history()}
    assert times["ActivityTaskStarted"] == times["ActivityTaskCompleted"]


async def test_handler_in_a_thread_sees_a_cancel_request_by_a_skip() -> None:
    class Endless(LivelyPrint):
        def run(self, input: Any) -> str:  # type: ignore[override]
            running.set()
            while not self.task.cancel_requested:
                threading.Event().wait(0.01)
            return "let go"

    class Hasty(LivelyAlbum):
        async def decide(self, decision: flowser.tasks.Decision) -> None:
            if done := await decision.most_recent("ActivityTaskCompleted"):
                await decision.workflow_execution.complete(done.attrs["result"])
                return
            if scheduled := await decision.most_recent("ActivityTaskScheduled"):
                decision.request_cancel_activity(scheduled.attrs["activityId"])
            else:
                decision.schedule(Endless, {"id": 1})
            await decision.complete()

    class Endlessly(LivelyPrinter):
        activity_types = [Endless]
        workflow_types = [Hasty]

    running = threading.Event()
    async with LocalSwf() as swf:
        domain = await printer(swf, Endlessly)
        async with worker(domain):
            handle = await domain.start(Hasty, {"id": "a-1"})
            await asyncio.to_thread(running.wait, 10)
            await handle.signal("enough")
            await swf.skip(minutes=2)  # over a heartbeat, though the thread runs
            assert await handle.result() == "let go"


# -- time, by hand --


async def test_time_goes_on_only_by_skips_if_so_wished() -> None:
    async with LocalSwf(autojump=False) as swf:
        domain = await printer(swf)
        start = swf.now
        async with asyncio.TaskGroup() as group:
            working = group.create_task(until_printed(domain))
            await swf.settle()
            assert swf.now == start
            await swf.skip(days=30)
            assert swf.now - start == timedelta(days=30)
            assert not working.done()
            await swf.skip(timedelta(hours=10), minutes=5)
            # A worker waits for its polls.
            assert working.result() == "printed"


async def test_now_is_the_time_of_histories() -> None:
    async with LocalSwf() as swf:
        assert abs(swf.now - datetime.now(UTC)) < timedelta(minutes=1)  # noqa: TID251
        await swf.skip(days=2)
        domain = await printer(swf)
        handle = await domain.start(Album, {"id": "a-1"})
        times = [event.time_stamp async for event in handle.history()]
        assert times == [swf.now, swf.now]


def test_wait_for_nobody_is_told_though_a_worker_polls() -> None:
    async def main() -> None:
        async with LocalSwf() as swf, worker(await printer(swf), grace=0.1):
            await asyncio.Event().wait()

    with pytest.raises(Deadlock, match=r"test_swf_time\.py:\d+ in main"):
        asyncio.run(main())
