"""The server on a socket, called by those who are to work with it."""

import asyncio
import contextlib
import functools
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import boto3  # type: ignore[import-untyped] # has neither annotations nor stubs
import msgspec
import pytest
from aiobotocore.session import AioSession
from botocore.config import Config
from botocore.exceptions import ClientError

from flowser import requests, wire
from flowser._client import connect
from flowser.exceptions import ConfigurationError, UnknownResourceFault
from flowser.local.engine import reading
from flowser.local.server import Server, is_loopback, serve
from tests.local.raw import JSON, Raw, Reply, connected, request
from tests.local.shapes import conforming
from tests.local.tour import IN, ORDER, VOID, Ask, tour

RETENTION = {"workflowExecutionRetentionPeriodInDays": "1"}
NEW = {"name": "new"} | RETENTION
LISTING = {"registrationStatus": "REGISTERED"}
BOTO = {
    "region_name": "us-east-1",
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serve() as listening:
        yield listening


@pytest.fixture
async def raw(server: Server) -> AsyncIterator[Raw]:
    async with connected(server.url) as connection:
        yield connection


# -- who calls ----------------------------------------------------------------------


@contextlib.asynccontextmanager
async def aiobotocore(url: str, session: AioSession) -> AsyncIterator[Ask]:
    async with session.create_client("swf", endpoint_url=url, **BOTO) as client:
        yield _calling(client)


def _calling(client: Any) -> Ask:
    async def ask(operation: str, members: dict[str, Any]) -> Any:
        answer = await client._make_api_call(operation, members)
        del answer["ResponseMetadata"]
        return answer

    return ask


@contextlib.asynccontextmanager
async def plain_boto3(url: str, session: AioSession) -> AsyncIterator[Ask]:
    config = Config(retries={"total_max_attempts": 1})
    make = functools.partial(boto3.client, "swf", endpoint_url=url, config=config)
    client: Any = await asyncio.to_thread(make, **BOTO)

    async def ask(operation: str, members: dict[str, Any]) -> Any:
        call = client._make_api_call
        answer = await asyncio.to_thread(call, operation, members)
        del answer["ResponseMetadata"]
        return answer

    try:
        yield ask
    finally:
        await asyncio.to_thread(client.close)


@contextlib.asynccontextmanager
async def lean(url: str, session: AioSession) -> AsyncIterator[Ask]:
    async with connect(endpoint_url=url, session=session) as connection:

        async def ask(operation: str, members: dict[str, Any]) -> Any:
            made = reading.read(operation, json.dumps(members).encode())
            return msgspec.to_builtins(await wire.send(connection, made))

        yield ask


@contextlib.asynccontextmanager
async def in_the_old_form(url: str, session: AioSession) -> AsyncIterator[Ask]:
    async with connected(url) as raw:

        async def ask(operation: str, members: dict[str, Any]) -> Any:
            reply = await old(raw, operation, members)
            assert reply.status == 200, reply.body
            return reply.json if reply.body else {}

        yield ask


async def old(raw: Raw, operation: str, members: dict[str, Any]) -> Reply:
    """Call as SDKs of 2012 do."""
    headers = {
        "Host": raw.host,
        "Content-Type": "application/json; charset=UTF-8",
        "Content-Encoding": "amz-1.0",
    }
    target = f"com.amazonaws.swf.service.model.SimpleWorkflowService.{operation}"
    return await raw.send(
        request(target, json.dumps(members).encode(), headers)
    ).reply()


@pytest.mark.parametrize("caller", [aiobotocore, plain_boto3, lean, in_the_old_form])
async def test_each_client_calls_all_39_operations(
    server: Server,
    bare_session: AioSession,
    caller: Callable[[str, AioSession], AbstractAsyncContextManager[Ask]],
) -> None:
    called: set[str] = set()
    async with caller(server.url, bare_session) as ask:

        async def checked(operation: str, members: dict[str, Any]) -> Any:
            answer = await ask(operation, members)
            if caller is in_the_old_form:
                conforming(operation, answer)
            called.add(operation)
            return answer

        await tour(checked)
    assert called == set(requests.OPERATIONS)


@pytest.mark.parametrize("content_type", [JSON, "application/json"])
async def test_void_operations_have_an_empty_body(raw: Raw, content_type: str) -> None:
    lengths: Counter[str] = Counter()

    async def ask(operation: str, members: dict[str, Any]) -> Any:
        reply = await raw.ask(operation, members, Content_Type=content_type)
        assert reply.status == 200, reply.body
        assert reply.headers["Content-Type"] == content_type
        lengths[operation] += int(reply.headers["Content-Length"])
        return reply.json if reply.body else {}

    await tour(ask)
    assert {operation for operation, length in lengths.items() if not length} == VOID


# -- regions ------------------------------------------------------------------------


def _signed(region: str) -> str:
    scope = f"AKID/20261126/{region}/swf/aws4_request"
    names = "content-type;host;x-amz-date;x-amz-target"
    return (
        f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, "
        f"Signature={'0' * 64}"
    )


async def test_regions_are_worlds_of_their_own(raw: Raw) -> None:
    for region in ("eu-west-1", "us-gov-east-1"):
        authorization = _signed(region)
        reply = await raw.ask("RegisterDomain", NEW, Authorization=authorization)
        assert reply.status == 200
        reply = await raw.ask(
            "DescribeDomain", {"name": "new"}, Authorization=authorization
        )
        arn = reply.json["domainInfo"]["arn"]
        assert arn == f"arn:aws:swf:{region}:123456789012:/domain/new"
    reply = await raw.ask("DescribeDomain", {"name": "new"})
    assert reply.error == "UnknownResourceFault"


async def test_regions_of_clients_are_those_they_sign_for(
    server: Server, bare_session: AioSession
) -> None:
    keys = {"endpoint_url": server.url, "session": bare_session}
    async with connect(**keys, region_name="eu-west-1") as here:
        made = reading.read("RegisterDomain", json.dumps(NEW).encode())
        await wire.send(here, made)
        await wire.send(here, requests.DescribeDomain(name="new"))
    async with connect(**keys, region_name="eu-west-2") as elsewhere:
        with pytest.raises(UnknownResourceFault):
            await wire.send(elsewhere, requests.DescribeDomain(name="new"))


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic bG9jYWw6bG9jYWw=",
        "AWS3-HTTPS AWSAccessKeyId=AKID,Algorithm=HmacSHA256,Signature=x",
        _signed("EU-WEST-1"),
        _signed("a" * 65),
        _signed("us-east-1/swf"),
    ],
)
async def test_who_does_not_sign_is_in_us_east_1(
    raw: Raw, authorization: str | None
) -> None:
    await raw.ask("RegisterDomain", NEW, Authorization=authorization)
    reply = await raw.ask("DescribeDomain", {"name": "new"})
    assert ":us-east-1:" in reply.json["domainInfo"]["arn"]


