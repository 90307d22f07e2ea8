"""A loop that never ends: it continues as a new run before its history grows long.

Run it::

    python examples/continue_as_new.py
"""

import asyncio

import flowser
from flowser import flow


@flow.activity(version="1.0", task_list="meters")
async def read_meter(meter: str, number: int) -> int:
    """Read a meter."""
    return 10 * number


@flow.workflow(version="1.0", task_list="readers")
async def reading(meter: str, total: int = 0, number: int = 1) -> int:
    """Read a meter again and again: here six times, twice in a run."""
    for _ in range(2):
        total += await read_meter(meter, number)
        number += 1
    if number > 6:
        return total
    await asyncio.sleep(1)  # a day, really
    return reading.continue_as_new(meter, total=total, number=number)


class Utility(flowser.Domain):
    """Where meters are read."""

    name = "utility"
    workflow_types = [reading]
    activity_types = [read_meter]


async def main() -> None:
    """Read one meter."""
    async with flowser.connect_local() as conn:
        utility = Utility(conn)
        await utility.register()
        async with flowser.Worker(utility):
            given = reading.input("m-1")
            run = await utility.start(reading, given, workflow_id="m-1")
            print(await run.result())
            runs = [info async for info in utility.closed_executions(workflow_id="m-1")]
            print(len(runs), "runs")


if __name__ == "__main__":
    asyncio.run(main())
