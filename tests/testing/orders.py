"""Coroutine workflows of a shop, which has no domain: tests run them as they are."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import msgspec

from flowser import flow, tasks, types

DAY = timedelta(days=1)


class Receipt(msgspec.Struct):
    """What a payment comes to."""

    id: str
    amount: Decimal


class CardDeclined(Exception):
    """There is no money."""


@flow.activity(
    version="1.0",
    task_list="payments",
    retry=flow.Retry(attempts=3, non_retryable=(CardDeclined,)),
    heartbeat_timeout=60,
    start_to_close_timeout=600,
)
async def charge(order_id: str, *, amount: Decimal = Decimal(1)) -> Receipt:
    """Take money."""
    return Receipt(order_id, amount)


@flow.activity(version="1.0", task_list="parcels")
def ship(order_id: str) -> str:
    """Send a parcel; a plain function, which runs in a thread."""
    return f"{order_id} is on its way"


class Weigh(types.Activity):
    """An activity that is a class."""

    name, version, task_list = "Weigh", "1.0", "parcels"

    async def run(self, input: Receipt) -> float:
        """Weigh what was paid for."""
        return float(input.amount)


weigh = flow.activity(Weigh)


@flow.workflow(version="1.0", task_list="packing", execution_start_to_close_timeout=DAY)
async def pack(order_id: str, parts: int) -> list[str]:
    """Pack the parts of an order, one an hour."""
    for _ in range(parts):
        await asyncio.sleep(3_600 / parts)
    return [order_id] * parts


@flow.workflow(
    version="1.0", task_list="orders", execution_start_to_close_timeout=3 * DAY
)
async def order(order_id: str, amount: Decimal) -> str:
    """Sell something, when somebody approves of it within a day."""
    approvals = flow.signals("approve", str)
    try:
        async with asyncio.timeout(DAY.total_seconds()):
            await approvals.receive()
    except TimeoutError:
        return "expired"
    receipt = await charge(order_id, amount=amount)
    parts = await pack(order_id, 2)
    weight = await weigh(receipt)
    return f"{await ship(order_id)}, {len(parts)} parts, {weight:g} kg"


class Sale(types.Workflow):
    """A workflow that is a class."""

    name, version, task_list = "Sale", "1.0", "orders"

    async def run(self, input: Receipt) -> float:
        """Weigh something."""
        return await weigh(input)


class Manual(types.Workflow):
    """A workflow that decides by itself."""

    name, version, task_list = "Manual", "1.0", "orders"

    async def decide(self, decision: tasks.Decision) -> None:
        """Decide nothing."""
