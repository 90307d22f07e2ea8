"""Memory, and CPU while nothing happens, of a process with many long polls."""

import asyncio
from contextlib import AsyncExitStack

from tests.benchmarks import tables
from tests.benchmarks.child import Usage, contestant
from tests.benchmarks.clients import bare_client
from tests.benchmarks.measuring import LOOPS
from tests.benchmarks.parts import PARTS, POLLS
from tests.benchmarks.servers import Servers, ask
from tests.support import arithmetic

SECONDS = 15

_DOMAIN = "idle"


def main(servers: Servers) -> None:
    """Print the figure."""
    tables.title("idle", f"{POLLS} long polls held in one process for {SECONDS} s")
    asyncio.run(_measure(servers))


async def _measure(servers: Servers) -> None:
    """Let all contestants idle at the same time; none disturbs another."""
    async with bare_client(servers.local) as client:
        await arithmetic.register(client, _DOMAIN)
    async with AsyncExitStack() as stack:
        children = {
            (loop, who): await stack.enter_async_context(
                contestant("idle", who, loop, servers.local, _DOMAIN)
            )
            for loop in LOOPS
            for who in PARTS["idle"]
        }
        await ask(servers, "Parked", task_list="idle", n=POLLS * len(children))
        before = {key: await child.usage() for key, child in children.items()}
        await asyncio.sleep(SECONDS)
        for (loop, who), child in children.items():
            _print(loop, who, before[loop, who], await child.usage())


def _print(loop: str, who: str, first: Usage, last: Usage) -> None:
    added = (last.memory - last.before) / POLLS
    tables.line(
        "",
        loop,
        who,
        f"{(last.cpu - first.cpu) / SECONDS:10.3%} CPU, {last.memory / 2**20:.1f} MiB, "
        f"{added / 1024:.1f} KiB per poll",
    )
