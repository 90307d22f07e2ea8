"""Steps: short pieces of work in the decider itself."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from flowser import decisions as d
from flowser import flow
from flowser.exceptions import InvalidArgument, SerializationError
from tests.replay.shop import CardDeclined, workflow
from tests.replay.story import Story


def test_a_step_is_done_once_and_recorded() -> None:
    calls: list[int] = []

    async def rate(day: int) -> tuple[str, Decimal]:
        calls.append(day)
        await asyncio.sleep(0)
        return "EUR", Decimal("1.1")

    @workflow
    async def order() -> list[Any]:
        found = await flow.step(rate, day=3)
        await asyncio.sleep(1)
        return [str(type(found)), *map(str, found)]

    story = Story(order)
    made = story.decisions()
    assert made[0] == d.RecordMarker(
        marker_name="flowser.step",
        details='{"fv":1,"id":"1","kind":"step","name":"rate","value":["EUR","1.1"]}',
    )
    story.skip(1)
    story.settle()
    assert calls == [3]
    assert story.result == ["<class 'tuple'>", "EUR", "1.1"]
    story.replayed()
    assert calls == [3]


def test_steps_go_on_in_the_order_in_which_they_were_done() -> None:
    def name(text: str) -> str:
        return text

    @workflow
    async def order() -> list[str]:
        told: list[str] = []

        async def one(text: str) -> None:
            told.append(await flow.step(name, text))
            told.append(await flow.step(name, text + text))

        await asyncio.gather(one("a"), one("b"))
        return told

    story = Story(order)
    story.settle()
    assert story.result == ["a", "b", "aa", "bb"]
    story.replayed()


def test_a_step_that_raises_is_recorded_too() -> None:
    async def rate() -> None:
        raise CardDeclined("no funds")

    @workflow
    async def order() -> list[Any]:
        try:
            await flow.step(rate)
        except flow.StepFailed as error:
            await asyncio.sleep(1)
            return [str(error), error.is_a(CardDeclined), error.is_a(ValueError)]
        return []

    story = Story(order)
    story.decide()
    story.skip(1)
    story.settle()
    assert story.result == ["rate (1): CardDeclined: no funds", True, False]


def test_a_step_that_is_canceled_is_not_recorded() -> None:
    def name() -> str:
        return "done"

    @workflow
    async def order() -> str:
        task = asyncio.create_task(flow.step(name))
        first = await flow.step(name)
        task.cancel()
        await asyncio.sleep(1)
        return first

    story = Story(order)
    assert story.ids_of(story.decide()) == ["flowser.step", "3"]
    story.skip(1)
    story.settle()
    assert story.result == "done"


@pytest.mark.parametrize(
    ("function", "args", "type", "result"),
    [
        (time.time, (), "float", None),
        (max, (3, 4), "int", "4"),
        (partial(round, ndigits=1), (1.26,), "float", "1.3"),
        (lambda: [1], (), "list", "[1]"),
        (Decimal, ("1.10",), "Decimal", "1.10"),
        ("a-b".split, ("-",), "list", "['a', 'b']"),
    ],
)
def test_anything_that_can_be_called_is_a_step(
    function: Any, args: Any, type: str, result: str | None
) -> None:
    @workflow
    async def order() -> list[str]:
        found = await flow.step(function, *args)
        return [found.__class__.__name__, str(found)]

    story = Story(order)
    story.settle()
    assert story.result[0] == type
    assert result in (None, story.result[1])
    story.replayed()


def test_values_of_types_pass_through_steps() -> None:
    @dataclass
    class Price:
        amount: Decimal
        until: datetime

    now = datetime(2026, 1, 1, tzinfo=UTC)

    async def price() -> Price:
        return Price(Decimal("1.10"), now)

    price.__annotations__["return"] = Price  # which is local to this test

    @workflow
    async def order() -> bool:
        found = await flow.step(price)
        await asyncio.sleep(1)
        return found == Price(Decimal("1.10"), now)

    story = Story(order)
    story.decide()
    story.skip(1)
    story.settle()
    assert story.result is True


def test_a_result_that_does_not_fit_is_refused_and_the_step_goes_on() -> None:
    async def rate() -> int:
        return 1

    @workflow
    async def order() -> int:
        return await flow.step(rate)

    story = Story(order)
    task = story.poll()
    assert task is not None
    run = story.run
    run.feed(story.events(task))
    run.advance()
    [step] = run.steps.values()
    with pytest.raises(SerializationError, match="Expected `int`"):
        run.finish_step(step, '"seven"')
    with pytest.raises(InvalidArgument, match="32,768"):
        run.finish_step(step, "1" * 40_000)
    run.finish_step(step, "7")
    *_, close = run.take().decisions
    assert close == d.CompleteWorkflowExecution(result="7")
