"""What passes between coroutine workflows and activities of a worker."""

import asyncio
import json
from typing import Any

import flowser
from flowser import flow, types
from flowser.worker import Worker
from tests.flows import activity, attributes_of, domain_of, flowing, started, workflow

# -- what activities tell of failures --


class Declined(LookupError):
    """There is no such card."""


async def test_failure_of_an_activity_is_told_with_its_bases_and_causes() -> None:
    @activity
    async def pay() -> None:
        try:
            int("x")
        except ValueError as error:
            raise Declined("no card") from error

    @workflow
    async def paying() -> list[Any]:
        final = flow.Retry(non_retryable=(LookupError,))
        try:
            await pay.with_(retry=final)()
        except flow.ActivityFailed as error:
            cause = error.__cause__
            assert isinstance(cause, flow.RemoteError)
            named = [error.is_a(kind) for kind in (Declined, LookupError, OSError)]
            return [str(error), *named, error.is_a(Declined.__name__), cause.type]
        return []

    async with flowing(paying, activities=[pay]) as (_, domain), Worker(domain):
        run = await started(domain, paying)
        assert await run.result() == [
            "pay (1): Declined: no card",
            *(True, True, False, True),
            f"{__name__}.Declined",
        ]
        [failed] = await attributes_of(run, "ActivityTaskFailed")
    details = json.loads(failed.details)
    assert details["cause"]["type"] == "builtins.ValueError"
    assert "in pay" in details["traceback"]
    assert details["traceback"].count("File ") == 1


async def test_next_attempt_knows_what_the_one_that_failed_told_last() -> None:
    known: list[str | None] = []

    @activity
    async def copy(files: int) -> int:
        task = flowser.current_activity()
        known.append(task.previous_details)
        done = int(task.previous_details or 0)
        await task.heartbeat(str(done + 2))
        if done + 2 < files:
            raise ConnectionError("gone")
        return files

    @workflow
    async def copying() -> int:
        return await copy.with_(retry=flow.Retry(attempts=None, initial=0))(5)

    async with flowing(copying, activities=[copy]) as (_, domain), Worker(domain):
        assert await (await started(domain, copying)).result() == 5
    assert known == [None, "2", "4"]


async def test_worker_that_ends_hands_on_what_its_activity_told_last() -> None:
    told = asyncio.Event()
    known: list[str | None] = []

    @activity
    async def copy() -> str | None:
        task = flowser.current_activity()
        known.append(task.previous_details)
        if task.previous_details is None:
            await task.heartbeat("half")
            told.set()
            await asyncio.Event().wait()
        return task.previous_details

    @workflow
    async def copying() -> str | None:
        return await copy.with_(retry=flow.Retry(initial=0))()

    async with flowing(copying, activities=[copy]) as (_, domain):
        async with Worker(domain, drain=0.1):
            run = await started(domain, copying)
            await told.wait()
        async with Worker(domain):
            assert await run.result() == "half"
        [failed] = await attributes_of(run, "ActivityTaskFailed")
    assert failed.reason == "worker stopping"
    assert known == [None, "half"]


# -- payloads --


class Reversed:
    """Writes JSON from behind."""

    def dumps(self, value: Any, /) -> str:
        return flowser.serializing.JSON.dumps(value)[::-1]

    def loads(self, text: str, /, type: Any = Any) -> Any:
        return flowser.serializing.JSON.loads(text[::-1], type)


async def test_classes_leave_it_to_the_domain_how_payloads_are_written() -> None:
    class Adding(types.Activity):
        name, version, task_list = "Adding", "1", "doers"

        async def run(self, input: list[int]) -> int:
            return sum(input)

    class Added(types.Workflow):
        name, version, task_list = "Added", "1", "deciders"

        async def run(self, input: int) -> int:
            if input == 10:
                return await flow.signals("more", int).receive()
            more = await flow.signals("more", int).receive()
            child = flow.workflow(Added).with_(id="w-2").start(10)
            await child.started
            await child.signal("more", 12)
            return await flow.activity(Adding)([input, more, await child])

    class Backwards(domain_of([Added], [Adding])):  # type: ignore[misc]
        serializer = Reversed()

    async with flowing(Added, activities=[Adding]) as (_, plain):
        domain = Backwards(plain.conn)
        async with Worker(domain):
            run = await domain.start(Added, 20, workflow_id="w-1")
            await run.signal("more", 30)
            assert await run.result() == 62
        [scheduled] = await attributes_of(run, "ActivityTaskScheduled")
    assert scheduled.input == "]21,03,02["
