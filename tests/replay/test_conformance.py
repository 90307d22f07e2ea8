"""asyncio's and anyio's own primitives, durable: each on a kept run and on a new one.

`Story` makes every decision twice, and compares.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from flowser import decisions as d
from flowser import flow
from tests.replay.playing import CLOSE, patient, play, work, workflow
from tests.replay.story import Story

# -- asyncio --


def test_sleep() -> None:
    @workflow
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await asyncio.sleep(10)
        return [round(loop.time() - begin)]

    assert play(main, ("skip", 10)).result == [10]


def test_sleep_of_zero_asks_swf_for_nothing() -> None:
    @workflow
    async def main() -> str:
        for _ in range(1_000):
            await asyncio.sleep(0)
        return "there"

    story = play(main)
    assert story.result == "there"
    assert len(story.history) == 5


def test_sleep_of_a_fraction_is_rounded_up_to_a_second() -> None:
    @workflow
    async def main() -> None:
        await asyncio.sleep(0.2)

    story = Story(main)
    assert story.decisions() == [d.StartTimer(timer_id="1", start_to_fire_timeout="1")]


def test_gather() -> None:
    @workflow
    async def main() -> list[str]:
        return list(await asyncio.gather(work("a"), work("b"), work.start("c")))

    assert play(main, "3.1", "1", "2.1").result == ["2.1", "3.1", "1"]


def test_gather_with_exceptions_returned() -> None:
    @workflow
    async def main() -> list[str]:
        found = await asyncio.gather(work("a"), work("b"), return_exceptions=True)
        return [str(each) for each in found]

    story = play(main, ("fail", "1.1"), "2.1")
    assert story.result == ["work (1.1): Broken: it broke", "2.1"]


def test_gather_raises_the_first_failure_while_others_go_on() -> None:
    @workflow
    async def main() -> str:
        try:
            await asyncio.gather(work("a"), work("b"))
        except flow.ActivityFailed as error:
            return await work(error.id)
        return "no failure"

    assert play(main, ("fail", "2.1"), "3").result == "3"


@pytest.mark.parametrize("first", ["1", "2", "3"])
def test_wait_for_the_first_completed(first: str) -> None:
    @workflow
    async def main() -> list[str]:
        handles = [work.start(name) for name in "abc"]
        done, rest = await asyncio.wait(handles, return_when=asyncio.FIRST_COMPLETED)
        for handle in rest:
            handle.cancel()
        return [handle.result() for handle in done]

    story = play(main, first)
    assert story.result == [first]
    cancels = [c for c in story.answers[-1].decisions if not isinstance(c, CLOSE)]
    others = [id for id in ("1", "2", "3") if id != first]
    assert cancels == [d.RequestCancelActivityTask(activity_id=id) for id in others]


def test_wait_gives_its_sets_in_the_same_order_again() -> None:
    @workflow
    async def main() -> list[str]:
        async def one(n: int) -> int:
            await asyncio.sleep(0)
            return n

        tasks = [asyncio.create_task(one(n)) for n in range(20)]
        done, _ = await asyncio.wait(tasks)
        return [await work(str(task.result())) for task in done][:1]

    story = Story(main, using=[work])
    for _ in range(20):
        story.decide()
        [task] = story.tasks()
        story.complete(task.id, task.input["name"])
    story.settle()
    assert story.result


def test_wait_for_in_time() -> None:
    @workflow
    async def main() -> str:
        return await asyncio.wait_for(work("a"), timeout=60)

    story = Story(main, using=[work])
    story.decide()
    [task] = story.tasks()  # 3.11 makes a task of it, later versions do not
    story.complete(task.id, "in time")
    story.settle()
    assert story.result == "in time"


def test_wait_for_too_late() -> None:
    @workflow
    async def main() -> str:
        try:
            return await asyncio.wait_for(work("a"), timeout=60)
        except TimeoutError:
            return "too late"

    story = play(main, ("skip", 60))
    assert story.result == "too late"
    assert story.event_types.count("ActivityTaskCancelRequested") == 1


def test_timeout_in_time() -> None:
    @workflow
    async def main() -> str:
        async with asyncio.timeout(60):
            return await work("a")

    story = play(main, "2")
    assert story.result == "2"
    assert d.CancelTimer(timer_id="1") in story.answers[-1].decisions


def test_timeout_too_late() -> None:
    @workflow
    async def main() -> str:
        try:
            async with asyncio.timeout(60):
                return await work("a")
        except TimeoutError:
            return "too late"

    story = play(main, ("skip", 60))
    assert story.result == "too late"
    assert story.event_types.count("ActivityTaskCancelRequested") == 1


def test_timeout_at_and_reschedule() -> None:
    @workflow
    async def main() -> str:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(loop.time() + 10) as scope:
                scope.reschedule(loop.time() + 30)
                return await work("a")
        except TimeoutError:
            return "too late"

    story = Story(main, using=[work])
    assert story.ids_of(story.decide()) == ["2", "3"]
    story.skip(30)
    story.settle()
    assert story.result == "too late"


def test_timeouts_inside_each_other() -> None:
    @workflow
    async def main() -> list[str]:
        told = []
        try:
            async with asyncio.timeout(20):
                try:
                    async with asyncio.timeout(10):
                        await work("a")
                except TimeoutError:
                    told.append("inner")
                await work("b")
        except TimeoutError:
            told.append("outer")
        return told

    assert play(main, ("skip", 10), ("skip", 10)).result == ["inner", "outer"]


def test_task_group() -> None:
    @workflow
    async def main() -> list[str]:
        async with asyncio.TaskGroup() as group:
            a = group.create_task(work("a"))
            b = group.create_task(work("b"))
        return [a.result(), b.result()]

    assert play(main, "2.1", "1.1").result == ["1.1", "2.1"]


def test_task_group_cancels_the_others_when_one_fails() -> None:
    @workflow
    async def main() -> str:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(work("a"))
                group.create_task(work("b"))
                group.create_task(asyncio.sleep(60))
        except* flow.ActivityFailed as errors:
            told = str(errors.exceptions[0])
        return told

    story = play(main, ("fail", "1.1"))
    assert story.result == "work (1.1): Broken: it broke"
    assert [*story.answers[-1].decisions[:2]] == [
        d.RequestCancelActivityTask(activity_id="2.1"),
        d.CancelTimer(timer_id="3.1"),
    ]


def test_shield() -> None:
    @workflow
    async def main() -> str:
        inner = asyncio.create_task(work("a"))
        try:
            async with asyncio.timeout(10):
                await asyncio.shield(inner)
        except TimeoutError:
            return "late, but " + await inner
        return "in time"

    story = play(main, ("skip", 10), "1.1")
    assert story.result == "late, but 1.1"
    assert "ActivityTaskCancelRequested" not in story.event_types


def test_create_task_and_cancel() -> None:
    @workflow
    async def main() -> str:
        task = asyncio.create_task(work("a"))
        await work("b")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return "done"

    story = play(main, "2")
    assert story.result == "done"
    assert story.event_types.count("ActivityTaskCancelRequested") == 1


def test_queue() -> None:
    @workflow
    async def main() -> list[str]:
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1)

        async def produce(name: str) -> None:
            await queue.put(await work(name))

        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(produce(name))
            return [await queue.get() for _ in range(3)]

    assert play(main, "3.1", "1.1", "2.1").result == ["3.1", "1.1", "2.1"]


def test_event() -> None:
    @workflow
    async def main() -> str:
        event = asyncio.Event()

        async def later() -> None:
            await work("a")
            event.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(later())
            await event.wait()
        return await work("b")

    assert play(main, "1.1", "2").result == "2"


def test_lock() -> None:
    @workflow
    async def main() -> list[str]:
        lock, told = asyncio.Lock(), list[str]()

        async def one(name: str) -> None:
            async with lock:
                told.append(f"{name} in")
                await work(name)
                told.append(f"{name} out")

        await asyncio.gather(one("a"), one("b"))
        return told

    assert play(main, "1.1", "2.1").result == ["a in", "a out", "b in", "b out"]


def test_semaphore() -> None:
    @workflow
    async def main() -> int:
        semaphore = asyncio.Semaphore(2)

        async def one(name: str) -> None:
            async with semaphore:
                await work(name)

        await asyncio.gather(*map(one, "abcd"))
        return 4

    story = Story(main, using=[work])
    assert story.ids_of(story.decide()) == ["1.1", "2.1"]
    story.complete("2.1", "")
    assert story.ids_of(story.decide()) == ["3.1"]
    story.complete("1.1", "")
    assert story.ids_of(story.decide()) == ["4.1"]
    story.complete("3.1", "")
    story.complete("4.1", "")
    story.settle()
    assert story.result == 4


def test_condition() -> None:
    @workflow
    async def main() -> list[str]:
        condition, stock = asyncio.Condition(), list[str]()

        async def take() -> str:
            async with condition:
                await condition.wait_for(lambda: bool(stock))
                return stock.pop()

        async def bring() -> None:
            item = await work("a")
            async with condition:
                stock.append(item)
                condition.notify()

        return list(await asyncio.gather(take(), bring()))  # type: ignore[arg-type]

    assert play(main, "2.1").result == ["2.1", None]


def test_barrier() -> None:
    @workflow
    async def main() -> list[str]:
        barrier, told = asyncio.Barrier(2), list[str]()

        async def one(name: str) -> None:
            told.append(await work(name))
            await barrier.wait()
            told.append("met")

        await asyncio.gather(one("a"), one("b"))
        return told

    assert play(main, "2.1", "1.1").result == ["2.1", "1.1", "met", "met"]


def test_async_generator() -> None:
    @workflow
    async def main() -> list[str]:
        async def each(names: str) -> AsyncIterator[str]:
            for name in names:
                yield await work(name)

        return [found async for found in each("ab")]

    assert play(main, "1", "2").result == ["1", "2"]


def test_an_abandoned_async_generator_is_left_to_the_end_of_the_run() -> None:
    closed: list[str] = []

    @workflow
    async def main() -> str:
        async def each() -> AsyncIterator[str]:
            try:
                yield await work("a")
                yield await work("b")
            finally:
                closed.append("closed")

        async for found in each():
            await work(found)
            break
        return await work("c")

    story = Story(main, using=[work])
    for id in ("1", "2"):
        story.decide()
        story.complete(id, id)
    story.decide()
    closed.clear()
    story.run.end()
    assert closed == ["closed"]


def test_as_completed_over_tasks() -> None:
    @workflow
    async def main() -> list[str]:
        tasks = [asyncio.create_task(work(name)) for name in "abc"]
        return [await each for each in asyncio.as_completed(tasks)]

    assert play(main, "2.1", "3.1", "1.1").result == ["2.1", "3.1", "1.1"]


def test_as_completed_over_handles() -> None:
    @workflow
    async def main() -> list[str]:
        handles = [work.start(name) for name in "abc"]
        return [await each for each in asyncio.as_completed(handles)]

    assert play(main, "2", "3", "1").result == ["2", "3", "1"]


def test_task_names_context_variables_and_callbacks() -> None:
    variable = contextvars.ContextVar("variable", default="outside")

    @workflow
    async def main() -> list[str]:
        variable.set("inside")
        told = []

        async def one() -> None:
            variable.set("task")
            await work("a")
            told.append(variable.get())

        task = asyncio.create_task(one(), name="one")
        task.add_done_callback(lambda t: told.append(t.get_name()))
        await task
        await asyncio.sleep(0)
        return [*told, variable.get()]

    assert play(main, "1.1").result == ["task", "one", "inside"]
    assert variable.get() == "outside"


def test_call_later_and_its_cancellation() -> None:
    @workflow
    async def main() -> list[str]:
        loop, told = asyncio.get_running_loop(), list[str]()
        loop.call_later(5, told.append, "five")
        loop.call_later(3, told.append, "three").cancel()
        loop.call_soon(told.append, "soon")
        await asyncio.sleep(6)
        return told

    story = Story(main)
    assert story.ids_of(story.decide()) == ["1", "3"]
    story.skip(6)
    story.settle()
    assert story.result == ["soon", "five"]


# -- anyio --


def test_anyio_task_group() -> None:
    @workflow
    async def main() -> list[str]:
        told: list[str] = []

        async def one(name: str) -> None:
            told.append(await work(name))

        async with anyio.create_task_group() as group:
            group.start_soon(one, "a")
            group.start_soon(one, "b")
        return told

    assert play(main, "2.1", "1.1").result == ["2.1", "1.1"]


def test_anyio_task_group_cancels_the_others_when_one_fails() -> None:
    @workflow
    async def main() -> str:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(work, "a")
                group.start_soon(work, "b")
        except* flow.ActivityFailed:
            pass
        return await work("c")

    story = play(main, ("fail", "1.1"), "3")
    assert story.result == "3"
    assert story.event_types.count("ActivityTaskCancelRequested") == 1


def test_anyio_task_group_start() -> None:
    @workflow
    async def main() -> str:
        async def serve(*, task_status: Any) -> None:
            task_status.started(await work("a"))
            await work("b")

        async with anyio.create_task_group() as group:
            found: str = await group.start(serve)
        return found

    assert play(main, "1.1", "1.2").result == "1.1"


def test_anyio_move_on_after() -> None:
    @workflow
    async def main() -> list[str]:
        with anyio.move_on_after(10) as scope:
            await work("a")
        return [str(scope.cancelled_caught), await work("b")]

    story = play(main, ("skip", 10), "3")
    assert story.result == ["True", "3"]
    assert story.event_types.count("ActivityTaskCancelRequested") == 1


def test_anyio_fail_after() -> None:
    @workflow
    async def main() -> str:
        try:
            with anyio.fail_after(10):
                return await work("a")
        except TimeoutError:
            return "too late"

    assert play(main, ("skip", 10)).result == "too late"
    assert play(main, "2").result == "2"


def test_anyio_sleep_and_sleep_until() -> None:
    @workflow
    async def main() -> str:
        await anyio.sleep(3)
        await anyio.sleep_until(anyio.current_time() + 4)
        return "awake"

    assert play(main, ("skip", 3), ("skip", 5)).result == "awake"


def test_anyio_event_lock_semaphore_condition_limiter() -> None:
    @workflow
    async def main() -> list[str]:
        event, lock = anyio.Event(), anyio.Lock()
        semaphore, limiter = anyio.Semaphore(1), anyio.CapacityLimiter(1)
        condition = anyio.Condition()
        told: list[str] = []

        async def one(name: str) -> None:
            await event.wait()
            async with lock, semaphore, limiter:
                told.append(await work(name))
            async with condition:
                condition.notify()

        async with anyio.create_task_group() as group:
            group.start_soon(one, "a")
            group.start_soon(one, "b")
            await work("go")
            event.set()
            async with condition:
                await condition.wait()
            told.append("notified")
        return told

    assert play(main, "3", "1.1", "2.1").result == ["1.1", "notified", "2.1"]


def test_anyio_memory_streams() -> None:
    @workflow
    async def main() -> list[str]:
        send, receive = anyio.create_memory_object_stream[str](1)

        async def produce() -> None:
            async with send:
                for name in "abc":
                    await send.send(await work(name))

        async with anyio.create_task_group() as group, receive:
            group.start_soon(produce)
            found = [item async for item in receive]
            found.append("end")
        return found

    assert play(main, "1.1", "1.2", "1.3").result == ["1.1", "1.2", "1.3", "end"]


def test_anyio_scope_around_an_activity_that_acknowledges() -> None:
    """The livelock: the scope delivers its cancellation again and again meanwhile."""

    @workflow
    async def main() -> list[str]:
        with anyio.move_on_after(10) as scope:
            await patient("a")
        return [str(scope.cancelled_caught), await work("b")]

    story = Story(main, using=[work, patient])
    story.decide()
    story.tasks()
    story.skip(10)
    assert story.decisions() == [d.RequestCancelActivityTask(activity_id="2")]
    story.signal("anything")
    assert story.decisions() == []
    story.acknowledge("2")
    assert story.ids_of(story.decide()) == ["3"]
    story.complete("3", "b")
    story.settle()
    assert story.result == ["True", "b"]


def test_anyio_shielded_cleanup_after_the_scope_is_cancelled() -> None:
    @workflow
    async def main() -> str:
        told = ""
        with anyio.move_on_after(10):
            try:
                await work("a")
            finally:
                with anyio.CancelScope(shield=True):
                    told = await work("undo")
        return told

    assert play(main, ("skip", 10), "3").result == "3"
