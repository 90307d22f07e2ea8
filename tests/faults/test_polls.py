"""Polls whose answers are lost or late: each is told, none is taken for an empty one.

Source:
    reliability.md section 0 items 1 to 3, section 4 experiments 3 to 5 and 9.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flowser._client import POLL_TIMEOUT
from flowser.exceptions import ResponseLost
from flowser.tasks import Decision
from tests.faults.farm import (
    POLL_ACTIVITY,
    POLL_DECISION,
    Rig,
    Season,
    Work,
    gaps,
    late,
    of_type,
    rigged,
    scripted_farm,
    told,
    worker_of,
)
from tests.faults.virtual import now, virtual
from tests.histories import activity_task
from tests.support.answers import Status
from tests.support.proxy_rules import Kind

MAY_BE_LOST = "may have been handed out"


async def works(rig: Rig, done: asyncio.Event) -> None:
    """Serve activities by a worker until *done*."""
    worker = worker_of(rig.farm)

    @worker.activity(Work)
    async def double(number: int) -> int:
        return 2 * number

    async with worker:
        await done.wait()


async def iterates(rig: Rig, done: asyncio.Event) -> None:
    """Serve activities by the generator until *done*."""

    async def loop() -> None:
        async for task in rig.farm.activities(Work):
            await task.complete(2 * task.input)

    async with asyncio.TaskGroup() as group:
        group.create_task(loop())
        await done.wait()
        rig.farm.stop()


async def decides(rig: Rig, done: asyncio.Event) -> None:
    """Serve decisions by a worker until *done*."""
    worker = worker_of(rig.farm)

    @worker.decider(Season)
    async def decide(decision: Decision) -> None:
        ids = [event.id async for event in decision.events]
        assert ids == [*range(ids[0], 0, -1)]  # never a part of a history
        await decision.workflow_execution.complete(ids[0])

    async with worker:
        await done.wait()


Serve = Callable[[Rig, asyncio.Event], Any]
SERVERS = pytest.mark.parametrize("serve", [works, iterates])


async def lose_one_of_three(serve: Serve, kind: Kind) -> None:
    """Let the answer of the first poll be harmed: it carries the first activity."""
    async with rigged() as rig, asyncio.TaskGroup() as group:
        done = asyncio.Event()
        rig.proxy.fault(POLL_ACTIVITY, kind)
        run = await rig.begin(3, start_to_close_timeout=10)
        began = now()
        group.create_task(serve(rig, done))
        await rig.swf.happened("ActivityTaskCompleted", 2)
        assert 0.1 <= now() - began < 1  # after a pause, the next poll
        await rig.swf.happened("ActivityTaskTimedOut", timeout=20)
        assert now() - began == pytest.approx(10)  # all that was lost is one time-out
        done.set()
        assert rig.proxy.count(POLL_ACTIVITY, kind) == 1
        assert rig.swf.events["ActivityTaskStarted"] == 3  # nothing was asked twice
        results = of_type(await rig.events(run), "ActivityTaskCompleted")
        assert [result.result for result in results] == ["2", "4"]


def assert_told_once(caplog: pytest.LogCaptureFixture, task_list: str) -> None:
    (warning,) = [text for level, text in told(caplog) if level == "WARNING"]
    assert MAY_BE_LOST in warning
    assert f"of {task_list} " in warning
    assert [text for level, text in told(caplog) if level != "WARNING"] == [
        f"polling {task_list} works again"
    ]


@SERVERS
def test_poll_whose_answer_is_lost_is_told_and_not_repeated(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 3: one request, one warning, and the task times out."""
    caplog.set_level("INFO")
    virtual(lose_one_of_three)(serve, "lost")
    assert_told_once(caplog, "work")


