"""A contestant in a process of its own.

``python -m tests.benchmarks.child PART WHO LOOP URL DOMAIN`` plays a part for ever. On
SIGUSR1 it prints a line of JSON: what CPU it has used (seconds), and what memory it has
(bytes), now and before it began.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from tests.benchmarks.measuring import CLIENT_CPU, LOOPS, pin, resident
from tests.benchmarks.parts import PARTS
from tests.support.processes import Child, run_python


class Usage(NamedTuple):
    """What a child has used.

    Attributes:
        cpu: Seconds of user and system time.
        memory: Bytes in RAM.
        before: Bytes in RAM before it began.
    """

    cpu: float
    memory: int
    before: int


class Contestant:
    """A child, from outside."""

    def __init__(self, child: Child) -> None:
        """Talk with *child*."""
        self._child = child
        self._reports = 0

    async def usage(self) -> Usage:
        """Ask it what it has used until now."""
        self._reports += 1
        self._child.signal(signal.SIGUSR1)
        found = await self._child.line_matching(r"^usage (.*)", self._reports)
        return Usage(*json.loads(found[1]))

    async def told(self, word: str) -> None:
        """Wait until it has printed a word on a line of its own."""
        await self._child.line_matching(f"^{word}$", timeout=60)


@asynccontextmanager
async def contestant(
    part: str, who: str, loop: str, url: str, domain: str
) -> AsyncIterator[Contestant]:
    """Run a child that plays a part.

    Args:
        part: What it does, of ``PARTS``.
        who: By what.
        loop: On which event loop.
        url: Of the server.
        domain: The name of its domain.

    Yields:
        The contestant, which has begun.
    """
    arguments = ("-m", "tests.benchmarks.child", part, who, loop, url, domain)
    async with run_python(*arguments) as child:
        made = Contestant(child)
        await made.told("ready")
        yield made


async def play(part: str, who: str, url: str, domain: str) -> None:
    """Play a part in this process."""
    before = 0

    def begin() -> None:
        nonlocal before
        before = resident()
        print("ready", flush=True)

    def report() -> None:
        usage = Usage(time.process_time(), resident(), before)
        print("usage", json.dumps(usage), flush=True)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, report)
    await PARTS[part][who](url, domain, begin)


def main() -> None:
    """Run as a child."""
    part, who, loop, url, domain = sys.argv[1:]
    pin(CLIENT_CPU)
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(play(part, who, url, domain))


if __name__ == "__main__":
    main()
