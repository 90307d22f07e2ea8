"""Client CPU of a whole arithmetic workflow: a process decides, another one works."""

import asyncio
import json
import statistics
import time
import uuid
from contextlib import AsyncExitStack
from typing import NamedTuple

import flowser
from flowser import requests, shapes, wire
from tests.benchmarks import tables
from tests.benchmarks.child import Contestant, contestant
from tests.benchmarks.clients import bare_client, flowser_connection
from tests.benchmarks.measuring import LOOPS, SERVER_CPU, Cost, pin
from tests.benchmarks.parts import PARTS
from tests.benchmarks.servers import Servers, ask
from tests.support import arithmetic

ROUNDS = 5
WORKFLOWS = 60

_MILLISECONDS = (1e3, "ms")
_LISTS = (arithmetic.WORKFLOW, *arithmetic.ACTIVITIES)


class Round(NamedTuple):
    """What one workflow took in one round.

    Attributes:
        decider: Seconds of CPU.
        worker: Seconds of CPU.
        seconds: From the first start to the last close, divided by the workflows.
        calls: API calls, besides that which starts it.
    """

    decider: float
    worker: float
    seconds: float
    calls: float


class Pair(NamedTuple):
    """A process that decides and one that works, in a domain of their own."""

    domain: str
    decider: Contestant
    worker: Contestant


def main(servers: Servers) -> None:
    """Print the figure."""
    tables.title(
        "workflow",
        f"client CPU per arithmetic workflow, {WORKFLOWS} at once; aim: x 0.33 at most",
    )
    pin(SERVER_CPU)  # it starts the workflows, which is not what is measured
    for loop in LOOPS:
        _print(loop, asyncio.run(_measure(servers, loop)))


def _print(loop: str, measured: dict[str, list[Round]]) -> None:
    cpu = {
        who: Cost([each.decider + each.worker for each in rounds])
        for who, rounds in measured.items()
    }
    tables.ratios("decider and worker", loop, cpu, _MILLISECONDS)
    for who, rounds in measured.items():
        middle = Round(*map(statistics.median, zip(*rounds, strict=True)))
        tables.line(
            "",
            loop,
            who,
            f"{middle.decider * 1e3:10,.2f} ms decider, {middle.worker * 1e3:.2f} ms "
            f"worker, {1 / middle.seconds:,.0f} workflows/s, {middle.calls:.2f} calls",
        )


async def _measure(servers: Servers, loop: str) -> dict[str, list[Round]]:
    """Let pairs take turns."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(flowser_connection(servers.local))
        pairs: dict[str, Pair] = {}
        for who in PARTS["decider"]:
            domain = f"{arithmetic.DOMAIN}-{uuid.uuid4()}"
            async with bare_client(servers.local) as bare:
                await arithmetic.register(bare, domain)
            where = (loop, servers.local, domain)
            made = [
                await stack.enter_async_context(contestant(part, who, *where))
                for part in ("decider", "activities")
            ]
            pairs[who] = Pair(domain, *made)
        measured: dict[str, list[Round]] = {who: [] for who in pairs}
        for number in range(1 + ROUNDS):
            for who, pair in pairs.items():
                result = await _round(servers, client, pair, len(pairs))
                if number > 0:  # the first one is for warmth
                    measured[who].append(result)
        return measured


async def _round(
    servers: Servers, client: flowser.Connection, pair: Pair, pairs: int
) -> Round:
    await _all_parked(servers, pairs)
    await ask(servers, "Calls")
    before = await pair.decider.usage(), await pair.worker.usage()
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(WORKFLOWS):
            group.create_task(_start(client, pair.domain))
    await ask(servers, "Closed", n=WORKFLOWS)
    seconds = time.perf_counter() - began
    await _all_parked(servers, pairs)
    after = await pair.decider.usage(), await pair.worker.usage()
    calls = await ask(servers, "Calls")
    decider, worker = (b.cpu - a.cpu for a, b in zip(before, after, strict=True))
    total = decider, worker, seconds, sum(calls.values()) - WORKFLOWS
    return Round(*(each / WORKFLOWS for each in total))


async def _all_parked(servers: Servers, pairs: int) -> None:
    """Wait until every pair waits for tasks."""
    for name in _LISTS:
        await ask(servers, "Parked", task_list=arithmetic.task_list(name), n=pairs)


async def _start(client: flowser.Connection, domain: str) -> None:
    identity = str(uuid.uuid4())
    given = {"id": identity, "operations": arithmetic.OPERATIONS}
    request = requests.StartWorkflowExecution(
        domain=domain,
        workflow_id=f"{arithmetic.WORKFLOW}-{identity}",
        workflow_type=shapes.WorkflowType(
            name=arithmetic.WORKFLOW, version=arithmetic.VERSION
        ),
        input=json.dumps(given),
    )
    await wire.send(client, request)
