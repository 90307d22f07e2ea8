"""Child workflows: awaited like functions, or held by a handle.

Run it::

    python examples/children.py
"""

import asyncio

import flowser
from flowser import flow


@flow.activity(version="1.0", task_list="kitchen")
async def cook(dish: str) -> str:
    """Cook a dish."""
    return f"hot {dish}"


@flow.workflow(version="1.0", task_list="waiters")
async def course(dish: str, wait: bool = False) -> str:
    """Serve a course; perhaps not before it is wanted."""
    if wait:
        await flow.signals("serve").receive()
    return await cook(dish)


@flow.workflow(version="1.0", task_list="waiters")
async def dinner(dishes: list[str], dessert: str) -> list[str]:
    """Serve dishes one after the other, and the dessert that was begun early."""
    last = course.start(dessert, wait=True)  # a future, and more
    served = [await course(dish) for dish in dishes]
    await flow.external(last).signal("serve")
    return [*served, await last]


class Restaurant(flowser.Domain):
    """Where dinners are served."""

    name = "restaurant"
    workflow_types = [dinner, course]
    activity_types = [cook]


async def main() -> None:
    """Have dinner."""
    async with flowser.connect_local() as conn:
        restaurant = Restaurant(conn)
        await restaurant.register()
        async with flowser.Worker(restaurant):
            given = dinner.input(["soup", "fish"], "pie")
            run = await restaurant.start(dinner, given, workflow_id="table-1")
            print(await run.result())


if __name__ == "__main__":
    asyncio.run(main())
