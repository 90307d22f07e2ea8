"""Both wires, side by side, for every operation and every error of SWF."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from flowser import decisions, exceptions, requests, shapes, wire
from flowser._boto import BotoWire
from flowser._client import connect
from tests.support import samples, signatures
from tests.support.answers import Cut, Fault, Lost, Status, TruncatedJson
from tests.support.scripted import EMPTY_POLL, ScriptedSwf

_LISTS = shapes.TaskList(name="list")
POLL = requests.PollForActivityTask(domain="domain", task_list=_LISTS)
TASK = {
    "taskToken": "token",
    "activityId": "1",
    "startedEventId": 6,
    "workflowExecution": {"workflowId": "w", "runId": "r"},
    "activityType": {"name": "a", "version": "1"},
}


@contextlib.asynccontextmanager
async def lean(url: str, session: AioSession) -> AsyncIterator[wire.Wire]:
    async with connect(endpoint_url=url, session=session) as connection:
        yield connection


@contextlib.asynccontextmanager
async def boto(url: str, session: AioSession) -> AsyncIterator[wire.Wire]:
    config = AioConfig(
        read_timeout=75, max_pool_connections=50, retries={"total_max_attempts": 1}
    )
    async with session.create_client("swf", endpoint_url=url, config=config) as client:
        yield BotoWire(client)


BOTH = pytest.mark.parametrize("opened", [lean, boto])


def full_request(operation: str) -> requests.Request[Any]:
    """Make flowser's request of a sample that botocore's model gave."""
    sample = samples.request(operation)
    raw = sample.pop("decisions", None)
    made: requests.Request[Any] = msgspec.convert(
        sample, requests.OPERATIONS[operation]
    )
    if raw is not None:
        typed = tuple(map(decision, raw))
        made = msgspec.structs.replace(made, decisions=typed)
    return made


def decision(raw: dict[str, Any]) -> decisions.Wrapped:
    name = raw["decisionType"]
    member = f"{name[0].lower()}{name[1:]}DecisionAttributes"
    return decisions.wrapped(msgspec.convert(raw[member], decisions.DECISIONS[name]))


def unset(value: Any, path: str = "") -> list[str]:
    """List the members that a result was not given."""
    if isinstance(value, list):
        return [
            p
            for index, item in enumerate(value)
            for p in unset(item, f"{path}{index}.")
        ]
    if not isinstance(value, msgspec.Struct):
        return [path] if value is None else []
    fields = value.__struct_fields__
    return [
        p
        for name in fields
        if name != "loads"
        for p in unset(getattr(value, name), f"{path}{name}.")
    ]


@pytest.mark.parametrize("operation", samples.operations())
async def test_both_wires_send_the_same_request_and_read_the_same_answer(
    operation: str, scripted: ScriptedSwf, bare_session: AioSession
) -> None:
    request, answer = full_request(operation), samples.answer(operation)
    scripted.always(operation, answer)
    results = []
    for opened in (lean, boto):
        async with opened(scripted.url, bare_session) as way:
            results.append(await wire.send(way, request))
    ours, theirs = scripted.of(operation)
    assert ours.target == theirs.target == f"SimpleWorkflowService.{operation}"
    assert ours.headers["Content-Type"] == theirs.headers["Content-Type"]
    assert ours.headers["Host"] == theirs.headers["Host"]
    assert ours.params == theirs.params == samples.request(operation)
    for recorded in (ours, theirs):
        assert signatures.signer(recorded, scripted.url, "testing") == "testing"
    assert results[0] == results[1]
    assert not unset(results[0])


def test_samples_fill_every_event_and_every_decision() -> None:
    page, respond = (
        samples.answer("GetWorkflowExecutionHistory"),
        "RespondDecisionTaskCompleted",
    )
    assert page is not None
    assert len(page["events"]) == 54
    assert len(samples.request(respond)["decisions"]) == 13


@BOTH
async def test_each_error_code_is_its_own_exception(
    opened: Any, scripted: ScriptedSwf, bare_session: AioSession
) -> None:
    """A retried, swallowed or nameless fault loses tasks; so all are tried."""
    async with opened(scripted.url, bare_session) as way:
        for code, kind in exceptions.SERVICE_ERRORS.items():
            status = 500 if kind is exceptions.InternalFailure else 400
            scripted.always("PollForActivityTask", Fault(code, "words", status))
            with pytest.raises(kind) as caught:
                await wire.send(way, POLL)
            error = caught.value
            assert isinstance(error, exceptions.ServiceError)
            assert type(error) is kind
            assert error.operation == "PollForActivityTask"
            assert (error.code, error.message) == (code, "words")
            assert (error.status, error.retried) == (status, False)


@BOTH
async def test_unknown_codes_and_other_peoples_pages_are_service_errors(
    opened: Any, scripted: ScriptedSwf, bare_session: AioSession
) -> None:
    page = b"<html><body>Bad Gateway</body></html>"
    skew = Fault("InvalidSignatureException", "Signature expired: 2015 is now earlier")
    cases: list[tuple[Any, type[exceptions.ServiceError], str]] = [
        (Fault("NovelFault", "new"), exceptions.ServiceError, "NovelFault"),
        (Fault("NovelFault", None, 503), exceptions.InternalFailure, "NovelFault"),
        (Status(502, page, "text/html"), exceptions.InternalFailure, "HTTP 502"),
        (Status(403, page, "text/html"), exceptions.ServiceError, "HTTP 403"),
        (Status(429, page, "text/html"), exceptions.Throttled, "HTTP 429"),
        (Status(429), exceptions.Throttled, "HTTP 429"),
        (Status(408, page, "text/html"), exceptions.InternalFailure, "HTTP 408"),
        (Fault("NovelFault", None, 429), exceptions.Throttled, "NovelFault"),
        (skew, exceptions.ClockSkewed, "InvalidSignatureException"),
    ]
    async with opened(scripted.url, bare_session) as way:
        for answer, kind, code in cases:
            scripted.answer("PollForActivityTask", answer)
            with pytest.raises(kind) as caught:
                await wire.send(way, POLL)
            assert type(caught.value) is kind
            assert caught.value.code == code
            assert "html" not in str(caught.value)


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        Lost(),
        Cut(TASK),
        TruncatedJson(TASK),
        {},
        None,
        {"taskToken": "t"},
        Status(200, b"<p>"),
    ],
    ids=repr,
)
async def test_poll_without_a_whole_answer_is_lost_and_sent_once(
    answer: Any, opened: Any, scripted: ScriptedSwf, bare_session: AioSession
) -> None:
    """Experiments 3 to 5: it is never taken for an empty poll, and never repeated."""
    scripted.answer("PollForActivityTask", answer)
    async with opened(scripted.url, bare_session) as way:
        with pytest.raises(exceptions.ResponseLost) as caught:
            await wire.send(way, POLL)
    assert caught.value.operation == "PollForActivityTask"
    assert scripted.count("PollForActivityTask") == 1


@BOTH
@pytest.mark.parametrize("token", [{}, {"taskToken": ""}])
async def test_poll_without_a_task_is_empty(
    token: dict[str, str],
    opened: Any,
    scripted: ScriptedSwf,
    bare_session: AioSession,
) -> None:
    """SWF's empty answer has startedEventId 0; the token is missing or empty."""
    scripted.always("PollForActivityTask", EMPTY_POLL | token)
    async with opened(scripted.url, bare_session) as way:
        with pytest.raises(exceptions.EmptyTaskPollResult):
            await wire.send(way, POLL)


