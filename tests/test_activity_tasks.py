"""An activity task: its input, and the four ways to answer it."""

import asyncio
import contextvars
from typing import Any

import pytest

from flowser.activity_tasks import Activity, current_activity, make_current
from flowser.exceptions import (
    EmptyTaskPollResult,
    InvalidArgument,
    ResponseLost,
    SerializationError,
    UnknownResourceFault,
)
from tests.conftest import BareClient
from tests.declared import Album, Photos, Resize, UpperPhotos, connected, offline
from tests.histories import activity_task
from tests.support.scripted import EMPTY_POLL, ScriptedSwf
from tests.support.watched import WatchedSwf


class Typed(Resize):
    def run(self, input: list[int]) -> dict[str, int]:
        return {}


def task(**given: Any) -> Activity:
    return Activity(activity_task(**given), Resize(offline()))


async def started(photos: Photos) -> Activity:
    """Take the first activity task of a new run."""
    await photos.register()
    await photos.start(Album, {"id": 1})
    decision = await photos.poll_decision(Album)
    await decision.schedule(Resize, {"id": 1, "n": [2]}).complete()
    return await photos.poll_activity(Resize)


def test_task_has_the_attributes_of_the_original() -> None:
    made = task(input='{"id":1}')
    assert made.task_token == "token-1"
    assert made.activity_id == "a-1"
    assert made.started_event_id == 6
    assert (made.activity_type.name, made.activity_type.version) == ("Resize", "1.0")
    assert made.workflow_execution.workflow_id == "album-1"
    assert made.workflow_execution.run_id == "run-1"
    assert made.input == {"id": 1}
    assert isinstance(made.caller, Resize)
    assert made.domain is made.caller.domain
    assert not made.answered
    assert "Resize" in repr(made)


@pytest.mark.parametrize(
    "answer",
    [{"startedEventId": 0}, {"startedEventId": 0, "taskToken": ""}, EMPTY_POLL],
)
def test_answer_without_a_task_is_an_empty_poll(answer: Any) -> None:
    with pytest.raises(EmptyTaskPollResult):
        Activity(answer, offline())


@pytest.mark.parametrize("answer", [{}, {"taskToken": "t"}, {"taskToken": ""}])
def test_broken_answer_is_not_taken_for_an_empty_poll(answer: Any) -> None:
    """A task may have been handed out (reliability 0.3)."""
    with pytest.raises(ResponseLost):
        Activity(answer, offline())


def test_task_without_an_input_has_none() -> None:
    assert task().input is None


def test_input_is_decoded_into_the_types_input_once() -> None:
    made = Activity(activity_task(input="[1,2]"), Typed(offline()))
    assert made.input == [1, 2]
    assert made.input is made.input
    wrong = Activity(activity_task(input='["x"]'), Typed(offline()))
    with pytest.raises(SerializationError, match="list"):
        wrong.input  # noqa: B018 - reading it is the point


def test_unreadable_input_harms_only_who_reads_it() -> None:
    made = task(input="no JSON {")
    assert made.activity_id == "a-1"
    with pytest.raises(SerializationError):
        made.input  # noqa: B018 - reading it is the point


def test_task_of_an_unknown_type_is_read_by_the_domains_serializer() -> None:
    made = Activity(activity_task(input="HEY"), offline(UpperPhotos))
    assert made.input == "hey"
    assert made.dumps("ho") == "HO"
    assert made.dumps(None) is None


def test_log_records_about_a_task_say_all_its_names() -> None:
    assert task().fields == {
        "domain": "photos",
        "workflow_id": "album-1",
        "run_id": "run-1",
        "type": "Resize 1.0",
        "activity_id": "a-1",
    }


@pytest.mark.parametrize(
    ("method", "arguments", "operation", "params"),
    [
        ("complete", (), "RespondActivityTaskCompleted", {}),
        ("complete", ([1],), "RespondActivityTaskCompleted", {"result": "[1]"}),
        ("complete", ("",), "RespondActivityTaskCompleted", {"result": '""'}),
        ("fail", (), "RespondActivityTaskFailed", {}),
        (
            "fail",
            ("long", "short"),
            "RespondActivityTaskFailed",
            {"details": "long", "reason": "short"},
        ),
        ("cancel", (), "RespondActivityTaskCanceled", {}),
        ("cancel", ("d",), "RespondActivityTaskCanceled", {"details": "d"}),
    ],
)
async def test_answer_is_sent_as_swf_wants_it(
    scripted: ScriptedSwf,
    method: str,
    arguments: tuple[Any, ...],
    operation: str,
    params: dict[str, str],
) -> None:
    async with connected(scripted.url) as conn:
        made = Activity(activity_task(), Resize(Photos(conn)))
        await getattr(made, method)(*arguments)
    (request,) = scripted.requests
    assert request.operation == operation
    assert request.params == {"taskToken": "token-1"} | params
    assert made.answered


