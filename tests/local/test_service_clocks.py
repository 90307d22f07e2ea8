"""The clocks of a service: what is due, over restarts and jumps of the wall clock.

Source:
    reliability.md section 4, experiments 39 and 49.
"""

import asyncio
import contextlib
import itertools
import logging
from pathlib import Path
from typing import Any

import pytest

from flowser import decisions as d
from flowser import requests, shapes
from flowser.local.service import Service
from flowser.local.storage import Store
from flowser.testing.clock import Clock, virtual_time
from tests.local.served import (
    DOMAIN,
    START,
    Client,
    attributes,
    refused,
    schedule,
    served,
    turns,
)

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND


@pytest.fixture(autouse=True)
async def clock() -> Any:
    """Let time jump."""
    with virtual_time() as clock:
        yield clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "swf.db"


def timer(timer_id: str, seconds: int) -> d.StartTimer:
    return d.StartTimer(timer_id=timer_id, start_to_fire_timeout=str(seconds))


async def at(client: Client, run_id: str, event_type: str) -> list[float]:
    """Give the times of the events of a type, in seconds since the beginning."""
    return [
        event["eventTimestamp"] - START / SECOND
        for event in await client.events(run_id)
        if event["eventType"] == event_type
    ]


# -- while it runs -------------------------------------------------------------------


async def test_timers_fire_on_the_millisecond_without_a_call(clock: Clock) -> None:
    async with served() as client:
        run_id = await client.begin(timer("a", 100), timer("b", 7), timer("c", 100))
        await clock.skip(200)
        assert await at(client, run_id, "TimerFired") == [7.0, 100.0, 100.0]


async def test_earlier_deadline_that_comes_later_is_met(clock: Clock) -> None:
    async with served() as client:
        run_id = await client.begin(timer("a", 100))
        await client.signal()
        await client.decide(await client.poll(), timer("b", 1))
        await clock.skip(2)
        assert await at(client, run_id, "TimerFired") == [1.0]


async def test_poll_waits_across_what_falls_due(clock: Clock) -> None:
    async with served() as client, asyncio.TaskGroup() as group:
        await client.begin(timer("a", 30))
        poll = group.create_task(client.poll())
        await turns()
        task = await poll
        assert [e["eventType"] for e in task["events"]][-3:] == [
            "TimerFired",
            "DecisionTaskScheduled",
            "DecisionTaskStarted",
        ]


async def test_wall_clock_is_asked_once(clock: Clock) -> None:
    with contextlib.closing(Store()) as store:
        async with Service(store, wall=iter([START]).__next__) as swf:
            await clock.skip(3)
            assert swf.now() == START // 1_000_000 + 3_000


# -- over a restart ------------------------------------------------------------------


async def test_what_fell_due_while_down_happens_at_start_in_its_order(
    path: Path,
) -> None:
    """Experiment 39: once, in the order in which it was due, with the time of now."""
    async with served(path) as client:
        run_id = await client.begin(
            timer("late", 300),
            timer("early", 20),
            schedule("a", start_to_close_timeout="50"),
            schedule("b", schedule_to_start_timeout="40", task_list=_OTHER),
            execution_start_to_close_timeout="99999",
        )
        assert (await client.poll_activity())["activityId"] == "a"
        before = len(await client.events(run_id))
    for _ in range(2):
        async with served(path, wall=START + HOUR) as client:
            events = (await client.events(run_id))[before:]
            assert [(e["eventType"], _which(e)) for e in events] == [
                ("TimerFired", "early"),
                ("DecisionTaskScheduled", None),
                ("ActivityTaskTimedOut", "SCHEDULE_TO_START"),
                ("ActivityTaskTimedOut", "START_TO_CLOSE"),
                ("TimerFired", "late"),
            ]
            assert {e["eventTimestamp"] - START / SECOND for e in events} == {3_600.0}


_OTHER = shapes.TaskList(name="others")


def _which(event: Any) -> Any:
    told = attributes(event)
    return told.get("timerId") or told.get("timeoutType")


async def test_execution_that_timed_out_while_down_is_closed_at_start(
    path: Path,
) -> None:
    async with served(path) as client:
        run_id = await client.start()
    async with served(path, wall=START + HOUR) as client:
        assert (await client.types(run_id))[-1] == "WorkflowExecutionTimedOut"
        assert await client.open_runs() == 0


async def test_clocks_go_on_by_wall_time_while_down(path: Path, clock: Clock) -> None:
    async with served(path) as client:
        run_id = await client.begin(timer("a", 100))
        await clock.skip(25)
    async with served(path, wall=START + 60 * SECOND) as client:
        assert await at(client, run_id, "TimerFired") == []
        await clock.skip(41)
        assert await at(client, run_id, "TimerFired") == [100.0]


async def test_tokens_given_before_a_restart_are_good_after_it(path: Path) -> None:
    """Experiment 39: of tasks of both kinds, and of pages."""
    async with served(path) as client:
        run_id = await client.begin(schedule())
        await client.signal()
        decision, activity = await client.poll(), await client.poll_activity()
        page = await client.send(_page(run_id))
    async with served(path, wall=START + SECOND) as client:
        beat = requests.RecordActivityTaskHeartbeat(task_token=activity["taskToken"])
        assert await client.send(beat) == {"cancelRequested": False}
        completed = requests.RespondActivityTaskCompleted(
            task_token=activity["taskToken"]
        )
        await client.send(completed)
        await client.decide(decision)
        following = await client.send(_page(run_id, page["nextPageToken"]))
        assert [e["eventId"] for e in following["events"]] == [4, 5, 6]
        assert await refused(client.send(completed)) == "UnknownResourceFault"
        assert (await client.poll())["startedEventId"] == 13


def _page(run_id: str, token: str | None = None) -> requests.Request[Any]:
    return requests.GetWorkflowExecutionHistory(
        domain=DOMAIN,
        execution=shapes.WorkflowExecution(workflow_id="o-1", run_id=run_id),
        maximum_page_size=3,
        next_page_token=token,
    )


async def test_task_that_was_handed_out_is_not_handed_out_again(path: Path) -> None:
    async with served(path) as client:
        await client.start()
        await client.poll()
    async with served(path) as client, asyncio.TaskGroup() as group:
        poll = group.create_task(client.poll())
        await turns()
        assert not poll.done()
        assert (await poll)["startedEventId"] == 6  # after its time-out
        assert client.swf.now() == START // 1_000_000 + 10_000


# -- jumps of the wall clock ---------------------------------------------------------


async def test_wall_clock_that_went_back_stops_no_clock_and_turns_none_back(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 49: time stamps never decrease; nothing is early, nothing stops."""
    async with served(path) as client:
        run_id = await client.begin(timer("a", 100))
        await clock.skip(40)
        await client.signal()
    async with served(path, wall=START - HOUR) as client:
        await client.signal()
        await clock.skip(59)
        assert await at(client, run_id, "TimerFired") == []
        await clock.skip(2)
        assert await at(client, run_id, "TimerFired") == [100.0]
        times = [e["eventTimestamp"] for e in await client.events(run_id)]
        assert all(a <= b for a, b in itertools.pairwise(times))
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert said == ["the clock is 3640 s behind the last event"]


async def test_wall_clock_that_was_wrong_once_is_never_asked_for_less(
    path: Path,
) -> None:
    async with served(path, wall=START + 1_000 * HOUR) as client:
        await client.start()
    with contextlib.closing(Store(path)) as store:
        last = store.last_at
    async with served(path, wall=START) as client:
        assert client.swf.now() >= last