# -- answers ------------------------------------------------------------------------


MODEL, CORAL = "com.amazonaws.swf.base.model", "com.amazon.coral"
NULL_NAME = (
    "1 validation error detected: Value null at 'name' failed to satisfy constraint: "
    "Member must not be null"
)
UNKNOWN_TYPE = "Unknown type: WorkflowType=[name=order, version=1]"
START = {"domain": "new", "workflowId": "o-1", "workflowType": ORDER}
NO_JSON = "The request is not JSON: Input data was truncated"
ERRORS: list[tuple[str, Any, str, str | None]] = [
    (
        "DescribeDomain",
        {"name": "shop"},
        f"{MODEL}#UnknownResourceFault",
        "Unknown domain: shop",
    ),
    ("RegisterDomain", NEW, f"{MODEL}#DomainAlreadyExistsFault", "new"),
    ("DescribeDomain", {}, f"{CORAL}.validate#ValidationException", NULL_NAME),
    ("StartWorkflowExecution", START, f"{MODEL}#UnknownResourceFault", UNKNOWN_TYPE),
    (
        "RespondActivityTaskCompleted",
        {"taskToken": "AAAA"},
        f"{CORAL}.validate#ValidationException",
        "Invalid token",
    ),
    ("__init__", {}, f"{CORAL}.service#UnknownOperationException", None),
    ("ListDomains", b"{", f"{CORAL}.service#SerializationException", NO_JSON),
]


@pytest.mark.parametrize(("operation", "members", "type", "message"), ERRORS)
async def test_error_bodies_are_those_of_swf(
    raw: Raw, operation: str, members: Any, type: str, message: str | None
) -> None:
    await raw.ask("RegisterDomain", NEW)
    reply = await raw.ask(operation, members)
    told = f',"message":"{message}"' if message else ""
    body = f'{{"__type":"{type}"{told}}}'
    assert (reply.status, reply.body.decode()) == (400, body)
    assert reply.headers["Content-Type"] == JSON
    # An error of the caller ends no connection.
    assert (await raw.ask("DescribeDomain", {"name": "new"})).status == 200


async def test_boto_finds_the_code_and_the_message_of_an_error(
    server: Server, bare_session: AioSession
) -> None:
    async with aiobotocore(server.url, bare_session) as ask:
        with pytest.raises(ClientError) as caught:
            await ask("DescribeDomain", {"name": "new"})
    assert caught.value.response["Error"] == {
        "Code": "UnknownResourceFault",
        "Message": "Unknown domain: new",
    }
    metadata = caught.value.response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 400
    assert uuid.UUID(metadata["RequestId"]).version == 4


