"""The server and callers who are broken, slow, greedy, or pages in a browser."""

import asyncio
import contextlib
import gc
import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from flowser.local.protocol import MAX_REQUEST_BYTES
from flowser.local.server import Server, serve
from flowser.testing.clock import Clock, virtual_time
from tests.local.raw import TARGET, Raw, Reply, connected, request
from tests.support.processes import run_python

LISTING = {"registrationStatus": "REGISTERED"}
BODY = json.dumps(LISTING).encode()
LIST = TARGET + "ListDomains"
Headers = Mapping[str, str | None]
HUGE: Headers = {"Content-Length": str(10 * 2**30)}
CHUNKED: Headers = {"Transfer-Encoding": "chunked", "Content-Length": None}
KEY = "AKIDSECRETSECRET"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serve() as listening:
        yield listening


@pytest.fixture
async def clock() -> AsyncIterator[Clock]:
    with virtual_time(autojump=False) as turning:
        yield turning


@pytest.fixture
async def raw(server: Server) -> AsyncIterator[Raw]:
    async with connected(server.url) as connection:
        yield connection


async def works(url: str) -> None:
    """Expect an answer as if nothing had been."""
    async with connected(url) as raw:
        assert (await raw.ask("ListDomains", LISTING)).json == {"domainInfos": []}


def listing(host: str, headers: Headers | None = None, body: bytes = BODY) -> bytes:
    return request(LIST, body, {"Host": host, **(headers or {})})


# -- what is not HTTP ----------------------------------------------------------------


def broken(host: str) -> dict[str, bytes]:
    """Make requests that are no HTTP, each with a key in it."""
    signed = {"Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/x"}
    good = listing(host, signed)
    length = b"Content-Length: %d" % len(BODY)
    return {
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01" + KEY.encode() + b"\r\n\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + good,
        "no HTTP version": good.replace(b" HTTP/1.1", b" "),
        "a header without a colon": good.replace(b"Authorization: ", b"Authorization "),
        "NUL in a header": good.replace(KEY.encode(), KEY.encode() + b"\0"),
        "a bare LF": good.replace(b"\r\n", b"\n"),
        "a folded header": good.replace(b"AWS4", b"a\r\n b"),
        "a space before a colon": good.replace(b"Content-Length:", b"Content-Length :"),
        "two lengths": good.replace(length, length + b"\r\nContent-Length: 0"),
        "a length below zero": listing(host, {"Content-Length": "-1"} | signed),
        "a length with a sign": listing(host, {"Content-Length": "+35"} | signed),
        "a length beyond numbers": listing(host, {"Content-Length": "9" * 30} | signed),
        "a length and pieces": listing(host, {"Transfer-Encoding": "chunked"} | signed),
        "an unknown encoding": listing(host, {**CHUNKED, "Transfer-Encoding": "x"}),
        "two encodings": listing(host, {**CHUNKED, "Transfer-Encoding": "gzip"}),
        "a broken piece": listing(host, CHUNKED, b"5\r\nabcde\r\nZZ\r\n"),
        "a piece below zero": listing(host, CHUNKED, b"-5\r\nabcde\r\n"),
        "two hosts": good.replace(b"Host:", b"Host: example.com\r\nHost:"),
        "no host": listing(host, {"Host": None, **signed}),
        "a broken URL": good.replace(b"POST /", b"POST http://[::1/"),
        "a long line": good.replace(b"POST /", b"POST /" + b"a" * 10_000),
        "a header of 40 KiB": listing(host, {"X-Long": "x" * 40_960} | signed),
        "200 headers": listing(host, {f"X-{n}": "x" for n in range(200)}),
    }


