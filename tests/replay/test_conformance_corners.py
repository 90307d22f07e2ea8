"""Tasks, queues, locks, generators and anyio: their corners, on a kept and a new run.

`Story` makes every decision twice, and compares; `test_conformance` has the middle.
"""

import asyncio
import contextlib
import contextvars
import functools
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio

from flowser import flow
from tests.replay.playing import play, work, workflow
from tests.replay.story import Story

# -- asyncio: tasks --


def test_current_task_all_tasks_and_names_that_are_changed() -> None:
    @workflow
    async def main() -> list[Any]:
        async def one() -> str:
            task = asyncio.current_task()
            assert task is not None
            task.set_name("changed")
            await work("a")
            return task.get_name()

        async with asyncio.TaskGroup() as group:
            task = group.create_task(one(), name="first")
            names = [task.get_name(), len(asyncio.all_tasks())]
        return [*names, task.result()]

    assert play(main, "1.1").result == ["first", 2, "changed"]


def test_create_task_in_a_context() -> None:
    variable = contextvars.ContextVar("variable", default="outside")

    @workflow
    async def main() -> list[str]:
        context = contextvars.copy_context()
        context.run(variable.set, "given")

        async def look() -> str:
            await work("a")
            return variable.get()

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(look(), context=c) for c in (context, None)]
        return [task.result() for task in tasks]

    assert play(main, "1.1", "2.1").result == ["given", "outside"]


def test_future_of_ones_own() -> None:
    @workflow
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        mine, plain = loop.create_future(), asyncio.Future[str]()
        mine.add_done_callback(lambda _: plain.set_result("then"))

        async def later() -> None:
            mine.set_result(await work("a"))

        async with asyncio.TaskGroup() as group:
            group.create_task(later())
            return [await mine, await plain]

    assert play(main, "1.1").result == ["1.1", "then"]


if sys.version_info >= (3, 12):

    def test_eager_task_factory_of_a_loop_is_refused() -> None:
        @workflow
        async def main() -> str:
            factory = asyncio.eager_task_factory
            try:
                asyncio.get_running_loop().set_task_factory(factory)
            except flow.NotReplayable as error:
                return str(error)
            return "no error"

        assert "a task factory cannot be replayed" in play(main).result


# -- asyncio: queues and locks --


def test_queues_that_sort_and_stack() -> None:
    @workflow
    async def main() -> list[str]:
        told: list[str] = []
        for kind in (asyncio.PriorityQueue, asyncio.LifoQueue):
            queue: asyncio.Queue[str] = kind()
            async with asyncio.TaskGroup() as group:
                for name in "ab":
                    group.create_task(_put(queue, name))
            told += [queue.get_nowait() for _ in range(2)]
        return told

    assert play(main, "2.1", "1.1", "4.1", "3.1").result == ["1.1", "2.1", "3.1", "4.1"]


async def _put(queue: "asyncio.Queue[str]", name: str) -> None:
    await queue.put(await work(name))


def test_queue_that_is_joined() -> None:
    @workflow
    async def main() -> list[str]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        told: list[str] = []

        async def serve() -> None:
            while True:
                told.append(await work(await queue.get()))
                queue.task_done()

        servers = [asyncio.create_task(serve()) for _ in range(2)]
        for name in "abc":
            queue.put_nowait(name)
        await queue.join()
        for server in servers:
            server.cancel()
        return told

    assert play(main, "2.1", "1.1", "2.2").result == ["2.1", "1.1", "2.2"]


if sys.version_info >= (3, 13):

    def test_queue_that_is_shut_down() -> None:
        @workflow
        async def main() -> list[str]:
            queue: asyncio.Queue[str] = asyncio.Queue()
            told: list[str] = []

            async def serve() -> None:
                try:
                    while True:
                        told.append(await work(await queue.get()))
                except asyncio.QueueShutDown:
                    told.append("shut down")

            async with asyncio.TaskGroup() as group:
                group.create_task(serve())
                queue.put_nowait("a")
                queue.put_nowait("b")
                queue.shutdown()
            return told

        assert play(main, "1.1", "1.2").result == ["1.1", "1.2", "shut down"]


def test_bounded_semaphore_refuses_what_was_not_taken() -> None:
    @workflow
    async def main() -> str:
        semaphore = asyncio.BoundedSemaphore(1)
        async with semaphore:
            await work("a")
        try:
            semaphore.release()
        except ValueError:
            return "too often"
        return "no error"

    assert play(main, "1").result == "too often"


