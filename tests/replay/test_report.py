"""What is told when the code was changed while a run was open: each way to edit it."""

import asyncio
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from flowser import flow
from flowser.replay.run import Run
from flowser.replay.troubles import NonDeterminism
from tests.replay.book import Book
from tests.replay.story import Story


def workflow(function: Any) -> Any:
    return flow.workflow(
        version="1.2",
        task_list="deciders",
        name="order",
        execution_start_to_close_timeout=100_000,
    )(function)


def activity(name: str) -> Any:
    @flow.activity(version="1", task_list="payers", name=name)
    async def call(order_id: str) -> str:
        return order_id

    return call


reserve, charge, ship, authorize = map(
    activity, ("reserve", "charge", "ship", "authorize")
)


@workflow
async def order() -> str:
    await reserve("a")
    await charge("b")
    await asyncio.sleep(3600)
    return str(await ship("c"))


def played() -> Story:
    """Play a run until it ships."""
    story = Story(order, using=[reserve, charge, ship, authorize], workflow_id="o-17")
    story.settle()
    for id in ("1", "2"):
        story.complete(id, id)
        story.settle()
    story.skip(3600)
    story.settle()
    return story


REMEDIES = (
    "register what is new as another version of the type",
    'if flow.patched("what-changed")',
    "ask that in an activity or in flow.step()",
)


def report(changed: Any, story: Story | None = None) -> list[str]:
    """Replay a run with other code, and give what is told.

    Also have the other code decide, turn by turn, what the history says otherwise: a
    run that is kept tells the same. But it has not looked where it was when it decided;
    a worker replays such a run from its beginning, and so comes to know.
    """
    story = story or played()
    told = told_by(story.replayed, changed)
    kept = told_by(decide_again, changed, story)
    told_without, kept = ([re.sub(PLACE, "", line) for line in t] for t in (told, kept))
    assert told_without == kept
    return told


PLACE = r"(?<=  code), .*:\d+ in [^:]*"


def told_by(replay: Callable[..., object], *args: Any) -> list[str]:
    with pytest.raises(NonDeterminism) as raised:
        replay(*args)
    told = str(raised.value)
    assert all(remedy in told for remedy in REMEDIES)
    return told.splitlines()


def decide_again(changed: Any, story: Story) -> None:
    """Decide every turn of a history by one run that is kept."""
    ids = story.ids["workflowId"], story.ids["runId"]
    run = Run(*ids, flow.Program(changed.type))
    history = story.history
    try:
        for event in history:
            if event.type == "DecisionTaskStarted":
                run.feed(history[: event.id])
                run.advance()
                story.do_steps(run)
                run.take()
        run.feed(history)
        run.catch_up()
    finally:
        run.end()


def line_of(function: Any, text: str) -> int:
    lines, first = inspect.getsourcelines(function)
    [found] = [number for number, line in enumerate(lines, first) if text in line]
    return found


def test_the_code_that_made_a_history_replays_it() -> None:
    played().replayed()


def test_a_step_that_was_added() -> None:
    @workflow
    async def changed() -> None:
        await reserve("a")
        await authorize("new")
        await charge("b")

    story = played()
    line = line_of(changed.function, "authorize(")
    run = story.ids["runId"]
    head, minus, plus, *_ = report(changed, story)
    assert head == (
        f"o-17 (run {run}, type order 1.2), decision 2, events 4 to 9: "
        "history and code differ"
    )
    assert minus == "  - 2  activity charge     history, event 11"
    assert plus == (
        f"  + 2  activity authorize  code, replay/test_report.py:{line} in changed"
    )


def test_a_step_that_was_removed() -> None:
    @workflow
    async def changed() -> None:
        await reserve("a")
        await asyncio.sleep(3600)

    _, minus, plus, *_ = report(changed)
    line = line_of(changed.function, "sleep(")
    assert minus == "  - 2  activity charge  history, event 11"
    assert plus == (
        f"  + 2  timer of 3600 s  code, replay/test_report.py:{line} in changed"
    )


