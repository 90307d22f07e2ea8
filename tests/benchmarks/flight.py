"""Memory of an activity in flight, when there are very many."""

import asyncio

from tests.benchmarks import tables
from tests.benchmarks.child import contestant
from tests.benchmarks.parts import FLIGHT, PARTS
from tests.benchmarks.servers import Servers


def main(servers: Servers) -> None:
    """Print the figure."""
    tables.title("flight", f"{FLIGHT:,} activities in flight in one process")
    asyncio.run(_measure(servers))


async def _measure(servers: Servers) -> None:
    for who in PARTS["flight"]:
        where = ("asyncio", servers.canned, who.replace(".", ""))
        async with contestant("flight", who, *where) as child:
            await child.told("full")
            usage = await child.usage()
        added = (usage.memory - usage.before) / FLIGHT
        tables.line(
            "a task in memory" if who == tables.BARE else "heartbeats and all",
            "asyncio",
            who,
            f"{usage.memory / 2**20:10.1f} MiB, {added / 1024:.2f} KiB per activity",
        )
