"""A domain: its types, starting executions, polling once, listing domains."""

import socket
from typing import Any

import pytest

from flowser import shapes
from flowser.domain import Domain, list_domains
from flowser.exceptions import (
    ConfigurationError,
    EmptyTaskPollResult,
    InvalidArgument,
    ResponseLost,
    UnknownResourceFault,
    WorkflowExecutionAlreadyStartedFault,
)
from flowser.types import Workflow
from tests.declared import Album, Photos, Resize, connected, offline
from tests.faults.virtual import now, virtual
from tests.histories import activity_task, began, decision_task
from tests.support.answers import (
    Fault,
    Lost,
    Recorded,
)
from tests.support.scripted import EMPTY_POLL, ScriptedSwf
from tests.support.watched import WatchedSwf

START = "StartWorkflowExecution"
OPEN = "ListOpenWorkflowExecutions"
DECISION, ACTIVITY = "PollForDecisionTask", "PollForActivityTask"
RUNNING = Fault("WorkflowExecutionAlreadyStartedFault", None)
NONE_LISTED: dict[str, Any] = {"executionInfos": []}


def listed(workflow_id: str, run_id: str) -> dict[str, Any]:
    info = {
        "execution": {"workflowId": workflow_id, "runId": run_id},
        "workflowType": {"name": "Album", "version": "1.0"},
        "startTimestamp": 1_500_000_000,
        "executionStatus": "OPEN",
    }
    return {"executionInfos": [info]}


# -- what it is --


def test_domain_must_have_a_name() -> None:
    class Nameless(Domain):
        pass

    with pytest.raises(InvalidArgument, match=r"^Nameless\.name is missing"):
        offline(Nameless)


@pytest.mark.parametrize("missing", ["name", "version", "task_list"])
def test_type_of_a_domain_must_be_complete(missing: str) -> None:
    members = {"name": "A", "version": "1", "task_list": "l"}
    del members[missing]
    half = type("Half", (Workflow,), members)

    class Wrong(Photos):
        workflow_types = [half]

    with pytest.raises(InvalidArgument, match=rf"^Half\.{missing} is missing"):
        offline(Wrong)


def test_type_in_the_wrong_list_is_refused() -> None:
    class Wrong(Photos):
        activity_types = [Album]  # type: ignore[list-item]

    with pytest.raises(InvalidArgument, match=r"^activity_types is .*Activity"):
        offline(Wrong)


@pytest.mark.parametrize("conn", [None, object(), "swf"])
def test_what_is_no_connection_is_refused(conn: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"connect\(\)"):
        Photos(conn)


def test_types_are_found_by_kind_name_and_version() -> None:
    domain = offline()
    assert isinstance(domain.type_of(Album.workflow_type()), Album)
    assert isinstance(domain.type_of(Resize.activity_type()), Resize)
    assert domain.type_of(shapes.WorkflowType(name="Album", version="2.0")) is None
    assert domain.type_of(shapes.ActivityType(name="Album", version="1.0")) is None
    assert domain.type_of(shapes.WorkflowType(name="Resize", version="1.0")) is None
    assert domain.domain is domain
    assert repr(domain) == "<Photos 'photos'>"


# -- start --


async def test_start_runs_an_execution(local: WatchedSwf) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        await photos.register()
        handle = await photos.start(Album, {"id": 1}, tag_list=["red"])
        detail = await handle.describe()
    assert handle.workflow_id == "Album-1"
    assert detail.execution_info.execution.run_id == handle.run_id
    assert detail.execution_info.tag_list == ["red"]


async def test_start_of_a_running_id_raises_the_id(local: WatchedSwf) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        await photos.register()
        await photos.start(Album, {"id": 1})
        with pytest.raises(WorkflowExecutionAlreadyStartedFault) as raised:
            await photos.start(Album, {"id": 1})
    assert raised.value.workflow_id == "Album-1"


async def test_start_attaches_to_the_run_that_is_there(local: WatchedSwf) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        await photos.register()
        first = await photos.start(Album, {"id": 1}, if_running="attach")
        again = await photos.start(Album, {"id": 1}, if_running="attach")
        assert again == first
        await first.terminate()
        new = await photos.start(Album, {"id": 1}, if_running="attach")
        assert new.run_id != first.run_id


async def test_attach_starts_when_the_run_closed_in_between(
    scripted: ScriptedSwf,
) -> None:
    scripted.answer(START, RUNNING, {"runId": "run-2"})
    scripted.answer(OPEN, NONE_LISTED)
    async with connected(scripted.url) as conn:
        handle = await Photos(conn).start(Album, {"id": 1}, if_running="attach")
    assert handle.run_id == "run-2"
    assert scripted.of(OPEN)[0].params["executionFilter"] == {"workflowId": "Album-1"}


async def test_attach_waits_for_a_run_that_is_not_listed_yet(
    scripted: ScriptedSwf,
) -> None:
    """Lists are eventually consistent (semantics 7); strangers are passed over."""
    scripted.answer(START, RUNNING, RUNNING)
    scripted.answer(OPEN, listed("other", "run-0"), listed("Album-1", "run-1"))
    async with connected(scripted.url) as conn:
        handle = await Photos(conn).start(Album, {"id": 1}, if_running="attach")
    assert (handle.workflow_id, handle.run_id) == ("Album-1", "run-1")
    assert isinstance(handle.caller, Album)
    first, second = scripted.of(START)
    assert second.at - first.at >= 0.05


