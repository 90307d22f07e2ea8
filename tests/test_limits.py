"""What SWF would refuse is refused before the wire, at its exact edge."""

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowser import decisions, limits, requests, shapes, wire
from flowser.exceptions import InvalidArgument
from tests.declared import body
from tests.limited import answer, listing, start, tagging


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


@pytest.mark.parametrize("size", [True, False, "5", 5.0])
def test_page_size_that_is_no_int_is_refused(size: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^maximum_page_size is .*items a page"):
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


def test_annotation_is_taken_apart_into_a_type_and_its_rules() -> None:
    assert limits.bare(limits.Name | None) == (str, (limits.Identifier(),))
    kind, rules = limits.bare(limits.TagList | None)
    assert kind == tuple[limits.Tag, ...]
    assert [type(rule) for rule in rules] == [limits.Most]
    policy = limits.OneOf(shapes.ChildPolicy)
    assert limits.bare(shapes.ChildPolicy | None) == (shapes.ChildPolicy, (policy,))
    assert limits.bare(shapes.TaskList) == (shapes.TaskList, ())


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
