"""The generators of a domain lose no task and leave nothing behind."""

import asyncio
import contextlib
import logging
from typing import Any

import pytest

from flowser.domain import Domain
from flowser.exceptions import InvalidArgument
from tests.conftest import BareClient
from tests.declared import Album, Photos, Resize, connected, logged, offline
from tests.histories import activity_task, began, decision_task
from tests.loops import ACTIVITY, BOTH, DECISION, Loop
from tests.support.scripted import ScriptedSwf
from tests.support.watched import WatchedSwf


@pytest.mark.parametrize("loop", BOTH)
async def test_nothing_is_polled_while_the_body_runs(
    scripted: ScriptedSwf,
    loop: Loop,
) -> None:
    scripted.always(loop.operation, loop.task)
    async with connected(scripted.url) as conn:
        photos = Photos(conn)
        async with contextlib.aclosing(loop.iterate(photos)) as tasks:
            assert scripted.requests == []
            for number in (1, 2, 3):
                got = await anext(tasks)
                assert got.task_token == "token-1"
                await photos.deprecate()  # a round trip, in which a poll would come
                assert scripted.count(loop.operation) == number
    poll = scripted.of(loop.operation)[0].params
    assert poll["taskList"] == {"name": loop.task_list}


@pytest.mark.parametrize("loop", BOTH)
async def test_leaving_by_break_or_error_leaves_nothing_behind(
    scripted: ScriptedSwf,
    loop: Loop,
) -> None:
    scripted.always(loop.operation, loop.task)
    async with connected(scripted.url) as conn:
        photos = Photos(conn)
        async for _ in loop.iterate(photos):
            break
        with pytest.raises(KeyError):
            async for _ in loop.iterate(photos):
                raise KeyError
        await photos.deprecate()
    assert scripted.count(loop.operation) == 2


@pytest.mark.parametrize("loop", BOTH)
async def test_generator_can_be_closed_before_and_between_tasks(
    scripted: ScriptedSwf,
    loop: Loop,
) -> None:
    scripted.always(loop.operation, loop.task)
    async with connected(scripted.url) as conn:
        unused = loop.iterate(Photos(conn))
        await unused.aclose()
        used = loop.iterate(Photos(conn))
        await anext(used)
        await used.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(used)
    assert scripted.count(loop.operation) == 1


@pytest.mark.parametrize("t", [Album(offline()), "albums", None, object])
def test_what_is_no_type_is_refused_before_the_first_poll(t: Any) -> None:
    for iterate in (offline().decisions, offline().activities):
        with pytest.raises(InvalidArgument, match=r"^t is .*pass a subclass"):
            iterate(t)


@pytest.mark.parametrize("loop", BOTH)
async def test_cancellation_in_mid_poll_is_told_once(
    scripted: ScriptedSwf,
    caplog: pytest.LogCaptureFixture,
    loop: Loop,
) -> None:
    caplog.set_level(logging.INFO, "flowser")
    async with connected(scripted.url) as conn, asyncio.TaskGroup() as group:
        polling = group.create_task(anext(loop.iterate(Photos(conn))))
        await scripted.received(loop.operation)
        polling.cancel()
    assert polling.cancelled()
    ((level, words),) = logged(caplog)
    assert level == "WARNING"
    assert "may have been handed out" in words
    assert loop.task_list in words


