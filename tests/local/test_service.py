"""A service tells nobody of what is not stored, and hands each task to one caller."""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowser import requests, shapes, wire
from flowser.local.engine.quotas import Quotas
from flowser.local.service import Service
from flowser.local.storage import Store
from flowser.testing.clock import Clock, virtual_time
from tests.local.served import (
    DOMAIN,
    Client,
    Watched,
    refused,
    schedule,
    served,
    serving,
    turns,
)

_FIRST = ["WorkflowExecutionStarted", "DecisionTaskScheduled"]


@pytest.fixture(autouse=True)
async def clock() -> Any:
    """Let time jump."""
    with virtual_time() as clock:
        yield clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "swf.db"


@pytest.fixture
def watched(path: Path) -> Iterator[Watched]:
    with contextlib.closing(Watched(path)) as store:
        yield store


def kill(path: Path) -> Path:
    """Take a file as a kill would leave it now."""
    left = path.parent / "left"
    left.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", left)
    return left / path.name


# -- what is told --------------------------------------------------------------------


async def test_what_was_answered_is_on_disk(path: Path) -> None:
    async with served(path) as client:
        run_id = await client.start()
        left = kill(path)
    async with served(left) as client:
        assert await client.types(run_id) == _FIRST


async def test_what_was_not_answered_is_as_if_never_asked(path: Path) -> None:
    async with served(path) as client, asyncio.TaskGroup() as group:
        asked = group.create_task(client.start())
        await asyncio.sleep(0)
        assert not asked.done()
        left = kill(path)
    async with served(left) as client:
        assert await client.open_runs() == 0


async def test_calls_of_one_turn_share_a_commit(watched: Watched) -> None:
    async with serving(watched) as client:
        await client.register()
        before = watched.commits
        await asyncio.gather(*(client.start(f"o-{n}") for n in range(50)))
        assert watched.commits == before + 1
        assert await client.open_runs() == 50


async def test_calls_that_are_on_their_way_share_a_commit(watched: Watched) -> None:
    async with serving(watched) as client:
        await client.register()
        before = watched.commits
        async with asyncio.TaskGroup() as group:
            for number in range(3):  # one in each turn of the loop
                group.create_task(client.start(f"o-{number}"))
                await asyncio.sleep(0)
        assert watched.commits == before + 1


async def test_reader_of_what_is_not_stored_waits_until_it_is(watched: Watched) -> None:
    async with serving(watched) as client, asyncio.TaskGroup() as group:
        await client.register()
        before = watched.commits
        group.create_task(client.start())
        read = group.create_task(client.open_runs())
        again = group.create_task(refused(client.start()))
        await asyncio.sleep(0)
        assert (watched.commits, read.done(), again.done()) == (before, False, False)
        assert (await read, watched.commits) == (1, before + 1)
        assert await again == "WorkflowExecutionAlreadyStartedFault"


async def test_memory_answers_at_once() -> None:
    async with served() as client:
        with pytest.raises(StopIteration):
            client.start().send(None)


async def test_nothing_is_committed_for_reading(watched: Watched) -> None:
    async with serving(watched) as client:
        await client.register()
        before = watched.commits
        await client.open_runs()
        assert watched.commits == before


# -- polls ---------------------------------------------------------------------------


@pytest.fixture(params=["memory", "file"])
async def client(request: pytest.FixtureRequest, path: Path, clock: Clock) -> Any:
    """A client of each kind of store."""
    async with served(path if request.param == "file" else None) as client:
        yield client


async def test_parked_poll_is_answered_when_its_task_comes(client: Client) -> None:
    async with asyncio.TaskGroup() as group:
        first, second = (group.create_task(client.poll()) for _ in "12")
        await turns()
        run_id = await client.start()
        assert (await first)["workflowExecution"]["runId"] == run_id
        assert not second.done()
        client.swf.release()
        assert await second == {"startedEventId": 0, "previousStartedEventId": 0}


async def test_answer_to_a_poll_waits_for_the_commit(watched: Watched) -> None:
    async with serving(watched) as client, asyncio.TaskGroup() as group:
        await client.register()
        poll = group.create_task(client.poll())
        await turns()
        before = watched.commits
        started = group.create_task(client.start())
        await asyncio.sleep(0)
        assert (watched.commits, poll.done()) == (before, False)
        await started
        assert (await poll)["startedEventId"] == 3


async def test_poll_is_held_for_its_minute(client: Client, clock: Clock) -> None:
    began = clock.time()
    assert (await client.poll())["startedEventId"] == 0
    assert clock.time() - began == pytest.approx(60, abs=0.01)


async def test_poll_is_held_as_long_as_the_quota_says(clock: Clock) -> None:
    async with served(quotas=Quotas(poll=7)) as client:
        began = clock.time()
        assert (await client.poll_activity())["startedEventId"] == 0
        assert clock.time() - began == pytest.approx(7, abs=0.01)


async def test_cancelled_poll_takes_no_task(client: Client) -> None:
    async with asyncio.TaskGroup() as group:
        gone, there = (group.create_task(client.poll()) for _ in "12")
        await turns()
        gone.cancel()
        await turns()
        await client.start()
        assert (await there)["startedEventId"] == 3
    assert client.swf.lost == 0