async def test_every_answer_has_a_request_id_of_its_own(raw: Raw) -> None:
    replies = [
        await raw.ask("ListDomains", LISTING),
        await raw.ask("ListDomains", LISTING),
        await raw.ask("ListDomains"),
        await raw.ask("__init__"),
        await raw.send(b"nonsense\r\n\r\n").reply(),
    ]
    ids = {uuid.UUID(reply.headers["x-amzn-RequestId"]) for reply in replies}
    assert len(ids) == len(replies)
    assert all("Date" in reply.headers for reply in replies)


async def test_keys_in_answers_are_those_of_json_with_utf_8(raw: Raw) -> None:
    name = "caf\u00e9 \u2603"
    await raw.ask("RegisterDomain", {"name": name} | RETENTION)
    reply = await raw.ask("ListDomains", LISTING)
    assert [info["name"] for info in reply.json["domainInfos"]] == [name]


async def test_a_body_that_its_sender_waits_to_be_asked_for_is_asked_for(
    raw: Raw,
) -> None:
    body = json.dumps(LISTING).encode()
    headers = {"Host": raw.host, "Expect": "100-continue"}
    whole = request("SimpleWorkflowService.ListDomains", body, headers)
    raw.send(whole[: -len(body)])
    assert await raw.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await raw.send(body).reply()).json == {"domainInfos": []}
    assert (await raw.ask("ListDomains", json.loads(body))).status == 200


async def test_a_body_in_pieces_is_read(raw: Raw) -> None:
    headers = {
        "Host": raw.host,
        "Transfer-Encoding": "chunked",
        "Content-Length": None,
    }
    raw.send(request("SimpleWorkflowService.ListDomains", b"", headers))
    raw.send(b'16\r\n{"registrationStatus":\r\n')
    await raw.writer.drain()
    raw.send(b'd\r\n"REGISTERED"}\r\n0\r\n\r\n')
    assert (await raw.reply()).json == {"domainInfos": []}


# -- options ------------------------------------------------------------------------


async def test_settings_are_those_of_the_service() -> None:
    async with serve(account="210987654321") as server, connected(server.url) as raw:
        await raw.ask("RegisterDomain", NEW)
        reply = await raw.ask("DescribeDomain", {"name": "new"})
        assert ":210987654321:" in reply.json["domainInfo"]["arn"]


async def test_who_is_throttled_hears_it_as_of_aws() -> None:
    async with serve(throttle=True) as server, connected(server.url) as raw:
        replies = [await raw.ask("RegisterDomain", NEW) for _ in range(200)]
        assert replies[-1].status == 400
        assert replies[-1].body == (
            b'{"__type":"com.amazon.coral.availability#ThrottlingException",'
            b'"message":"Rate exceeded"}'
        )


async def test_a_server_listens_at_ipv6() -> None:
    async with serve(host="::1") as server, connected(server.url) as raw:
        assert server.url.startswith("http://[::1]:")
        assert (await raw.ask("ListDomains", {})).error == "ValidationException"


@pytest.mark.parametrize(
    ("host", "known"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")],  # noqa: S104
)
async def test_who_listens_everywhere_says_so_and_names_a_way(
    caplog: pytest.LogCaptureFixture, host: str, known: str
) -> None:
    async with serve(host=host) as server, connected(server.url) as raw:
        assert server.url.startswith(f"http://{known}:")
        assert (await raw.ask("ListDomains", {})).error == "ValidationException"
    assert f"listening at {host}: whoever reaches it" in caplog.text


async def test_who_listens_at_loopback_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serve():
        assert caplog.text == ""


@pytest.mark.parametrize(
    ("host", "yes"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("", False),
        ("192.168.0.1", False),
        ("example.com", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, yes: bool) -> None:
    assert is_loopback(host) is yes


async def test_a_port_that_is_taken_is_a_clear_error(server: Server) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(
        ConfigurationError, match=rf"127\.0\.0\.1, port {port}: .*in use"
    ):
        async with serve(port=port):
            pass


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "no.such.host.invalid", "a..b", "x" * 99]
)
async def test_an_address_that_is_not_ours_is_a_clear_error(host: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot listen at"):
        async with serve(host=host):
            pass


async def test_two_servers_know_nothing_of_each_other(raw: Raw) -> None:
    await raw.ask("RegisterDomain", NEW)
    async with serve() as other, connected(other.url) as another:
        reply = await another.ask("CountOpenWorkflowExecutions", IN)
        assert reply.status == 400
        assert (await another.ask("DescribeDomain", {"name": "new"})).status == 400
