"""A worker serves what has a handler, takes a slot first, and loses nothing."""

import asyncio
import contextvars
import gc
import logging
import threading
import weakref
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

import flowser
from flowser import tasks, types
from flowser.exceptions import InvalidArgument
from flowser.worker import Worker
from tests.declared import Album, Photos, Resize, logged
from tests.histories import activity_task, began, decision_task, raw
from tests.support.answers import Delayed, Hang
from tests.support.scripted import ScriptedSwf
from tests.workers import (
    Endless,
    deciding,
    domain_class,
    mini_domain,
    nothing,
    photos,
    resizing,
)

SCHEDULE = "ActivityTaskScheduled"
COMPLETED = "ActivityTaskCompleted"


class Greet(types.Activity):
    name, version, task_list = "Greet", "1.0", "work"

    async def run(self, input: dict[str, str]) -> str:
        assert flowser.current_activity() is self.task
        return f"Hello, {input['name']}!"


class Shout(types.Activity):
    name, version, task_list = "Shout", "1.0", "work"

    def run(self, input: str) -> str:
        assert threading.current_thread() is not threading.main_thread()
        assert flowser.current_activity() is self.task
        return input.upper()


class Greeting(types.Workflow):
    name, version, task_list = "Greeting", "1.0", "decisions"

    async def decide(self, decision: tasks.Decision) -> None:
        assert decision is self.task
        done = await decision.most_recent(COMPLETED)
        if await decision.most_recent(SCHEDULE) is None:
            decision.schedule(Greet, await decision.start_input)
        elif done and done.attrs["result"].isupper():
            await decision.workflow_execution.complete(done.attrs["result"])
        elif done:
            decision.schedule(Shout, done.attrs["result"], activity_id="shout")


@pytest.fixture
async def domain(scripted: ScriptedSwf) -> AsyncIterator[Photos]:
    async with photos(scripted.url) as opened:
        yield opened


async def test_classes_with_run_and_decide_are_served() -> None:
    async with (
        mini_domain(Greet, Shout, Greeting) as (mini, domain),
        Worker(domain) as worker,
    ):
        run = await domain.start(Greeting, {"id": "1", "name": "World"})
        assert await run.result() == "HELLO, WORLD!"
    assert worker.counts == {"decisions completed": 3, "activities completed": 2}
    assert worker.abandoned == []
    assert mini.calls["RespondDecisionTaskCompleted"] == 3
    assert mini.calls["RespondActivityTaskCompleted"] == 2


async def test_functions_are_served_in_place_of_methods() -> None:
    async with mini_domain(Greet, Greeting) as (_, domain):
        worker = Worker(domain)

        @worker.activity(Greet)
        async def greet(input: dict[str, str]) -> str:
            return f"{flowser.current_activity().activity_id}: {input['name']}"

        @worker.decider(Greeting)
        async def decide(decision: tasks.Decision) -> None:
            if done := await decision.most_recent(COMPLETED):
                await decision.workflow_execution.complete(done.attrs["result"])
            else:
                decision.schedule(Greet, await decision.start_input)

        async with worker:
            run = await domain.start(Greeting, {"id": "1", "name": "you"})
            assert await run.result() == "Greet-1: you"


