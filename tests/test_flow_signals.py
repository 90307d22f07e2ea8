"""Signals, as channels and as handlers."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from flowser import events as e
from flowser import flow
from flowser.exceptions import InvalidArgument
from tests.replay.shop import CardDeclined, resize, workflow
from tests.replay.story import Story


@dataclass
class Approval:
    by: str

    def __post_init__(self) -> None:
        if not self.by:
            raise LookupError("nobody")


def test_signals_are_kept_and_received_in_order() -> None:
    @workflow
    async def order() -> list[str]:
        approvals = flow.signals("approve", Approval)
        first = await approvals.receive()
        await asyncio.sleep(1)
        assert flow.signals("approve", Approval) is approvals
        assert len(approvals) == 2
        rest = [approvals.receive_nowait().by for _ in range(2)]
        return [first.by, *rest]

    story = Story(order)
    story.signal("approve", {"by": "a"})
    story.decide()
    story.signal("approve", {"by": "b"})
    story.signal("approve", {"by": "c"})
    story.settle()
    story.skip(1)
    story.settle()
    assert story.result == ["a", "b", "c"]


def test_signals_can_be_iterated_over() -> None:
    @workflow
    async def order() -> int:
        total = 0
        async for number in flow.signals("add", int):
            if not number:
                break
            total += number
        return total

    story = Story(order)
    for number in (1, 2, 3, 0):
        story.settle()
        story.signal("add", number)
    story.settle()
    assert story.result == 6


def test_a_signal_that_cannot_be_read_is_left_out(caplog: Any) -> None:
    @workflow
    async def order() -> str:
        return (await flow.signals("approve", Approval).receive()).by

    story = Story(order)
    story.signal("approve", 3)
    story.signal("approve", {"by": ""})
    story.signal("approve", {"by": "b"})
    story.settle()
    assert story.result == "b"
    for event in (3, 4):
        assert f"signal 'approve' of event {event} is left out" in caplog.text


def test_a_receiver_that_gives_up_loses_no_signal() -> None:
    @workflow
    async def order() -> str:
        approvals = flow.signals("approve", str)
        try:
            async with asyncio.timeout(10):
                return await approvals.receive()
        except TimeoutError:
            return "late: " + await approvals.receive()

    story = Story(order)
    story.decide()
    story.skip(10)
    story.signal("approve", "a")
    story.settle()
    assert story.result == "late: a"


def test_a_handler_is_called_for_each_signal_also_for_earlier_ones() -> None:
    @workflow
    async def order() -> list[str]:
        told: list[str] = []
        await asyncio.sleep(1)

        @flow.on_signal("note", str)
        def note(text: str) -> None:
            told.append(text)

        @flow.on_signal("work", str)
        async def work(text: str) -> None:
            told.append(await resize(text, width=1))

        await asyncio.sleep(1)
        return told

    story = Story(order, using=[resize])
    story.signal("note", "early")
    story.signal("work", "early")
    story.decide()
    story.skip(1)
    assert story.ids_of(story.decide()) == ["2", "s4.1"]
    story.signal("note", "late")
    story.complete("s4.1", "worked")
    story.settle()
    story.skip(1)
    story.settle()
    assert story.result == ["early", "late", "worked"]


@pytest.mark.parametrize("late", [False, True])
def test_what_a_handler_raises_fails_the_run(late: bool) -> None:
    @workflow
    async def order() -> None:
        @flow.on_signal("break")
        async def broken(_: None) -> None:
            if late:
                await asyncio.sleep(1)
            raise CardDeclined("no funds")

        await asyncio.sleep(100)

    story = Story(order)
    story.decide()
    story.signal("break")
    story.settle()
    if late:
        story.skip(1)
        story.settle()
    assert story.last.reason == "CardDeclined: no funds"
    story.replayed()


def test_what_a_plain_handler_raises_fails_the_run() -> None:
    @workflow
    async def order() -> None:
        @flow.on_signal("break")
        def broken(_: None) -> None:
            raise CardDeclined("no funds")

        await asyncio.sleep(100)

    story = Story(order)
    story.decide()
    story.signal("break")
    story.settle()
    assert story.last.reason == "CardDeclined: no funds"


def test_a_signal_is_received_or_handled_and_not_both() -> None:
    @workflow
    async def order() -> list[str]:
        told = []
        flow.signals("a")
        flow.on_signal("b")(print)
        wrongs: list[Any] = [
            lambda: flow.on_signal("a")(print),
            lambda: flow.on_signal("b")(print),
            lambda: flow.signals("b"),
        ]
        for wrong in wrongs:
            try:
                wrong()
            except InvalidArgument as error:
                told.append(str(error))
        return told

    story = Story(order)
    story.settle()
    assert len(story.result) == 3


def test_signals_that_nobody_wants_do_no_harm() -> None:
    @workflow
    async def order() -> str:
        await asyncio.sleep(1)
        return "done"

    story = Story(order)
    story.decide()
    story.signal("whatever", {"x": 1})
    story.settle()
    assert [*story.run.signals] == ["whatever"]
    story.skip(1)
    story.settle()
    assert story.result == "done"


class Odd(BaseException):
    """No exception that `except Exception` sees."""


@pytest.mark.parametrize("kind", [Odd, GeneratorExit, StopIteration])
@pytest.mark.parametrize("name", ["plain", "async"])
def test_whatever_a_handler_raises_fails_the_run(name: str, kind: Any) -> None:
    @workflow
    async def order() -> None:
        @flow.on_signal("plain")
        def plain(_: None) -> None:
            raise kind("odd")

        @flow.on_signal("async")
        async def later(_: None) -> None:
            raise kind("odd")

        await asyncio.sleep(100)

    story = Story(order)
    story.decide()
    story.signal(name)
    story.settle()
    turned = name == "async" and kind is StopIteration  # by Python, in a coroutine
    assert story.last.reason.startswith("RuntimeError" if turned else kind.__name__)


def test_a_flood_of_signals_before_the_first_decision_is_kept_in_order() -> None:
    @workflow
    async def order() -> list[int]:
        numbers = flow.signals("number", int)
        await asyncio.sleep(1)
        return [await numbers.receive() for _ in range(len(numbers))]

    story = Story(order)
    for number in range(2_000):
        story.signal("number", number)
    story.settle()
    story.skip(1)
    story.settle()
    assert story.result == [*range(2_000)]


def test_values_of_types_pass_between_workflows() -> None:
    @workflow
    async def order() -> list[str]:
        prices = flow.signals("price", Price)
        price = await prices.receive()
        await flow.external("o-2").signal("price", price)
        return [type(price).__name__, type(price.amount).__name__, str(price.amount)]

    @flow.workflow(version="1", task_list="kids")
    async def idle() -> None: ...

    other = Story(idle, workflow_id="o-2")
    story = Story(order, rig=other.rig)
    story.decide()
    story.signal("price", {"amount": "1.10", "until": "2026-01-01T00:00:00Z"})
    story.settle()
    assert story.result == ["Price", "Decimal", "1.10"]
    [signaled] = [
        event.attributes
        for event in other.history
        if isinstance(event.attributes, e.WorkflowExecutionSignaled)
    ]
    assert signaled.input == '{"amount":"1.10","until":"2026-01-01T00:00:00Z"}'


@dataclass
class Price:
    amount: Decimal
    until: datetime
