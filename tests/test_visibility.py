"""Listing and counting: one page at a time, and filters that SWF takes."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from flowser import shapes, wire
from flowser.exceptions import InvalidArgument
from tests.conftest import BareClient
from tests.declared import Album, Photos, connected, offline
from tests.histories import ALBUM
from tests.support.answers import Recorded
from tests.support.scripted import ScriptedSwf
from tests.support.watched import WatchedSwf

ALWAYS = {"oldestDate": 0.0}
NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2020, 1, 1, 13, tzinfo=UTC)


class Red(Album):
    default_filter_tag = "red"


def info(number: int) -> dict[str, Any]:
    return {
        "execution": {"workflowId": f"w-{number}", "runId": f"r-{number}"},
        "workflowType": ALBUM,
        "startTimestamp": 1_500_000_000 + number,
        "executionStatus": "OPEN",
    }


async def three_pages(recorded: Recorded) -> dict[str, Any]:
    """Two executions, none, and one."""
    match recorded.params.get("nextPageToken"):
        case None:
            return {"executionInfos": [info(1), info(2)], "nextPageToken": "a"}
        case "a":
            return {"executionInfos": [], "nextPageToken": "b"}
        case _:
            return {"executionInfos": [info(3)]}


async def asked(scripted: ScriptedSwf, method: str, /, **given: Any) -> dict[str, Any]:
    """Give what listing or counting sends, without the domain."""
    infos: dict[str, Any] = {"executionInfos": [], "count": 0}
    for state in ("Open", "Closed"):
        scripted.always(f"List{state}WorkflowExecutions", infos)
        scripted.always(f"Count{state}WorkflowExecutions", infos)
    async with connected(scripted.url) as conn:
        answer = getattr(Photos(conn), method)(**given)
        if method.startswith("count"):
            await answer
        else:
            assert [found async for found in answer] == []
    params = scripted.requests[-1].params
    assert params.pop("domain") == "photos"
    return params


@pytest.mark.parametrize("state", ["open", "closed"])
async def test_pages_are_asked_for_when_they_are_needed(
    scripted: ScriptedSwf, state: str
) -> None:
    operation = f"List{state.title()}WorkflowExecutions"
    scripted.always(operation, three_pages)
    async with connected(scripted.url) as conn:
        found = getattr(Photos(conn), f"{state}_executions")(page_size=2)
        assert scripted.requests == []
        first = await anext(found)
        assert first.execution.workflow_id == "w-1"
        assert first.start_timestamp == datetime.fromtimestamp(1_500_000_001, UTC)
        await anext(found)
        assert scripted.count(operation) == 1
        rest = [each.execution.run_id async for each in found]
    assert rest == ["r-3"]
    params = [request.params for request in scripted.requests]
    assert [each.get("nextPageToken") for each in params] == [None, "a", "b"]
    assert {each["maximumPageSize"] for each in params} == {2}


FILTERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"type": Album}, {"typeFilter": {"name": "Album", "version": "1.0"}}),
    ({"type": "Album"}, {"typeFilter": {"name": "Album"}}),
    (
        {"type": shapes.WorkflowType(name="Album", version="2.0")},
        {"typeFilter": {"name": "Album", "version": "2.0"}},
    ),
    ({"type": Red}, {"tagFilter": {"tag": "red"}}),
    ({"tag": "blue"}, {"tagFilter": {"tag": "blue"}}),
    ({"workflow_id": "w"}, {"executionFilter": {"workflowId": "w"}}),
]


@pytest.mark.parametrize(("given", "sent"), FILTERS)
@pytest.mark.parametrize(
    "method",
    [
        "open_executions",
        "count_open_executions",
        "closed_executions",
        "count_closed_executions",
    ],
)
async def test_filter_is_sent_beside_all_times(
    scripted: ScriptedSwf, method: str, given: dict[str, Any], sent: dict[str, Any]
) -> None:
    params = await asked(scripted, method, **given)
    assert params == {"startTimeFilter": ALWAYS} | sent


@pytest.mark.parametrize("method", ["closed_executions", "count_closed_executions"])
@pytest.mark.parametrize("status", ["TIMED_OUT", shapes.CloseStatus.TIMED_OUT])
async def test_closed_executions_are_filtered_by_how_they_ended(
    scripted: ScriptedSwf, method: str, status: str
) -> None:
    params = await asked(scripted, method, status=status)
    assert params["closeStatusFilter"] == {"status": "TIMED_OUT"}


@pytest.mark.parametrize("method", ["open_executions", "count_open_executions"])
async def test_start_times_are_sent_as_seconds(
    scripted: ScriptedSwf, method: str
) -> None:
    params = await asked(scripted, method, started_after=NOON, started_before=LATER)
    assert params["startTimeFilter"] == {
        "oldestDate": NOON.timestamp(),
        "latestDate": LATER.timestamp(),
    }


@pytest.mark.parametrize("method", ["closed_executions", "count_closed_executions"])
async def test_close_times_replace_start_times(
    scripted: ScriptedSwf, method: str
) -> None:
    params = await asked(scripted, method, closed_after=NOON)
    assert params == {"closeTimeFilter": {"oldestDate": NOON.timestamp()}}
    params = await asked(scripted, method, closed_before=NOON)
    assert params == {
        "closeTimeFilter": {"oldestDate": 0.0, "latestDate": NOON.timestamp()}
    }


@pytest.mark.parametrize("method", ["open_executions", "closed_executions"])
async def test_order_is_turned_when_asked(scripted: ScriptedSwf, method: str) -> None:
    assert (await asked(scripted, method, reverse=True))["reverseOrder"] is True
    assert "reverseOrder" not in await asked(scripted, method)


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ({"type": Album, "tag": "a"}, "tag"),
        ({"type": "Album", "workflow_id": "w"}, "workflow_id"),
        ({"tag": "a", "status": "FAILED"}, "status"),
        ({"started_after": NOON, "closed_after": NOON}, "started_after"),
        ({"started_before": NOON, "closed_before": NOON}, "started_before"),
        ({"closed_after": datetime(2020, 1, 1)}, "closed_after"),  # noqa: DTZ001
        ({"started_before": datetime(2020, 1, 1)}, "started_before"),  # noqa: DTZ001
        ({"started_after": date(2020, 1, 1)}, "started_after"),
        ({"started_before": 1_577_836_800}, "started_before"),
        ({"started_after": 0}, "started_after"),
        ({"closed_after": date(2020, 1, 1)}, "closed_after"),
        ({"closed_before": "2020-01-01"}, "closed_before"),
        ({"status": "DONE"}, "status"),
    ],
)
async def test_filters_that_contradict_or_mean_nothing_are_refused(
    given: dict[str, Any], argument: str
) -> None:
    photos = offline()
    with pytest.raises(InvalidArgument) as refused:
        await anext(photos.closed_executions(**given))
    assert refused.value.argument == argument
    with pytest.raises(InvalidArgument):
        await photos.count_closed_executions(**given)


async def test_time_without_a_zone_is_refused_with_the_remedy() -> None:
    naive = datetime(2020, 1, 1)  # noqa: DTZ001 - what is refused
    with pytest.raises(InvalidArgument, match=r"no time zone: .*UTC"):
        await offline().count_open_executions(started_after=naive)


@pytest.mark.parametrize("given", [date(2020, 1, 1), 1_577_836_800, "2020-01-01"])
async def test_time_that_is_no_datetime_is_refused_with_the_remedy(given: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^started_after is .*pass a datetime"):
        await offline().count_open_executions(started_after=given)
    with pytest.raises(InvalidArgument, match=r"^started_before is .*pass a datetime"):
        await anext(offline().open_executions(started_before=given))


async def test_page_size_is_bounded() -> None:
    with pytest.raises(InvalidArgument, match="maximum_page_size is True"):
        await anext(offline_but_checked().open_executions(page_size=True))
    with pytest.raises(InvalidArgument, match="maximum_page_size"):
        await anext(offline_but_checked().open_executions(page_size=1_001))


def offline_but_checked() -> Photos:
    """A domain on a wire that checks what it would send."""

    class Checking:
        async def call(self, operation: str, params: Any, result_type: Any, /) -> Any:
            raise AssertionError(wire.encode(params))

    return Photos(Checking())


async def test_counts_tell_when_they_are_lower_bounds(scripted: ScriptedSwf) -> None:
    answer = {"count": 1_000, "truncated": True}
    for operation in (
        "CountOpenWorkflowExecutions",
        "CountClosedWorkflowExecutions",
        "CountPendingActivityTasks",
        "CountPendingDecisionTasks",
    ):
        scripted.always(operation, answer)
    async with connected(scripted.url) as conn:
        photos = Photos(conn)
        for counted in (
            await photos.count_open_executions(),
            await photos.count_closed_executions(),
            await photos.count_pending_activities("images"),
            await photos.count_pending_decisions("albums"),
        ):
            assert (counted.count, counted.truncated) == (1_000, True)
    assert [request.params.get("taskList") for request in scripted.requests] == [
        None,
        None,
        {"name": "images"},
        {"name": "albums"},
    ]


async def test_executions_are_found_newest_first_by_all_filters(
    local: WatchedSwf,
) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        await photos.register()
        handles = [await photos.start(Album, {"id": n}) for n in range(3)]
        tagged = await photos.start(Album, {"id": 9}, tag_list=["red"])
        await handles[0].terminate()
        newest = [i.execution.workflow_id async for i in photos.open_executions()]
        assert newest == ["Album-9", "Album-2", "Album-1"]
        in_pages = photos.open_executions(reverse=True, page_size=1)
        assert [i.execution.workflow_id async for i in in_pages] == newest[::-1]
        (red,) = [i async for i in photos.open_executions(Red)]
        assert red.execution.run_id == tagged.run_id
        (ended,) = [i async for i in photos.closed_executions(status="TERMINATED")]
        assert ended.execution.run_id == handles[0].run_id
        assert [i async for i in photos.closed_executions(status="FAILED")] == []
        until = ended.start_timestamp
        (again,) = [i async for i in photos.closed_executions(started_before=until)]
        assert again == ended
        assert [i async for i in photos.closed_executions(closed_before=NOON)] == []


async def test_pending_tasks_are_counted_on_moto(
    moto_url: str, domain_name: str, bare_client: BareClient
) -> None:
    async with bare_client(moto_url) as client:
        photos = Photos(client)
        photos.name = domain_name
        await photos.register()
        await photos.start(Album, {"id": 1})
        assert (await photos.count_pending_decisions("albums")).count == 1
        assert (await photos.count_pending_activities("images")).count == 0
        (found,) = [i async for i in photos.open_executions()]
    assert found.execution.workflow_id == "Album-1"
