"""Failures, as workflow code sees them, and as it fails."""

import asyncio
import contextlib
import json
from typing import Any

import pytest

from flowser import decisions as d
from flowser import events as e
from flowser import flow
from tests.replay.shop import CardDeclined, charge, workflow
from tests.replay.story import Story


def test_a_failure_is_raised_at_the_await_with_the_remote_cause() -> None:
    @workflow
    async def order() -> list[Any]:
        try:
            await charge("a")
        except flow.ActivityFailed as error:
            cause = error.__cause__
            assert isinstance(cause, flow.RemoteError)
            names: list[Any] = [
                "app.CardDeclined",
                "CardDeclined",
                ValueError,
                LookupError,
            ]
            return [str(error), cause.message, *(error.is_a(name) for name in names)]
        return []

    told = {"fv": 1, "type": "app.CardDeclined", "message": "no funds"}
    told |= {"bases": ["builtins.ValueError"], "traceback": "..."}
    story = Story(order, using=[charge])
    story.decide()
    story.fail("1", "CardDeclined: no funds", json.dumps(told))
    story.settle()
    expected = ["charge (1): CardDeclined: no funds", "no funds"]
    assert story.result == [*expected, True, True, True, False]


def test_a_failure_of_any_worker_is_testable_by_the_name_in_its_reason() -> None:
    @workflow
    async def order() -> list[bool]:
        try:
            await charge("a")
        except flow.ActivityFailed as error:
            return [error.is_a("CardDeclined"), error.is_a(ValueError)]
        return []

    story = Story(order, using=[charge])
    story.decide()
    story.fail("1", "CardDeclined: no funds", "Traceback ...")
    story.settle()
    assert story.result == [True, False]


def test_a_timeout_is_raised_with_its_kind() -> None:
    @workflow
    async def order() -> list[Any]:
        try:
            await charge.with_(heartbeat_timeout=5)("a")
        except flow.ActivityTimedOut as error:
            return [error.kind, error.details, str(error)]
        return []

    story = Story(order, using=[charge])
    story.decide()
    story.beat(story.tasks()[0].id, "half")
    story.skip(6)
    story.settle()
    assert story.result == ["HEARTBEAT", "half", "charge (1): HEARTBEAT"]


def test_a_refused_decision_is_raised_with_its_cause() -> None:
    @flow.activity(version="9", task_list="payers")
    async def unknown() -> None: ...

    @workflow
    async def order() -> str:
        try:
            await unknown()
        except flow.DecisionFailed as error:
            return str(error)
        return "no error"

    story = Story(order)
    story.settle()
    assert story.result == "unknown (1): ACTIVITY_TYPE_DOES_NOT_EXIST"
    story.replayed().end()


def test_an_uncaught_exception_fails_the_run_with_details() -> None:
    @workflow
    async def order() -> None:
        try:
            int("bad amount")
        except ValueError as error:
            raise CardDeclined("no funds") from error

    story = Story(order)
    story.settle()
    failed = story.last
    assert isinstance(failed, e.WorkflowExecutionFailed)
    assert failed.reason == "CardDeclined: no funds"
    details = json.loads(failed.details or "")
    assert details["fv"] == 1
    assert details["type"] == "tests.replay.shop.CardDeclined"
    assert details["message"] == "no funds"
    assert "in order" in details["traceback"]
    assert "flowser/replay" not in details["traceback"]
    assert details["cause"]["type"] == "builtins.ValueError"
    assert details["cause"]["message"].endswith("'bad amount'")
    story.replayed()


def test_a_group_of_one_fails_the_run_with_that_one() -> None:
    @workflow
    async def order() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(charge("a"))

    story = Story(order, using=[charge])
    story.decide()
    story.fail("1.1", "CardDeclined: no funds")
    story.settle()
    assert story.last.reason == "ActivityFailed: charge (1.1): CardDeclined: no funds"
    details = json.loads(story.last.details)
    assert details["type"] == "builtins.ExceptionGroup"
    cause = details["cause"]
    assert cause["type"] == "flowser.replay.failures.ActivityFailed"
    assert cause["cause"]["type"] == "CardDeclined"


def test_a_group_of_several_fails_the_run_with_all_of_them() -> None:
    async def clean_up_badly() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("no broom") from None

    @workflow
    async def order() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(charge("a"))
            group.create_task(clean_up_badly())

    story = Story(order, using=[charge])
    story.decide()
    story.fail("1.1", "CardDeclined: no funds")
    story.settle()
    words = "unhandled errors in a TaskGroup (2 sub-exceptions): "
    words += "ActivityFailed: charge (1.1): CardDeclined: no funds; "
    words += "ValueError: no broom"
    assert story.last.reason == f"ExceptionGroup: {words}"
    details = json.loads(story.last.details)
    assert details["message"] == words
    assert details["cause"]["cause"]["type"] == "CardDeclined"


