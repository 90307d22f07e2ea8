"""A history is read page by page, each page once, and only when it is looked at."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowser import results
from flowser.events import EVENTS, Event, MarkerRecorded, WorkflowExecutionSignaled
from flowser.exceptions import BrokenHistory, LastPage
from flowser.history import History

NOW = datetime(2020, 1, 1, tzinfo=UTC)


def event(number: int) -> Event:
    """Every third event is a signal, the others are markers."""
    if number % 3 == 0:
        signal = WorkflowExecutionSignaled(signal_name="s", input=str(number))
        kind = EVENTS["WorkflowExecutionSignaled"]
        return kind(id=number, time_stamp=NOW, attributes=signal)
    marker = MarkerRecorded(marker_name="m", decision_task_completed_event_id=4)
    kind = EVENTS["MarkerRecorded"]
    return kind(id=number, time_stamp=NOW, attributes=marker)


class Pages:
    """Serves pages by number, and remembers which were fetched."""

    def __init__(
        self,
        *pages: Sequence[int],
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.pages = [
            results.History(
                events=[event(number) for number in numbers],
                next_page_token=str(n) if n < len(pages) else None,
            )
            for n, numbers in enumerate(pages, start=1)
        ]
        self.fetched: list[str | None] = []
        self._before = before

    async def fetch(self, token: str | None) -> results.History:
        self.fetched.append(token)
        if self._before is not None:
            await self._before()
        return self.pages[int(token or 0)]


async def ids(events: Any) -> list[int]:
    return [event.id async for event in events]


async def test_nothing_is_read_before_it_is_looked_at() -> None:
    pages = Pages([1, 2], [3])
    history = History(pages.fetch)
    aiter(history)
    history.filter("MarkerRecorded")
    assert pages.fetched == []
    assert not history.complete


async def test_pages_are_read_when_needed_and_only_then() -> None:
    pages = Pages([4, 3], [2, 1])
    history = History(pages.fetch, reverse=True)
    events = aiter(history)
    assert [(await anext(events)).id for _ in range(2)] == [4, 3]
    assert pages.fetched == [None]
    assert (await anext(events)).id == 2
    assert pages.fetched == [None, "1"]


async def test_iterating_again_reads_nothing() -> None:
    pages = Pages([1, 2], [3])
    history = History(pages.fetch)
    assert await ids(history) == await ids(history) == [1, 2, 3]
    assert pages.fetched == [None, "1"]
    assert history.complete


async def test_first_page_that_came_with_a_poll_is_not_fetched() -> None:
    pages = Pages([3, 2], [1])
    history = History(pages.fetch, pages.pages[0], reverse=True)
    assert (await anext(aiter(history))).id == 3
    assert pages.fetched == []
    assert await ids(history) == [3, 2, 1]
    assert pages.fetched == ["1"]


async def test_two_iterations_at_once_read_each_page_once() -> None:
    arrived = asyncio.Barrier(1)
    pages = Pages(*([n] for n in range(1, 9)), before=lambda: _turn(arrived))
    history = History(pages.fetch)
    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(ids(history)) for _ in range(3)]
    assert [reader.result() for reader in readers] == [list(range(1, 9))] * 3
    assert len(pages.fetched) == len(set(pages.fetched)) == 8


async def _turn(barrier: asyncio.Barrier) -> None:
    await barrier.wait()
    await asyncio.sleep(0)


async def test_iterations_at_different_places_do_not_disturb_one_another() -> None:
    history = History(Pages([1, 2], [3, 4]).fetch)
    ahead, behind = aiter(history), aiter(history)
    assert [(await anext(ahead)).id for _ in range(3)] == [1, 2, 3]
    assert (await anext(behind)).id == 1
    assert await ids(ahead) == [4]
    assert await ids(behind) == [2, 3, 4]


async def test_empty_page_with_a_successor_is_passed_over() -> None:
    pages = Pages([], [2], [], [1], [])
    assert await ids(History(pages.fetch, reverse=True)) == [2, 1]
    assert len(pages.fetched) == 5


async def test_history_of_no_events_is_empty() -> None:
    history = History(Pages([]).fetch)
    assert await ids(history) == []
    assert history.complete


async def test_empty_token_is_no_token() -> None:
    page = results.History(events=[event(1)], next_page_token="")
    assert await ids(History(Pages([9]).fetch, page)) == [1]


async def test_token_that_leads_back_to_itself_is_a_broken_history() -> None:
    async def fetch(token: str | None) -> results.History:
        number = 1 if token is None else 2
        return results.History(events=[event(number)], next_page_token="same")

    history = History(fetch)
    with pytest.raises(BrokenHistory, match="leads back"):
        await ids(history)


async def test_tokens_in_a_circle_are_a_broken_history() -> None:
    leads = {None: "a", "a": "b", "b": "a"}

    async def fetch(token: str | None) -> results.History:
        return results.History(events=[], next_page_token=leads[token])

    with pytest.raises(BrokenHistory, match="leads back"):
        await ids(History(fetch))


@pytest.mark.parametrize(
    "pages",
    [
        ([5, 4], [2, 1]),  # a gap between pages
        ([5, 3], [2, 1]),  # and within one
        ([5, 4], [4, 3, 2, 1]),  # an event twice
        ([5, 4], [5, 4, 3, 2, 1]),  # a page twice
        ([3, 4], [2, 1]),  # out of order
        ([5, 4], [3, 2]),  # the last page does not end at event 1
        ([5, 4, 3],),
        ([5, 4, 3], []),
    ],
)
async def test_newest_first_pages_that_do_not_fit_are_a_broken_history(
    pages: tuple[list[int], ...],
) -> None:
    with pytest.raises(BrokenHistory):
        await ids(History(Pages(*pages).fetch, reverse=True))


@pytest.mark.parametrize(
    "pages", [([2, 3],), ([1, 2], [4]), ([1, 2], [2, 3]), ([2, 1],), ([1, 1],)]
)
async def test_oldest_first_pages_that_do_not_fit_are_a_broken_history(
    pages: tuple[list[int], ...],
) -> None:
    with pytest.raises(BrokenHistory):
        await ids(History(Pages(*pages).fetch))


async def test_page_that_broke_the_history_breaks_it_again() -> None:
    """A second look must not pass for a whole history."""
    history = History(Pages([5, 4], [2, 1]).fetch, reverse=True)
    for _ in range(2):
        with pytest.raises(BrokenHistory):
            await ids(history)
    assert not history.complete


async def test_fetch_that_failed_is_tried_again_where_it_stopped() -> None:
    pages = Pages([1], [2])
    failures = [ConnectionError()]

    async def fetch(token: str | None) -> results.History:
        if token and failures:
            raise failures.pop()
        return await pages.fetch(token)

    history = History(fetch)
    with pytest.raises(ConnectionError):
        await ids(history)
    assert await ids(history) == [1, 2]
    assert pages.fetched == [None, "1"]


async def test_iteration_that_is_cancelled_leaves_the_history_usable() -> None:
    stuck = asyncio.Event()
    waiting = asyncio.Event()

    async def wait() -> None:
        if len(pages.fetched) == 2:
            waiting.set()
            await stuck.wait()

    pages = Pages([1], [2], before=wait)
    history = History(pages.fetch)
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(ids(history))
        await waiting.wait()
        reader.cancel()
    assert await ids(history) == [1, 2]


async def test_filter_gives_the_events_of_one_type_and_is_as_lazy() -> None:
    pages = Pages([9, 8, 7], [6, 5, 4], [3, 2, 1])
    history = History(pages.fetch, reverse=True)
    signals = history.filter("WorkflowExecutionSignaled")
    first = await signals.first()
    assert first is not None
    assert first.id == 9
    assert pages.fetched == [None]
    assert await ids(signals) == await ids(signals) == [9, 6, 3]
    assert len(pages.fetched) == 3


async def test_filter_for_what_is_not_there_gives_nothing() -> None:
    nothing = History(Pages([1, 2], [3]).fetch).filter("TimerFired")
    assert await nothing.first() is None
    assert await ids(nothing) == []


async def test_read_beyond_the_end_is_last_page() -> None:
    history = History(Pages([1]).fetch)
    await history.read_beyond(0)
    with pytest.raises(LastPage):
        await history.read_beyond(1)
    assert history.get(1) is None


async def test_event_that_was_read_can_be_had_from_either_end() -> None:
    history = History(Pages([], [1, 2]).fetch)
    assert history.get(0) is history.get(-1) is None
    await ids(history)
    first, last = history.get(0), history.get(-1)
    assert first is not None
    assert last is not None
    assert (first.id, last.id) == (1, 2)
    assert history.get(2) is history.get(-3) is None


async def test_payloads_of_attrs_are_read_with_the_given_serializer() -> None:
    history = History(Pages([1, 2, 3]).fetch, loads=lambda text: f"<{text}>")
    signal = await history.filter("WorkflowExecutionSignaled").first()
    assert signal is not None
    assert signal.attrs["input"] == "<3>"


async def test_payloads_of_attrs_are_json_otherwise() -> None:
    history = History(Pages([1, 2, 3]).fetch)
    signal = await history.filter("WorkflowExecutionSignaled").first()
    assert signal is not None
    assert signal.attrs["input"] == 3


@st.composite
def split(draw: st.DrawFn) -> tuple[int, bool, list[list[int]]]:
    """Split a history into pages, some of them empty."""
    length = draw(st.integers(1, 40))
    reverse = draw(st.booleans())
    numbers = list(range(1, length + 1))[:: -1 if reverse else 1]
    cuts = sorted(draw(st.lists(st.integers(0, length), max_size=12)))
    edges = [0, *cuts, length]
    pages = [numbers[a:b] for a, b in pairwise(edges)]
    return length, reverse, pages


@given(split(), st.lists(st.integers(0, 45), max_size=4))
@settings(deadline=None)
async def test_any_split_into_pages_gives_the_same_events(
    case: tuple[int, bool, list[list[int]]], looks: list[int]
) -> None:
    """However it is paged and looked at: all events, each page at most once."""
    length, reverse, numbers = case
    pages = Pages(*numbers)
    history = History(pages.fetch, reverse=reverse)
    for look in looks:
        events = aiter(history)
        for _ in range(look):
            await anext(events, None)
    found = await ids(history)
    assert found == list(range(1, length + 1))[:: -1 if reverse else 1]
    assert len(pages.fetched) == len(set(pages.fetched)) == len(numbers)


@given(split(), st.integers(1, 40))
@settings(deadline=None)
async def test_looking_at_the_first_events_reads_no_page_too_many(
    case: tuple[int, bool, list[list[int]]], look: int
) -> None:
    length, reverse, numbers = case
    pages = Pages(*numbers)
    events = aiter(History(pages.fetch, reverse=reverse))
    for _ in range(min(look, length)):
        await anext(events)
    read = [page for page in numbers[: len(pages.fetched)] if page]
    assert sum(map(len, read[:-1])) < min(look, length)
