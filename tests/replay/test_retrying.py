"""Retries of activities: when, how often, and what the next attempt is told."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from flowser import decisions as d
from flowser import flow
from flowser.exceptions import InvalidArgument
from flowser.replay.failures import ActivityFailed, ActivityTimedOut, DecisionFailed
from tests.replay.story import Story

workflow = flow.workflow(version="1", task_list="deciders")


@flow.activity(
    version="1", task_list="payers", retry=flow.Retry(attempts=3, initial=2, jitter=0)
)
async def charge(order_id: str) -> str:
    return order_id


@workflow
async def order() -> str:
    try:
        return await charge("a")
    except flow.OperationFailed as error:
        return str(error)


# -- the policy --


def failed(reason: str = "ValueError: no") -> ActivityFailed:
    return ActivityFailed("1", "charge", reason)


def test_pauses_grow_until_the_maximum() -> None:
    retry = flow.Retry(attempts=None, initial=1, factor=3, maximum=20, jitter=0)
    pauses = [retry.pause(attempt, failed(), "r 1") for attempt in range(1, 6)]
    assert pauses == [1, 3, 9, 20, 20]
    assert retry.pause(10_000, failed(), "r 1") == 20


def test_jitter_is_the_same_again_and_another_for_each_run_and_attempt() -> None:
    retry = flow.Retry(attempts=None, initial=10, factor=1, jitter=0.5)
    pauses = [retry.pause(n, failed(), f"r{n} 1") for n in range(1, 200)]
    assert pauses == [retry.pause(n, failed(), f"r{n} 1") for n in range(1, 200)]
    assert len({*pauses}) == 199
    known = [pause for pause in pauses if pause is not None]
    assert 5 <= min(known) < 6
    assert 14 < max(known) <= 15


def test_there_are_so_many_attempts() -> None:
    retry = flow.Retry(attempts=2)
    assert retry.pause(1, failed(), "r") is not None
    assert retry.pause(2, failed(), "r") is None


def test_what_is_not_retryable_is_final() -> None:
    retry = flow.Retry(non_retryable=(ValueError, "app.Declined", "Gone"))
    for reason in ("ValueError: no", "app.Declined: no", "Gone"):
        assert retry.pause(1, failed(reason), "r") is None
    assert retry.pause(1, failed("KeyError: no"), "r") is not None


def test_timeouts_are_retried_and_refusals_are_not() -> None:
    retry = flow.Retry()
    assert retry.pause(1, ActivityTimedOut("1", "charge", "HEARTBEAT"), "r")
    assert retry.pause(1, DecisionFailed("1", "charge", "NO"), "r") is None


def test_durations_may_be_timedeltas() -> None:
    retry = flow.Retry(
        initial=timedelta(seconds=4), maximum=timedelta(seconds=6), jitter=0
    )
    assert [retry.pause(n, failed(), "r") for n in (1, 2)] == [4, 6]
    assert flow.Retry(initial=0).pause(1, failed(), "r") == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"initial": -1},
        {"factor": 0.5},
        {"jitter": 2},
        {"maximum": "60"},
        {"attempts": True},
        {"non_retryable": "ValueError"},
        {"non_retryable": ValueError},
    ],
)
def test_policies_that_make_no_sense_are_refused(wrong: Any) -> None:
    [name] = wrong
    with pytest.raises(InvalidArgument, match=f"retry.{name} is "):
        flow.Retry(**wrong)


# -- in a run --


def test_an_activity_that_fails_is_tried_again_after_a_pause() -> None:
    story = Story(order, using=[charge])
    assert story.ids_of(story.decide()) == ["1"]
    story.fail("1", "Broken: no")
    assert story.decisions() == [
        d.StartTimer(timer_id="1~2w", start_to_fire_timeout="2")
    ]
    story.skip(2)
    [again] = story.decisions()
    assert isinstance(again, d.ScheduleActivityTask)
    assert again.activity_id == "1~2"
    assert again.input == '{"order_id":"a"}'
    story.fail("1~2", "Broken: no")
    assert story.decisions() == [
        d.StartTimer(timer_id="1~3w", start_to_fire_timeout="4")
    ]
    story.skip(4)
    story.settle()
    story.complete("1~3", "done")
    story.settle()
    assert story.result == "done"
    story.replayed()


def test_the_last_failure_is_raised() -> None:
    story = Story(order, using=[charge])
    for attempt, id in enumerate(("1", "1~2", "1~3"), 1):
        story.settle()
        story.skip(2**attempt)
        story.settle()
        story.fail(id, f"Broken: {attempt}")
    story.settle()
    assert story.result == "charge (1): Broken: 3"
    story.replayed()


def test_the_next_attempt_is_told_the_last_heartbeats_details() -> None:
    @workflow
    async def order() -> str:
        return await charge.with_(heartbeat_timeout=5)("a")

    story = Story(order, using=[charge])
    story.settle()
    story.tasks()
    story.beat("1", "half")
    story.skip(5)
    story.settle()
    story.skip(2)
    story.settle()
    [task] = story.tasks()
    told = {"fv": 1, "attempt": 2, "details": "half"}
    assert task.input == {"@flowser": told, "order_id": "a"}
    story.skip(5)  # without having said anything
    story.settle()
    story.skip(4)
    story.settle()
    [task] = story.tasks()
    told = {"fv": 1, "attempt": 3, "details": "half"}  # which is the latest still
    assert task.input == {"@flowser": told, "order_id": "a"}
    story.complete("1~3", "done")
    story.settle()
    assert story.result == "done"
    story.replayed()


def test_the_next_attempt_is_told_what_one_that_failed_had_told() -> None:
    told: list[Any] = []

    @workflow
    async def order() -> None:
        try:
            await charge("a")
        except flow.ActivityFailed as error:
            told.append(error.heartbeat)
            raise

    story = Story(order, using=[charge])
    story.settle()
    for attempt in ("1", "1~2"):
        details = {"fv": 1, "type": "builtins.OSError", "heartbeat": f"by {attempt}"}
        story.fail(attempt, "OSError: no", json.dumps(details))
        story.settle()
        story.skip(4)
        story.settle()
    [task] = story.tasks()
    known = {"fv": 1, "attempt": 3, "details": "by 1~2"}
    assert task.input == {"@flowser": known, "order_id": "a"}
    story.fail("1~3", "OSError: no", json.dumps({"fv": 1, "heartbeat": "end"}))
    story.settle()
    assert told
    assert set(told) == {"end"}


def test_arguments_that_change_meanwhile_do_not_change_the_next_attempt() -> None:
    @flow.activity(version="1", task_list="payers", retry=flow.Retry(initial=0))
    async def many(ids: list[str]) -> str:
        return str(ids)

    @workflow
    async def order() -> str:
        ids = ["a"]
        handle = many.start(ids)
        ids.append("b")
        return await handle

    story = Story(order, using=[many])
    story.decide()
    story.fail("1", "Broken: no")
    [again] = story.decisions()
    assert isinstance(again, d.ScheduleActivityTask)
    assert again.input == '{"ids":["a"]}'


def test_no_pause_takes_no_timer() -> None:
    @workflow
    async def order() -> str:
        return await charge.with_(retry=flow.Retry(initial=0))("a")

    story = Story(order, using=[charge])
    story.decide()
    story.fail("1", "Broken: no")
    assert story.ids_of(story.decide()) == ["1~2"]


def test_a_handle_goes_through_all_attempts() -> None:
    @workflow
    async def order() -> list[str]:
        handles = [charge.start(name) for name in "ab"]
        return list(await asyncio.gather(*handles))

    story = Story(order, using=[charge])
    story.decide()
    story.fail("1", "Broken: no")
    story.complete("2", "b")
    story.settle()
    story.skip(2)
    story.settle()
    story.complete("1~2", "a")
    story.settle()
    assert story.result == ["a", "b"]


def test_cancel_in_a_pause_stops_its_timer() -> None:
    @workflow
    async def order() -> str:
        try:
            async with asyncio.timeout(60):
                return await charge.with_(retry=flow.Retry(initial=100, jitter=0))("a")
        except TimeoutError:
            await asyncio.sleep(1)
            return "too late"

    story = Story(order, using=[charge])
    story.decide()
    story.fail("2", "Broken: no")
    story.decide()
    story.skip(60)
    assert story.decisions()[0] == d.CancelTimer(timer_id="2~2w")
    story.skip(1)
    story.settle()
    assert story.result == "too late"


def test_cancel_of_a_second_attempt_names_it() -> None:
    @workflow
    async def order() -> str:
        try:
            async with asyncio.timeout(60):
                return await charge("a")
        except TimeoutError:
            await asyncio.sleep(1)
            return "too late"

    story = Story(order, using=[charge])
    story.decide()
    story.fail("2", "Broken: no")
    story.settle()
    story.skip(2)
    story.settle()
    story.tasks()
    story.skip(58)
    assert story.decisions()[0] == d.RequestCancelActivityTask(activity_id="2~2")
    story.acknowledge("2~2")
    story.settle()
    story.skip(1)
    story.settle()
    assert story.result == "too late"


def test_a_canceled_activity_that_fails_is_not_tried_again() -> None:
    @workflow
    async def order() -> str:
        handle = charge.with_(cancellation="wait").start("a")
        await asyncio.sleep(1)
        handle.cancel()
        try:
            return await handle
        except asyncio.CancelledError:
            return "canceled"

    story = Story(order, using=[charge])
    story.decide()
    story.tasks()
    story.skip(1)
    story.decide()
    story.fail("1", "Broken: no")
    story.settle()
    assert story.result == "canceled"


def test_an_id_of_ones_own_is_kept_with_the_number_of_the_attempt() -> None:
    @workflow
    async def order() -> str:
        return await charge.with_(id="mine", retry=flow.Retry(initial=0))("a")

    story = Story(order, using=[charge])
    assert story.ids_of(story.decide()) == ["mine"]
    story.fail("mine", "Broken: no")
    assert story.ids_of(story.decide()) == ["mine~2"]
