"""The server and 100,000 requests that are nearly right: it never fails.

Each batch has a seed, which the failure names: ``batch(seed, ...)`` repeats it.
"""

import asyncio
import contextlib
import json
import logging
import random
import re
from collections import Counter
from typing import Any

import pytest

from flowser.local.engine.quotas import Quotas
from flowser.local.protocol import Answer, Protocol
from flowser.local.server import Server, serve
from flowser.local.service import Service
from flowser.local.signatures import Keys
from flowser.local.storage import Store
from flowser.testing.clock import Clock, virtual_time
from tests.local.engine import bodies
from tests.local.fuzz import Fuzzer, Request
from tests.local.raw import JSON, TARGET, connected, request
from tests.local.shapes import conforming
from tests.local.tour import DECIDERS, IN, PAYERS, register, start, tour

#: Requests without sockets: in so many tests, of so many batches, of so many requests.
PARTS, BATCHES, BATCH = 5, 10, 2_000

#: Requests over sockets, and those at a time.
OVER_SOCKETS, AT_A_TIME = 4_000, 50

QUOTAS = Quotas(poll=0, open_executions=20, open_activities=5, open_timers=5)

#: What a request that is refused may be answered with.
REFUSED = {400, 403, 413, 431}
Calls = list[tuple[str, bytes]]

_ERROR = re.compile(rb'{"__type":"com\.amazon[\w.]+#\w+"[,}]')
_INSIDE = re.compile(rb"Traceback|File \\?\"|site-packages|object at 0x")


def _present() -> bool:
    return True


class Recorder:
    """Calls, and remembers what it called."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self.calls: Calls = []

    async def ask(self, operation: str, members: dict[str, Any]) -> Any:
        body = json.dumps(members).encode()
        self.calls.append((operation, body))
        headers = {"Content-Type": JSON, "X-Amz-Target": TARGET + operation}
        answer = await self._protocol.answer(headers, body, _present)
        assert answer.status == 200, answer.body
        return json.loads(answer.body or b"{}")


async def _toured() -> Calls:
    """Give calls of all 39 operations."""
    async with Service(Store()) as swf:
        guide = Recorder(Protocol(swf))
        await tour(guide.ask)
    return guide.calls


async def _lived_in(swf: Service) -> Calls:
    """Make a world with work in it; give calls that may do something there."""
    worker = Recorder(Protocol(swf))
    await register(worker.ask)
    for number in range(3):
        await start(worker.ask, activities=2, workflow_id=f"w-{number}")
        task = await worker.ask("PollForActivityTask", PAYERS)
        token = {"taskToken": task["taskToken"], "details": "half"}
        await worker.ask("RecordActivityTaskHeartbeat", token)
        signal = {"workflowId": f"w-{number}", "signalName": "s"}
        await worker.ask("SignalWorkflowExecution", IN | signal)
        task = await worker.ask("PollForDecisionTask", DECIDERS)
        decided = bodies.full("RespondDecisionTaskCompleted")
        decided["taskToken"] = task["taskToken"]
        worker.calls.append(
            ("RespondDecisionTaskCompleted", json.dumps(decided).encode())
        )
    return worker.calls


def _check(sent: Request, answer: Answer) -> None:
    if answer.status == 200:
        target = sent.headers.get("X-Amz-Target", "").rpartition(".")[2]
        conforming(target, json.loads(answer.body or b"{}"))
        return
    assert answer.status in REFUSED
    assert _ERROR.match(answer.body)
    assert not _INSIDE.search(answer.body)


async def batch(seed: int, toured: Calls) -> Counter[int]:
    """Send requests to a server of their own; count the status of answers."""
    keys = Keys("A", "secret") if seed % 10 == 9 else None
    counts: Counter[int] = Counter()
    async with Service(Store(), quotas=QUOTAS) as swf:
        fuzzer = Fuzzer(seed, toured + await _lived_in(swf))
        protocol = Protocol(swf, keys=keys, hosts=())
        for index in range(BATCH):
            sent = fuzzer.request()
            try:
                answer = await protocol.answer(sent.headers, sent.body, _present)
                _check(sent, answer)
            except Exception as error:
                error.add_note(f"seed {seed}, request {index}: {sent!r:.2000}")
                raise
            counts[answer.status] += 1
    return counts


@pytest.mark.parametrize("part", range(PARTS))
async def test_100000_requests_that_are_nearly_right_do_no_harm(
    caplog: pytest.LogCaptureFixture, part: int
) -> None:
    counts: Counter[int] = Counter()
    toured = await _toured()
    for seed in range(part * BATCHES, (part + 1) * BATCHES):
        counts += await batch(seed, toured)
    assert counts.total() == 100_000 / PARTS
    assert {200, 400, 403} <= set(counts)
    assert counts[200] > counts.total() / 50, counts
    assert not [each for each in caplog.records if each.levelno > logging.WARNING]


# -- over sockets -------------------------------------------------------------------


async def _exchange(url: str, clock: Clock, data: list[bytes]) -> list[bytes]:
    """Send each on a connection of its own; give what came when all is quiet."""
    async with contextlib.AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(connected(url)) for _ in data]
        for raw, sent in zip(callers, data, strict=True):
            raw.send(sent)
        await clock.settle()
        answers = [bytes(raw.reader._buffer) for raw in callers]  # type: ignore[attr-defined]
        for raw in callers:
            raw.reset()
    return answers


def _written(chance: random.Random, fuzzer: Fuzzer) -> bytes:
    """Write a request; of three, one is changed once more, wherever it may be."""
    made = fuzzer.request()
    target = made.headers.popall("X-Amz-Target", [""])[0]
    written = request(target, made.body, made.headers)
    return fuzzer.other_bytes(written) if chance.random() < 1 / 3 else written


async def test_thousands_of_them_over_sockets_do_no_harm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    chance, toured = random.Random(1), await _toured()
    statuses: Counter[bytes] = Counter()
    with virtual_time(autojump=False, still=0.005) as clock:
        async with serve(quotas=QUOTAS) as server:
            fuzzer = Fuzzer(1, toured + await _lived_in(server._service))
            for _ in range(OVER_SOCKETS // AT_A_TIME):
                data = [_written(chance, fuzzer) for _ in range(AT_A_TIME)]
                for sent, came in zip(
                    data, await _exchange(server.url, clock, data), strict=True
                ):
                    found = re.findall(rb"^HTTP/\d\.\d (\d+) ", came, re.MULTILINE)
                    assert not [each for each in found if each >= b"500"], sent
                    assert not _INSIDE.search(came), sent
                    statuses.update(found)
            await _none_is_left(server)
            async with connected(server.url) as raw:
                assert (await raw.ask("ListDomains", {})).status == 400
    assert statuses.total() > OVER_SOCKETS / 2
    assert {b"200", b"400", b"403"} <= set(statuses)
    assert not [each for each in caplog.records if each.levelno > logging.WARNING]


async def _none_is_left(server: Server) -> None:
    async with asyncio.timeout(10):
        while server._listener.connections:  # noqa: ASYNC110 - aiohttp's state
            await asyncio.sleep(0)
