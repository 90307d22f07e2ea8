"""The heartbeats of one activity, and what SWF answers to them."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

import flowser
from flowser.exceptions import InvalidArgument
from flowser.worker import Worker
from tests.declared import Photos, logged
from tests.histories import activity_task
from tests.support.answers import Delayed, throttled
from tests.support.scripted import ScriptedSwf
from tests.workers import (
    BEAT,
    CANCEL,
    GOES_ON,
    GONE,
    POLL,
    Endless,
    Silent,
    answer_of,
    brief,
    photos,
    resizing,
)


@pytest.fixture
async def domain(scripted: ScriptedSwf) -> AsyncIterator[Photos]:
    async with photos(scripted.url) as opened:
        yield opened


@pytest.fixture
def hand_out(scripted: ScriptedSwf) -> None:
    """Give one task to whoever polls first."""
    scripted.always(BEAT, GOES_ON)
    scripted.answer(POLL, activity_task(input='"a.png"'))


@pytest.mark.usefixtures("hand_out")
async def test_activity_is_heartbeated_with_the_details_told_last(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    told = asyncio.Event()

    async def run(given: str) -> None:
        for percent in range(100):
            await flowser.current_activity().heartbeat(f"{percent} %")
        await told.wait()

    async with brief(domain, run):
        await scripted.received(BEAT, 3)
        told.set()
        await scripted.received(POLL, 2)
        scripted.release_polls()
    details = [beat.params["details"] for beat in scripted.of(BEAT)]
    assert details[-1] == "99 %"
    assert len(details) < 10  # of 100


@pytest.mark.usefixtures("hand_out")
async def test_details_of_a_thread_are_sent_at_once_when_none_were(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    sent = threading.Event()
    seen: list[bool] = []

    def run(given: str) -> None:
        task: Any = flowser.current_activity()
        seen.append(task.beat("begun"))
        sent.wait()

    worker = Worker(domain, activities=1)
    worker.activity(Silent)(run)
    async with worker:
        beat = await scripted.received(BEAT)
        sent.set()
        await scripted.received(POLL, 2)
        scripted.release_polls()
    assert beat.params["details"] == "begun"
    assert scripted.count(BEAT) == 1
    assert seen == [False]


@pytest.mark.usefixtures("hand_out")
async def test_long_details_are_refused_where_they_are_told(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def run(given: str) -> None:
        with pytest.raises(InvalidArgument, match="2,048"):
            await flowser.current_activity().heartbeat("x" * 2_049)

    await answer_of(scripted, resizing(domain, run))


@pytest.mark.usefixtures("hand_out")
async def test_cancel_request_cancels_the_handler_once_and_is_answered(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    scripted.always(BEAT, CANCEL)
    cleaned = asyncio.Event()
    cancelled: list[bool] = []

    async def run(given: str) -> None:
        task: Any = flowser.current_activity()
        try:
            await task.heartbeat("half")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(task.cancel_requested)
            await cleaned.wait()  # a handler may clean up
            raise

    worker = brief(domain, run)
    async with worker:
        await scripted.received(BEAT, 3)  # heartbeats go on meanwhile
        cleaned.set()
        answer = await scripted.received("RespondActivityTaskCanceled")
        await scripted.received(POLL, 2)
        scripted.release_polls()
    assert answer.params["details"] == "half"
    assert cancelled == [True]
    assert worker.counts == {"activities canceled": 1}


@pytest.mark.usefixtures("hand_out")
async def test_handler_that_finishes_anyway_completes(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    scripted.always(BEAT, CANCEL)

    async def run(given: str) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "almost done, so done"
        return "never"

    answer = await answer_of(scripted, brief(domain, run))
    assert answer.params["result"] == '"almost done, so done"'


@pytest.mark.usefixtures("hand_out")
async def test_thread_is_told_of_a_cancel_request_and_completes(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    scripted.always(BEAT, CANCEL)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def run(given: str) -> str:
        task: Any = flowser.current_activity()
        while not task.cancel_requested:
            asyncio.run_coroutine_threadsafe(scripted.received(BEAT), loop).result()
        loop.call_soon_threadsafe(asked.set)
        return "stopped"

    answer = await answer_of(scripted, brief(domain, run))
    assert answer.params["result"] == '"stopped"'
    assert asked.is_set()


@pytest.mark.usefixtures("hand_out")
async def test_closed_task_cancels_its_handler_and_is_not_answered(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scripted.always(BEAT, GONE)
    work = Endless()
    worker = brief(domain, work)
    async with worker:
        await scripted.received(POLL, 2)
        scripted.release_polls()
    assert work.cancelled == 1
    assert worker.counts == {"activities over": 1}
    assert not [r for r in scripted.requests if r.operation.startswith("Respond")]
    assert any("was closed meanwhile" in text for _, text in logged(caplog))


@pytest.mark.usefixtures("hand_out")
async def test_heartbeats_that_fail_are_repeated_and_told_once(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scripted.answer(BEAT, *[throttled()] * 12)
    work = Endless()
    async with brief(domain, work):
        await scripted.received(BEAT, 14)
        work.ended.set()
        await scripted.received("RespondActivityTaskCompleted")
        await scripted.received(POLL, 2)
        scripted.release_polls()
    told = [text for _, text in logged(caplog) if text.startswith("sending heartbeats")]
    assert len(told) == 1
    [record] = [r for r in caplog.records if r.message.startswith("sending heartb")]
    assert vars(record)["activity_id"] == "a-1"  # of the task that made the news


@pytest.mark.usefixtures("hand_out")
@pytest.mark.usefixtures("hand_out")
async def test_heartbeat_that_comes_after_the_answer_does_no_harm(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    gate = asyncio.Event()
    scripted.always(BEAT, Delayed(gate, GONE))

    async def run(given: str) -> str:
        await scripted.received(BEAT)
        await flowser.current_activity().complete("mine")
        gate.set()
        await asyncio.sleep(0)
        return "done"

    worker = brief(domain, run)
    await answer_of(scripted, worker)
    assert worker.counts == {"activities completed": 1}


@pytest.mark.parametrize("timeout", ["abc", "1.5", -1])
async def test_timeout_that_is_none_is_refused_at_the_start(
    domain: Photos, timeout: Any
) -> None:
    class Wrong(Silent):
        heartbeat_timeout = timeout

    worker = brief(domain, Endless(), Wrong)
    with pytest.raises(InvalidArgument, match="heartbeat_timeout"):
        worker.check()


@pytest.mark.usefixtures("hand_out")
async def test_details_with_a_lone_surrogate_are_refused_where_they_are_told(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def run(given: str) -> None:
        with pytest.raises(InvalidArgument, match="surrogate"):
            await flowser.current_activity().heartbeat("half \ud800")

    await answer_of(scripted, resizing(domain, run))


@pytest.mark.usefixtures("hand_out")
async def test_details_that_cannot_be_sent_are_dropped_and_the_heartbeat_is_sent(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(given: str) -> None:
        flowser.current_activity().details = "\ud800"  # past all checks
        await scripted.received(BEAT, 2)

    await answer_of(scripted, brief(domain, run))
    assert "details" not in scripted.of(BEAT)[0].params
    [record] = [r for r in caplog.records if r.name == "flowser.worker"]
    assert "are dropped" in record.getMessage()
    assert vars(record)["activity_id"] == "a-1"
