"""The time of a server, and its alarm."""

from typing import Any

import pytest

from flowser.local._clock import Clock
from flowser.testing import clock as virtual

_NOW = 1_700_000_000_000


@pytest.fixture(autouse=True)
async def time() -> Any:
    """Let time jump."""
    with virtual.virtual_time() as time:
        yield time


@pytest.fixture
def rung() -> list[int]:
    """The times at which it rang."""
    return []


@pytest.fixture
async def clock(rung: list[int], time: virtual.Clock) -> Clock:
    return Clock(_NOW, 1.0, lambda due: rung.append(due - _NOW))


async def test_clock_begins_where_it_is_told_and_goes_on(
    clock: Clock, time: virtual.Clock
) -> None:
    assert clock.now() == _NOW
    await time.skip(2.5)
    assert clock.now() == _NOW + 2_500


async def test_seconds_may_be_shorter(time: virtual.Clock, rung: list[int]) -> None:
    clock = Clock(_NOW, 0.1, lambda due: rung.append(due - _NOW))
    clock.set_alarm(_NOW + 3_000)
    await time.skip(0.2)
    assert rung == []
    await time.skip(0.11)
    assert rung == [3_000]


async def test_alarm_rings_once_at_its_time(
    clock: Clock, time: virtual.Clock, rung: list[int]
) -> None:
    clock.set_alarm(_NOW + 7_000)
    await time.skip(6.9)
    assert rung == []
    await time.skip(60)
    assert rung == [7_000]


async def test_earlier_of_two_alarms_counts(
    clock: Clock, time: virtual.Clock, rung: list[int]
) -> None:
    for due in (7_000, 3_000, 5_000):
        clock.set_alarm(_NOW + due)
    await time.skip(60)
    assert rung == [3_000]
    clock.set_alarm(_NOW + 70_000)
    await time.skip(60)
    assert rung == [3_000, 70_000]


async def test_alarm_of_the_past_rings_at_once(
    clock: Clock, time: virtual.Clock, rung: list[int]
) -> None:
    await time.skip(5)
    clock.set_alarm(_NOW)
    await time.settle()
    assert rung == [5_000]


async def test_no_alarm_rings_before_its_time(
    clock: Clock, time: virtual.Clock, rung: list[int]
) -> None:
    """Though a loop calls early, by as much as its clock is coarse."""
    for due in range(1, 1_000, 7):
        clock.set_alarm(_NOW + due)
        await time.skip(0.007)
    assert all(rang >= due for rang, due in zip(rung, range(1, 1_000, 7), strict=True))


async def test_clock_that_is_stopped_rings_no_more(
    clock: Clock, time: virtual.Clock, rung: list[int]
) -> None:
    clock.stop()
    clock.set_alarm(_NOW + 1_000)
    clock.stop()
    await time.skip(2)
    assert rung == []
