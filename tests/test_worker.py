"""A worker serves what has a handler, takes a slot first, and loses nothing."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

import flowser
from flowser import tasks, types
from flowser.exceptions import InvalidArgument
from flowser.worker import Worker
from tests.declared import Album, Photos, Resize, logged
from tests.histories import activity_task, began, decision_task, raw
from tests.support.answers import Delayed
from tests.support.scripted import ScriptedSwf
from tests.workers import (
    Endless,
    deciding,
    domain_class,
    local_domain,
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
        local_domain(Greet, Shout, Greeting) as (local, domain),
        Worker(domain) as worker,
    ):
        run = await domain.start(Greeting, {"id": "1", "name": "World"})
        assert await run.result() == "HELLO, WORLD!"
    assert worker.counts == {"decisions completed": 3, "activities completed": 2}
    assert worker.abandoned == []
    assert local.calls["RespondDecisionTaskCompleted"] == 3
    assert local.calls["RespondActivityTaskCompleted"] == 2


async def test_functions_are_served_in_place_of_methods() -> None:
    async with local_domain(Greet, Greeting) as (_, domain):
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
