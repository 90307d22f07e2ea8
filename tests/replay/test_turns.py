"""Histories that are cut into turns, in all the shapes in which SWF hands them out."""

import asyncio
import gc
import sys
from typing import Any

import msgspec
import pytest

from flowser import decisions as d
from flowser import events as e
from flowser import flow, shapes
from flowser.exceptions import BrokenHistory
from flowser.replay.run import Answer
from flowser.replay.troubles import (
    NonDeterminism,
    Refused,
    Spinning,
    StaleRun,
    Undecodable,
    UnknownFormat,
)
from tests.replay.book import LIST, Book

workflow = flow.workflow(version="1", task_list="deciders")


@flow.activity(version="1", task_list="payers")
async def work(name: str) -> str:
    return name


@workflow
async def order() -> list[str]:
    return [await work("a"), await work("b")]


@pytest.fixture
def book() -> Any:
    made = Book(order)
    yield made
    made.close()


def complete(book: Book, scheduled: int, result: str = '"x"') -> None:
    started = book.add("ActivityTaskStarted", scheduled_event_id=scheduled)
    book.add(
        "ActivityTaskCompleted",
        scheduled_event_id=scheduled,
        started_event_id=started,
        result=result,
    )


def test_events_that_came_while_it_was_decided_belong_to_the_next_turn(
    book: Book,
) -> None:
    answer = book.decide()
    book.add("WorkflowExecutionSignaled", signal_name="x")
    [scheduled] = book.answer(answer)
    complete(book, scheduled)
    assert [a.activity_id for a in activities(book.decide())] == ["2"]


def activities(answer: Any) -> list[d.ScheduleActivityTask]:
    return [x for x in answer.decisions if isinstance(x, d.ScheduleActivityTask)]


def test_a_decision_that_timed_out_has_seen_nothing(book: Book) -> None:
    book.start()
    lost = book.fresh()
    lost.decide(book.events)
    lost.end()
    book.add(
        "DecisionTaskTimedOut",
        timeout_type="START_TO_CLOSE",
        scheduled_event_id=2,
        started_event_id=3,
    )
    [scheduled] = book.answer(book.decide())
    complete(book, scheduled)
    assert [a.activity_id for a in activities(book.decide())] == ["2"]


def test_a_sticky_decision_that_was_not_started_is_passed_over(book: Book) -> None:
    [scheduled] = book.answer(book.decide())
    complete(book, scheduled)
    id = book.add("DecisionTaskScheduled", task_list=LIST)
    book.add(
        "DecisionTaskTimedOut",
        timeout_type="SCHEDULE_TO_START",
        scheduled_event_id=id,
        started_event_id=0,
    )
    assert [a.activity_id for a in activities(book.decide())] == ["2"]


def test_a_kept_run_whose_answer_was_lost_is_stale(book: Book) -> None:
    book.decide()
    book.add(
        "DecisionTaskTimedOut",
        timeout_type="START_TO_CLOSE",
        scheduled_event_id=2,
        started_event_id=3,
    )
    book.start()
    with pytest.raises(StaleRun, match="decision 1 was not answered"):
        book.run.feed(book.events)


def test_events_may_come_in_any_pieces_and_overlap(book: Book) -> None:
    for _ in range(2):
        [scheduled] = book.answer(book.decide())
        complete(book, scheduled)
    book.start()
    expected = book.fresh().decide(book.events)
    for size in range(1, 9):
        run = book.fresh()
        for begin in range(0, book.last, size):
            run.feed(book.events[max(0, begin - 2) : begin + size])
        run.advance()
        assert run.take() == expected
        assert run.last_event_id == book.last
        run.end()


def test_a_gap_is_refused(book: Book) -> None:
    book.start()
    with pytest.raises(BrokenHistory, match="event 3 follows event 1"):
        book.run.feed([book.events[0], book.events[2]])
    with pytest.raises(RuntimeError, match="goes on nowhere"):
        book.run.feed(book.events)


def test_nothing_to_decide_is_refused(book: Book) -> None:
    with pytest.raises(BrokenHistory, match="no decision to be made"):
        book.run.decide(book.events)


def test_a_run_that_was_decided_is_not_decided_again(book: Book) -> None:
    book.decide()
    with pytest.raises(BrokenHistory, match="no decision to be made"):
        book.run.advance()


