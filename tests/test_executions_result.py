"""Waiting for the result of an execution, however it ends."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from flowser._lean import ATTEMPTS
from flowser.domain import Domain
from flowser.exceptions import (
    AccessDenied,
    ConnectionFailed,
    ExecutionCanceled,
    ExecutionError,
    ExecutionFailed,
    ExecutionTerminated,
    ExecutionTimedOut,
    SerializationError,
    UnknownResourceFault,
)
from flowser.executions import WorkflowExecution
from flowser.wire import Wire
from tests.declared import (
    Album,
    Photos,
    UpperPhotos,
    connected,
    hurried,
    logged,
)
from tests.histories import RUN, marker, page, raw
from tests.support.answers import (
    SERVICE,
    Fault,
    Lost,
    Status,
    internal_failure,
    throttled,
)
from tests.support.scripted import ScriptedSwf
from tests.support.watched import WatchedSwf

CLOSED_BY: dict[str, Any] = {"decisionTaskCompletedEventId": 4}


class Counted(Album):
    result_type = int


def album(domain: Domain) -> WorkflowExecution:
    return domain.execution("album-1", "run-1", Album)


async def call(url: str, ask: Callable[[WorkflowExecution], Any]) -> Any:
    async with connected(url) as conn:
        return await ask(album(Photos(conn)))


def closed(event_type: str, **attributes: Any) -> dict[str, Any]:
    return page([raw(9, event_type, **attributes)])


async def outcome(
    scripted: ScriptedSwf, event_type: str, kind: type[Album] = Album, **given: Any
) -> Any:
    scripted.answer("GetWorkflowExecutionHistory", closed(event_type, **given))
    async with connected(scripted.url) as conn:
        return await Photos(conn).execution("album-1", "run-1", kind).result()


async def test_result_of_a_completed_run_is_an_object(scripted: ScriptedSwf) -> None:
    given = CLOSED_BY | {"result": '{"sum_id":10}'}
    found = await outcome(scripted, "WorkflowExecutionCompleted", **given)
    assert found == {"sum_id": 10}
    assert scripted.requests[0].params == {
        "domain": "photos",
        "execution": RUN,
        "maximumPageSize": 1,
        "reverseOrder": True,
    }


async def test_result_is_none_when_there_is_none(scripted: ScriptedSwf) -> None:
    assert await outcome(scripted, "WorkflowExecutionCompleted", **CLOSED_BY) is None


async def test_result_is_decoded_into_the_types_result(scripted: ScriptedSwf) -> None:
    given = CLOSED_BY | {"result": "10"}
    name = "WorkflowExecutionCompleted"
    assert await outcome(scripted, name, Counted, **given) == 10
    with pytest.raises(SerializationError, match="int"):
        await outcome(scripted, name, Counted, **(given | {"result": '"ten"'}))


async def test_result_without_a_type_is_read_by_the_domains_serializer(
    scripted: ScriptedSwf,
) -> None:
    given = CLOSED_BY | {"result": "HEY"}
    scripted.answer(
        "GetWorkflowExecutionHistory", closed("WorkflowExecutionCompleted", **given)
    )
    async with connected(scripted.url) as conn:
        assert await UpperPhotos(conn).execution("album-1", "run-1").result() == "hey"


async def test_result_of_a_failed_run_raises_reason_and_details(
    scripted: ScriptedSwf,
) -> None:
    given = CLOSED_BY | {"reason": "full", "details": "disk 3"}
    with pytest.raises(ExecutionFailed) as raised:
        await outcome(scripted, "WorkflowExecutionFailed", **given)
    error = raised.value
    assert (error.workflow_id, error.run_id) == ("album-1", "run-1")
    assert (error.reason, error.details) == ("full", "disk 3")


async def test_result_of_a_timed_out_run_raises(scripted: ScriptedSwf) -> None:
    given: dict[str, Any] = {
        "timeoutType": "START_TO_CLOSE",
        "childPolicy": "TERMINATE",
    }
    with pytest.raises(ExecutionTimedOut):
        await outcome(scripted, "WorkflowExecutionTimedOut", **given)


async def test_result_of_a_canceled_run_raises_its_details(
    scripted: ScriptedSwf,
) -> None:
    given = CLOSED_BY | {"details": "as asked"}
    with pytest.raises(ExecutionCanceled) as raised:
        await outcome(scripted, "WorkflowExecutionCanceled", **given)
    assert raised.value.details == "as asked"


async def test_result_of_a_terminated_run_raises_its_cause(
    scripted: ScriptedSwf,
) -> None:
    given: dict[str, Any] = {
        "childPolicy": "ABANDON",
        "cause": "EVENT_LIMIT_EXCEEDED",
        "reason": "r",
    }
    with pytest.raises(ExecutionTerminated) as raised:
        await outcome(scripted, "WorkflowExecutionTerminated", **given)
    error = raised.value
    assert (error.cause, error.reason) == ("EVENT_LIMIT_EXCEEDED", "r")
    assert isinstance(error, ExecutionError)


async def test_result_follows_a_run_that_continues_as_new(
    scripted: ScriptedSwf,
) -> None:
    continued = CLOSED_BY | {
        "newExecutionRunId": "run-2",
        "taskList": {"name": "albums"},
        "childPolicy": "TERMINATE",
        "workflowType": {"name": "Album", "version": "1.0"},
    }
    scripted.answer(
        "GetWorkflowExecutionHistory",
        closed("WorkflowExecutionContinuedAsNew", **continued),
        closed("WorkflowExecutionFailed", **CLOSED_BY),
    )
    with pytest.raises(ExecutionFailed) as raised:
        await call(scripted.url, lambda run: run.result())
    assert raised.value.run_id == "run-2"
    asked = [request.params["execution"]["runId"] for request in scripted.requests]
    assert asked == ["run-1", "run-2"]


async def test_result_looks_at_growing_intervals(scripted: ScriptedSwf) -> None:
    still_open = page([marker(5)])
    scripted.answer("GetWorkflowExecutionHistory", *[still_open] * 3)
    found = await outcome(
        scripted, "WorkflowExecutionCompleted", **(CLOSED_BY | {"result": "1"})
    )
    assert found == 1
    at = [request.at for request in scripted.requests]
    pauses = [later - earlier for earlier, later in pairwise(at)]
    assert len(pauses) == 3
    for least, pause in zip((0.1, 0.2, 0.4), pauses, strict=True):
        assert pause >= least


async def test_result_is_looked_for_no_more_rarely_than_asked(
    scripted: ScriptedSwf,
) -> None:
    scripted.answer("GetWorkflowExecutionHistory", *[page([marker(5)])] * 8)
    scripted.answer(
        "GetWorkflowExecutionHistory", closed("WorkflowExecutionCompleted", **CLOSED_BY)
    )
    await call(scripted.url, lambda run: run.result(most=0.01))
    at = [request.at for request in scripted.requests]
    assert at[-1] - at[0] < 2.0


@pytest.mark.parametrize(
    "failure",
    [throttled(), internal_failure(), internal_failure(503), Lost(), Status(502)],
    ids=repr,
)
async def test_result_outlasts_what_passes(
    scripted: ScriptedSwf, caplog: pytest.LogCaptureFixture, failure: Any
) -> None:
    """A wait of weeks meets every failure that there is."""
    operation = "GetWorkflowExecutionHistory"
    done = closed("WorkflowExecutionCompleted", **(CLOSED_BY | {"result": "1"}))
    scripted.answer(operation, *[failure] * ATTEMPTS, done)
    async with hurried(scripted.url) as conn:
        assert await album(Photos(conn)).result() == 1
    assert scripted.count(operation) == ATTEMPTS + 1
    ((level, words),) = logged(caplog)
    assert level == "WARNING"
    assert words.startswith("waiting for album-1: ")
    last, again = scripted.requests[-2:]
    assert again.at - last.at >= 0.1


class Unreachable:
    """A wire whose first call finds nobody."""

    def __init__(self, beyond: Wire) -> None:
        self._beyond = beyond
        self.failures = 0

    async def call(self, operation: str, params: Any, result_type: Any, /) -> Any:
        if not self.failures:
            self.failures += 1
            raise ConnectionFailed(operation, "connection refused")
        return await self._beyond.call(operation, params, result_type)


async def test_result_outlasts_nobody_listening(scripted: ScriptedSwf) -> None:
    done = closed("WorkflowExecutionCompleted", **(CLOSED_BY | {"result": "1"}))
    scripted.answer("GetWorkflowExecutionHistory", done)
    async with connected(scripted.url) as conn:
        unreachable = Unreachable(conn)
        assert await album(Photos(unreachable)).result() == 1
    assert unreachable.failures == 1


@pytest.mark.parametrize("failure", [internal_failure(), Lost()], ids=repr)
async def test_result_outlasts_what_passes_before_the_run_is_known(
    scripted: ScriptedSwf, failure: Any
) -> None:
    """A handle without a run id looks for the run first."""
    operation = "ListOpenWorkflowExecutions"
    found = {
        "execution": RUN,
        "workflowType": {"name": "Album", "version": "1.0"},
        "startTimestamp": 1_500_000_000,
        "executionStatus": "OPEN",
    }
    listed = {"executionInfos": [found]}
    scripted.answer(operation, *[failure] * ATTEMPTS, listed)
    done = closed("WorkflowExecutionCompleted", **(CLOSED_BY | {"result": "1"}))
    scripted.answer("GetWorkflowExecutionHistory", page([marker(5)]), done)
    async with hurried(scripted.url) as conn:
        assert await Photos(conn).execution("album-1").result() == 1
    assert scripted.count(operation) == ATTEMPTS + 1  # found once, and kept


async def test_result_does_not_outlast_what_stays(scripted: ScriptedSwf) -> None:
    denied = Fault("AccessDeniedException", "no", namespace=SERVICE)
    scripted.always("GetWorkflowExecutionHistory", denied)
    with pytest.raises(AccessDenied):
        await call(scripted.url, lambda run: run.result())
    assert len(scripted.requests) == 1


async def test_result_sees_a_closing_that_an_emulator_writes_after(
    scripted: ScriptedSwf,
) -> None:
    """Timers of moto append events to closed histories, and it ignores page sizes."""
    late = raw(10, "TimerFired", timerId="t", startedEventId=5)
    done = raw(9, "WorkflowExecutionCompleted", result="1", **CLOSED_BY)
    scripted.answer("GetWorkflowExecutionHistory", page([late, done]))
    assert await call(scripted.url, lambda run: run.result()) == 1


async def test_result_of_a_run_that_is_not_there_raises(local: WatchedSwf) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        await photos.register()
        with pytest.raises(UnknownResourceFault):
            await photos.execution("album-1", "run-9").result()


async def test_result_arrives_when_the_decider_completes(local: WatchedSwf) -> None:
    async with connected(local.url) as conn:
        photos = Photos(conn)
        await photos.register()
        handle = await photos.start(Album, {"id": 1})
        decision = await photos.poll_decision(Album)
        await decision.workflow_execution.complete({"pictures": 3}, "context")
        assert await handle.result() == {"pictures": 3}
        assert (await handle.describe()).latest_execution_context == "context"
