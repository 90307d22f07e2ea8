"""Cancellation, in every order in which it can race with what it cancels."""

import asyncio
import contextlib
from typing import Any

import anyio
import pytest

from flowser import decisions as d
from flowser import events as e
from flowser import flow
from tests.replay.story import Story

workflow = flow.workflow(version="1", task_list="deciders")


@flow.activity(version="1", task_list="payers")
async def charge(name: str) -> str:
    return name


patient = charge.with_(cancellation="wait")
careless = charge.with_(cancellation="abandon")

CANCEL = d.RequestCancelActivityTask(activity_id="1")


def begun(made: Any, *, started: bool = True) -> Story:
    """Play a workflow until its activities run."""
    story = Story(made, using=[charge])
    story.settle()
    if started:
        story.tasks()
    return story


# -- the run is canceled --


def test_cancel_of_the_run_is_raised_at_the_innermost_await() -> None:
    @workflow
    async def main() -> str:
        async def inner() -> str:
            try:
                return await charge("a")
            except asyncio.CancelledError:
                told.append("inner")
                raise

        told: list[str] = []
        try:
            await inner()
        finally:
            flow.set_status(told)
        return "never"

    story = begun(main)
    story.cancel()
    assert story.decisions() == [CANCEL, d.CancelWorkflowExecution()]
    assert isinstance(story.last, e.WorkflowExecutionCanceled)
    assert story.answers[-1].context == '{"fv":1,"status":["inner"]}'
    story.replayed()


def test_cancel_may_be_refused_and_the_run_goes_on() -> None:
    @workflow
    async def main() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await charge("a")
        assert flow.info().cancel_requested
        return await charge("b")

    story = begun(main)
    story.cancel()
    assert story.ids_of(story.decide()) == ["1", "2"]
    story.complete("2", "b")
    story.settle()
    assert story.result == "b"


def test_cleanup_may_await_durable_work() -> None:
    @workflow
    async def main() -> str:
        try:
            return await charge("a")
        except asyncio.CancelledError:
            await charge("refund")
            raise

    story = begun(main)
    story.cancel()
    assert story.ids_of(story.decide()) == ["1", "2"]
    story.complete("2", "refunded")
    assert story.decisions() == [d.CancelWorkflowExecution()]


def test_cleanup_that_is_shielded_survives_a_second_cancellation() -> None:
    @workflow
    async def main() -> str:
        try:
            async with asyncio.timeout(60):
                return await charge("a")
        finally:
            undo = asyncio.ensure_future(charge("refund"))
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(undo)
            flow.set_status(await undo)

    story = begun(main)
    story.cancel()
    story.decide()
    story.skip(60)
    story.settle()
    story.complete("3.1", "refunded")
    story.settle()
    assert isinstance(story.last, e.WorkflowExecutionCanceled)
    assert story.answers[-1].context == '{"fv":1,"status":"refunded"}'


def test_a_request_that_is_repeated_does_not_interrupt_the_cleanup() -> None:
    @workflow
    async def main() -> str:
        try:
            return await charge("a")
        except asyncio.CancelledError:
            return await charge("refund")

    story = begun(main)
    story.cancel()
    story.decide()
    story.cancel()
    assert story.decisions() == []
    story.complete("2", "refunded")
    story.settle()
    assert story.result == "refunded"


def test_cancel_before_the_first_decision() -> None:
    @workflow
    async def main() -> str:
        return await charge("a")

    story = Story(main, using=[charge])
    story.cancel()
    assert story.decisions() == [d.CancelWorkflowExecution()]


def test_cancel_of_a_sleeping_run_stops_the_timer() -> None:
    @workflow
    async def main() -> None:
        await asyncio.sleep(60)

    story = begun(main)
    story.cancel()
    assert story.decisions() == [
        d.CancelTimer(timer_id="1"),
        d.CancelWorkflowExecution(),
    ]


def test_cancel_reaches_all_tasks_of_a_group() -> None:
    @workflow
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(charge("a"))
            group.create_task(charge("b"))

    story = begun(main)
    story.cancel()
    assert story.ids_of(story.decide()) == ["1.1", "2.1", "CancelWorkflowExecution"]


