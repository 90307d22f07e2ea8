"""All that the mini SWF answers has the shape that botocore's model of SWF gives it."""

import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiobotocore.session import AioSession
from botocore.model import ListShape, ServiceModel, Shape, StringShape, StructureShape

from tests.conftest import BareClient
from tests.support import arithmetic
from tests.support.calls import (
    DOMAIN,
    decision,
    poll_activity,
    poll_decision,
    respond,
    scheduled,
)
from tests.support.mini_swf import MiniSwf

if TYPE_CHECKING:
    from types_aiobotocore_swf import SWFClient

# Python types of JSON values, by botocore's names of types.
_JSON_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "timestamp": (int, float),
}

# Events about what the mini SWF does not do.
_LEFT_OUT = ("Child", "External", "Lambda", "RecordMarkerFailed")


def complaints(shape: Shape, value: Any, path: str) -> list[str]:
    """List what is wrong with a JSON value, compared with its shape."""
    if isinstance(shape, StructureShape):
        unknown = [f"{path}.{name} is unknown" for name in value.keys() - shape.members]
        absent = [
            f"{path}.{name} is missing"
            for name in shape.required_members
            if name not in value
        ]
        inner = [
            complaint
            for name, member in value.items()
            if name in shape.members
            for complaint in complaints(shape.members[name], member, f"{path}.{name}")
        ]
        return unknown + absent + inner
    if isinstance(shape, ListShape):
        members = enumerate(value)
        found = [complaints(shape.member, item, f"{path}[{n}]") for n, item in members]
        return [complaint for some in found for complaint in some]
    wrong = not isinstance(value, _JSON_TYPES[shape.type_name])
    if isinstance(shape, StringShape) and shape.enum:
        wrong = value not in shape.enum
    return [f"{path} is {value!r}"] if wrong else []


class Wire:
    """Calls operations with bare JSON, and compares each answer with its shape."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, model: ServiceModel
    ) -> None:
        self._session = session
        self._url = url
        self._model = model

    async def call(self, operation: str, **params: Any) -> Any:
        """Call one operation of the domain, and give the answer as JSON."""
        headers = {"X-Amz-Target": f"SimpleWorkflowService.{operation}"}
        body = json.dumps({"domain": DOMAIN} | params)
        async with self._session.post(
            self._url, data=body, headers=headers
        ) as response:
            assert response.status == 200, await response.text()
            answer = json.loads(await response.read())
        shape = self._model.operation_model(operation).output_shape
        assert shape is not None
        assert complaints(shape, answer, operation) == []
        return answer


@pytest.fixture
def model(bare_session: AioSession) -> ServiceModel:
    """Botocore's model of SWF."""
    return ServiceModel(
        bare_session.get_component("data_loader").load_service_model("swf", "service-2")
    )


async def test_every_event_of_the_mini_swf_fits_the_model(
    bare_client: BareClient, model: ServiceModel
) -> None:
    async with (
        MiniSwf(second=0.01) as mini,
        bare_client(mini.url) as client,
        aiohttp.ClientSession() as session,
    ):
        await arithmetic.register(client)
        await one_of_everything(mini, client)
        wire = Wire(session, mini.url, model)
        since = {"startTimeFilter": {"oldestDate": 0}}
        listed = [
            await wire.call("ListOpenWorkflowExecutions", **since),
            await wire.call("ListClosedWorkflowExecutions", **since),
        ]
        for info in [info for answer in listed for info in answer["executionInfos"]]:
            execution = info["execution"]
            await wire.call("DescribeWorkflowExecution", execution=execution)
            history = await wire.call(
                "GetWorkflowExecutionHistory", execution=execution
            )
            check_attributes(history["events"])
        assert set(mini.events) == expected_events(model)


def check_attributes(events: list[Any]) -> None:
    """Check what the model does not tell: which attributes go with which event."""
    for number, event in enumerate(events, start=1):
        kind = event["eventType"]
        member = f"{kind[0].lower()}{kind[1:]}EventAttributes"
        assert event.keys() == {"eventId", "eventTimestamp", "eventType", member}
        assert event["eventId"] == number


