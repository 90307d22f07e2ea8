"""The history of a decision task costs what is looked at, and no more."""

import asyncio
from typing import Any

import pytest

from flowser.decision_tasks import Decision
from flowser.domain import Domain
from flowser.exceptions import (
    BrokenHistory,
    InvalidArgument,
    SerializationError,
)
from tests.declared import Album, Photos, Resize, UpperPhotos, connected, offline
from tests.histories import (
    ALBUM,
    RUN,
    LongHistory,
    began,
    decision_task,
    done,
    marker,
    page,
    raw,
    scheduled,
    signaled,
)
from tests.support.scripted import ScriptedSwf

POLL = "PollForDecisionTask"
READ = "GetWorkflowExecutionHistory"


class Typed(Album):
    input_type = dict[str, int]
    result_type = list[int]


class TypedResize(Resize):
    result_type = list[int]


class TypedPhotos(Photos):
    workflow_types = [Typed]
    activity_types = [TypedResize]


def decision(
    *found: dict[str, Any], domain: Domain | None = None, kind: type[Album] = Album
) -> Decision:
    """Wrap a task with a whole history, newest event first."""
    return Decision(decision_task(found), kind(domain or offline()))


async def ids(found: Any) -> list[int]:
    return [event.id async for event in found]


async def test_newest_event_of_a_long_history_costs_one_page(
    scripted: ScriptedSwf,
) -> None:
    scripted.always(POLL, LongHistory(25_000).poll)
    async with connected(scripted.url) as conn:
        task = await Photos(conn).poll_decision(Album)
        assert (await anext(aiter(task.events))).id == 25_000
        newest = await task.most_recent("MarkerRecorded")
    assert newest is not None
    assert newest.id == 25_000
    assert len(scripted.requests) == 1


async def test_start_input_of_a_long_history_costs_one_call_of_one_event(
    scripted: ScriptedSwf,
) -> None:
    scripted.always(POLL, LongHistory(25_000).poll)
    scripted.always(READ, LongHistory(25_000).read)
    async with connected(scripted.url) as conn:
        task = await Photos(conn).poll_decision(Album)
        assert await task.start_input == {"id": 7}
        assert await task.start_input is await task.start_input
    assert scripted.count(POLL) == 1
    (request,) = scripted.of(READ)
    assert request.params == {
        "domain": "photos",
        "execution": RUN,
        "maximumPageSize": 1,
    }


async def test_start_input_that_was_read_already_costs_nothing(
    scripted: ScriptedSwf,
) -> None:
    scripted.always(POLL, LongHistory(2_500).poll)
    async with connected(scripted.url) as conn:
        task = await Photos(conn).poll_decision(Album)
        assert await ids(task.events) == list(range(2_500, 0, -1))
        assert await task.start_input == {"id": 7}
    assert (scripted.count(POLL), scripted.count(READ)) == (3, 0)


async def test_start_input_behind_an_empty_first_page_is_found(
    scripted: ScriptedSwf,
) -> None:
    scripted.answer(POLL, decision_task([], "more"))
    scripted.answer(READ, page([began(input="[1]")], "more"))
    async with connected(scripted.url) as conn:
        task = await Photos(conn).poll_decision(Album)
        assert await task.start_input == [1]


async def test_all_events_of_a_history_cost_one_call_a_page(
    scripted: ScriptedSwf,
) -> None:
    scripted.always(POLL, LongHistory(3_500).poll)
    async with connected(scripted.url) as conn:
        task = await Photos(conn).poll_decision(Album)
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(ids(task.events)) for _ in range(2)]
        again = await ids(task.events)
    assert readers[0].result() == readers[1].result() == again
    assert again == list(range(3_500, 0, -1))
    assert scripted.count(POLL) == 4


async def test_further_pages_are_read_by_the_same_poll_with_the_token(
    scripted: ScriptedSwf,
) -> None:
    scripted.always(POLL, LongHistory(5).poll)
    async with connected(scripted.url) as conn:
        photos = Photos(conn)
        photos.identity = "me"
        task = await photos.poll_decision(Album, page_size=2)
        await ids(task.events)
    first, *others = [request.params for request in scripted.requests]
    assert first == {
        "domain": "photos",
        "taskList": {"name": "albums"},
        "identity": "me",
        "maximumPageSize": 2,
        "reverseOrder": True,
    }
    assert others == [first | {"nextPageToken": token} for token in ("2", "4")]


async def test_task_wrapped_by_hand_reads_pages_from_its_types_list(
    scripted: ScriptedSwf,
) -> None:
    scripted.always(POLL, LongHistory(2).poll)
    async with connected(scripted.url) as conn:
        first = decision_task([marker(2)], "1")
        task = Decision(first, Album(Photos(conn)))
        assert await ids(task.events) == [2, 1]
        nobodys = Decision(first, Photos(conn))
        with pytest.raises(InvalidArgument, match="no workflow type"):
            await ids(nobodys.events)
    (request,) = scripted.requests
    assert request.params["taskList"] == {"name": "albums"}


