"""What SWF would refuse is refused before the wire, at its exact edge."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowser import decisions, limits, requests, shapes, wire
from flowser.exceptions import InvalidArgument
from flowser.requests import Request
from tests.declared import body

ALBUM = shapes.WorkflowType(name="Album", version="1.0")
ALWAYS = shapes.ExecutionTimeFilter(oldest_date=0.0)
Make = Callable[[Any], Request[Any]]


def start(**given: Any) -> requests.StartWorkflowExecution:
    members: dict[str, Any] = {
        "domain": "d",
        "workflow_id": "w",
        "workflow_type": ALBUM,
    }
    return requests.StartWorkflowExecution(**(members | given))


def terminate(**given: Any) -> requests.TerminateWorkflowExecution:
    return requests.TerminateWorkflowExecution(domain="d", workflow_id="w", **given)


def answer(*made: decisions.Decision, **given: Any) -> Request[Any]:
    return requests.RespondDecisionTaskCompleted(
        task_token="t", decisions=tuple(map(decisions.wrapped, made)) or None, **given
    )


def listing(**given: Any) -> requests.ListOpenWorkflowExecutions:
    return requests.ListOpenWorkflowExecutions(
        domain="d", start_time_filter=ALWAYS, **given
    )


def registration(**given: Any) -> requests.RegisterActivityType:
    members: dict[str, Any] = {"domain": "d", "name": "n", "version": "v"}
    return requests.RegisterActivityType(**(members | given))


def tagging(key: Any = "k", value: Any = "v", arn: Any = "arn:x") -> Request[Any]:
    tag = shapes.ResourceTag(key=key, value=value)
    return requests.TagResource(resource_arn=arn, tags=(tag,))


def poll(**given: Any) -> requests.PollForDecisionTask:
    return requests.PollForDecisionTask(
        domain="d", task_list=shapes.TaskList(name="l"), **given
    )


#: path of the argument, most characters, least characters, the request with a value
TEXTS: list[tuple[str, int, int, Make]] = [
    ("name", 256, 1, lambda x: requests.DescribeDomain(name=x)),
    ("domain", 256, 1, lambda x: start(domain=x)),
    ("workflow_id", 256, 1, lambda x: start(workflow_id=x)),
    (
        "workflow_type.name",
        256,
        1,
        lambda x: start(workflow_type=shapes.WorkflowType(name=x, version="v")),
    ),
    (
        "workflow_type.version",
        64,
        1,
        lambda x: start(workflow_type=shapes.WorkflowType(name="n", version=x)),
    ),
    ("task_list.name", 256, 1, lambda x: start(task_list=shapes.TaskList(name=x))),
    ("input", 32_768, 0, lambda x: start(input=x)),
    ("tag_list[1]", 256, 0, lambda x: start(tag_list=("a", x))),
    ("lambda_role", 1_600, 1, lambda x: start(lambda_role=x)),
    ("version", 64, 1, lambda x: registration(version=x)),
    ("description", 1_024, 0, lambda x: registration(description=x)),
    ("run_id", 64, 0, lambda x: terminate(run_id=x)),
    ("reason", 256, 0, lambda x: terminate(reason=x)),
    ("details", 32_768, 0, lambda x: terminate(details=x)),
    (
        "signal_name",
        256,
        1,
        lambda x: requests.SignalWorkflowExecution(
            domain="d", workflow_id="w", signal_name=x
        ),
    ),
    (
        "execution.run_id",
        64,
        1,
        lambda x: requests.DescribeWorkflowExecution(
            domain="d",
            execution=shapes.WorkflowExecution(workflow_id="w", run_id=x),
        ),
    ),
    ("identity", 256, 0, lambda x: poll(identity=x)),
    ("next_page_token", 2_048, 0, lambda x: poll(next_page_token=x)),
    (
        "task_token",
        1_024,
        1,
        lambda x: requests.RespondActivityTaskCompleted(task_token=x),
    ),
    (
        "result",
        32_768,
        0,
        lambda x: requests.RespondActivityTaskCompleted(task_token="t", result=x),
    ),
    (
        "details",
        2_048,
        0,
        lambda x: requests.RecordActivityTaskHeartbeat(task_token="t", details=x),
    ),
    ("execution_context", 32_768, 0, lambda x: answer(execution_context=x)),
    ("resource_arn", 1_600, 1, lambda x: tagging(arn=x)),
    ("tags[0].key", 128, 1, lambda x: tagging(key=x)),
    ("tags[0].value", 256, 0, lambda x: tagging(value=x)),
    (
        "type_filter.version",
        64,
        0,
        lambda x: listing(type_filter=shapes.WorkflowTypeFilter(name="n", version=x)),
    ),
    ("tag_filter.tag", 256, 0, lambda x: listing(tag_filter=shapes.TagFilter(tag=x))),
    (
        "decisions[0] (RecordMarker).marker_name",
        256,
        1,
        lambda x: answer(decisions.RecordMarker(marker_name=x)),
    ),
    (
        "decisions[1] (StartTimer).timer_id",
        256,
        1,
        lambda x: answer(
            decisions.CancelTimer(timer_id="t"),
            decisions.StartTimer(timer_id=x, start_to_fire_timeout="1"),
        ),
    ),
    (
        "decisions[0] (FailWorkflowExecution).reason",
        256,
        0,
        lambda x: answer(decisions.FailWorkflowExecution(reason=x)),
    ),
    (
        "decisions[0] (ScheduleLambdaFunction).name",
        64,
        1,
        lambda x: answer(decisions.ScheduleLambdaFunction(id="i", name=x)),
    ),
    (
        "decisions[0] (ScheduleLambdaFunction).id",
        256,
        1,
        lambda x: answer(decisions.ScheduleLambdaFunction(id=x, name="n")),
    ),
    (
        "decisions[0] (RequestCancelActivityTask).activity_id",
        256,
        1,
        lambda x: answer(decisions.RequestCancelActivityTask(activity_id=x)),
    ),
]


@pytest.mark.parametrize(("path", "most", "least", "make"), TEXTS)
def test_text_is_taken_at_its_limit_and_refused_beyond(
    path: str, most: int, least: int, make: Make
) -> None:
    body(make("x" * most))
    body(make("é" * least))
    with pytest.raises(InvalidArgument) as refused:
        body(make("x" * (most + 1)))
    error = refused.value
    assert error.argument == path
    assert f"{most + 1:,} characters" in error.problem
    assert f"SWF takes {most:,}" in error.problem
    assert error.remedy
    assert str(error) == f"{path} {error.problem}: {error.remedy}"


@pytest.mark.parametrize(("path", "make"), [(p, m) for p, _, low, m in TEXTS if low])
def test_empty_text_is_refused_where_swf_wants_a_character(
    path: str, make: Make
) -> None:
    with pytest.raises(InvalidArgument, match="is empty") as refused:
        body(make(""))
    assert refused.value.argument == path


@pytest.mark.parametrize(("path", "make"), [(p, m) for p, _, _, m in TEXTS])
@pytest.mark.parametrize("value", [7, b"bytes", 1.5, ["x"]])
def test_value_that_is_no_text_is_refused_by_its_type(
    path: str, make: Make, value: Any
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        body(make(value))
    assert refused.value.argument == path
    assert type(value).__name__ in str(refused.value) or repr(value) in str(
        refused.value
    )


def test_remedy_for_a_long_payload_is_to_store_it_elsewhere() -> None:
    with pytest.raises(InvalidArgument, match="store it elsewhere"):
        body(start(input="x" * 32_769))


def test_characters_are_counted_and_not_bytes() -> None:
    assert body(start(input="é" * 32_768))["input"] == "é" * 32_768


NAMES: list[tuple[str, Make]] = [
    ("name", lambda x: requests.DescribeDomain(name=x)),
    ("workflow_id", lambda x: start(workflow_id=x)),
    ("name", lambda x: registration(name=x)),
    ("version", lambda x: registration(version=x)),
    ("task_list.name", lambda x: start(task_list=shapes.TaskList(name=x))),
    (
        "decisions[0] (CancelTimer).timer_id",
        lambda x: answer(decisions.CancelTimer(timer_id=x)),
    ),
]


@pytest.mark.parametrize("character", [*":/|", "\x00", "\x1f", "\x7f", "\x9f"])
@pytest.mark.parametrize(("path", "make"), NAMES)
def test_name_with_a_forbidden_character_is_refused(
    path: str, make: Make, character: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        body(make(f"a{character}b"))
    assert refused.value.argument == path
    assert repr(character) in refused.value.problem


@pytest.mark.parametrize(("path", "make"), NAMES)
def test_name_arn_is_refused_and_names_that_contain_it_are_not(
    path: str, make: Make
) -> None:
    with pytest.raises(InvalidArgument, match=r"is 'arn'.*choose another") as refused:
        body(make("arn"))
    assert refused.value.argument == path
    body(make("barn"))


@pytest.mark.parametrize("name", [" a", "a ", "\u00a0a"])
def test_domain_and_task_list_must_not_begin_or_end_with_a_space(name: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^name .* strip it"):
        body(requests.DescribeDomain(name=name))
    with pytest.raises(InvalidArgument, match=r"^task_list.name .* strip it"):
        body(start(task_list=shapes.TaskList(name=name)))
    assert body(start(workflow_id=name))["workflowId"] == name


def test_names_of_other_scripts_and_with_spaces_inside_are_fine() -> None:
    assert body(start(workflow_id="álbum 相册"))["workflowId"] == "álbum 相册"


@pytest.mark.parametrize("value", ["0", "1", "99999999", "007"])
def test_duration_of_up_to_eight_digits_is_taken(value: str) -> None:
    made = body(start(execution_start_to_close_timeout=value))
    assert made["executionStartToCloseTimeout"] == value


@pytest.mark.parametrize(
    "value",
    ["", "-1", "-0", "1.5", "1e3", " 1", "1\n", "soon", "none", "1" + "0" * 8, "0" * 9],
)
def test_duration_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        body(start(task_start_to_close_timeout=value))
    assert refused.value.argument == "task_start_to_close_timeout"


def test_none_is_a_duration_only_where_swf_allows_it() -> None:
    assert body(start(task_start_to_close_timeout="NONE"))
    with pytest.raises(InvalidArgument, match=r"pass whole seconds as digits, or"):
        body(start(execution_start_to_close_timeout="NONE"))
    with pytest.raises(InvalidArgument, match=r"start_to_fire_timeout"):
        body(answer(decisions.StartTimer(timer_id="t", start_to_fire_timeout="NONE")))


@pytest.mark.parametrize(
    ("value", "fine"), [("0", 0), ("1", 1), ("900", 1), ("901", 0)]
)
def test_lambda_runs_for_one_to_nine_hundred_seconds(value: str, fine: int) -> None:
    made = answer(
        decisions.ScheduleLambdaFunction(id="i", name="n", start_to_close_timeout=value)
    )
    if fine:
        body(made)
        return
    with pytest.raises(InvalidArgument, match="choose 1 to 900"):
        body(made)


@pytest.mark.parametrize("value", ["0", "2147483647", "-2147483648"])
def test_priority_is_taken_at_its_limits(value: str) -> None:
    assert body(start(task_priority=value))["taskPriority"] == value


@pytest.mark.parametrize("value", ["2147483648", "-2147483649", "high", "NONE", "1.0"])
def test_priority_beyond_its_limits_is_refused(value: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^task_priority "):
        body(start(task_priority=value))


@pytest.mark.parametrize(
    ("days", "fine"), [("0", 1), ("90", 1), ("NONE", 1), ("91", 0)]
)
def test_retention_is_nought_to_ninety_days(days: str, fine: int) -> None:
    request = requests.RegisterDomain(
        name="d", workflow_execution_retention_period_in_days=days
    )
    if fine:
        body(request)
        return
    with pytest.raises(InvalidArgument, match="days"):
        body(request)


def test_five_tags_are_taken_and_six_refused() -> None:
    assert len(body(start(tag_list=tuple("abcde")))["tagList"]) == 5
    with pytest.raises(InvalidArgument, match=r"^tag_list has 6 items; SWF takes 5: "):
        body(start(tag_list=tuple("abcdef")))


def test_text_in_place_of_a_list_of_tags_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"^tag_list is a str: pass a list"):
        body(start(tag_list="abc"))


@pytest.mark.parametrize(("size", "fine"), [(0, 1), (1_000, 1), (1_001, 0), (-1, 0)])
def test_page_holds_up_to_a_thousand_items(size: int, fine: int) -> None:
    if fine:
        body(listing(maximum_page_size=size))
        return
    with pytest.raises(InvalidArgument, match="choose 0 to 1,000 items"):
        body(listing(maximum_page_size=size))


def test_resource_tag_takes_only_the_characters_of_tags() -> None:
    body(tagging(key="Ab1 _.:/=+-@", value="Ä 1"))
    with pytest.raises(InvalidArgument, match=re.escape("tags[0].key")):
        body(tagging(key="a*b"))


def test_enumeration_takes_members_and_their_strings_only() -> None:
    assert body(start(child_policy="ABANDON"))["childPolicy"] == "ABANDON"
    policy = shapes.ChildPolicy.REQUEST_CANCEL
    assert body(start(child_policy=policy))["childPolicy"] == "REQUEST_CANCEL"
    with pytest.raises(InvalidArgument, match=r"child_policy is 'KEEP': choose one of"):
        body(start(child_policy="KEEP"))


@pytest.mark.parametrize("value", ["true", 1, 0])
def test_flag_that_is_no_bool_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"reverse_order .*pass a bool"):
        body(listing(reverse_order=value))


def test_required_member_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"^workflow_id is missing: pass it"):
        body(start(workflow_id=None))


def test_shape_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"task_list is a str: pass TaskList"):
        body(start(task_list="albums"))


def test_lone_surrogate_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="lone surrogate"):
        body(start(input="\ud800"))


def test_request_is_refused_at_one_megabyte_with_room_for_headers() -> None:
    payload = "x" * 32_768
    filled = [decisions.RecordMarker(marker_name="m", details=payload)] * 31
    rest = decisions.RecordMarker(marker_name="m", details="")
    room = limits.MAX_REQUEST_BYTES - 1 - len(wire.encode(answer(*filled, rest)))
    last = decisions.RecordMarker(marker_name="m", details="x" * room)
    assert len(wire.encode(answer(*filled, last))) == limits.MAX_REQUEST_BYTES - 1
    over = decisions.RecordMarker(marker_name="m", details="x" * (room + 1))
    with pytest.raises(InvalidArgument, match=r"1 MB.*fewer decisions") as refused:
        wire.encode(answer(*filled, over))
    assert refused.value.argument == "RespondDecisionTaskCompleted"


def test_duration_is_written_as_swf_does() -> None:
    assert limits.duration("30", "a") == "30"
    assert limits.duration(30, "a") == "30"
    assert limits.duration(0, "a") == "0"
    assert limits.duration(timedelta(minutes=1), "a") == "60"
    assert limits.duration(timedelta(milliseconds=1), "a") == "1"
    assert limits.duration("NONE", "a") == limits.NONE
    assert limits.duration(None, "a") is None


@pytest.mark.parametrize(
    "value", [-1, True, 1.5, timedelta(seconds=-1), b"1", float("nan")]
)
def test_duration_of_another_kind_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^heartbeat_timeout is .*timedelta"):
        limits.duration(value, "heartbeat_timeout")


@given(st.integers(0, 99_999_999))
def test_every_int_of_eight_digits_is_a_duration_that_swf_takes(seconds: int) -> None:
    written = limits.duration(seconds, "a")
    assert written == str(seconds)
    body(start(execution_start_to_close_timeout=written))


@given(st.timedeltas(timedelta(0), timedelta(days=1_000)))
def test_timedelta_is_rounded_up_to_a_second(span: timedelta) -> None:
    written = timedelta(seconds=int(limits.duration(span, "a") or ""))
    assert span <= written < span + timedelta(seconds=1)


@given(st.text())
def test_any_text_is_either_written_or_refused_as_an_argument(text: str) -> None:
    """Nothing that a user passes may end in an error of another kind."""
    try:
        made = body(start(workflow_id=text, execution_start_to_close_timeout=text))
    except InvalidArgument:
        return
    assert made["workflowId"] == text
