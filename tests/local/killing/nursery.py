"""Makes servers that can be killed, in little time.

Each line of the input is a JSON list: the kind of a server, and the arguments of its
command line. A process with all modules loaded forks, and the child is the server: what
it prints comes from here. When it has ended, this says so, and reads on.
"""

import asyncio
import contextlib
import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from flowser.local.__main__ import main
from flowser.local.server import Server
from flowser.local.service import Service
from flowser.local.storage import Store


class Late(Store):
    """A store that says "committed" now, and commits later."""

    _commits = 0

    def commit(self) -> None:
        """Commit, every now and then."""
        self._commits += 1
        if self._commits % 7 == 0:
            super().commit()


def late(arguments: list[str]) -> int:
    """Serve from a store that commits late."""

    async def serve() -> None:
        with contextlib.closing(Late(Path(arguments[-1]))) as store:
            async with Service(store) as service, Server(service) as server:
                write(f"endpoint: {server.url}")
                await asyncio.Event().wait()

    asyncio.run(serve())
    return 0


def forgetful(arguments: list[str]) -> int:
    """Serve from memory, whatever file is named."""
    return main([])


KINDS: dict[str, Callable[[list[str]], int]] = {
    "true": main,
    "late": late,
    "forgetful": forgetful,
}


def write(line: str) -> None:
    """Tell something to whoever started this."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def nurse() -> None:
    """Make servers until the input ends."""
    gc.freeze()
    for line in sys.stdin:
        kind, *arguments = json.loads(line)
        child = os.fork()
        if not child:
            write(f"pid: {os.getpid()}")
            os._exit(KINDS[kind](arguments))
        os.waitpid(child, 0)
        write(f"ended: {child}")


if __name__ == "__main__":
    nurse()
