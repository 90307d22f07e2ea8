"""Cancellation with cleanup: a cancel request is a CancelledError, also in activities.

Run it::

    python examples/cancellation.py
"""

import asyncio

import flowser
from flowser import flow

ready = asyncio.Event()


@flow.activity(version="1.0", task_list="machines", cancellation="wait")
async def run_machine(name: str) -> None:
    """Run a machine until it is told to stop."""
    ready.set()
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        print(f"{name} stops")
        raise


@flow.activity(version="1.0", task_list="machines")
async def sweep(name: str) -> None:
    """Clean a machine."""
    print(f"{name} is swept")


@flow.workflow(version="1.0", task_list="shifts")
async def shift(machine: str) -> None:
    """Run a machine, and leave it clean whatever happens."""
    try:
        await run_machine(machine)
    finally:
        await asyncio.shield(sweep(machine))


class Factory(flowser.Domain):
    """Where machines run."""

    name = "factory"
    workflow_types = [shift]
    activity_types = [run_machine, sweep]


async def main() -> None:
    """Begin a shift, and end it early."""
    async with flowser.connect_local() as conn:
        factory = Factory(conn)
        await factory.register()
        async with flowser.Worker(factory, heartbeat_interval=0.2):
            given = shift.input("the lathe")
            run = await factory.start(shift, given, workflow_id="shift-1")
            await ready.wait()
            await run.request_cancel()
            try:
                await run.result()
            except flowser.exceptions.ExecutionCanceled:
                print("the shift is canceled")


if __name__ == "__main__":
    asyncio.run(main())
