"""Decisions as they come: of one type, whatever else they bring."""

import json
from typing import Any

import pytest

from flowser import decisions as d
from flowser import requests
from flowser.local.engine.forms import DecisionType
from flowser.local.engine.reading import read
from tests.local.engine.bodies import invalid
from tests.support import samples

FULL: dict[str, Any] = {
    each["decisionType"]: each
    for each in samples.request("RespondDecisionTaskCompleted")["decisions"]
}
TIMER = {
    "decisionType": "StartTimer",
    "startTimerDecisionAttributes": {"timerId": "t", "startToFireTimeout": "1"},
}


def answered(*made: Any) -> requests.RespondDecisionTaskCompleted:
    body = {"taskToken": "t", "decisions": made}
    request = read("RespondDecisionTaskCompleted", json.dumps(body).encode())
    assert isinstance(request, requests.RespondDecisionTaskCompleted)
    return request


def decided(*made: Any) -> list[d.Decision]:
    return [wrapped.attributes for wrapped in answered(*made).decisions or ()]


def refused(*made: Any) -> str:
    return invalid(
        "RespondDecisionTaskCompleted", {"taskToken": "t", "decisions": made}
    )


def constraint(message: str, value: str, path: str, sentence: str) -> bool:
    told = f"Value {value} at '{path}' failed to satisfy constraint: {sentence}"
    return told in message


def test_types_are_those_that_there_are() -> None:
    assert set(DecisionType) == d.DECISIONS.keys()


@pytest.mark.parametrize("kind", d.DECISIONS)
def test_decision_with_required_members_only_is_read(kind: str) -> None:
    member = d.member(kind)
    shape: Any = samples.model().shape_for("Decision")
    needed = shape.members[member].required_members
    attributes = {name: FULL[kind][member][name] for name in needed}
    (made,) = decided({"decisionType": kind, member: attributes})
    assert type(made) is d.DECISIONS[kind]
    given = {
        field for field in made.__struct_fields__ if getattr(made, field) is not None
    }
    assert len(given) == len(needed)


@pytest.mark.parametrize("kind", d.DECISIONS)
def test_decision_without_the_attributes_of_its_type_is_refused(kind: str) -> None:
    expected = f"{kind}DecisionAttributes must be specified for decision of type {kind}"
    assert refused(TIMER, {"decisionType": kind}) == expected
    assert refused({"decisionType": kind, d.member(kind): None}) == expected
    other = "CancelTimer" if kind != "CancelTimer" else "RecordMarker"
    assert refused(FULL[other] | {"decisionType": kind}) == expected


def test_attributes_of_another_type_are_judged_and_then_passed_over() -> None:
    right = TIMER | {"cancelTimerDecisionAttributes": {"timerId": "t"}}
    assert decided(right) == [d.StartTimer(timer_id="t", start_to_fire_timeout="1")]
    wrong = TIMER | {"cancelTimerDecisionAttributes": {}}
    assert refused(wrong) == (
        "1 validation error detected: Value null at "
        "'decisions.1.member.cancelTimerDecisionAttributes.timerId' failed to satisfy "
        "constraint: Member must not be null"
    )


def test_missing_attributes_are_told_when_all_else_is_right() -> None:
    message = refused({"decisionType": "StartTimer"}, {"decisionType": "StopTimer"})
    assert message == (
        "1 validation error detected: Value 'StopTimer' at "
        "'decisions.2.member.decisionType' failed to satisfy constraint: Member must "
        "satisfy enum value set: [CompleteWorkflowExecution, StartTimer, "
        "RequestCancelExternalWorkflowExecution, SignalExternalWorkflowExecution, "
        "CancelTimer, RecordMarker, ScheduleActivityTask, "
        "ContinueAsNewWorkflowExecution, ScheduleLambdaFunction, "
        "FailWorkflowExecution, RequestCancelActivityTask, "
        "StartChildWorkflowExecution, CancelWorkflowExecution]"
    )


def test_errors_of_all_decisions_are_told() -> None:
    timer = {"timerId": "a:b", "startToFireTimeout": "NONE"}
    message = refused(
        {"startTimerDecisionAttributes": timer},
        None,
        {"decisionType": "StartTimer", "startTimerDecisionAttributes": timer},
    )
    assert message.startswith("6 validation errors detected: ")
    for number in (1, 3):
        path = f"decisions.{number}.member.startTimerDecisionAttributes"
        integer = "Member must be an integer between 0 and 99999999"
        assert constraint(message, "'NONE'", f"{path}.startToFireTimeout", integer)
        assert f"Value 'a:b' at '{path}.timerId' failed" in message
    null = "Member must not be null"
    assert constraint(message, "null", "decisions.1.member.decisionType", null)
    assert constraint(message, "null", "decisions.2.member", null)


@pytest.mark.parametrize(
    ("seconds", "fine"), [("1", 1), ("900", 1), ("0", 0), ("901", 0)]
)
def test_lambda_runs_for_one_to_nine_hundred_seconds(seconds: str, fine: int) -> None:
    decision = {
        "decisionType": "ScheduleLambdaFunction",
        "scheduleLambdaFunctionDecisionAttributes": {
            "id": "i",
            "name": "n",
            "startToCloseTimeout": seconds,
        },
    }
    if fine:
        assert decided(decision)
    else:
        assert refused(decision).endswith("Member must be an integer between 1 and 900")


def test_order_is_kept_and_no_decisions_are_fine() -> None:
    made = decided(*FULL.values(), TIMER)
    assert [type(each).__name__ for each in made] == [*FULL, "StartTimer"]
    assert answered().decisions == ()
    bare = read("RespondDecisionTaskCompleted", b'{"taskToken":"t"}')
    assert bare == requests.RespondDecisionTaskCompleted(task_token="t")


def test_a_closing_decision_that_is_not_last_is_not_judged_here() -> None:
    closing = FULL["CompleteWorkflowExecution"]
    assert len(decided(closing, closing)) == 2


@pytest.mark.parametrize(
    "kind",
    ["SignalExternalWorkflowExecution", "RequestCancelExternalWorkflowExecution"],
)
def test_an_empty_run_id_is_none(kind: str) -> None:
    attributes = FULL[kind][d.member(kind)] | {"runId": ""}
    (made,) = decided({"decisionType": kind, d.member(kind): attributes})
    assert isinstance(
        made,
        d.SignalExternalWorkflowExecution | d.RequestCancelExternalWorkflowExecution,
    )
    assert made.run_id is None


def test_tags_of_decisions_may_be_null() -> None:
    member = "continueAsNewWorkflowExecutionDecisionAttributes"
    decision = {
        "decisionType": "ContinueAsNewWorkflowExecution",
        member: {"tagList": [None, "a"]},
    }
    assert decided(decision) == [d.ContinueAsNewWorkflowExecution(tag_list=("a",))]
