"""Answers become typed values, whatever a newer service adds to them."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from flowser import results, shapes, wire
from tests.histories import ALBUM, RUN, activity_task, decision_task

INFO: dict[str, Any] = {
    "execution": RUN,
    "workflowType": ALBUM,
    "startTimestamp": 1.504871454307e9,
    "executionStatus": "CLOSED",
    "closeStatus": "TIMED_OUT",
    "closeTimestamp": 1504871500,
    "cancelRequested": False,
}


def read(result_type: Any, answer: Any) -> Any:
    return wire.decode("Any", msgspec.json.encode(answer), result_type)


def test_time_stamps_are_datetimes_in_utc() -> None:
    info = read(results.WorkflowExecutionInfo, INFO)
    assert info.start_timestamp == datetime(2017, 9, 8, 11, 50, 54, 307_000, UTC)
    assert info.close_timestamp == datetime(2017, 9, 8, 11, 51, 40, tzinfo=UTC)
    assert info.start_timestamp.tzinfo is not None


def test_members_that_aws_added_without_a_word_are_no_error() -> None:
    """Recorded since 2023 (semantics 1.1)."""
    more = INFO | {"reopenGenerationId": 0, "reopenable": False}
    assert read(results.WorkflowExecutionInfo, more) == read(
        results.WorkflowExecutionInfo, INFO
    )


def test_status_compares_equal_to_the_enumeration() -> None:
    info = read(results.WorkflowExecutionInfo, INFO)
    assert info.execution_status == shapes.ExecutionStatus.CLOSED
    assert info.close_status == shapes.CloseStatus.TIMED_OUT


def test_status_of_a_newer_service_is_no_error() -> None:
    info = read(results.WorkflowExecutionInfo, INFO | {"closeStatus": "PAUSED"})
    assert info.close_status == "PAUSED"


def test_answer_of_no_bytes_is_nothing() -> None:
    answer = wire.decode("RegisterDomain", b"", results.Nothing)
    assert answer == results.Nothing()


def test_members_that_may_be_missing_are_none() -> None:
    assert read(results.Run, {}).run_id is None
    assert read(results.WorkflowExecutionCount, {"count": 3}).truncated is None
    assert read(results.ResourceTags, {}).tags is None


def test_task_of_an_emulator_without_previous_id_has_nought() -> None:
    """An emulator leaves it out of the first decision task (semantics 10.2)."""
    bare = decision_task([])
    del bare["previousStartedEventId"]
    assert read(results.DecisionTask, bare).previous_started_event_id == 0


@pytest.mark.parametrize("text", ["", "null", "[1]", None])
def test_input_of_a_task_is_the_text_that_came(text: str | None) -> None:
    given = {} if text is None else {"input": text}
    assert read(results.ActivityTask, activity_task(**given)).input == text


def test_configuration_has_what_was_set_and_none_for_the_rest() -> None:
    found = read(
        results.ActivityTypeConfiguration, {"defaultTaskList": {"name": "images"}}
    )
    assert found.default_task_list == shapes.TaskList(name="images")
    assert found.default_task_priority is None
