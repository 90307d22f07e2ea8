"""Workflows that are run with nothing more to write than their call."""

import asyncio
import contextlib
import logging
import unittest
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import flowser
from flowser import flow
from flowser.domain import Domain
from flowser.exceptions import (
    Error,
    ExecutionCanceled,
    ExecutionFailed,
    ExecutionTimedOut,
    InvalidArgument,
    OperationNotPermittedFault,
    WorkflowExecutionAlreadyStartedFault,
)
from flowser.testing import LocalSwf, replay, save_history
from tests.testing.orders import (
    Manual,
    Receipt,
    Sale,
    charge,
    order,
    pack,
    ship,
    weigh,
)

workflow = flow.workflow(version="1.0", task_list="orders")
activity = flow.activity(version="1.0", task_list="parcels")


@pytest.fixture
async def swf() -> AsyncIterator[LocalSwf]:
    async with LocalSwf() as local:
        yield local


# -- three lines --


async def test_order_expires_after_a_day(swf: LocalSwf) -> None:
    start = swf.now
    assert await swf.run(order, "o-1", amount=Decimal(3)) == "expired"
    assert (swf.now - start).total_seconds() >= 86_400


async def test_activities_and_children_run_for_real(swf: LocalSwf) -> None:
    run = await swf.start(order, "o-1", amount=Decimal(3))
    await swf.skip(hours=2)
    await run.signal("approve", "ann")
    assert await run.result() == "o-1 is on its way, 2 parts, 3 kg"
    assert [call.name for call in run.calls] == ["charge", "Weigh", "ship"]
    assert [call.name for call in swf.calls] == ["charge", "Weigh", "ship"]


async def test_classes_are_run_too(swf: LocalSwf) -> None:
    assert await swf.run(Sale, Receipt("r-1", Decimal("1.5"))) == 1.5
    assert swf.calls[0].args == (Receipt("r-1", Decimal("1.5")),)


async def test_workflow_without_arguments_and_result(swf: LocalSwf) -> None:
    @workflow
    async def nothing() -> None: ...

    assert await swf.run(nothing) is None  # type: ignore[func-returns-value]


async def test_runs_are_numbered_and_named_by_their_options(swf: LocalSwf) -> None:
    first, second = await swf.start(pack, "o-1", 1), await swf.start(pack, "o-2", 1)
    assert (first.workflow_id, second.workflow_id) == ("pack-1", "pack-2")
    named = pack.with_(id="p-1", tag_list=["vip"], task_list="others")
    run = await swf.start(named, "o-3", 1)
    assert run.workflow_id == "p-1"
    assert (await run.describe()).execution_info.tag_list == ["vip"]
    assert await run.result() == ["o-3"]
    assert await second.result() == ["o-2"]


async def test_id_of_an_open_run_is_taken(swf: LocalSwf) -> None:
    named = pack.with_(id="p-1")
    await swf.start(named, "o-1", 1)
    with pytest.raises(WorkflowExecutionAlreadyStartedFault):
        await swf.start(named, "o-2", 1)


async def test_runs_can_reach_one_another(swf: LocalSwf) -> None:
    @workflow
    async def tell(whom: str) -> None:
        await flow.external(whom).signal("approve", "bob")

    run = await swf.start(order.with_(id="o-1"), "o-1", Decimal(1))
    await swf.run(tell, "o-1")
    assert "on its way" in await run.result()


async def test_history_of_a_run_is_saved_and_replayed(
    swf: LocalSwf, tmp_path: Path
) -> None:
    run = await swf.start(pack, "o-1", 2)
    await run.result()
    await save_history(run, tmp_path / "pack.json")
    replay(pack, tmp_path / "pack.json")


async def test_task_lists_of_calls_are_served_wherever_they_are(
    swf: LocalSwf,
) -> None:
    @workflow
    async def elsewhere() -> list[str]:
        return [
            await ship.with_(task_list="trucks")("o-1"),
            *await pack.with_(task_list="cellar")("o-2", 1),
        ]

    assert await swf.run(elsewhere) == ["o-1 is on its way", "o-2"]


