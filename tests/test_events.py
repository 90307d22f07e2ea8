"""History events: typed, complete, and tolerant of what is not known."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from flowser import events, results, wire
from flowser.events import (
    ActivityTaskCompleted,
    MarkerRecorded,
    UnrecognizedEvent,
    WorkflowExecutionSignaled,
    WorkflowExecutionStarted,
)
from flowser.exceptions import ResponseLost, SerializationError
from tests.histories import began, done, marker, page, raw, signaled


def decoded(*found: dict[str, Any]) -> list[events.Event]:
    """Decode events as they come in a page."""
    body = msgspec.json.encode(page(found))
    answer = wire.decode("GetWorkflowExecutionHistory", body, results.History)
    return answer.events


def smallest(attributes: type[events.Attributes]) -> dict[str, Any]:
    """Give every required member of an event's attributes some value."""
    values: dict[Any, Any] = {str: "x", int: 7}
    return {
        field.encode_name: values.get(field.type) or _ids(field.type)
        for field in msgspec.structs.fields(attributes)
        if field.required
    }


def _ids(shape: Any) -> dict[str, str]:
    return {field.encode_name: "x" for field in msgspec.structs.fields(shape)}


def test_there_are_fifty_four() -> None:
    assert len(events.ATTRIBUTES) == len(events.EVENTS) == 54


@pytest.mark.parametrize("name", events.ATTRIBUTES)
def test_event_of_every_type_is_decoded_into_its_class(name: str) -> None:
    attributes = events.ATTRIBUTES[name]
    (event,) = decoded(raw(3, name, **smallest(attributes)))
    assert type(event.attributes) is attributes
    assert (event.type, event.id) == (name, 3)
    assert event.time_stamp == datetime.fromtimestamp(1_500_000_003.25, UTC)
    (again,) = msgspec.json.decode(
        msgspec.json.encode([event]), type=list[events.AnyEvent], strict=False
    )
    assert again == event


def test_attributes_can_be_matched() -> None:
    (event,) = decoded(done(7, 5, result="[1]"))
    match event.attributes:
        case ActivityTaskCompleted(scheduled_event_id=scheduled, result=result):
            assert (scheduled, result) == (5, "[1]")
        case _:
            pytest.fail("not matched")


def test_event_whose_attributes_are_all_optional_may_have_none() -> None:
    bare = raw(3, "WorkflowExecutionCancelRequested")
    del bare["workflowExecutionCancelRequestedEventAttributes"]
    (event,) = decoded(bare)
    assert event.attributes == events.WorkflowExecutionCancelRequested()


def test_event_type_of_a_newer_service_is_kept_with_its_attributes() -> None:
    new = raw(3, "WorkflowExecutionReopened", reason="because", depth={"n": [1]})
    first, event, last = decoded(began(), new, marker(4))
    assert isinstance(event, UnrecognizedEvent)
    assert (event.id, event.type) == (3, "WorkflowExecutionReopened")
    assert event.attributes == {"reason": "because", "depth": {"n": [1]}}
    assert event.attrs["reason"] == "because"
    assert isinstance(first.attributes, WorkflowExecutionStarted)
    assert isinstance(last.attributes, MarkerRecorded)


def test_unknown_member_of_a_known_event_is_no_error() -> None:
    (event,) = decoded(marker(3) | {"shard": 9})
    assert isinstance(event.attributes, MarkerRecorded)
    odd = marker(4)
    odd["markerRecordedEventAttributes"]["colour"] = "blue"
    (event,) = decoded(odd)
    assert isinstance(event.attributes, MarkerRecorded)


def test_misspelt_event_of_an_emulator_is_kept() -> None:
    """It is moto's TimerCancelled (semantics 10.2); botocore drops its attributes."""
    (event,) = decoded(raw(9, "TimerCancelled", timerId="t", startedEventId=5))
    assert isinstance(event, UnrecognizedEvent)
    assert event.attrs["timerId"] == "t"


def test_ids_of_nought_that_an_emulator_leaves_out_are_noughts() -> None:
    """Emulators drop falsy members, such as the startedEventId of an unstarted task."""
    (event,) = decoded(
        raw(5, "DecisionTaskTimedOut", timeoutType="START_TO_CLOSE", scheduledEventId=2)
    )
    assert event.attributes == events.DecisionTaskTimedOut(
        timeout_type="START_TO_CLOSE", scheduled_event_id=2, started_event_id=0
    )


def test_event_that_lacks_what_cannot_be_guessed_is_kept_as_plain_json() -> None:
    """The CancelTimerFailed of moto has no timerId."""
    cause = "TIMER_ID_UNKNOWN"
    (event,) = decoded(raw(5, "CancelTimerFailed", cause=cause))
    assert isinstance(event, UnrecognizedEvent)
    assert event.type == "CancelTimerFailed"
    assert event.attrs["cause"] == cause


def test_known_event_beside_an_unknown_one_is_decoded_as_ever() -> None:
    known = done(7, 5, result='{"a": 1}')
    alone = decoded(known)
    beside = decoded(raw(6, "SomethingNew"), known)
    assert beside[1] == alone[0]


@pytest.mark.parametrize(
    "nonsense",
    [
        {},
        {"eventId": 1},
        {"eventType": "MarkerRecorded"},
        {"eventId": "x", "eventType": "MarkerRecorded", "eventTimestamp": 1},
        7,
        None,
    ],
)
def test_what_is_no_event_makes_the_whole_answer_unreadable(nonsense: Any) -> None:
    with pytest.raises(ResponseLost, match="not an answer of"):
        decoded(began(), nonsense)


def test_attrs_have_swfs_names_and_payloads_as_objects() -> None:
    (event,) = decoded(done(7, 5, result='["sum", 10]'))
    assert dict(event.attrs) == {
        "scheduledEventId": 5,
        "startedEventId": 6,
        "result": ["sum", 10],
    }
    assert "result" in event.attrs
    assert len(event.attrs) == 3
    assert "scheduledEventId" in repr(event.attrs)


def test_attrs_have_nested_values_as_plain_objects() -> None:
    (event,) = decoded(began(input="[1]"))
    assert event.attrs["workflowType"] == {"name": "Album", "version": "1.0"}
    assert event.attrs["input"] == [1]


def test_missing_member_of_attrs_is_a_key_error() -> None:
    (event,) = decoded(signaled(4))
    assert "input" not in event.attrs
    assert event.attrs.get("input") is None
    with pytest.raises(KeyError):
        event.attrs["input"]


def test_unreadable_payload_harms_only_who_reads_it() -> None:
    (event,) = decoded(signaled(4, input="no JSON {"))
    assert event.attrs["signalName"] == "s"
    assert isinstance(event.attributes, WorkflowExecutionSignaled)
    assert event.attributes.input == "no JSON {"
    with pytest.raises(SerializationError):
        event.attrs["input"]


def test_member_of_an_event_is_named_after_its_type() -> None:
    assert events.member("TimerFired") == "timerFiredEventAttributes"


def test_a_tag_that_is_null_is_no_tag() -> None:
    (event,) = decoded(began(tagList=[None, "a"]))
    assert isinstance(event.attributes, WorkflowExecutionStarted)
    assert event.attributes.tag_list == ["a"]
