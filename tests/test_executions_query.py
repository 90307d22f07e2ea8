"""Asking a run, and where it waits: replayed here, with no worker and no effect."""

import asyncio
import logging
from typing import Any

import pytest

from flowser import flow, tasks, types
from flowser.domain import Domain
from flowser.exceptions import InvalidArgument, UnknownResourceFault
from flowser.executions import WorkflowExecution
from flowser.testing import LocalSwf
from flowser.worker import Worker
from tests.flows import domain_of, double, flowing, started, workflow

log = logging.getLogger("tests.query")


class Order(types.Workflow):
    """Waits for approvals; keeps what it knows."""

    name, version, task_list = "Order", "1", "deciders"

    def __init__(self, domain: Any) -> None:
        super().__init__(domain)
        self.approved: list[str] = []
        self.state = "new"

    async def run(self, input: int) -> str:
        self.state = "waits"
        approvals = flow.signals("approve", str)
        while len(self.approved) < input:
            self.approved.append(await approvals.receive())
        self.state = "approved"
        return ", ".join(self.approved)

    def left(self) -> int:
        """Count the approvals that were given."""
        return len(self.approved)


@workflow
async def doubling(number: int) -> int:
    """Double a number, and again when told to."""
    once = await double(number)
    again = flow.signals("again")
    await again.receive()
    twice: int = await double(once)
    return twice


async def domain_on(swf: LocalSwf, *kinds: Any, activities: Any = ()) -> Domain:
    domain = domain_of(kinds, activities)(swf.conn)
    await domain.register()
    return domain


async def served(swf: LocalSwf, domain: Domain) -> None:
    """Let a worker do what there is to do, and go."""
    async with Worker(domain, sticky=False):
        await swf.settle()


async def an_order(swf: LocalSwf, *signals: str, wants: int = 2) -> WorkflowExecution:
    """Start an order, give approvals, and let it be decided."""
    domain = await domain_on(swf, Order)
    handle = await domain.start(Order, wants, workflow_id="o-1")
    for name in signals:
        await handle.signal("approve", name)
    await served(swf, domain)
    return handle


async def a_doubling(swf: LocalSwf) -> WorkflowExecution:
    domain = await domain_on(swf, doubling)
    handle = await started(domain, doubling, 3)
    await served(swf, domain)
    return handle


# -- what a function gets --


async def test_a_function_gets_the_instance_of_a_class(swf: LocalSwf) -> None:
    handle = await an_order(swf, "ann")
    assert await handle.query(lambda order: order.state) == "waits"
    assert await handle.query(Order.left) == 1
    assert await handle.query(lambda order: list(order.approved)) == ["ann"]


async def test_a_function_gets_the_variables_of_a_function(swf: LocalSwf) -> None:
    handle = await a_doubling(swf)
    assert await handle.query(lambda order: (order.number, order.once)) == (3, 6)
    with pytest.raises(AttributeError, match="no variable 'twice' there; it has again"):
        await handle.query(lambda order: order.twice)


async def test_a_function_may_look_at_the_run_itself(swf: LocalSwf) -> None:
    handle = await an_order(swf)
    info, now = await handle.query(lambda _: (flow.info(), flow.now()))
    assert info.workflow_id == "o-1"
    assert info.run_id == handle.run_id
    assert now == info.started_at


