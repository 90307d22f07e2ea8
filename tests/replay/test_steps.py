"""Steps beside so many other decisions that not all of them have room."""

import asyncio

from flowser import flow
from flowser.replay import sending
from flowser.replay.steps import MARKER
from tests.replay.shop import workflow
from tests.replay.story import Story


def place(number: int = 1) -> int:
    return number


async def one(number: int) -> tuple[int, str]:
    found = await flow.step(place, number)
    return found, f"{flow.now():%H:%M:%S} after {flow.info().history_length}"


def test_what_follows_a_step_is_the_same_in_a_replay_when_decisions_are_split() -> None:
    @workflow
    async def order() -> list[str]:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(asyncio.sleep(100))
            await asyncio.sleep(1)
            for _ in range(120):
                group.create_task(asyncio.sleep(50))
            _, told = await one(1)
            first.cancel()  # goes before all that opens something
        return [told]

    story = Story(order)
    story.settle()
    story.skip(1)
    step, cancel, *_ = story.ids_of(story.decide())
    assert (step, cancel) == (MARKER, "1.1")
    story.skip(0)
    story.settle()  # the rest
    story.skip(50)
    story.settle()
    assert story.result
    story.replayed().end()


def test_a_decision_takes_no_more_results_of_steps_than_have_room() -> None:
    @workflow
    async def order() -> list[str]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(n)) for n in range(120)]
        return [task.result()[1] for task in tasks]

    story = Story(order)
    sizes = []
    while story.waits():
        sizes.append(story.ids_of(story.decide()).count(MARKER))
        story.skip(0)
    assert sizes == [sending.STEPS, sending.STEPS, 20]
    assert len({*story.result}) == len(sizes)
    story.replayed().end()


def test_long_results_of_steps_are_split_by_their_bytes() -> None:
    def long(number: int) -> str:
        return chr(0x1F600) * 30_000

    @workflow
    async def order() -> int:
        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(flow.step(long, number))
        return 6

    story = Story(order)
    story.settle()
    assert story.result == 6
    assert len(story.answers) == 3
    story.replayed().end()