async def test_cancellation_of_the_body_is_no_lost_task(
    scripted: ScriptedSwf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flowser")
    scripted.always(DECISION, decision_task([began()]))
    working = asyncio.Event()

    async def consume(photos: Domain) -> None:
        async for _ in photos.decisions(Album):
            working.set()
            await asyncio.Event().wait()

    async with connected(scripted.url) as conn, asyncio.TaskGroup() as group:
        consumer = group.create_task(consume(Photos(conn)))
        await working.wait()
        consumer.cancel()
    assert consumer.cancelled()
    assert logged(caplog) == []


async def test_stop_delivers_what_is_being_polled_and_then_ends(
    local: WatchedSwf,
) -> None:
    """A poll in flight may have been given a task: it is waited for."""
    got: list[str] = []

    async def consume() -> None:
        async for task in photos.decisions(Album):
            got.append(task.workflow_execution.workflow_id)
            await task.complete()

    async with connected(local.url) as conn, asyncio.TaskGroup() as group:
        photos = Photos(conn)
        await photos.register()
        consumer = group.create_task(consume())
        await local.parked("albums")
        photos.stop()
        await photos.start(Album, {"id": 1})
        await consumer
    assert got == ["Album-1"]
    assert local.calls[DECISION] == 1
    assert local.calls["RespondDecisionTaskCompleted"] == 1


async def test_stop_while_nothing_comes_ends_with_the_empty_poll(
    scripted: ScriptedSwf,
) -> None:
    async with connected(scripted.url) as conn, asyncio.TaskGroup() as group:
        photos = Photos(conn)
        rest = group.create_task(anext(photos.decisions(Album), None))
        await scripted.received(DECISION)
        photos.stop()
        scripted.release_polls()
        assert await rest is None
        assert await anext(photos.activities(Resize), None) is None
    assert len(scripted.requests) == 1


async def test_stop_in_the_body_ends_after_it(scripted: ScriptedSwf) -> None:
    scripted.always(ACTIVITY, activity_task())
    async with connected(scripted.url) as conn:
        photos = Photos(conn)
        async for task in photos.activities(Resize):
            photos.stop()
            await task.complete()
    assert [r.operation for r in scripted.requests] == [
        ACTIVITY,
        "RespondActivityTaskCompleted",
    ]


async def test_two_consumers_get_each_task_once(local: WatchedSwf) -> None:
    seen: list[str] = []

    async def consume(photos: Domain) -> None:
        async for task in photos.decisions(Album):
            seen.append(task.workflow_execution.workflow_id)
            await task.workflow_execution.complete(None)

    async with connected(local.url) as conn, asyncio.TaskGroup() as group:
        photos = Photos(conn)
        await photos.register()
        consumers = [group.create_task(consume(photos)) for _ in range(2)]
        await local.parked("albums", 2)
        handles = [await photos.start(Album, {"id": n}) for n in range(6)]
        await local.happened("WorkflowExecutionCompleted", 6)
        await local.parked("albums", 2)
        for consumer in consumers:
            consumer.cancel()
    assert sorted(seen) == [handle.workflow_id for handle in handles]


async def test_whole_workflow_runs_over_generators(local: WatchedSwf) -> None:
    async def decide(photos: Domain) -> None:
        async for decision in photos.decisions(Album):
            done = await decision.most_recent("ActivityTaskCompleted")
            if done is None:
                numbers = (await decision.start_input)["numbers"]
                await decision.schedule(Resize, {"id": 1, "n": numbers}).complete()
                continue
            await decision.workflow_execution.complete(done.attrs["result"])

    async def work(photos: Domain) -> None:
        async for task in photos.activities(Resize):
            await task.complete(sum(task.input["n"]))

    async with connected(local.url) as conn, asyncio.TaskGroup() as group:
        photos = Photos(conn)
        await photos.register()
        loops = [group.create_task(run(photos)) for run in (decide, work)]
        handle = await photos.start(Album, {"id": 1, "numbers": [1, 2, 3]})
        assert await handle.result() == 6
        for loop in loops:
            loop.cancel()


async def test_whole_workflow_runs_over_a_plain_client_on_moto(
    moto_url: str, domain_name: str, bare_client: BareClient
) -> None:
    async with bare_client(moto_url, max_pool_connections=30) as client:
        photos = Photos(client)
        photos.name = domain_name
        await photos.register()
        handle = await photos.start(Album, {"id": 1})
        async for decision in photos.decisions(Album):
            await decision.schedule(Resize, {"id": 2}).complete()
            break
        async for task in photos.activities(Resize):
            await task.complete([task.activity_id])
            break
        async for decision in photos.decisions(Album):
            done = await decision.most_recent("ActivityTaskCompleted")
            assert done is not None
            await decision.workflow_execution.complete(done.attrs["result"])
            break
        assert await handle.result() == ["Resize-2"]
