"""Time-outs, waiting for several, and cancelling: each on a kept run and on a new one.

`Story` makes every decision twice, and compares; `test_conformance` has the middle.
"""

import asyncio
import contextlib
import contextvars
import sys
from typing import Any

from flowser import decisions as d
from flowser import flow
from tests.replay.playing import play, work, workflow
from tests.replay.story import Story

# -- asyncio: timers and time-outs --


def test_call_at_calls_at_its_time_and_tells_it() -> None:
    @workflow
    async def main() -> list[float]:
        loop, told = asyncio.get_running_loop(), list[float]()
        began = loop.time()
        timer = loop.call_at(began + 5, lambda: told.append(loop.time() - began))
        told.append(timer.when() - began)
        await asyncio.sleep(6)
        return [round(each) for each in told]

    story = Story(main)
    assert story.ids_of(story.decide()) == ["1", "2"]
    for seconds in (5, 1):
        story.skip(seconds)
        story.settle()
    assert story.result == [5, 5]


def test_call_at_a_time_that_is_past_calls_at_once() -> None:
    @workflow
    async def main() -> list[str]:
        loop, told = asyncio.get_running_loop(), list[str]()
        loop.call_at(loop.time() - 5, told.append, "past")
        loop.call_later(0, told.append, "now")
        await asyncio.sleep(0)
        return told

    assert play(main).result == ["past", "now"]


def test_call_later_in_a_context() -> None:
    variable = contextvars.ContextVar("variable", default="outside")

    @workflow
    async def main() -> list[str]:
        loop, told = asyncio.get_running_loop(), list[str]()
        context = contextvars.copy_context()
        context.run(variable.set, "given")
        loop.call_later(1, lambda: told.append(variable.get()), context=context)
        loop.call_soon(lambda: told.append(variable.get()))
        await asyncio.sleep(1)
        return told

    assert play(main, ("skip", 1)).result == ["outside", "given"]


def test_timeout_that_is_put_off_and_called_off() -> None:
    @workflow
    async def main() -> list[str]:
        loop, told = asyncio.get_running_loop(), list[str]()
        async with asyncio.timeout(10) as outer:
            try:
                async with asyncio.timeout(None) as inner:
                    inner.reschedule(loop.time() + 5)
                    outer.reschedule(None)
                    told.append(await work("a"))
            except TimeoutError:
                told.append(f"inner {inner.expired()} outer {outer.expired()}")
            told.append(await work("b"))
        return told

    story = play(main, ("skip", 60), "4")
    assert story.result == ["inner True outer False", "4"]
    assert d.StartTimer(timer_id="1", start_to_fire_timeout="10") not in (
        story.answers[0].decisions
    )


def test_timeout_that_is_put_off_inside_a_loop() -> None:
    """A dead man's switch: each piece of work puts the end off."""

    @workflow
    async def main() -> int:
        loop, done = asyncio.get_running_loop(), 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10) as limit:
                while True:
                    await work("a")
                    done += 1
                    limit.reschedule(loop.time() + 10)
        return done

    story = Story(main, using=[work])
    for _ in range(2):
        story.settle()
        story.skip(9)
        [task] = story.tasks()
        story.complete(task.id, task.id)
    story.settle()
    story.skip(10)
    story.settle()
    assert story.result == 2


def test_timeout_that_ends_as_the_work_does_goes_by_the_order_of_events() -> None:
    @workflow
    async def main() -> str:
        try:
            async with asyncio.timeout(10):
                return await work("a")
        except TimeoutError:
            return "too late"

    for first, result in (("work", "2"), ("timer", "too late")):
        story = Story(main, using=[work])
        story.settle()
        story.tasks()
        if first == "work":
            story.complete("2", "2")
        story.skip(10)
        if first == "timer":
            story.complete("2", "2")
        story.settle()
        assert story.result == result


# -- asyncio: waiting for several --


def test_wait_with_a_timeout() -> None:
    @workflow
    async def main() -> list[int]:
        handles = [work.start(name) for name in "abc"]
        done, rest = await asyncio.wait(handles, timeout=10)
        for handle in rest:
            handle.cancel()
        return [len(done), len(rest)]

    assert play(main, "2", ("skip", 10)).result == [1, 2]


def test_wait_for_the_first_exception() -> None:
    @workflow
    async def main() -> list[str]:
        handles = [work.start(name) for name in "abc"]
        done, rest = await asyncio.wait(handles, return_when=asyncio.FIRST_EXCEPTION)
        return [f"{len(done)} {len(rest)}", await next(iter(rest))]

    assert play(main, "1", ("fail", "3"), "2").result == ["2 1", "2"]