@pytest.mark.parametrize("what", broken(""))
async def test_what_is_not_http_is_refused_and_its_bytes_told_to_nobody(
    server: Server, raw: Raw, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    raw.send(broken(raw.host)[what])
    reply = await raw.reply()
    assert reply.status == 400
    assert reply.json == {
        "__type": "com.amazon.coral.service#SerializationException",
        "message": "The request is not HTTP",
    }
    assert await raw.ended() == b""
    assert KEY not in caplog.text
    assert not [each for each in caplog.records if each.levelno >= logging.INFO]
    await works(server.url)


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
async def test_an_upgrade_is_not_taken(server: Server, raw: Raw, protocol: str) -> None:
    # Java's HttpClient offers h2c with its first request.
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": protocol}
    for headers in (upgrade, {}):
        raw.send(listing(raw.host, headers))
        assert (await raw.reply()).json == {"domainInfos": []}
    await works(server.url)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "TRACE", "BREW"])
async def test_other_methods_are_refused(raw: Raw, method: str) -> None:
    line = f"{method} / HTTP/1.1"
    raw.send(request(LIST, BODY, {"Host": raw.host}, line))
    answer = await raw.ended()
    refused = {"BREW": b"HTTP/1.0 400 "}.get(method, b"HTTP/1.1 403 ")
    assert answer.startswith(refused)


@pytest.mark.parametrize("path", ["/x", "//x", "/%2e%2e/etc/passwd", "/?", "/%ff%zz"])
async def test_there_is_one_path(raw: Raw, path: str) -> None:
    raw.send(request(LIST, BODY, {"Host": raw.host}, f"POST {path} HTTP/1.1"))
    reply = await raw.reply()
    assert reply.status == (200 if path == "/?" else 404)
    assert b"passwd" not in reply.body


# -- too much -----------------------------------------------------------------------


def _padded(size: int) -> bytes:
    return BODY[:-1] + b" " * (size - len(BODY)) + b"}"


def _head_size(host: str) -> int:
    """Count names and values of the headers of a long request."""
    lines = listing(host, {"Content-Length": "1048000"}).split(b"\r\n\r\n")[0]
    return sum(len(line) - len(": ") for line in lines.split(b"\r\n")[1:])


async def test_a_request_of_1_mb_is_read_and_one_byte_more_is_not(
    server: Server,
) -> None:
    for more, status in ((0, 200), (1, 413)):
        async with connected(server.url) as raw:
            length = MAX_REQUEST_BYTES - _head_size(raw.host)
            raw.send(listing(raw.host, {}, _padded(length + more)))
            assert (await raw.reply()).status == status


async def test_a_body_of_10_gib_is_refused_before_it_comes(raw: Raw) -> None:
    raw.send(listing(raw.host, HUGE, b""))
    reply = await raw.reply()
    assert (reply.status, reply.error) == (413, "RequestEntityTooLarge")
    assert reply.headers["Connection"] == "close"


async def test_who_sends_a_long_body_before_reading_hears_why_it_is_refused(
    raw: Raw,
) -> None:
    raw.send(listing(raw.host, {}, _padded(3 * MAX_REQUEST_BYTES)))
    await raw.writer.drain()
    assert (await raw.reply()).error == "RequestEntityTooLarge"


async def test_pieces_without_end_are_refused(raw: Raw) -> None:
    raw.send(listing(raw.host, CHUNKED, b""))
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    for _ in range(MAX_REQUEST_BYTES // 65_536 + 1):
        raw.send(piece)
    assert (await raw.reply()).error == "RequestEntityTooLarge"


async def test_headers_of_40_kib_are_refused(raw: Raw) -> None:
    raw.send(listing(raw.host, {f"X-{n}": "x" * 4_096 for n in range(10)}))
    reply = await raw.reply()
    assert (reply.status, reply.error) == (431, "RequestEntityTooLarge")


async def test_a_body_that_is_packed_is_refused(raw: Raw) -> None:
    reply = await raw.ask(
        "ListDomains", b"\x1f\x8b" + b"x" * 20, Content_Encoding="gzip"
    )
    assert (reply.status, reply.error) == (400, "SerializationException")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"x"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"{" + b'"a":[' * 90 + b"]" * 90 + b"}",
        b'{"registrationStatus":"REGISTERED","maximumPageSize":1e999}',
        b'{"registrationStatus":"REGISTERED","maximumPageSize":' + b"9" * 9_000 + b"}",
        b'{"registrationStatus":NaN}',
        b'{"registrationStatus":"\\ud800"}',
        b'{"registrationStatus":"\xff"}',
        b'{"registrationStatus":{"a":1}}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_broken_deep_and_odd_json_is_an_error_of_the_caller(
    raw: Raw, body: bytes
) -> None:
    reply = await raw.ask("ListDomains", body)
    assert reply.status == 400
    assert reply.error in {"SerializationException", "ValidationException"}


