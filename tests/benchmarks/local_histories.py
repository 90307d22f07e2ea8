"""Calls by how long the history is."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import tables
from tests.benchmarks.load import Caller, spread
from tests.benchmarks.local_jobs import CALLERS, DECISIONS, Jobs, Spent, poll
from tests.benchmarks.local_servers import MEMORY, MOTO, SQLITE, prepared
from tests.benchmarks.measuring import LOOPS, Cost, Spread
from tests.benchmarks.servers import Servers

#: How many executions have so many events.
EXECUTIONS = {10: 400, 1_000: 200, 10_000: 20}
ROUNDS = 15

#: Tasks of a round: one to a history at most, so that none grows much.
_BURST = 20
_MOTO_ROUNDS, _MOTO_BURST = 3, 1

#: Events of a start, of a decision, of an activity, and of the next decision.
_OTHERS = 8

_MARKER = {
    "decisionType": "RecordMarker",
    "recordMarkerDecisionAttributes": {"markerName": "m"},
}

# moto knows no pages: it always sends the whole history.
_POLLS = {
    "decision, a whole page": poll(DECISIONS, reverseOrder=True),
    "decision, the newest 10": poll(DECISIONS, reverseOrder=True, maximumPageSize=10),
}
_ACTIVITY = "activity"


class Contestant:
    """A server with executions that have so many events each."""

    def __init__(self, jobs: Jobs, size: int) -> None:
        """Measure nothing yet."""
        self.jobs = jobs
        self.size = size
        slow = self.who == MOTO
        self.rounds = _MOTO_ROUNDS if slow else ROUNDS
        self._burst = _MOTO_BURST if slow else _BURST
        self._executions = 1 if slow else EXECUTIONS[size]
        self.spent: dict[str, list[Spent]] = {what: [] for what in (*_POLLS, _ACTIVITY)}

    @property
    def who(self) -> str:
        """The name of the server."""
        return self.jobs.server.who

    async def fill(self) -> None:
        """Start executions, and bring each to its length by one answer."""
        markers = [_MARKER] * max(0, self.size - _OTHERS)
        write = partial(self.jobs.decide, before=markers)
        for job in (self.jobs.start, write, self.jobs.work):
            await spread(self.jobs.callers, job, self._executions)

    async def burst(self) -> None:
        """Decide in each way, and work in between."""
        gc.collect()
        for what, given in _POLLS.items():
            await self._timed(what, partial(self.jobs.decide, given=given))
            await self._timed(_ACTIVITY, self.jobs.work)

    async def _timed(self, what: str, job: Callable[[Caller], Awaitable[None]]) -> None:
        spent = await self.jobs.timed(job, self._burst, requests=2)
        self.spent[what].append(spent)


def main(_: Servers) -> None:
    """Print the figure."""
    tables.title(
        "local-histories",
        "requests per second, and CPU of the server for each, by events in a history;\n"
        "  a poll and its answer each; a page has 1,000 events",
    )
    with asyncio.Runner(loop_factory=[*LOOPS.values()][-1]) as runner:
        runner.run(_measure())


async def _measure() -> None:
    with TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            contestants = [
                Contestant(await _entered(stack, who, Path(folder, f"{size}.db")), size)
                for who in (MEMORY, SQLITE, MOTO)
                for size in EXECUTIONS
            ]
            for each in contestants:
                await each.fill()
            for number in range(ROUNDS):
                for each in contestants:
                    if number < each.rounds:
                        await each.burst()
            for each in contestants:
                each.jobs.close()
    _print(contestants)


async def _entered(stack: AsyncExitStack, who: str, path: Path) -> Jobs:
    file = path if who == SQLITE else None
    server = await stack.enter_async_context(prepared(who, file))
    return Jobs(server, 1 if who == MOTO else CALLERS)


def _print(contestants: list[Contestant]) -> None:
    shortest = {each.who: each for each in reversed(contestants)}
    for what in (*_POLLS, _ACTIVITY):
        for each in contestants:
            wall = Cost([spent.wall for spent in each.spent[what]])
            cpu = Spread.of([spent.cpu for spent in each.spent[what]]).median * 1e6
            first = shortest[each.who]
            ratio = ""
            if each is not first:
                least = Cost([spent.wall for spent in first.spent[what]])
                ratio = f"; x {least.ratio(wall).median:.3f} of {first.size} events"
            tables.line(
                f"{what}, {each.size:,} events",
                "",
                each.who,
                f"{1 / wall.median:10,.0f}/s, {cpu:,.0f} us CPU{ratio}",
            )
