"""A worker inside another asyncio program: a small web service that places orders.

Run it::

    python examples/embedded.py

The worker lives as long as the web application does, in the same event loop. Here the
program also plays its own customer, and then stops.
"""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

import flowser
from flowser import tasks, types


class Charge(types.Activity):
    """Takes the money."""

    name, version, task_list = "Charge", "1.0", "payments"
    heartbeat_timeout = 60
    start_to_close_timeout = 300

    async def run(self, input: dict[str, str]) -> str:
        return f"{input['amount']} charged for order {input['id']}"


class Order(types.Workflow):
    """Charges, and is done."""

    name, version, task_list = "Order", "1.0", "orders"
    task_start_to_close_timeout = 30

    async def decide(self, decision: tasks.Decision) -> None:
        charged = await decision.most_recent("ActivityTaskCompleted")
        if charged is not None:
            await decision.workflow_execution.complete(charged.attrs["result"])
        elif await decision.most_recent("ActivityTaskFailed") is not None:
            await decision.fail(reason="the charge failed")
        elif await decision.most_recent("ActivityTaskTimedOut") is not None:
            await decision.fail(reason="whether money was taken is to be looked at")
        elif await decision.most_recent("ActivityTaskScheduled") is None:
            decision.schedule(Charge, await decision.start_input)


class Shop(flowser.Domain):
    """Where orders are placed."""

    name = "shop"
    workflow_types = [Order]
    activity_types = [Charge]


SHOP = web.AppKey("shop", Shop)


async def lifespan(app: web.Application) -> AsyncIterator[None]:
    """Connect before the application serves, and drain the worker when it stops."""
    async with flowser.connect_local() as conn:
        app[SHOP] = Shop(conn)
        await app[SHOP].register()
        async with flowser.Worker(app[SHOP]):
            yield


async def place(request: web.Request) -> web.Response:
    """Place an order; if it is being handled already, wait for that."""
    order = await request.json()
    handle = await request.app[SHOP].start(Order, order, if_running="attach")
    return web.json_response({"result": await handle.result()})


def application() -> web.Application:
    """Make the web application."""
    app = web.Application()
    app.cleanup_ctx.append(lifespan)
    app.router.add_post("/orders", place)
    return app


async def main() -> None:
    """Serve, place one order, and stop."""
    runner = web.AppRunner(application())
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        url = f"http://{host}:{port}/orders"
        order = {"id": "o-17", "amount": "12 EUR"}
        async with (
            aiohttp.ClientSession() as customer,
            customer.post(url, json=order) as answer,
        ):
            print(await answer.json())
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