@pytest.mark.parametrize(
    "target",
    [
        "",
        ".",
        "SimpleWorkflowService",
        "SimpleWorkflowService.",
        "SimpleWorkflowService.__init__",
        "SimpleWorkflowService.__class__",
        "SimpleWorkflowService._handlers",
        "SimpleWorkflowService.call",
        "SimpleWorkflowService.listdomains",
        "DynamoDB_20120810.ListTables",
        "x" * 8_000,
        "ListDomains/../..",
    ],
)
async def test_unknown_targets_are_unknown_operations(raw: Raw, target: str) -> None:
    reply = await raw.send(request(target, BODY, {"Host": raw.host})).reply()
    assert (reply.status, reply.error) == (400, "UnknownOperationException")


# -- web pages ----------------------------------------------------------------------

PAGES: list[dict[str, str | None]] = [
    {"Origin": "https://example.com"},
    {"Origin": "http://localhost"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Host": "example.com"},
    {"Host": "127.0.0.1.example.com"},
    {"Host": "localhost.example.com:80"},
    {"Host": ""},
    {"Host": "[::1"},
    {"Host": "localhost@example.com"},
]


@pytest.mark.parametrize("headers", PAGES, ids=repr)
async def test_a_page_in_a_browser_is_refused(
    raw: Raw, headers: dict[str, str | None]
) -> None:
    reply = await raw.ask("ListDomains", LISTING, **headers)
    assert (reply.status, reply.error) == (403, "AccessDeniedException")
    assert "Access-Control-Allow-Origin" not in reply.headers


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ],
)
async def test_the_form_of_a_page_does_nothing(raw: Raw, kind: str) -> None:
    domain = {"name": "new", "workflowExecutionRetentionPeriodInDays": "1"}
    reply = await raw.ask("RegisterDomain", domain, Content_Type=kind)
    assert (reply.status, reply.error) == (400, "UnknownOperationException")
    assert (await raw.ask("ListDomains", LISTING)).json == {"domainInfos": []}


async def test_no_preflight_is_granted(raw: Raw) -> None:
    asking = {
        "Origin": "https://example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-amz-target,content-type",
        "Access-Control-Request-Private-Network": "true",
        "Host": raw.host,
    }
    raw.send(request(LIST, b"", asking, "OPTIONS / HTTP/1.1"))
    reply = await raw.reply()
    assert reply.status == 403
    assert not [name for name in reply.headers if name.lower().startswith("access-")]


# -- slow callers -------------------------------------------------------------------


async def test_half_a_head_ends_the_connection_after_10_seconds(
    clock: Clock, server: Server
) -> None:
    async with connected(server.url) as slow, connected(server.url) as drops:
        whole = listing(slow.host)
        slow.send(whole[:30])
        for second in range(10):
            drops.send(whole[second : second + 1])
            await clock.skip(0.9)
            assert not slow.reader.at_eof()
        await clock.skip(1.1)
        assert await slow.ended() == b""
        assert await drops.ended() == b""
        await works(server.url)


async def test_a_head_in_two_halves_is_a_head(clock: Clock, server: Server) -> None:
    async with connected(server.url) as raw:
        whole = listing(raw.host)
        for _ in range(3):
            raw.send(whole[:30])
            await clock.skip(9)
            assert (await raw.send(whole[30:]).reply()).status == 200
            await clock.skip(20)


