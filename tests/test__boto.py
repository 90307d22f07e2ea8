"""A plain aiobotocore client as a wire, and what botocore's exceptions become."""

import asyncio
import logging
from typing import Any

import aiohttp
import botocore.session
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from flowser import exceptions, requests, results, shapes, wire
from flowser._boto import BotoWire, explain, wire_of
from flowser._client import connect
from tests.conftest import BareClient
from tests.support import samples
from tests.support.answers import Lost, throttled, unknown_resource
from tests.support.scripted import ScriptedSwf

LIST = shapes.TaskList(name="list")
RESPOND = requests.RespondActivityTaskCompleted(task_token="t", result="r")
POLL = requests.PollForActivityTask(domain="d", task_list=LIST)
COUNT = requests.CountPendingActivityTasks(domain="d", task_list=LIST)
URL = "http://127.0.0.1:1/"


class Key:
    """As much of aiohttp's connection key as its errors look at."""

    host, port, ssl, is_ssl = "127.0.0.1", 1, True, False


def refused() -> aiohttp.ClientConnectorError:
    key: Any = Key()
    return aiohttp.ClientConnectorError(key, ConnectionRefusedError(111, "refused"))


def told_of(cause: Exception) -> boto.EndpointConnectionError:
    return boto.EndpointConnectionError(endpoint_url=URL, error=cause)


NOT_REACHED: list[Exception] = [
    boto.ConnectTimeoutError(endpoint_url=URL),
    boto.ProxyConnectionError(proxy_url=URL),
    boto.SSLError(endpoint_url=URL, error=ValueError("certificate")),
    boto.EndpointConnectionError(endpoint_url=URL),
    told_of(refused()),
    boto.CredentialRetrievalError(provider="p", error_msg="m"),
    ConnectionRefusedError(111, "refused"),
]
LOST: list[Exception] = [
    boto.ReadTimeoutError(endpoint_url=URL),
    boto.ConnectionClosedError(endpoint_url=URL),
    boto.ResponseStreamingError(error=ValueError("cut")),
    boto.HTTPClientError(error=ValueError("what?")),
    told_of(aiohttp.ClientOSError(104, "Connection reset by peer")),
    told_of(ConnectionResetError(104, "Connection reset by peer")),
    aiohttp.ClientPayloadError("cut"),
    aiohttp.ServerDisconnectedError(),
    ResponseParserError("no JSON"),
    TimeoutError(),
    BrokenPipeError(32, "Broken pipe"),
    asyncio.IncompleteReadError(b"", 5),
]


@pytest.mark.parametrize("error", NOT_REACHED, ids=repr)
def test_error_before_the_request_left_is_a_failed_connection(error: Exception) -> None:
    known = explain("ListDomains", error)
    assert type(known) is exceptions.ConnectionFailed
    assert known.operation == "ListDomains"
    assert known.message


@pytest.mark.parametrize("error", LOST, ids=repr)
def test_error_after_the_request_left_is_a_lost_answer(error: Exception) -> None:
    """Taken for a failed connection, a signal would be sent twice."""
    known = explain("ListDomains", error)
    assert type(known) is exceptions.ResponseLost
    assert known.message


def test_cause_is_named_when_botocore_does_not() -> None:
    error = boto.ConnectionClosedError(endpoint_url=URL, error=OSError("gone away"))
    assert "gone away" in str(explain("ListDomains", error))


def test_other_errors_of_botocore_are_not_of_the_network() -> None:
    kinds = {
        type(explain("ListDomains", boto.NoCredentialsError())),
        type(
            explain(
                "ListDomains", boto.PartialCredentialsError(provider="p", cred_var="v")
            )
        ),
    }
    assert kinds == {exceptions.ConfigurationError}
    wrong = explain("ListDomains", boto.ParamValidationError(report="r"))
    assert isinstance(wrong, exceptions.InvalidArgument)


def test_bug_is_not_explained_away() -> None:
    assert explain("ListDomains", KeyError("x")) is None