def test_an_event_about_nothing_is_refused(book: Book) -> None:
    book.answer(book.decide())
    complete(book, 99)
    book.start()
    with pytest.raises(
        BrokenHistory, match=r"ActivityTaskCompleted\) is about event 99"
    ):
        book.run.decide(book.events)


def test_a_completed_decision_that_was_not_started_is_refused(book: Book) -> None:
    book.start()
    book.add("DecisionTaskCompleted", scheduled_event_id=2, started_event_id=7)
    with pytest.raises(BrokenHistory, match="completes event 7"):
        book.run.feed(book.events)


def test_events_of_types_that_nobody_knows_do_no_harm(book: Book) -> None:
    raw = {"eventId": 2, "eventTimestamp": 1.0, "eventType": "SomethingNew"}
    book.events.append(e.event(raw))
    assert len(activities(book.decide())) == 1


def test_events_that_are_not_what_they_should_be_leave_it_undecided(
    book: Book,
) -> None:
    raw = {
        "eventId": 2,
        "eventTimestamp": 1.0,
        "eventType": "WorkflowExecutionSignaled",
        "workflowExecutionSignaledEventAttributes": {},
    }
    book.events.append(e.event(raw))
    book.start()
    with pytest.raises(Undecodable, match="is no WorkflowExecutionSignaled"):
        book.run.decide(book.events)


def test_a_history_of_a_later_format_is_refused(book: Book) -> None:
    answer = book.decide()
    book.answer(answer._replace(context='{"fv":2}'))
    book.start()
    with pytest.raises(UnknownFormat, match="format 2, known here is 1"):
        book.fresh().feed(book.events)


def test_a_context_of_somebody_else_is_passed_over(book: Book) -> None:
    answer = book.decide()
    [scheduled] = book.answer(answer._replace(context="what I did last summer"))
    complete(book, scheduled)
    book.start()
    run = book.fresh()
    assert run.decide(book.events).context == '{"fv":1}'
    run.end()


def test_a_history_of_somebody_elses_decider_is_reported() -> None:
    @workflow
    async def order() -> None:
        await asyncio.sleep(1)

    book = Book(order)
    book.start()
    book.answered(nothing())
    book.add("MarkerRecorded", by=True, marker_name="mine", details="whatever")
    book.start()
    with pytest.raises(NonDeterminism, match=r"- \?  marker mine"):
        book.run.feed(book.events)
    book.close()


def nothing() -> Answer:
    return Answer((), None, closes=False)


def test_a_marker_that_swf_refuses_leaves_it_undecided() -> None:
    @workflow
    async def order() -> None:
        flow.mark("paid")
        await asyncio.sleep(1)

    book = Book(order)
    book.answered(book.decide())
    book.add(
        "RecordMarkerFailed",
        by=True,
        marker_name="paid",
        cause="OPERATION_NOT_PERMITTED",
    )
    book.become(d.StartTimer(timer_id="2", start_to_fire_timeout="1"))
    book.start()
    with pytest.raises(Refused, match="RecordMarker with OPERATION_NOT_PERMITTED"):
        book.run.feed(book.events)
    book.close()


def test_a_timer_that_swf_refuses_leaves_it_undecided() -> None:
    @workflow
    async def order() -> None:
        await asyncio.sleep(1)

    book = Book(order)
    book.answered(book.decide())
    book.add("StartTimerFailed", by=True, timer_id="1", cause="OPERATION_NOT_PERMITTED")
    book.start()
    with pytest.raises(Refused, match="StartTimer with OPERATION_NOT_PERMITTED"):
        book.run.decide(book.events)
    book.close()


def test_a_throttled_timer_is_started_again_after_a_pause() -> None:
    @workflow
    async def order() -> str:
        await asyncio.sleep(5)
        return "awake"

    book = Book(order)
    book.answered(book.decide())
    book.add(
        "StartTimerFailed", by=True, timer_id="1", cause="TIMER_CREATION_RATE_EXCEEDED"
    )
    answer = book.decide()
    [pause] = answer.decisions
    assert isinstance(pause, d.StartTimer)
    # The pause itself is throttled, too: then it alone is tried again.
    book.answered(answer)
    book.add(
        "StartTimerFailed",
        by=True,
        timer_id=pause.timer_id,
        cause="TIMER_CREATION_RATE_EXCEEDED",
    )
    answer = book.decide()
    assert answer.decisions == (pause,)
    [started] = book.answer(answer)
    book.add("TimerFired", timer_id=pause.timer_id, started_event_id=started, after=2)
    answer = book.decide()
    assert answer.decisions == (d.StartTimer(timer_id="1", start_to_fire_timeout="5"),)
    [started] = book.answer(answer)
    book.add("TimerFired", timer_id="1", started_event_id=started, after=5)
    assert book.decide().closes
    book.close()


