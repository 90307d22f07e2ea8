"""The exact form of each decision on the wire, with every attribute that SWF takes."""

from typing import Any

import msgspec
import pytest

from flowser import decisions, shapes
from flowser.decisions import CLOSING, DECISIONS, OPENING, Decision, wrapped

ALBUMS = shapes.TaskList(name="albums")
ALBUM = shapes.WorkflowType(name="Album", version="1.0")

RUN_OPTIONS: dict[str, Any] = {
    "input": "i",
    "execution_start_to_close_timeout": "1",
    "task_list": ALBUMS,
    "task_priority": "2",
    "task_start_to_close_timeout": "3",
    "child_policy": shapes.ChildPolicy.ABANDON,
    "tag_list": ("x", "y"),
    "lambda_role": "role",
}
RUN_OPTIONS_WRITTEN = {
    "input": "i",
    "executionStartToCloseTimeout": "1",
    "taskList": {"name": "albums"},
    "taskPriority": "2",
    "taskStartToCloseTimeout": "3",
    "childPolicy": "ABANDON",
    "tagList": ["x", "y"],
    "lambdaRole": "role",
}

FULL: list[tuple[Decision, dict[str, Any]]] = [
    (
        decisions.ScheduleActivityTask(
            activity_type=shapes.ActivityType(name="Resize", version="1.0"),
            activity_id="a",
            control="c",
            input="i",
            schedule_to_close_timeout="1",
            task_list=ALBUMS,
            task_priority="2",
            schedule_to_start_timeout="3",
            start_to_close_timeout="4",
            heartbeat_timeout="NONE",
        ),
        {
            "activityType": {"name": "Resize", "version": "1.0"},
            "activityId": "a",
            "control": "c",
            "input": "i",
            "scheduleToCloseTimeout": "1",
            "taskList": {"name": "albums"},
            "taskPriority": "2",
            "scheduleToStartTimeout": "3",
            "startToCloseTimeout": "4",
            "heartbeatTimeout": "NONE",
        },
    ),
    (decisions.RequestCancelActivityTask(activity_id="a"), {"activityId": "a"}),
    (decisions.CompleteWorkflowExecution(result="r"), {"result": "r"}),
    (
        decisions.FailWorkflowExecution(reason="r", details="d"),
        {"reason": "r", "details": "d"},
    ),
    (decisions.CancelWorkflowExecution(details="d"), {"details": "d"}),
    (
        decisions.ContinueAsNewWorkflowExecution(
            workflow_type_version="2.0", **RUN_OPTIONS
        ),
        RUN_OPTIONS_WRITTEN | {"workflowTypeVersion": "2.0"},
    ),
    (
        decisions.RecordMarker(marker_name="m", details="d"),
        {"markerName": "m", "details": "d"},
    ),
    (
        decisions.StartTimer(timer_id="t", start_to_fire_timeout="5", control="c"),
        {"timerId": "t", "startToFireTimeout": "5", "control": "c"},
    ),
    (decisions.CancelTimer(timer_id="t"), {"timerId": "t"}),
    (
        decisions.SignalExternalWorkflowExecution(
            workflow_id="w", signal_name="s", run_id="r", input="i", control="c"
        ),
        {
            "workflowId": "w",
            "signalName": "s",
            "runId": "r",
            "input": "i",
            "control": "c",
        },
    ),
    (
        decisions.RequestCancelExternalWorkflowExecution(
            workflow_id="w", run_id="r", control="c"
        ),
        {"workflowId": "w", "runId": "r", "control": "c"},
    ),
    (
        decisions.StartChildWorkflowExecution(
            workflow_type=ALBUM, workflow_id="w", control="c", **RUN_OPTIONS
        ),
        RUN_OPTIONS_WRITTEN
        | {
            "workflowType": {"name": "Album", "version": "1.0"},
            "workflowId": "w",
            "control": "c",
        },
    ),
    (
        decisions.ScheduleLambdaFunction(
            id="i", name="n", control="c", input="p", start_to_close_timeout="900"
        ),
        {
            "id": "i",
            "name": "n",
            "control": "c",
            "input": "p",
            "startToCloseTimeout": "900",
        },
    ),
]


def on_the_wire(decision: Decision) -> Any:
    return msgspec.json.decode(msgspec.json.encode(wrapped(decision)))


@pytest.mark.parametrize(("decision", "written"), FULL)
def test_decision_is_written_with_its_type_and_every_attribute(
    decision: Decision, written: dict[str, Any]
) -> None:
    name = type(decision).__name__
    member = f"{name[0].lower()}{name[1:]}DecisionAttributes"
    assert on_the_wire(decision) == {
        "decisionType": name,
        member: written,
    }
    assert set(written) == {f.encode_name for f in msgspec.structs.fields(decision)}


def test_table_above_has_every_decision() -> None:
    assert [type(decision).__name__ for decision, _ in FULL] == list(DECISIONS)
    assert len(DECISIONS) == 13


@pytest.mark.parametrize(("decision", "_"), FULL)
def test_attribute_that_is_not_given_is_left_out(decision: Decision, _: object) -> None:
    fields = msgspec.structs.fields(decision)
    needed = {f.name: getattr(decision, f.name) for f in fields if f.required}
    *_, written = on_the_wire(type(decision)(**needed)).values()
    assert set(written) == {f.encode_name for f in fields if f.required}


def test_closing_and_opening_decisions_are_not_the_same() -> None:
    assert not {*CLOSING} & {*OPENING}
    assert {*CLOSING} | {*OPENING} < {*DECISIONS.values()}