async def test_what_a_function_raises_is_raised(swf: LocalSwf) -> None:
    handle = await an_order(swf)
    with pytest.raises(ZeroDivisionError):
        await handle.query(lambda order: 1 // len(order.approved))


# -- of which runs --


async def test_closed_runs_are_asked_too(swf: LocalSwf) -> None:
    handle = await an_order(swf, "ann", "bob")
    assert await handle.result() == "ann, bob"
    assert await handle.query(lambda order: order.state) == "approved"


async def test_closed_functions_show_their_last_variables(swf: LocalSwf) -> None:
    handle = await a_doubling(swf)
    await handle.signal("again")
    await served(swf, handle.caller.domain)
    assert await handle.result() == 12
    assert await handle.query(lambda order: (order.once, order.twice)) == (6, 12)


async def test_terminated_runs_are_as_they_were(swf: LocalSwf) -> None:
    handle = await an_order(swf, "ann")
    await handle.terminate()
    assert await handle.query(Order.left) == 1
    assert "in run" in await handle.stack()


async def test_runs_that_nobody_has_decided_are_asked_too(swf: LocalSwf) -> None:
    domain = await domain_on(swf, Order)
    handle = await domain.start(Order, 2, workflow_id="o-1")
    await handle.signal("approve", "ann")
    assert await handle.query(Order.left) == 1
    assert await handle.query(lambda _: flow.info().started_at) == swf.now


async def test_runs_whose_decision_is_under_way_are_asked_too(swf: LocalSwf) -> None:
    domain = await domain_on(swf, Order)
    handle = await domain.start(Order, 2, workflow_id="o-1")
    task = await domain.poll_decision(Order)
    await handle.signal("approve", "ann")
    assert await handle.query(Order.left) == 1
    await task.complete()


async def test_without_a_run_id_the_open_run_or_the_latest_is_asked(
    swf: LocalSwf,
) -> None:
    @workflow
    async def paging(page: int) -> str:
        turn = flow.signals("turn")
        await turn.receive()
        if page < 3:
            paging.continue_as_new(page + 1)
        return "the end"

    domain = await domain_on(swf, paging)
    first = await started(domain, paging, 1)
    latest = domain.execution("w-1")
    pages = []
    async with Worker(domain, sticky=False):
        for _ in range(3):
            pages.append(await latest.query(lambda book: book.page))
            await latest.signal("turn")
            await swf.settle()
    assert pages == [1, 2, 3]
    assert await latest.query(lambda book: book.page) == 3
    assert await first.query(lambda book: book.page) == 1


async def test_unknown_runs_are_unknown(swf: LocalSwf) -> None:
    domain = await domain_on(swf, Order)
    for handle in (domain.execution("o-2"), domain.execution("o-2", "run-9")):
        with pytest.raises(UnknownResourceFault):
            await handle.query(Order.left)


async def test_handles_of_tasks_and_lists_are_asked_too(swf: LocalSwf) -> None:
    handle = await an_order(swf, "ann")
    domain = handle.caller.domain
    infos = [info async for info in domain.open_executions()]
    listed = WorkflowExecution(infos[0].execution, domain)
    assert await listed.query(Order.left) == 1
    await handle.signal("approve", "bob")
    task = await domain.poll_decision(Order)
    assert await task.workflow_execution.query(Order.left) == 2


# -- whose code --


async def test_the_type_of_the_handle_is_taken_where_the_domain_has_none(
    swf: LocalSwf,
) -> None:
    handle = await an_order(swf, "ann")

    class Other(Domain):
        name = "given"

    other = Other(swf.conn)
    by_type = other.execution("o-1", handle.run_id, Order)
    assert await by_type.query(Order.left) == 1
    with pytest.raises(InvalidArgument, match=r"'Order' '1' is none of Other\.workf"):
        await other.execution("o-1", handle.run_id).query(Order.left)


async def test_manual_deciders_cannot_be_asked(swf: LocalSwf) -> None:
    class Manual(types.Workflow):
        name, version, task_list = "Manual", "1", "deciders"

        async def decide(self, decision: tasks.Decision) -> None:
            """Decide nothing."""

    domain = await domain_on(swf, Manual)
    handle = await domain.start(Manual, workflow_id="w-1")
    with pytest.raises(InvalidArgument, match="no run that could be replayed: look at"):
        await handle.query(str)
    with pytest.raises(InvalidArgument, match="no run that could be replayed"):
        await handle.stack()


async def test_code_that_has_changed_is_told_by_its_report(swf: LocalSwf) -> None:
    await a_doubling(swf)

    @flow.workflow(version="1.0", task_list="deciders", name="doubling")
    async def other(number: int) -> int:
        await asyncio.sleep(number)
        return number

    changed = domain_of([other])(swf.conn)
    with pytest.raises(flow.NonDeterminism, match="history and code differ"):
        await changed.execution("w-1").query(str)


async def test_an_input_that_is_none_is_told_by_its_event(swf: LocalSwf) -> None:
    domain = await domain_on(swf, Order)
    handle = await domain.start(Order, "two", workflow_id="o-1")
    with pytest.raises(flow.Undecodable, match="event 1 cannot be read"):
        await handle.query(Order.left)


# -- without effect --


async def test_nothing_is_sent_and_no_worker_is_needed() -> None:
    def meddle(order: Any) -> str:
        flow.set_status("asked")
        flow.mark("asked")
        double.start(3)
        asyncio.get_running_loop().create_task(asyncio.sleep(3))
        order.approved.append("nobody")
        return "done"

    async with flowing(Order) as (local, domain):
        handle = await domain.start(Order, 2, workflow_id="o-1")
        async with Worker(domain):
            await local.happened("DecisionTaskCompleted")
        before = local.calls.copy()
        assert await handle.query(meddle) == "done"
        assert await handle.query(Order.left) == 0
        assert "in run" in await handle.stack()
        assert local.calls - before == {"GetWorkflowExecutionHistory": 3}
        assert (await handle.describe()).latest_execution_context == '{"fv":1}'


async def test_steps_are_taken_from_the_history_and_never_done(swf: LocalSwf) -> None:
    done: list[str] = []

    async def draw(name: str) -> str:
        done.append(name)
        return name.upper()

    @workflow
    async def drawing() -> list[str]:
        drawn = [await flow.step(draw, "a")]
        await flow.signals("more").receive()
        drawn.append(await flow.step(draw, "b"))
        return drawn

    domain = await domain_on(swf, drawing)
    handle = await started(domain, drawing)
    await served(swf, domain)
    await handle.signal("more")
    assert await handle.query(lambda order: order.drawn) == ["A"]
    assert "waits for step draw" in await handle.stack()
    assert done == ["a"]


async def test_log_records_are_dropped_but_those_of_the_function(
    swf: LocalSwf, caplog: pytest.LogCaptureFixture
) -> None:
    @workflow
    async def talking() -> None:
        try:
            log.warning("begun")
            await flow.signals("go").receive()
            log.warning("told")
            await flow.signals("go").receive()
        finally:
            log.warning("ended")

    domain = await domain_on(swf, talking)
    handle = await started(domain, talking)
    await served(swf, domain)
    await handle.signal("go")
    caplog.clear()
    factory = logging.getLogRecordFactory()
    await handle.query(lambda _: log.warning("asked"))
    assert [record.getMessage() for record in caplog.records] == ["asked"]
    assert logging.getLogRecordFactory() is factory


# -- stacks --


async def test_the_stack_says_where_every_task_waits(swf: LocalSwf) -> None:
    @workflow
    async def both(number: int) -> None:
        async def one() -> None:
            await double(number)

        async with asyncio.TaskGroup() as group:
            group.create_task(one(), name="one")
            await asyncio.sleep(3600)

    domain = await domain_on(swf, both)
    handle = await started(domain, both, 3)
    stack = await handle.stack()
    lines = stack.splitlines()
    assert lines[0] == "main task"
    first = both.function.__code__.co_firstlineno
    assert lines[1] == f"  tests/{__name__[6:]}.py:{first + 7} in both"
    assert lines[2].startswith("task 1 'one' waits for activity double")
    assert lines[3] == f"  tests/{__name__[6:]}.py:{first + 3} in one"


async def test_a_run_that_has_come_to_its_end_waits_nowhere(swf: LocalSwf) -> None:
    handle = await an_order(swf, "ann", "bob")
    assert await handle.stack() == ""