@BOTH
async def test_request_that_swf_would_refuse_is_not_sent(
    opened: Any, scripted: ScriptedSwf, bare_session: AioSession
) -> None:
    wrong: list[requests.Request[Any]] = [
        requests.RespondActivityTaskCompleted(task_token="t", result="x" * 32_769),
        requests.DescribeDomain(name="a:b"),
        requests.RespondDecisionTaskCompleted(
            task_token="t",
            decisions=tuple(
                decisions.wrapped(
                    decisions.RecordMarker(marker_name="m", details="x" * 32_000)
                )
                for _ in range(40)
            ),
        ),
    ]
    async with opened(scripted.url, bare_session) as way:
        for request in wrong:
            with pytest.raises(exceptions.InvalidArgument):
                await wire.send(way, request)
    assert not scripted.requests


@BOTH
async def test_nobody_listening_is_a_connection_that_failed(
    opened: Any, bare_session: AioSession
) -> None:
    async with ScriptedSwf() as server:
        url = server.url
    async with opened(url, bare_session) as way:
        with pytest.raises(exceptions.ConnectionFailed) as caught:
            await wire.send(way, POLL)
    assert url.removeprefix("http://") in str(caught.value)


@BOTH
async def test_history_page_takes_unknown_events_from_a_newer_service(
    opened: Any, scripted: ScriptedSwf, bare_session: AioSession
) -> None:
    """The lean wire keeps the attributes, too; botocore drops them."""
    novel = {"eventId": 1, "eventTimestamp": 1.5e9, "eventType": "Novel"}
    page = {"events": [novel | {"novelEventAttributes": {"a": 1}}], "more": True}
    scripted.always("GetWorkflowExecutionHistory", page)
    async with opened(scripted.url, bare_session) as way:
        history = await wire.send(way, full_request("GetWorkflowExecutionHistory"))
    (event,) = history.events
    assert (event.id, event.type) == (1, "Novel")
    assert event.attributes == ({"a": 1} if opened is lean else {})
