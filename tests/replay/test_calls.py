"""A task of a call does what the task of any coroutine does, in the same rounds.

Each scene is played twice: the tasks in it are made of calls, and of coroutines that do
nothing but call. What is decided, and what is seen when, must not differ.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from flowser import flow, serializing, types
from flowser.exceptions import SerializationError
from flowser.replay._futures import Task
from flowser.replay.calls import Call
from tests.replay.playing import patient, play, work, workflow
from tests.replay.story import Story

careless = work.with_(cancellation="abandon")
named = work.with_(id="order-1")
retried = work.with_(retry=flow.Retry(attempts=2, initial=0))

Maker = Callable[..., Coroutine[Any, Any, Any]]
Told = list[Any]
Scene = Callable[[Maker, Told], Awaitable[None]]


def of_call(activity: Any, *args: Any) -> Any:
    """Give what becomes a task of a call."""
    return activity(*args)


async def of_coroutine(activity: Any, *args: Any) -> Any:
    """Call in a coroutine: it becomes a task like any other."""
    return await activity(*args)


def watch(told: Told, name: str, task: "asyncio.Task[Any]") -> "asyncio.Task[Any]":
    """Tell when a task ends, and how."""

    def ended(task: "asyncio.Task[Any]") -> None:
        how = "cancelled" if task.cancelled() else task.exception() or task.result()
        told.append(f"{name} {how!r}")

    task.add_done_callback(ended)
    return task


async def ticking(told: Told, rounds: int) -> None:
    """Tell which round it is."""
    for number in range(rounds):
        told.append(number)
        await asyncio.sleep(0)


async def results(make: Maker, told: Told) -> None:
    tasks = [asyncio.create_task(make(work, name)) for name in "ab"]
    for number, task in enumerate(tasks):
        watch(told, str(number), task)
    told += await asyncio.gather(*tasks)


async def failures(make: Maker, told: Told) -> None:
    found = await asyncio.gather(
        make(work, "a"), make(work, "b"), return_exceptions=True
    )
    told += map(repr, found)


async def groups(make: Maker, told: Told) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for name in "ab":
                watch(told, name, group.create_task(make(work, name), name=name))
    except* flow.ActivityFailed as failed:
        told += map(repr, failed.exceptions)


async def cancelled_before_it_begins(make: Maker, told: Told) -> None:
    task = watch(told, "t", asyncio.create_task(make(work, "a")))
    told += [task.cancel(), task.cancel(), task.done(), task.cancelling()]
    await ticking(told, 4)
    await work("b")


async def cancelled_before_it_is_sent(make: Maker, told: Told) -> None:
    task = watch(told, "t", asyncio.create_task(make(work, "a")))
    await asyncio.sleep(0)
    told += [task.cancel("why"), task.cancel(), task.done(), task.cancelling()]
    await ticking(told, 4)
    try:
        await task
    except asyncio.CancelledError as error:
        told += [error.args, task.cancel(), task.uncancel(), task.cancelled()]
    await work("b")


async def cancelled_when_it_was_sent(make: Maker, told: Told) -> None:
    for number, activity in enumerate((work, patient, careless)):
        task = watch(told, str(number), asyncio.create_task(make(activity, "a")))
        await asyncio.wait([task], timeout=1)
        told += [task.cancel(), task.done()]
        await ticking(told, 4)
        told.append(task.done())
        await work("b")


async def waited_for(make: Maker, told: Told) -> None:
    for activity in (work, patient):
        try:
            told.append(await asyncio.wait_for(make(activity, "a"), 1))
        except TimeoutError:
            told.append("too late")


async def shielded(make: Maker, told: Told) -> None:
    inner = asyncio.ensure_future(make(work, "a"))
    watch(told, "inner", inner)
    outer = asyncio.shield(inner)
    await asyncio.sleep(1)
    outer.cancel()
    told.append(await inner)


async def tried_again(make: Maker, told: Told) -> None:
    task = watch(told, "t", asyncio.create_task(make(retried, "a")))
    await ticking(told, 3)
    try:
        told.append(await task)
    except flow.ActivityFailed as error:
        told.append(error.id)


async def ids_of_its_author(make: Maker, told: Told) -> None:
    found = await asyncio.gather(
        make(named, "a"), make(named, "b"), return_exceptions=True
    )
    told += map(repr, found)


async def arguments_that_do_not_fit(make: Maker, told: Told) -> None:
    task = watch(told, "t", asyncio.create_task(make(work, "a", "b")))
    await ticking(told, 3)
    told.append(repr(task.exception()))


#: What happens: an activity is done, by its place among all that were begun; or fails;
#: or seconds pass.
Done = tuple[int | tuple[str, int], ...]

SCENES: list[tuple[Scene, Done]] = [
    (results, (1, 0)),
    (failures, (("fail", 1), 0)),
    (groups, (("fail", 1),)),
    (groups, (1, 0)),
    (cancelled_before_it_begins, (0,)),
    (cancelled_before_it_is_sent, (0,)),
    (cancelled_when_it_was_sent, (("skip", 1), 1, ("skip", 1), 3, ("skip", 1), 5)),
    (waited_for, (("skip", 1), ("skip", 1), 1)),
    (waited_for, (0, 1)),
    (shielded, (("skip", 1), 0)),
    (tried_again, (("fail", 0), 1)),
    (tried_again, (("fail", 0), ("fail", 1))),
    (ids_of_its_author, (0,)),
    (arguments_that_do_not_fit, ()),
]


@pytest.mark.parametrize(("scene", "done"), SCENES)
def test_a_task_of_a_call_is_like_any_other(scene: Scene, done: Done) -> None:
    calls, coroutines = (played(scene, make, done) for make in (of_call, of_coroutine))
    assert calls.result == coroutines.result
    assert [a.decisions for a in calls.answers] == [
        a.decisions for a in coroutines.answers
    ]


def played(scene: Scene, make: Any, done: Done) -> Story:
    """Play a scene; its result is what was told."""

    @workflow
    async def main() -> list[str]:
        told: Told = []
        await scene(make, told)
        return [str(each) for each in told]

    story = Story(main, using=[work, patient])
    story.settle()
    begun = story.tasks()
    for each in done:
        match each:
            case ("skip", int(seconds)):
                story.skip(seconds)
            case ("fail", int(place)):
                story.fail(begun[place].id, "Broken: it broke")
            case int(place):
                story.complete(begun[place].id, str(place))
        story.settle()
        begun += story.tasks()
    assert story.result is not None
    story.replayed().end()
    return story


def test_a_call_becomes_a_task_without_a_coroutine() -> None:
    @workflow
    async def main() -> list[Any]:
        made = [
            asyncio.create_task(work("a")),
            asyncio.create_task(of_coroutine(work, "b")),
            asyncio.create_task(work("c"), context=contextvars.copy_context()),
        ]
        kinds = [type(task) for task in made]
        await asyncio.gather(*made)
        return [issubclass(kind, Call) for kind in kinds] + [Task in kinds]

    assert play(main, "1.1", "2.1", "3.1").result == [True, False, False, True]


def test_a_task_of_a_call_can_be_handled_like_a_task() -> None:
    @workflow
    async def main() -> list[Any]:
        task = asyncio.create_task(work("a"))
        named = asyncio.create_task(work("b"), name="given")
        names = [task.get_name(), named.get_name(), repr(named).split()[0]]
        task.set_name("set")
        assert task.get_stack() == []
        task.print_stack()
        known = asyncio.all_tasks()
        assert {task, named} < known
        await asyncio.gather(task, named)
        asked = task.cancelling()
        return [*names, task.get_name(), isinstance(task, asyncio.Task), asked]

    result = play(main, "1.1", "2.1").result
    assert result == ["task 1", "given", "<Task", "set", True, 0]


def test_a_call_that_was_begun_by_hand_becomes_a_task_like_any_other() -> None:
    @workflow
    async def main() -> str:
        coro = work("a")
        coro.send(None)
        task = asyncio.create_task(coro)
        assert type(task) is Task
        with pytest.raises(RuntimeError, match="await wasn't used"):
            await task
        return await work("b")

    assert play(main, "3").result == "3"


def test_a_serializer_sees_the_task_of_the_call() -> None:
    seen: list[Any] = []

    class Looking(serializing.JSONSerializer):
        def dumps(self, value: Any, /) -> str:
            task = asyncio.current_task()
            seen.append((task and task.get_name(), variable.get()))
            if value == "stop":
                raise StopIteration
            if value == "refused":
                raise SerializationError("it", "is refused")
            return super().dumps(value)

    variable = contextvars.ContextVar("variable", default="unset")

    class Seen(types.Activity):
        name, version, task_list = "work", "1", "payers"
        serializer = Looking()

        async def run(self, input: str) -> str:
            return input

    seeing = flow.activity(Seen)

    @workflow
    async def main() -> list[str]:
        variable.set("set")
        calls = [seeing(word) for word in ("stop", "refused")]
        found = await asyncio.gather(*calls, return_exceptions=True)
        return [type(each).__name__ for each in found]

    story = play(main)
    assert story.result == ["RuntimeError", "SerializationError"]
    assert set(seen) == {("task 1", "set"), ("task 2", "set")}


def test_a_call_of_a_child_is_a_task_that_cancels_it() -> None:
    @flow.workflow(version="1", task_list="others")
    async def child() -> None:
        await asyncio.sleep(60)

    @workflow
    async def main() -> str:
        task = asyncio.create_task(child())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        return f"{type(task).__name__} {task.cancelled()}"

    story = Story(main, using=[child])
    story.settle()
    story.skip(1)
    story.settle()
    assert story.result == "_ChildCall True"
    story.replayed().end()


def test_the_stack_says_what_a_task_of_a_call_waits_for() -> None:
    @workflow
    async def main() -> None:
        await asyncio.gather(work("a"), work("b"))

    story = Story(main, using=[work])
    story.settle()
    lines = story.run.stack().splitlines()
    assert lines[2:] == [
        "task 1 waits for activity work (1.1)",
        "task 2 waits for activity work (2.1)",
    ]