@pytest.mark.parametrize("wanted", [True, False])
async def test_heartbeat_tells_whether_a_cancel_was_requested(
    scripted: ScriptedSwf, *, wanted: bool
) -> None:
    scripted.always("RecordActivityTaskHeartbeat", {"cancelRequested": wanted})
    async with connected(scripted.url) as conn:
        made = Activity(activity_task(), Resize(Photos(conn)))
        assert await made.heartbeat("3 of 9") is wanted
        assert await made.heartbeat() is wanted
    assert [request.params for request in scripted.requests] == [
        {"taskToken": "token-1", "details": "3 of 9"},
        {"taskToken": "token-1", "details": "3 of 9"},
    ]
    assert made.cancel_requested is wanted
    assert not made.answered


async def test_answer_that_swf_would_refuse_leaves_the_task_unanswered(
    scripted: ScriptedSwf,
) -> None:
    async with connected(scripted.url) as conn:
        made = Activity(activity_task(), Resize(Photos(conn)))
        with pytest.raises(InvalidArgument, match=r"result has 32,770 .* store it"):
            await made.complete("x" * 32_768)  # and two quotation marks
        with pytest.raises(InvalidArgument, match=r"details has 2,049 .* short"):
            await made.heartbeat("x" * 2_049)
        with pytest.raises(SerializationError):
            await made.complete(object())
        assert not made.answered
        await made.fail("x" * 32_768, "y" * 256)
    assert [r.operation for r in scripted.requests] == ["RespondActivityTaskFailed"]


async def test_task_goes_from_the_decider_to_the_worker_and_back(
    local: WatchedSwf,
) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        made = await started(photos)
        assert made.input == {"id": 1, "n": [2]}
        assert await made.heartbeat("half") is False
        await made.complete({"n": 2})
        decision = await photos.poll_decision(Album)
        event = await decision.most_recent("ActivityTaskCompleted")
    assert event is not None
    assert event.attrs["result"] == {"n": 2}


async def test_task_whose_cancel_was_requested_can_be_canceled(
    local: WatchedSwf,
) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        made = await started(photos)
        await made.workflow_execution.signal("stop")
        decision = await photos.poll_decision(Album)
        await decision.request_cancel_activity(made.activity_id).complete()
        assert await made.heartbeat() is True
        await made.cancel("cleaned up")
        decision = await photos.poll_decision(Album)
        event = await decision.most_recent("ActivityTaskCanceled")
    assert event is not None
    assert event.attrs["details"] == "cleaned up"


async def test_task_that_is_over_is_an_unknown_resource(local: WatchedSwf) -> None:
    async with connected(local.url) as conn:
        made = await started(Photos(conn))
        await made.workflow_execution.terminate()
        with pytest.raises(UnknownResourceFault):
            await made.heartbeat()
        with pytest.raises(UnknownResourceFault):
            await made.complete()
        assert not made.answered


async def test_task_works_over_a_plain_client_and_on_moto(
    moto_url: str, domain_name: str, bare_client: BareClient
) -> None:
    async with bare_client(moto_url) as client:
        photos = Photos(client)
        photos.name = domain_name
        made = await started(photos)
        assert made.input == {"id": 1, "n": [2]}
        assert await made.heartbeat("half") is False
        await made.fail("long", "short")
        decision = await photos.poll_decision(Album)
        event = await decision.most_recent("ActivityTaskFailed")
    assert event is not None
    assert (event.attrs["reason"], event.attrs["details"]) == ("short", "long")


def test_there_is_no_current_activity_outside_a_handler() -> None:
    with pytest.raises(LookupError):
        contextvars.Context().run(current_activity)


async def test_current_activity_reaches_tasks_and_threads_of_its_handler() -> None:
    made = task()

    async def handler() -> tuple[Activity, Activity]:
        make_current(made)
        async with asyncio.TaskGroup() as group:
            child = group.create_task(asyncio.to_thread(current_activity))
        return current_activity(), child.result()

    async with asyncio.TaskGroup() as group:
        handling = group.create_task(handler())
    assert handling.result() == (made, made)
    with pytest.raises(LookupError):
        current_activity()
