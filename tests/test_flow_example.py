"""The program with which coroutine workflows were asked for, as it was written.

Source:
    issue 4 section 1.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import flowser
from flowser import flow
from flowser.testing import LocalSwf

DAY = 86_400


@dataclass
class Approval:
    """Who approved, and up to what."""

    by: str
    limit: Decimal


@dataclass
class Receipt:
    """What a charge gives."""

    order_id: str
    amount: Decimal


told: list[object] = []


@flow.activity(version="1.0", task_list="payments", retry=flow.Retry(attempts=5))
async def charge(order_id: str, amount: Decimal) -> Receipt:
    if told.count("charge") < 2:
        told.append("charge")
        raise ConnectionError("the bank does not answer")
    return Receipt(order_id, amount)


@flow.activity(version="1.0", task_list="parcels")
async def ship(order_id: str) -> None:
    told.append(f"shipped {order_id}")


@flow.activity(version="1.0", task_list="parcels")
async def notify(by: str, receipt: Receipt) -> None:
    told.append((by, receipt))


@flow.workflow(version="1.0", task_list="orders")
async def order(order_id: str, amount: Decimal) -> str:
    approvals = flow.signals("approve", Approval)
    try:
        async with asyncio.timeout(86_400):
            approval = await approvals.receive()
    except TimeoutError:
        return "expired"
    receipt = await charge(order_id, amount=amount)
    async with asyncio.TaskGroup() as tg:
        tg.create_task(ship(order_id))
        tg.create_task(notify(approval.by, receipt))
    return "shipped"


class Shop(flowser.Domain):
    name = "shop"
    workflow_types = (order,)
    activity_types = (charge, ship, notify)


async def test_order_that_is_approved_is_paid_shipped_and_told() -> None:
    told.clear()
    async with LocalSwf() as swf:
        shop = Shop(swf.conn)
        await shop.register()
        async with flowser.Worker(shop):
            run = await begun(shop)
            await asyncio.sleep(DAY - 60)
            await run.signal("approve", Approval("ann", Decimal("99.90")))
            assert await run.result() == "shipped"
    assert told[:2] == ["charge", "charge"]  # which failed, and were tried again
    assert "shipped o-17" in told
    assert ("ann", Receipt("o-17", Decimal("9.95"))) in told


async def test_order_that_nobody_approves_in_a_day_expires() -> None:
    async with LocalSwf() as swf:
        shop = Shop(swf.conn)
        await shop.register()
        async with flowser.Worker(shop):
            start = swf.now
            run = await begun(shop)
            assert await run.result() == "expired"
            assert timedelta(days=1) <= swf.now - start < timedelta(days=1, minutes=1)


async def begun(shop: Shop) -> flowser.executions.WorkflowExecution:
    """Start the order."""
    given = order.input("o-17", amount=Decimal("9.95"))
    return await shop.start(order, given, workflow_id="order o-17")
