"""A poller takes a slot, backs off without one, and never dies."""

import asyncio
import logging
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from flowser._worker.slots import Slots
from flowser.worker import Worker
from tests.declared import Photos, logged
from tests.faults.virtual import now, virtual
from tests.histories import activity_task
from tests.support.answers import (
    Fault,
    Recorded,
    TruncatedJson,
    internal_failure,
    limit_exceeded,
    throttled,
    unknown_resource,
)
from tests.support.scripted import EMPTY_POLL, ScriptedSwf
from tests.workers import Endless, photo_server, photos, resizing

POLL = "PollForActivityTask"


@pytest.fixture
async def domain(scripted: ScriptedSwf) -> AsyncIterator[Photos]:
    async with photos(scripted.url) as opened:
        yield opened


async def done(given: object) -> None:
    """Do nothing."""


async def held(recorded: Recorded) -> Any:
    """Hold a poll for a minute, as SWF does."""
    await asyncio.sleep(60)
    return EMPTY_POLL


async def polled(scripted: ScriptedSwf, worker: Worker, polls: int) -> None:
    """Let a worker poll so often."""
    async with worker:
        await scripted.received(POLL, polls)
        scripted.release_polls()


@pytest.mark.parametrize(
    ("fault", "level"),
    [
        (throttled(), "WARNING"),
        (internal_failure(503), "WARNING"),
        (unknown_resource("Unknown domain: photos"), "ERROR"),
        (Fault("AccessDeniedException"), "ERROR"),
        (Fault("SomethingNew"), "ERROR"),
    ],
)
async def test_poll_that_fails_is_repeated_after_a_pause_and_told_once(
    scripted: ScriptedSwf,
    domain: Photos,
    caplog: pytest.LogCaptureFixture,
    fault: Any,
    level: str,
) -> None:
    caplog.set_level(logging.INFO)
    scripted.answer(POLL, fault, fault, activity_task())
    worker = resizing(domain, done)
    await polled(scripted, worker, 4)
    at = [request.at for request in scripted.of(POLL)]
    assert at[1] - at[0] >= 0.1
    assert at[2] - at[1] >= 0.2
    told = [each for each in logged(caplog) if each[1].startswith("polling images")]
    assert [each[0] for each in told] == [level, "INFO"]
    assert worker.counts == {"activities completed": 1}


async def test_pollers_of_a_list_tell_a_failure_once(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scripted.answer(POLL, *[throttled()] * 5)
    scripted.always(POLL, activity_task())
    worker = resizing(domain, done, activity_pollers=5)
    await polled(scripted, worker, 200)
    told = [text for _, text in logged(caplog) if text.startswith("polling images")]
    assert len(told) == 2
    assert told[1] == "polling images works again"


async def test_pause_holds_no_slot(scripted: ScriptedSwf, domain: Photos) -> None:
    """With one slot, what one poller waits for must not keep the other from work."""
    worker = resizing(domain, done, activities=1, activity_pollers=2)
    scripted.answer(POLL, unknown_resource("Unknown domain"), activity_task())
    async with worker:
        await scripted.received("RespondActivityTaskCompleted")
        first, second = scripted.of(POLL)[:2]
        assert second.at - first.at < 0.1
        await scripted.received(POLL, 3)
        scripted.release_polls()


@virtual
async def test_too_many_pollers_stay_away_for_minutes_and_come_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A quota that was shared with a deploy is free again afterwards."""
    caplog.set_level(logging.INFO)
    async with photo_server() as (scripted, domain):
        scripted.answer(POLL, *[limit_exceeded()] * 3)
        scripted.always(POLL, held)
        worker = resizing(domain, done, activity_pollers=4)
        async with worker:
            await asyncio.sleep(59)
            assert scripted.count(POLL) == 4
            await asyncio.sleep(600)
            worker.stop()
        told = [text for _, text in logged(caplog) if text.startswith("polling images")]
    assert told == [
        "polling images with one poller less, 3 go on: SWF takes no more",
        "polling images with one poller less, 2 go on: SWF takes no more",
        "polling images with one poller less, 1 go on: SWF takes no more",
        "polling images with one poller more again, 2 go on",
        "polling images with one poller more again, 3 go on",
        "polling images with one poller more again, 4 go on",
    ]


@virtual
async def test_poller_that_is_too_many_again_stays_away_for_longer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One poller is taken; whoever comes beside it is not."""
    caplog.set_level(logging.INFO)
    refused: list[float] = []
    polling: set[int] = set()

    async def one(recorded: Recorded) -> Any:
        if polling:
            refused.append(now())
            return limit_exceeded()
        polling.add(1)
        await asyncio.sleep(60)
        polling.discard(1)
        return EMPTY_POLL

    async with photo_server() as (scripted, domain):
        scripted.always(POLL, one)
        worker = resizing(domain, done, activity_pollers=2)
        async with worker:
            await asyncio.sleep(2400)
            worker.stop()
    pauses = [later - earlier for earlier, later in pairwise(refused)]
    assert 60 <= pauses[0] <= 121
    assert 120 <= pauses[1] <= 241
    assert all(300 <= pause <= 601 for pause in pauses[3:])
    told = [text for _, text in logged(caplog) if text.startswith("polling images")]
    assert len(told) == 1  # that it is too many is news once


@virtual
async def test_pollers_that_are_too_many_wait_while_not_even_one_is_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with photo_server() as (scripted, domain):
        scripted.always(POLL, limit_exceeded())
        worker = resizing(domain, done, activity_pollers=3)
        async with worker:
            await asyncio.sleep(1000)
            worker.stop()
        at = [request.at for request in scripted.of(POLL)]
    pauses = [later - earlier for earlier, later in pairwise(at)]
    assert all(pause >= 1 for pause in pauses[2:])  # only the last one tries
    assert len(logged(caplog, logging.WARNING)) == 0


async def test_unreadable_answer_is_told_and_not_taken_for_empty(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.answer(POLL, TruncatedJson(activity_task()), {})
    await polled(scripted, resizing(domain, done), 3)
    lost = [text for _, text in logged(caplog) if "may have been handed out" in text]
    assert len(lost) == 2
    assert all("images" in text for text in lost)


@virtual
async def test_empty_polls_that_come_at_once_do_not_spin() -> None:
    async with photo_server() as (scripted, domain):
        scripted.answer(POLL, *[EMPTY_POLL] * 3)
        await polled(scripted, resizing(domain, done), 4)
        at = [request.at for request in scripted.of(POLL)]
    assert at[3] - at[0] > 0.5


async def test_pause_ends_when_the_worker_stops(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    scripted.always(POLL, limit_exceeded())
    began = asyncio.get_running_loop().time()
    async with resizing(domain, done):
        await scripted.received(POLL)
    assert asyncio.get_running_loop().time() - began < 1


async def test_poller_that_waits_for_a_slot_ends_when_the_worker_stops(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    work = Endless()
    scripted.answer(POLL, activity_task())
    worker = resizing(domain, work, activities=1)
    async with worker:
        await work.began.wait()
        worker.stop()
        work.ended.set()
    assert scripted.count(POLL) == 1


# -- slots --


async def test_slot_is_given_back_once() -> None:
    places = asyncio.Semaphore(1)
    slot = await Slots(places).take()
    assert places.locked()
    slot.free()
    slot.free()
    await places.acquire()
    assert places.locked()


async def test_slot_that_is_not_taken_whole_is_given_back() -> None:
    threads, places = asyncio.Semaphore(1), asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(Slots(threads, places).take())
        await asyncio.sleep(0)
        assert threads.locked()
        waiting.cancel()
    assert not threads.locked()
