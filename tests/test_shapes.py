"""Small values: SWF's names on the wire, Python's in the program."""

import msgspec
import pytest

from flowser import shapes


def test_members_are_in_camel_case_on_the_wire_and_none_is_left_out() -> None:
    run = shapes.WorkflowExecution(workflow_id="w", run_id="r")
    assert msgspec.to_builtins(run) == {"workflowId": "w", "runId": "r"}
    span = shapes.ExecutionTimeFilter(oldest_date=1.5)
    assert msgspec.to_builtins(span) == {"oldestDate": 1.5}


def test_value_is_frozen_and_equal_by_content() -> None:
    one = shapes.ActivityType(name="Resize", version="1.0")
    assert one == shapes.ActivityType(name="Resize", version="1.0")
    assert len({one, shapes.ActivityType(name="Resize", version="1.0")}) == 1
    with pytest.raises(AttributeError):
        one.name = "other"  # type: ignore[misc]


def test_types_of_the_same_name_but_of_another_kind_differ() -> None:
    kinds = (shapes.ActivityType, shapes.WorkflowType)
    assert len({kind(name="a", version="1") for kind in kinds}) == 2


def test_unknown_member_of_a_newer_service_is_no_error() -> None:
    raw = {"name": "albums", "colour": "blue"}
    assert msgspec.convert(raw, shapes.TaskList) == shapes.TaskList(name="albums")


@pytest.mark.parametrize(
    ("enum", "text"),
    [
        (shapes.ChildPolicy, "REQUEST_CANCEL"),
        (shapes.RegistrationStatus, "DEPRECATED"),
        (shapes.ExecutionStatus, "OPEN"),
        (shapes.CloseStatus, "CONTINUED_AS_NEW"),
        (shapes.TimeoutType, "SCHEDULE_TO_START"),
    ],
)
def test_member_of_an_enumeration_equals_swfs_string(
    enum: type[shapes.ChildPolicy], text: str
) -> None:
    assert enum(text) == text
    assert str(enum(text)) == text
