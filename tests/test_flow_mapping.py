"""Many calls with bounds."""

from typing import Any

import pytest

from flowser import flow
from flowser.exceptions import InvalidArgument
from tests.replay.shop import charge, resize, workflow
from tests.replay.story import Story


def test_amap_bounds_how_many_are_open() -> None:
    @workflow
    async def order() -> list[str]:
        async def one(n: int) -> str:
            return await resize(str(n), width=1)

        return await flow.amap(one, range(5), limit=2)

    story = Story(order, using=[resize])
    opened = 0
    while story.waits():
        opened += len(story.decide().decisions)
        for task in story.tasks():
            story.complete(task.id, task.input["image"])
        assert opened <= 6
    assert story.result == ["0", "1", "2", "3", "4"]


def test_amap_tolerates_so_many_failures() -> None:
    @workflow
    async def order() -> list[str]:
        async def one(n: int) -> str:
            return await resize(str(n), width=1)

        found = await flow.amap(one, range(3), tolerate=1)
        return [str(each) for each in found]

    story = Story(order, using=[resize])
    story.decide()
    story.complete("1.1", "0")
    story.fail("2.1", "Broken: no")
    story.complete("3.1", "2")
    story.settle()
    assert story.result == ["0", "resize-image (2.1): Broken: no", "2"]


def test_amap_raises_and_cancels_the_rest_when_one_more_fails() -> None:
    @workflow
    async def order() -> str:
        async def one(n: int) -> str:
            return await resize(str(n), width=1)

        try:
            await flow.amap(one, range(3))
        except* flow.ActivityFailed as group:
            told = group.message
        return told

    story = Story(order, using=[resize])
    story.decide()
    story.tasks()
    story.fail("2.1", "Broken: no")
    assert story.ids_of(story.decide())[:2] == ["1.1", "3.1"]
    assert story.result == "1 of 3 calls failed"


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"tolerate": -1}])
async def test_amap_refuses_bounds_that_make_no_sense(wrong: Any) -> None:
    with pytest.raises(InvalidArgument):
        await flow.amap(charge, ["a"], **wrong)
