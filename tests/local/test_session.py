"""The session without a socket, under the clients that it is made for."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import msgspec
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

from flowser import requests, wire
from flowser._client import connect
from flowser.exceptions import UnknownResourceFault
from flowser.local.engine import reading
from flowser.local.protocol import MAX_REQUEST_BYTES
from flowser.local.service import Service
from flowser.local.session import Session, session_class
from flowser.local.storage import Store
from tests.local.raw import JSON, held
from tests.local.shapes import conforming
from tests.local.tour import PAYERS, register, tour

KEYS: dict[str, Any] = {
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
    "region_name": "eu-west-1",
}


@pytest.fixture
async def swf() -> AsyncIterator[Service]:
    async with Service(Store()) as service:
        yield service


def configured(swf: Service) -> AioConfig:
    return AioConfig(
        http_session_cls=session_class(swf), retries={"total_max_attempts": 1}
    )


async def test_aiobotocore_calls_all_39_operations_at_the_address_of_aws(
    swf: Service, bare_session: AioSession
) -> None:
    called: set[str] = set()
    async with bare_session.create_client(
        "swf", config=configured(swf), **KEYS
    ) as client:
        assert client.meta.endpoint_url == "https://swf.eu-west-1.amazonaws.com"
        api: Any = client

        async def ask(operation: str, members: dict[str, Any]) -> Any:
            answer = await api._make_api_call(operation, members)
            metadata = answer.pop("ResponseMetadata")
            assert metadata["HTTPStatusCode"] == 200
            assert metadata["HTTPHeaders"]["content-type"] == JSON
            called.add(operation)
            return answer

        with pytest.raises(ClientError, match="UnknownResourceFault"):
            await ask("TagResource", {"resourceArn": "arn:x", "tags": []})
        called.clear()
        await tour(_in_region(ask, "eu-west-1"))
    assert called == set(requests.OPERATIONS)


def _in_region(ask: Any, region: str) -> Any:
    """Call as the tour does, which is in us-east-1."""

    async def elsewhere(operation: str, members: dict[str, Any]) -> Any:
        text = json.dumps(members).replace("us-east-1", region)
        return await ask(operation, json.loads(text))

    return elsewhere


async def test_the_lean_wire_calls_all_39_operations(swf: Service) -> None:
    called: set[str] = set()
    async with connect(http_session_cls=session_class(swf), **KEYS) as connection:

        async def ask(operation: str, members: dict[str, Any]) -> Any:
            made = reading.read(operation, json.dumps(members).encode())
            called.add(operation)
            return msgspec.to_builtins(await wire.send(connection, made))

        await tour(_in_region(ask, "eu-west-1"))
        with pytest.raises(UnknownResourceFault) as caught:
            await wire.send(connection, requests.DescribeDomain(name="none"))
    assert caught.value.request_id
    assert called == set(requests.OPERATIONS)


async def test_a_call_that_is_canceled_leaves_its_poll(swf: Service) -> None:
    async with connect(http_session_cls=session_class(swf), **KEYS) as connection:

        async def ask(operation: str, members: dict[str, Any]) -> Any:
            made = reading.read(operation, json.dumps(members).encode())
            return await wire.send(connection, made)

        await register(ask)
        async with asyncio.TaskGroup() as group:
            poll = group.create_task(ask("PollForActivityTask", PAYERS))
            await held(swf, 1)
            poll.cancel()
    assert not swf._waiting


class Request(NamedTuple):
    """As much of botocore's prepared request as a session may look at."""

    headers: dict[str, Any]
    body: Any
    url: str = "http://example.com/"


TARGET = {"X-Amz-Target": "SimpleWorkflowService.ListDomains", "Content-Type": JSON}
LISTING = '{"registrationStatus":"REGISTERED"}'


@pytest.mark.parametrize(
    "body", [LISTING, LISTING.encode(), bytearray(LISTING, "ascii")]
)
@pytest.mark.parametrize("encoded", [False, True])
async def test_headers_and_bodies_may_be_text_or_bytes(
    swf: Service, body: Any, encoded: bool
) -> None:
    headers = {
        name.lower(): value.encode() if encoded else value
        for name, value in TARGET.items()
    }
    async with session_class(swf)(timeout=(1, 2), verify=False) as session:
        response = await session.send(Request(headers, body))
    assert response.status_code == 200
    assert response.url == "http://example.com/"
    assert response.headers["content-length"] == "18"
    assert await response.content == b'{"domainInfos":[]}'
    assert await response.raw.read() == b'{"domainInfos":[]}'
    response.raw.close()
    conforming("ListDomains", json.loads(await response.content))


@pytest.mark.parametrize("body", [None, b"", ""])
async def test_no_body_is_an_empty_one(swf: Service, body: Any) -> None:
    async with session_class(swf)() as session:
        response = await session.send(Request(TARGET, body))
    assert response.status_code == 400
    assert b"'registrationStatus' failed to satisfy" in await response.content


async def test_requests_are_as_large_as_over_a_socket(swf: Service) -> None:
    async with session_class(swf)() as session:
        response = await session.send(Request(TARGET, b" " * MAX_REQUEST_BYTES))
    assert response.status_code == 413


async def test_a_session_that_is_not_open_sends_nothing(swf: Service) -> None:
    made: Session = session_class(swf)()
    with pytest.raises(RuntimeError, match="not open"):
        await made.send(Request(TARGET, b"{}"))
    async with made:
        await made.close()
        with pytest.raises(RuntimeError, match="not open"):
            await made.send(Request(TARGET, b"{}"))
