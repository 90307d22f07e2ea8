"""Code of replicas that does not give its thread back, and the threads themselves."""

import asyncio
import gc
import threading
from typing import Any

import pytest

from flowser import flow
from flowser.exceptions import InvalidArgument
from flowser.executions import WorkflowExecution
from flowser.testing import LocalSwf
from tests.flows import domain_of, flowing, started, workflow


@workflow
async def counting() -> int:
    """Count signals."""
    count = 0
    async for _ in flow.signals("tick"):
        count += 1
    return count


@workflow
async def blocking() -> None:
    """Block a thread, but not for ever."""
    ENDED.wait(30)


@workflow
async def spinning() -> None:
    """Go on and on."""
    while True:
        pass


@workflow
async def leaving() -> None:
    """End the process."""
    raise SystemExit(3)


#: What lets `blocking` go on.
ENDED = threading.Event()


async def begun(swf: LocalSwf, kind: Any) -> WorkflowExecution:
    """Start a run that nobody decides."""
    domain = domain_of([kind])(swf.conn)
    await domain.register()
    return await started(domain, kind)


# -- code that does not give its thread back --


@pytest.mark.parametrize("kind", [blocking, spinning])
async def test_code_that_does_not_come_to_an_end_is_told_of_with_its_stack(
    kind: Any,
) -> None:
    ENDED.clear()
    async with flowing(kind) as (_, domain):
        handle = await started(domain, kind)
        rounds = 0
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(_told(handle, 0.2))
            while not asked.done():  # the loop goes round meanwhile
                await asyncio.sleep(0.01)
                rounds += 1
        ENDED.set()
    words = str(asked.result())
    assert "has run for 0.2 s without waiting" in words
    assert f"in {kind.type.name}" in words
    assert rounds > 5


async def _told(handle: WorkflowExecution, watchdog: float) -> flow.Trouble:
    with pytest.raises(flow.Trouble) as told:
        await handle.stack(watchdog=watchdog)
    return told.value


async def test_a_function_that_blocks_is_told_of_too() -> None:
    ENDED.clear()
    async with flowing(counting) as (_, domain):
        handle = await started(domain, counting)
        with pytest.raises(flow.Trouble, match="without waiting"):
            await handle.query(lambda _: ENDED.wait(30), watchdog=0.1)
        ENDED.set()


async def test_questions_that_were_given_up_leave_threads_to_others() -> None:
    """More of them than there are threads: their code is interrupted all the same."""
    ENDED.clear()
    async with flowing(blocking, counting) as (_, domain):
        stuck = await started(domain, blocking)
        other = await started(domain, counting, id="w-2")
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await stuck.stack(watchdog=0.2)
        assert "in counting" in await other.stack()
        ENDED.set()


async def test_code_that_spins_in_the_loop_is_found_by_its_budget(
    swf: LocalSwf,
) -> None:
    @workflow
    async def restless() -> None:
        while True:  # noqa: ASYNC110 - what is to be found
            await asyncio.sleep(0)

    handle = await begun(swf, restless)
    with pytest.raises(flow.Spinning, match="in restless"):
        await handle.query(str)


async def test_code_that_ends_the_process_ends_nothing(swf: LocalSwf) -> None:
    handle = await begun(swf, leaving)
    with pytest.raises(flow.Trouble, match=r"workflow code raises SystemExit\(3\)"):
        await handle.query(str)


@pytest.mark.parametrize("watchdog", [0, -1, float("nan")])
async def test_a_watchdog_needs_time(swf: LocalSwf, watchdog: float) -> None:
    handle = await begun(swf, counting)
    with pytest.raises(InvalidArgument, match=r"watchdog is .*: give seconds, or None"):
        await handle.query(str, watchdog=watchdog)


# -- threads --


async def test_many_questions_at_once_share_a_few_threads(swf: LocalSwf) -> None:
    handle = await begun(swf, counting)
    look = threading.get_ident
    asked = [handle.query(lambda run: (run.count, look())) for _ in range(50)]
    answers = await asyncio.gather(*asked)
    assert {count for count, _ in answers} == {0}
    assert len({thread for _, thread in answers}) <= 4


def test_threads_go_with_their_event_loop() -> None:
    async def look() -> threading.Thread:
        async with LocalSwf() as swf:
            handle = await begun(swf, counting)
            return await handle.query(lambda _: threading.current_thread())

    thread = asyncio.run(look())
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()
