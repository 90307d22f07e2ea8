"""A handle on one execution: asking it, and looking at it."""

from collections.abc import Callable
from typing import Any

import pytest

from flowser import events
from flowser.domain import Domain
from flowser.exceptions import (
    ExecutionTerminated,
    InvalidArgument,
    NoDecisionTask,
    ResponseLost,
    SerializationError,
    UnknownResourceFault,
)
from flowser.executions import WorkflowExecution
from tests.conftest import BareClient
from tests.declared import (
    Album,
    Photos,
    Resize,
    UpperPhotos,
    connected,
    hurried,
    offline,
)
from tests.histories import RUN, LongHistory, began, page
from tests.support.answers import Lost, throttled
from tests.support.scripted import ScriptedSwf
from tests.support.watched import WatchedSwf

INFO = {
    "execution": RUN,
    "workflowType": {"name": "Album", "version": "1.0"},
    "startTimestamp": 1_500_000_000,
    "executionStatus": "OPEN",
}
NONE_LISTED: dict[str, Any] = {"executionInfos": []}


def album(domain: Domain) -> WorkflowExecution:
    return domain.execution("album-1", "run-1", Album)


async def call(url: str, ask: Callable[[WorkflowExecution], Any]) -> Any:
    async with connected(url) as conn:
        return await ask(album(Photos(conn)))


# -- what it is --


def test_handle_is_made_from_swfs_mapping_or_from_typed_ids() -> None:
    domain = offline()
    handle = WorkflowExecution(RUN, domain)
    assert (handle.workflow_id, handle.run_id) == ("album-1", "run-1")
    assert handle == domain.execution("album-1", "run-1")
    assert len({handle, domain.execution("album-1", "run-1")}) == 1
    assert handle != domain.execution("album-1")
    assert handle != "album-1"
    assert handle.domain is domain
    assert "album-1" in repr(handle)


# -- asking something of it --


@pytest.mark.parametrize(
    ("method", "policy"),
    [
        ("terminate", "TERMINATE"),
        ("abandon", "ABANDON"),
        ("terminate_request_cancel", "REQUEST_CANCEL"),
    ],
)
async def test_termination_says_what_happens_to_the_children(
    scripted: ScriptedSwf, method: str, policy: str
) -> None:
    await call(scripted.url, lambda run: getattr(run, method)("details", "reason"))
    (request,) = scripted.of("TerminateWorkflowExecution")
    assert request.params == {
        "domain": "photos",
        "workflowId": "album-1",
        "runId": "run-1",
        "details": "details",
        "reason": "reason",
        "childPolicy": policy,
    }


async def test_run_that_is_not_said_is_whatever_run_is_open(
    scripted: ScriptedSwf,
) -> None:
    async with connected(scripted.url) as conn:
        handle = Photos(conn).execution("album-1")
        await handle.terminate()
        await handle.request_cancel()
        await handle.signal("go")
    assert all("runId" not in request.params for request in scripted.requests)
    assert scripted.of("TerminateWorkflowExecution")[0].params == {
        "domain": "photos",
        "workflowId": "album-1",
        "childPolicy": "TERMINATE",
    }


async def test_request_cancel_is_the_operation_of_that_name(
    scripted: ScriptedSwf,
) -> None:
    await call(scripted.url, lambda run: run.request_cancel())
    (request,) = scripted.requests
    assert request.operation == "RequestCancelWorkflowExecution"
    assert request.params["runId"] == "run-1"


async def test_signal_carries_an_object(scripted: ScriptedSwf) -> None:
    await call(scripted.url, lambda run: run.signal("go", {"n": [1]}))
    (request,) = scripted.requests
    assert request.params == {
        "domain": "photos",
        "workflowId": "album-1",
        "runId": "run-1",
        "signalName": "go",
        "input": '{"n":[1]}',
    }


async def test_signal_is_written_by_the_domains_serializer(
    scripted: ScriptedSwf,
) -> None:
    async with connected(scripted.url) as conn:
        await UpperPhotos(conn).execution("album-1").signal("go", "hey")
    assert scripted.requests[0].params["input"] == "HEY"


async def test_signal_whose_answer_is_lost_is_not_sent_again(
    scripted: ScriptedSwf,
) -> None:
    """SWF does not deduplicate signals: it would arrive twice."""
    scripted.answer("SignalWorkflowExecution", Lost())
    async with hurried(scripted.url) as conn:
        with pytest.raises(ResponseLost):
            await album(Photos(conn)).signal("go")
    assert scripted.count("SignalWorkflowExecution") == 1


async def test_signal_that_was_throttled_is_sent_again(scripted: ScriptedSwf) -> None:
    scripted.answer("SignalWorkflowExecution", throttled())
    async with hurried(scripted.url) as conn:
        await album(Photos(conn)).signal("go")
    assert scripted.count("SignalWorkflowExecution") == 2


async def test_what_is_asked_of_a_closed_run_is_an_unknown_resource(
    local: WatchedSwf,
) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        await photos.register()
        handle = await photos.start(Album, {"id": 1})
        await handle.terminate()
        for ask in (
            handle.terminate,
            handle.request_cancel,
            lambda: handle.signal("s"),
        ):
            with pytest.raises(UnknownResourceFault, match="Unknown execution"):
                await ask()


async def test_execution_is_completed_by_its_decider_only() -> None:
    for handle in (album(offline()), WorkflowExecution(RUN, Resize(offline()))):
        with pytest.raises(NoDecisionTask, match="only a decision task"):
            await handle.complete({"a": 1})


