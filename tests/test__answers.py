"""A task takes one answer, and an answer that was lost is not a failure."""

import asyncio
import logging

import pytest

from flowser.activity_tasks import Activity
from flowser.exceptions import (
    ResponseLost,
    TaskAlreadyAnswered,
    Throttled,
    UnknownResourceFault,
)
from tests.conftest import BareClient
from tests.declared import Photos, Resize, connected, hurried, logged
from tests.histories import activity_task
from tests.support.answers import (
    Hang,
    Lost,
    internal_failure,
    throttled,
    unknown_resource,
)
from tests.support.scripted import ScriptedSwf

COMPLETED = "RespondActivityTaskCompleted"
GONE = unknown_resource("Unknown activity, scheduledEventId = 5")


async def test_second_answer_is_refused_without_a_call(scripted: ScriptedSwf) -> None:
    async with connected(scripted.url) as conn:
        task = Activity(activity_task(), Resize(Photos(conn)))
        await task.complete()
        for again in (task.complete, task.fail, task.cancel):
            with pytest.raises(TaskAlreadyAnswered, match="answered already"):
                await again()
    assert len(scripted.requests) == 1


async def test_answer_while_another_is_on_its_way_is_refused(
    scripted: ScriptedSwf,
) -> None:
    gate = asyncio.Event()
    scripted.answer(COMPLETED, Hang(gate))
    async with connected(scripted.url) as conn, asyncio.TaskGroup() as group:
        task = Activity(activity_task(), Resize(Photos(conn)))
        first = group.create_task(task.complete())
        await scripted.received(COMPLETED)
        with pytest.raises(TaskAlreadyAnswered):
            await task.fail()
        gate.set()
        await first
    assert task.answered
    assert len(scripted.requests) == 1


async def test_heartbeat_is_no_answer(scripted: ScriptedSwf) -> None:
    scripted.always("RecordActivityTaskHeartbeat", {"cancelRequested": False})
    async with connected(scripted.url) as conn:
        task = Activity(activity_task(), Resize(Photos(conn)))
        await task.heartbeat()
        await task.complete()
    assert task.answered


async def test_lost_answer_whose_retry_finds_the_task_gone_counts_as_answered(
    scripted: ScriptedSwf, caplog: pytest.LogCaptureFixture
) -> None:
    """SWF took it the first time (reliability 0.4): no failure, a note, once."""
    caplog.set_level(logging.INFO, "flowser")
    scripted.answer(COMPLETED, Lost(), GONE)
    async with hurried(scripted.url) as conn:
        task = Activity(activity_task(), Resize(Photos(conn)))
        await task.complete()
    assert task.answered
    assert scripted.count(COMPLETED) == 2
    (record,) = [r for r in caplog.records if r.name == "flowser.tasks"]
    assert record.levelname == "INFO"
    assert "earlier attempt" in record.getMessage()
    assert task.fields.items() <= vars(record).items()


async def test_failure_of_swf_whose_retry_finds_the_task_gone_counts_as_answered(
    scripted: ScriptedSwf,
) -> None:
    scripted.answer(COMPLETED, internal_failure(), GONE)
    async with hurried(scripted.url) as conn:
        task = Activity(activity_task(), Resize(Photos(conn)))
        await task.complete()
    assert task.answered


async def test_task_gone_at_the_first_attempt_is_an_unknown_resource(
    scripted: ScriptedSwf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flowser")
    scripted.answer(COMPLETED, GONE)
    async with hurried(scripted.url) as conn:
        task = Activity(activity_task(), Resize(Photos(conn)))
        with pytest.raises(UnknownResourceFault, match="scheduledEventId = 5"):
            await task.complete()
    assert not task.answered
    assert logged(caplog) == []


async def test_task_gone_after_throttling_is_an_unknown_resource(
    scripted: ScriptedSwf,
) -> None:
    """A throttled attempt certainly did nothing: this is no echo."""
    scripted.answer(COMPLETED, throttled(), GONE)
    async with hurried(scripted.url) as conn:
        task = Activity(activity_task(), Resize(Photos(conn)))
        with pytest.raises(UnknownResourceFault):
            await task.complete()
    assert not task.answered


async def test_answer_that_failed_can_be_given_again(
    scripted: ScriptedSwf, bare_client: BareClient
) -> None:
    scripted.answer(COMPLETED, throttled(), Lost())
    async with bare_client(scripted.url) as client:
        task = Activity(activity_task(), Resize(Photos(client)))
        with pytest.raises(Throttled):
            await task.complete()
        with pytest.raises(ResponseLost):
            await task.complete()
        await task.complete()
    assert task.answered
    assert scripted.count(COMPLETED) == 3


async def test_answer_that_was_cancelled_can_be_given_again(
    scripted: ScriptedSwf,
) -> None:
    scripted.answer(COMPLETED, Hang(asyncio.Event()))
    async with connected(scripted.url) as conn:
        task = Activity(activity_task(), Resize(Photos(conn)))
        async with asyncio.TaskGroup() as group:
            first = group.create_task(task.complete())
            await scripted.received(COMPLETED)
            first.cancel()
        assert not task.answered
        await task.complete()
    assert task.answered