def test_steps_that_were_swapped() -> None:
    @workflow
    async def changed() -> None:
        await charge("b")
        await reserve("a")

    _, minus, plus, *_ = report(changed)
    line = line_of(changed.function, "charge(")
    assert minus == "  - 1  activity reserve  history, event 5"
    assert plus == (
        f"  + 1  activity charge   code, replay/test_report.py:{line} in changed"
    )


def test_a_step_that_was_renamed() -> None:
    @workflow
    async def changed() -> None:
        await reserve("a")
        await authorize("b")

    _, minus, plus, *_ = report(changed)
    line = line_of(changed.function, "authorize(")
    assert minus == "  - 2  activity charge     history, event 11"
    assert plus == (
        f"  + 2  activity authorize  code, replay/test_report.py:{line} in changed"
    )


def test_a_branch_that_was_changed() -> None:
    @workflow
    async def changed() -> str:
        await reserve("a")
        await charge("b")
        if flow.now().year > 1:
            return "enough"
        return str(await ship("c"))

    _, minus, plus, *_ = report(changed)
    assert minus == "  - 3  timer of 3600 s                  history, event 17"
    assert plus == "  +    close CompleteWorkflowExecution  code"


def test_steps_that_were_made_parallel() -> None:
    @workflow
    async def changed() -> None:
        await asyncio.gather(reserve("a"), charge("b"))

    _, minus, *plus = report(changed)
    line = line_of(changed.function, "gather(")
    where = f"code, replay/test_report.py:{line} in changed"
    assert minus == "  - 1    activity reserve  history, event 5"
    assert plus[:2] == [
        f"  + 1.1  activity reserve  {where} (task 1)",
        f"  + 2.1  activity charge   {where} (task 2)",
    ]


def test_a_step_that_was_added_to_a_task_group() -> None:
    @workflow
    async def changed() -> None:
        await reserve("a")
        async with asyncio.TaskGroup() as group:
            group.create_task(charge("b"))

    _, minus, plus, *_ = report(changed)
    line = line_of(changed.function, "TaskGroup(")
    where = f"code, replay/test_report.py:{line} in changed (task 2)"
    assert minus == "  - 2    activity charge  history, event 11"
    assert plus == f"  + 2.1  activity charge  {where}"


def test_a_time_out_around_a_step() -> None:
    @workflow
    async def changed() -> None:
        await reserve("a")
        async with asyncio.timeout(60):
            await charge("b")

    _, *lines = report(changed)
    where = "code, replay/test_report.py:{} in changed"
    first, second = (
        line_of(changed.function, text) for text in ("timeout(", "charge(")
    )
    assert lines[:3] == [
        "  - 2  activity charge  history, event 11",
        f"  + 2  timer of 60 s    {where.format(first)}",
        f"  + 3  activity charge  {where.format(second)}",
    ]


def test_an_activity_that_became_a_child() -> None:
    child = flow.workflow(version="1", task_list="kids", name="refund")(order.function)

    @workflow
    async def changed() -> None:
        await reserve("a")
        await child()

    _, minus, plus, *_ = report(changed)
    line = line_of(changed.function, "child(")
    assert minus == "  - 2  activity charge  history, event 11"
    assert plus == (
        f"  + 2  child refund     code, replay/test_report.py:{line} in changed"
    )


def test_a_loop_that_goes_round_less_often() -> None:
    @workflow
    async def before(n: int = 3) -> None:
        for number in range(n):
            await charge(str(number))

    @workflow
    async def changed(n: int = 3) -> None:
        for number in range(n - 1):
            await charge(str(number))

    story = Story(before, using=[charge])
    for id in ("1", "2", "3"):
        story.settle()
        story.complete(id, id)
    story.settle()
    _, minus, plus, *_ = report(changed, story)
    assert minus == "  - 3  activity charge                  history, event 17"
    assert plus == "  +    close CompleteWorkflowExecution  code"


def test_a_step_at_the_end_that_was_removed() -> None:
    @workflow
    async def changed() -> str:
        await reserve("a")
        await charge("b")
        await asyncio.sleep(3600)
        return "done"

    story = played()
    story.complete("4", "c")
    story.settle()
    _, minus, plus, *_ = report(changed, story)
    assert minus == "  - 4  activity ship                    history, event 22"
    assert plus == "  +    close CompleteWorkflowExecution  code"


