"""A cable to a server, in a process of its own: it is long, and counts bytes.

``python -m tests.benchmarks.cable URL SECONDS`` prints a URL that leads to the server;
bytes take so long for each way. On SIGUSR1 it prints how many it has carried.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.benchmarks.measuring import LOOPS, SERVER_CPU, pin
from tests.support.processes import Child, run_python


class Carried(NamedTuple):
    """Bytes of HTTP.

    Attributes:
        sent: To the server.
        received: From it.
    """

    sent: int
    received: int


class Cable:
    """A cable, from outside.

    Attributes:
        url: What leads to the server.
    """

    def __init__(self, url: str, child: Child) -> None:
        """Talk with *child*."""
        self.url = url
        self._child = child
        self._reports = 0

    async def carried(self) -> Carried:
        """Ask it what it has carried until now."""
        self._reports += 1
        self._child.signal(signal.SIGUSR1)
        found = await self._child.line_matching(r"^carried (.*)", self._reports)
        return Carried(*json.loads(found[1]))


@asynccontextmanager
async def cabled(url: str, seconds: float = 0.0) -> AsyncIterator[Cable]:
    """Lay a cable.

    Args:
        url: Of the server.
        seconds: That bytes take for each way.
    """
    arguments = ("-m", "tests.benchmarks.cable", url, str(seconds))
    async with run_python(*arguments) as child:
        found = await child.line_matching(r"(http://127\.0\.0\.1:\d+)")
        yield Cable(found[1], child)


class _Ends:
    """Its ends, in its own process."""

    def __init__(self, url: str, seconds: float) -> None:
        parts = urlsplit(url)
        self._target = parts.hostname, parts.port
        self._seconds = seconds
        self.carried = [0, 0]

    async def connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry what a client and the server say, until one of them hangs up."""
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._carry(0, reader, far_writer))
            group.create_task(self._carry(1, far_reader, writer))

    async def _carry(
        self, way: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                due, data = await under_way.get()
                if (left := due - loop.time()) > 0:
                    await asyncio.sleep(left)
                if not data:
                    writer.close()
                    return
                writer.write(data)

        async with asyncio.TaskGroup() as group:
            group.create_task(arrive())
            data = b"begin"
            while data:
                try:
                    data = await reader.read(1 << 16)
                except ConnectionError:
                    data = b""
                self.carried[way] += len(data)
                under_way.put_nowait((loop.time() + self._seconds, data))


async def _carry(url: str, seconds: float) -> None:
    """Carry until SIGTERM; tell where, first."""
    pin(SERVER_CPU)
    ends = _Ends(url, seconds)
    stopped = asyncio.Event()

    def report() -> None:
        print("carried", json.dumps(ends.carried), flush=True)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, report)
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await asyncio.start_server(ends.connect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await stopped.wait()
    server.close()


def main() -> None:
    """Run as a child."""
    url, seconds = sys.argv[1:]
    with asyncio.Runner(loop_factory=[*LOOPS.values()][-1]) as runner:
        runner.run(_carry(url, float(seconds)))


if __name__ == "__main__":
    main()
