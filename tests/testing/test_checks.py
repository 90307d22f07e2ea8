"""Every decision of a worker is made again; what differs fails the test."""

import asyncio
import itertools
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import flowser
from flowser import flow
from flowser._worker.observing import observed, observer
from flowser.exceptions import ExecutionFailed
from flowser.replay.run import Run
from flowser.testing import (
    Checks,
    DifferentDecision,
    LocalSwf,
    checked_replays,
)
from flowser.testing.checks import unchecked_replays
from tests.declared import logged
from tests.flows import domain_of, double, flowing, started, thrice, workflow

pytestmark = pytest.mark.unchecked("the checks are under test")

log = logging.getLogger("tests.checks")


@asynccontextmanager
async def shop(
    swf: LocalSwf, *workflows: Any, **options: Any
) -> AsyncIterator[tuple[flowser.Domain, flowser.Worker]]:
    """Serve workflows on a local SWF."""
    domain = domain_of(workflows)(swf.conn)
    await domain.register()
    async with flowser.Worker(domain, **options) as worker:
        yield domain, worker


@workflow
async def wavering() -> int:
    """Depend on how often it was called."""
    return await double(next(calls))


@workflow
async def remembering() -> None:
    """Depend on what an earlier run left behind."""
    seen.append(1)
    await asyncio.sleep(len(seen))


@workflow
async def failing() -> None:
    """Raise what has a longer traceback each time."""
    raise always


always = ValueError("no")
calls = itertools.count()
seen: list[int] = []


# -- what is checked --


@pytest.mark.parametrize("sticky", [True, False])
async def test_decisions_of_runs_that_are_kept_and_of_new_ones_are_checked(
    sticky: bool,
) -> None:
    with checked_replays() as checks:
        async with (
            LocalSwf() as swf,
            shop(swf, thrice, sticky=sticky) as (domain, worker),
        ):
            assert await (await started(domain, thrice, 1)).result() == 8
    assert checks.count == 4
    assert worker.counts["runs resumed"] == (3 if sticky else 0)
    assert checks.reports == []


async def test_where_a_failure_was_raised_is_not_compared() -> None:
    with checked_replays() as checks:
        async with LocalSwf() as swf:
            for _ in range(2):
                with pytest.raises(ExecutionFailed, match="ValueError: no"):
                    await swf.run(failing)
    assert (checks.count, checks.reports) == (2, [])


async def test_nothing_more_is_asked_of_swf() -> None:
    with checked_replays() as checks:
        async with flowing(thrice) as (local, domain), flowser.Worker(domain):
            await started(domain, thrice, 1)
            await local.happened("WorkflowExecutionCompleted")
            assert local.calls["GetWorkflowExecutionHistory"] == 0
    assert checks.count == 4


async def test_workflow_code_logs_once() -> None:
    @workflow
    async def talking() -> None:
        log.warning("begins")
        await double(1)
        log.warning("ends")

    told: list[str] = []

    class Own(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    log.addHandler(handler := Own())
    try:
        async with LocalSwf() as swf, shop(swf, talking) as (domain, _):
            await (await started(domain, talking)).result()
    finally:
        log.removeHandler(handler)
    assert told == ["begins", "ends"]


async def test_steps_are_done_once_also_more_than_have_room_in_a_decision() -> None:
    done: list[int] = []

    async def draw(number: int) -> int:
        done.append(number)
        return number

    @workflow
    async def drawing() -> int:
        one = await flow.step(draw, 0)
        more = (flow.step(draw, number) for number in range(1, 121))
        return one + sum(await asyncio.gather(*more))

    with checked_replays() as checks:
        async with LocalSwf() as swf, shop(swf, drawing) as (domain, _):
            assert await (await started(domain, drawing)).result() == 7260
    assert done == [*range(121)]
    assert checks.count == 3


async def test_a_decision_whose_step_goes_on_is_checked() -> None:
    async def last() -> int:
        await asyncio.sleep(60)  # longer than half of the decision's time
        return 1

    @workflow
    async def lasting() -> int:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(5))
            return await flow.step(last)

    options: dict[str, Any] = {"task_start_to_close_timeout": "30"}
    with checked_replays() as checks:
        async with LocalSwf() as swf, shop(swf, lasting) as (domain, _):
            run = await started(domain, lasting, **options)
            assert await run.result() == 1
    assert checks.count >= 4


async def test_a_run_that_is_closed_anew_after_a_signal_is_checked() -> None:
    arrived = asyncio.Event()

    async def wait() -> None:
        await arrived.wait()

    @workflow
    async def collecting() -> int:
        items = flow.signals("item", str)
        await flow.step(wait)
        return len(items)

    with checked_replays() as checks:
        async with LocalSwf() as swf, shop(swf, collecting) as (domain, _):
            run = await started(domain, collecting)
            await swf.settle()
            await run.signal("item", "a")
            arrived.set()
            await run.result()
    assert checks.count == 2


