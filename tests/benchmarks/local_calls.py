"""Requests per second by how many executions are open; memory of each; start-up.

All servers of all sizes are there at once and take turns, so that a machine that
changes its speed changes it for all of them.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from tests.benchmarks import tables
from tests.benchmarks.load import spread
from tests.benchmarks.local_jobs import CALLERS, Jobs, Spent, captured
from tests.benchmarks.local_servers import (
    CEILINGS,
    MEMORY,
    MOTO,
    SQLITE,
    prepared,
    running,
)
from tests.benchmarks.measuring import LOOPS, Cost, Spread
from tests.benchmarks.servers import Servers

SIZES = (100, 1_000, 10_000, 100_000)
ROUNDS = 15

#: How many executions a round starts, decides, works for and ends.
BURST = 96

# moto needs some 100 ms for a call at 1,000 open executions, and hands a task to two
# pollers that ask at once (perf.md section 1).
_MOTO_SIZES = (100, 1_000)
_MOTO_ROUNDS, _MOTO_BURST = 2, 8

_STARTS = 3  # of the file, to tell how long that takes

#: What is measured, and its requests.
_WORK = {"start": 1, "decision poll + respond": 2, "activity poll + respond": 2}


class Contestant:
    """A server with so many open executions.

    Attributes:
        size: How many are open when a burst has started its own.
        jobs: What is done there.
        memory: Bytes that an open execution takes.
        spent: By what was done, what a request took in each round.
    """

    def __init__(self, jobs: Jobs, size: int) -> None:
        """Measure nothing yet."""
        self.jobs = jobs
        self.size = size
        self.memory = 0.0
        self.spent: dict[str, list[Spent]] = {what: [] for what in _WORK}
        self._burst = _MOTO_BURST if self.who == MOTO else BURST

    @property
    def who(self) -> str:
        """The name of the server."""
        return self.jobs.server.who

    async def fill(self) -> None:
        """Start executions, but for those that a burst starts."""
        if self.who in CEILINGS:
            return
        before = self.jobs.server.memory()
        number = self.size - self._burst
        await spread(self.jobs.callers, self.jobs.start, number)
        self.memory = (self.jobs.server.memory() - before) / number

    async def burst(self, *, counts: bool) -> None:
        """Start executions, bring as many to their first result, and end those."""
        gc.collect()
        jobs = self.jobs
        doing = (jobs.start, jobs.decide, jobs.work)
        for (what, requests), job in zip(_WORK.items(), doing, strict=True):
            spent = await jobs.timed(job, self._burst, requests)
            if counts:
                self.spent[what].append(spent)
        await spread(jobs.callers, jobs.terminate, len(jobs.decided))

    def wall(self, what: str) -> Cost:
        """Give what each request took, in seconds."""
        return Cost([spent.wall for spent in self.spent[what]])

    def cpu(self, what: str) -> float:
        """Give what CPU time a request took at the server, in seconds."""
        return Spread.of([spent.cpu for spent in self.spent[what]]).median


def main(_: Servers) -> None:
    """Print the figure."""
    tables.title(
        "local-calls",
        "requests per second, and CPU of the server for each, by open executions\n"
        "  aims: activities x 0.60 of aiohttp.web at least, in memory; x 300 of\n"
        f"  {MOTO} at 1,000 open; x 0.80 to 1.20 of 100 open at any number; 2,000\n"
        "  writes/s at least with --db (every request writes);\n"
        f"  {CALLERS} connections, {MOTO} 1",
    )
    with asyncio.Runner(loop_factory=[*LOOPS.values()][-1]) as runner:
        runner.run(_measure())


async def _measure() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            contestants = [
                await _entered(stack, who, size, Path(folder, f"{size}.db"))
                for who, size in _places()
            ]
            first = next(each for each in contestants if each.who == MEMORY)
            for ceiling in contestants[: len(CEILINGS)]:
                await captured(first.jobs, ceiling.jobs)
            for each in contestants:
                await each.fill()
            await _take_turns(contestants)
            for each in contestants:
                each.jobs.close()
        _print(contestants)
        tables.disk(Path(folder))
        await _start_up(Path(folder, f"{SIZES[-1]}.db"))


def _places() -> Iterator[tuple[str, int]]:
    for ceiling in CEILINGS:
        yield ceiling, 0
    for size in SIZES:
        yield MEMORY, size
        yield SQLITE, size
    for size in _MOTO_SIZES:
        yield MOTO, size


async def _entered(
    stack: AsyncExitStack, who: str, size: int, path: Path
) -> Contestant:
    file = path if who == SQLITE else None
    server = await stack.enter_async_context(prepared(who, file))
    return Contestant(Jobs(server, 1 if who == MOTO else CALLERS), size)


async def _take_turns(contestants: list[Contestant]) -> None:
    for number in range(1 + ROUNDS):  # the first one is for warmth
        for each in contestants:
            if each.who != MOTO or number <= _MOTO_ROUNDS:
                await each.burst(counts=number > 0)


def _print(contestants: list[Contestant]) -> None:
    known = {(each.who, each.size): each for each in contestants}
    for what in _WORK:
        for each in contestants:
            line = f"{1 / each.wall(what).median:10,.0f}/s, {each.cpu(what) * 1e6:,.0f}"
            words = f"{line} us CPU{''.join(_ratios(what, each, known))}"
            open_ = f", {each.size:,} open" if each.size else ""
            tables.line(f"{what}{open_}", "", each.who, words)
    for each in contestants:
        if each.size == max(s for who, s in known if who == each.who) > 0:
            words = f"{each.memory / 1024:10.2f} KiB per open execution"
            tables.line(f"memory, {each.size:,} open", "", each.who, words)


def _ratios(
    what: str, each: Contestant, known: dict[tuple[str, int], Contestant]
) -> Iterator[str]:
    """Compare with the ceiling, with moto, and with few open executions."""
    mine = each.wall(what)
    if each.who in (MEMORY, SQLITE):
        for who in CEILINGS:
            ceiling = known[who, 0]
            yield f"; x {ceiling.wall(what).ratio(mine):.2f} of {who}"
            yield f", by CPU x {ceiling.cpu(what) / each.cpu(what):.2f}"
        if each.size > SIZES[0]:
            fewest = known[each.who, SIZES[0]].wall(what)
            yield f", x {fewest.ratio(mine).median:.2f} of {SIZES[0]} open"
        if moto := known.get((MOTO, each.size)):
            yield f", x {moto.wall(what).median / mine.median:,.0f} of {MOTO}"


async def _start_up(path: Path) -> None:
    """Print how long a file with very many open executions takes to open."""
    empty = await _seconds(path.with_name("empty.db"))
    full = await _seconds(path)
    words = f"{full.median:10.2f} s, an empty file {empty.median:.2f} s"
    tables.line(f"start-up, {SIZES[-1] - BURST:,} open", "", SQLITE, words)


async def _seconds(path: Path) -> Spread:
    taken = []
    for _ in range(_STARTS):
        began = time.perf_counter()
        async with running(SQLITE, path):
            taken.append(time.perf_counter() - began)
    return Spread.of(taken)
