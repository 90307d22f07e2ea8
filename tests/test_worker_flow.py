"""Coroutine workflows, served by a worker."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import flowser
from flowser import flow, tasks, types
from flowser.exceptions import ExecutionFailed, InvalidArgument
from flowser.worker import Worker
from tests.flows import (
    activity,
    attributes_of,
    domain_of,
    double,
    events_of,
    flowing,
    started,
    thrice,
    workflow,
)

log = logging.getLogger("tests.flow")


async def test_decorated_functions_are_served_with_nothing_more_to_write() -> None:
    async with flowing(thrice) as (_, domain), Worker(domain):
        run = await started(domain, thrice, 1)
        assert await run.result() == 8


async def test_classes_with_run_are_served_too() -> None:
    class Tripling(types.Activity):
        name, version, task_list = "Tripling", "1", "doers"

        async def run(self, input: int) -> int:
            return 3 * input

    triple = flow.activity(Tripling)

    class Ninefold(types.Workflow):
        name, version, task_list = "Ninefold", "1", "deciders"

        async def run(self, input: int) -> int:
            return await triple(await triple(input))

    async with flowing(Ninefold, activities=[Tripling]) as (_, domain), Worker(domain):
        run = await domain.start(Ninefold, 2, workflow_id="w-1")
        assert await run.result() == 18


async def test_manual_deciders_and_coroutines_share_a_task_list() -> None:
    class Manual(types.Workflow):
        name, version, task_list = "Manual", "1", "deciders"

        async def decide(self, decision: tasks.Decision) -> None:
            done = await decision.most_recent("ActivityTaskCompleted")
            if done is None:
                decision.schedule(double, {"number": 21}, activity_id="a-1")
            else:
                await decision.workflow_execution.complete(done.attrs["result"])

    async with flowing(thrice, Manual) as (_, domain), Worker(domain) as worker:
        runs = [
            await started(domain, thrice, 1),
            await domain.start(Manual, workflow_id="w-2"),
        ]
        assert [await run.result() for run in runs] == [8, 42]
    assert worker.counts["decisions completed"] == 6
    assert worker.counts["runs replayed"] == 1


def test_type_with_both_run_and_decide_is_refused() -> None:
    class Both(types.Workflow):
        name, version, task_list = "Both", "1", "deciders"

        async def run(self, input: Any) -> None: ...

        async def decide(self, decision: tasks.Decision) -> None: ...

    async def check() -> None:
        with pytest.raises(InvalidArgument, match="Both has both decide and run"):
            Worker(domain_of([Both])(_Nowhere()))

    asyncio.run(check())


class _Nowhere:
    """A wire that leads nowhere."""

    async def call(self, *_: Any) -> Any: ...


async def test_function_of_the_worker_comes_in_place_of_run() -> None:
    async with flowing(thrice) as (_, domain):
        worker = Worker(domain)

        @worker.decider(thrice)
        async def decide(decision: tasks.Decision) -> None:
            await decision.workflow_execution.complete(0)

        async with worker:
            run = await started(domain, thrice, 1)
            assert await run.result() == 0


async def test_exception_of_workflow_code_fails_the_run() -> None:
    @workflow
    async def broken() -> None:
        await double(1)
        raise LookupError("no such order")

    async with flowing(broken) as (_, domain), Worker(domain):
        run = await started(domain, broken)
        with pytest.raises(ExecutionFailed) as failed:
            await run.result()
    assert failed.value.reason == "LookupError: no such order"
    assert json.loads(failed.value.details or "")["type"] == "builtins.LookupError"


async def test_signal_that_comes_while_a_run_is_closed_is_not_lost() -> None:
    arrived = asyncio.Event()

    async def wait() -> None:
        await arrived.wait()

    @workflow
    async def order() -> list[str]:
        items = flow.signals("item", str)
        await flow.step(wait)
        return [items.receive_nowait() for _ in range(len(items))]

    async with flowing(order) as (local, domain), Worker(domain) as worker:
        run = await started(domain, order)
        await local.happened("DecisionTaskStarted")
        await run.signal("item", "a")
        arrived.set()
        await run.result()
        assert "CompleteWorkflowExecutionFailed" in await events_of(run)
    assert worker.counts["decisions completed"] == 2


# -- trouble --


def first_version() -> Any:
    @flow.workflow(version="1.0", task_list="deciders", name="changing")
    async def changing() -> None:
        await flow.signals("go").receive()
        await double(1)
        await flow.signals("on").receive()

    return changing


def second_version() -> Any:
    @flow.workflow(version="1.0", task_list="deciders", name="changing")
    async def changing() -> None:
        await flow.signals("go").receive()
        await asyncio.sleep(1)

    return changing


async def test_code_that_changed_leaves_the_decision_and_reports_ever_more_rarely(
    caplog: pytest.LogCaptureFixture,
) -> None:
    old, new = first_version(), second_version()
    async with flowing(old, second=0.05) as (local, domain):
        options: dict[str, Any] = {"task_start_to_close_timeout": "2"}
        async with Worker(domain):
            run = await started(domain, old, **options)
            await run.signal("go")
            await local.happened("ActivityTaskCompleted")
            await local.happened("DecisionTaskCompleted", 3)
        other = domain_of([new])(domain.conn)
        async with Worker(other, on_decision_error="fail") as worker:
            await run.signal("on")
            await local.happened("DecisionTaskTimedOut", 6)
        assert (await run.describe()).execution_info.execution_status == "OPEN"
    told = [r for r in caplog.records if "cannot be decided" in r.getMessage()]
    failures = [(vars(r)["failures"], r.levelno) for r in told if r.levelno > 10]
    assert failures[:3] == [(1, 40), (2, 40), (4, 40)]
    assert "double" in told[0].getMessage()
    assert vars(told[0])["workflow_id"] == "w-1"
    assert worker.counts["decisions completed"] == 0


async def test_input_that_cannot_be_read_leaves_the_decision(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with flowing(thrice) as (local, domain), Worker(domain) as worker:

        class Foreign(types.Workflow):  # another program's idea of it
            name, version, task_list = "thrice", "1.0", "deciders"

        await Foreign(domain).start({"number": "many"}, workflow_id="w-1")
        await local.happened("DecisionTaskStarted")
        await local.until(lambda: worker.counts["decisions left"] == 1, "left")
        assert local.events["WorkflowExecutionFailed"] == 0
    assert "event 1 cannot be read" in caplog.text


async def test_exception_of_a_task_that_nobody_awaited_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @workflow
    async def careless() -> int:
        async def stray(number: int) -> None:
            raise ValueError(f"stray {number}")

        asyncio.create_task(stray(1))  # noqa: TID251, RUF006 - what is tested
        await asyncio.gather(*map(double, range(8)))
        asyncio.create_task(stray(2))  # noqa: TID251, RUF006 - likewise
        await asyncio.sleep(0)
        return 4

    async with flowing(careless) as (_, domain), Worker(domain, sticky=False):
        assert await (await started(domain, careless)).result() == 4
    told = {str(r.exc_info[1]): r for r in caplog.records if r.exc_info}
    assert [*sorted(told)] == ["stray 1", "stray 2"]
    assert len(caplog.records) == len(told)
    assert told["stray 2"].getMessage() == "task 10 raised, and nobody awaited it"
    assert vars(told["stray 2"])["workflow_id"] == "w-1"


async def test_exception_of_a_callback_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @workflow
    async def careless() -> int:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)
        return 1

    async with flowing(careless) as (_, domain), Worker(domain):
        assert await (await started(domain, careless)).result() == 1
    [record] = [r for r in caplog.records if "Exception in callback" in r.getMessage()]
    assert record.exc_info
    assert vars(record)["workflow_id"] == "w-1"


# -- logging --


async def test_what_is_replayed_is_not_logged_again_by_any_logger(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @workflow
    async def talking() -> None:
        log.warning("begins")
        await double(1)
        log.warning("goes on", extra={"run_id": "mine", "color": "red"})
        await double(2)
        log.warning("ends")

    own: list[logging.LogRecord] = []

    class Own(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            own.append(record)

    handler = Own()
    log.addHandler(handler)
    try:
        async with flowing(talking) as (_, domain), Worker(domain, sticky=False):
            run = await started(domain, talking)
            await run.result()
    finally:
        log.removeHandler(handler)
    assert [r.getMessage() for r in own] == ["begins", "goes on", "ends"]
    told = [vars(r) for r in caplog.records if r.name == log.name]
    assert [each["run_id"] for each in told] == [run.run_id, "mine", run.run_id]
    assert told[0]["workflow_id"] == "w-1"
    assert told[0]["type"] == "talking 1.0"
    assert logging.getLogRecordFactory() is logging.LogRecord


# -- dependencies --


class Pool:
    """Something that is opened and closed."""

    def __init__(self) -> None:
        self.open = True


@asynccontextmanager
async def pooled(domain: flowser.Domain) -> AsyncIterator[Pool]:
    pool = pools[domain.name] = Pool()
    yield pool
    pool.open = False


pools: dict[str, Pool] = {}


async def test_what_the_lifespan_makes_is_there_for_activities_and_steps() -> None:
    @activity
    async def ask() -> bool:
        return flowser.deps(Pool) is pools["given"]

    @activity
    def ask_in_thread() -> bool:
        return flowser.deps(Pool) is pools["given"]

    async def step() -> bool:
        return flowser.deps(Pool) is pools["given"]

    @workflow
    async def asking() -> list[bool]:
        try:
            flowser.deps()
        except LookupError:
            return [await ask(), await ask_in_thread(), await flow.step(step)]
        return []

    given = [ask, ask_in_thread]
    async with flowing(asking, activities=given) as (_, domain):
        async with Worker(domain, lifespan=pooled):
            assert pools["given"].open
            run = await started(domain, asking)
            assert await run.result() == [True, True, True]
        assert not pools["given"].open
    with pytest.raises(LookupError, match="lifespan"):
        flowser.deps()


async def test_lifespan_that_fails_keeps_the_worker_from_beginning() -> None:
    @asynccontextmanager
    async def broken(domain: flowser.Domain) -> AsyncIterator[None]:
        raise ConnectionError("no database")
        yield

    async with flowing(thrice) as (local, domain):
        with pytest.raises(ConnectionError, match="no database"):
            async with Worker(domain, lifespan=broken):
                pass
        assert local.calls["PollForDecisionTask"] == 0


async def test_unit_test_provides_what_an_activity_needs() -> None:
    @activity
    async def ask() -> str:
        return flowser.deps(str)

    with flowser.providing("a pool"):
        assert await ask() == "a pool"
    with flowser.providing(7), pytest.raises(InvalidArgument, match="is int, not str"):
        await ask()


# -- histories --


async def test_run_of_many_pages_is_replayed_page_by_page() -> None:
    @workflow
    async def long(number: int) -> int:
        for _ in range(15):
            number += await double(1)
        return number

    async with flowing(long, page_size=20) as (local, domain):
        async with Worker(domain, sticky=False) as worker:
            run = await started(domain, long, 1)
            assert await run.result() == 31
        assert local.calls["GetWorkflowExecutionHistory"] > 10
        events = await attributes_of(run, "DecisionTaskCompleted")
    assert len(events) == worker.counts["runs replayed"] == 16


@pytest.mark.unchecked("a hundred long histories would be replayed three times")
async def test_history_that_becomes_long_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @workflow
    async def noting() -> bool:
        for number in range(9_900):
            flow.mark("number", number)
        short = flow.info().should_continue_as_new
        await double(1)
        return short or flow.info().should_continue_as_new

    async with flowing(noting) as (_, domain), Worker(domain) as worker:
        run = await started(domain, noting)
        assert await run.result() is False
    told = [r for r in caplog.records if "continue as new" in r.getMessage()]
    [words] = [record.getMessage() for record in told]
    assert words.startswith("the history has 10")
    assert "SWF ends runs at 25,000" in words
    assert vars(told[0])["workflow_id"] == "w-1"
    assert worker.counts["decisions completed"] > 100