@virtual
async def test_attach_gives_up_when_the_run_is_never_listed() -> None:
    """Whoever waits must not wait for ever, and the fault says what is there."""
    async with ScriptedSwf() as server, connected(server.url) as conn:
        server.always(START, RUNNING)
        server.always(OPEN, NONE_LISTED)
        began = now()
        with pytest.raises(WorkflowExecutionAlreadyStartedFault) as raised:
            await Photos(conn).start(Album, {"id": 1}, if_running="attach")
        assert raised.value.workflow_id == "Album-1"
        assert server.count(START) == server.count(OPEN) == 7
        assert 2.5 <= now() - began < 6


@virtual
async def test_attach_takes_no_run_of_another_type() -> None:
    """Its handle would read a result that is another type's."""
    async with ScriptedSwf() as server, connected(server.url) as conn:
        server.always(START, RUNNING)
        other = listed("Album-1", "run-1")
        other["executionInfos"][0]["workflowType"] = {"name": "Album", "version": "2"}
        server.always(OPEN, other)
        with pytest.raises(WorkflowExecutionAlreadyStartedFault):
            await Photos(conn).start(Album, {"id": 1}, if_running="attach")
        assert server.count(OPEN) == 7


async def test_start_that_may_have_begun_is_not_repeated(scripted: ScriptedSwf) -> None:
    scripted.answer(START, Lost())
    async with connected(scripted.url) as conn:
        with pytest.raises(ResponseLost):
            await Photos(conn).start(Album, {"id": 1}, if_running="attach")
    assert scripted.count(START) == 1


async def test_start_of_what_is_not_registered_is_an_unknown_resource(
    local: WatchedSwf,
) -> None:
    async with connected(local.url) as conn:
        with pytest.raises(UnknownResourceFault, match="Unknown domain: photos"):
            await Photos(conn).start(Album, {"id": 1})


@pytest.mark.parametrize("t", [Resize, Album(offline()), "Album", None])
async def test_start_of_what_is_no_workflow_type_is_refused(t: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^t is .*pass a subclass"):
        await offline().start(t, {"id": 1})


async def test_start_knows_two_ways_to_treat_a_running_id() -> None:
    with pytest.raises(InvalidArgument, match=r"if_running is 'join'"):
        await offline().start(Album, {"id": 1}, if_running="join")  # type: ignore[arg-type]


# -- polls --


async def test_poll_says_who_polls(scripted: ScriptedSwf) -> None:
    scripted.always(DECISION, decision_task([began()]))
    scripted.always(ACTIVITY, activity_task())
    async with connected(scripted.url) as conn:
        photos = Photos(conn)
        await photos.poll_decision(Album)
        photos.identity = "me"
        await photos.poll_activity("elsewhere")
    first, second = scripted.requests
    assert first.params["identity"].startswith(socket.gethostname()[:200])
    assert second.params == {
        "domain": "photos",
        "taskList": {"name": "elsewhere"},
        "identity": "me",
    }


async def test_poll_without_a_task_raises(scripted: ScriptedSwf) -> None:
    scripted.always(DECISION, EMPTY_POLL | {"taskToken": ""})
    scripted.always(ACTIVITY, {"startedEventId": 0})
    async with connected(scripted.url) as conn:
        with pytest.raises(EmptyTaskPollResult):
            await Photos(conn).poll_decision(Album)
        with pytest.raises(EmptyTaskPollResult):
            await Photos(conn).poll_activity(Resize)


async def test_poll_whose_answer_is_lost_is_sent_once(scripted: ScriptedSwf) -> None:
    scripted.answer(DECISION, Lost())
    async with connected(scripted.url) as conn:
        with pytest.raises(ResponseLost):
            await Photos(conn).poll_decision(Album)
    assert scripted.count(DECISION) == 1


async def test_task_belongs_to_its_own_type_whatever_was_polled_for(
    scripted: ScriptedSwf,
) -> None:
    class Other(Album):
        name = "Other"

    class OtherPhotos(Photos):
        workflow_types = [Other]

    stranger = {"name": "Stranger", "version": "1"}
    scripted.answer(
        DECISION,
        decision_task([began()]),
        decision_task([began()], workflowType={"name": "Other", "version": "1.0"}),
        decision_task([began()], workflowType=stranger),
    )
    async with connected(scripted.url) as conn:
        photos = OtherPhotos(conn)
        callers = [(await photos.poll_decision(Album)).caller for _ in range(3)]
    assert isinstance(callers[0], Album)
    assert isinstance(callers[1], Other)
    assert callers[2] is photos


# -- domains --


async def test_domains_are_listed_page_by_page(scripted: ScriptedSwf) -> None:
    async def pages(recorded: Recorded) -> dict[str, Any]:
        number = int(recorded.params.get("nextPageToken", 1))
        found = [{"name": f"d-{number}", "status": "DEPRECATED"}]
        more = {"nextPageToken": str(number + 1)} if number < 3 else {}
        return {"domainInfos": found} | more

    scripted.always("ListDomains", pages)
    async with connected(scripted.url) as conn:
        found = list_domains(conn, status="DEPRECATED", reverse=True, page_size=1)
        assert (await anext(found)).name == "d-1"
        assert len(scripted.requests) == 1
        assert [info.name async for info in found] == ["d-2", "d-3"]
    assert scripted.requests[1].params == {
        "registrationStatus": "DEPRECATED",
        "maximumPageSize": 1,
        "reverseOrder": True,
        "nextPageToken": "2",
    }


async def test_domain_is_listed_on_moto(moto_url: str, domain_name: str) -> None:
    async with connected(moto_url) as conn:
        photos = Photos(conn)
        photos.name = domain_name
        await photos.register()
        assert domain_name in [info.name async for info in list_domains(conn)]


async def test_domains_of_no_such_status_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="status is 'GONE'"):
        await anext(list_domains(offline().conn, status="GONE"))
