"""The arithmetic workflow end to end, by several pollers of each task list."""

import asyncio
import contextlib
import itertools
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from tests.benchmarks import tables
from tests.benchmarks.load import Caller, RefusedError, beside, calling, spread
from tests.benchmarks.local_jobs import Spent, poll
from tests.benchmarks.local_servers import MEMORY, MOTO, SQLITE, LocalServer, prepared
from tests.benchmarks.measuring import LOOPS, Cost, Spread
from tests.benchmarks.servers import Servers
from tests.support import arithmetic

WORKFLOWS = 500
ROUNDS = 5

#: Of each task list; and as many start workflows.
POLLERS = 4

_MOTO_WORKFLOWS, _MOTO_ROUNDS = 40, 1
_SECONDS = 60  # for all workflows of a round

_encode = msgspec.json.Encoder().encode


class Farm:
    """Deciders and workers, and those who start what they do.

    Attributes:
        refused: How many answers came too late: moto gives a task to two pollers.
        stuck: How many workflows never ended.
    """

    def __init__(self, server: LocalServer) -> None:
        """Work at *server*."""
        self._server = server
        self._open = 0
        self._closed = asyncio.Event()
        self.refused = self.stuck = 0

    async def round(self, workflows: int) -> Spent:
        """Run so many workflows, and tell what each of them took."""
        self._open = workflows
        self._closed.clear()
        jobs = [self._decide, *map(_worker, arithmetic.ACTIVITIES)] * POLLERS
        with (
            calling(self._server.url, POLLERS) as starters,
            calling(self._server.url, len(jobs)) as pollers,
        ):
            cpu, wall = self._server.cpu(), time.perf_counter()
            async with beside(map(self._for_ever, jobs, pollers)):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_SECONDS):
                        await spread(starters, _start, workflows)
                        await self._closed.wait()
                wall, cpu = time.perf_counter() - wall, self._server.cpu() - cpu
        self.stuck += self._open
        return Spent(wall / workflows, cpu / workflows)

    async def _for_ever(
        self, job: Callable[[Caller], Awaitable[None]], caller: Caller
    ) -> None:
        while True:
            try:
                await job(caller)
            except RefusedError:
                self.refused += 1

    async def _decide(self, caller: Caller) -> None:
        name = arithmetic.task_list(arithmetic.WORKFLOW)
        task = await _polled(caller, "PollForDecisionTask", name)
        if not task["startedEventId"]:
            return
        decisions = arithmetic.decisions(task["events"])
        answer = {"taskToken": task["taskToken"], "decisions": decisions}
        await caller.call("RespondDecisionTaskCompleted", _encode(answer))
        if decisions and decisions[0]["decisionType"] == "CompleteWorkflowExecution":
            self._open -= 1
            if not self._open:
                self._closed.set()


async def _start(caller: Caller) -> None:
    identity = str(uuid.uuid4())
    given = {"id": identity, "operations": arithmetic.OPERATIONS}
    kind = {"name": arithmetic.WORKFLOW, "version": arithmetic.VERSION}
    request = {
        "domain": arithmetic.DOMAIN,
        "workflowId": identity,
        "workflowType": kind,
        "input": json.dumps(given),
    }
    await caller.call("StartWorkflowExecution", _encode(request))


def _worker(name: str) -> Callable[[Caller], Awaitable[None]]:
    """Make the job of an activity type."""

    async def work(caller: Caller) -> None:
        task_list = arithmetic.task_list(name)
        task = await _polled(caller, "PollForActivityTask", task_list)
        if not task["startedEventId"]:
            return
        operation_id, numbers = json.loads(task["input"])["operation"]
        result = json.dumps([operation_id, arithmetic.ACTIVITIES[name](numbers)])
        answer = {"taskToken": task["taskToken"], "result": result}
        await caller.call("RespondActivityTaskCompleted", _encode(answer))

    return work


async def _polled(caller: Caller, operation: str, name: str) -> Any:
    return msgspec.json.decode(await caller.call(operation, poll(name)))


def main(_: Servers) -> None:
    """Print the figure."""
    tables.title(
        "local-workflow",
        f"arithmetic workflows end to end, by a client that costs little: {POLLERS}\n"
        f"  deciders, {2 * POLLERS} workers; {WORKFLOWS} at once, "
        f"{_MOTO_WORKFLOWS} for {MOTO}",
    )
    with asyncio.Runner(loop_factory=[*LOOPS.values()][-1]) as runner:
        runner.run(_measure())


async def _measure() -> None:
    spent: dict[str, list[Spent]] = {who: [] for who in (MEMORY, SQLITE, MOTO)}
    with TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            farms: dict[str, Farm] = {}
            for who in spent:
                path = Path(folder, "swf.db") if who == SQLITE else None
                server = await stack.enter_async_context(prepared(who, path))
                farms[who] = Farm(server)
            for number, who in itertools.product(range(1 + ROUNDS), spent):
                if who == MOTO and number > _MOTO_ROUNDS:
                    continue
                many = _MOTO_WORKFLOWS if who == MOTO else WORKFLOWS
                result = await farms[who].round(many)
                if number > 0:  # the first one is for warmth
                    spent[who].append(result)
    for who, farm in farms.items():
        _print(who, spent, farm)


def _print(who: str, spent: dict[str, list[Spent]], farm: Farm) -> None:
    wall, moto = (Cost([each.wall for each in spent[w]]).median for w in (who, MOTO))
    cpu = Spread.of([each.cpu for each in spent[who]]).median
    words = f"{1 / wall:10,.0f}/s, {cpu * 1e3:,.2f} ms CPU of the server for each"
    ratio = f"; x {moto / wall:,.0f} of {MOTO}" if who != MOTO else ""
    faults = f"; {farm.refused} answers refused" if farm.refused else ""
    faults += f"; {farm.stuck} never ended" if farm.stuck else ""
    tables.line("arithmetic workflow", "", who, f"{words}{ratio}{faults}")