def test_cancel_in_anyio_reaches_all_tasks_of_a_group() -> None:
    @workflow
    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(charge, "a")
            group.start_soon(charge, "b")

    story = begun(main)
    story.cancel()
    assert story.ids_of(story.decide()) == ["1.1", "2.1", "CancelWorkflowExecution"]


# -- races --


def test_completion_before_the_cancel_request_wins() -> None:
    @workflow
    async def main() -> str:
        first = await charge("a")
        try:
            await charge("b")
        except asyncio.CancelledError:
            return f"{first}, then canceled"
        return "never"

    story = begun(main)
    story.complete("1", "a")
    story.cancel()
    # `b` was never sent, so there is nothing to cancel.
    assert story.decisions() == [
        d.CompleteWorkflowExecution(result='"a, then canceled"')
    ]


def test_cancel_request_before_the_completion_wins() -> None:
    @workflow
    async def main() -> str:
        try:
            return await charge("a")
        except asyncio.CancelledError:
            return "canceled"

    story = begun(main)
    story.cancel()
    story.complete("1", "a")
    # `a` has ended meanwhile, so there is nothing to cancel.
    assert story.decisions() == [d.CompleteWorkflowExecution(result='"canceled"')]


def test_completion_while_the_cancel_request_is_being_sent() -> None:
    @workflow
    async def main() -> str:
        try:
            async with asyncio.timeout(10):
                return await charge("a")
        except TimeoutError:
            return await charge("b")

    story = begun(main)
    story.skip(10)
    story.decide(meanwhile=lambda: story.complete("2", "too late"))
    assert "RequestCancelActivityTaskFailed" in story.event_types
    assert story.decisions() == []
    story.complete("3", "b")
    story.settle()
    assert story.result == "b"


def test_timer_that_fires_while_its_cancellation_is_being_sent() -> None:
    @workflow
    async def main() -> str:
        async with asyncio.timeout(10):
            await charge("a")
        return await charge("b")

    story = begun(main)
    story.complete("2", "a")
    story.decide(meanwhile=lambda: story.skip(10))
    assert "CancelTimerFailed" in story.event_types
    story.settle()
    story.complete("3", "b")
    story.settle()
    assert story.result == "b"


def test_timeout_and_completion_in_one_turn_end_in_the_order_of_history() -> None:
    @workflow
    async def main() -> str:
        try:
            async with asyncio.timeout(10):
                return await charge("a")
        except TimeoutError:
            return "too late"

    story = begun(main)
    story.complete("2", "in time")
    story.skip(10)
    story.settle()
    assert story.result == "in time"

    story = begun(main)
    story.skip(10)
    story.complete("2", "in time")
    story.settle()
    assert story.result == "too late"


# -- what an activity does when it is canceled --


def test_request_goes_on_at_once_and_asks_only_once() -> None:
    @workflow
    async def main() -> str:
        handle = charge.start("a")
        await asyncio.sleep(1)
        assert handle.cancel()
        assert not handle.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await handle
        return await charge("b")

    story = begun(main)
    story.skip(1)
    assert story.ids_of(story.decide()) == ["1", "3"]
    assert story.beat("1")
    story.acknowledge("1")
    assert story.decisions() == []
    story.complete("3", "b")
    story.settle()
    assert story.result == "b"


def test_wait_goes_on_when_the_worker_acknowledges() -> None:
    @workflow
    async def main() -> str:
        try:
            async with asyncio.timeout(10):
                return await patient("a")
        except TimeoutError:
            return "acknowledged"

    story = begun(main)
    story.skip(10)
    assert story.decisions() == [d.RequestCancelActivityTask(activity_id="2")]
    assert story.beat("2")
    story.acknowledge("2")
    story.settle()
    assert story.result == "acknowledged"


@pytest.mark.parametrize("how", ["complete", "fail"])
def test_wait_is_not_swallowed_when_the_activity_ends_otherwise(how: str) -> None:
    @workflow
    async def main() -> list[str]:
        handle = patient.start("a")
        try:
            await handle
        except asyncio.CancelledError:
            return [str(handle.late)]
        return ["swallowed"]

    story = begun(main)
    story.cancel()
    assert story.decisions() == [CANCEL]
    if how == "complete":
        story.complete("1", "charged")
    else:
        story.fail("1", "Broken: it broke")
    story.settle()
    late = {"complete": "charged", "fail": "charge (1): Broken: it broke"}[how]
    assert story.result == [late]