async def test_half_a_body_is_answered_after_10_seconds(
    clock: Clock, server: Server
) -> None:
    async with connected(server.url) as raw:
        raw.send(listing(raw.host)[:-5])
        await clock.skip(9)
        raw.send(b" ")
        await clock.skip(1.5)
        reply = await raw.reply()
        assert (reply.status, reply.error) == (408, "RequestTimeoutException")
        await clock.skip(3)
        assert await raw.ended() == b""


async def test_a_silent_connection_stays_open_for_longer_than_a_poll(
    clock: Clock, server: Server
) -> None:
    async with connected(server.url) as raw, connected(server.url) as silent:
        await raw.ask("ListDomains", LISTING)
        await clock.skip(70)
        assert (await raw.ask("ListDomains", LISTING)).status == 200
        await clock.skip(10)
        assert await silent.ended() == b""
        await clock.skip(70)
        assert await raw.ended() == b""


async def test_a_poll_is_held_to_its_end(clock: Clock, server: Server) -> None:
    async with connected(server.url) as raw:
        await raw.ask(
            "RegisterDomain",
            {"name": "new", "workflowExecutionRetentionPeriodInDays": "1"},
        )
        poll = {"domain": "new", "taskList": {"name": "x"}}
        for _ in range(2):
            raw.call("PollForActivityTask", poll)
            await clock.skip(59.9)
            raw.send(listing(raw.host)[:40])  # the next one's head begins already
            await clock.skip(0.2)
            assert (await raw.reply()).json == {"startedEventId": 0}
            assert (await raw.send(listing(raw.host)[40:]).reply()).status == 200


async def test_an_answer_that_nobody_reads_ends_the_connection(
    clock: Clock, server: Server
) -> None:
    async with connected(server.url) as raw:
        raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
        domain = {"name": "n", "workflowExecutionRetentionPeriodInDays": "1"}
        description = {"description": "\u2603" * 1_000}
        for number in range(90):
            raw.call("RegisterDomain", domain | {"name": f"n-{number}"} | description)
        for _ in range(200):
            raw.call("ListDomains", LISTING)
        await clock.settle()
        assert len(server._listener.connections) == 1
        await clock.skip(80)
        assert not server._listener.connections
        raw.reset()


async def test_200_half_open_connections_harm_nobody(server: Server) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(200):
            raw = await stack.enter_async_context(connected(server.url))
            raw.send(listing(raw.host)[:50])
        await works(server.url)
    await works(server.url)


async def test_requests_that_do_not_wait_are_answered_in_order(raw: Raw) -> None:
    for number in range(100):
        raw.call("DescribeDomain", {"name": f"n-{number}"})
    for number in range(100):
        assert (await raw.reply()).json["message"] == f"Unknown domain: n-{number}"


@pytest.mark.parametrize("body", [b'{"registrationStatus":"REGISTERED"}', b"{"])
@pytest.mark.parametrize(
    ("version", "wish", "told"),
    [
        ("1.1", None, None),
        ("1.1", "close", "close"),
        ("1.0", None, None),  # as 1.0 has it, the connection ends
        ("1.0", "keep-alive", "keep-alive"),
    ],
)
async def test_a_connection_goes_on_as_its_caller_wishes(
    raw: Raw, body: bytes, version: str, wish: str | None, told: str | None
) -> None:
    headers = {"Host": raw.host, "Connection": wish}
    line = f"POST / HTTP/{version}"
    raw.send(request(f"{TARGET}ListDomains", body, headers, line))
    reply = await raw.reply()
    assert reply.status == (400 if body == b"{" else 200)
    assert reply.headers.get("Connection") == told
    if (version, wish) in (("1.1", None), ("1.0", "keep-alive")):
        assert (await raw.ask("ListDomains", LISTING)).status == 200
    else:
        assert await raw.ended() == b""


# -- what is told -------------------------------------------------------------------


