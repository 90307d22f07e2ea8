"""The mini SWF serves polls and pages as SWF does; seen by a plain client."""

import asyncio
import json
import signal
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.conftest import BareClient
from tests.support import arithmetic
from tests.support.calls import (
    DECIDER,
    DOMAIN,
    WORKER,
    all_events,
    decision,
    poll_activity,
    poll_decision,
    respond,
)
from tests.support.mini_swf import MiniSwf
from tests.support.processes import run_python


async def test_arithmetic_workflow_runs_over_polls_that_were_waiting(
    mini: MiniSwf, bare_client: BareClient
) -> None:
    async with bare_client(mini.url) as client:
        await arithmetic.register(client)
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(arithmetic.decide(client))
            for name in arithmetic.ACTIVITIES:
                group.create_task(arithmetic.work(client, name))
            await mini.parked(DECIDER["name"], 3)
            await mini.parked(WORKER["name"])
            ids = await arithmetic.start(client)
        events = await all_events(client, ids)
    assert events[-1]["eventType"] == "WorkflowExecutionCompleted"
    completed = events[-1]["workflowExecutionCompletedEventAttributes"]
    assert json.loads(completed["result"]) == arithmetic.RESULT
    assert [event["eventId"] for event in events] == list(range(1, len(events) + 1))
    # The floor: one poll and one response per task.
    assert mini.calls["PollForDecisionTask"] == 3
    assert mini.calls["PollForActivityTask"] == 2


async def test_poll_that_waits_in_vain_is_answered_empty(
    bare_client: BareClient,
) -> None:
    async with MiniSwf(poll_seconds=0.01) as mini, bare_client(mini.url) as client:
        await arithmetic.register(client)
        task = await poll_activity(client)
        assert task["startedEventId"] == 0
        assert "taskToken" not in task
        decision_task = await client.poll_for_decision_task(
            domain=DOMAIN, taskList={"name": "nobody"}
        )
        assert decision_task["previousStartedEventId"] == 0


async def test_closing_answers_the_polls_that_are_held(
    bare_client: BareClient,
) -> None:
    async with asyncio.TaskGroup() as group, MiniSwf() as mini:
        client = bare_client(mini.url)
        task = group.create_task(poll_once(client))
        await mini.parked("list")
    assert task.result() == 0


async def poll_once(connecting: Any) -> int:
    """Register a domain, poll once, and give the id of the started event."""
    async with connecting as client:
        await arithmetic.register(client)
        answer = await client.poll_for_activity_task(
            domain=DOMAIN, taskList={"name": "list"}
        )
        return int(answer["startedEventId"])


async def test_dead_poller_gets_no_task(mini: MiniSwf, bare_client: BareClient) -> None:
    async with bare_client(mini.url) as client, bare_client(mini.url) as other:
        await arithmetic.register(client)
        async with asyncio.TaskGroup() as group:
            dead = group.create_task(poll_decision(other))
            await mini.parked(DECIDER["name"])
            dead.cancel()
            await asyncio.wait([dead])
            alive = group.create_task(poll_decision(client))
            await mini.called("PollForDecisionTask", 2)
            await arithmetic.start(client)
        assert alive.result()["startedEventId"] == 3
        assert mini.events["DecisionTaskStarted"] == 1


async def test_poller_that_hung_up_a_moment_ago_gets_no_task(
    mini: MiniSwf, bare_client: BareClient
) -> None:
    """The loop sees the start of the execution before it sees the hang-up."""
    poll = {"domain": DOMAIN, "taskList": DECIDER}
    begin = {
        "domain": DOMAIN,
        "workflowId": "w",
        "workflowType": {"name": arithmetic.WORKFLOW, "version": arithmetic.VERSION},
    }
    async with bare_client(mini.url) as client:
        await arithmetic.register(client)
        dead, starter = raw_socket(mini), raw_socket(mini)
        with dead, starter:
            dead.sendall(raw_request("PollForDecisionTask", poll))
            await mini.parked(DECIDER["name"])
            starter.sendall(raw_request("StartWorkflowExecution", begin))
            dead.close()
            await mini.called("StartWorkflowExecution")
        assert mini.events["DecisionTaskStarted"] == 0
        assert (await poll_decision(client))["startedEventId"] == 3


def raw_socket(mini: MiniSwf) -> socket.socket:
    """Connect to the mini SWF outside the event loop."""
    address = urlsplit(mini.url)
    return socket.create_connection((str(address.hostname), int(address.port or 0)))


