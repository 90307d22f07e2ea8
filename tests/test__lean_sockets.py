"""The lean wire: what calls do to each other, and what an answer may be."""

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession

from flowser import _client, exceptions, requests, results, shapes, wire
from flowser._lean import Connection
from tests.connections import Opened, opener, paced
from tests.support.answers import Fault, Lost, expired_token, throttled
from tests.support.http import Connection as Peer
from tests.support.http import HttpServer, Request
from tests.support.pace import Pace
from tests.support.scripted import ScriptedSwf

LIST = shapes.TaskList(name="list")
POLL = requests.PollForActivityTask(domain="d", task_list=LIST)
COUNT = requests.CountPendingActivityTasks(domain="d", task_list=LIST)
RESPOND = requests.RespondActivityTaskCompleted(task_token="t", result="r")
SIGNAL = requests.SignalWorkflowExecution(domain="d", workflow_id="w", signal_name="s")
START = requests.StartWorkflowExecution(
    domain="d",
    workflow_id="w",
    workflow_type=shapes.WorkflowType(name="n", version="1"),
)
NAME = "RespondActivityTaskCompleted"


@pytest.fixture(params=[None, AIOHTTPSession], ids=["lean", "aiobotocore"])
def opened(bare_session: AioSession, request: pytest.FixtureRequest) -> Opened:
    """Opens lean connections, over either kind of HTTP session."""
    return opener(bare_session, request.param)


@contextlib.asynccontextmanager
async def serving(answer: Callable[[Request, Peer], None]) -> AsyncIterator[str]:
    """Let *answer* do with each request as it likes; give the URL."""
    server = HttpServer(answer)
    port = await server.listen()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.abort()


async def test_reset_after_the_request_is_an_answer_that_was_lost(
    opened: Opened,
) -> None:
    """It looks like a failed connection in aiohttp, but SWF may have acted."""

    def reset(_: Request, peer: Peer) -> None:
        assert peer._transport is not None
        sock = peer._transport.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)  # RST instead of FIN
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        peer.abort()

    async with serving(reset) as url, opened(url) as conn:
        with pytest.raises(exceptions.ResponseLost):
            await wire.send(conn, POLL)


async def test_fifty_held_polls_delay_no_call(
    opened: Opened, scripted: ScriptedSwf
) -> None:
    """With aiobotocore's pool of 10, this call would wait for 60 seconds."""
    scripted.always("CountPendingActivityTasks", {"count": 3})
    async with opened(scripted.url) as conn, asyncio.TaskGroup() as group:
        polls = [group.create_task(empty(conn)) for _ in range(50)]
        await scripted.received("PollForActivityTask", 50)
        async with asyncio.timeout(5):
            assert (await wire.send(conn, COUNT)).count == 3
        assert not any(poll.done() for poll in polls)
        scripted.release_polls()


async def test_cancelled_polls_free_their_connections_at_once(
    opened: Opened, scripted: ScriptedSwf
) -> None:
    async with opened(scripted.url, max_pollers=20) as conn:
        async with asyncio.TaskGroup() as group:
            polls = [group.create_task(empty(conn)) for _ in range(20)]
            await scripted.received("PollForActivityTask", 20)
            for poll in polls:
                poll.cancel()
        assert all(poll.cancelled() for poll in polls)
        async with asyncio.TaskGroup() as group:
            group.create_task(empty(conn))
            await scripted.received("PollForActivityTask", 21, timeout=5)
            scripted.release_polls()


async def test_polls_beyond_max_pollers_are_told_of_once(
    opened: Opened, scripted: ScriptedSwf, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(scripted.url, max_pollers=2) as conn:
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(empty(conn))
            for count in (2, 4, 5):
                await scripted.received("PollForActivityTask", count)
                assert scripted.count("PollForActivityTask") == count
                scripted.release_polls()
        assert caplog.text.count("max_pollers=2") == 1


async def empty(conn: Connection) -> None:
    with contextlib.suppress(exceptions.EmptyTaskPollResult):
        await wire.send(conn, POLL)


async def test_calls_reuse_one_connection(opened: Opened) -> None:
    peers: set[Peer] = set()

    def answer(_: Request, peer: Peer) -> None:
        peers.add(peer)
        peer.reply(b"")

    async with serving(answer) as url, opened(url) as conn:
        for _ in range(5):
            await wire.send(conn, RESPOND)
    assert len(peers) == 1


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 67108865\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n%b\r\n" % (1 << 20, bytes(1 << 20)) * 65,
    ],
    ids=["announced", "chunked"],
)
async def test_answer_without_end_is_refused(framing: bytes, opened: Opened) -> None:
    """A broken or hostile endpoint must not take all memory."""

    def answer(_: Request, peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n" + framing)

    async with serving(answer) as url, opened(url) as conn:
        with pytest.raises(exceptions.ResponseLost, match="67,108,864 bytes"):
            await wire.send(conn, POLL)


async def test_chunked_answer_is_read(opened: Opened) -> None:
    """What a proxy between may do."""

    def answer(_: Request, peer: Peer) -> None:
        body = b'8\r\n{"count"\r\n3\r\n:7}\r\n0\r\n\r\n'
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)

    async with serving(answer) as url, opened(url) as conn:
        assert await wire.send(conn, COUNT) == results.PendingTaskCount(count=7)


