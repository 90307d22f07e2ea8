"""Real child processes: moto's server, and Python programs under test.

Children never outlive the block that started them, and are always waited for.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO

from tests.support.watch import Watch

ROOT = Path(__file__).resolve().parents[2]

# The first start of moto in a new environment compiles a lot of bytecode.
_MOTO_SECONDS = 60.0


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Build the environment of a child: ours, with the project importable.

    Args:
        extra: Variables to add or replace.
    """
    paths = [str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONUNBUFFERED": "1",
        **(extra or {}),
    }


@contextmanager
def moto_server() -> Iterator[str]:
    """Run moto's server in a child process.

    Yields:
        Its URL, on a loopback port of the system's choice; it answers already.

    Raises:
        RuntimeError: If it ends or stays silent; its output is in the message.
    """
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            command, stdout=output, stderr=output, env=child_environment()
        )
        try:
            yield _announced_url(child, output)
        finally:
            child.kill()
            child.wait()


def _announced_url(child: "subprocess.Popen[bytes]", output: IO[bytes]) -> str:
    """Wait for the line in which the server names its port; it listens by then."""
    deadline = time.monotonic() + _MOTO_SECONDS
    while child.returncode is None and time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=0.05)
        # The child writes by the same file offset: read without moving it.
        text = os.pread(output.fileno(), 1 << 16, 0).decode(errors="replace")
        found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", text)
        if found:
            return found[1]
    raise RuntimeError(f"moto's server did not start:\n{text}")


class Child:
    """A Python program that runs in a process of its own.

    Attributes:
        lines: What it has written so far, to stdout and stderr, as it came in.
        out: The lines of stdout alone.
        err: The lines of stderr alone.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Watch *process*; `run_python` is the way to make one."""
        self._process = process
        self._watch = Watch(lambda: "\n" + self.text)
        self._open_streams = 2
        self.lines: list[str] = []
        self.out: list[str] = []
        self.err: list[str] = []

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def text(self) -> str:
        """All it has written so far."""
        return "\n".join(self.lines)

    async def line_matching(
        self, pattern: str, n: int = 1, timeout: float = 10.0
    ) -> "re.Match[str]":
        """Wait for a line in which *pattern* is found.

        Args:
            pattern: A regular expression.
            n: The n-th such line since the start.
            timeout: Seconds after which an AssertionError shows the output; at once
                when the program has closed its output.
        """
        expression = re.compile(pattern)

        def found() -> list["re.Match[str]"]:
            return [m for line in self.lines if (m := expression.search(line))]

        await self._watch.until(
            lambda: len(found()) >= n or not self._open_streams,
            f"line {n} matching {pattern!r}",
            timeout,
        )
        assert len(found()) >= n, f"ended without {pattern!r}:\n{self.text}"
        return found()[n - 1]

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal."""
        # Not by asyncio: that goes through Popen.poll, which may reap the child
        # before asyncio's own watcher does, and its exit status would be lost.
        os.kill(self.pid, number)

    async def caught(self, number: int, timeout: float = 10.0) -> None:
        """Wait until a signal is no longer pending, or the child has ended.

        Args:
            number: The signal.
            timeout: Seconds.
        """
        async with asyncio.timeout(timeout):
            while _is_pending(self.pid, number):  # noqa: ASYNC110 - the kernel's state
                await asyncio.sleep(0)

    async def wait(self, timeout: float = 10.0) -> int:
        """Wait until it has ended and all its output is here.

        Args:
            timeout: Seconds after which an AssertionError shows the output.

        Returns:
            Its exit status; negative for a signal.
        """
        what = "end of output"
        await self._watch.until(lambda: not self._open_streams, what, timeout)
        return await self._process.wait()

    async def _read(
        self, stream: asyncio.StreamReader | None, lines: list[str]
    ) -> None:
        assert stream is not None
        async for raw in stream:
            line = raw.decode(errors="replace").rstrip("\n")
            lines.append(line)
            self.lines.append(line)
            self._watch.poke()
        self._open_streams -= 1
        self._watch.poke()

    def start_reading(self) -> list[asyncio.Task[None]]:
        """Collect its output, in tasks that end when the output does."""
        loop = asyncio.get_running_loop()
        streams = [(self._process.stdout, self.out), (self._process.stderr, self.err)]
        return [loop.create_task(self._read(*stream)) for stream in streams]

    async def stop(self, grace: float) -> None:
        """End it if it still runs: politely, and after *grace* seconds by force."""
        with suppress(ProcessLookupError):
            self.signal()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._process.wait()
        # The whole group: what it started itself must not outlive it either.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()


def _is_pending(pid: int, number: int) -> bool:
    """Look whether a process has still to take a signal."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    pending = re.findall(r"(?:Sig|Shd)Pnd:\s*(\w+)", status)
    return any(int(bits, 16) >> (number - 1) & 1 for bits in pending)


@asynccontextmanager
async def run_python(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    grace: float = 5.0,
) -> AsyncIterator[Child]:
    """Run a Python program in a child process, with the project importable.

    Args:
        arguments: Of the interpreter: ``"-m", "flowser.run", path``.
        env: Variables to add to ours.
        cwd: Its working directory.
        grace: Seconds from SIGTERM to SIGKILL, if it still runs at the end.

    Yields:
        The child; it has ended when the block is left, with all that it started.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *map(str, arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(env),
        cwd=cwd,
        start_new_session=True,
    )
    child = Child(process)
    readers = child.start_reading()
    try:
        yield child
    finally:
        await child.stop(grace)
        await asyncio.gather(*readers)