async def test_client_made_by_default_is_warned_of_once(
    scripted: ScriptedSwf, bare_session: AioSession, caplog: pytest.LogCaptureFixture
) -> None:
    """perf.md section 2: twenty idle pollers got their first answers after 120 s."""
    async with bare_session.create_client("swf", endpoint_url=scripted.url) as client:
        for _ in range(3):
            wire_of(client)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("flowser", logging.WARNING)
    told = record.getMessage()
    assert "read_timeout=60" in told
    assert "legacy retries, 5 attempts" in told
    assert "max_pool_connections=10" in told
    assert 'AioConfig(read_timeout=75, retries={"total_max_attempts": 1}' in told


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"retries": {"mode": "standard"}}, "standard retries, 3 attempts"),
        ({"retries": {"max_attempts": 1}}, "legacy retries, 2 attempts"),
        ({"retries": {"mode": "adaptive"}}, "adaptive retries, 3 attempts"),
        ({"read_timeout": 65}, "read_timeout=65"),
        ({"max_pool_connections": 5}, "max_pool_connections=5"),
    ],
)
async def test_warning_names_what_is_wrong_and_nothing_else(
    config: dict[str, Any],
    words: str,
    bare_session: AioSession,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fit = {
        "read_timeout": 75,
        "retries": {"total_max_attempts": 1},
        "max_pool_connections": 30,
    }
    settings = AioConfig(**(fit | config))
    async with bare_session.create_client(
        "swf", endpoint_url=URL, config=settings
    ) as client:
        wire_of(client)
    faults = caplog.text.partition(". Use flowser.connect()")[0]
    assert words in faults
    assert faults.count(";") == 0


async def test_client_that_is_fit_for_long_polls_is_taken_silently(
    bare_session: AioSession, caplog: pytest.LogCaptureFixture
) -> None:
    config = AioConfig(
        read_timeout=75, retries={"total_max_attempts": 1}, max_pool_connections=30
    )
    async with bare_session.create_client(
        "swf", endpoint_url=URL, config=config
    ) as client:
        way = wire_of(client)
        assert isinstance(way, BotoWire)
        assert way.endpoint_url == URL
        assert way.region_name == "us-east-1"
        assert URL in repr(way)
    assert not caplog.records


async def test_polls_that_hold_all_connections_are_told_of_once(
    scripted: ScriptedSwf, bare_client: BareClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A heartbeat would wait for a minute, until one of them ends."""
    scripted.always("CountPendingActivityTasks", {"count": 1})
    said = "hold all connections of this aiobotocore client (max_pool_connections=3)"
    async with bare_client(scripted.url, max_pool_connections=3) as client:
        way = BotoWire(client)
        async with asyncio.TaskGroup() as group:
            for held in (1, 2):
                group.create_task(empty(way))
                await scripted.received("PollForActivityTask", held)
            await wire.send(way, COUNT)  # as long as one is free, all is well
            assert said not in caplog.text
            group.create_task(empty(way))
            await scripted.received("PollForActivityTask", 3)
            assert caplog.text.count(f"3 polls at a time {said}") == 1
            scripted.release_polls()
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(empty(way))
            await scripted.received("PollForActivityTask", 6)
            scripted.release_polls()
    assert caplog.text.count(said) == 1


async def test_polls_that_ended_hold_no_connection(
    scripted: ScriptedSwf, bare_client: BareClient, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.always("PollForActivityTask", throttled())
    async with bare_client(scripted.url, max_pool_connections=2) as client:
        way = BotoWire(client)
        for _ in range(4):
            with pytest.raises(exceptions.Throttled):
                await wire.send(way, POLL)
    assert "hold all connections" not in caplog.text


async def empty(way: wire.Wire) -> None:
    with pytest.raises(exceptions.EmptyTaskPollResult):
        await wire.send(way, POLL)


async def test_connection_is_a_wire_already(
    scripted: ScriptedSwf, bare_session: AioSession
) -> None:
    async with connect(endpoint_url=scripted.url, session=bare_session) as conn:
        assert wire_of(conn) is conn


async def test_what_cannot_be_talked_by_is_named(bare_session: AioSession) -> None:
    async with bare_session.create_client("s3") as s3:
        with pytest.raises(exceptions.ConfigurationError, match="client of s3"):
            wire_of(s3)
    sync = botocore.session.get_session().create_client("swf")
    cases = [
        (sync, r"blocks: use flowser\.connect\(\)"),
        (connect(), "not entered: write `async with"),
        ("conn", r"builtins\.str is no connection"),
        (None, "NoneType is no connection"),
    ]
    for given, words in cases:
        with pytest.raises(exceptions.ConfigurationError, match=words):
            wire_of(given)
    context = bare_session.create_client("swf")
    with pytest.raises(exceptions.ConfigurationError, match="not entered"):
        wire_of(context)
    async with context as client:
        assert isinstance(wire_of(client), BotoWire)


async def test_error_after_botocores_own_retry_may_be_an_echo(
    scripted: ScriptedSwf, bare_client: BareClient
) -> None:
    """What became of the first attempt is not told (reliability 0.4)."""
    name = "RespondActivityTaskCompleted"
    scripted.answer(name, Lost(), unknown_resource("Unknown activity"))
    async with bare_client(scripted.url, retries={"total_max_attempts": 2}) as client:
        with pytest.raises(exceptions.UnknownResourceFault) as caught:
            await wire.send(BotoWire(client), RESPOND)
    assert caught.value.retried
    assert caught.value.request_id is None


async def test_no_exception_of_botocore_reaches_the_caller(
    scripted: ScriptedSwf, bare_client: BareClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    async with AioSession().create_client("swf", endpoint_url=scripted.url) as client:
        with pytest.raises(exceptions.ConfigurationError, match="credentials"):
            await wire.send(BotoWire(client), COUNT)
    assert not scripted.requests


async def test_throttling_is_retried_as_the_client_was_told(
    scripted: ScriptedSwf, bare_client: BareClient
) -> None:
    scripted.answer("CountPendingActivityTasks", throttled())
    async with bare_client(scripted.url) as client:
        with pytest.raises(exceptions.Throttled):
            await wire.send(BotoWire(client), COUNT)
    assert scripted.count("CountPendingActivityTasks") == 1


async def test_times_are_in_utc_whatever_the_machine_thinks(
    scripted: ScriptedSwf, bare_client: BareClient
) -> None:
    scripted.always("PollForDecisionTask", samples.answer("PollForDecisionTask"))
    poll = requests.PollForDecisionTask(domain="d", task_list=LIST)
    async with bare_client(scripted.url) as client:
        task = await wire.send(BotoWire(client), poll)
    assert isinstance(task, results.DecisionTask)
    assert {event.time_stamp.tzname() for event in task.events} == {"UTC"}
