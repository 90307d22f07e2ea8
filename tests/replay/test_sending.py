"""SWF's limits, met for the author."""

import asyncio
import json
from typing import Any

import botocore.session
import msgspec
import pytest

from flowser import decisions as d
from flowser import events as e
from flowser import flow
from flowser.decisions import wrapped
from flowser.replay import sending
from flowser.replay.holding import for_now
from tests.local.engine.rig import Quotas, Rig
from tests.replay.book import Book
from tests.replay.story import Story

workflow = flow.workflow(version="1", task_list="deciders")


@flow.activity(version="1", task_list="payers")
async def work(name: str) -> str:
    return name


@workflow
async def fan_out(n: int) -> int:
    return len(await asyncio.gather(*(work.start(str(i)) for i in range(n))))


def test_a_hundred_decisions_go_into_one_response_and_the_rest_follows() -> None:
    story = Story(fan_out, 250, using=[work])
    sizes = []
    while story.waits():
        made = story.decisions()
        sizes.append(len(made))
        if len(made) == 100:
            assert made[-1] == d.StartTimer(
                timer_id=f"more-{story.run.started_event_id}",
                start_to_fire_timeout="0",
            )
        story.skip(0)
    assert sizes == [100, 100, 52]
    tasks = story.tasks()
    assert len(tasks) == 250
    for task in tasks:
        story.complete(task.id, "")
    story.settle()
    assert story.result == 250
    story.replayed()


def test_what_waits_to_be_sent_can_be_canceled_without_a_trace() -> None:
    @workflow
    async def order() -> str:
        handles = [work.start(str(i)) for i in range(150)]
        await flow.signals("stop").receive()
        for handle in handles[100:]:
            handle.cancel()
        await asyncio.wait(handles)
        return "stopped"

    story = Story(order, using=[work])
    first = story.decide()
    assert len(first.decisions) == 100
    story.signal("stop")
    story.skip(0)
    assert story.ids_of(story.decide()) == ["100"]
    for task in story.tasks():
        story.complete(task.id, "")
    story.settle()
    assert story.result == "stopped"
    story.replayed()


def test_no_response_is_larger_than_swf_takes() -> None:
    @workflow
    async def order() -> int:
        return len(
            await asyncio.gather(*(work.start("é\n" * 8_000) for _ in range(60)))
        )

    story = Story(order, using=[work])
    while story.waits():
        story.decide()
        story.skip(0)
    assert len(story.answers) > 1
    assert len(story.tasks()) == 60
    story.replayed()


@pytest.mark.parametrize("kind", ["activity", "timer"])
def test_a_thousand_are_open_at_a_time_and_the_rest_waits(kind: str) -> None:
    @workflow
    async def order() -> str:
        if kind == "timer":
            await asyncio.gather(*(asyncio.sleep(10 + n % 2) for n in range(1_050)))
        else:
            handles = [work.start(str(n)) for n in range(1_050)]
            await asyncio.gather(*handles)
        return "done"

    story = Story(order, using=[work])
    while story.waits():
        story.decide()
        story.skip(0)
    opened = {"activity": "ActivityTaskScheduled", "timer": "TimerStarted"}[kind]
    more = sum(
        isinstance(event.attributes, e.TimerStarted)
        and event.attributes.timer_id.startswith("more-")
        for event in story.history
    )
    more = more if kind == "timer" else 0
    assert story.event_types.count(opened) - more == 1_000
    if kind == "timer":
        story.skip(12)
        story.settle()
        story.skip(12)
    else:
        tasks = story.tasks()
        story.complete(tasks[0].id, "")
        assert len(story.decide().decisions) == 1
        for task in [*tasks[1:], *story.tasks()]:
            story.complete(task.id, "")
        story.settle()
        for task in story.tasks():
            story.complete(task.id, "")
    while story.waits():
        story.decide()
        story.skip(12)
    assert story.result == "done"
    assert not any(name.endswith("Failed") for name in story.event_types)
    story.replayed()


def test_what_swf_throttles_is_sent_again_after_a_pause() -> None:
    story = Story(fan_out, 1_200, using=[work], rig=Rig(throttle=True))
    while not (story.answers and story.answers[-1].closes):
        story.settle()
        for task in story.tasks():
            story.complete(task.id, "")
        story.settle()
        story.skip(1)
    assert story.event_types.count("ScheduleActivityTaskFailed") == 200
    assert story.result == 1_200
    story.replayed()


