"""A worker ends in order: it drains, then cuts off, answers for and names the rest."""

import asyncio
import dataclasses
import gc
import logging
import threading
import weakref
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

import flowser
from flowser import requests, tasks
from flowser.exceptions import InvalidArgument
from flowser.worker import Worker
from tests.declared import Album, Photos, Resize, logged
from tests.histories import activity_task, began, decision_task
from tests.support.answers import Hang
from tests.support.scripted import ScriptedSwf
from tests.workers import Endless, photos, resizing


@pytest.fixture
async def domain(scripted: ScriptedSwf) -> AsyncIterator[Photos]:
    async with photos(scripted.url) as opened:
        yield opened


async def test_poll_in_flight_is_waited_for_and_what_it_brings_is_run(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    gate = asyncio.Event()
    scripted.answer("PollForActivityTask", Hang(gate, activity_task(input="7")))

    async def double(given: int) -> int:
        return 2 * given

    worker = resizing(domain, double)
    async with asyncio.timeout(10):
        async with worker:
            await scripted.received("PollForActivityTask")
            worker.stop()
            worker.stop()
            gate.set()
    assert scripted.of("RespondActivityTaskCompleted")[0].params["result"] == "14"
    assert scripted.count("PollForActivityTask") == 1
    assert worker.abandoned == []


async def test_exception_in_the_block_leaves_it_as_it_is_after_the_work_is_done(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    work = Endless()
    scripted.answer("PollForActivityTask", activity_task())
    with pytest.raises(LookupError, match="mine"):
        async with resizing(domain, work, activities=1):
            await work.began.wait()
            asyncio.get_running_loop().call_soon(work.ended.set)
            raise LookupError("mine")
    assert scripted.count("RespondActivityTaskCompleted") == 1


async def test_cancellation_of_the_block_drains_and_a_second_one_aborts(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    work = Endless()
    scripted.answer("PollForActivityTask", activity_task())
    worker = resizing(domain, work, activities=1)

    async def host() -> None:
        async with worker:
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(host())
        await work.began.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert work.cancelled == 0
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert work.cancelled == 1
    assert worker.aborted
    failed = scripted.of("RespondActivityTaskFailed")
    assert [r.params["reason"] for r in failed] == ["worker stopping"]


async def test_time_limit_around_a_worker_ends_in_a_timeout(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0), resizing(domain, Endless()):
            await scripted.received("PollForActivityTask")
            scripted.release_polls()
            await asyncio.Event().wait()


async def test_scope_of_anyio_that_ends_lets_the_worker_drain(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    work = Endless()
    scripted.answer("PollForActivityTask", activity_task())
    worker = resizing(domain, work, activities=1)
    with anyio.CancelScope() as scope:
        async with worker:
            await work.began.wait()
            asyncio.get_running_loop().call_later(0.05, work.ended.set)
            scope.cancel()
            await asyncio.Event().wait()
    assert scope.cancelled_caught
    assert not worker.aborted
    assert scripted.count("RespondActivityTaskCompleted") == 1


async def test_worker_may_be_left_in_another_task_than_it_was_entered_in(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    """Fixtures of test frameworks do that."""
    worker = resizing(domain, Endless())
    async with asyncio.TaskGroup() as group:
        await group.create_task(worker.__aenter__())
    await scripted.received("PollForActivityTask")
    scripted.release_polls()
    async with asyncio.TaskGroup() as group:
        await group.create_task(worker.__aexit__(None, None, None))
    assert worker.in_flight == 0


async def test_server_that_is_gone_does_not_keep_the_worker() -> None:
    work, server = Endless(), ScriptedSwf()
    await server.__aenter__()
    server.answer("PollForActivityTask", activity_task())
    async with asyncio.timeout(5), photos(server.url) as domain:
        worker = resizing(domain, work, drain=0.1, grace=0.1)
        async with worker:
            await work.began.wait()
            await server.__aexit__(None, None, None)
            work.ended.set()
    assert [fields["activity_id"] for fields in worker.abandoned] == ["a-1"]


async def test_drain_deadline_cuts_off_answers_and_names_what_is_left(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    work, thought = Endless(), Endless()
    scripted.answer("PollForActivityTask", activity_task())
    scripted.answer("PollForDecisionTask", decision_task([began()], startedEventId=1))
    worker = resizing(domain, work, drain=0.0)
    worker.decider(Album)(thought)
    async with worker:
        await work.began.wait()
        await thought.began.wait()
        await scripted.received("PollForActivityTask", 2)
        await scripted.received("PollForDecisionTask", 2)
    failed = scripted.of("RespondActivityTaskFailed")
    assert [r.params["reason"] for r in failed] == ["worker stopping"]
    assert scripted.count("RespondDecisionTaskCompleted") == 0
    named = [fields["activity_id"] for fields in worker.abandoned]
    assert sorted(named, key=str) == [None, "a-1"]
    warnings = [text for level, text in logged(caplog, logging.WARNING)]
    assert len([text for text in warnings if "cut off" in text]) == 2
    lost = [text for text in warnings if "may have been handed out" in text]
    assert len(lost) == 2  # one for each list
    assert worker.counts == {"activities failed": 1, "decisions left": 1}


async def test_handler_that_does_not_let_go_is_answered_for(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    work = Endless(lets_go=False)
    scripted.answer("PollForActivityTask", activity_task())
    worker = resizing(domain, work, activities=1, grace=0.2)
    async with worker:
        await work.began.wait()
        worker.abort()
        worker.abort()
    work.ended.set()  # it was left behind
    failed = scripted.of("RespondActivityTaskFailed")
    assert [r.params["reason"] for r in failed] == ["worker stopping"]
    assert ("ERROR", "the handler does not let go") in logged(caplog)
    await asyncio.sleep(0)
    assert scripted.count("RespondActivityTaskCompleted") == 0


async def test_thread_that_does_not_end_is_answered_for(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    began, ended = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def run(given: object) -> None:
        loop.call_soon_threadsafe(began.set)
        ended.wait()

    worker = Worker(domain, activities=1, threads=1)
    worker.activity(Resize)(run)
    scripted.answer("PollForActivityTask", activity_task())
    async with worker:
        await began.wait()
        worker.abort()
    ended.set()
    failed = scripted.of("RespondActivityTaskFailed")
    assert [r.params["reason"] for r in failed] == [
        "worker stopping; the handler still runs in a thread"
    ]


async def test_answers_that_do_not_arrive_are_abandoned_and_named(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    work, never = Endless(), asyncio.Event()
    scripted.answer("PollForActivityTask", activity_task())
    scripted.always("RespondActivityTaskCompleted", Hang(never))
    worker = resizing(domain, work, activities=1, drain=0.0, grace=0.1)
    async with asyncio.timeout(5):
        async with worker:
            await work.began.wait()
            work.ended.set()
            await scripted.received("RespondActivityTaskCompleted")
    assert [fields["activity_id"] for fields in worker.abandoned] == ["a-1"]
    assert any("abandoned unanswered" in text for _, text in logged(caplog))


async def test_handler_that_exits_fails_its_activity_and_stops_the_worker(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def run(given: object) -> None:
        raise SystemExit("enough")

    scripted.answer("PollForActivityTask", activity_task())
    assert not await resizing(domain, run, activities=1).run()
    failed = scripted.of("RespondActivityTaskFailed")
    assert [r.params["reason"] for r in failed] == ["SystemExit: enough"]


async def test_bug_in_flowser_ends_the_worker_as_an_exception_group(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    class Buggy(Photos):
        async def call(self, request: Any, /) -> Any:
            raise ZeroDivisionError("a bug")

    with pytest.raises(ExceptionGroup) as caught:
        async with resizing(Buggy(domain.conn), Endless()):
            await asyncio.Event().wait()
    assert caught.group_contains(ZeroDivisionError, match="a bug")
    assert any(level == "CRITICAL" for level, _ in logged(caplog))


async def test_bug_that_shows_in_a_task_is_logged_with_its_fields(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    class Buggy(Photos):
        async def call(self, request: Any, /) -> Any:
            if isinstance(request, requests.RespondActivityTaskCompleted):
                raise ZeroDivisionError("a bug")
            return await super().call(request)

    async def run(given: object) -> None: ...

    scripted.answer("PollForActivityTask", activity_task())
    with pytest.raises(ExceptionGroup):
        await resizing(Buggy(domain.conn), run, drain=0.0, grace=0.1).run()
    [record] = [r for r in caplog.records if r.levelno == logging.CRITICAL]
    assert vars(record)["activity_id"] == "a-1"


@pytest.mark.parametrize("pollers", [1, 3])
async def test_worker_whose_connection_was_closed_says_so_once_and_ends(
    scripted: ScriptedSwf,
    domain: Photos,
    caplog: pytest.LogCaptureFixture,
    pollers: int,
) -> None:
    worker = resizing(domain, Endless(), activity_pollers=pollers)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run())
        await scripted.received("PollForActivityTask", pollers)
        domain.conn.close()
        scripted.release_polls()
    assert running.result()
    assert scripted.count("PollForActivityTask") == pollers
    [text] = [text for level, text in logged(caplog) if level == "ERROR"]
    assert "cannot poll: the connection is closed" in text


async def test_answer_after_the_connection_was_closed_is_given_up(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(given: object) -> None:
        domain.conn.close()

    scripted.answer("PollForActivityTask", activity_task())
    worker = resizing(domain, run, activities=1)
    assert await worker.run()
    assert worker.counts == {"activities refused": 1}
    errors = [text for level, text in logged(caplog) if level == "ERROR"]
    assert len(errors) == 2  # one of the answer, one of the poll
    assert all("the connection is closed" in text for text in errors)


async def test_run_returns_when_stopped(scripted: ScriptedSwf, domain: Photos) -> None:
    worker = resizing(domain, Endless())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run())
        await scripted.received("PollForActivityTask")
        worker.stop()
        scripted.release_polls()
    assert running.result() is True


async def test_worker_that_was_stopped_before_it_began_polls_nothing(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    worker = resizing(domain, Endless())
    worker.stop()
    assert await worker.run()
    assert scripted.count("PollForActivityTask") == 0
    with pytest.raises(RuntimeError, match="once"):
        await worker.run()


async def test_nothing_is_kept_of_a_task_that_was_answered(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    kept: list[weakref.ref[tasks.Activity]] = []

    async def run(given: object) -> None:
        kept.append(weakref.ref(flowser.current_activity()))

    scripted.answer("PollForActivityTask", *[activity_task()] * 3)
    async with resizing(domain, run):
        await scripted.received("RespondActivityTaskCompleted", 3)
        await scripted.received("PollForActivityTask", 4)
        scripted.release_polls()
        gc.collect()
    gc.collect()
    assert [reference() for reference in kept] == [None] * 3


async def test_host_that_cancels_all_tasks_has_its_activities_answered_as_stopping(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    """As ``asyncio.run`` does at its end, when nobody waits for the worker."""
    mine: list[asyncio.Task[object]] = []

    async def run(given: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        mine.append(task)
        asyncio.get_running_loop().call_soon(task.cancel)
        await asyncio.Event().wait()

    scripted.answer("PollForActivityTask", activity_task())
    async with resizing(domain, run, activities=1):
        await scripted.received("RespondActivityTaskFailed")
    (failed,) = scripted.of("RespondActivityTaskFailed")
    assert failed.params["reason"] == "worker stopping"
    assert len(mine) == 1


def test_decorator_without_a_type_says_what_it_takes(domain: Photos) -> None:
    with pytest.raises(InvalidArgument, match="pass a subclass"):
        Worker(domain).activity(lambda given: given)  # type: ignore[arg-type]


def test_annotation_that_json_cannot_be_is_refused_before_any_task(
    domain: Photos,
) -> None:
    @dataclasses.dataclass
    class One:
        number: int

    @dataclasses.dataclass
    class Other:
        number: int

    async def run(given: One | Other) -> None:
        """Never called."""

    with pytest.raises(InvalidArgument, match="has a type of input"):
        resizing(domain, run)
