"""The lean wire: what is sent again, what is not, and what an error then says."""

import asyncio
import contextlib
from typing import Any

import pytest
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession

from flowser import _lean, exceptions, requests, shapes, wire
from tests.connections import Opened, opener, paced
from tests.support import samples
from tests.support.answers import (
    Cut,
    Lost,
    Recorded,
    Status,
    TruncatedJson,
    expired_token,
    internal_failure,
    throttled,
    unknown_resource,
)
from tests.support.pace import Pace
from tests.support.scripted import EMPTY_POLL, ScriptedSwf

LIST = shapes.TaskList(name="list")
POLL = requests.PollForActivityTask(domain="d", task_list=LIST)
DECIDE = requests.PollForDecisionTask(domain="d", task_list=LIST)
COUNT = requests.CountPendingActivityTasks(domain="d", task_list=LIST)
RESPOND = requests.RespondActivityTaskCompleted(task_token="t", result="r")
SIGNAL = requests.SignalWorkflowExecution(domain="d", workflow_id="w", signal_name="s")
START = requests.StartWorkflowExecution(
    domain="d",
    workflow_id="w",
    workflow_type=shapes.WorkflowType(name="n", version="1"),
)
REGISTER = requests.RegisterActivityType(domain="d", name="n", version="1")
NAME = "RespondActivityTaskCompleted"


@pytest.fixture(params=[None, AIOHTTPSession], ids=["lean", "aiobotocore"])
def opened(bare_session: AioSession, request: pytest.FixtureRequest) -> Opened:
    """Opens lean connections, over either kind of HTTP session."""
    return opener(bare_session, request.param)


@pytest.mark.parametrize(
    "answer",
    [
        throttled(),
        internal_failure(500),
        internal_failure(503),
        Status(500, b"<html></html>", "text/html"),
        Status(429, b"<html></html>", "text/html"),
        Status(408),
        Lost(),
        Cut({"a": "b"}),
        TruncatedJson({"a": "b"}),
    ],
    ids=repr,
)
async def test_report_is_repeated_with_growing_pauses(
    answer: Any, opened: Opened, scripted: ScriptedSwf
) -> None:
    """Experiments 10, 11 and 14: a finished result is not given up."""
    scripted.answer(NAME, answer, answer, answer)
    pace = Pace()
    async with opened(scripted.url, **paced(pace)) as conn:
        await wire.send(conn, RESPOND)
    assert scripted.count(NAME) == 4
    assert [r.params["result"] for r in scripted.of(NAME)] == ["r"] * 4
    assert len(pace.pauses) == 3
    assert 0.2 <= pace.pauses[0] < pace.pauses[2] <= 1.6


async def test_call_is_sent_six_times_at_most(
    opened: Opened, scripted: ScriptedSwf
) -> None:
    scripted.always(NAME, throttled())
    pace = Pace()
    async with opened(scripted.url, **paced(pace)) as conn:
        with pytest.raises(exceptions.Throttled):
            await wire.send(conn, RESPOND)
    assert scripted.count(NAME) == _lean.ATTEMPTS
    assert pace.now < _lean.PATIENCE


async def test_registration_waits_for_a_minute_when_throttled(
    opened: Opened, scripted: ScriptedSwf
) -> None:
    scripted.always("RegisterActivityType", throttled())
    pace = Pace()
    async with opened(scripted.url, **paced(pace)) as conn:
        with pytest.raises(exceptions.Throttled):
            await wire.send(conn, REGISTER)
        assert 45 < pace.now <= _lean.CONTROL_PATIENCE
        sent = scripted.count("RegisterActivityType")
        scripted.always("RegisterActivityType", internal_failure())
        with pytest.raises(exceptions.InternalFailure):
            await wire.send(conn, REGISTER)
    assert scripted.count("RegisterActivityType") == sent + _lean.ATTEMPTS


def test_control_plane_is_registrations_and_lists() -> None:
    control = set(filter(_lean.is_control, samples.operations()))
    assert {
        "RegisterDomain",
        "ListClosedWorkflowExecutions",
        "DescribeDomain",
    } < control
    assert not control & {
        "StartWorkflowExecution",
        "DescribeWorkflowExecution",
        "RecordActivityTaskHeartbeat",
        "GetWorkflowExecutionHistory",
        NAME,
    }


async def test_slow_attempts_use_the_patience_up(
    opened: Opened, scripted: ScriptedSwf
) -> None:
    """Pauses are not all that takes time: a silent SWF takes ten seconds a time."""
    pace = Pace()

    async def late(_: Recorded) -> Any:
        pace.now += 10
        return throttled()

    scripted.always(NAME, late)
    async with opened(scripted.url, **paced(pace)) as conn:
        with pytest.raises(exceptions.Throttled):
            await wire.send(conn, RESPOND)
    assert scripted.count(NAME) == 2


@pytest.mark.parametrize("first", [Lost(), internal_failure()], ids=repr)
async def test_error_after_a_doubtful_attempt_says_so(
    first: Any, opened: Opened, scripted: ScriptedSwf
) -> None:
    """Experiment 10: it may be the echo of a success."""
    scripted.answer(NAME, first, unknown_resource("Unknown activity"))
    async with opened(scripted.url, **paced(Pace())) as conn:
        with pytest.raises(exceptions.UnknownResourceFault) as caught:
            await wire.send(conn, RESPOND)
    assert caught.value.retried
    assert "may have succeeded" in str(caught.value)