def test_a_lower_limit_than_swfs_own_is_waited_for() -> None:
    rig = Rig(quotas=Quotas(open_activities=2))
    story = Story(fan_out, 3, using=[work], rig=rig)
    story.decide()
    assert "ScheduleActivityTaskFailed" in story.event_types
    [pause] = story.decisions()
    assert isinstance(pause, d.StartTimer)
    assert pause.timer_id.startswith("backoff-")
    for task in story.tasks():
        story.complete(task.id, "")
    story.skip(5)
    story.settle()
    for task in story.tasks():
        story.complete(task.id, "")
    story.settle()
    assert story.result == 3
    story.replayed()


def test_timers_wait_for_one_another_where_fewer_may_be_open() -> None:
    @workflow
    async def order() -> str:
        await asyncio.gather(*(asyncio.sleep(5) for _ in range(6)))
        return "rested"

    story = Story(order, rig=Rig(quotas=Quotas(open_timers=2)))
    while not (story.answers and story.answers[-1].closes):
        story.settle()
        story.skip(5)
    assert story.result == "rested"
    # Four and a pause are refused, then two and a pause.
    assert story.event_types.count("StartTimerFailed") == 8
    story.replayed()


def test_a_timer_that_is_stopped_makes_room_for_another() -> None:
    @workflow
    async def order() -> str:
        long = asyncio.create_task(asyncio.sleep(600))
        await asyncio.sleep(0)
        short = asyncio.create_task(asyncio.sleep(5))
        await work("a")
        long.cancel()
        await short
        return "rested"

    story = Story(order, using=[work], rig=Rig(quotas=Quotas(open_timers=1)))
    story.settle()
    [task] = story.tasks()
    story.complete(task.id, "")
    stop, start = story.decisions()
    assert isinstance(stop, d.CancelTimer)
    assert isinstance(start, d.StartTimer)
    story.settle()
    story.skip(5)
    story.settle()
    assert story.result == "rested"
    story.replayed()


def test_what_waits_for_a_lower_limit_can_be_canceled() -> None:
    @workflow
    async def order() -> str:
        handles = [work.start(str(i)) for i in range(3)]
        await asyncio.sleep(1)
        handles[2].cancel()
        await asyncio.wait(handles)
        return "done"

    story = Story(order, using=[work], rig=Rig(quotas=Quotas(open_activities=2)))
    story.decide()
    story.decide()
    story.skip(1)
    story.settle()
    for task in story.tasks():
        story.complete(task.id, "")
    story.settle()
    assert story.result == "done"
    assert story.event_types.count("ActivityTaskScheduled") == 2
    story.replayed()


# -- closing --


def test_nothing_is_opened_beside_a_close() -> None:
    @workflow
    async def order() -> str:
        asyncio.get_running_loop().call_later(60, print)
        work.start("a")
        flow.mark("left")
        return "done"

    story = Story(order, using=[work])
    made = story.ids_of(story.decide())
    assert made == ["left", "CompleteWorkflowExecution"]
    story.replayed()


def test_a_close_that_swf_refuses_is_made_again() -> None:
    @workflow
    async def order() -> list[str]:
        told: list[str] = []
        flow.on_signal("late", str)(told.append)
        await work("a")
        return told

    story = Story(order, using=[work])
    story.decide()
    story.complete("1", "")
    story.decide(meanwhile=lambda: story.signal("late", "x"))
    assert "CompleteWorkflowExecutionFailed" in story.event_types
    [close] = story.decisions()
    assert close == d.CompleteWorkflowExecution(result="[]")
    story.replayed()


def test_a_close_that_failed_goes_on_with_what_other_tasks_do() -> None:
    @workflow
    async def order() -> str:
        async def other() -> None:
            await flow.signals("late").receive()
            flow.mark("late")

        task = asyncio.create_task(other())
        await work("a")
        return task.get_name()

    story = Story(order, using=[work])
    story.decide()
    story.complete("2", "")
    story.decide(meanwhile=lambda: story.signal("late"))
    assert story.ids_of(story.decide()) == ["late", "CompleteWorkflowExecution"]
    story.replayed()