# -- looking at it --


async def test_describe_tells_status_configuration_and_open_counts(
    local: WatchedSwf,
) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        await photos.register()
        handle = await photos.start(Album, {"id": 1}, tag_list=["red"])
        detail = await handle.describe()
        assert detail.execution_info.execution_status == "OPEN"
        assert detail.execution_info.tag_list == ["red"]
        assert detail.execution_configuration.child_policy == "TERMINATE"
        assert detail.open_counts.open_decision_tasks == 1
        assert detail.latest_execution_context is None
        await handle.terminate(reason="done")
        detail = await handle.describe()
        assert detail.execution_info.close_status == "TERMINATED"
        assert detail.execution_info.close_timestamp is not None


async def test_handle_without_a_run_finds_the_open_one(local: WatchedSwf) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        await photos.register()
        old = await photos.start(Album, {"id": 1})
        await old.terminate()
        handle = photos.execution("Album-1")
        assert (await handle.describe()).execution_info.execution.run_id == old.run_id
        new = await photos.start(Album, {"id": 1})
        assert (await handle.describe()).execution_info.execution.run_id == new.run_id
        assert handle.run_id is None  # a signal goes to whatever run is open


async def test_handle_on_an_id_that_never_was_is_an_unknown_resource(
    scripted: ScriptedSwf,
) -> None:
    """An emulator that ignores the filter must not lead to a stranger's run."""
    scripted.answer("ListOpenWorkflowExecutions", {"executionInfos": [INFO]})
    scripted.answer("ListClosedWorkflowExecutions", NONE_LISTED)
    async with connected(scripted.url) as conn:
        with pytest.raises(UnknownResourceFault, match="workflowId = other"):
            await Photos(conn).execution("other").describe()


async def test_history_is_read_lazily_page_by_page(scripted: ScriptedSwf) -> None:
    scripted.always("GetWorkflowExecutionHistory", LongHistory(2_500).read)
    async with connected(scripted.url) as conn:
        history = album(Photos(conn)).history(reverse=True)
        assert scripted.requests == []
        assert (await anext(aiter(history))).id == 2_500
        assert scripted.count("GetWorkflowExecutionHistory") == 1
        ids = [event.id async for event in history]
    assert ids == list(range(2_500, 0, -1))
    pages = [request.params for request in scripted.requests]
    assert [page.get("nextPageToken") for page in pages] == [None, "1000", "2000"]
    assert {page["reverseOrder"] for page in pages} == {True}
    assert pages[0]["execution"] == RUN


async def test_history_is_oldest_first_unless_told_otherwise(
    scripted: ScriptedSwf,
) -> None:
    scripted.always("GetWorkflowExecutionHistory", LongHistory(5).read)
    async with connected(scripted.url) as conn:
        history = album(Photos(conn)).history(page_size=2)
        assert [event.id async for event in history] == [1, 2, 3, 4, 5]
        started = await history.filter("WorkflowExecutionStarted").first()
    assert started is not None
    assert isinstance(started.attributes, events.WorkflowExecutionStarted)
    assert [request.params["maximumPageSize"] for request in scripted.requests] == [
        2
    ] * 3
    assert "reverseOrder" not in scripted.requests[0].params


async def test_history_reads_payloads_with_the_domains_serializer(
    scripted: ScriptedSwf,
) -> None:
    scripted.answer("GetWorkflowExecutionHistory", page([began(input="HEY")]))
    async with connected(scripted.url) as conn:
        run = UpperPhotos(conn).execution("album-1", "run-1")
        (event,) = [event async for event in run.history()]
    assert event.attrs["input"] == "hey"


async def test_history_has_the_same_events_over_a_plain_client(
    scripted: ScriptedSwf, bare_client: BareClient
) -> None:
    scripted.always("GetWorkflowExecutionHistory", LongHistory(30, 7).read)
    async with bare_client(scripted.url) as client, connected(scripted.url) as conn:
        plain = [e async for e in album(Photos(client)).history()]
        lean = [e async for e in album(Photos(conn)).history()]
    assert plain == lean
    assert len(plain) == 30


async def test_everything_but_cancel_works_on_moto(
    moto_url: str, domain_name: str
) -> None:
    async with connected(moto_url) as conn:
        photos = Photos(conn)
        photos.name = domain_name
        await photos.register()
        handle = await photos.start(Album, {"id": 1})
        await handle.signal("go", {"n": 1})
        types = [event.type async for event in handle.history()]
        assert types[0] == "WorkflowExecutionStarted"
        assert "WorkflowExecutionSignaled" in types
        await handle.terminate("d", "r")
        with pytest.raises(ExecutionTerminated) as raised:
            await photos.execution(handle.workflow_id).result()
    assert (raised.value.details, raised.value.reason) == ("d", "r")


async def test_argument_that_swf_would_refuse_is_not_sent(
    scripted: ScriptedSwf,
) -> None:
    async with connected(scripted.url) as conn:
        handle = album(Photos(conn))
        with pytest.raises(InvalidArgument, match=r"reason has 257 .* into details"):
            await handle.terminate(reason="x" * 257)
        with pytest.raises(InvalidArgument, match="signal_name is empty"):
            await handle.signal("")
        with pytest.raises(SerializationError):
            await handle.signal("go", object())
    assert scripted.requests == []