def test_a_step_at_the_end_that_was_added() -> None:
    @workflow
    async def changed() -> str:
        await reserve("a")
        await charge("b")
        await asyncio.sleep(3600)
        await ship("c")
        return str(await authorize("new"))

    story = played()
    story.complete("4", "c")
    story.settle()
    _, plus, minus, *_ = report(changed, story)
    assert minus.startswith("  -    close CompleteWorkflowExecution  history, event ")
    assert plus.startswith("  + 5  activity authorize  ")


def test_another_way_to_close() -> None:
    @workflow
    async def before() -> str:
        await reserve("a")
        return "done"

    @workflow
    async def changed() -> str:
        await reserve("a")
        raise ValueError("no")

    story = Story(before, using=[reserve])
    story.settle()
    story.complete("1", "a")
    story.settle()
    _, minus, plus, *_ = report(changed, story)
    assert minus == "  -   close CompleteWorkflowExecution  history, event 11"
    place = f"replay/test_report.py:{line_of(changed.function, 'raise')} in changed"
    assert plus == (
        f"  +   close FailWorkflowExecution      code, {place}: ValueError: no"
    )


def test_what_cannot_be_replayed_any_more_is_named_with_its_place() -> None:
    @workflow
    async def changed() -> str:
        await reserve("a")
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(print))
        return "done"

    _, _, plus, *_ = report(changed)
    assert plus.startswith("  +    close FailWorkflowExecution  code, replay/test_rep")
    assert " in changed: NotReplayable: loop.run_in_executor() cannot be " in plus
    assert plus.endswith(": make it an activity")


def test_a_timer_of_another_length_and_another_version_of_an_activity_are_right() -> (
    None
):
    @flow.activity(version="2", task_list="others", name="charge")
    async def newer(order_id: str) -> str:
        return order_id

    @workflow
    async def changed() -> str:
        await reserve("a")
        await newer("b")
        await asyncio.sleep(60)
        return str(await ship("c"))

    played().replayed(changed).end()


def test_a_branch_that_is_edited_shifts_no_numbers_of_another() -> None:
    @workflow
    async def before() -> None:
        async def left() -> None:
            await reserve("a")
            await charge("b")

        async def right() -> None:
            await charge("c")
            await ship("d")

        await asyncio.gather(left(), right())

    @workflow
    async def changed() -> None:
        async def left() -> None:
            await reserve("a")
            await authorize("new")
            await charge("b")

        async def right() -> None:
            await charge("c")
            await ship("d")

        await asyncio.gather(left(), right(), return_exceptions=True)

    story = Story(before, using=[reserve, charge, ship], workflow_id="o-17")
    story.settle()
    story.complete("1.1", "a")
    story.complete("2.1", "c")
    story.settle()
    line = line_of(changed.function, "authorize(")
    _, minus, plus, both, *_ = report(changed, story)
    assert minus == "  - 1.2  activity charge     history, event 14"
    where = f"replay/test_report.py:{line} in left (task 1)"
    assert plus == f"  + 1.2  activity authorize  code, {where}"
    assert both == "    2.2  activity ship       both, event 15"


def test_what_agrees_is_shown_up_to_five_lines() -> None:
    @workflow
    async def before(n: int = 8) -> None:
        await asyncio.gather(*(charge.start(str(i)) for i in range(n)))

    @workflow
    async def changed(n: int = 8) -> None:
        await asyncio.gather(*(charge.start(str(i)) for i in range(n + 1)))

    story = Story(before, using=[charge])
    story.settle()
    story.complete("1", "")
    story.settle()
    _, plus, *both = report(changed, story)
    assert plus.startswith("  + 9    activity charge  code, ")
    assert len([line for line in both if "both, event" in line]) == 5
    assert "    ...  and 3 more       both" in both


