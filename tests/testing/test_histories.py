"""Histories in files: every event there and back, and files of others."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowser import events
from flowser.domain import Domain
from flowser.events import Event, UnrecognizedEvent
from flowser.exceptions import InvalidArgument
from flowser.history import History
from flowser.testing import LocalRun, LocalSwf
from flowser.testing.histories import load_history, read, save_history
from tests.histories import began, marker, raw
from tests.testing.orders import pack

TIME = "2017-09-08T13:50:54.307000+02:00"


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Make histories of events of all types, each with members set or not."""
    names = draw(st.lists(st.sampled_from(sorted(events.EVENTS)), min_size=1))
    times = st.floats(1.3e9, 4e9).map(lambda time: datetime.fromtimestamp(time, UTC))
    return [
        events.EVENTS[name](
            id=number,
            time_stamp=draw(times),
            attributes=draw(st.from_type(events.ATTRIBUTES[name])),
        )
        for number, name in enumerate(names, 1)
    ]


@given(histories())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
async def test_what_is_saved_is_loaded_again(
    tmp_path: Path, history: list[Event]
) -> None:
    path = tmp_path / "history.json"
    await save_history(history, path)
    assert load_history(path) == history


@pytest.mark.parametrize("name", events.EVENTS)
async def test_event_of_every_type_survives(tmp_path: Path, name: str) -> None:
    @given(st.from_type(events.ATTRIBUTES[name]))
    @settings(max_examples=10, deadline=None)
    def make(attributes: Any) -> None:
        made.append(attributes)

    made: list[events.Attributes] = []
    make()
    now = datetime(2024, 5, 6, 7, 8, 9, 123_000, UTC)
    history = [
        events.EVENTS[name](id=number, time_stamp=now, attributes=attributes)
        for number, attributes in enumerate(made, 1)
    ]
    path = tmp_path / "history.json"
    await save_history(history, path)
    assert load_history(path) == history


async def test_file_is_what_the_cli_prints(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    await save_history([events.event(began()), events.event(marker(2))], path)
    assert path.read_text("utf-8").startswith('{\n    "events": [\n        {\n')
    assert json.loads(path.read_bytes()) == {"events": [began(), marker(2)]}


async def test_unknown_event_keeps_its_type_and_attributes(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    new = raw(1, "MoonRisen", phase="full")
    await save_history([events.event(new)], path)
    (event,) = load_history(path)
    assert isinstance(event, UnrecognizedEvent)
    assert (event.type, event.attributes) == ("MoonRisen", {"phase": "full"})
    assert json.loads(path.read_bytes()) == {"events": [new]}


async def test_events_of_a_plain_client_are_taken(tmp_path: Path) -> None:
    """Which botocore gives as dictionaries, with times of the local zone."""
    path = tmp_path / "history.json"
    local = datetime(2017, 9, 8, 13, 50, 54, 307_000, timezone(timedelta(hours=2)))
    await save_history([began() | {"eventTimestamp": local}], path)
    (event,) = load_history(path)
    assert event.time_stamp == local
    assert event.time_stamp.tzinfo is UTC


@pytest.mark.parametrize("reverse", [False, True])
async def test_lazy_history_is_read_to_its_end(tmp_path: Path, reverse: bool) -> None:
    class Page(msgspec.Struct):
        events: list[Event]
        next_page_token: str | None

    order = [events.event(event) for event in (began(), marker(2), marker(3))]
    given = order[::-1] if reverse else order
    pages = {None: Page(given[:1], "more"), "more": Page(given[1:], None)}

    async def fetch(token: str | None) -> Page:
        return pages[token]

    path = tmp_path / "history.json"
    await save_history(History(fetch, reverse=reverse), path)
    assert load_history(path) == order


async def test_any_async_iterable_of_events_is_taken(tmp_path: Path) -> None:
    async def events_of() -> AsyncIterator[Event]:
        yield events.event(began())

    path = tmp_path / "history.json"
    await save_history(events_of(), path)
    assert [event.id for event in load_history(path)] == [1]


async def test_execution_is_saved_with_its_history(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    async with LocalSwf() as swf:
        run = await swf.start(pack, "o-1", 1)
        await run.result()
        for handle in (run, swf_domain(run).execution(run.workflow_id)):
            await save_history(handle, path)
            saved = read(str(path))
            assert saved.execution is not None
            assert saved.execution.workflow_id == "pack-1"
            assert saved.execution.run_id == run.run_id
            assert saved.events == load_history(path)


def swf_domain(run: LocalRun[Any]) -> Domain:
    domain: Domain = run.caller.domain
    return domain


@pytest.mark.parametrize("execution", [7, {}, {"workflowId": "o-1"}, {"runId": 7}])
def test_execution_that_is_none_is_refused(tmp_path: Path, execution: Any) -> None:
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"execution": execution, "events": [began()]}))
    with pytest.raises(InvalidArgument, match="has an execution that is none"):
        load_history(path)


