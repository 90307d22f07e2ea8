"""Rounds: a server starts, is held against the journal, works, and is killed."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.local.killing.callers import DOMAIN, Farm, Line, Refused
from tests.support.processes import child_environment


class Program:
    """A Python program that makes servers, or is one.

    Attributes:
        process: The process.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def told(self, what: str) -> str:
        """Wait for a line that begins with a word, and give the rest."""
        assert self.process.stdout is not None
        seen = []
        async for raw in self.process.stdout:
            line = raw.decode().strip()
            if line.startswith(what):
                return line.removeprefix(what).strip()
            seen.append(line)
        raise AssertionError(f"it ended without {what!r}: {seen}")

    def send(self, *words: str) -> None:
        """Write a line to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words).encode() + b"\n")


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[Program]:
    """Run a Python program, and end it with all that it made."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child_environment(),
        start_new_session=True,
    )
    try:
        yield Program(process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


class Servers:
    """Starts a server on a file, and ends it; one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def start(self) -> int:
        """Start one, and give its process."""
        raise NotImplementedError

    async def url(self) -> str:
        """Wait until it listens."""
        raise NotImplementedError

    async def ended(self) -> None:
        """Wait until it has ended."""
        raise NotImplementedError


class Forked(Servers):
    """Servers of a nursery."""

    def __init__(self, path: Path, nursery: Program, kind: str) -> None:
        super().__init__(path)
        self._nursery = nursery
        self._kind = kind

    async def start(self) -> int:
        """Fork one."""
        self._nursery.send(self._kind, "--db", str(self.path))
        return int(await self._nursery.told("pid:"))

    async def url(self) -> str:
        """Wait until it listens."""
        return await self._nursery.told("endpoint:")

    async def ended(self) -> None:
        """Wait until it has ended."""
        await self._nursery.told("ended:")


@asynccontextmanager
async def forked(path: Path, kind: str = "true") -> AsyncIterator[Forked]:
    """Give servers that start fast."""
    async with program("-m", "tests.local.killing.nursery") as nursery:
        yield Forked(path, nursery, kind)


class Commanded(Servers):
    """Servers by the command line."""

    def __init__(self, path: Path, stack: AsyncExitStack) -> None:
        super().__init__(path)
        self._stack = stack

    async def start(self) -> int:
        """Start one."""
        block = program("-m", "flowser.local", "--db", str(self.path))
        self._program = await self._stack.enter_async_context(block)
        return self._program.process.pid

    async def url(self) -> str:
        """Wait until it listens."""
        return await self._program.told("endpoint:")

    async def ended(self) -> None:
        """Wait until it has ended."""
        await self._program.process.wait()
        await self._stack.aclose()


@asynccontextmanager
async def commanded(path: Path) -> AsyncIterator[Commanded]:
    """Give servers that start as users start them."""
    async with AsyncExitStack() as stack:
        yield Commanded(path, stack)


class Rounds:
    """Kills servers.

    Attributes:
        kills: How many.
    """

    def __init__(self, servers: Servers, seed: int) -> None:
        self.kills = 0
        self.farm = Farm(seed)
        self._servers = servers
        self._chance = random.Random(seed)

    @property
    def problems(self) -> list[str]:
        """What was found that no server may do."""
        return self.farm.journal.problems

    async def run(self, kills: int) -> None:
        """Go through rounds, and look at everything at the end."""
        async with aiohttp.ClientSession() as session:
            while self.kills < kills and not self.problems:
                await self._round(session)
            await self._last(session)

    async def _round(self, session: aiohttp.ClientSession) -> None:
        pid = await self._servers.start()
        if self._chance.random() < 0.1:  # at a start that nobody waits for
            await asyncio.sleep(self._chance.uniform(0, 0.03))
        else:
            line = Line(session, await self._servers.url())
            await self.farm.prepare(line)
            await self._check(line)
            async with asyncio.TaskGroup() as group:
                group.create_task(self.farm.work(line))
                await self.farm.answered(self._chance.randrange(60))
                await asyncio.sleep(self._chance.uniform(0, 0.003))
                os.kill(pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        await self._servers.ended()
        self.kills += 1

    async def _last(self, session: aiohttp.ClientSession) -> None:
        pid = await self._servers.start()
        line = Line(session, await self._servers.url())
        await self.farm.prepare(line)
        await self._check(line, closed=True)
        os.kill(pid, signal.SIGTERM)
        await self._servers.ended()

    async def _check(self, line: Line, *, closed: bool = False) -> None:
        """Hold what a server knows against the journal.

        Args:
            line: To the server.
            closed: Whether to look at closed runs too, and at types; otherwise, at
                those that are open, or were.
        """
        found = await _runs(line, "Open")
        looked_at = self.farm.open | found
        self.farm.open = found
        if closed:
            looked_at |= await _runs(line, "Closed")
            self.farm.journal.check_runs(set(looked_at))
            self.farm.journal.check_types(await _types(line) - {"Work"})
        await asyncio.gather(*(self._look(line, *run) for run in looked_at.items()))

    async def _look(self, line: Line, run: str, run_id: str) -> None:
        ids = {"workflowId": run, "runId": run_id}
        try:
            answer = await line.ask(
                "GetWorkflowExecutionHistory", domain=DOMAIN, execution=ids
            )
        except Refused:
            self.farm.journal.missing(run)
        else:
            assert "nextPageToken" not in answer
            self.farm.journal.check(run, answer["events"])


async def _runs(line: Line, which: str) -> dict[str, str]:
    """List runs: run ids by workflow ids."""
    operation = f"List{which}WorkflowExecutions"
    window = {"startTimeFilter": {"oldestDate": 0}}
    infos = await _pages(line, operation, "executionInfos", **window)
    ids = [info["execution"] for info in infos]
    return {each["workflowId"]: each["runId"] for each in ids}


async def _pages(line: Line, operation: str, member: str, **members: Any) -> list[Any]:
    found: list[Any] = []
    while True:
        answer = await line.ask(operation, domain=DOMAIN, **members)
        found += answer[member]
        if "nextPageToken" not in answer:
            return found
        members["nextPageToken"] = answer["nextPageToken"]


async def _types(line: Line) -> set[str]:
    status = {"registrationStatus": "REGISTERED"}
    infos = await _pages(line, "ListActivityTypes", "typeInfos", **status)
    return {info["activityType"]["name"] for info in infos}
