"""A heartbeating activity: an attempt goes on where the one before was.

Run it::

    python examples/heartbeats.py
"""

import asyncio

import flowser
from flowser import flow

LINES = 6


@flow.activity(
    version="1.0",
    task_list="imports",
    heartbeat_timeout=1,
    start_to_close_timeout=2,
    retry=flow.Retry(attempts=3, initial=0),
)
async def load(file: str) -> str:
    """Load lines, and tell after each how far it is."""
    task = flowser.current_activity()
    first = int(task.previous_details or 0)
    for line in range(first, LINES):
        if first == 0 and line == 4:
            await asyncio.sleep(3600)  # the database hangs: SWF times it out
        await task.heartbeat(str(line + 1))  # the worker sends it when it is time
    return f"{file}: lines {first + 1} to {LINES} by the last attempt"


@flow.workflow(version="1.0", task_list="importers")
async def importing(file: str) -> str:
    """Load a file."""
    return await load(file)


class Warehouse(flowser.Domain):
    """Where files are loaded."""

    name = "warehouse"
    workflow_types = [importing]
    activity_types = [load]


async def main() -> None:
    """Load one file."""
    async with flowser.connect_local() as conn:
        warehouse = Warehouse(conn)
        await warehouse.register()
        async with flowser.Worker(warehouse):
            given = importing.input("prices.csv")
            run = await warehouse.start(importing, given, workflow_id="i-1")
            print(await run.result())


if __name__ == "__main__":
    asyncio.run(main())
