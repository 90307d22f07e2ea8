"""The test kit as a type checker sees it; checked by mypy, never run."""

from decimal import Decimal
from typing import Any, assert_type

from flowser import flow, types
from flowser.testing import Call, LocalRun, LocalSwf, StandIn, load_history, replay


@flow.activity(version="1.0", task_list="payments")
async def charge(order_id: str, *, amount: Decimal = Decimal(1)) -> int:
    return len(order_id) * int(amount)


@flow.workflow(version="1.0", task_list="orders")
async def order(order_id: str, *, amount: Decimal = Decimal(1)) -> str:
    return str(await charge(order_id, amount=amount))


class Sale(types.Workflow):
    name = "Sale"
    version = "1.0"
    task_list = "sales"

    async def run(self, input: int) -> list[str]:
        return [str(input)]


async def run(swf: LocalSwf) -> None:
    assert_type(await swf.run(order, "o-1", amount=Decimal(3)), str)
    assert_type(await swf.run(order.with_(id="o-1"), "o-1"), str)
    assert_type(await swf.run(Sale, 3), list[str])
    handle = await swf.start(order, "o-1")
    assert_type(handle, LocalRun[str])
    assert_type(await handle.result(), str)
    assert_type(await (await swf.start(Sale, 3)).result(), list[str])
    assert_type(handle.calls, list[Call])
    await swf.run(order)  # type: ignore[call-overload]
    await swf.run(order, "o-1", amount=3)  # type: ignore[arg-type]
    await swf.run(Sale, "three")  # type: ignore[misc]


def stand_in(swf: LocalSwf) -> None:
    charging = swf.replace(charge).raises(ValueError, times=2).returns(7)
    assert_type(charging, StandIn)
    assert_type(charging.count, int)
    assert_type(charging.calls[0].kwargs, dict[str, Any])
    swf.replace("charge").times_out()


def go_on() -> None:
    replay(order, "order.json")
    replay(order, load_history("order.json"))
    replay(Sale, {"events": []})
