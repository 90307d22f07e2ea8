"""Long polls: what they cost while nothing comes, and how soon they are answered."""

import asyncio
import random
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import tables
from tests.benchmarks.load import Caller, beside, calling
from tests.benchmarks.local_jobs import DECISIONS, Jobs, poll
from tests.benchmarks.local_servers import MEMORY, MOTO, SQLITE, LocalServer, prepared
from tests.benchmarks.measuring import LOOPS
from tests.benchmarks.servers import Servers

#: As many as SWF lets wait at a task list.
POLLS = 1_000
SECONDS = 15
TASKS = 300

# Each of moto's polls is a thread, and is empty after a second.
_MOTO_POLLS, _MOTO_TASKS = 100, 12

#: Seconds until all polls are there, and until one is.
_ALL_THERE, _ONE_THERE = 2.0, 0.01


def main(_: Servers) -> None:
    """Print the figure."""
    tables.title(
        "local-polls",
        f"{POLLS:,} long polls held for {SECONDS} s, {_MOTO_POLLS} of {MOTO}'s, which "
        "ask again\n  every second; beside them, from the start of an execution until "
        "a poll\n  of another list has its decision task; aim: 2 ms at most",
    )
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # one for each poll
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=[*LOOPS.values()][-1]) as runner:
        for who in (MEMORY, SQLITE, MOTO):
            runner.run(_measure(who))


async def _measure(who: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "swf.db") if who == SQLITE else None
        async with prepared(who, path) as server:
            jobs = Jobs(server, 2)
            if who == MOTO:
                await _idle(server, jobs, _MOTO_POLLS, 0)
                await _tell(jobs, _MOTO_TASKS)
            else:
                await _idle(server, jobs, POLLS, TASKS)
            jobs.close()
        if path:
            tables.disk(path.parent)


async def _idle(server: LocalServer, jobs: Jobs, polls: int, tasks: int) -> None:
    """Hold polls for a while; then, with them, some that are answered."""
    before = server.memory()
    with calling(server.url, polls) as callers:
        async with beside(map(_wait, callers)):
            await asyncio.sleep(_ALL_THERE)
            added = (server.memory() - before) / polls
            cpu = server.cpu()
            await asyncio.sleep(SECONDS)
            share = (server.cpu() - cpu) / SECONDS
            words = f"{share:10.2%} CPU, {added / 1024:.1f} KiB per poll"
            tables.line(f"idle, {polls:,} polls", "", server.who, words)
            if tasks:
                await _tell(jobs, tasks)


async def _wait(caller: Caller) -> None:
    """Poll a list that has no tasks."""
    while True:
        await caller.call("PollForActivityTask", poll("idle"))


async def _tell(jobs: Jobs, tasks: int) -> None:
    """Print how long it takes from a task to its poll's answer."""
    delays = sorted([await _delay(jobs) for _ in range(tasks)])
    middle, late = delays[tasks // 2], delays[tasks * 99 // 100]
    words = f"{middle * 1e3:10.2f} ms, 99 % within {late * 1e3:.2f} ms"
    tables.line("task scheduled to poll answered", "", jobs.server.who, words)


async def _delay(jobs: Jobs) -> float:
    """Start an execution while somebody polls, and give the seconds until a task."""
    starter, poller = jobs.callers
    async with asyncio.TaskGroup() as group:
        answered = group.create_task(_task(poller))
        # moto's polls are empty after a second: begin anywhere in it.
        most = 1.0 if jobs.server.who == MOTO else _ONE_THERE
        await asyncio.sleep(random.uniform(_ONE_THERE, most))
        began = time.perf_counter()
        await jobs.start(starter)
    return answered.result() - began


async def _task(caller: Caller) -> float:
    """Poll until there is a task; tell when."""
    asked = "PollForDecisionTask", poll(DECISIONS)
    while b'"taskToken"' not in await caller.call(*asked):
        pass
    return time.perf_counter()
