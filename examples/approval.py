"""Signals with a deadline: an order waits for somebody to approve it, but not for ever.

Run it::

    python examples/approval.py
"""

import asyncio
from dataclasses import dataclass

import flowser
from flowser import flow


@dataclass
class Approval:
    """What a signal brings."""

    by: str


@flow.activity(version="1.0", task_list="payments")
async def charge(order_id: str, amount: str) -> str:
    """Take the money."""
    return f"{amount} for {order_id}"


@flow.workflow(version="1.0", task_list="orders")
async def order(order_id: str, amount: str, patience: float) -> str:
    """Charge an order when it is approved in time."""
    approvals = flow.signals("approve", Approval)
    try:
        async with asyncio.timeout(patience):  # an SWF timer
            approval = await approvals.receive()  # an SWF signal
    except TimeoutError:
        return f"{order_id} has expired"
    return f"{await charge(order_id, amount)}, approved by {approval.by}"


class Shop(flowser.Domain):
    """Where orders are placed."""

    name = "shop"
    workflow_types = [order]
    activity_types = [charge]


async def main() -> None:
    """Place two orders, and approve one."""
    async with flowser.connect_local() as conn:
        shop = Shop(conn)
        await shop.register()
        async with flowser.Worker(shop):
            given = order.input("o-1", "12 EUR", 60)
            approved = await shop.start(order, given, workflow_id="o-1")
            await approved.signal("approve", Approval("Ada"))
            given = order.input("o-2", "99 EUR", 1)
            forgotten = await shop.start(order, given, workflow_id="o-2")
            print(await approved.result())
            print(await forgotten.result())


if __name__ == "__main__":
    asyncio.run(main())
