"""Workflow code that spins or blocks: the watchdog, and what goes on meanwhile."""

import asyncio
import logging
import threading

import pytest

from flowser import flow
from flowser.worker import Worker
from tests.flows import double, events_of, flowing, started, thrice, workflow

log = logging.getLogger("tests.flow")


async def test_spinning_code_is_interrupted_and_named_while_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    spins = [True]

    @workflow
    async def spinning() -> str:
        while spins[0]:
            pass
        return "span"

    async with (
        flowing(spinning, thrice, second=0.1) as (local, domain),
        Worker(domain, watchdog=2.0) as worker,
    ):
        run = await started(domain, spinning, task_start_to_close_timeout="40")
        await local.happened("DecisionTaskStarted")
        other = await started(domain, thrice, 1, id="w-2")
        assert await other.result() == 8
        assert worker.counts["decisions left"] == 0
        await local.until(lambda: worker.counts["decisions left"] == 1, "left")
        spins[0] = False
        assert await run.result() == "span"
    [told] = [r for r in caplog.records if "without waiting" in r.getMessage()]
    assert "while spins[0]:" in told.getMessage()
    assert "main task" in told.getMessage()
    assert vars(told)["workflow_id"] == "w-1"


@pytest.mark.unchecked("it spins")
async def test_code_that_spins_and_swallows_everything_stops_no_heartbeat(
    caplog: pytest.LogCaptureFixture,
) -> None:
    spins, begun = [True], threading.Event()

    @flow.activity(version="1", task_list="doers", heartbeat_timeout=1)
    async def working() -> str:
        await asyncio.to_thread(begun.wait)
        await asyncio.sleep(2.5)
        return "worked"

    @workflow
    async def busy() -> str:
        return await working()

    @workflow
    async def stubborn() -> None:
        begun.set()
        while spins[0]:
            try:
                while spins[0]:
                    pass
            except BaseException:  # noqa: BLE001 - what authors should not do
                log.info("not so")

    kinds = busy, stubborn, thrice
    async with flowing(*kinds, activities=[working]) as (_, domain):
        async with Worker(domain, watchdog=0.5) as worker:
            run = await started(domain, busy)
            await started(domain, stubborn, id="w-2")
            assert await run.result() == "worked"
            other = await started(domain, thrice, 1, id="w-3")
            assert await other.result() == 8
            assert "ActivityTaskTimedOut" not in await events_of(run)
            assert worker.counts["decisions left"] == 1
        spins[0] = False
    assert "while spins[0]:" in caplog.text


async def test_code_that_sleeps_costs_one_thread_and_others_go_on() -> None:
    wakes = threading.Event()

    @workflow
    async def sleeping() -> str:
        wakes.wait()
        return "slept"

    async with (
        flowing(sleeping, thrice, second=0.2) as (local, domain),
        Worker(domain, watchdog=0.2) as worker,
    ):
        runs = [await started(domain, sleeping, id=f"s-{n}") for n in range(5)]
        left = "decisions left"
        await local.until(lambda: worker.counts[left] >= 5, "5 left", 20)
        other = await started(domain, thrice, 1, id="w-2")
        assert await other.result() == 8
        wakes.set()
        for run in runs:
            await run.terminate()


async def test_without_a_watchdog_code_runs_in_the_thread_of_the_loop() -> None:
    here: list[int] = []

    @workflow
    async def where() -> int:
        here.append(threading.get_ident())
        return await double(1)

    async with flowing(where) as (_, domain):
        for n, watchdog in enumerate((None, 10.0)):
            async with Worker(domain, watchdog=watchdog):
                run = await started(domain, where, id=f"w-{n}")
                assert await run.result() == 2
    assert here[0] == threading.get_ident() != here[-1]
