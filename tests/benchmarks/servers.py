"""The process of the servers, and how to ask it what only a server can know.

``python -m tests.benchmarks.servers`` prints two URLs on its first line: of the canned
server, and of the local SWF.
"""

import asyncio
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from tests.benchmarks.canned import CannedSwf
from tests.benchmarks.measuring import LOOPS, SERVER_CPU, pin
from tests.support.http import Connection, HttpServer, Request
from tests.support.processes import ROOT, child_environment
from tests.support.watched import WatchedSwf


class Servers(NamedTuple):
    """Where they listen.

    Attributes:
        canned: URL of the canned server.
        local: URL of the local SWF.
        questions: URL for :func:`ask`.
    """

    canned: str
    local: str
    questions: str


@contextmanager
def serving() -> Iterator[Servers]:
    """Run the servers, in a process of their own, on a CPU of their own."""
    command = [sys.executable, "-m", "tests.benchmarks.servers"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=child_environment(), cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            yield Servers(*process.stdout.readline().decode().split())
        finally:
            process.terminate()


async def ask(servers: Servers, question: str, **params: Any) -> Any:
    """Ask the servers something.

    Args:
        servers: Where they are.
        question: ``Calls``: how often each operation was called since the last time.
            ``Parked``: answered as soon as *n* polls are held on *task_list*.
            ``Closed``: answered as soon as *n* more runs have been completed.
        params: What the question needs.
    """
    body = msgspec.json.encode(params)
    head = f"POST / HTTP/1.1\r\nX-Amz-Target: Q.{question}\r\nContent-Length: "
    parts = urlsplit(servers.questions)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(head.encode() + b"%d\r\n\r\n%b" % (len(body), body))
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(answer.rpartition(b":")[2])
    answered = msgspec.json.decode(await reader.readexactly(length))
    writer.close()
    await writer.wait_closed()
    return answered


class Questions:
    """Answers what :func:`ask` asks."""

    def __init__(self, canned: CannedSwf, local: WatchedSwf, group: asyncio.TaskGroup):
        """Know both servers; waits belong to *group*."""
        self._canned = canned
        self._local = local
        self._group = group
        self._runs = 0
        self.http = HttpServer(self._handle)

    def _handle(self, request: Request, connection: Connection) -> None:
        if request.operation == "Calls":
            calls = self._canned.calls + self._local.calls
            self._canned.calls.clear()
            self._local.calls.clear()
            connection.reply(msgspec.json.encode(calls))
            return
        given = msgspec.json.decode(request.body)
        wait = self._parked if request.operation == "Parked" else self._closed
        self._group.create_task(wait(connection, **given))

    async def _parked(self, connection: Connection, task_list: str, n: int) -> None:
        await self._local.parked(task_list, n, timeout=60)
        connection.reply(b"true")

    async def _closed(self, connection: Connection, n: int) -> None:
        self._runs += n
        await self._local.happened(
            "WorkflowExecutionCompleted", self._runs, timeout=300
        )
        connection.reply(b"true")


async def serve() -> None:
    """Serve until SIGTERM; tell where, first."""
    pin(SERVER_CPU)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # one for each poll
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    canned = CannedSwf()
    async with WatchedSwf() as local, asyncio.TaskGroup() as group:
        questions = Questions(canned, local, group)
        ports = await canned.http.listen(), await questions.http.listen()
        first, last = (f"http://127.0.0.1:{port}" for port in ports)
        sys.stdout.write(f"{first} {local.url} {last}\n")
        sys.stdout.flush()
        await stopped.wait()
        await canned.http.abort()
        await questions.http.abort()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=[*LOOPS.values()][-1]) as runner:
        runner.run(serve())