@pytest.mark.parametrize("new_retries", ["true", "false"])
@virtual
async def test_settings_of_retries_make_no_poll_repeat_itself(
    new_retries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Experiment 3, whatever the environment asks of botocore, now or from 2026 on."""
    monkeypatch.setenv("AWS_NEW_RETRIES_2026", new_retries)
    monkeypatch.setenv("AWS_RETRY_MODE", "standard")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    async with rigged() as rig:
        await rig.begin()
        rig.proxy.fault(POLL_ACTIVITY, "lost")
        with pytest.raises(ResponseLost):
            await rig.farm.poll_activity(Work)
        assert rig.proxy.count(POLL_ACTIVITY) == 1


@SERVERS
def test_poll_of_truncated_json_is_no_empty_poll(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 4: HTTP says 200, the JSON ends in the middle."""
    caplog.set_level("INFO")
    virtual(lose_one_of_three)(serve, "truncjson")
    assert_told_once(caplog, "work")


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'{"activityId": "a-1"}'])
@virtual
async def test_answer_without_started_event_id_is_no_empty_poll(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 4, with JSON that is whole: SWF's empty polls have an id of 0."""
    caplog.set_level("INFO")
    async with scripted_farm() as (server, farm):
        server.answer(POLL_ACTIVITY, Status(200, body), activity_task())
        tasks = farm.activities(Work)
        assert (await anext(tasks)).activity_id == "a-1"
        await tasks.aclose()
        assert gaps(server, POLL_ACTIVITY)[0] >= 0.1
    assert_told_once(caplog, "work")


@pytest.mark.parametrize("kind", ["cut", "truncjson", "lost"])
@virtual
async def test_part_of_a_history_reaches_no_handler(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 5: the decision task times out, and is decided when it comes again."""
    caplog.set_level("INFO")
    async with rigged() as rig, asyncio.TaskGroup() as group:
        done = asyncio.Event()
        rig.proxy.fault(POLL_DECISION, kind)
        run = await rig.start()
        began = now()
        group.create_task(decides(rig, done))
        await rig.swf.happened("WorkflowExecutionCompleted", timeout=30)
        assert now() - began == pytest.approx(20)  # the task's start-to-close time
        done.set()
        kinds = [event.type for event in await rig.events(run)]
    assert kinds.count("DecisionTaskTimedOut") == 1
    assert kinds.count("DecisionTaskCompleted") == 1
    assert_told_once(caplog, "seasons")


@virtual
async def test_poll_that_is_answered_late_is_accepted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 9: SWF holds polls for 60 seconds; after 70, a task still counts."""
    caplog.set_level("INFO")
    async with scripted_farm() as (server, farm):
        server.answer(POLL_ACTIVITY, late(70, activity_task()))
        tasks = farm.activities(Work)
        assert (await anext(tasks)).activity_id == "a-1"
        await tasks.aclose()
        assert now() == pytest.approx(70, abs=0.1)
    assert told(caplog) == []


@virtual
async def test_poll_that_is_answered_too_late_is_lost_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 9: the connection gives up after 75 seconds, and polls again."""
    caplog.set_level("INFO")
    async with scripted_farm() as (server, farm):
        server.answer(POLL_ACTIVITY, late(80, activity_task()), activity_task())
        tasks = farm.activities(Work)
        assert (await anext(tasks)).activity_id == "a-1"
        await tasks.aclose()
        (gap,) = gaps(server, POLL_ACTIVITY)
    patience = POLL_TIMEOUT[1]
    assert patience + 0.1 <= gap <= patience + 1.5
    assert_told_once(caplog, "work")


@virtual
async def test_poll_that_is_cancelled_is_told_as_a_lost_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 3, by the program's own hand: a poll in flight was cut off."""
    caplog.set_level("INFO")
    async with rigged() as rig, asyncio.TaskGroup() as group:
        poll = group.create_task(anext(rig.farm.activities(Work)))
        await rig.swf.parked("work")
        poll.cancel()
    ((level, text),) = told(caplog)
    assert level == "WARNING"
    assert MAY_BE_LOST in text
