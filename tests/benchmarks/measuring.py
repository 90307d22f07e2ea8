"""Measuring: CPU time and memory of this process, rounds that take turns, medians."""

import asyncio
import contextlib
import gc
import importlib
import math
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

CLIENT_CPU = 0
SERVER_CPU = 1

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def _loops() -> dict[str, LoopFactory | None]:
    loops: dict[str, LoopFactory | None] = {"asyncio": None}
    with contextlib.suppress(ImportError):
        loops["uvloop"] = importlib.import_module("uvloop").new_event_loop
    return loops


#: The event loops that are installed; None is what asyncio itself makes.
LOOPS = _loops()


def pin(cpu: int, pid: int = 0) -> None:
    """Keep a process, and its children to come, on one CPU, if there are two.

    Args:
        cpu: Its number.
        pid: The process; 0 for this one.
    """
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, {cpu})


def resident(pid: int | None = None) -> int:
    """Give the memory that a process has in RAM, in bytes; None for this one."""
    with contextlib.suppress(FileNotFoundError):
        statm = Path(f"/proc/{pid or 'self'}/statm").read_text("ascii")
        return int(statm.split()[1]) * resource.getpagesize()
    if pid is not None:
        return 0  # nobody tells
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # the peak


def used(pid: int) -> float:
    """Give the CPU time of another process, all its threads: seconds; Linux only."""
    try:
        return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3) makes it
    except OSError:
        return math.nan


def synced(folder: Path, times: int = 100) -> "Spread":
    """Measure what the disk takes to keep 4 KiB, in seconds."""
    taken = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(times):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return Spread.of(taken)


class Spread(NamedTuple):
    """A median and the quartiles around it."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Take them of some values."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, lower, upper)

    def __format__(self, spec: str) -> str:
        low, high = format(self.lower, spec), format(self.upper, spec)
        return f"{format(self.median, spec)} [{low}..{high}]"


class Cost(NamedTuple):
    """What one contestant used per call, in every round: seconds of CPU."""

    rounds: list[float]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.rounds)

    def ratio(self, base: "Cost") -> Spread:
        """Compare with another, round by round."""
        pairs = zip(self.rounds, base.rounds, strict=True)
        return Spread.of([mine / theirs for mine, theirs in pairs])


Call = Callable[[], Awaitable[object]]


def compare(
    runner: asyncio.Runner,
    contestants: dict[str, Call],
    *,
    rounds: int,
    calls: int,
    in_flight: int = 1,
) -> dict[str, Cost]:
    """Let contestants take turns, and take the CPU time of this process.

    A turn begins with calls that are not counted: caches are warm and memory is there
    when counting begins, as in a process that does nothing else.

    Args:
        runner: The loop that they live on.
        contestants: What each of them does.
        rounds: How often each has its turn; who begins changes from round to round.
        calls: How many calls are counted in a turn.
        in_flight: How many of them at a time.
    """
    costs = {name: Cost([]) for name in contestants}
    names = list(contestants)
    for _ in range(rounds):
        for name in names:
            gc.collect()
            runner.run(
                _repeat(contestants[name], max(calls // 4, in_flight), in_flight)
            )
            spent = runner.run(_repeat(contestants[name], calls, in_flight))
            costs[name].rounds.append(spent / calls)
        names.append(names.pop(0))
    return costs


async def _repeat(call: Call, calls: int, in_flight: int) -> float:
    """Make calls one after another, in some tasks, and give the CPU time in seconds."""

    async def one_after_another() -> None:
        for _ in range(calls // in_flight):
            await call()

    began = time.process_time()
    if in_flight == 1:
        await one_after_another()
    else:
        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(one_after_another())
    return time.process_time() - began