@pytest.mark.parametrize("how", ["fail", "cancel", "continue"])
def test_every_way_to_close_is_taken_again(how: str) -> None:
    @workflow
    async def order(how: str) -> None:
        await work("a")
        if how == "fail":
            raise ValueError("no")
        if how == "cancel":
            raise asyncio.CancelledError
        order.continue_as_new(how)

    story = Story(order, how, using=[work])
    story.decide()
    story.complete("1", "")
    first = story.decide(meanwhile=lambda: story.signal("late"))
    assert any(name.endswith("ExecutionFailed") for name in story.event_types)
    assert story.decide().decisions == first.decisions
    assert story.last.decision_task_completed_event_id
    story.replayed()


def test_more_than_a_hundred_notes_beside_a_close_are_sent_before_it() -> None:
    @workflow
    async def order() -> str:
        for number in range(150):
            flow.mark(f"note {number}")
        return "done"

    story = Story(order)
    assert len(story.decide().decisions) == 100
    story.skip(0)
    assert len(story.decide().decisions) == 52
    assert story.result == "done"
    story.replayed()


def test_a_new_run_that_is_throttled_is_begun_after_a_pause() -> None:
    @workflow
    async def order(page: int) -> None:
        order.continue_as_new(page + 1)

    book = Book(order, 1)
    first = book.decide()
    cause = "CONTINUE_AS_NEW_WORKFLOW_EXECUTION_RATE_EXCEEDED"
    book.answered(first)
    book.add("ContinueAsNewWorkflowExecutionFailed", cause=cause, by=True)
    [pause] = book.decide().decisions
    assert isinstance(pause, d.StartTimer)
    book.answer()
    book.add("TimerFired", timer_id=pause.timer_id, started_event_id=book.last)
    assert book.decide().decisions == first.decisions
    book.close()


def test_sizes_are_those_on_the_wire() -> None:
    made: Any = d.RecordMarker(marker_name="é", details='"\n𝄞')
    command: Any = type("Command", (), {"decision": made})()
    attributes = {"markerName": "é", "details": '"\n𝄞'}
    wire = {
        "decisionType": "RecordMarker",
        "recordMarkerDecisionAttributes": attributes,
    }
    text = json.dumps(wire, separators=(",", ":"))  # boto's: all but ASCII is escaped
    assert sending._size(command) == len(text) + 1


def test_a_status_that_boto_escapes_leaves_less_room_for_decisions() -> None:
    @workflow
    async def order() -> None:
        flow.set_status("日" * 32_000)
        for number in range(12):
            flow.mark(str(number), "語" * 30_000)
        await asyncio.sleep(1)

    story = Story(order)
    answer = story.decide()
    made = [msgspec.to_builtins(wrapped(each)) for each in answer.decisions]
    assert len(json.dumps([made, answer.context])) < 1024 * 1024
    assert story.ids_of(answer) == ["0", "1", "2", "3", "more-3"]


def test_causes_that_pass_are_waited_for_and_others_are_told() -> None:
    model = botocore.session.get_session().get_service_model("swf")
    failed = [name for name in model.shape_names if name.endswith("FailedCause")]
    causes = {cause for name in failed for cause in model.shape_for(name).enum}
    assert {cause for cause in causes if for_now(cause)} == {
        "ACTIVITY_CREATION_RATE_EXCEEDED",
        "CHILD_CREATION_RATE_EXCEEDED",
        "CONTINUE_AS_NEW_WORKFLOW_EXECUTION_RATE_EXCEEDED",
        "LAMBDA_FUNCTION_CREATION_RATE_EXCEEDED",
        "OPEN_ACTIVITIES_LIMIT_EXCEEDED",
        "OPEN_CHILDREN_LIMIT_EXCEEDED",
        "OPEN_LAMBDA_FUNCTIONS_LIMIT_EXCEEDED",
        "OPEN_TIMERS_LIMIT_EXCEEDED",
        "OPEN_WORKFLOWS_LIMIT_EXCEEDED",
        "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED",
        "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED",
        "TIMER_CREATION_RATE_EXCEEDED",
    }