def raw_request(operation: str, params: Any) -> bytes:
    """Write a request as it goes over the wire."""
    body = json.dumps(params)
    return (
        f"POST / HTTP/1.1\r\nX-Amz-Target: SimpleWorkflowService.{operation}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def test_requests_in_pieces_and_several_at_once_are_answered_in_order(
    mini: MiniSwf,
) -> None:
    host, port = urlsplit(mini.url).hostname, urlsplit(mini.url).port
    reader, writer = await asyncio.open_connection(host, port)
    first = raw_request("DescribeDomain", {"name": "one"})
    second = raw_request("DescribeDomain", {"name": "two"})
    # The first byte alone, a cut in the first body, then the rest with all the second.
    for piece in (first[:1], first[1:-3], first[-3:] + second):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    for name in ("one", "two"):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        body = await reader.readuntil(b"}")
        assert json.loads(body)["message"] == f"Unknown domain: {name}"
    writer.close()
    await writer.wait_closed()


async def test_pollers_are_served_in_order_of_arrival(
    mini: MiniSwf, bare_client: BareClient
) -> None:
    order: list[int] = []

    async def poll(number: int) -> None:
        await poll_decision(client)
        order.append(number)

    async with bare_client(mini.url) as client:
        await arithmetic.register(client)
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(poll(number))
                await mini.parked(DECIDER["name"], number + 1)
            for done in range(3):
                await arithmetic.start(client)
                await mini.happened("DecisionTaskStarted", done + 1)
    assert order == [0, 1, 2]


@pytest.mark.parametrize("reverse", [False, True])
async def test_history_is_paged_both_ways(
    mini: MiniSwf, bare_client: BareClient, *, reverse: bool
) -> None:
    async with bare_client(mini.url) as client:
        await arithmetic.register(client)
        ids = await arithmetic.start(client)
        task = await poll_decision(client)
        markers = [decision("RecordMarker", markerName="m") for _ in range(6)]
        await respond(client, task, *markers)
        pages = client.get_paginator("get_workflow_execution_history").paginate(
            domain=DOMAIN,
            execution={"workflowId": ids[0], "runId": ids[1]},
            reverseOrder=reverse,
            PaginationConfig={"PageSize": 4},
        )
        read = [[event["eventId"] for event in page["events"]] async for page in pages]
    expected = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    if reverse:
        expected = [[10, 9, 8, 7], [6, 5, 4, 3], [2, 1]]
    assert read == expected


@pytest.mark.parametrize("reverse", [False, True])
async def test_pages_of_a_decision_task_end_at_its_start(
    mini: MiniSwf, bare_client: BareClient, *, reverse: bool
) -> None:
    settings = {"maximumPageSize": 2, "reverseOrder": reverse}
    async with bare_client(mini.url) as client:
        await arithmetic.register(client)
        workflow_id, _ = await arithmetic.start(client)
        first = await poll_decision(client, **settings)
        await client.signal_workflow_execution(
            domain=DOMAIN, workflowId=workflow_id, signalName="later"
        )
        token = first["nextPageToken"]
        second = await poll_decision(client, nextPageToken=token, **settings)
        wrong = settings | {"reverseOrder": not reverse}
        with pytest.raises(ClientError, match="Invalid token"):
            await poll_decision(client, nextPageToken=token, **wrong)
    ids = [event["eventId"] for page in (first, second) for event in page["events"]]
    assert ids == ([3, 2, 1] if reverse else [1, 2, 3])
    assert second["taskToken"] == first["taskToken"]
    assert "nextPageToken" not in second
    assert mini.events["DecisionTaskStarted"] == 1


async def test_process_prints_its_url_and_ends_on_sigterm(
    bare_client: BareClient,
) -> None:
    arguments = ("-m", "tests.support.mini_swf", "--port", "0", "--poll-seconds", "60")
    async with run_python(*arguments) as child:
        url = (await child.line_matching(r"^http://127\.0\.0\.1:\d+$"))[0]
        async with bare_client(url) as client, asyncio.TaskGroup() as group:
            await arithmetic.register(client)
            held = group.create_task(poll_activity(client))
            await arithmetic.start(client)
            await arithmetic.decide(client)
            await held
        child.signal(signal.SIGTERM)
        assert await child.wait() == 0
    assert child.lines == [url]
