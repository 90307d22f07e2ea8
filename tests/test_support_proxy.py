"""Each fault of the proxy is what it says; between a plain client and the local SWF."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
)

from tests.conftest import BareClient
from tests.support import arithmetic
from tests.support.calls import DECIDER, DOMAIN, poll_decision
from tests.support.proxy import Call, FaultingProxy
from tests.support.proxy_rules import Kind
from tests.support.watched import WatchedSwf

if TYPE_CHECKING:
    from types_aiobotocore_swf import SWFClient

START = "StartWorkflowExecution"
POLL = "PollForDecisionTask"


@pytest.fixture
async def proxy(local: WatchedSwf) -> AsyncIterator[FaultingProxy]:
    """A proxy in front of the local SWF."""
    async with FaultingProxy(local.url) as proxy:
        yield proxy


@pytest.fixture
async def client(
    proxy: FaultingProxy, bare_client: BareClient
) -> AsyncIterator["SWFClient"]:
    """A client of the proxy; the arithmetic workflow is registered."""
    async with bare_client(proxy.url) as client:
        await arithmetic.register(client)
        yield client


async def test_whole_workflow_passes_a_proxy_without_rules(
    proxy: FaultingProxy, client: "SWFClient"
) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(arithmetic.decide(client))
        for name in arithmetic.ACTIVITIES:
            group.create_task(arithmetic.work(client, name))
        await proxy.arrived(POLL, 3)
        await arithmetic.start(client)
    assert {call.outcome for call in proxy.calls} == {"ok"}
    assert proxy.count("RespondDecisionTaskCompleted") == 3


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("lost", aiohttp.ServerDisconnectedError),
        ("cut", aiohttp.ClientPayloadError),
    ],
)
async def test_lost_and_cut_answers_have_taken_effect(
    local: WatchedSwf,
    proxy: FaultingProxy,
    client: "SWFClient",
    kind: Kind,
    error: type[Exception],
) -> None:
    proxy.fault(START, kind)
    with pytest.raises(ConnectionClosedError) as caught:
        await arithmetic.start(client)
    assert isinstance(caught.value.kwargs["error"], error)
    await proxy.seen(START, outcome=kind)
    assert local.events["WorkflowExecutionStarted"] == 1
    await arithmetic.start(client)


async def test_cut_answer_without_a_body_breaks_off_in_its_head(
    local: WatchedSwf, proxy: FaultingProxy, client: "SWFClient"
) -> None:
    proxy.fault("SignalWorkflowExecution", "cut")
    workflow_id, _ = await arithmetic.start(client)
    with pytest.raises(ConnectionClosedError):
        await client.signal_workflow_execution(
            domain=DOMAIN, workflowId=workflow_id, signalName="s"
        )
    assert local.events["WorkflowExecutionSignaled"] == 1


async def test_truncated_json_is_an_http_success(
    local: WatchedSwf, proxy: FaultingProxy, client: "SWFClient"
) -> None:
    await arithmetic.start(client)
    proxy.fault("PollFor*", "truncjson")
    headers = {"X-Amz-Target": f"SimpleWorkflowService.{POLL}"}
    body = {"domain": DOMAIN, "taskList": DECIDER}
    async with (
        aiohttp.ClientSession() as session,
        session.post(proxy.url, json=body, headers=headers) as response,
    ):
        assert response.status == 200
        text = await response.text()
    assert text.startswith("{")
    assert not text.endswith("}")
    assert local.events["DecisionTaskStarted"] == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "status"}, ("InternalFailure", 500)),
        ({"kind": "status", "status": 503}, ("ServiceUnavailable", 503)),
        ({"kind": "status", "status": 503, "html": True}, ("503", 503)),
        ({"kind": "throttle"}, ("ThrottlingException", 400)),
        ({"kind": "limit"}, ("LimitExceededFault", 400)),
        ({"kind": "expired"}, ("ExpiredTokenException", 400)),
    ],
)
async def test_errors_are_answered_without_asking_the_server(
    local: WatchedSwf,
    proxy: FaultingProxy,
    client: "SWFClient",
    fault: dict[str, Any],
    expected: tuple[str, int],
) -> None:
    proxy.fault(START, **fault)
    with pytest.raises(ClientError) as caught:
        await arithmetic.start(client)
    answer = caught.value.response
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    assert (answer["Error"]["Code"], status) == expected
    assert local.calls[START] == 0
    await arithmetic.start(client)


async def test_dup_sends_twice_and_gives_the_second_answer(
    local: WatchedSwf, proxy: FaultingProxy, client: "SWFClient"
) -> None:
    proxy.fault(START, "dup")
    with pytest.raises(ClientError, match="AlreadyStarted"):
        await arithmetic.start(client)
    assert local.calls[START] == 2
    assert local.events["WorkflowExecutionStarted"] == 1


async def test_slow_holds_the_answer_until_its_gate_opens(
    local: WatchedSwf, proxy: FaultingProxy, client: "SWFClient"
) -> None:
    gate = asyncio.Event()
    proxy.fault(START, "slow", gate=gate)
    async with asyncio.TaskGroup() as group:
        started = group.create_task(arithmetic.start(client))
        await proxy.held(START)
        assert local.events["WorkflowExecutionStarted"] == 1
        assert not started.done()
        gate.set()
    assert started.result()


async def test_refuse_closes_without_asking_the_server(
    local: WatchedSwf, proxy: FaultingProxy, client: "SWFClient"
) -> None:
    proxy.fault(START, "refuse")
    with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
        await arithmetic.start(client)
    assert local.calls[START] == 0


async def test_rules_count_and_the_first_that_applies_wins(
    proxy: FaultingProxy, client: "SWFClient"
) -> None:
    proxy.fault(START, "limit", times=2, after=1)
    standing = proxy.fault("Start*", "throttle", times=None, after=3)
    for _ in range(7):
        with contextlib.suppress(ClientError):
            await arithmetic.start(client)
    standing.times = 0
    await arithmetic.start(client)
    outcomes = [call.outcome for call in proxy.calls if call.operation == START]
    expected = ["ok", "limit", "limit", "ok", "ok", "throttle", "throttle", "ok"]
    assert outcomes == expected


async def test_client_that_hangs_up_takes_its_poll_down_at_the_server(
    local: WatchedSwf, proxy: FaultingProxy, client: "SWFClient"
) -> None:
    async with asyncio.TaskGroup() as group:
        poll = group.create_task(poll_decision(client))
        await local.parked(DECIDER["name"])
        poll.cancel()
        await proxy.seen(POLL, outcome="gone")
    await arithmetic.start(client)
    assert local.events["DecisionTaskStarted"] == 0


async def test_server_that_is_gone_is_seen_as_a_closed_connection(
    bare_client: BareClient,
) -> None:
    async with WatchedSwf() as local:
        url = local.url
    async with FaultingProxy(url) as proxy, bare_client(proxy.url) as client:
        with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
            await arithmetic.register(client)
    assert proxy.calls == [Call("RegisterDomain", "upstream")]


async def test_proxy_that_is_down_refuses_and_comes_back_on_its_port(
    local: WatchedSwf, proxy: FaultingProxy, client: "SWFClient"
) -> None:
    await proxy.down()
    with pytest.raises(EndpointConnectionError):
        await arithmetic.start(client)
    await proxy.up()
    await arithmetic.start(client)
    assert local.events["WorkflowExecutionStarted"] == 1


async def test_moto_is_served_through_the_proxy(
    moto_url: str, domain_name: str, bare_client: BareClient
) -> None:
    async with FaultingProxy(moto_url) as proxy, bare_client(proxy.url) as client:
        await arithmetic.register(client, domain_name)
        described = await client.describe_domain(name=domain_name)
    assert described["domainInfo"]["name"] == domain_name