def test_a_throttled_signal_is_sent_again_after_a_pause() -> None:
    @workflow
    async def order() -> str:
        await flow.external("other").signal("hello")
        return "sent"

    book = Book(order)
    first = book.decide()
    [initiated] = book.answer(first)
    book.add(
        "SignalExternalWorkflowExecutionFailed",
        by=True,
        workflow_id="other",
        initiated_event_id=initiated,
        cause="SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED",
    )
    pause = book.decide()
    [started] = book.answer(pause)
    book.add("TimerFired", timer_id=timer_of(pause), started_event_id=started)
    again = book.decide()
    assert again.decisions == first.decisions
    [initiated] = book.answer(again)
    book.add(
        "ExternalWorkflowExecutionSignaled",
        workflow_execution=shapes.WorkflowExecution(workflow_id="other", run_id="r"),
        initiated_event_id=initiated,
    )
    assert book.decide().closes
    book.close()


def timer_of(answer: Answer) -> str:
    [timer] = answer.decisions
    assert isinstance(timer, d.StartTimer)
    return timer.timer_id


def test_the_timer_that_brings_on_the_rest_may_be_refused() -> None:
    @workflow
    async def order() -> None:
        await asyncio.gather(*(work.start(str(n)) for n in range(120)))

    book = Book(order)
    first = book.decide()
    book.answered(first)
    for decision in first.decisions[:-1]:
        book.become(decision)
    book.add(
        "StartTimerFailed",
        by=True,
        timer_id="more-3",
        cause="TIMER_CREATION_RATE_EXCEEDED",
    )
    assert len(activities(book.decide())) == 21
    book.close()


def test_a_closed_history_is_replayed_to_its_end(book: Book) -> None:
    for _ in range(2):
        [scheduled] = book.answer(book.decide())
        complete(book, scheduled)
    book.answer(book.decide())
    run = book.fresh()
    run.feed(book.events)
    assert run.main is not None
    assert run.main.result() == '["x","x"]'
    run.end()


def test_a_terminated_history_is_replayed_to_its_end(book: Book) -> None:
    [scheduled] = book.answer(book.decide())
    complete(book, scheduled)
    book.add("WorkflowExecutionTerminated", child_policy="TERMINATE")
    run = book.fresh()
    run.feed(book.events)
    run.catch_up()
    assert "waits for activity work (2)" in run.stack()
    run.end()


def test_a_run_can_be_looked_at_between_decisions(book: Book) -> None:
    [scheduled] = book.answer(book.decide())
    run = book.fresh()
    run.feed(book.events)
    run.catch_up()
    assert "waits for activity work (1)" in run.stack()
    with pytest.raises(RuntimeError, match="goes on nowhere"):
        run.feed(book.events)
    run.end()
    complete(book, scheduled)
    book.add("DecisionTaskScheduled", task_list=LIST)
    run = book.fresh()
    run.feed(book.events)
    run.catch_up()
    assert "waits for activity work (2)" in run.stack()
    run.end()


# -- stacks, spinning --


def test_the_stack_shows_every_task_with_file_and_line() -> None:
    @workflow
    async def order() -> None:
        async def inner() -> None:
            await work("a")

        async def outer() -> None:
            await inner()

        async with asyncio.TaskGroup() as group:
            group.create_task(outer(), name="outer one")
            group.create_task(asyncio.sleep(60))

    book = Book(order)
    book.decide()
    lines = book.run.stack().splitlines()
    assert lines[0].startswith("main task")
    assert lines[1].startswith("  replay/test_turns.py:")
    assert lines[1].endswith(" in order")
    assert lines[2] == "task 1 'outer one' waits for activity work (1.1)"
    assert [line.rpartition(" ")[2] for line in lines[3:5]] == ["outer", "inner"]
    assert lines[5] == "task 2"
    assert lines[6].endswith(" in sleep")
    book.close()


