"""How long a decision takes when SWF is far away."""

import asyncio
import logging
import uuid
from datetime import datetime

import flowser
from flowser import flow
from flowser.executions import WorkflowExecution
from tests.benchmarks import tables
from tests.benchmarks.cable import cabled
from tests.benchmarks.clients import flowser_connection
from tests.benchmarks.measuring import Spread
from tests.benchmarks.servers import Servers, ask

#: Seconds from here to SWF and back.
ROUND_TRIP = 0.02

DECISIONS = 25

#: Signals that a run has seen before; each is an event.
_LENGTHS = (10, 2_500)

#: Seconds between two signals, in which a decision is made.
_PAUSE = 0.25


@flow.workflow(version="1", task_list="listeners")
async def listening(signals: int) -> None:
    """Take so many signals."""
    ticks = flow.signals("tick")
    for _ in range(signals):
        await ticks.receive()


class _Listening(flowser.Domain):
    name = "listening"
    workflow_types = [listening]


def main(servers: Servers) -> None:
    """Print the figure."""
    tables.title(
        "replay-latency",
        "from a signal to the answer of its decision, by SWF's clock, over a way of\n"
        f"  {ROUND_TRIP * 1e3:.0f} ms there and back",
    )
    logging.getLogger("flowser").setLevel(logging.ERROR)  # of polls that are cut off
    asyncio.run(_measure(servers))


async def _measure(servers: Servers) -> None:
    async with (
        flowser_connection(servers.local) as direct,
        cabled(servers.local, ROUND_TRIP / 2) as cable,
        flowser_connection(cable.url) as conn,
    ):
        near = _Listening(direct)
        await near.register()
        for sticky in (True, False):
            async with flowser.Worker(_Listening(conn), sticky=sticky, drain=0):
                for length in _LENGTHS:
                    run = await _signaled(servers, near, length)
                    _print(sticky, length, Spread.of(await _waits(run)))
            await asyncio.sleep(0.2)  # polls that were cut off are gone by then


async def _signaled(
    servers: Servers, domain: flowser.Domain, length: int
) -> WorkflowExecution:
    """Run a workflow that has a history when its decisions are measured."""
    id = str(uuid.uuid4())
    given = listening.input(length + DECISIONS)
    run = await domain.start(listening, given, workflow_id=id)
    for _ in range(length):
        await run.signal("tick")
    for _ in range(DECISIONS):
        await asyncio.sleep(_PAUSE)
        await run.signal("tick")
    await ask(servers, "Closed", n=1)
    return run


async def _waits(run: WorkflowExecution) -> list[float]:
    """Give the seconds that the last signals waited for an answer."""
    waits = []
    since: datetime | None = None
    async for event in run.history():
        if event.type == "WorkflowExecutionSignaled":
            since = since or event.time_stamp
        elif event.type == "DecisionTaskCompleted" and since is not None:
            waits.append((event.time_stamp - since).total_seconds())
            since = None
    return waits[-DECISIONS:]


def _print(sticky: bool, length: int, seconds: Spread) -> None:
    what = f"{length:,} events before, runs {'kept' if sticky else 'replayed'}"
    scaled = Spread(*(each * 1e3 for each in seconds))
    tables.line(what, "asyncio", tables.WORKER, f"{scaled:10,.1f} ms")