async def test_error_after_throttling_is_no_echo(
    opened: Opened, scripted: ScriptedSwf
) -> None:
    scripted.answer(NAME, throttled(), unknown_resource("Unknown activity"))
    async with opened(scripted.url, **paced(Pace())) as conn:
        with pytest.raises(exceptions.UnknownResourceFault) as caught:
            await wire.send(conn, RESPOND)
    assert not caught.value.retried


@pytest.mark.parametrize("request_", [SIGNAL, START])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Lost(), exceptions.ResponseLost),
        (Cut({"runId": "r"}), exceptions.ResponseLost),
        (internal_failure(), exceptions.InternalFailure),
        (Status(408), exceptions.InternalFailure),
    ],
)
async def test_signal_or_start_that_may_have_arrived_is_not_sent_again(
    answer: Any,
    kind: type[Exception],
    request_: requests.Request[Any],
    opened: Opened,
    scripted: ScriptedSwf,
) -> None:
    """SWF does not deduplicate: a quick run may be over before a second start."""
    operation = type(request_).__name__
    scripted.always(operation, answer)
    pace = Pace()
    async with opened(scripted.url, **paced(pace)) as conn:
        with pytest.raises(kind):
            await wire.send(conn, request_)
    assert scripted.count(operation) == 1
    assert not pace.pauses


@pytest.mark.parametrize("request_", [SIGNAL, START])
@pytest.mark.parametrize("answer", [throttled(), Status(429)], ids=repr)
async def test_throttled_signal_or_start_is_sent_again(
    answer: Any,
    request_: requests.Request[Any],
    opened: Opened,
    scripted: ScriptedSwf,
) -> None:
    operation = type(request_).__name__
    scripted.answer(operation, answer, {"runId": "r"})
    async with opened(scripted.url, **paced(Pace())) as conn:
        await wire.send(conn, request_)
    assert scripted.count(operation) == 2


@pytest.mark.parametrize("poll", [POLL, DECIDE])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (throttled(), exceptions.Throttled),
        (internal_failure(), exceptions.InternalFailure),
        (Lost(), exceptions.ResponseLost),
        (Cut({"taskToken": "t"}), exceptions.ResponseLost),
    ],
)
async def test_poll_is_sent_once_whatever_happens(
    poll: requests.Request[Any],
    answer: Any,
    kind: type[Exception],
    opened: Opened,
    scripted: ScriptedSwf,
) -> None:
    operation = type(poll).__name__
    scripted.always(operation, answer)
    pace = Pace()
    async with opened(scripted.url, **paced(pace)) as conn:
        with pytest.raises(kind):
            await wire.send(conn, poll)
    assert scripted.count(operation) == 1
    assert not pace.pauses


async def test_page_of_a_decision_task_is_no_poll_and_is_repeated(
    opened: Opened, scripted: ScriptedSwf
) -> None:
    """Experiment 30: with a token nothing new is handed out (semantics 2.1)."""
    page = samples.answer("PollForDecisionTask")
    scripted.answer("PollForDecisionTask", internal_failure(), Lost(), page)
    next_page = requests.PollForDecisionTask(
        domain="d", task_list=LIST, next_page_token="token"
    )
    async with opened(scripted.url, **paced(Pace())) as conn:
        task = await wire.send(conn, next_page)
    assert len(task.events) == 54
    assert scripted.count("PollForDecisionTask") == 3


async def test_silent_poll_is_given_up_as_lost(
    opened: Opened, scripted: ScriptedSwf
) -> None:
    """Experiment 9, with a twentieth of a second for 75."""
    async with opened(scripted.url, poll_timeout=(5, 0.05)) as conn:
        with pytest.raises(exceptions.ResponseLost, match=r"[Tt]imeout"):
            await wire.send(conn, POLL)
    assert scripted.count("PollForActivityTask") == 1


async def test_silent_call_is_repeated_then_lost(
    opened: Opened, scripted: ScriptedSwf
) -> None:
    never = asyncio.Event()

    async def hang(_: Recorded) -> Any:
        await never.wait()

    scripted.always(NAME, hang)
    options = {"call_timeout": (5, 0.05), **paced(Pace())}
    async with opened(scripted.url, **options) as conn:
        with pytest.raises(exceptions.ResponseLost):
            await wire.send(conn, RESPOND)
    assert scripted.count(NAME) == _lean.ATTEMPTS


async def test_expired_credentials_repeat_any_call_once(
    opened: Opened, scripted: ScriptedSwf, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 15: SWF did not act, so that even a poll may go again."""
    tried: tuple[requests.Request[Any], ...] = (POLL, SIGNAL, RESPOND)
    for request in tried:
        operation = type(request).__name__
        caplog.clear()
        scripted.answer(operation, expired_token(), EMPTY_POLL)
        async with opened(scripted.url, **paced(Pace())) as conn:
            with contextlib.suppress(exceptions.EmptyTaskPollResult):
                await wire.send(conn, request)
        assert scripted.count(operation) == 2
        assert caplog.text.count("credentials expired") == 1


async def test_credentials_that_stay_expired_are_an_error(
    opened: Opened, scripted: ScriptedSwf
) -> None:
    scripted.always("PollForActivityTask", expired_token())
    async with opened(scripted.url, **paced(Pace())) as conn:
        with pytest.raises(exceptions.ExpiredCredentials):
            await wire.send(conn, POLL)
    assert scripted.count("PollForActivityTask") == 2
