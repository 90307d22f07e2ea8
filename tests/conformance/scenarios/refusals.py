"""What is refused, and with which words.

Source:
    swf-semantics.md sections 1.2 to 1.5 and 1.7.
"""

from typing import Any

import pytest

from tests.conformance.face import Fault, Swf, decision
from tests.conformance.registry import scenario

_INVALID = "ValidationException"
_UNVALIDATED = "10.1: no length or enum validation (besides decision types)"


def _errors(*errors: str) -> tuple[str, str]:
    """Word a ValidationException as Coral does."""
    many = "error" if len(errors) == 1 else "errors"
    return _INVALID, f"{len(errors)} validation {many} detected: {'; '.join(errors)}"


def _error(value: str, path: str, sentence: str) -> str:
    return f"Value {value} at '{path}' failed to satisfy constraint: Member {sentence}"


def _null(path: str) -> str:
    return _error("null", path, "must not be null")


@scenario(typed=False, moto=_UNVALIDATED)
async def what_is_required_must_not_be_null(swf: Swf) -> None:
    """Section 1.4 [recorded]; the plural [moto]. Null is absent (1.1)."""
    type = "workflowType.name", "workflowType.version"
    await swf.refuses(
        *_errors(_null("signalName")), "SignalWorkflowExecution", workflowId="w"
    )
    await swf.refuses(
        *_errors(_null("workflowId"), *map(_null, type)),
        "StartWorkflowExecution",
        workflowType={"name": None},
    )


@scenario(typed=False, moto=_UNVALIDATED)
async def lengths_are_limited(swf: Swf) -> None:
    """Sections 1.4 and 1.5; of the least and the most that is allowed."""
    asked: dict[str, Any] = {"workflowId": swf.id("run"), "workflowType": swf.order}
    for name, most in (("input", 32_768), ("workflowId", 256)):
        longest = swf.id("x").ljust(most, "x")
        await swf.call("StartWorkflowExecution", **(asked | {name: longest}))
        value = f"{longest}x"
        sentence = f"must have length less than or equal to {most}"
        error = _error(f"'{value}'", name, sentence)
        with pytest.raises(Fault) as refused:
            await swf.call("StartWorkflowExecution", **(asked | {name: value}))
        # How much of a long value SWF shows is not known.
        assert refused.value.message.endswith(error[error.index("' at ") :])
    least = _error("''", "workflowId", "must have length greater than or equal to 1")
    empty = asked | {"workflowId": ""}
    await swf.refuses(*_errors(least), "StartWorkflowExecution", **empty)


@scenario(typed=False, moto=_UNVALIDATED)
async def enumerations_are_closed(swf: Swf) -> None:
    """Section 1.4 [moto:verified][live-3p]."""
    values = "must satisfy enum value set: [TERMINATE, REQUEST_CANCEL, ABANDON]"
    await swf.refuses(
        *_errors(_error("'KILL'", "childPolicy", values)),
        "StartWorkflowExecution",
        workflowId=swf.id("run"),
        workflowType=swf.order,
        childPolicy="KILL",
    )


@scenario(typed=False, moto=_UNVALIDATED)
async def pages_have_at_most_a_thousand_items(swf: Swf) -> None:
    """Section 1.4 [live-3p]."""
    run = await swf.start()
    for size, sentence in (
        (1_001, "must have value less than or equal to 1000"),
        (-1, "must have value greater than or equal to 0"),
    ):
        error = _error(f"'{size}'", "maximumPageSize", sentence)
        asked = {"execution": run, "maximumPageSize": size}
        await swf.refuses(*_errors(error), "GetWorkflowExecutionHistory", **asked)
    await swf.call("GetWorkflowExecutionHistory", execution=run, maximumPageSize=1_000)


@scenario(typed=False, moto=_UNVALIDATED)
async def names_have_forbidden_characters(swf: Swf) -> None:
    """Section 1.5 [model]; SWF's words are not known."""
    asked: dict[str, Any] = {"workflowType": swf.order}
    start = "StartWorkflowExecution"
    for name in ("a:b", "a/b", "a|b", "a\nb", "a\x7fb", "arn"):
        await swf.refuses(_INVALID, None, start, **asked, workflowId=name)
    for name in ("arn:", " arn"):
        bad = {"taskList": {"name": name}, "workflowId": swf.id("run")}
        await swf.refuses(_INVALID, None, start, **asked, **bad)
    for name in ("ärzte 1", "arn1", "タスク", " spaced "):
        await swf.call(start, **asked, workflowId=swf.id(name))