async def test_error_tells_the_id_of_the_request(opened: Opened) -> None:
    body = Fault("UnknownResourceFault", "Unknown domain: d").body
    head = b"HTTP/1.1 400 Bad Request\r\nx-amzn-RequestId: id-1\r\nContent-Length: %d"

    def answer(_: Request, peer: Peer) -> None:
        peer.send(head % len(body) + b"\r\n\r\n" + body)

    async with serving(answer) as url, opened(url) as conn:
        with pytest.raises(exceptions.UnknownResourceFault) as caught:
            await wire.send(conn, POLL)
    assert caught.value.request_id == "id-1"


async def test_nothing_secret_is_logged(
    opened: Opened,
    scripted: ScriptedSwf,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Keys, signatures, task tokens and payloads stay out of logs at any level."""
    caplog.set_level(logging.DEBUG, logger="flowser")
    request = requests.RespondActivityTaskCompleted(
        task_token="very-secret-token", result="very-secret-result"
    )
    scripted.answer(NAME, throttled(), Lost(), expired_token())
    async with opened(scripted.url, **paced(Pace())) as conn:
        await wire.send(conn, request)
        assert "secret" not in repr(conn)
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("flowser")]
    assert any(f"{NAME}: HTTP 200" in line for line in ours)
    for secret in ("very-secret", "testing", "Signature", "Authorization"):
        assert not any(secret in line for line in ours)


@pytest.mark.parametrize("request_", [SIGNAL, START])
async def test_signal_or_start_that_found_nobody_is_sent_again(
    request_: requests.Request[Any], opened: Opened
) -> None:
    """Nothing was sent, so that nothing can happen twice."""
    arrived: list[str] = []

    def answer(request: Request, peer: Peer) -> None:
        arrived.append(request.operation)
        peer.reply(b'{"runId":"r"}')

    server = HttpServer(answer)
    port = await server.listen()
    server.stop_listening()

    async def pause(seconds: float) -> None:
        await server.listen(port=port)

    try:
        async with opened(f"http://127.0.0.1:{port}", sleep=pause) as conn:
            await wire.send(conn, request_)
    finally:
        await server.abort()
    assert arrived == [type(request_).__name__]


@pytest.mark.parametrize("request_", [POLL, COUNT])
async def test_closed_connection_says_so(
    request_: requests.Request[Any], opened: Opened, scripted: ScriptedSwf
) -> None:
    async with opened(scripted.url) as conn:
        pass
    with pytest.raises(exceptions.ConfigurationError, match="inside `async with"):
        await wire.send(conn, request_)
    assert not scripted.requests


async def test_call_that_pauses_while_the_connection_closes_says_so(
    opened: Opened, scripted: ScriptedSwf
) -> None:
    pausing, closed = asyncio.Event(), asyncio.Event()

    async def pause(seconds: float) -> None:
        pausing.set()
        await closed.wait()

    scripted.always(NAME, throttled())
    async with asyncio.TaskGroup() as group:
        async with opened(scripted.url, sleep=pause) as conn:
            call = group.create_task(told_of_closing(conn, RESPOND))
            await pausing.wait()
        closed.set()
    assert call.done()
    assert scripted.count(NAME) == 1


@pytest.mark.parametrize("request_", [POLL, RESPOND])
async def test_call_whose_keys_arrive_after_the_closing_says_so(
    request_: requests.Request[Any],
    bare_session: AioSession,
    scripted: ScriptedSwf,
) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()
    found = await _client.Source(bare_session).credentials()

    class Slow:
        async def get_frozen_credentials(self) -> Any:
            asked.set()
            await closed.wait()
            return await found.get_frozen_credentials()

    source = _client.Source(bare_session)
    settings = await _client.resolve(source, endpoint_url=scripted.url)
    settings = settings._replace(credentials=_client.Credentials(Slow(), source))
    async with asyncio.TaskGroup() as group:
        async with _client.opened(settings) as conn:
            group.create_task(told_of_closing(conn, request_))
            await asked.wait()
        closed.set()
    assert not scripted.requests


async def told_of_closing(conn: Connection, request: requests.Request[Any]) -> None:
    with pytest.raises(exceptions.ConfigurationError, match="connection is closed"):
        await wire.send(conn, request)