def test_what_differs_is_shown_up_to_forty_lines() -> None:
    def fanned_out(activity: Any) -> Any:
        @workflow
        async def order() -> None:
            await asyncio.gather(*(activity(str(n)) for n in range(150)))

        return order

    story = Story(fanned_out(charge), using=[charge])
    story.settle()
    _, minus, plus, *rest = report(fanned_out(ship), story)
    assert minus == "  - 1.1   activity charge  history, event 5"
    assert plus == "  + 1.1   activity ship    code"  # what else it decides comes later
    assert rest[38] == "    ...   and 158 more"


def test_marks_signals_children_and_steps_are_named() -> None:
    child = flow.workflow(version="1", task_list="kids", name="refund")(order.function)

    def rate() -> int:
        return 3

    @workflow
    async def before() -> None:
        flow.mark("paid")
        await flow.step(rate)
        flow.external("other").signal("hello")
        flow.external("other").request_cancel()
        child.start()
        flow.lambda_function("resize").start()
        await asyncio.sleep(1)

    @workflow
    async def changed() -> None:
        await asyncio.sleep(1)

    story = Story(before, using=[child])
    story.settle()
    story.skip(1)
    story.settle()
    lines = report(changed, story)
    told = "\n".join(lines)
    for what in (
        "- 1  marker paid ",
        "- 2  step rate ",
        "- 3  signal hello ",
        "- 4  cancel request ",
        "- 5  child refund ",
        "- 6  lambda resize ",
        "- 7  timer of 1 s ",
        "+ 1  timer of 1 s ",
    ):
        assert what in told, told


def test_a_step_that_the_history_does_not_know() -> None:
    def rate() -> int:
        return 3

    @workflow
    async def changed() -> None:
        await flow.step(rate)
        await reserve("a")

    story = played()
    _, minus, plus, *_ = told_by(story.replayed, changed)
    line = line_of(changed.function, "flow.step(")
    assert minus == "  - 1  activity reserve  history, event 5"
    assert plus == (
        f"  + 1  step rate         code, replay/test_report.py:{line} in changed"
    )
    _, *lines = told_by(decide_again, changed, story)  # which had done it, and went on
    assert lines[:3] == [
        minus,
        "  + 1  step rate         code",
        "  + 2  activity reserve  code",
    ]


def test_cancellations_are_named() -> None:
    @workflow
    async def before() -> None:
        task = asyncio.create_task(charge("a"))
        handle = asyncio.get_running_loop().call_later(60, print)
        await asyncio.sleep(1)
        task.cancel()
        handle.cancel()
        await ship("b")

    @workflow
    async def changed() -> None:
        asyncio.create_task(charge("a"))  # noqa: RUF006 - of a run
        asyncio.get_running_loop().call_later(60, print)
        await asyncio.sleep(1)
        await ship("b")

    story = Story(before, using=[charge, ship])
    story.settle()
    story.tasks()
    story.skip(1)
    story.settle()
    story.complete("4", "b")
    story.settle()
    told = "\n".join(report(changed, story))
    assert "- 1.1  cancel of activity  history" in told
    assert "- 2    cancel of timer     history" in told


def test_code_that_depends_on_chance_is_found_out_by_the_second_replay() -> None:
    flips = iter([True, False, False, False])

    @workflow
    async def gambling() -> None:
        await (reserve if next(flips) else charge)("a")

    story = Story(gambling, using=[reserve, charge])
    task = story.poll()
    assert task is not None
    run = story.fresh()
    story.respond(task, run.decide(story.new(task)))
    run.end()
    story.complete("1", "a")
    with pytest.raises(NonDeterminism, match="activity reserve"):
        story.decide()


def test_the_same_trouble_is_found_by_a_kept_run() -> None:
    """Somebody else answered in its place: what it sent is not what is there."""
    book = Book(order)
    first = book.decide()
    book.answered(first)
    book.add(
        "ActivityTaskScheduled",
        by=True,
        activity_type=charge.type.activity_type(),
        activity_id="1",
        task_list=book.events[0].attributes.task_list,  # type: ignore[union-attr]
    )
    book.start()
    with pytest.raises(NonDeterminism, match=r"- 1  activity charge .*\n.*reserve"):
        book.run.feed(book.events)
    book.close()