def test_what_is_too_long_in_every_way_is_told_in_short() -> None:
    bases = tuple(type(f"Base{n}" * 20, (Exception,), {}) for n in range(400))
    many = type("Many" * 10_000, bases, {})

    @workflow
    async def order() -> None:
        raise many("no")

    story = Story(order)
    story.settle()
    assert len(story.last.reason) == 256
    details = json.loads(story.last.details)
    assert details["type"].startswith("tests.test_flow_failures.ManyMany")
    assert details["message"] == "no"


def test_a_result_that_is_too_long_fails_the_run() -> None:
    @workflow
    async def order() -> str:
        return "x" * 40_000

    story = Story(order)
    story.settle()
    assert story.last.reason.startswith("InvalidArgument: result has 40,002 characters")
    story.replayed()


def test_a_result_that_cannot_be_written_fails_the_run() -> None:
    @workflow
    async def order() -> Any:
        return object()

    story = Story(order)
    story.settle()
    assert story.last.reason.startswith("SerializationError: ")


def test_details_of_a_long_chain_of_long_messages_fit() -> None:
    @workflow
    async def order() -> None:
        error = ValueError("é\n" * 20_000)
        for _ in range(50):
            error, error.__cause__ = ValueError("é\n" * 20_000), error
        raise error

    story = Story(order)
    story.settle()
    assert len(story.last.reason) == 256
    assert 10_000 < len(story.last.details) <= 32_768
    assert json.loads(story.last.details)["type"] == "builtins.ValueError"


class Odd(BaseException):
    """No exception that `except Exception` sees."""


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Odd, "Odd: odd"),
        (GeneratorExit, "GeneratorExit: odd"),
        (StopAsyncIteration, "StopAsyncIteration: odd"),
        (StopIteration, "RuntimeError: coroutine raised StopIteration"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_whatever_workflow_code_raises_fails_the_run(
    kind: Any, told: str, late: bool
) -> None:
    @workflow
    async def order() -> None:
        if late:
            await asyncio.sleep(1)
        raise kind("odd")

    story = Story(order)
    story.settle()
    if late:
        story.skip(1)
        story.settle()
    assert story.last.reason == told
    story.replayed()


def test_a_cancellation_that_nobody_asked_for_closes_the_run_as_canceled() -> None:
    @workflow
    async def order() -> None:
        task = asyncio.ensure_future(asyncio.sleep(60))
        await asyncio.sleep(0)
        task.cancel()
        await task

    story = Story(order)
    assert story.decisions() == [d.CancelWorkflowExecution()]


@pytest.mark.parametrize("value", [float("nan"), "\ud800", {1: {2: object()}}])
def test_a_result_that_json_cannot_be_fails_the_run(value: Any) -> None:
    @workflow
    async def order() -> Any:
        return value

    story = Story(order)
    story.settle()
    assert story.last.reason.startswith("SerializationError: a payload of type ")


def test_an_exception_whose_text_is_no_text_fails_the_run() -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise OSError

    @workflow
    async def order(how: str) -> None:
        raise Unspeakable if how == "unspeakable" else ValueError("\ud800")

    for how, why in (("unspeakable", "cannot be read: OSError"), ("torn", "?")):
        story = Story(order, how, workflow_id=how)
        story.settle()
        assert story.last.reason.endswith(why)


def test_tasks_that_are_left_at_the_return_end_with_the_run() -> None:
    ended: list[str] = []

    @workflow
    async def order() -> str:
        async def left() -> None:
            try:
                await charge("a")
            finally:
                ended.append("left")

        task = asyncio.create_task(left())
        charge.start("b")
        await asyncio.sleep(0)
        return "undone" if task.done() else "done"

    story = Story(order, using=[charge])
    assert story.decisions() == [d.CompleteWorkflowExecution(result='"done"')]
    story.run.end()
    assert ended
    story.replayed().end()


def test_what_swallows_everything_does_not_keep_the_run_open() -> None:
    @workflow
    async def order() -> str:
        for _ in range(3):
            with contextlib.suppress(BaseException):  # as authors should not do
                await charge("a")
        return "gone on"

    story = Story(order, using=[charge])
    story.settle()
    story.cancel()
    story.settle()
    for id in ("2", "3"):
        story.complete(id, {"number": 1, "amount": "1"})
        story.settle()
    assert story.result == "gone on"


def test_the_middle_of_a_long_traceback_is_left_out() -> None:
    def sink(deep: int, other: bool) -> None:
        if not deep:
            raise ValueError("deep down")
        if other:  # or traceback itself would shorten it
            sink(deep - 1, other=False)
        else:
            sink(deep - 1, other=True)

    @workflow
    async def order() -> None:
        sink(200, other=True)

    story = Story(order)
    story.settle()
    told = json.loads(story.last.details)["traceback"]
    assert len(told) <= 4_000
    assert "in order" in told
    assert "characters are left out" in told
    assert told.rstrip().endswith('raise ValueError("deep down")')
