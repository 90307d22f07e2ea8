"""The histories of decision tasks, as a replay takes them."""

from typing import Any

import msgspec
import pytest

from flowser import wire
from flowser._polling import Condition, decision_poll
from flowser._worker.held import HeldTurn
from flowser.exceptions import BrokenHistory, ValidationFailed
from flowser.results import DecisionTask, History
from tests.histories import Raw, began, decision_task, raw
from tests.workers import first

OWN = "own"


def history(last: int) -> list[Raw]:
    """Build a history, oldest event first."""
    middle = [
        raw(n, "WorkflowExecutionSignaled", signalName=f"s{n}") for n in range(2, last)
    ]
    return [began(), *middle, raw(last, "DecisionTaskStarted", scheduledEventId=2)]


class FakeDomain:
    """Answers by a list, and keeps what it was asked."""

    name = "fake"

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), []  # type: ignore[var-annotated]

    @property
    def domain(self) -> "FakeDomain":
        return self

    async def call(self, request: Any) -> Any:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        operation = type(request).__name__
        kind = DecisionTask if operation == "PollForDecisionTask" else None
        return wire.convert(operation, answer, kind or History)


def turn(domain: FakeDomain, answer: Raw, *, own: bool = False) -> HeldTurn:
    """Take a task in hand."""
    poll = decision_poll("fake", OWN)
    if own:
        poll = msgspec.structs.replace(
            poll, reverse_order=None, start_at_previous_started_event=True
        )
    result = wire.convert("PollForDecisionTask", answer, DecisionTask)
    return HeldTurn(result, domain, Condition("answering"), poll)


async def ids_before(task: HeldTurn, event_id: int) -> list[list[int]]:
    """Read a history up to an event."""
    return [[e.id for e in page] async for page in task.before(event_id)]


async def test_short_history_is_what_the_poll_brought() -> None:
    domain = FakeDomain()
    task = turn(domain, decision_task(history(4)[::-1]))
    events = await task.newest()
    assert [event.id for event in events] == [1, 2, 3, 4]
    assert await ids_before(task, events[0].id) == []
    assert domain.asked == []


async def test_of_a_long_history_the_newest_page_is_not_read_again() -> None:
    whole = history(9)
    pages = [
        {"events": whole[:3], "nextPageToken": "2"},
        {"events": whole[3:6], "nextPageToken": "3"},
    ]
    domain = FakeDomain(*pages)
    task = turn(domain, decision_task(whole[:4:-1], nextPageToken="more"))
    events = await task.newest()
    assert [event.id for event in events] == [6, 7, 8, 9]
    assert await ids_before(task, 6) == [[1, 2, 3], [4, 5]]
    assert [each.next_page_token for each in domain.asked] == [None, "2"]


def expired() -> ValidationFailed:
    """A page token that was not used for too long."""
    text = "Specified token has exceeded its maximum lifetime"
    return ValidationFailed("GetWorkflowExecutionHistory", "ValidationException", text)


async def test_page_token_that_has_expired_begins_the_history_anew() -> None:
    whole = history(9)
    first = {"events": whole[:3], "nextPageToken": "2"}
    second = {"events": whole[3:6], "nextPageToken": "3"}
    task = turn(
        FakeDomain(first, expired(), first, second), decision_task(whole[:4:-1])
    )
    assert await ids_before(task, 6) == [[1, 2, 3], [4, 5]]


async def test_history_that_comes_no_further_is_given_up() -> None:
    whole = history(9)
    first = {"events": whole[:3], "nextPageToken": "2"}
    answers = first, expired(), first, expired()
    task = turn(FakeDomain(*answers), decision_task(whole[:4:-1]))
    with pytest.raises(ValidationFailed, match="maximum lifetime"):
        await ids_before(task, 6)


async def test_new_events_on_the_own_list_are_read_to_their_end() -> None:
    whole = history(9)
    domain = FakeDomain(decision_task([], nextPageToken="3"), decision_task(whole[6:]))
    task = turn(domain, decision_task(whole[3:6], nextPageToken="2"), own=True)
    assert [event.id for event in await task.newest()] == [4, 5, 6, 7, 8, 9]
    assert [each.next_page_token for each in domain.asked] == ["2", "3"]


async def test_token_that_leads_back_to_itself_breaks_the_history() -> None:
    page = {"events": [], "nextPageToken": "2"}
    domain = FakeDomain(page, page)
    task = turn(domain, decision_task(history(9)[:4:-1]))
    with pytest.raises(BrokenHistory, match="back to itself"):
        await ids_before(task, 6)


async def test_time_for_the_decision_is_in_the_newest_events() -> None:
    assert turn(FakeDomain(), first("30")).time_left == 30.0
    assert turn(FakeDomain(), first("NONE")).time_left is None
    assert turn(FakeDomain(), decision_task(history(3)[::-1])).time_left is None
