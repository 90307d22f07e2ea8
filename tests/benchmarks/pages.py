"""How many pages of a long history are fetched; counted at the server."""

import asyncio

import flowser
from tests.benchmarks import tables
from tests.benchmarks.clients import flowser_connection
from tests.benchmarks.servers import Servers, ask

_EVENTS = 10_000


class _Math(flowser.Domain):
    name = "math"


def main(servers: Servers) -> None:
    """Print the figure."""
    tables.title(
        "pages", f"fetched of a history of {_EVENTS:,} events; aim: 1 for the newest"
    )
    asyncio.run(_count(servers))


async def _count(servers: Servers) -> None:
    await ask(servers, "Calls")
    async with flowser_connection(servers.canned) as connection:
        decision = await _Math(connection).poll_decision(f"{_EVENTS}")
        newest = await anext(aiter(decision.events))
        await _tell(servers, f"the newest event, {newest.id:,}")
        decision = await _Math(connection).poll_decision(f"{_EVENTS}")
        number = len([event async for event in decision.events])
        await _tell(servers, f"all {number:,} events")
        number = len([event async for event in decision.events])
        await _tell(servers, f"all {number:,} events again")


async def _tell(servers: Servers, what: str) -> None:
    calls = await ask(servers, "Calls")
    tables.line(what, "", tables.FLOWSER, f"{sum(calls.values()):13} fetched")
