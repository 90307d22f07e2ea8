"""Decisions that are made again, and what is told of those that differ."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flowser import flow
from flowser.decisions import Decision, RecordMarker, StartTimer
from flowser.events import Event
from flowser.replay.run import Answer
from flowser.testing.outcomes import (
    Outcome,
    Title,
    decide_again,
    difference,
    outcome,
)
from tests.replay.shop import CardDeclined, charge, workflow
from tests.replay.story import Story, read

TITLE = Title("o-1", "r-1", "order 1", 7, "a replay from nothing")

HEAD = "o-1 (run r-1, type order 1), decision at event 7: a replay from nothing decides"


def timer(id: str, seconds: str = "60") -> StartTimer:
    return StartTimer(timer_id=id, start_to_fire_timeout=seconds)


def of(*decisions: Decision, context: str | None = None) -> Outcome:
    return outcome(Answer(decisions, context, closes=False))


def lines(known: Outcome, again: Outcome) -> list[str]:
    report = difference(TITLE, known, again)
    assert report is not None
    head, *rest = report.split("\n")
    assert head == f"{HEAD} otherwise"
    return rest


# -- what is told --


def test_outcomes_that_are_alike_make_no_report() -> None:
    one = of(timer("1"), RecordMarker(marker_name="m"), context="{}")
    other = of(timer("1"), RecordMarker(marker_name="m"), context="{}")
    other.places = ["app.py:1 in run", ""]
    assert difference(TITLE, one, other) is None
    assert difference(TITLE, of(), of()) is None


def test_attributes_that_differ_are_shown_and_no_others() -> None:
    again = of(timer("1"), timer("2", "61"))
    again.places = ["", "app/order.py:41 in pay (task 2)"]
    assert lines(of(timer("1"), timer("2")), again) == [
        "  - StartTimer 2  answered",
        "      startToFireTimeout: 60",
        "  + StartTimer 2  decided again, app/order.py:41 in pay (task 2)",
        "      startToFireTimeout: 61",
        "    StartTimer 1  both",
    ]


def test_what_only_one_of_them_decides_is_shown_with_all_that_it_has() -> None:
    assert lines(of(timer("1")), of()) == [
        "  - StartTimer 1  answered",
        "      timerId: 1",
        "      startToFireTimeout: 60",
    ]
    assert lines(of(), of(timer("1")))[0] == "  + StartTimer 1  decided again"


def test_another_order_is_a_difference() -> None:
    told = lines(of(timer("1"), timer("2")), of(timer("2"), timer("1")))
    assert told[:2] == [
        "  - in the order  StartTimer 1, StartTimer 2",
        "  + in the order  StartTimer 2, StartTimer 1",
    ]


def test_one_more_of_the_same_name_is_a_difference() -> None:
    mark = RecordMarker(marker_name="m")
    assert lines(of(mark), of(mark, mark))


def test_another_execution_context_is_a_difference() -> None:
    assert lines(of(context='{"status":1}'), of()) == [
        '  - context  {"status":1}',
        "  + context  None",
    ]


def test_trouble_is_told_in_its_own_words() -> None:
    assert lines(of(), Outcome(trouble="Spinning: code that\ngoes on")) == [
        "  + Spinning: code that",
        "    goes on",
    ]


def test_long_values_and_many_that_are_alike_are_cut_short() -> None:
    same = [timer(str(n)) for n in range(8)]
    told = lines(of(*same, timer("x", "1" * 900)), of(*same, timer("x")))
    assert f"      startToFireTimeout: {'1' * 200}..." in told
    assert told[-1] == "    and 3 more that both have"


# -- made again --


class Twice(Story):
    """A story whose decisions are also made again by what is under test."""

    def decide(self, *, meanwhile: Callable[[], object] | None = None) -> Answer:
        answer = super().decide(meanwhile=meanwhile)
        known = outcome(answer)
        again = decide_again(self.fresh(), self.seen, known)
        assert again.trouble is None
        assert again.decisions == known.decisions
        assert (again.context, again.closes) == (known.context, known.closes)
        self.made = again
        return answer

    def respond(self, task: dict[str, Any], answer: Answer) -> None:
        self.seen: list[Event] = self.events(task)
        super().respond(task, answer)


def count() -> int:
    return 3


def declined() -> None:
    raise CardDeclined("no funds")


def test_a_decision_is_made_again_with_the_places_in_the_code() -> None:
    @workflow
    async def order() -> None:
        flow.set_status("begun")
        await charge("o-1")
        await charge("o-2")

    story = Twice(order, using=[charge])
    story.decide()
    [place] = story.made.places
    assert "test_outcomes.py:" in place
    assert "in order" in place
    story.complete("1", {"number": 1, "amount": "1"})
    story.decide()
    story.complete("2", {"number": 1, "amount": "1"})
    story.decide()
    assert story.made.closes


def test_steps_are_not_done_again() -> None:
    calls: list[int] = []

    def draw(number: int) -> int:
        calls.append(number)
        return number

    @workflow
    async def order() -> list[Any]:
        found: list[Any] = await asyncio.gather(*(flow.step(draw, n) for n in range(3)))
        try:
            await flow.step(declined)
        except flow.StepFailed as error:
            found.append(str(error))
        await asyncio.sleep(found[2])
        return [*found, await flow.step(draw, 4)]

    story = Twice(order)
    story.settle()
    story.skip(2)
    story.settle()
    assert len(story.result) == 5
    assert calls == [0, 1, 2, 4]


def test_a_decision_that_leaves_steps_for_the_next_one_is_made_again() -> None:
    @workflow
    async def order() -> int:
        return sum(await asyncio.gather(*(flow.step(count) for _ in range(70))))

    story = Twice(order)
    while story.waits():
        story.decide()
        story.skip(0)
    assert story.result == 210


def test_what_cannot_be_made_again_is_trouble() -> None:
    @workflow
    async def order() -> None:
        await charge("o-1")

    @workflow
    async def other() -> None:
        await asyncio.sleep(1)

    story = Story(order, using=[charge])
    story.decide()
    story.complete("1")
    task = story.poll()
    assert task is not None
    again = Story(other, rig=story.rig, ids=story.ids).fresh()
    found = decide_again(again, read(task["events"]), of())
    assert found.trouble is not None
    assert found.trouble.startswith("NonDeterminism: o-1 (run ")


async def test_code_that_raises_what_is_no_exception_ends_its_run() -> None:
    @workflow
    async def order() -> None:
        raise KeyboardInterrupt

    story = Story(order)
    task = story.poll()
    assert task is not None
    run = story.fresh()
    with pytest.raises(KeyboardInterrupt):
        decide_again(run, read(task["events"]), of())
    with pytest.raises(RuntimeError, match="goes on nowhere"):
        run.take()
