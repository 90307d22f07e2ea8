"""What deciding costs as a history grows, with runs kept and without."""

import asyncio
import logging
import time
import uuid
from typing import NamedTuple

import flowser
from flowser import flow
from tests.benchmarks import arithmetic_types, tables
from tests.benchmarks.cable import Cable, cabled
from tests.benchmarks.child import contestant
from tests.benchmarks.clients import flowser_connection
from tests.benchmarks.servers import Servers, ask

#: Activities of a workflow, and how many workflows are measured. It is one where every
#: decision is a replay, which takes a time that grows with the square of N.
_SIZES = {10: 20, 100: 5, 1_000: 2}

_CALLS = (
    "PollForDecisionTask",
    "RespondDecisionTaskCompleted",
    "GetWorkflowExecutionHistory",
)

_multiply = flow.activity(arithmetic_types.MultiplyActivity)


@flow.workflow(version="1", task_list="sequences")
async def sequence(many: int) -> None:
    """Do one activity after another."""
    for _ in range(many):
        await _multiply({"operation": ["mult_id", [1, 2, 3]]})


class _Sequences(flowser.Domain):
    name = "sequences"
    workflow_types = [sequence]


class _Types(_Sequences):
    activity_types = [_multiply]


class _Spent(NamedTuple):
    """What was spent until now.

    Attributes:
        cpu: Seconds of this process, which decides and does nothing else.
        sent: Bytes.
        received: Bytes.
        calls: To decide; all others are made by another process.
    """

    cpu: float
    sent: float
    received: float
    calls: float


def main(servers: Servers) -> None:
    """Print the figure."""
    tables.title(
        "replay-sticky",
        "deciding N activities, one after another, by flowser.Worker; aims for runs\n"
        "  that are kept: CPU per activity within 20 % of N = 10, 2 calls a decision",
    )
    logging.getLogger("flowser").setLevel(logging.ERROR)  # of polls that are cut off
    asyncio.run(_measure(servers))


async def _measure(servers: Servers) -> None:
    playing = ("activities", tables.FLOWSER, "asyncio", servers.local, _Types.name)
    async with (
        flowser_connection(servers.local) as direct,
        cabled(servers.local) as cable,
        flowser_connection(cable.url) as conn,
    ):
        await _Types(direct).register()
        async with contestant(*playing):
            for sticky in (True, False):
                farm = _Farm(servers, _Sequences(direct), cable)
                async with flowser.Worker(_Sequences(conn), sticky=sticky, drain=0):
                    await _compare(farm, sticky=sticky)
                await asyncio.sleep(0.2)  # polls that were cut off are gone by then


async def _compare(farm: "_Farm", *, sticky: bool) -> None:
    await farm.spent(10, 5)  # for warmth
    first = 0.0
    for many, workflows in _SIZES.items():
        spent = await farm.spent(many, workflows if sticky else 1)
        first = first or spent.cpu / many
        _print(sticky, many, spent, spent.cpu / many / first)


def _print(sticky: bool, many: int, spent: _Spent, ratio: float) -> None:
    """Print what a workflow took."""
    what = f"N = {many:,}, runs {'kept' if sticky else 'replayed'}"
    words = (
        f"{spent.cpu * 1e3:10,.1f} ms CPU, {spent.received / 1024:,.0f} KiB read, "
        f"{spent.sent / 1024:,.0f} written; {spent.cpu / many * 1e3:.2f} ms for an "
        f"activity, x {ratio:.2f}; {spent.calls / (many + 1):.2f} calls for a decision"
    )
    tables.line(what, "asyncio", tables.WORKER, words)


class _Farm:
    """Where workflows are started, and what that costs who decides."""

    def __init__(self, servers: Servers, domain: flowser.Domain, cable: Cable) -> None:
        self._servers = servers
        self._domain = domain
        self._cable = cable

    async def spent(self, many: int, workflows: int) -> _Spent:
        """Run workflows, one after another, and give what one of them took."""
        await ask(self._servers, "Calls")
        before = await self._now({})
        for _ in range(workflows):
            id = str(uuid.uuid4())
            await self._domain.start(sequence, sequence.input(many), workflow_id=id)
            await ask(self._servers, "Closed", n=1)
        after = await self._now(await ask(self._servers, "Calls"))
        pairs = zip(before, after, strict=True)
        return _Spent(*((last - first) / workflows for first, last in pairs))

    async def _now(self, calls: dict[str, int]) -> _Spent:
        cpu = time.process_time()
        carried = await self._cable.carried()
        return _Spent(cpu, *carried, sum(calls.get(name, 0) for name in _CALLS))