async def test_run_that_continues_as_new_is_followed(swf: LocalSwf) -> None:
    @workflow
    async def counting(down: int, done: list[str]) -> list[str]:
        if down:
            again = counting.with_(task_list=f"list-{down}")
            again.continue_as_new(down - 1, [*done, await ship(str(down))])
        return done

    run = await swf.start(counting, 3, [])
    assert len(await run.result()) == 3
    assert len(run.calls) == 3


# -- while it runs --


async def test_cancel_request_is_seen(swf: LocalSwf) -> None:
    run = await swf.start(pack, "o-1", 2)
    await swf.settle()
    await run.request_cancel()
    with pytest.raises(ExecutionCanceled):
        await run.result()


async def test_run_can_be_asked_and_looked_at(swf: LocalSwf) -> None:
    run = await swf.start(pack, "o-1", 2)
    await swf.settle()
    assert await run.query(lambda code: code.order_id) == "o-1"
    assert "in pack" in await run.stack()


async def test_time_can_be_told_to_stand(caplog: pytest.LogCaptureFixture) -> None:
    async with LocalSwf(autojump=False) as swf:
        run = await swf.start(pack, "o-1", 2)
        await swf.skip(minutes=29)
        types = [event.type async for event in run.history()]
        assert "TimerFired" not in types
        await swf.skip(minutes=2)
        types = [event.type async for event in run.history()]
        assert "TimerFired" in types
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


async def test_what_is_still_under_way_is_cut_off_at_the_end() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    @activity
    async def wait() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    @workflow
    async def waiting() -> None:
        await wait()

    async with LocalSwf(autojump=False) as swf:
        await swf.start(waiting)
        await began.wait()
    assert ended.is_set()


# -- how it may end --


async def test_failure_is_raised_as_by_any_handle(swf: LocalSwf) -> None:
    @workflow
    async def broken() -> None:
        raise LookupError("no such order")

    with pytest.raises(ExecutionFailed) as failed:
        await swf.run(broken)
    assert failed.value.reason == "LookupError: no such order"


async def test_run_that_takes_too_long_times_out(swf: LocalSwf) -> None:
    with pytest.raises(ExecutionTimedOut):
        await swf.run(pack.with_(execution_start_to_close_timeout=60), "o-1", 1)