def test_wait_over_what_gather_gives_is_refused_for_it_has_no_order() -> None:
    @workflow
    async def main() -> str:
        pairs = [asyncio.gather(work("a"), work("b")) for _ in range(2)]
        try:
            await asyncio.wait(pairs)
        except flow.NotReplayable as error:
            return str(error)
        return "no error"

    story = play(main)
    assert "wait() over what gather() gives" in story.result
    assert "pass it tasks" in story.result


def test_wait_over_tasks_that_gather() -> None:
    @workflow
    async def main() -> list[list[str]]:
        async def pair(*names: str) -> list[str]:
            return list(await asyncio.gather(*map(work, names)))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(pair("a", "b")) for _ in range(2)]
            done, _ = await asyncio.wait(tasks)
        return [task.result() for task in done]

    ids = ["1.1.1", "1.2.1", "2.1.1", "2.2.1"]
    assert play(main, *ids).result == [ids[:2], ids[2:]]


def test_gather_that_is_cancelled_cancels_all_of_it() -> None:
    @workflow
    async def main() -> str:
        both = asyncio.gather(work("a"), work("b"))
        await asyncio.sleep(1)
        both.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await both
        return "done"

    story = play(main, ("skip", 1))
    assert story.result == "done"
    assert story.event_types.count("ActivityTaskCancelRequested") == 2


def test_gather_in_gather() -> None:
    @workflow
    async def main() -> Any:
        pairs = (asyncio.gather(work("a"), work("b")) for _ in range(2))
        return await asyncio.gather(*pairs)

    assert play(main, "3.1", "1.1", "4.1", "2.1").result == [
        ["1.1", "2.1"],
        ["3.1", "4.1"],
    ]


def test_task_groups_inside_each_other_gather_all_exceptions() -> None:
    @workflow
    async def main() -> list[str]:
        try:
            async with asyncio.TaskGroup() as outer:
                async with asyncio.TaskGroup() as inner:
                    inner.create_task(work("a"))
                outer.create_task(work("b"))
        except* flow.ActivityFailed as group:
            found = [type(error).__name__ for error in group.exceptions]
        return found

    assert play(main, ("fail", "1.1")).result == ["ExceptionGroup"]


def test_exception_group_is_split_by_types_that_are_raised_at_the_await() -> None:
    @workflow
    async def main() -> list[str]:
        told: list[str] = []

        async def fails(name: str) -> None:
            try:
                await work(name)
            except flow.ActivityFailed as error:
                raise LookupError(name) from error

        async def breaks() -> None:
            raise ValueError("b")

        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(fails("a"))
                await asyncio.wait([task])
                group.create_task(breaks())
        except* LookupError as found:
            told.append(f"{len(found.exceptions)} lookup")
        except* ValueError as found:
            told.append(f"{len(found.exceptions)} value")
        return told

    assert play(main, ("fail", "1.1")).result == ["1 lookup"]


if sys.version_info >= (3, 13):

    def test_as_completed_as_an_async_iterator() -> None:
        @workflow
        async def main() -> list[str]:
            tasks = [asyncio.create_task(work(name)) for name in "abc"]
            told: list[str] = []
            async for each in asyncio.as_completed(tasks):
                assert each in tasks
                told.append(await each)
            return told

        assert play(main, "2.1", "3.1", "1.1").result == ["2.1", "3.1", "1.1"]


# -- asyncio: cancelling --


def test_cancel_that_is_taken_back() -> None:
    @workflow
    async def main() -> list[Any]:
        async def stubborn() -> str:
            try:
                return await work("a")
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                assert task is not None
                return f"{task.uncancel()} {error}"

        task = asyncio.create_task(stubborn())
        await asyncio.sleep(1)
        task.cancel("enough")
        return [await task, task.cancelled()]

    assert play(main, ("skip", 1)).result == ["0 enough", False]


def test_shield_of_what_is_cancelled_elsewhere() -> None:
    @workflow
    async def main() -> str:
        inner = asyncio.create_task(work("a"))
        outer = asyncio.create_task(_shielded(inner))
        await asyncio.sleep(1)
        inner.cancel()
        try:
            await outer
        except asyncio.CancelledError:
            return "cancelled"
        return "no error"

    story = play(main, ("skip", 1))
    assert story.result == "cancelled"
    assert story.event_types.count("ActivityTaskCancelRequested") == 1


async def _shielded(inner: Any) -> Any:
    return await asyncio.shield(inner)