async def test_of_a_long_history_what_matters_is_checked() -> None:
    @workflow
    async def counting() -> int:
        ticks = flow.signals("tick")
        for _ in range(320):
            await ticks.receive()
        return 320

    with checked_replays() as checks:
        async with LocalSwf() as swf, shop(swf, counting) as (domain, worker):
            run = await started(domain, counting)
            for _ in range(320):
                await run.signal("tick")
                await swf.settle()
            assert await run.result() == 320
    decided = worker.counts["decisions completed"]
    assert decided == 320
    # Every decision up to event 1,000, a few of the others, and the last one.
    assert 250 < checks.count < 262


# -- what differs --


async def test_a_decision_that_is_another_one_fails_the_test_at_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(DifferentDecision) as failed:
        async with LocalSwf() as swf, shop(swf, wavering) as (domain, _):
            await (await started(domain, wavering)).result()
    [report] = failed.value.reports
    assert "w-1 (run " in report
    assert "type wavering 1.0), decision at event 3" in report
    assert "  - ScheduleActivityTask 1  answered" in report
    assert "  + ScheduleActivityTask 1  decided again, " in report
    assert "test_checks.py:" in report
    assert 'input: {"number":' in report
    assert "check_replays=False" in str(failed.value)
    [(_, told)] = logged(caplog, logging.ERROR)
    assert "decides otherwise; the test fails at its end" in told
    assert "number" not in told


async def test_what_differs_only_the_second_time_is_found() -> None:
    turns = iter([1, 1, 2])

    @workflow
    async def late() -> int:
        return await double(next(turns))

    with pytest.raises(DifferentDecision, match="input"):
        async with LocalSwf() as swf, shop(swf, late) as (domain, _):
            await started(domain, late)
            await swf.settle()


async def test_a_run_that_cannot_be_replayed_any_more_is_told_of() -> None:
    seen.clear()
    with pytest.raises(DifferentDecision, match=r"startToFireTimeout: \d"):
        async with LocalSwf() as swf, shop(swf, remembering) as (domain, _):
            await started(domain, remembering)
            await swf.settle()


async def test_of_a_run_the_first_difference_is_told_and_the_run_goes_on() -> None:
    @workflow
    async def twice() -> None:
        await double(next(calls))
        await double(next(calls))

    with pytest.raises(DifferentDecision) as failed:
        async with LocalSwf() as swf, shop(swf, twice) as (domain, worker):
            await (await started(domain, twice)).result()
    assert worker.counts["decisions completed"] == 3
    assert len(failed.value.reports) == 1


async def test_a_test_that_fails_itself_has_the_reports_as_notes() -> None:
    with pytest.raises(LookupError) as failed:
        async with LocalSwf() as swf, shop(swf, wavering) as (domain, _):
            await (await started(domain, wavering)).result()
            raise LookupError
    [note] = failed.value.__notes__
    assert "decides otherwise" in note
    with pytest.raises(LookupError) as failed, checked_replays() as checks:
        checks.reports.append("one that differs")
        raise LookupError
    assert failed.value.__notes__ == ["one that differs"]


async def test_code_that_blocks_when_it_is_called_again_is_interrupted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wakes, turns = threading.Event(), itertools.count()

    @workflow
    async def hanging() -> str:
        if next(turns) == 1:
            wakes.wait()
        return "done"

    with checked_replays() as checks:
        async with (
            flowing(hanging, second=0.1) as (local, domain),
            flowser.Worker(domain, watchdog=0.2) as worker,
        ):
            run = await started(domain, hanging, task_start_to_close_timeout="20")
            await local.until(lambda: worker.counts["decisions left"] == 1, "left")
            wakes.set()
            assert await run.result() == "done"
    assert "without waiting" in caplog.text
    assert checks.reports == []


# -- where --


async def test_what_is_meant_so_can_be_left_alone() -> None:
    with checked_replays() as checks:
        async with (
            LocalSwf(check_replays=False) as swf,
            shop(swf, wavering) as (domain, _),
        ):
            await (await started(domain, wavering)).result()
    assert checks.count == 0


def test_in_a_block_within_a_block_it_is_the_same() -> None:
    assert observer() is None
    with checked_replays() as outer:
        with checked_replays() as inner:
            assert inner is outer
        with unchecked_replays():
            assert observer() is None
            with checked_replays() as other:
                assert other is not outer
        assert observer() is outer
    assert observer() is None


def test_blocks_may_end_in_any_order() -> None:
    first, second = Checks(), Checks()
    one, two = observed(first), observed(second)
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert observer() is second
    two.__exit__(None, None, None)
    assert observer() is None


def test_runs_of_others_are_none_of_its_business() -> None:
    with checked_replays() as checks:
        Run("o-1", "r-1", flow.Program(thrice.type)).end()
    assert checks.count == 0
