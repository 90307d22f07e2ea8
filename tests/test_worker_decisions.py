"""One decision: its handler, its answer, whatever goes wrong."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from flowser import tasks
from flowser.exceptions import UnknownResourceFault
from flowser.worker import Worker
from tests.declared import Album, Photos, logged
from tests.histories import Raw, began, decision_task, marker
from tests.support.answers import Fault, Lost, invalid, throttled, unknown_resource
from tests.support.scripted import ScriptedSwf
from tests.workers import deciding, domain_class, first, nothing, photos

ANSWER = "RespondDecisionTaskCompleted"
POLL = "PollForDecisionTask"
GONE = unknown_resource("Unknown decision task, scheduledEventId = 2")


@pytest.fixture
async def domain(scripted: ScriptedSwf) -> AsyncIterator[Photos]:
    async with photos(scripted.url) as opened:
        yield opened


async def left(scripted: ScriptedSwf, polls: int = 2) -> None:
    """Wait until the tasks before this poll are over."""
    await scripted.received(POLL, polls)
    scripted.release_polls()


async def broken(decision: tasks.Decision) -> None:
    """Raise."""
    decision.mark("half-baked")
    raise ValueError("undecided")


async def test_task_whose_handler_raises_is_left_to_be_handed_out_again(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.answer(POLL, first())
    worker = deciding(domain, broken, decisions=1)
    async with worker:
        await left(scripted)
    assert scripted.count(ANSWER) == 0
    assert worker.counts == {"decisions left": 1}
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.exc_info
    assert vars(record)["failures"] == 1
    assert vars(record)["workflow_id"] == "album-1"


async def test_run_whose_handler_raises_is_failed_if_that_is_wanted(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    scripted.answer(POLL, first())
    worker = deciding(domain, broken, decisions=1, on_decision_error="fail")
    async with worker:
        await left(scripted)
    [decision] = scripted.of(ANSWER)[0].params["decisions"]
    told = decision["failWorkflowExecutionDecisionAttributes"]
    assert told["reason"] == "ValueError: undecided"
    assert "in broken" in told["details"]
    assert worker.counts == {"decisions failed": 1}


async def test_failures_of_one_run_are_logged_ever_more_rarely(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.answer(POLL, *[first()] * 9)
    async with deciding(domain, broken, decisions=1):
        await left(scripted, 10)
    failures = [vars(r)["failures"] for r in caplog.records if r.levelno > 30]
    assert failures == [1, 2, 4, 8]


async def test_failures_count_from_the_last_success(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    turns = iter([broken, nothing, broken])
    scripted.answer(POLL, *[first()] * 3)

    async def decide(decision: tasks.Decision) -> None:
        await next(turns)(decision)

    async with deciding(domain, decide, decisions=1):
        await left(scripted, 4)
    failures = [vars(r)["failures"] for r in caplog.records if r.levelno > 30]
    assert failures == [1, 1]


async def test_decision_that_swf_would_refuse_is_an_error_of_the_handler(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    async def decide(decision: tasks.Decision) -> None:
        decision.mark("fine").mark("x" * 300)

    scripted.answer(POLL, first())
    async with deciding(domain, decide, decisions=1):
        await left(scripted)
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.exc_info
    assert "decisions[1]" in str(record.exc_info[1])
    assert "marker_name" in str(record.exc_info[1])


async def test_answer_is_repeated_until_swf_takes_it(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def decide(decision: tasks.Decision) -> None:
        await decision.workflow_execution.complete("done")

    scripted.answer(POLL, first())
    scripted.answer(ANSWER, *[throttled()] * 7, *[Lost()] * 6, GONE)
    worker = deciding(domain, decide, decisions=1)
    async with worker:
        await left(scripted)
    assert scripted.count(ANSWER) == 14
    assert worker.counts == {"decisions completed": 1}


@pytest.mark.parametrize("fault", [GONE, invalid("Specified token has expired")])
async def test_task_whose_pages_cannot_be_read_is_dropped(
    scripted: ScriptedSwf,
    domain: Photos,
    caplog: pytest.LogCaptureFixture,
    fault: Any,
) -> None:
    async def decide(decision: tasks.Decision) -> None:
        assert [event async for event in decision.events]

    scripted.answer(POLL, decision_task([marker(9)], "token"), fault)
    worker = deciding(domain, decide, decisions=1, on_decision_error="fail")
    async with worker:
        await left(scripted, 3)
    assert scripted.count(ANSWER) == 0
    assert worker.counts == {"decisions dropped": 1}
    assert not [text for level, text in logged(caplog) if level == "ERROR"]


@pytest.mark.parametrize(
    "polls",
    [
        [decision_task([marker(9), marker(7)])],
        [decision_task([marker(9)], "token"), decision_task([marker(7)])],
        [decision_task([marker(9)], "token"), decision_task([marker(8)], "token")],
    ],
)
async def test_history_that_does_not_fit_together_is_never_decided_on(
    scripted: ScriptedSwf,
    domain: Photos,
    caplog: pytest.LogCaptureFixture,
    polls: list[Raw],
) -> None:
    async def decide(decision: tasks.Decision) -> None:
        assert [event async for event in decision.events]

    scripted.answer(POLL, *polls)
    worker = deciding(domain, decide, decisions=1, on_decision_error="fail")
    async with worker:
        await left(scripted, len(polls) + 1)
    assert scripted.count(ANSWER) == 0
    assert worker.counts == {"decisions dropped": 1}
    [record] = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert record.levelname == "WARNING"
    assert vars(record)["workflow_id"] == "album-1"
    assert vars(record)["type"] == "Album 1.0"


async def test_fault_of_something_else_is_an_error_of_the_handler(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def decide(decision: tasks.Decision) -> None:
        await domain.execution("other").signal("hello")

    scripted.answer(POLL, first())
    scripted.answer("SignalWorkflowExecution", unknown_resource("Unknown execution"))
    worker = deciding(domain, decide, decisions=1, on_decision_error="fail")
    async with worker:
        await left(scripted)
    [decision] = scripted.of(ANSWER)[0].params["decisions"]
    told = decision["failWorkflowExecutionDecisionAttributes"]
    assert told["reason"].startswith(UnknownResourceFault.__name__)


async def test_failure_of_the_network_never_fails_a_run(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def decide(decision: tasks.Decision) -> None:
        await domain.execution("other").signal("hello")

    scripted.answer(POLL, first())
    scripted.answer("SignalWorkflowExecution", Lost())
    worker = deciding(domain, decide, decisions=1, on_decision_error="fail")
    async with worker:
        await left(scripted)
    assert scripted.count(ANSWER) == 0
    assert worker.counts == {"decisions left": 1}


async def test_task_without_time_limit_is_not_cancelled(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    scripted.answer(POLL, first("NONE"), decision_task([began()]))
    worker = deciding(domain, nothing, decisions=1)
    async with worker:
        await left(scripted, 3)
    assert worker.counts == {"decisions completed": 2}


@pytest.mark.parametrize(
    "error",
    [
        GeneratorExit("odd"),
        asyncio.CancelledError("myself"),
        BaseExceptionGroup("both", [SystemExit()]),
    ],
)
async def test_handler_that_raises_what_is_no_exception_fails(
    scripted: ScriptedSwf, domain: Photos, error: BaseException
) -> None:
    async def decide(decision: tasks.Decision) -> None:
        raise error

    scripted.answer(POLL, first())
    worker = deciding(domain, decide, decisions=1, on_decision_error="fail")
    async with worker:
        await left(scripted)
    assert worker.counts == {"decisions failed": 1}


@pytest.mark.parametrize(
    "fault", [Fault("AccessDeniedException"), Fault("SomethingNew")]
)
@pytest.mark.parametrize("decide", [nothing, broken])
async def test_answer_outlives_whatever_may_pass(
    scripted: ScriptedSwf, domain: Photos, fault: Fault, decide: Any
) -> None:
    scripted.answer(POLL, first())
    scripted.answer(ANSWER, fault)
    worker = deciding(domain, decide, decisions=1, on_decision_error="fail")
    async with worker:
        await left(scripted)
    assert scripted.count(ANSWER) == 2
    how = "completed" if decide is nothing else "failed"
    assert worker.counts == {f"decisions {how}": 1}


async def test_closed_connection_never_fails_a_run(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    async def decide(decision: tasks.Decision) -> None:
        domain.conn.close()
        await decision.complete()

    scripted.answer(POLL, first())
    worker = deciding(domain, decide, decisions=1, on_decision_error="fail")
    assert await worker.run()
    assert worker.counts == {"decisions left": 1}
    assert not [text for _, text in logged(caplog) if "refuses" in text]


async def test_exit_that_a_future_brings_is_one_failure(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    async def decide(decision: tasks.Decision) -> None:
        future = asyncio.get_running_loop().create_future()
        future.set_exception(GeneratorExit("odd"))
        await future

    scripted.answer(POLL, first())
    worker = deciding(domain, decide, decisions=1)
    async with worker:
        await left(scripted)
    assert worker.counts == {"decisions left": 1}
    assert [level for level, _ in logged(caplog, logging.ERROR)] == ["ERROR"]


async def test_handler_that_exits_stops_the_worker(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def decide(decision: tasks.Decision) -> None:
        raise KeyboardInterrupt

    scripted.answer(POLL, first())
    worker = deciding(domain, decide, decisions=1)
    assert not await worker.run()
    assert worker.counts == {"decisions left": 1}


async def test_handler_that_raises_after_its_answer_is_told(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    async def decide(decision: tasks.Decision) -> None:
        await decision.complete()
        raise ValueError("too late")

    scripted.answer(POLL, first())
    worker = deciding(domain, decide, decisions=1, on_decision_error="fail")
    async with worker:
        await left(scripted)
    assert scripted.count(ANSWER) == 1
    assert worker.counts == {"decisions completed": 1}
    assert any("had been answered" in text for _, text in logged(caplog))


async def test_start_input_and_events_are_read_as_the_type_says(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    seen: list[object] = []

    class Typed(Album):
        input_type = dict[str, int]

        async def decide(self, decision: tasks.Decision) -> None:
            seen.append(await decision.start_input)

    scripted.answer(POLL, first())
    async with Worker(domain_class(Typed)(domain.conn)):
        await scripted.received(ANSWER)
        await left(scripted)
    assert seen == [{"id": 7}]


async def test_cut_off_does_not_break_an_answer_that_is_on_its_way(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    sent = asyncio.Event()

    async def slow(_: object) -> None:
        await sent.wait()

    scripted.answer(POLL, first())
    scripted.always(ANSWER, slow)
    worker = deciding(domain, nothing, decisions=1)
    async with worker:
        await scripted.received(ANSWER)
        worker.abort()
        asyncio.get_running_loop().call_later(0.05, sent.set)
    assert worker.counts == {"decisions completed": 1}
    assert worker.abandoned == []
