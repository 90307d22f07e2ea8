"""Steps: short pieces of work in the decider itself."""

import asyncio
from decimal import Decimal
from typing import Any

from flowser import decisions as d
from flowser import flow
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