async def test_poll_whose_caller_is_not_present_takes_no_task(client: Client) -> None:
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(client.poll(present=lambda: False))
        there = group.create_task(client.poll())
        await turns()
        await client.start()
        assert (await there)["startedEventId"] == 3
        gone.cancel()


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


async def test_task_that_went_to_nobody_is_counted_and_times_out(
    client: Client, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.TaskGroup() as group:
        poll = group.create_task(client.poll())
        await turns()
        start = group.create_task(client.start())
        await asyncio.sleep(0)
        poll.cancel()  # it was told of its task, or will be by the next commit
        run_id = await start
    assert poll.cancelled()
    assert client.swf.lost == 1
    lost = "a task went to a caller that had gone, and times out (1 so far)"
    assert told(caplog) == [lost]
    await clock.skip(11)
    assert (await client.types(run_id))[-2:] == [
        "DecisionTaskTimedOut",
        "DecisionTaskScheduled",
    ]


async def test_task_of_a_poll_that_did_not_wait_is_counted_too(path: Path) -> None:
    async with served(path) as client, asyncio.TaskGroup() as group:
        await client.start()
        poll = group.create_task(client.poll())
        await asyncio.sleep(0)
        poll.cancel()
        await turns()
        assert poll.cancelled()
        assert client.swf.lost == 1


async def test_end_answers_polls_as_empty(path: Path) -> None:
    async with asyncio.TaskGroup() as group, served(path) as client:
        polls = [
            group.create_task(poll())
            for poll in (client.poll, client.poll_activity, client.poll)
        ]
        await turns()
    assert [task.result()["startedEventId"] for task in polls] == [0, 0, 0]


async def test_end_stores_what_is_under_way(path: Path) -> None:
    async with asyncio.TaskGroup() as group, served(path) as client:
        started = group.create_task(client.start())
        await asyncio.sleep(0)
    async with served(path) as client:
        assert await client.types(await started) == _FIRST


async def test_whoever_comes_after_the_end_is_refused() -> None:
    async with served() as client:
        pass
    assert await refused(client.poll()) == "InternalFailure"


# -- what it is made with ------------------------------------------------------------


async def test_regions_are_separate_worlds(client: Client) -> None:
    request = requests.DescribeDomain(name=DOMAIN)
    await client.send(request)
    asked = client.send(request, region="eu-west-1")
    assert await refused(asked) == "UnknownResourceFault"


async def test_run_ids_are_made_of_the_entropy_given() -> None:
    async with served(entropy=bytes) as client:
        assert await client.start() == "22" + "A" * 43 + "="


async def test_account_is_in_arns() -> None:
    async with served(account="000000000007") as client:
        described = await client.send(requests.DescribeDomain(name=DOMAIN))
        assert ":000000000007:" in described["domainInfo"]["arn"]


async def test_throttle_lets_through_what_the_bucket_gains(clock: Clock) -> None:
    async with served(throttle=True) as client:
        request = requests.DescribeDomain(name=DOMAIN)
        for tokens in (200, 60):
            for _ in range(tokens):
                await client.send(request)
            assert await refused(client.send(request)) == "ThrottlingException"
            await clock.skip(10)


@pytest.mark.parametrize(
    ("operation", "body", "fault"),
    [
        ("Fly", b"{}", "UnknownOperationException"),
        ("ListDomains", b"{", "SerializationException"),
        ("ListDomains", b"{}", "ValidationException"),
    ],
)
async def test_malformed_calls_are_refused(
    client: Client, operation: str, body: bytes, fault: str
) -> None:
    asked = client.swf.call(operation, body, region="us-east-1")
    assert await refused(asked) == fault


async def test_caller_need_not_say_whether_it_is_present() -> None:
    async with served() as client:
        await client.start()
        listed = requests.PollForDecisionTask(
            domain=DOMAIN, task_list=shapes.TaskList(name="deciders")
        )
        body = wire.encode(listed)
        text = await client.swf.call("PollForDecisionTask", body, region="us-east-1")
        assert b'"startedEventId":3' in text


# -- retention -----------------------------------------------------------------------


async def test_closed_runs_are_removed_when_their_retention_is_over(
    client: Client, clock: Clock
) -> None:
    run_id = await client.start()
    request = requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id="o-1")
    await client.send(request)
    await clock.skip(86_399)
    assert (await client.types(run_id))[-1] == "WorkflowExecutionTerminated"
    await clock.skip(2)
    assert await refused(client.types(run_id)) == "UnknownResourceFault"


async def test_retention_goes_on_over_a_restart(path: Path, clock: Clock) -> None:
    async with served(path) as client:
        run_id = await client.begin(schedule())
        request = requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id="o-1")
        await client.send(request)
    later = 86_400_000_000_000
    async with served(path, wall=client.swf.now() * 1_000_000 + later) as client:
        assert await refused(client.types(run_id)) == "UnknownResourceFault"
    with contextlib.closing(Store(path)) as store:
        assert store.next_expiry() is None


def test_service_begins_when_it_is_entered() -> None:
    with contextlib.closing(Store()) as store:
        Service(store)