# -- files of others --


@pytest.mark.parametrize(
    "stamp",
    [TIME, "2017-09-08T11:50:54.307Z", 1504871454.307],
    ids=["version 2", "version 2 in UTC", "version 1"],
)
def test_both_versions_of_the_cli_are_read(tmp_path: Path, stamp: Any) -> None:
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"events": [began() | {"eventTimestamp": stamp}]}))
    (event,) = load_history(str(path))
    assert event.time_stamp == datetime(2017, 9, 8, 11, 50, 54, 307_000, UTC)
    assert event.time_stamp.tzinfo is UTC


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_file_is_read_as_any_shell_redirects_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "history.json"
    content = json.dumps({"events": [began(input='"☃"')]}, ensure_ascii=False)
    path.write_text(content, encoding)
    assert load_history(path)[0].attrs["input"] == "☃"


def test_reverse_order_is_turned_round(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"events": [marker(3), marker(2), began()]}))
    assert [event.id for event in load_history(path)] == [1, 2, 3]


def test_bare_list_of_a_query_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_text(json.dumps([began(), marker(2)]))
    assert [event.id for event in load_history(path)] == [1, 2]


@pytest.mark.parametrize(
    ("content", "problem", "remedy"),
    [
        ("", "is no JSON", "--output json"),
        ("events:\n- eventId: 1\n", "is no JSON", "--output json"),
        (b"\xff\xff\xff\xff", "is no JSON", "--output json"),
        ("[" * 100_000, "is no JSON", "--output json"),
        ("7", "has no events", "save it anew"),
        ("{}", "has no events", "save it anew"),
        ({"events": []}, "has no events", "save it anew"),
        ({"events": "x"}, "has no events", "save it anew"),
        ({"events": [7]}, "(event 1 of the file) is no JSON object", "save it"),
        ({"events": [began(), {}]}, "(event 2 of the file) is no event", "save it"),
        (
            {"events": [began() | {"eventTimestamp": "2017-09-08T11:50:54"}]},
            "a time without an offset",
            "save it",
        ),
        (
            {"events": [began() | {"workflowExecutionStartedEventAttributes": 7}]},
            "is no event",
            "save it",
        ),
        ({"events": [began(), marker(3)]}, "has event 3 where 2 belongs", "whole"),
        ({"events": [marker(2)]}, "has event 2 where 1 belongs", "whole"),
        ({"events": [began()], "nextToken": "x"}, "a nextToken", "--max-items"),
        ({"events": [began()], "nextPageToken": "x"}, "a nextPageToken", "paginate"),
    ],
)
def test_what_is_no_history_is_refused(
    tmp_path: Path, content: Any, problem: str, remedy: str
) -> None:
    path = tmp_path / "history.json"
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidArgument) as caught:
        load_history(path)
    assert str(path) in str(caught.value)
    assert re.search(f"{re.escape(problem)}.*{re.escape(remedy)}", str(caught.value))


def test_file_that_is_not_there_is_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"nowhere\.json is not there: save it"):
        load_history(tmp_path / "nowhere.json")


@pytest.mark.parametrize("name", [".", '{"events": ' + "[" * 5_000])
def test_what_is_no_path_of_a_file_is_told_with_a_remedy(name: str) -> None:
    problem = r"cannot be read: .*: give the path of a file"
    with pytest.raises(InvalidArgument, match=problem) as told:
        load_history(name)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ([], "has no events"),
        ([events.event(began()), events.event(marker(3))], "3 where 2 belongs"),
        ([events.event(marker(5))], "5 where 1 belongs"),
        ([began() | {"eventTimestamp": object()}], "has a object in it"),
    ],
)
async def test_part_of_a_history_is_not_saved(
    tmp_path: Path, source: Any, problem: str
) -> None:
    path = tmp_path / "history.json"
    with pytest.raises(InvalidArgument, match=problem):
        await save_history(source, path)
    assert not path.exists()
