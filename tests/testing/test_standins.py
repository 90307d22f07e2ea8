"""What stands in for activities and children, and what is known of their calls."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

import flowser
from flowser import flow
from flowser.exceptions import ExecutionFailed, InvalidArgument
from flowser.testing import LocalRun, LocalSwf, StandInUsedUp, UnusedStandIn
from tests.testing.orders import (
    CardDeclined,
    Receipt,
    Sale,
    Weigh,
    charge,
    order,
    pack,
    ship,
    weigh,
)

workflow = flow.workflow(
    version="1.0",
    task_list="orders",
    execution_start_to_close_timeout=timedelta(days=30),
)
activity = flow.activity(version="1.0", task_list="parcels")

RECEIPT = Receipt("r-1", Decimal(9))


@pytest.fixture
async def swf() -> AsyncIterator[LocalSwf]:
    async with LocalSwf() as local:
        yield local


async def approved(swf: LocalSwf) -> LocalRun[str]:
    """Start an order that somebody approves of."""
    run = await swf.start(order, "o-1", amount=Decimal(3))
    await run.signal("approve", "ann")
    return run


@workflow
async def pay(order_id: str) -> Receipt:
    """Pay for an order."""
    return await charge(order_id)


# -- what it does --


async def test_value_is_returned_in_place_of_an_activity(swf: LocalSwf) -> None:
    charging = swf.replace(charge).returns(RECEIPT)
    run = await approved(swf)
    assert "9 kg" in await run.result()
    (call,) = charging.calls
    assert (call.args, call.kwargs) == (("o-1",), {"amount": Decimal(3)})
    assert (call.name, call.attempt, call.workflow_id) == ("charge", 1, "order-1")
    assert charging.count == 1
    assert run.calls[0] is call


async def test_what_was_not_given_is_not_in_the_call(swf: LocalSwf) -> None:
    charging = swf.replace(charge).returns(RECEIPT)
    assert await swf.run(pay, "o-1") == RECEIPT
    assert charging.calls[0].kwargs == {}


@pytest.mark.parametrize("error", [CardDeclined, CardDeclined("no funds")])
async def test_exception_is_raised_in_place_of_an_activity(
    swf: LocalSwf, error: Any
) -> None:
    charging = swf.replace(charge).raises(error)
    with pytest.raises(ExecutionFailed, match="CardDeclined"):
        await swf.run(pay, "o-1")
    assert charging.count == 1


async def test_effects_happen_in_turn_and_attempts_are_counted(swf: LocalSwf) -> None:
    start = swf.now
    charging = swf.replace(charge).raises(OSError("down")).times_out().returns(RECEIPT)
    run = await swf.start(pay, "o-1")
    assert await run.result() == RECEIPT
    assert [call.attempt for call in charging.calls] == [1, 2, 3]
    timed_out = [event async for event in run.history().filter("ActivityTaskTimedOut")]
    assert [event.attrs["timeoutType"] for event in timed_out] == ["HEARTBEAT"]
    assert 60 <= (swf.now - start).total_seconds() < 120


async def test_last_effect_happens_for_ever(swf: LocalSwf) -> None:
    charging = swf.replace(charge).raises(CardDeclined, times=2).returns(RECEIPT)
    for _ in range(2):
        with pytest.raises(ExecutionFailed):
            await swf.run(pay, "o-1")
    for _ in range(3):
        assert await swf.run(pay, "o-1") == RECEIPT
    assert charging.count == 5


async def test_stand_in_without_effects_returns_none(swf: LocalSwf) -> None:
    @activity
    async def notify(whom: str) -> None:
        raise AssertionError(whom)

    @workflow
    async def notifying() -> None:
        await notify("ann")

    notified = swf.replace(notify)
    await swf.run(notifying)
    assert notified.calls[0].args == ("ann",)


async def test_function_is_called_by_the_names_of_parameters(swf: LocalSwf) -> None:
    async def take(*, amount: Decimal, order_id: str) -> Receipt:
        await asyncio.sleep(120)  # it is heartbeated meanwhile
        return Receipt(f"{order_id}-{flowser.current_activity().activity_id}", amount)

    swf.replace(charge).runs(take)
    assert await swf.run(pay, "o-1") == Receipt("o-1-1", Decimal(1))


async def test_function_may_be_plain_and_take_anything(swf: LocalSwf) -> None:
    swf.replace(ship).runs(lambda **given: f"{given} is lost")
    swf.replace(Weigh).runs(lambda receipt: float(receipt.amount) + 1)
    run = await approved(swf)
    assert await run.result() == "{'order_id': 'o-1'} is lost, 2 parts, 4 kg"


async def test_function_may_raise(swf: LocalSwf) -> None:
    def decline(**_: Any) -> Receipt:
        raise CardDeclined("no funds")

    swf.replace(charge).runs(decline)
    with pytest.raises(ExecutionFailed, match="CardDeclined: no funds"):
        await swf.run(pay, "o-1")


async def test_what_never_answers_times_out_by_its_shortest_clock(
    swf: LocalSwf,
) -> None:
    swf.replace(ship).times_out()
    with pytest.raises(ExecutionFailed, match="ActivityTimedOut: ship"):
        await (await approved(swf)).result()


async def test_what_is_canceled_is_told_to_a_function(swf: LocalSwf) -> None:
    told = asyncio.Event()

    async def wait(**_: Any) -> Receipt:
        try:
            await asyncio.Event().wait()
        finally:
            told.set()
        raise AssertionError

    @workflow
    async def impatient() -> str:
        try:
            async with asyncio.timeout(100):
                await charge.with_(cancellation="wait")("o-1")
        except TimeoutError:
            return "too late"
        return "in time"

    swf.replace(charge).runs(wait)
    assert await swf.run(impatient) == "too late"
    assert told.is_set()


# -- what it stands in for --


async def test_name_stands_for_activities_of_all_versions(swf: LocalSwf) -> None:
    shipping = swf.replace("ship").returns("by name")
    assert (await (await approved(swf)).result()).startswith("by name")
    assert shipping.calls[0].args == ("o-1",)


async def test_of_two_stand_ins_the_latest_counts(swf: LocalSwf) -> None:
    swf.replace(ship).returns("by function")
    swf.replace("ship").returns("by name")
    assert (await (await approved(swf)).result()).startswith("by name")
    swf.replace(ship).returns("by function")
    assert (await (await approved(swf)).result()).startswith("by function")


async def test_classes_are_replaced_as_they_are_or_as_described(swf: LocalSwf) -> None:
    weighing = swf.replace(Weigh).returns(2.5)
    assert await swf.run(Sale, RECEIPT) == 2.5
    assert weighing.calls[0].args == (RECEIPT,)
    swf.replace(weigh).returns(3.5)  # of two, the latest counts
    assert await swf.run(Sale, RECEIPT) == 3.5
    assert weighing.count == 1


async def test_child_is_replaced_and_takes_no_time(swf: LocalSwf) -> None:
    packing = swf.replace(pack).returns(["one"])
    start = swf.now
    assert "1 parts" in await (await approved(swf)).result()
    assert (swf.now - start).total_seconds() < 60
    assert packing.calls[0].args == ("o-1", 2)
    assert packing.calls[0].workflow_id != "order-1"


async def test_child_may_fail_or_run_other_workflow_code(swf: LocalSwf) -> None:
    async def slowly(order_id: str, parts: int) -> list[str]:
        await asyncio.sleep(7_200)
        return [await ship(order_id)] * parts

    packing = swf.replace(pack).raises(LookupError("no box")).runs(slowly)
    with pytest.raises(ExecutionFailed, match="LookupError: no box"):
        await (await approved(swf)).result()
    start = swf.now
    assert "2 parts" in await (await approved(swf)).result()
    assert 7_200 <= (swf.now - start).total_seconds() < 7_300
    assert packing.count == 2


async def test_child_that_never_answers_times_out(swf: LocalSwf) -> None:
    swf.replace(pack).times_out()
    with pytest.raises(ExecutionFailed, match="ChildTimedOut"):
        await (await approved(swf)).result()


async def test_what_the_test_itself_starts_is_not_replaced(swf: LocalSwf) -> None:
    swf.replace(pack).returns(["a stand-in"])
    await (await approved(swf)).result()
    assert await swf.run(pack, "o-1", 1) == ["o-1"]


async def test_activity_is_replaced_after_it_was_called_for_real(
    swf: LocalSwf,
) -> None:
    assert await swf.run(pay, "o-1") == Receipt("o-1", Decimal(1))
    swf.replace(charge).returns(RECEIPT)
    assert await swf.run(pay, "o-1") == RECEIPT
    assert len(swf.calls) == 2


async def test_fan_out_is_counted_in_the_order_of_its_tasks(swf: LocalSwf) -> None:
    shipping = swf.replace(ship).returns("shipped")

    @workflow
    async def many() -> int:
        ids = (f"o-{number}" for number in range(50))
        return len(await asyncio.gather(*map(ship, ids)))

    assert await swf.run(many) == 50
    assert sorted(call.args[0] for call in shipping.calls) == sorted(
        f"o-{number}" for number in range(50)
    )


# -- what does not fit --


def test_result_that_is_none_of_the_type_is_refused_at_once() -> None:
    swf = LocalSwf()
    problem = "the stand-in for charge gives 7, which is no result of it"
    with pytest.raises(InvalidArgument, match=problem):
        swf.replace(charge).returns(7)
    with pytest.raises(InvalidArgument, match="gives None, which is no result"):
        swf.replace(ship).returns(None)
    with pytest.raises(InvalidArgument, match="no result of it"):
        swf.replace(Weigh).returns(object())


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (lambda order_id: None, "unexpected keyword argument 'amount'"),
        (lambda order_id, amount, tip: None, "missing a required argument: 'tip'"),
        (lambda order, amount: None, "missing a required argument: 'order'"),
        (lambda: None, "unexpected keyword argument"),
        (7, "function is 7: give a function with the parameters of charge"),
    ],
)
def test_function_that_cannot_be_called_so_is_refused_at_once(
    function: Any, problem: str
) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        LocalSwf().replace(charge).runs(function)


def test_function_for_a_class_takes_its_input() -> None:
    replaced = LocalSwf().replace(Weigh)
    replaced.runs(lambda anything: 1.0)
    with pytest.raises(InvalidArgument, match="too many positional arguments"):
        replaced.runs(lambda: 1.0)


@pytest.mark.parametrize("error", [7, KeyboardInterrupt, "boom", int])
def test_what_is_no_exception_is_refused(error: Any) -> None:
    with pytest.raises(InvalidArgument, match="give an Exception, or a class of them"):
        LocalSwf().replace(charge).raises(error)


def test_exception_that_needs_arguments_is_asked_for_with_them() -> None:
    replaced = LocalSwf().replace(charge)
    with pytest.raises(
        InvalidArgument, match="UnicodeDecodeError, which cannot be made"
    ):
        replaced.raises(UnicodeDecodeError)
    replaced.raises(UnicodeDecodeError("utf-8", b"", 0, 1, "no text"))


def test_exception_of_the_other_side_is_refused_with_the_remedy() -> None:
    error = flow.ActivityTimedOut("1", "charge", "START_TO_CLOSE")
    with pytest.raises(InvalidArgument, match=r"or say times_out\(\)"):
        LocalSwf().replace(charge).raises(error)


@pytest.mark.parametrize("times", [0, -1, True, 1.5])
def test_number_of_times_is_1_or_more(times: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"times is .*: give 1 or more"):
        LocalSwf().replace(charge).times_out(times=times)


async def _undecorated() -> None: ...


@pytest.mark.parametrize("what", [_undecorated, 7, "", None, int])
def test_what_cannot_be_replaced_is_told(what: Any) -> None:
    with pytest.raises(InvalidArgument, match="is no activity and no workflow"):
        LocalSwf().replace(what)


def test_lambda_function_is_told_where_it_belongs() -> None:
    double = flow.lambda_function("double", result=int)
    with pytest.raises(InvalidArgument, match=r"LocalSwf\(functions="):
        LocalSwf().replace(double)


async def test_name_with_a_result_that_does_not_fit_fails_the_test(
    swf: LocalSwf,
) -> None:
    swf.replace("charge").returns("r-1")
    with pytest.raises(InvalidArgument, match="the stand-in for charge gives 'r-1'"):
        await swf.run(pay, "o-1")


async def test_name_with_a_function_that_does_not_fit_fails_the_test(
    swf: LocalSwf,
) -> None:
    swf.replace("charge").runs(lambda: None)
    with pytest.raises(InvalidArgument, match="cannot be called as charge"):
        await swf.run(pay, "o-1")


@pytest.mark.parametrize("what", [charge, pack])
async def test_function_whose_result_does_not_fit_fails_the_test(
    swf: LocalSwf, what: Any
) -> None:
    swf.replace(what).runs(lambda **_: 7)
    with pytest.raises(InvalidArgument, match="gives 7, which is no result of it"):
        await (await approved(swf)).result()


async def test_call_too_many_fails_the_test(swf: LocalSwf) -> None:
    swf.replace(charge).raises(OSError("down"), times=2)
    problem = "the stand-in for charge is called for the 3. time: it has no effect left"
    with pytest.raises(StandInUsedUp, match=problem):
        await swf.run(pay, "o-1")


async def test_name_that_nobody_called_is_told_at_the_end() -> None:
    with pytest.raises(UnusedStandIn, match="'chrage'"):
        async with LocalSwf() as swf:
            swf.replace("chrage").returns(RECEIPT)
            swf.replace(ship)  # a function exists, whether it was called or not
            await swf.run(pay, "o-1")
