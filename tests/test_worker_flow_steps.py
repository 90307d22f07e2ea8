"""The steps of coroutine workflows, done by a worker."""

import asyncio
from typing import Any

import pytest

from flowser import flow
from flowser.worker import Worker
from tests.flows import double, events_of, flowing, started, workflow


async def test_step_is_done_once_and_its_result_is_recorded() -> None:
    calls: list[int] = []

    async def draw() -> int:
        calls.append(1)
        return len(calls)

    @workflow
    async def drawing() -> list[int]:
        first = await flow.step(draw)
        return [first, await double(first), await flow.step(draw)]

    async with flowing(drawing) as (_, domain), Worker(domain, sticky=False):
        assert await (await started(domain, drawing)).result() == [1, 2, 2]
    assert calls == [1, 1]


async def test_step_that_raises_and_one_that_is_too_long_raise_in_the_workflow() -> (
    None
):
    async def raises() -> None:
        raise LookupError("nothing there")

    async def long() -> str:
        return "x" * 40_000

    async def wrong() -> int:
        found: Any = "seven"
        return found  # type: ignore[no-any-return]

    @workflow
    async def stepping() -> list[str]:
        told = []
        for step in (raises, long, wrong):
            try:
                await flow.step(step)
            except flow.StepFailed as error:
                told.append(str(error))
        return told

    async with flowing(stepping) as (_, domain), Worker(domain):
        first, second, third = await (await started(domain, stepping)).result()
    assert "LookupError: nothing there" in first
    assert "32,768" in second
    assert "SerializationError" in third


@pytest.mark.unchecked("it exits")
@pytest.mark.parametrize("where", ["step", "workflow"])
async def test_exit_in_a_step_or_a_workflow_ends_the_worker_in_order(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    exits = [True]

    async def leave() -> str:
        if exits.pop():
            raise SystemExit(3)
        return "left"

    @workflow
    async def leaving() -> str:
        return await (flow.step(leave) if where == "step" else leave())

    async with flowing(leaving, second=0.1) as (_, domain):
        run = await started(domain, leaving, task_start_to_close_timeout="20")
        worker = Worker(domain)
        assert await worker.run() is False
        exits.append(False)
        async with Worker(domain):
            assert await run.result() == "left"
    assert worker.counts["decisions left"] == 1
    assert "SystemExit" in caplog.text


async def test_step_that_outlasts_its_decision_goes_on_in_the_next() -> None:
    begun: list[int] = []

    async with flowing(lasting := _lasting(begun)) as (local, domain):
        async with Worker(domain):
            run = await started(domain, lasting, task_start_to_close_timeout="2")
            assert await run.result() == "done"
        assert "DecisionTaskTimedOut" not in await events_of(run)
        assert local.events["TimerFired"] >= 1
    assert begun == [1]


def _lasting(begun: list[int]) -> Any:
    async def last() -> str:
        begun.append(1)
        await asyncio.sleep(1.5)  # longer than half of the decision's time
        return "done"

    @workflow
    async def lasting() -> str:
        return await flow.step(last)

    return lasting


async def test_step_that_is_not_wanted_any_more_is_cancelled() -> None:
    ended = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def brief() -> int:
        return 1

    @workflow
    async def choosing() -> int:
        async with asyncio.TaskGroup() as group:
            hanging = group.create_task(flow.step(hang))
            found = await flow.step(brief)
            hanging.cancel()
        return found + await double(found)

    async with flowing(choosing) as (_, domain), Worker(domain):
        assert await (await started(domain, choosing)).result() == 3
        await ended.wait()
