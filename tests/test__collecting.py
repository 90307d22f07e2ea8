"""Each method collects its decision, with every attribute, and lets calls chain."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flowser import decisions as swf
from flowser import requests
from flowser._collecting import check_closing
from flowser.decision_tasks import Decision
from flowser.exceptions import InvalidArgument
from tests.declared import Album, Photos, Resize, UpperPhotos, body, offline
from tests.histories import began, decision_task


def task(kind: type[Photos] = Photos) -> Decision:
    return Decision(decision_task([began()]), Album(offline(kind)))


def written(made: Decision) -> list[Any]:
    """Give what was collected as it goes over the wire."""
    decided = tuple(map(swf.wrapped, made.decisions))
    request = requests.RespondDecisionTaskCompleted(task_token="t", decisions=decided)
    sent: list[Any] = body(request)["decisions"]
    return sent


CALLS: list[tuple[Callable[[Decision], Decision], str, dict[str, Any]]] = [
    (
        lambda t: t.schedule(Resize, {"id": 1}, "note", heartbeat_timeout="NONE"),
        "ScheduleActivityTask",
        {
            "activityType": {"name": "Resize", "version": "1.0"},
            "activityId": "Resize-1",
            "input": '{"id":1}',
            "control": "note",
            "taskList": {"name": "images"},
            "heartbeatTimeout": "NONE",
            "scheduleToCloseTimeout": "3600",
            "scheduleToStartTimeout": "3600",
            "startToCloseTimeout": "3600",
        },
    ),
    (
        lambda t: t.start_child(Album, {"id": 1}, child_policy="ABANDON"),
        "StartChildWorkflowExecution",
        {
            "workflowType": {"name": "Album", "version": "1.0"},
            "workflowId": "Album-1",
            "input": '{"id":1}',
            "taskList": {"name": "albums"},
            "childPolicy": "ABANDON",
            "executionStartToCloseTimeout": "600",
            "taskStartToCloseTimeout": "120",
        },
    ),
    (lambda t: t.mark("m"), "RecordMarker", {"markerName": "m"}),
    (
        lambda t: t.mark("m", "d"),
        "RecordMarker",
        {"markerName": "m", "details": "d"},
    ),
    (
        lambda t: t.start_timer("t", timedelta(minutes=2), "c"),
        "StartTimer",
        {"timerId": "t", "startToFireTimeout": "120", "control": "c"},
    ),
    (
        lambda t: t.start_timer("t", 0),
        "StartTimer",
        {"timerId": "t", "startToFireTimeout": "0"},
    ),
    (lambda t: t.cancel_timer("t"), "CancelTimer", {"timerId": "t"}),
    (
        lambda t: t.request_cancel_activity("a"),
        "RequestCancelActivityTask",
        {"activityId": "a"},
    ),
    (
        lambda t: t.signal_external("w", "s", {"n": 1}, run_id="r", control="c"),
        "SignalExternalWorkflowExecution",
        {
            "workflowId": "w",
            "signalName": "s",
            "input": '{"n":1}',
            "runId": "r",
            "control": "c",
        },
    ),
    (
        lambda t: t.signal_external("w", "s"),
        "SignalExternalWorkflowExecution",
        {"workflowId": "w", "signalName": "s"},
    ),
    (
        lambda t: t.request_cancel_external("w", run_id="r", control="c"),
        "RequestCancelExternalWorkflowExecution",
        {"workflowId": "w", "runId": "r", "control": "c"},
    ),
    (
        lambda t: t.schedule_lambda(
            "i", "n", [1], control="c", start_to_close_timeout=900
        ),
        "ScheduleLambdaFunction",
        {
            "id": "i",
            "name": "n",
            "input": "[1]",
            "control": "c",
            "startToCloseTimeout": "900",
        },
    ),
    (
        lambda t: t.add(swf.CancelWorkflowExecution(details="d")),
        "CancelWorkflowExecution",
        {"details": "d"},
    ),
]


@pytest.mark.parametrize(("collect", "name", "attributes"), CALLS)
def test_call_collects_its_decision_and_returns_the_task(
    collect: Callable[[Decision], Decision], name: str, attributes: dict[str, Any]
) -> None:
    made = task()
    assert collect(made) is made
    member = f"{name[0].lower()}{name[1:]}DecisionAttributes"
    assert written(made) == [{"decisionType": name, member: attributes}]


def test_every_decision_that_does_not_close_has_a_call() -> None:
    closing = {kind.__name__ for kind in swf.CLOSING}
    assert {name for _, name, _ in CALLS} - closing == {*swf.DECISIONS} - closing


def test_payloads_are_written_by_the_domains_serializer() -> None:
    made = task(UpperPhotos)
    made.schedule(Resize, "a", activity_id="1").start_child(Album, "b", workflow_id="2")
    made.signal_external("w", "s", "c").schedule_lambda("i", "n", "d")
    inputs = [[*decided.values()][1]["input"] for decided in written(made)]
    assert inputs == ["A", "B", "C", "D"]


def test_serializer_of_the_domain_is_in_effect_only_meanwhile() -> None:
    task(UpperPhotos).schedule(Resize, "a", activity_id="1")
    assert Resize.schedule("a", activity_id="1").input == '"a"'


def test_call_that_is_refused_collects_nothing() -> None:
    made = task()
    with pytest.raises(InvalidArgument, match="seconds is -1"):
        made.start_timer("t", -1)
    with pytest.raises(InvalidArgument, match="input has no id"):
        made.schedule(Resize, [])
    assert made.decisions == []


class Derived(swf.RecordMarker):
    """SWF's answer to it could not be told from a marker's."""


@pytest.mark.parametrize(
    "given",
    [
        "x",
        None,
        {"decisionType": "RecordMarker"},
        swf.RecordMarker,
        Derived(marker_name="m"),
        swf.wrapped(swf.RecordMarker(marker_name="m")),
        Resize,
    ],
    ids=repr,
)
def test_what_is_no_decision_is_refused_when_it_is_added(given: Any) -> None:
    """Not when the task is answered: by then nobody knows who added it."""
    made = task().mark("m")
    with pytest.raises(InvalidArgument, match=r"a class of flowser\.decisions") as no:
        made.add(given)
    assert no.value.argument == "decision"
    assert len(made.decisions) == 1


MARK = swf.RecordMarker(marker_name="m")
TIMER = swf.StartTimer(timer_id="t", start_to_fire_timeout="1")
LAMBDA = swf.ScheduleLambdaFunction(id="i", name="n")
SCHEDULE = Resize.schedule({"id": 1})
CHILD = Album.start_child({"id": 1})
CLOSINGS = [kind() for kind in swf.CLOSING]


@pytest.mark.parametrize("close", CLOSINGS)
def test_closing_decision_is_the_last_and_only_one(close: swf.Decision) -> None:
    check_closing(())
    check_closing((close,))
    check_closing((MARK, swf.CancelTimer(timer_id="t"), CHILD, close))
    name = type(close).__name__
    with pytest.raises(InvalidArgument, match=rf"^decisions\[1\] is {name}, .* last"):
        check_closing((MARK, close, MARK))
    for other in CLOSINGS:
        with pytest.raises(InvalidArgument, match=r"^decisions\[0\] .* only one"):
            check_closing((close, other))


@pytest.mark.parametrize("close", CLOSINGS)
@pytest.mark.parametrize("opening", [SCHEDULE, TIMER, LAMBDA])
def test_new_work_cannot_go_with_a_closing_decision(
    opening: swf.Decision, close: swf.Decision
) -> None:
    names = rf"{type(opening).__name__}, .* together with {type(close).__name__}"
    with pytest.raises(InvalidArgument, match=rf"^decisions\[1\] is {names}"):
        check_closing((MARK, opening, close))


def test_new_work_without_a_closing_decision_is_fine() -> None:
    check_closing((MARK, SCHEDULE, TIMER, LAMBDA, CHILD))