def expected_events(model: ServiceModel) -> set[str]:
    """Name the event types that the mini SWF can write."""
    shape = model.shape_for("EventType")
    assert isinstance(shape, StringShape)
    return {name for name in shape.enum if not any(word in name for word in _LEFT_OUT)}


async def one_of_everything(mini: MiniSwf, client: "SWFClient") -> None:
    """Make every event happen that the mini SWF can write."""
    await activities(mini, client)
    await timers_and_markers(mini, client)
    await closes(client)
    await runs_that_end_by_themselves(mini, client)


async def activities(mini: MiniSwf, client: "SWFClient") -> None:
    """Let activities go all the ways they can."""
    await arithmetic.start(client, tagList=["t"])
    ids = ("completed", "failed", "canceled", "late", "unstarted")
    unknown = scheduled("x", activityType={"name": "No", "version": "1"})
    batch = [scheduled(name, input="i", control="c") for name in ids]
    batch[3] = scheduled("late", heartbeatTimeout="1")
    await respond(client, await poll_decision(client), *batch, unknown)
    tokens = [(await poll_activity(client))["taskToken"] for _ in ids[:4]]
    cancels = [
        decision("RequestCancelActivityTask", activityId=name)
        for name in ("canceled", "unstarted", "nobody")
    ]
    await respond(client, await poll_decision(client), *cancels)
    await client.respond_activity_task_completed(taskToken=tokens[0], result="r")
    await client.respond_activity_task_failed(
        taskToken=tokens[1], reason="r", details="d"
    )
    await client.respond_activity_task_canceled(taskToken=tokens[2], details="d")
    await mini.happened("ActivityTaskTimedOut")
    await respond(client, await poll_decision(client))


async def timers_and_markers(mini: MiniSwf, client: "SWFClient") -> None:
    """Start, fire, cancel and miss timers; record a marker."""
    await arithmetic.start(client)
    start = decision("StartTimer", timerId="t", startToFireTimeout="500", control="c")
    at_once = decision("StartTimer", timerId="now", startToFireTimeout="0")
    cancel = decision("CancelTimer", timerId="t")
    marker = decision("RecordMarker", markerName="m", details="d")
    batch = (start, start, at_once, cancel, cancel, marker)
    await respond(client, await poll_decision(client), *batch)
    await mini.happened("TimerFired")
    await respond(client, await poll_decision(client))


async def closes(client: "SWFClient") -> None:
    """Close runs in each way, after an attempt that comes too early."""
    closing = [
        decision("CompleteWorkflowExecution", result="r"),
        decision("FailWorkflowExecution", reason="r", details="d"),
        decision("CancelWorkflowExecution", details="d"),
        decision("ContinueAsNewWorkflowExecution", input="i", tagList=["t"]),
    ]
    for close in closing:
        workflow_id, _ = await arithmetic.start(client)
        task = await poll_decision(client)
        await client.signal_workflow_execution(
            domain=DOMAIN, workflowId=workflow_id, signalName="s", input="i"
        )
        await client.request_cancel_workflow_execution(
            domain=DOMAIN, workflowId=workflow_id
        )
        await client.respond_decision_task_completed(
            taskToken=task["taskToken"], decisions=[close], executionContext="c"
        )
        await respond(client, await poll_decision(client), close)
    await client.terminate_workflow_execution(
        domain=DOMAIN, workflowId=workflow_id, reason="r", details="d"
    )


async def runs_that_end_by_themselves(mini: MiniSwf, client: "SWFClient") -> None:
    """Let a decision and an execution run out of time."""
    await arithmetic.start(
        client, taskStartToCloseTimeout="1", executionStartToCloseTimeout="30"
    )
    await poll_decision(client)
    await mini.happened("WorkflowExecutionTimedOut")