def test_lock_is_passed_on_when_who_waits_is_cancelled() -> None:
    @workflow
    async def main() -> list[str]:
        lock, told = asyncio.Lock(), list[str]()

        async def one(name: str) -> None:
            async with lock:
                told.append(name)
                await work(name)

        a, b, c = (asyncio.create_task(one(name)) for name in "abc")
        await asyncio.sleep(1)
        b.cancel()
        await asyncio.gather(a, c)
        return told

    assert play(main, ("skip", 1), "1.1", "3.1").result == ["a", "c"]


def test_condition_wakes_all() -> None:
    @workflow
    async def main() -> list[str]:
        condition, told = asyncio.Condition(), list[str]()

        async def wait(name: str) -> None:
            async with condition:
                await condition.wait()
                told.append(name)

        async with asyncio.TaskGroup() as group:
            for name in "ab":
                group.create_task(wait(name))
            await work("c")
            async with condition:
                condition.notify_all()
        return told

    assert play(main, "3").result == ["a", "b"]


def test_barrier_that_is_broken() -> None:
    @workflow
    async def main() -> str:
        barrier = asyncio.Barrier(3)

        async def meet() -> str:
            try:
                await barrier.wait()
            except asyncio.BrokenBarrierError:
                return "broken"
            return "met"

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(meet()) for _ in range(2)]
            await work("a")
            await barrier.abort()
        return " ".join(task.result() for task in tasks)

    assert play(main, "3").result == "broken broken"


# -- generators and contexts --


def test_async_comprehensions() -> None:
    @workflow
    async def main() -> list[Any]:
        async def each(names: str) -> AsyncIterator[str]:
            for name in names:
                yield await work(name)

        listed = [found async for found in each("ab") if found != "1"]
        named = {name: await work(name) for name in "cd"}
        return [listed, named, [await work(found) async for found in each("e")]]

    story = play(main, "1", "2", "3", "4", "5", "6")
    assert story.result == [["2"], {"c": "3", "d": "4"}, ["6"]]


def test_aclosing_closes_a_generator_that_waits_at_its_end() -> None:
    @workflow
    async def main() -> list[str]:
        told: list[str] = []

        async def each() -> AsyncIterator[str]:
            try:
                yield await work("a")
                yield await work("never")
            finally:
                told.append(await work("undo"))

        async with contextlib.aclosing(each()) as found:  # type: ignore[type-var]
            async for one in found:
                told.append(one)
                break
        return [*told, await work("b")]

    assert play(main, "1", "2", "3").result == ["1", "2", "3"]


def test_async_exit_stack_undoes_in_reverse() -> None:
    @workflow
    async def main() -> list[str]:
        told: list[str] = []

        async def undo(name: str) -> None:
            told.append(f"{name} {await work(name)}")

        async with contextlib.AsyncExitStack() as stack:
            for name in "ab":
                await work(name)
                stack.push_async_callback(functools.partial(undo, name))
        return told

    assert play(main, "1", "2", "3", "4").result == ["b 3", "a 4"]


# -- anyio --


def test_anyio_task_group_that_is_cancelled_as_a_whole() -> None:
    @workflow
    async def main() -> list[str]:
        async with anyio.create_task_group() as group:
            for name in "ab":
                group.start_soon(work, name)
            await work("c")
            group.cancel_scope.cancel()
        return [await work("d")]

    story = play(main, "3", "4")
    assert story.result == ["4"]
    assert story.event_types.count("ActivityTaskCancelRequested") == 2


def test_anyio_scopes_inside_each_other() -> None:
    @workflow
    async def main() -> list[bool]:
        with anyio.move_on_after(10) as outer:
            with anyio.move_on_after(5) as inner:
                await anyio.sleep_forever()
            await work("a")
        return [inner.cancelled_caught, outer.cancelled_caught]

    assert play(main, ("skip", 5), ("skip", 5)).result == [True, True]


def test_anyio_deadline_that_is_put_off() -> None:
    @workflow
    async def main() -> str:
        with anyio.fail_after(10) as scope:
            scope.deadline += 20
            return await work("a")

    story = Story(main, using=[work])
    story.settle()
    story.skip(20)
    story.settle()
    [task] = story.tasks()
    story.complete(task.id, "in time")
    story.settle()
    assert story.result == "in time"


def test_anyio_stream_with_several_producers_that_closes() -> None:
    @workflow
    async def main() -> list[str]:
        send, receive = anyio.create_memory_object_stream[str]()

        async def produce(stream: Any, name: str) -> None:
            async with stream:
                await stream.send(await work(name))

        async with anyio.create_task_group() as group, receive:
            async with send:
                for name in "ab":
                    group.start_soon(produce, send.clone(), name)
            found = [item async for item in receive]
            found.append("end")
        return found

    assert play(main, "2.1", "1.1").result == ["2.1", "1.1", "end"]
