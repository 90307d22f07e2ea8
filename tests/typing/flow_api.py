"""Coroutine workflows as a type checker sees them; checked by mypy, never run."""

import asyncio
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any, assert_type
from uuid import UUID

import flowser
from flowser import flow


@flow.activity(version="1.0", task_list="payments", retry=flow.Retry(attempts=5))
async def charge(order_id: str, *, amount: Decimal = Decimal(1)) -> int:
    return len(order_id) * int(amount)


@flow.activity(version="1.0", task_list="images")
def resize(image: str, width: int) -> str:
    return f"{image}@{width}"


class Ship(flowser.types.Activity):
    name = "Ship"
    version = "1.0"
    task_list = "ships"

    async def run(self, input: dict[str, int]) -> list[str]:
        return list(input)


class Pack(flowser.types.Activity):
    name = "Pack"
    version = "1.0"
    task_list = "ships"

    def run(self, input: int) -> bytes:
        return bytes(input)


class Album(flowser.types.Workflow):
    name = "Album"
    version = "1.0"
    task_list = "albums"

    async def run(self, input: str) -> int:
        return len(input)

    def pages(self) -> dict[str, int]:
        return {}


ship = flow.activity(Ship)
pack = flow.activity(Pack)
album = flow.workflow(Album)


class Bare:
    """No type yet; mypy takes what decorates a class for the class itself."""

    async def run(self, input: int) -> str:
        return str(input)


bare = flow.workflow(version="1.0", task_list="albums")(Bare)
rate = flow.lambda_function("rate", result=float)


@flow.workflow(version="1.0", task_list="orders", child_policy="ABANDON")
async def order(order_id: str, amount: Decimal) -> str:
    assert_type(await charge(order_id, amount=amount), int)
    assert_type(await resize(order_id, width=3), str)
    assert_type(await ship({"a": 1}), list[str])
    assert_type(await pack(3), bytes)
    assert_type(await album("a"), int)
    assert_type(await bare(3), str)
    assert_type(await rate(3), float)

    handle = charge.with_(task_list="other", heartbeat_timeout=3).start(order_id)
    assert_type(handle, flow.ActivityHandle[int])
    assert_type(await handle, int)
    both = await asyncio.gather(charge("a"), resize("b", 1))
    assert_type(both, tuple[int, str])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(charge("a"))
    assert_type(task.result(), int)

    child = album.with_(id="mine", tag_list=["red"]).start("a")
    assert_type(child, flow.ChildHandle[int])
    assert_type(await child.started, str)
    await child.signal("hello", 3)
    await child.request_cancel()
    await flow.external(child).signal("hello", 3)

    numbers = flow.signals("numbers", int)
    assert_type(await numbers.receive(), int)
    assert_type(await flow.step(_clock, 3), str)
    assert_type(await flow.amap(charge, ["a"]), list[int])
    assert_type(await flow.amap(charge, ["a"], tolerate=1), list[int | Exception])
    assert_type(flow.now(), datetime)
    assert_type(flow.info().attempt, int)
    assert_type(flow.random(), Random)
    assert_type(flow.uuid4(), UUID)
    assert_type(flow.patched("x"), bool)

    @flow.on_signal("note", str)
    def note(text: str) -> None:
        flow.set_status(text)

    try:
        await charge(order_id)
    except flow.ActivityTimedOut as error:
        assert_type(error.kind, str)
    except flow.ActivityFailed as error:
        assert_type(error.is_a("app.Declined"), bool)

    # What a call does not take, and what it does not give, is seen before it runs.
    await charge(3)  # type: ignore[arg-type]
    await charge(order_id, amounts=3)  # type: ignore[call-arg]
    await charge()  # type: ignore[call-arg]
    await album(3)  # type: ignore[arg-type]
    text: str = await charge(order_id)  # type: ignore[assignment]
    charge.with_(tasklist="x")  # type: ignore[call-arg]
    return text


@flow.workflow(version="1.0", task_list="orders")
async def pages(page: int) -> str:
    if page < 3:
        pages.continue_as_new(page=page + 1)
    if page < 0:
        flow.continue_as_new(page=page + 1)
    return f"page {page}"


async def _clock(seconds: int) -> str:
    return str(seconds)


class Shop(flowser.Domain):
    name = "shop"
    workflow_types = [order, album, Album]
    activity_types = [charge, resize, Ship, Pack]


async def starting(shop: Shop) -> None:
    given: Any = order.input("a", amount=Decimal(2))
    await shop.start(order, given, workflow_id="o-1")
    order.input(3)  # type: ignore[call-arg, arg-type]


async def asking(shop: Shop) -> None:
    handle = await shop.start(album)
    assert_type(await handle.query(Album.pages), dict[str, int])
    assert_type(await handle.query(lambda order: len(order.lines)), int)
    assert_type(await handle.query(lambda _: flow.info(), watchdog=None), flow.Info)
    assert_type(await handle.stack(watchdog=3.5), str)
    async with shop.replica(shop.execution("o-1")) as replica:
        assert_type(await replica.ask(Album.pages), dict[str, int])
        assert_type(await replica.stack(), str)
    await handle.query("pages")  # type: ignore[arg-type]
    await handle.query()  # type: ignore[call-arg]


class Strict(Shop):
    lint = "raise"


def linting() -> None:
    assert_type(flow.lint(order), list[flow.Finding])
    assert_type(flow.lint(Album)[0].line, int)
