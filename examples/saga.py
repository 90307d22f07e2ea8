"""A saga: when a step of a trip cannot be booked, those before are taken back.

Run it::

    python examples/saga.py
"""

import asyncio
import logging
from contextlib import AsyncExitStack

import flowser
from flowser import flow

activity = flow.activity(version="1.0", task_list="bookings")


@activity
async def book(what: str) -> str:
    """Book something; there is no car left."""
    if what == "car":
        raise LookupError("no car left")
    print(f"booked {what}")
    return what


@activity
async def cancel(what: str) -> None:
    """Take a booking back."""
    print(f"canceled {what}")


@flow.workflow(version="1.0", task_list="trips")
async def trip(parts: list[str]) -> list[str]:
    """Book all parts of a trip, or none."""
    async with AsyncExitStack() as undo:
        booked = []
        for part in parts:
            booked.append(await book(part))
            undo.push_async_callback(cancel, part)
        undo.pop_all()  # all went well: nothing is taken back
        return booked


class Travel(flowser.Domain):
    """Where trips are booked."""

    name = "travel"
    workflow_types = [trip]
    activity_types = [book, cancel]


async def main() -> None:
    """Try to book a trip."""
    async with flowser.connect_local() as conn:
        travel = Travel(conn)
        await travel.register()
        async with flowser.Worker(travel):
            given = trip.input(["flight", "hotel", "car"])
            run = await travel.start(trip, given, workflow_id="trip-1")
            try:
                await run.result()
            except flowser.exceptions.ExecutionFailed as error:
                print(error.reason)


if __name__ == "__main__":
    logging.basicConfig(level="ERROR")  # activities that fail are warnings
    asyncio.run(main())