async def test_nothing_of_a_request_is_logged(
    raw: Raw, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20261126/us-east-1/swf/x",
        "X-Amz-Security-Token": KEY,
        "X-Amz-Other": KEY,
        "Cookie": KEY,
    }
    domain = {"workflowExecutionRetentionPeriodInDays": "1", "description": KEY}
    await raw.ask("RegisterDomain", {"name": KEY} | domain, **secrets)
    await raw.ask("RegisterDomain", {"name": KEY} | domain, **secrets)
    await raw.ask("DescribeDomain", {"name": KEY}, **secrets)
    await raw.ask("RegisterDomain", {"name": "\n" + KEY} | domain, **secrets)
    await raw.ask("RespondActivityTaskCompleted", {"taskToken": KEY}, **secrets)
    await raw.ask("ListDomains", KEY.encode(), **secrets)
    await raw.ask("ListDomains", {"registrationStatus": KEY}, **secrets)
    await raw.ask("ListDomains", LISTING, Host=KEY, **secrets)
    assert "RegisterDomain" in caplog.text
    assert KEY not in caplog.text


async def test_a_log_has_the_lines_that_the_server_writes(
    raw: Raw, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for target in (b"A\x85CRITICAL: B", b"A\xe2\x80\xa8CRITICAL", b"A\tB"):
        raw.send(listing(raw.host).replace(b"ListDomains", target))
        await raw.reply()
    lines = [each.getMessage() for each in caplog.records]
    assert len(lines) == 3
    assert all(map(str.isprintable, lines))


async def test_headers_are_not_what_a_caller_says(raw: Raw) -> None:
    kind = "application/x-amz-json-1.0; x=\u2028y"
    reply = await raw.ask("ListDomains", LISTING, Content_Type=kind)
    names = {name.lower() for name in reply.headers}
    assert reply.headers["Content-Type"] == "application/x-amz-json-1.0"
    assert names == {"x-amzn-requestid", "content-type", "content-length", "date"}


# -- afterwards ---------------------------------------------------------------------

_INSIDE = re.compile(rb"Traceback|File \"|\.py|/src/|site-packages|line \d+")


async def _abuse(url: str) -> AsyncIterator[Reply]:
    """Do all of the above, and give what was answered."""
    async with connected(url) as first:
        host = first.host
    for data in (
        *broken(host).values(),
        listing(host, {}, b"[" * 50_000),
        listing(host, HUGE, b""),
        listing(host, {"Origin": "null"}),
        listing(host) * 50,
        request(TARGET + "PollForActivityTask", b"{}", {"Host": host}),
    ):
        async with connected(url) as raw:
            yield await raw.send(data).reply()
            raw.reset()
    for data in (
        listing(host)[:40],
        listing(host)[:-5],
        listing(host, CHUNKED, b"ffff\r\n" + b"x" * 65_535),
        b"\r\n" * 2_000,
    ):
        async with connected(url) as raw:
            raw.send(data).writer.write_eof()
            await raw.ended()


async def test_no_answer_to_abuse_tells_of_the_inside_and_nothing_is_left(
    server: Server,
) -> None:
    before = len(asyncio.all_tasks())
    async for reply in _abuse(server.url):
        assert reply.status < 500
        assert not _INSIDE.search(reply.body), reply
    async with asyncio.timeout(10):
        while server._listener.connections:  # noqa: ASYNC110 - aiohttp's state
            await asyncio.sleep(0.001)
    gc.collect()
    assert len(asyncio.all_tasks()) == before
    await works(server.url)


async def test_abuse_does_not_let_a_process_grow() -> None:
    async with run_python("-m", "flowser.local", "--log-level", "debug") as child:
        url = (await child.line_matching(r"^endpoint: (.*)"))[1]
        sizes: list[int] = []
        for number in range(20):  # an allocator, too, needs some rounds to settle
            async for _ in _abuse(url):
                pass
            if number in {11, 19}:
                sizes.append(_resident(child.pid))
        await works(url)
        assert sizes[1] - sizes[0] < 2 * 2**20, sizes
        assert KEY not in child.text
        assert "Traceback" not in child.text


def _resident(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