async def test_wait_for_a_result_can_be_given_up(swf: LocalSwf) -> None:
    run = await swf.start(pack, "o-1", 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await run.result()
    assert await run.result() == ["o-1"]


@contextlib.contextmanager
def changing() -> Iterator[Any]:
    """Give a workflow whose code is another one after its first decision."""
    decisions = []

    @workflow
    async def changed() -> None:
        decisions.append(1)
        await (asyncio.sleep(60) if len(decisions) == 1 else ship("o-1"))

    yield changed


async def test_workflow_that_cannot_go_on_fails_the_test_at_once() -> None:
    async with LocalSwf(check_replays=False, worker={"sticky": False}) as swf:
        start = swf.now
        with changing() as changed, pytest.raises(flow.NonDeterminism) as caught:
            await swf.run(changed)
        assert "timer of 60 s" in str(caught.value)
        assert "testing/test_stage.py:" in str(caught.value)
        assert (swf.now - start).total_seconds() < 90  # its decision was left, once
        assert await swf.run(pack, "o-1", 1) == ["o-1"]  # others are free of it


async def test_workflow_that_exits_fails_the_test_at_once(
    swf: LocalSwf, caplog: pytest.LogCaptureFixture
) -> None:
    @workflow
    async def leaving() -> None:
        raise SystemExit(3)

    start = swf.now
    with pytest.raises(Error, match=r"the worker has stopped: .* raised SystemExit"):
        await swf.run(leaving)
    assert (swf.now - start).total_seconds() < 90
    assert "SystemExit(3) in a handler" in caplog.text


async def test_result_that_cannot_be_read_fails_the_test_at_once(
    swf: LocalSwf,
) -> None:
    @activity
    async def count() -> int:
        return "three"  # type: ignore[return-value]

    @workflow
    async def counting() -> int:
        return await count()

    with pytest.raises(flow.Undecodable, match="cannot be read"):
        await swf.run(counting)


async def test_workflow_that_blocks_fails_the_test() -> None:
    @workflow
    async def blocking() -> None:
        while True:
            pass

    async with LocalSwf(check_replays=False, worker={"watchdog": 0.2}) as swf:
        with pytest.raises(flow.Trouble, match="workflow code has run for 0"):
            await swf.run(blocking)


async def test_child_that_cannot_go_on_fails_the_wait_for_its_parent() -> None:
    async with LocalSwf(check_replays=False, worker={"sticky": False}) as swf:
        with changing() as changed:

            @workflow
            async def parent() -> None:
                await changed()

            with pytest.raises(flow.NonDeterminism, match=r"type changed 1\.0"):
                await swf.run(parent)


async def test_trouble_that_nobody_waited_for_is_raised_at_the_end() -> None:
    swf = LocalSwf(check_replays=False, worker={"sticky": False})
    with changing() as changed, pytest.raises(flow.NonDeterminism):
        async with swf:
            await swf.start(changed)
            await swf.skip(minutes=2)


async def test_trouble_of_a_test_that_failed_is_not_raised_over_it() -> None:
    swf = LocalSwf(check_replays=False, worker={"sticky": False})
    with changing() as changed, pytest.raises(LookupError):
        async with swf:
            await swf.start(changed)
            await swf.skip(minutes=2)
            raise LookupError


async def test_faults_do_not_fail_a_test(swf: LocalSwf) -> None:
    swf.faults.lose("RespondDecisionTaskCompleted")
    swf.faults.throttle("RespondActivityTaskCompleted", times=2)
    swf.faults.lose_task("decision")
    run = await swf.start(order, "o-1", Decimal(1))
    await run.signal("approve", "ann")
    assert "on its way" in await run.result()


async def test_beginning_that_failed_can_be_made_again(swf: LocalSwf) -> None:
    swf.faults.fail("RegisterWorkflowType", "OperationNotPermittedFault")
    with pytest.raises(OperationNotPermittedFault):
        await swf.run(pack, "o-1", 1)
    assert await swf.run(pack, "o-1", 1) == ["o-1"]


async def test_runs_can_be_started_at_the_same_time(swf: LocalSwf) -> None:
    runs = await asyncio.gather(*(swf.run(pack, f"o-{n}", 1) for n in range(5)))
    assert runs == [[f"o-{n}"] for n in range(5)]


async def test_server_may_start_again_meanwhile(swf: LocalSwf) -> None:
    run = await swf.start(pack, "o-1", 2)
    await swf.skip(minutes=40)
    await swf.restart()
    assert await run.result() == ["o-1", "o-1"]


# -- what it works with --


async def test_activities_have_what_the_test_provides(swf: LocalSwf) -> None:
    @activity
    async def ask() -> str:
        return flowser.deps(str)

    @activity
    def ask_in_a_thread() -> str:
        return flowser.deps(str)

    def ask_here() -> str:
        return flowser.deps(str)

    @workflow
    async def asking() -> list[str]:
        return [await ask(), await ask_in_a_thread(), await flow.step(ask_here)]

    for given in ("one", "two"):
        with flowser.providing(given):
            assert await swf.run(asking) == [given] * 3


async def test_worker_has_options() -> None:
    @activity
    async def ask() -> int:
        return flowser.deps(int)

    @workflow
    async def asking() -> int:
        return await ask()

    @contextlib.asynccontextmanager
    async def lifespan(_: Domain) -> AsyncIterator[int]:
        yield 7

    async with LocalSwf(worker={"lifespan": lifespan, "watchdog": None}) as swf:
        assert await swf.run(asking) == 7


async def test_wrong_option_of_the_worker_is_told() -> None:
    with pytest.raises(InvalidArgument, match="watchdog is 0"):
        async with LocalSwf(worker={"watchdog": 0}):
            pass
    with pytest.raises(RuntimeError, match="runs workflows within its block"):
        await LocalSwf().run(pack, "o-1", 1)


async def test_lambda_functions_are_those_of_the_local_swf() -> None:
    double = flow.lambda_function("double", result=int)

    @workflow
    async def doubling(number: int) -> int:
        return await double(number)

    role = doubling.with_(lambda_role="arn:aws:iam::123456789012:role/x")
    async with LocalSwf(functions={"double": lambda n: 2 * n}) as swf:
        assert await swf.run(role, 21) == 42
    async with LocalSwf() as swf:
        with pytest.raises(ExecutionFailed, match="ResourceNotFoundException"):
            await swf.run(role, 21)


async def test_domains_of_ones_own_are_beside_it(swf: LocalSwf) -> None:
    class Shop(Domain):
        name = "shop"
        workflow_types = [pack]

    shop = Shop(swf.conn)
    await shop.register()
    async with flowser.Worker(shop):
        handle = await shop.start(pack, pack.input("o-1", 1), workflow_id="p-1")
        assert await swf.run(pack, "o-2", 1) == ["o-2"]
        assert await handle.result() == ["o-1"]


# -- what cannot be run --


async def test_what_is_no_coroutine_workflow_is_refused(swf: LocalSwf) -> None:
    async def plain() -> None: ...

    run: Any = swf.run
    with pytest.raises(InvalidArgument, match="plain is no workflow: decorate it"):
        await run(plain)
    with pytest.raises(InvalidArgument, match=r"Manual is decided by decide\(\)"):
        await run(Manual)
    with pytest.raises(InvalidArgument, match="is no workflow: decorate it"):
        await run(charge)


async def test_arguments_that_do_not_fit_are_told_as_by_a_call(swf: LocalSwf) -> None:
    run: Any = swf.run
    with pytest.raises(TypeError, match="missing a required argument: 'parts'"):
        await run(pack, "o-1")


async def test_type_that_is_declared_twice_is_told(swf: LocalSwf) -> None:
    @flow.activity(version="1.0", task_list="parcels", name="ship")
    async def ship_again(order_id: str) -> str:
        return order_id

    @workflow
    async def shipping() -> str:
        return await ship("o-1") + await ship_again("o-1")

    with pytest.raises(InvalidArgument, match=r"ship 1\.0 is declared twice"):
        await swf.run(shipping)


async def test_activity_that_json_cannot_carry_is_told_at_once(swf: LocalSwf) -> None:
    @activity
    async def compute(number: complex) -> int:
        return int(abs(number))

    @workflow
    async def computing() -> int:
        return await compute(1j)

    with pytest.raises((InvalidArgument, ExecutionFailed), match="complex"):
        await swf.run(computing)
    assert await swf.run(pack, "o-1", 1) == ["o-1"]


# -- without pytest --


class WithUnittest(unittest.IsolatedAsyncioTestCase):
    """The kit in the hands of unittest; pytest runs this as well."""

    async def asyncSetUp(self) -> None:
        self.swf = await self.enterAsyncContext(LocalSwf())

    async def test_order(self) -> None:
        weighing = self.swf.replace(weigh).returns(7.0)
        run = await self.swf.start(order, "o-1", Decimal(1))
        await run.signal("approve", "ann")
        self.assertIn("7 kg", await run.result())  # noqa: PT009 - as users write
        self.assertEqual(weighing.count, 1)  # noqa: PT009 - as users write
