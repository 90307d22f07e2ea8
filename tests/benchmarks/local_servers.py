"""The servers that are compared, each in a process of its own: moto's, and ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.clients import bare_client
from tests.benchmarks.measuring import LOOPS, SERVER_CPU, pin, resident, used
from tests.support import arithmetic
from tests.support.processes import run_python

#: What a server on aiohttp can reach at most, by event loop; perf.md section 3 has the
#: first. The local SWF runs on the last.
CEILINGS = {
    f"aiohttp.web, {loop}": ("-m", "tests.benchmarks.ceiling", loop) for loop in LOOPS
}

#: The names of the other contestants.
MOTO = "moto"
MEMORY = "flowser.local"
SQLITE = "flowser.local --db"

_COMMANDS = {
    **CEILINGS,
    MOTO: ("-m", "moto.server", "-H", "127.0.0.1", "-p", "0"),
    MEMORY: ("-m", "flowser.local"),
    SQLITE: ("-m", "flowser.local", "--db"),
}


class LocalServer(NamedTuple):
    """A server that runs.

    Attributes:
        who: Its name.
        url: Where it listens.
        pid: Its process.
    """

    who: str
    url: str
    pid: int

    def cpu(self) -> float:
        """Give the CPU time it has used, in seconds."""
        return used(self.pid)

    def memory(self) -> int:
        """Give the memory it has in RAM, in bytes."""
        return resident(self.pid)


@asynccontextmanager
async def running(who: str, path: Path | None = None) -> AsyncIterator[LocalServer]:
    """Run a server, on the CPU of servers.

    Args:
        who: Its name.
        path: The file that it keeps, if it keeps one.

    Yields:
        The server; it answers.
    """
    file = [path] if path else []
    async with run_python(*_COMMANDS[who], *file, grace=30) as child:
        pin(SERVER_CPU, child.pid)
        found = await child.line_matching(r"(http://127\.0\.0\.1:\d+)", timeout=120)
        yield LocalServer(who, found[1], child.pid)


@asynccontextmanager
async def prepared(who: str, path: Path | None = None) -> AsyncIterator[LocalServer]:
    """Run a server whose domain and types are registered; else as :func:`running`."""
    async with running(who, path) as server:
        if who not in CEILINGS:
            async with bare_client(server.url) as client:
                await arithmetic.register(client)
        yield server
