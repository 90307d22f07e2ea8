"""What happens in the local SWF of a test can be waited for, and counted."""

import asyncio
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from flowser.local.engine.engine import OPERATIONS
from flowser.requests import CountPendingActivityTasks
from tests.conftest import BareClient
from tests.support import arithmetic
from tests.support.calls import (
    DECIDER,
    DOMAIN,
    WORKER,
    all_events,
    poll_activity,
    poll_decision,
)
from tests.support.watched import WatchedSwf


async def test_arithmetic_workflow_runs_over_polls_that_were_waiting(
    local: WatchedSwf, bare_client: BareClient
) -> None:
    async with bare_client(local.url) as client:
        await arithmetic.register(client)
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(arithmetic.decide(client))
            for name in arithmetic.ACTIVITIES:
                group.create_task(arithmetic.work(client, name))
            await local.parked(DECIDER["name"], 3)
            await local.parked(WORKER["name"])
            ids = await arithmetic.start(client)
        events = await all_events(client, ids)
    assert events[-1]["eventType"] == "WorkflowExecutionCompleted"
    completed = events[-1]["workflowExecutionCompletedEventAttributes"]
    assert json.loads(completed["result"]) == arithmetic.RESULT
    assert sum(local.events.values()) == len(events)
    # The floor: one poll and one response per task.
    assert local.calls["PollForDecisionTask"] == 3
    assert local.calls["PollForActivityTask"] == 2


async def test_polls_are_held_as_long_as_the_test_says(bare_client: BareClient) -> None:
    async with WatchedSwf(poll_seconds=0.01) as local, bare_client(local.url) as client:
        await arithmetic.register(client)
        assert (await poll_activity(client))["startedEventId"] == 0


async def test_a_second_lasts_as_long_as_the_test_says(bare_client: BareClient) -> None:
    async with WatchedSwf(second=0.02) as local, bare_client(local.url) as client:
        await arithmetic.register(client)
        await arithmetic.start(client, taskStartToCloseTimeout="10")
        await poll_decision(client)
        await local.happened("DecisionTaskTimedOut", timeout=5)


async def test_closing_answers_the_polls_that_are_held(bare_client: BareClient) -> None:
    async with asyncio.TaskGroup() as group, WatchedSwf() as local:
        async with bare_client(local.url) as client:
            await arithmetic.register(client)
        held = group.create_task(_poll_once(bare_client, local.url))
        await local.parked(WORKER["name"])
    assert held.result() == 0


async def _poll_once(bare_client: BareClient, url: str) -> int:
    async with bare_client(url) as client:
        return int((await poll_activity(client))["startedEventId"])


async def test_failure_inside_is_raised_when_the_server_is_left(
    bare_client: BareClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    operations: dict[Any, Any] = OPERATIONS
    monkeypatch.setitem(operations, CountPendingActivityTasks, fail)
    with pytest.raises(ExceptionGroup, match="the local SWF failed"):
        async with WatchedSwf() as local, bare_client(local.url) as client:
            with pytest.raises(ClientError, match="InternalFailure"):
                await client.count_pending_activity_tasks(
                    domain=DOMAIN, taskList={"name": "x"}
                )


async def test_what_did_not_happen_is_told_with_what_did(local: WatchedSwf) -> None:
    with pytest.raises(
        AssertionError, match=r"no 1 x TimerFired within 0\.01 s; seen:"
    ):
        await local.happened("TimerFired", timeout=0.01)
