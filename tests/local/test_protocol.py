"""Requests and answers of HTTP, without a socket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from multidict import CIMultiDict

from flowser import requests
from flowser.local.engine import faults
from flowser.local.protocol import (
    MAX_HEAD_BYTES,
    MAX_REQUEST_BYTES,
    Answer,
    Protocol,
    check_size,
    refusal,
)
from flowser.local.service import Service
from flowser.local.storage import Store
from tests.local.raw import JSON, TARGET, held

BODY = b'{"registrationStatus":"REGISTERED"}'


@pytest.fixture
async def swf() -> AsyncIterator[Service]:
    async with Service(Store()) as service:
        yield service


async def answered(protocol: Protocol, **changes: str | None) -> Answer:
    """List domains, with some headers changed or left out."""
    headers: CIMultiDict[Any] = CIMultiDict(
        {"Host": "localhost", "X-Amz-Target": f"{TARGET}ListDomains"}
    )
    headers["Content-Type"] = JSON
    headers.update({name.replace("_", "-"): value for name, value in changes.items()})
    given = {name: value for name, value in headers.items() if value is not None}
    return await protocol.answer(CIMultiDict(given), BODY, lambda: True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (JSON, JSON),
        ("application/x-amz-json-1.1", "application/x-amz-json-1.1"),
        ("application/json", "application/json"),
        ("application/json; charset=UTF-8", "application/json"),
        (" Application/X-AMZ-JSON-1.0 ;charset=utf-8", JSON),
    ],
)
async def test_the_type_of_an_answer_is_that_of_the_request(
    swf: Service, given: str, told: str
) -> None:
    answer = await answered(Protocol(swf), Content_Type=given)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == told


@pytest.mark.parametrize("given", ["text/plain", "application/cbor", "", None, "json"])
async def test_other_types_are_unknown_operations(
    swf: Service, given: str | None
) -> None:
    answer = await answered(Protocol(swf), Content_Type=given)
    assert answer.status == 400
    assert answer.body == faults.unknown_operation().body
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("encoding", ["amz-1.0", "AMZ-1.0", "identity", "", None])
async def test_amz_1_0_is_no_encoding(swf: Service, encoding: str | None) -> None:
    assert (await answered(Protocol(swf), Content_Encoding=encoding)).status == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "amz-1.0, gzip", "x"])
async def test_other_encodings_are_refused(swf: Service, encoding: str) -> None:
    answer = await answered(Protocol(swf), Content_Encoding=encoding)
    assert answer.status == 400
    assert b"SerializationException" in answer.body


@pytest.mark.parametrize(
    "target",
    [
        "SimpleWorkflowService.ListDomains",
        "com.amazonaws.swf.service.model.SimpleWorkflowService.ListDomains",
        "ListDomains",
    ],
)
async def test_an_operation_is_what_follows_the_last_dot(
    swf: Service, target: str
) -> None:
    assert (await answered(Protocol(swf), X_Amz_Target=target)).status == 200


async def test_operations_are_those_of_a_table(swf: Service) -> None:
    protocol = Protocol(swf)
    known = set(requests.OPERATIONS)
    others = {*dir(protocol), *dir(swf), "", "*", "LISTDOMAINS", "__init__"} - known
    for name in others:
        answer = await answered(protocol, X_Amz_Target=f"SimpleWorkflowService.{name}")
        assert answer.body == faults.unknown_operation().body, name
    for name in known:
        answer = await answered(protocol, X_Amz_Target=f"SimpleWorkflowService.{name}")
        assert b"UnknownOperation" not in answer.body, name


async def test_no_target_is_an_unknown_operation(swf: Service) -> None:
    answer = await answered(Protocol(swf), X_Amz_Target=None)
    assert answer.body == faults.unknown_operation().body


# -- pages in browsers --------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8080",
        "swf.localhost:80",
        "127.0.0.1:41234",
        "127.1.2.3",
        "192.168.1.7:80",
        "[::1]:80",
        "[fe80::1%eth0]:80",
        "mine.test",
        "MINE.test:80",
    ],
)
async def test_hosts_that_dns_cannot_give_away_are_served(
    swf: Service, host: str
) -> None:
    protocol = Protocol(swf, hosts=["Mine.test"])
    assert (await answered(protocol, Host=host)).status == 200
    assert (await answered(protocol, Host=host, Origin=f"http://{host}")).status == 200


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        ":80",
        "example.com",
        "mine.test.example.com",
        "xmine.test",
        "localhost.",
        "localhost.example.com",
        "notlocalhost",
        "127.0.0.1.nip.io",
        "127.0.0.1@example.com",
        "2130706433",
        "0x7f000001",
        "127.0.0.1.",
        "[::1",
        "::1",
        "[localhost]",
        "[::1].example.com",
        "a\u2100b",
        "localhost\udcff",
        " ",
    ],
)
async def test_hosts_that_dns_may_have_given_away_are_refused(
    swf: Service, host: str | None
) -> None:
    answer = await answered(Protocol(swf, hosts=["mine.test"]), Host=host)
    assert answer.status == 403
    assert b"AccessDeniedException" in answer.body


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://example.com",
        "https://localhost",
        "http://localhost:81",
        "http://127.0.0.1",
        "http://localhost.example.com",
        "chrome-extension://abcdefgh",
        "file://",
    ],
)
async def test_pages_from_elsewhere_are_refused(swf: Service, origin: str) -> None:
    answer = await answered(Protocol(swf, hosts=()), Origin=origin)
    assert answer.status == 403
    assert set(answer.headers) == {"x-amzn-RequestId", "Content-Type"}


async def test_where_no_page_can_be_the_caller_hosts_do_not_matter(
    swf: Service,
) -> None:
    host = "swf.eu-west-1.amazonaws.com"
    assert (await answered(Protocol(swf), Host=host, Origin="null")).status == 200


# -- sizes --------------------------------------------------------------------------


def test_headers_count_into_the_size_of_a_request() -> None:
    headers = {"a": "b" * 99}
    check_size(headers, MAX_REQUEST_BYTES - 100)
    with pytest.raises(faults.Fault) as caught:
        check_size(headers, MAX_REQUEST_BYTES - 99)
    assert caught.value.status == 413


def test_headers_have_a_size_of_their_own() -> None:
    check_size({"a": "b" * (MAX_HEAD_BYTES - 1)}, 0)
    with pytest.raises(faults.Fault) as caught:
        check_size({"a": "b" * MAX_HEAD_BYTES}, 0)
    assert caught.value.status == 431


# -- answers ------------------------------------------------------------------------


def test_a_refusal_is_an_answer() -> None:
    answer = refusal(faults.throttled(), {"Content-Type": JSON})
    assert answer.status == 400
    assert answer.headers["Content-Type"] == JSON
    assert answer.body == (
        b'{"__type":"com.amazon.coral.availability#ThrottlingException",'
        b'"message":"Rate exceeded"}'
    )


async def test_a_caller_of_a_poll_is_asked_for_before_it_gets_a_task(
    swf: Service,
) -> None:
    protocol = Protocol(swf)
    asked: list[str] = []
    headers = {
        "X-Amz-Target": f"{TARGET}RegisterDomain",
        "Content-Type": JSON,
    }
    domain = b'{"name":"d","workflowExecutionRetentionPeriodInDays":"1"}'
    await protocol.answer(headers, domain, lambda: True)
    poll = b'{"domain":"d","taskList":{"name":"l"}}'
    headers["X-Amz-Target"] = f"{TARGET}PollForDecisionTask"

    def present() -> bool:
        asked.append("present")
        return True

    async with asyncio.TaskGroup() as group:
        group.create_task(protocol.answer(headers, poll, present))
        await held(swf, 1)
        (parked,) = swf._waiting
        is_present: Any = parked.caller
        assert is_present()
        swf.release()
    assert asked == ["present"]