async def test_inputs_are_decoded_as_a_function_is_annotated(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    seen: list[object] = []

    async def run(given: tuple[int, int]) -> None:
        seen.append(given)

    scripted.answer("PollForActivityTask", activity_task(input="[1,2]"))
    async with resizing(domain, run):
        await scripted.received("RespondActivityTaskCompleted")
        scripted.release_polls()
    assert seen == [(1, 2)]


async def test_types_that_share_a_list_share_its_pollers_and_go_by_version(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    class Resize2(types.Activity):
        name, version, task_list = "Resize", "2.0", "images"

    worker = Worker(domain)

    @worker.activity(Resize)
    async def one(given: object) -> int:
        return 1

    @worker.activity(Resize2)
    async def two(given: object) -> int:
        return 2

    kind = {"name": "Resize", "version": "2.0"}
    scripted.answer("PollForActivityTask", activity_task(activityType=kind))
    async with worker:
        answer = await scripted.received("RespondActivityTaskCompleted")
        await scripted.received("PollForActivityTask", 2)
        scripted.release_polls()
    assert answer.params["result"] == "2"
    assert scripted.count("PollForActivityTask") == 2


async def test_threads_see_the_context_of_their_task(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    place = contextvars.ContextVar("place", default="nowhere")
    seen: list[Any] = []

    def run(given: object) -> None:
        seen.append((place.get(), flowser.current_activity().activity_id))

    worker = Worker(domain)
    worker.activity(Resize)(run)
    scripted.answer("PollForActivityTask", activity_task())
    place.set("here")
    async with worker:
        await scripted.received("RespondActivityTaskCompleted")
        scripted.release_polls()
    assert seen == [("here", "a-1")]


async def test_slot_is_free_again_only_when_the_answer_was_acknowledged(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    """A poll without a slot would fetch a task that cannot start."""
    work, acknowledged = Endless(), asyncio.Event()
    scripted.answer("PollForActivityTask", activity_task())
    scripted.answer("RespondActivityTaskCompleted", Delayed(acknowledged, None))
    async with resizing(domain, work, activities=1):
        await work.began.wait()
        assert scripted.count("PollForActivityTask") == 1
        work.ended.set()
        await scripted.received("RespondActivityTaskCompleted")
        assert scripted.count("PollForActivityTask") == 1
        acknowledged.set()
        await scripted.received("PollForActivityTask", 2)
        scripted.release_polls()


async def test_pollers_of_a_list_poll_at_the_same_time(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async with resizing(domain, Endless(), activity_pollers=3, identity="me"):
        poll = await scripted.received("PollForActivityTask", 3)
        scripted.release_polls()
    assert poll.params["identity"] == "me"


async def test_unknown_types_are_failed_or_left_and_logged_once(
    scripted: ScriptedSwf, domain: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    other = {"name": "Other", "version": "9"}
    scripted.answer("PollForActivityTask", *[activity_task(activityType=other)] * 2)
    task = decision_task([raw(1, "WorkflowExecutionStarted")], workflowType=other)
    scripted.answer("PollForDecisionTask", *[task] * 2)
    worker = resizing(domain, Endless())
    worker.decider(Album)(nothing)
    async with worker:
        answer = await scripted.received("RespondActivityTaskFailed", 2)
        await scripted.received("PollForDecisionTask", 3)
        scripted.release_polls()
    assert "Other 9" in answer.params["reason"]
    assert worker.counts == {"activities failed": 2, "decisions unknown": 2}
    assert scripted.count("RespondDecisionTaskCompleted") == 0
    errors = [text for level, text in logged(caplog) if level == "ERROR"]
    assert len(errors) == 2
    assert all("Other 9" in text for text in errors)


# -- the end --


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
    assert [r.params["reason"] for r in failed] == ["worker stopping"]


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
    assert await resizing(domain, run, activities=1).run()
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


# -- settings --


class Plain(types.Activity):
    name, version, task_list = "Plain", "1.0", "plain"

    def run(self, input: object) -> None: ...


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"activities": 0}, "activities is 0"),
        ({"decisions": True}, "decisions is True"),
        ({"activity_pollers": 1.5}, "activity_pollers"),
        ({"drain": -1}, "drain"),
        ({"drain": float("nan")}, "drain"),
        ({"heartbeat_interval": 0}, "heartbeat_interval"),
        ({"on_decision_error": "ignore"}, "on_decision_error"),
    ],
)
async def test_settings_that_make_no_sense_are_refused(
    domain: Photos, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        Worker(domain, **options)


@pytest.mark.parametrize(
    ("kinds", "options", "words"),
    [
        ([Resize, Album], {}, "has no handler"),
        ([Greet, Plain], {"activities": 1}, "activities is 1; there are 2 task lists"),
        ([Shout, Plain], {"threads": 1}, "threads is 1; there are 2 task lists"),
        ([Greet], {"activity_pollers": 9}, "max_pollers is 5; this worker holds 9"),
    ],
)
async def test_worker_that_could_not_poll_all_its_lists_is_refused(
    kinds: list[Any], options: dict[str, Any], words: str, domain: Photos
) -> None:
    domain.conn.max_pollers = 5
    worker = Worker(domain_class(*kinds)(domain.conn), **options)
    with pytest.raises(InvalidArgument, match=words):
        worker.check()
    with pytest.raises(InvalidArgument, match=words):
        await worker.run()


async def test_decision_is_completed_when_its_handler_did_not(
    scripted: ScriptedSwf, domain: Photos
) -> None:
    async def mark(decision: tasks.Decision) -> None:
        decision.mark("seen")

    scripted.answer("PollForDecisionTask", decision_task([began()], startedEventId=1))
    async with deciding(domain, mark):
        answer = await scripted.received("RespondDecisionTaskCompleted")
        scripted.release_polls()
    [decision] = answer.params["decisions"]
    assert decision["recordMarkerDecisionAttributes"] == {"markerName": "seen"}