def test_code_that_spins_is_found_out_with_its_stacks() -> None:
    @workflow
    async def order() -> None:
        while True:  # noqa: ASYNC110 - a bad habit
            await asyncio.sleep(0)

    book = Book(order)
    book.start()
    run = book.fresh()
    with pytest.raises(Spinning) as raised:
        run.decide(book.events)
    told = str(raised.value)
    assert told.startswith("workflow code made 100,000 steps without waiting for SWF")
    assert "main task" in told
    assert " in order" in told
    run.end()


def test_code_that_polls_for_what_a_signal_changes_is_left_until_then() -> None:
    """Nothing changes from round to round: not spinning, but waiting."""

    @workflow
    async def order() -> str:
        loop, told = asyncio.get_running_loop(), list[str]()
        flow.on_signal("go", str)(told.append)
        done = loop.create_future()

        def look() -> None:
            if told:
                done.set_result(told[0])
            else:
                loop.call_soon(LOOKS[0])

        LOOKS[:] = [look]
        look()
        return str(await done)

    book = Book(order)
    book.answer(book.decide())
    book.add("WorkflowExecutionSignaled", signal_name="go", input='"gone"')
    book.close()
    run = book.fresh()
    book.start()
    assert run.decide(book.events).decisions == (
        d.CompleteWorkflowExecution(result='"gone"'),
    )
    run.end()


LOOKS: list[Any] = []


# -- the end of a kept run --


def test_a_run_that_is_thrown_away_does_nothing_any_more() -> None:
    told: list[str] = []

    @workflow
    async def order() -> None:
        async def other() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                told.append("other")
                await work("never")
                told.append("never")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(other())
                await work("a")
        except BaseException as error:
            told.append(type(error).__name__)
            raise
        finally:
            asyncio.create_task(work("never"))  # noqa: RUF006 - of a run
            told.append("last")

    book = Book(order)
    book.start()
    run = book.fresh()
    run.decide(book.events)
    run.end()
    assert sorted(told) == ["Ended", "last", "other"]
    assert not run.bound
    assert not run.out
    run.end()


@pytest.mark.parametrize("what", ["sleep", "call", "task"])
def test_code_that_refuses_to_end_is_left(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @workflow
    async def order() -> None:
        while True:
            try:
                if what == "sleep":
                    await asyncio.sleep(60)
                elif what == "call":
                    await work("a")
                else:
                    await asyncio.create_task(work("a"))
            except BaseException:  # noqa: BLE001, S110 - a bad habit
                pass

    book = Book(order)
    book.start()
    run = book.fresh()
    run.decide(book.events)
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    run.end()
    del run
    gc.collect()
    assert [str(each.exc_value) for each in told] == ["coroutine ignored GeneratorExit"]


def test_what_nobody_retrieved_is_kept_for_the_log() -> None:
    @workflow
    async def order() -> str:
        async def broken() -> None:
            raise ValueError("nobody looks")

        asyncio.get_running_loop().call_soon(int, "no number")
        task = asyncio.create_task(broken())
        await asyncio.wait([task])
        del task
        return "done"

    book = Book(order)
    book.start()
    run = book.fresh()
    assert run.decide(book.events).closes
    gc.collect()
    run.loop.prune()
    gc.collect()
    [first, second] = run.loop.unhandled
    assert first["message"].startswith("Exception in callback")
    assert isinstance(second["exception"], ValueError)
    run.end()
    book.close()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_an_exit_in_workflow_code_is_the_deciders(kind: Any) -> None:
    @workflow
    async def order() -> None:
        raise kind

    book = Book(order)
    book.start()
    run = book.fresh()
    with pytest.raises(kind):
        run.decide(book.events)
    run.end()
    book.close()


async def test_a_run_may_be_decided_inside_of_a_running_loop() -> None:
    """The host's loop and task are what they were afterwards."""

    @workflow
    async def order() -> str:
        await asyncio.sleep(0)
        task = asyncio.current_task()
        return task.get_name() if task else "none"

    book = Book(order)
    mine, loop = asyncio.current_task(), asyncio.get_running_loop()
    answer = book.decide()
    assert asyncio.current_task() is mine
    assert asyncio.get_running_loop() is loop
    await asyncio.sleep(0)
    assert answer.decisions == (d.CompleteWorkflowExecution(result='"task "'),)
    book.close()


def test_events_are_values_that_a_run_does_not_change(book: Book) -> None:
    before = msgspec.json.encode(book.events)
    book.answer(book.decide())
    assert msgspec.json.encode(book.events[:1]) == before