@scenario(typed=False, moto=_UNVALIDATED)
async def durations_are_seconds_as_digits(swf: Swf) -> None:
    """Sections 1.1, 1.7 and 5.2: a start does not take NONE; the words are ours."""
    asked: dict[str, Any] = {"workflowId": swf.id("run"), "workflowType": swf.order}
    member = "executionStartToCloseTimeout"
    for value in ("NONE", "-1", "1.5", "123456789", "ten", ""):
        bad = asked | {member: value}
        await swf.refuses(_INVALID, None, "StartWorkflowExecution", **bad)
    for value in ("none", "-1", "123456789"):
        bad = asked | {"taskStartToCloseTimeout": value}
        await swf.refuses(_INVALID, None, "StartWorkflowExecution", **bad)
    for value in ("2147483648", "-2147483649", "high"):
        bad = asked | {"taskPriority": value}
        await swf.refuses(_INVALID, None, "StartWorkflowExecution", **bad)
    days = {"workflowExecutionRetentionPeriodInDays": "91"}
    await swf.refuses(_INVALID, None, "RegisterDomain", name="kept", **days)


@scenario(typed=False)
async def values_of_another_type_are_no_request(swf: Swf) -> None:
    """Section 1.2; the words are not known."""
    wrong: list[dict[str, Any]] = [
        {"workflowId": 1},
        {"workflowId": ["w"]},
        {"input": {"a": 1}},
    ]
    for members in wrong:
        asked = {"workflowId": "w", "workflowType": swf.order} | members
        await swf.refuses(
            "SerializationException", None, "StartWorkflowExecution", **asked
        )


@scenario(typed=False, moto="10.1: no length validation; SignalWorkflowExecution")
async def six_tags_are_too_many(swf: Swf) -> None:
    asked: dict[str, Any] = {"workflowId": swf.id("run"), "workflowType": swf.order}
    tags = [str(number) for number in range(6)]
    sentence = "must have length less than or equal to 5"
    error = _error(f"'[{', '.join(tags)}]'", "tagList", sentence)
    await swf.refuses(*_errors(error), "StartWorkflowExecution", **asked, tagList=tags)
    await swf.start(tagList=tags[:5])


# -- decisions --------------------------------------------------------------------

_TYPES = (
    "CompleteWorkflowExecution, StartTimer, RequestCancelExternalWorkflowExecution, "
    "SignalExternalWorkflowExecution, CancelTimer, RecordMarker, ScheduleActivityTask, "
    "ContinueAsNewWorkflowExecution, ScheduleLambdaFunction, FailWorkflowExecution, "
    "RequestCancelActivityTask, StartChildWorkflowExecution, CancelWorkflowExecution"
)


@scenario(typed=False, moto=_UNVALIDATED)
async def a_list_of_decisions_is_taken_as_a_whole(swf: Swf) -> None:
    """Sections 1.4 and 3.1: nothing is applied, and the token stays good."""
    run = await swf.start()
    task = await swf.task()
    mark = decision("RecordMarker", markerName="m")
    path = "decisions.2.member"
    enumerated = f"must satisfy enum value set: [{_TYPES}]"
    nowhere = decision("CancelTimer", timerId=None)
    stray = mark | decision("StartTimer", timerId="t")
    stray["decisionType"] = "RecordMarker"
    missing = "StartTimerDecisionAttributes must be specified for decision of type"
    cases: list[tuple[Any, tuple[str, str]]] = [
        (
            {"decisionType": "Nap"},
            _errors(_error("'Nap'", f"{path}.decisionType", enumerated)),
        ),
        (nowhere, _errors(_null(f"{path}.cancelTimerDecisionAttributes.timerId"))),
        # Attributes of another type are validated too [moto:verified].
        (
            stray,
            _errors(_null(f"{path}.startTimerDecisionAttributes.startToFireTimeout")),
        ),
        ({"decisionType": "StartTimer"}, (_INVALID, f"{missing} StartTimer")),
    ]
    for made, refusal in cases:
        await swf.refuses(
            *refusal,
            "RespondDecisionTaskCompleted",
            taskToken=task["taskToken"],
            decisions=[mark, made],
        )
    assert len(await swf.history(run)) == 3
    await swf.decide(task, mark)


# -- tokens -----------------------------------------------------------------------


@scenario(moto="10.1: RespondActivityTaskCanceled is absent")
async def garbage_is_no_token(swf: Swf) -> None:
    """Section 1.3 [moto:verified]: a ValidationException, not an unknown resource."""
    await swf.start()
    task = await swf.task()
    token = task["taskToken"]
    for garbage in ("x", token[:-4], token[4:], token.swapcase(), f"{token}AAAA"):
        for operation in (
            "RespondDecisionTaskCompleted",
            "RespondActivityTaskCompleted",
            "RespondActivityTaskFailed",
            "RespondActivityTaskCanceled",
            "RecordActivityTaskHeartbeat",
        ):
            await swf.refuses(_INVALID, "Invalid token", operation, taskToken=garbage)
    heartbeat = "RecordActivityTaskHeartbeat"
    await swf.refuses(_INVALID, "Invalid token", heartbeat, taskToken=token)
    await swf.decide(task, swf.paying())
    token = (await swf.work())["taskToken"]
    complete = "RespondDecisionTaskCompleted"
    await swf.refuses(_INVALID, "Invalid token", complete, taskToken=token)


