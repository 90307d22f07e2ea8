"""The parts that children play; each goes on for ever.

By a bare aiobotocore client, by flowser's iterations, and by its worker.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import flowser
from flowser import types
from tests.benchmarks import arithmetic_types as mine
from tests.benchmarks.clients import bare_client, flowser_connection
from tests.benchmarks.tables import BARE, FLOWSER, WORKER
from tests.support import arithmetic

#: How many polls an idle process holds.
POLLS = 500

#: How many activities are in flight in a full one.
FLIGHT = 10_000

#: Called when a part has its client.
Begin = Callable[[], None]

#: Given the server's URL and the name of the domain.
Part = Callable[[str, str, Begin], Awaitable[None]]


async def bare_decider(url: str, domain: str, begin: Begin) -> None:
    """Decide, one task at a time."""
    async with bare_client(url) as client:
        begin()
        while True:
            await arithmetic.decide(client, domain)


async def bare_activities(url: str, domain: str, begin: Begin) -> None:
    """Work, one task of each type at a time."""

    async def work(name: str) -> None:
        while True:
            await arithmetic.work(client, name, domain)

    async with bare_client(url) as client, asyncio.TaskGroup() as group:
        begin()
        for name in arithmetic.ACTIVITIES:
            group.create_task(work(name))


async def bare_idle(url: str, domain: str, begin: Begin) -> None:
    """Hold polls that bring nothing."""

    async def poll() -> None:
        while True:
            await client.poll_for_activity_task(
                domain=domain, taskList={"name": "idle"}
            )

    async with bare_client(url, POLLS + 20) as client, asyncio.TaskGroup() as group:
        begin()
        for _ in range(POLLS):
            group.create_task(poll())


async def bare_flight(url: str, domain: str, begin: Begin) -> None:
    """Take tasks, and finish none."""
    async with bare_client(url) as client, asyncio.TaskGroup() as group:
        begin()
        for _ in range(FLIGHT):
            task = await client.poll_for_activity_task(
                domain=domain, taskList={"name": _flood(domain)}
            )
            group.create_task(_for_ever(task))
        print("full", flush=True)


async def _for_ever(task: object) -> None:
    await asyncio.Event().wait()


def _flood(domain: str) -> str:
    """Name a list of the canned server that has that many tasks."""
    return f"{domain}-flood-{FLIGHT}"


async def decider(url: str, domain: str, begin: Begin) -> None:
    """Decide, one task at a time."""
    async with flowser_connection(url) as connection:
        begin()
        await mine.decide_all(_named(mine.Deciding(connection), domain))


async def activities(url: str, domain: str, begin: Begin) -> None:
    """Work, one task of each type at a time."""
    async with flowser_connection(url) as connection, asyncio.TaskGroup() as group:
        begin()
        working = _named(mine.Working(connection), domain)
        for kind in mine.ACTIVITIES.values():
            group.create_task(mine.work_all(working, kind))


async def idle(url: str, domain: str, begin: Begin) -> None:
    """Hold polls that bring nothing."""
    async with flowser_connection(url) as connection, asyncio.TaskGroup() as group:
        begin()
        served = _named(mine.Working(connection), domain)
        for _ in range(POLLS):
            group.create_task(mine.work_all(served, _Idle))


async def worker_decider(url: str, domain: str, begin: Begin) -> None:
    """Decide, by a worker with one poller."""
    async with flowser_connection(url) as connection:
        begin()
        await _serve(flowser.Worker(_named(mine.Deciding(connection), domain)))


async def worker_activities(url: str, domain: str, begin: Begin) -> None:
    """Work, by a worker with one poller for each type."""
    async with flowser_connection(url) as connection:
        begin()
        await _serve(flowser.Worker(_named(mine.Working(connection), domain)))


async def worker_idle(url: str, domain: str, begin: Begin) -> None:
    """Hold polls that bring nothing, by a worker."""
    async with flowser_connection(url) as connection:
        begin()
        served = _named(_IdleDomain(connection), domain)
        await _serve(flowser.Worker(served, activities=POLLS, activity_pollers=POLLS))


async def worker_flight(url: str, domain: str, begin: Begin) -> None:
    """Take tasks, and finish none, by a worker with a slot for each."""
    async with flowser_connection(url) as connection:
        begin()
        _Endless.task_list = _flood(domain)
        served = _named(_FlightDomain(connection), domain)
        await _serve(flowser.Worker(served, activities=FLIGHT, activity_pollers=8))


class _Idle(types.Activity):
    name, version, task_list = "Idle", "1.0.0", "idle"

    async def run(self, input: Any) -> None:
        """Never called."""


class _Endless(types.Activity):
    name, version = "MultiplyActivity", "1.0.0"
    running = 0

    async def run(self, input: Any) -> None:
        """Tell when all of them are here."""
        _Endless.running += 1
        if _Endless.running == FLIGHT:
            print("full", flush=True)
        await asyncio.Event().wait()


class _IdleDomain(flowser.Domain):
    name = "idle"
    activity_types = [_Idle]


class _FlightDomain(flowser.Domain):
    name = "flight"
    activity_types = [_Endless]


D = TypeVar("D", bound=flowser.Domain)


def _named(domain: D, name: str) -> D:
    """Give a domain of this process another name: contestants have one each."""
    domain.name = name
    return domain


async def _serve(worker: flowser.Worker) -> None:
    async with worker:
        await asyncio.Event().wait()


#: By part, and by who plays it.
PARTS: dict[str, dict[str, Part]] = {
    "decider": {BARE: bare_decider, FLOWSER: decider, WORKER: worker_decider},
    "activities": {
        BARE: bare_activities,
        FLOWSER: activities,
        WORKER: worker_activities,
    },
    "idle": {BARE: bare_idle, FLOWSER: idle, WORKER: worker_idle},
    "flight": {BARE: bare_flight, WORKER: worker_flight},
}
