"""The public API as a user's type checker sees it; checked by mypy, never run."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

import flowser
from flowser import decisions, events, exceptions, results, shapes
from flowser.history import Filtered, History
from flowser.registration import Difference, Registration
from flowser.requests import DescribeDomain
from flowser.tasks import Activity, Decision, WorkflowExecution
from flowser.wire import Wire


class Resize(flowser.types.Activity):
    name = "Resize"
    version = "1.0"
    task_list = "images"
    heartbeat_timeout = timedelta(seconds=30)
    start_to_close_timeout = 60

    async def run(self, input: dict[str, Any]) -> str:
        return str(input)


class Album(flowser.types.Workflow):
    name = "Album"
    version = "1.0"
    task_list = "albums"
    child_policy = shapes.ChildPolicy.ABANDON
    default_tag_list = ("red", "green")


class Base64:
    def dumps(self, value: Any, /) -> str:
        return str(value)

    def loads(self, text: str, /, type: Any = Any) -> Any:
        return text


class Photos(flowser.Domain):
    name = "photos"
    retention_period = 7
    workflow_types = [Album]
    activity_types = (Resize,)
    serializer = Base64()


async def connecting() -> None:
    opening: AbstractAsyncContextManager[flowser.Connection] = flowser.connect(
        region_name="eu-west-1", max_pollers=20
    )
    async with opening as conn:
        assert_type(conn, flowser.Connection)
        wire: Wire = conn
        photos = Photos(wire)
        assert_type(photos.domain, flowser.Domain)
    async for info in flowser.list_domains(conn):
        assert_type(info, results.DomainInfo)


async def registering(photos: Photos) -> None:
    found = await photos.register(raise_exists=False)
    assert_type(found, Registration)
    assert_type(found.differences, tuple[Difference, ...])
    assert_type(await photos.compare(), Registration)
    assert_type(await photos.describe(), results.DomainDetail)
    assert_type(await photos.tags(), dict[str, str])
    await photos.deprecate_type(Album)
    await photos.delete_type(Resize.activity_type())
    answer = await photos.call(DescribeDomain(name="photos"))
    assert_type(answer, results.DomainDetail)


async def starting(photos: Photos) -> None:
    handle = await photos.start(Album, {"id": 1}, if_running="attach")
    assert_type(handle, WorkflowExecution)
    assert_type(handle.workflow_id, str)
    assert_type(handle.run_id, str | None)
    assert_type(await handle.describe(), results.WorkflowExecutionDetail)
    assert_type(await handle.result(), Any)
    assert_type(handle.history(), History)
    await handle.signal("go", {"any": ["object"]})
    await handle.terminate("details", reason="reason")
    started = await Album(photos).start(
        {"id": 1}, tag_list=["a"], execution_start_to_close_timeout=timedelta(hours=1)
    )
    assert_type(started, WorkflowExecution)
    assert_type(photos.execution("w", t=Album), WorkflowExecution)


async def deciding(photos: Photos) -> None:
    tasks = photos.decisions(Album)
    assert_type(tasks, AsyncGenerator[Decision, None])
    async for decision in tasks:
        assert_type(decision, Decision)
        assert_type(decision.events, History)
        async for event in decision.events:
            assert_type(event, events.Event)
        assert_type(decision.filter("TimerFired"), Filtered)
        newest = await decision.most_recent("ActivityTaskCompleted")
        assert_type(newest, events.Event | None)
        assert_type(await decision.start_input, Any)
        chained = (
            decision.schedule(Resize, {"id": 1})
            .start_child(Album, {"id": 2}, control="note")
            .mark("m", "details")
            .start_timer("t", timedelta(seconds=5))
            .cancel_timer("t")
            .signal_external("w", "s", [1], run_id="r")
            .add(decisions.CancelTimer(timer_id="t"))
        )
        assert_type(chained, Decision)
        await decision.complete("context", task_list="mine")
        await decision.workflow_execution.complete({"a": 1})
        await decision.continue_as_new({"id": 3}, version="2.0", task_priority=1)


async def working(photos: Photos) -> None:
    tasks = photos.activities(Resize)
    assert_type(tasks, AsyncGenerator[Activity, None])
    async for task in tasks:
        assert_type(task.input, Any)
        assert_type(task.activity_type, shapes.ActivityType)
        assert_type(await task.heartbeat("half"), bool)
        await task.complete([1])
        await task.fail("details", "reason")
        await task.cancel()
    assert_type(flowser.current_activity(), Activity)
    assert_type(await photos.poll_activity("images"), Activity)


async def looking(photos: Photos) -> None:
    found = photos.open_executions(
        Album, started_after=datetime(2020, 1, 1, tzinfo=UTC)
    )
    assert_type(found, AsyncIterator[results.WorkflowExecutionInfo])
    async for info in photos.closed_executions(status=shapes.CloseStatus.FAILED):
        assert_type(info.start_timestamp, datetime)
        assert_type(info.close_status, str | None)
    count = await photos.count_open_executions(tag="red")
    assert_type(count, results.WorkflowExecutionCount)
    assert_type(count.truncated, bool | None)
    pending = await photos.count_pending_activities("images")
    assert_type(pending.count, int)


def matching(event: events.Event) -> str | None:
    assert_type(event.id, int)
    assert_type(event.time_stamp, datetime)
    assert_type(event.attrs, Mapping[str, Any])
    match event.attributes:
        case events.ActivityTaskCompleted(scheduled_event_id=number, result=result):
            assert_type(number, int)
            return result
        case events.Attributes():
            return type(event.attributes).__name__
    assert_type(event.attributes, dict[str, Any])
    return None


def building() -> None:
    made = Resize.schedule({"id": 1}, heartbeat_timeout="NONE")
    assert_type(made, decisions.ScheduleActivityTask)
    assert_type(made.heartbeat_timeout, str | None)
    child = Album.start_child({"id": 1}, child_policy="ABANDON")
    assert_type(child, decisions.StartChildWorkflowExecution)
    assert_type(made.activity_type, shapes.ActivityType)


async def failing(handle: WorkflowExecution) -> None:
    try:
        await handle.result()
    except exceptions.ExecutionFailed as error:
        assert_type(error.reason, str | None)
    except exceptions.ExecutionError as error:
        assert_type(error.run_id, str)
    except exceptions.WorkflowExecutionAlreadyStartedFault as fault:
        assert_type(fault.workflow_id, str)
    except exceptions.ServiceError as fault:
        assert_type(fault.code, str)
        assert_type(fault.retried, bool)
    except exceptions.InvalidArgument as error:
        assert_type(error.remedy, str)
    except flowser.Error as error:
        assert_type(error, flowser.Error)