@scenario(moto="10.2: responding with a token that is over raises ValueError")
async def a_decision_task_is_answered_once(swf: Swf) -> None:
    """Section 1.3."""
    await swf.start()
    task = await swf.task()
    await swf.decide(task)
    await swf.refuses(
        "UnknownResourceFault",
        "Unknown decision task, scheduledEventId = 2",
        "RespondDecisionTaskCompleted",
        taskToken=task["taskToken"],
    )


# -- what does not exist ----------------------------------------------------------


@scenario(moto="10.1: 6 operations absent")
async def an_unknown_domain_is_told_by_its_name(swf: Swf) -> None:
    """Section 1.3."""
    name = swf.id("nowhere")
    run = {"workflowId": "w", "runId": "r"}
    times = {"oldestDate": 0}
    listed = {"taskList": {"name": "l"}}
    typed = {"workflowType": swf.order}, {"activityType": swf.pay}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("StartWorkflowExecution", {"workflowId": "w", **typed[0]}),
        ("SignalWorkflowExecution", {"workflowId": "w", "signalName": "s"}),
        ("RequestCancelWorkflowExecution", {"workflowId": "w"}),
        ("TerminateWorkflowExecution", {"workflowId": "w"}),
        ("DescribeWorkflowExecution", {"execution": run}),
        ("GetWorkflowExecutionHistory", {"execution": run}),
        ("ListOpenWorkflowExecutions", {"startTimeFilter": times}),
        ("ListClosedWorkflowExecutions", {"startTimeFilter": times}),
        ("CountOpenWorkflowExecutions", {"startTimeFilter": times}),
        ("CountClosedWorkflowExecutions", {"startTimeFilter": times}),
        ("RegisterWorkflowType", swf.order),
        ("RegisterActivityType", swf.pay),
        ("ListWorkflowTypes", {"registrationStatus": "REGISTERED"}),
        ("ListActivityTypes", {"registrationStatus": "REGISTERED"}),
    ]
    for verb in ("Describe", "Deprecate", "Undeprecate", "Delete"):
        calls += [
            (f"{verb}WorkflowType", typed[0]),
            (f"{verb}ActivityType", typed[1]),
        ]
    for kind in ("Decision", "Activity"):
        calls += [(f"PollFor{kind}Task", listed), (f"CountPending{kind}Tasks", listed)]
    unknown = "UnknownResourceFault", f"Unknown domain: {name}"
    for operation, members in calls:
        await swf.refuses(*unknown, operation, **members, domain=name)
    for operation in ("DescribeDomain", "DeprecateDomain", "UndeprecateDomain"):
        await swf.refuses(*unknown, operation, name=name)


@scenario(moto="not in section 10: the answer is a 500")
async def an_unknown_run_is_told_by_its_ids(swf: Swf) -> None:
    """Section 1.3."""
    run = await swf.start()
    other = {"workflowId": run["workflowId"], "runId": "other"}
    named = f"workflowId={other['workflowId']}, runId=other"
    unknown = f"Unknown execution: WorkflowExecution=[{named}]"
    for operation in ("DescribeWorkflowExecution", "GetWorkflowExecutionHistory"):
        await swf.refuses("UnknownResourceFault", unknown, operation, execution=other)


@scenario(moto="10.2: deprecated domains allow starting and registering")
async def a_start_is_refused_in_a_certain_order(swf: Swf) -> None:
    """Section 1.7 [moto]: type, its deprecation, defaults, the id."""
    run = await swf.start()
    id = run["workflowId"]
    name = f"name={swf.id('old')}, version=1"
    old = {"name": swf.id("old"), "version": "1"}
    start = "StartWorkflowExecution"
    asked: dict[str, Any] = {"workflowId": id, "workflowType": old}
    unknown = f"Unknown type: WorkflowType=[{name}]"
    await swf.refuses("UnknownResourceFault", unknown, start, **asked)
    await swf.call("RegisterWorkflowType", **old)
    for member, value in (
        ("executionStartToCloseTimeout", "9"),
        ("taskList", swf.deciders),
        ("taskStartToCloseTimeout", "9"),
        ("childPolicy", "ABANDON"),
    ):
        await swf.refuses("DefaultUndefinedFault", member, start, **asked)
        asked[member] = value
    await swf.refuses("WorkflowExecutionAlreadyStartedFault", "", start, **asked)
    await swf.call("DeprecateWorkflowType", workflowType=old)
    deprecated = f"WorkflowType=[{name}]"
    await swf.refuses("TypeDeprecatedFault", deprecated, start, **asked)