async def test_empty_page_with_a_token_is_not_the_end(scripted: ScriptedSwf) -> None:
    scripted.answer(
        POLL,
        decision_task([marker(3)], "a"),
        decision_task([], "b"),
        decision_task([marker(2), began()]),
    )
    async with connected(scripted.url) as conn:
        task = await Photos(conn).poll_decision(Album)
        assert await ids(task.events) == [3, 2, 1]


@pytest.mark.parametrize(
    "second",
    [
        decision_task([marker(2)], "a"),  # its token leads back to itself
        decision_task([began()]),  # event 2 is missing
        decision_task([marker(3), marker(2), began()]),  # event 3 came before
        decision_task([marker(2)]),  # the end without event 1
    ],
)
async def test_pages_that_do_not_fit_are_a_broken_history(
    scripted: ScriptedSwf, second: dict[str, Any]
) -> None:
    scripted.answer(POLL, decision_task([marker(3)], "a"), second)
    async with connected(scripted.url) as conn:
        task = await Photos(conn).poll_decision(Album)
        with pytest.raises(BrokenHistory):
            await ids(task.events)


async def test_filter_and_most_recent_can_be_asked_again_and_again() -> None:
    made = decision(signaled(5, "b"), marker(4), signaled(3, "a"), marker(2), began())
    for _ in range(2):
        assert await ids(made.filter("WorkflowExecutionSignaled")) == [5, 3]
        newest = await made.most_recent("WorkflowExecutionSignaled")
        assert newest is not None
        assert newest.attrs["signalName"] == "b"
        assert await made.most_recent("TimerFired") is None
        assert await ids(made.events) == [5, 4, 3, 2, 1]


async def test_unknown_events_of_a_page_are_kept_in_their_place(
    scripted: ScriptedSwf,
) -> None:
    found = [
        raw(3, "TimerCancelled", timerId="t"),
        raw(2, "WorkflowReopened", n=1),
        began(),
    ]
    scripted.answer(POLL, decision_task(found))
    async with connected(scripted.url) as conn:
        task = await Photos(conn).poll_decision(Album)
        types = [event.type async for event in task.events]
        newer = await task.most_recent("WorkflowReopened")
    assert types == ["TimerCancelled", "WorkflowReopened", "WorkflowExecutionStarted"]
    assert newer is not None
    assert dict(newer.attrs) == {"n": 1}


async def test_start_input_is_decoded_into_the_types_input() -> None:
    good = decision(began(input='{"a":1}'), kind=Typed)
    assert await good.start_input == {"a": 1}
    bad = decision(began(input='{"a":"x"}'), kind=Typed)
    with pytest.raises(SerializationError, match="dict"):
        await bad.start_input


async def test_start_input_of_none_is_none() -> None:
    assert await decision(began()).start_input is None


async def test_start_input_of_an_unknown_type_is_read_by_the_domain() -> None:
    task = Decision(decision_task([began(input="HEY")]), offline(UpperPhotos))
    assert await task.start_input == "hey"
    (event,) = [event async for event in task.events]
    assert event.attrs["input"] == "hey"


async def test_history_that_does_not_begin_with_a_start_is_broken() -> None:
    with pytest.raises(BrokenHistory, match="event 1"):
        await decision(marker(1)).start_input


async def test_result_of_an_event_is_decoded_as_its_type_says() -> None:
    made = decision(
        done(7, 5, result="[1]"),
        marker(6),
        scheduled(5),
        *map(marker, (4, 3, 2)),
        began(),
        domain=offline(TypedPhotos),
    )
    event = await made.most_recent("ActivityTaskCompleted")
    assert event is not None
    assert await made.result_of(event) == [1]
    wrong = decision(done(2, 1, result='["x"]'), scheduled(1), domain=made.domain)  # type: ignore[arg-type]
    event = await wrong.most_recent("ActivityTaskCompleted")
    assert event is not None
    with pytest.raises(SerializationError, match="list"):
        await wrong.result_of(event)


async def test_result_of_a_child_is_decoded_as_its_type_says() -> None:
    child = raw(
        2,
        "ChildWorkflowExecutionCompleted",
        workflowExecution=RUN,
        workflowType=ALBUM,
        initiatedEventId=1,
        startedEventId=1,
        result='["x"]',
    )
    typed = decision(child, began(), domain=offline(TypedPhotos))
    plain = decision(child, began())
    event = await anext(aiter(typed.events))
    with pytest.raises(SerializationError, match="list"):
        await typed.result_of(event)
    assert await plain.result_of(event) == ["x"]


async def test_event_without_a_result_brings_none() -> None:
    made = decision(done(2, 1), scheduled(1))
    for event in [event async for event in made.events]:
        assert await made.result_of(event) is None
