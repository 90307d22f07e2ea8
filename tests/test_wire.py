"""How requests are written and answers are read, whatever carries them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowser import decisions, exceptions, limits, requests, results, shapes, wire
from tests.support import samples

POLL = "PollForActivityTask"
DECIDE = "PollForDecisionTask"
HISTORY = "GetWorkflowExecutionHistory"

#: Any JSON, with SWF's own names in it now and then.
NAMES = st.sampled_from(
    ("taskToken", "startedEventId", "events", "eventType", "eventId")
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES | st.text(), inner),
    max_leaves=12,
)


def respond(count: int, size: int) -> requests.RespondDecisionTaskCompleted:
    marker = decisions.RecordMarker(marker_name="m", details="x" * size)
    many = tuple(decisions.wrapped(marker) for _ in range(count))
    return requests.RespondDecisionTaskCompleted(task_token="t", decisions=many)


def raw_event(kind: str, **members: Any) -> dict[str, Any]:
    return {"eventId": 1, "eventTimestamp": 1.5e9, "eventType": kind, **members}


def read(events: list[Any], **members: Any) -> results.History:
    body = msgspec.json.encode({"events": events, **members})
    return wire.decode(HISTORY, body, results.History)


def test_members_that_are_none_are_left_out() -> None:
    request = requests.RespondActivityTaskFailed(task_token="t", reason="r")
    assert wire.encode(request) == b'{"taskToken":"t","reason":"r"}'


def test_decisions_are_written_with_their_type() -> None:
    (written,) = msgspec.json.decode(wire.encode(respond(1, 1)))["decisions"]
    assert written == {
        "decisionType": "RecordMarker",
        "recordMarkerDecisionAttributes": {"markerName": "m", "details": "x"},
    }


def test_request_of_more_than_a_megabyte_is_refused_with_its_size() -> None:
    fits = respond(31, 32_768)
    assert len(wire.encode(fits)) < limits.MAX_REQUEST_BYTES
    with pytest.raises(exceptions.InvalidArgument, match=r"1 MB.*fewer decisions"):
        wire.encode(respond(32, 32_768))


def test_character_that_is_none_is_refused() -> None:
    request = requests.RespondActivityTaskCompleted(task_token="t", result="\ud800")
    with pytest.raises(exceptions.InvalidArgument, match=r"^result .*lone surrogate"):
        wire.encode(request)


@pytest.mark.parametrize("operation", sorted(requests.POLLS))
@pytest.mark.parametrize("token", [{}, {"taskToken": ""}, {"taskToken": None}])
def test_answer_without_token_and_with_event_zero_is_an_empty_poll(
    operation: str, token: dict[str, Any]
) -> None:
    body = msgspec.json.encode(
        {"startedEventId": 0, "previousStartedEventId": 0} | token
    )
    kind = requests.answer(requests.OPERATIONS[operation])
    with pytest.raises(exceptions.EmptyTaskPollResult):
        wire.decode(operation, body, kind)


def test_empty_poll_is_empty_however_much_is_in_it() -> None:
    """Some emulators send every member, with nothing in it."""
    pair = {"workflowId": "", "runId": ""}
    whole: dict[str, Any] = {
        "taskToken": "",
        "startedEventId": 0,
        "events": [],
        "workflowExecution": pair,
        "workflowType": {"name": "", "version": ""},
    }
    with pytest.raises(exceptions.EmptyTaskPollResult):
        wire.decode(DECIDE, msgspec.json.encode(whole), results.DecisionTask)
    whole["startedEventId"] = 7
    with pytest.raises(exceptions.ResponseLost):
        wire.decode(DECIDE, msgspec.json.encode(whole), results.DecisionTask)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"<html>",
        b"\xff\xfe",
        b'{"taskToken":"t"}',
        b'{"taskToken":"t","startedEv',
        b'{"taskToken":1,"startedEv',
        b'{"startedEventId":3}',
        b'{"a":' * 5_000,
        b'{"events":' + b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("operation", sorted(requests.POLLS))
def test_answer_that_is_neither_task_nor_empty_is_lost(
    operation: str, body: bytes
) -> None:
    kind = requests.answer(requests.OPERATIONS[operation])
    with pytest.raises(exceptions.ResponseLost):
        wire.decode(operation, body, kind)


@settings(deadline=None)  # the machine may be busy
@given(
    st.sampled_from(samples.operations()), JSON.map(msgspec.json.encode) | st.binary()
)
def test_reading_raises_nothing_but_what_it_says(operation: str, body: bytes) -> None:
    """An exception that nobody expects would end a worker."""
    kind = requests.answer(requests.OPERATIONS[operation])
    try:
        assert isinstance(wire.decode(operation, body, kind), kind)
    except (exceptions.ResponseLost, exceptions.EmptyTaskPollResult) as error:
        assert operation in str(error)  # noqa: PT017 - either may come, or neither


@settings(deadline=None)  # the machine may be busy
@given(JSON.map(msgspec.json.encode) | st.binary(), st.integers(300, 599))
def test_error_is_made_of_any_body(body: bytes, status: int) -> None:
    error = wire.error("ListDomains", status, body, "id")
    assert (error.operation, error.status) == ("ListDomains", status)
    assert error.request_id == "id"
    assert isinstance(error, exceptions.InternalFailure) or status < 500


@pytest.mark.parametrize("body", [b"", b"{}", b"<html></html>"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, exceptions.ServiceError),
        (408, exceptions.InternalFailure),
        (429, exceptions.Throttled),
        (500, exceptions.InternalFailure),
    ],
)
def test_error_without_a_code_is_judged_by_its_status(
    status: int, kind: type[exceptions.ServiceError], body: bytes
) -> None:
    """A proxy or a load balancer says it its own way."""
    assert type(wire.error("ListDomains", status, body)) is kind


def test_known_code_counts_more_than_the_status() -> None:
    body = msgspec.json.encode({"__type": "a#ValidationException"})
    error = wire.error("ListDomains", 429, body)
    assert type(error) is exceptions.ValidationFailed


def test_error_code_is_found_between_namespace_and_address() -> None:
    for written in ("a.b#Throttling", "Throttling", "a#Throttling:http://x/"):
        body = msgspec.json.encode({"__type": written, "Message": "slow down"})
        error = wire.error("ListDomains", 400, body)
        assert type(error) is exceptions.Throttled
        assert (error.code, error.message) == ("Throttling", "slow down")


def test_answer_of_nothing_may_have_no_body() -> None:
    for body in (b"", b"{}", b'{"more":1}'):
        assert (
            wire.decode("DeprecateDomain", body, results.Nothing) == results.Nothing()
        )


def test_members_of_a_newer_service_are_ignored() -> None:
    """AWS adds members without a word: reopenable, in 2023."""
    sample = samples.answer("DescribeWorkflowExecution")
    assert sample is not None
    sample["executionInfo"] |= {"reopenable": False, "reopenGenerationId": 0}
    body = msgspec.json.encode(sample)
    described = wire.decode(
        "DescribeWorkflowExecution", body, results.WorkflowExecutionDetail
    )
    assert described.execution_info.execution_status == "OPEN"


def test_event_of_a_newer_service_is_kept_beside_the_known_ones() -> None:
    known = raw_event(
        "TimerFired", timerFiredEventAttributes={"timerId": "1", "startedEventId": 3}
    )
    novel = raw_event("TimerPaused", timerPausedEventAttributes={"timerId": "1"})
    first, second = read([known, novel], nextPageToken="next").events
    assert (first.type, second.type) == ("TimerFired", "TimerPaused")
    assert second.attributes == {"timerId": "1"}


def test_event_that_lacks_an_id_of_zero_is_read_as_known() -> None:
    """Moto leaves members out when they are 0 (semantics 10.2)."""
    short = raw_event("TimerFired", timerFiredEventAttributes={"timerId": "1"})
    (event,) = read([short]).events
    assert msgspec.to_builtins(event.attributes)["startedEventId"] == 0


def test_time_stamp_is_in_utc_to_the_millisecond() -> None:
    (event,) = read([raw_event("Novel") | {"eventTimestamp": 1.504871454307e9}]).events
    assert event.time_stamp.isoformat(timespec="milliseconds") == (
        "2017-09-08T11:50:54.307+00:00"
    )


def test_operation_and_answer_follow_from_the_request() -> None:
    for operation, kind in requests.OPERATIONS.items():
        answer = requests.answer(kind)
        assert issubclass(answer, shapes.Shape), operation


def test_a_tag_that_is_null_is_no_tag() -> None:
    run = {
        "execution": {"workflowId": "w", "runId": "r"},
        "workflowType": {"name": "n", "version": "1"},
        "startTimestamp": 1.5e9,
        "executionStatus": "OPEN",
        "tagList": [None],
    }
    body = msgspec.json.encode({"executionInfos": [run]})
    found = wire.decode("ListOpen", body, results.WorkflowExecutionInfos)
    assert found.execution_infos[0].tag_list == []
