"""Failures, as workflow code sees them, and as it fails."""

import asyncio
import json
from typing import Any

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