def test_wait_for_an_activity_that_was_not_sent_yet_does_not_wait() -> None:
    @workflow
    async def main() -> str:
        handle = patient.start("a")
        handle.cancel()
        try:
            return await handle
        except asyncio.CancelledError:
            return "never sent"

    story = Story(main, using=[charge])
    assert story.decisions() == [d.CompleteWorkflowExecution(result='"never sent"')]


def test_wait_for_an_activity_that_has_not_started_ends_with_its_request() -> None:
    @workflow
    async def main() -> str:
        try:
            async with asyncio.timeout(10):
                return await patient("a")
        except TimeoutError:
            return "canceled"

    story = begun(main, started=False)
    story.skip(10)
    assert story.decisions() == [d.RequestCancelActivityTask(activity_id="2")]
    story.settle()
    assert story.result == "canceled"


def test_abandon_asks_for_nothing() -> None:
    @workflow
    async def main() -> str:
        try:
            async with asyncio.timeout(10):
                return await careless("a")
        except TimeoutError:
            return await charge("b")

    story = begun(main)
    story.skip(10)
    assert story.ids_of(story.decide()) == ["3"]
    story.complete("2", "a")
    assert story.decisions() == []
    story.complete("3", "b")
    story.settle()
    assert story.result == "b"


def test_an_activity_that_somebody_else_canceled_raises_an_ordinary_error() -> None:
    @workflow
    async def main() -> str:
        handle = charge.start("a")
        other = asyncio.ensure_future(handle)
        try:
            await other
        except flow.ActivityCanceled as error:
            return f"{error}: {error.details}"
        return "never"

    story = begun(main)
    story.beat("1")
    # A worker answers so without having been asked, too.
    story.acknowledge("1", "shutting down")
    story.settle()
    assert story.result == "charge (1): shutting down"


def test_start_and_cancel_in_one_turn_ask_swf_for_nothing() -> None:
    @workflow
    async def main() -> str:
        for _ in range(3):
            task = asyncio.create_task(charge("a"))
            await asyncio.sleep(0)
            task.cancel()
        async with asyncio.timeout(5):
            return await charge("b")

    story = Story(main, using=[charge])
    assert story.ids_of(story.decide()) == ["4", "5"]


def test_a_task_that_swallows_its_cancellation_goes_on() -> None:
    """What T #620 lost: the task is not canceled twice, nor is the run."""

    @workflow
    async def main() -> list[str]:
        told: list[str] = []

        async def stubborn() -> None:
            try:
                await charge("a")
            except asyncio.CancelledError:
                told.append(await charge("b"))

        task = asyncio.create_task(stubborn())
        await asyncio.sleep(1)
        task.cancel()
        await task
        return told

    story = begun(main)
    story.skip(1)
    assert story.ids_of(story.decide()) == ["1.1", "1.2"]
    story.complete("1.2", "b")
    story.settle()
    assert story.result == ["b"]


def test_a_wait_inside_an_anyio_scope_inside_a_canceled_run() -> None:
    @workflow
    async def main() -> str:
        with anyio.CancelScope() as scope:
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(patient, "a")
                    await patient("b")
            finally:
                flow.set_status(str(scope.cancelled_caught))
        return "never"

    story = begun(main)
    story.cancel()
    assert story.ids_of(story.decide()) == ["2"]
    story.acknowledge("2")
    assert story.ids_of(story.decide()) == ["1.1"]
    story.acknowledge("1.1")
    assert story.decisions() == [d.CancelWorkflowExecution()]


def test_an_anyio_scope_around_a_task_group_of_asyncio_that_waits() -> None:
    """A livelock on any loop: the group shrugs off what the scope repeats."""

    @workflow
    async def main() -> str:
        with anyio.move_on_after(5) as scope:
            async with asyncio.TaskGroup() as group:
                group.create_task(patient("a"))
        return str(scope.cancelled_caught)

    story = begun(main)
    story.skip(5)
    assert story.ids_of(story.decide()) == ["2.1"]
    story.signal("anything")
    assert story.decisions() == []
    story.acknowledge("2.1")
    story.settle()
    assert story.result == "True"
