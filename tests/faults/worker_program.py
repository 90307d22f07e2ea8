"""The worker that tests start as a process of its own: ``python -m flowser.run``.

What its handlers do is in the input of their tasks.
"""

import asyncio
import contextlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import flowser
from flowser.tasks import Decision
from flowser.types import Activity, Workflow

#: Seconds.
GRACE = 2.0


def square(number: int) -> int:
    """Do something in another process."""
    return number * number


class Work(Activity):
    """Does what its input says."""

    name = "Work"
    version = "1.0"
    task_list = "work"
    heartbeat_timeout = "1"
    start_to_close_timeout = "300"
    task: Any

    async def run(self, input: Any) -> Any:
        """Work."""
        what, value = input
        return await getattr(self, what)(value)

    async def sleep(self, seconds: float) -> float:
        """Take some time."""
        await asyncio.sleep(seconds)
        return seconds

    async def report(self, details: str) -> None:
        """Tell how far it is, and go on for ever."""
        await self.task.heartbeat(details)
        await asyncio.Event().wait()

    async def cling(self, cancellations: int) -> None:
        """Go on for ever, through some cancellations."""
        for _ in range(cancellations):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def spawn(self, number: int) -> int:
        """Use a process that is spawned."""
        loop = asyncio.get_running_loop()
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return await loop.run_in_executor(pool, square, number)


class Patient(Work):
    """The same, whose heartbeats may be missed for long."""

    name = "Patient"
    heartbeat_timeout = "300"


class Season(Workflow):
    """Never decides, when it is told so; else schedules one activity, then ends."""

    name = "Season"
    version = "1.0"
    task_list = "seasons"

    async def decide(self, decision: Decision) -> None:
        """Decide."""
        if await decision.start_input == "hang":
            decision.schedule(Work, ["sleep", 0], activity_id="a-1").mark("sown")
            await asyncio.Event().wait()
        if await decision.most_recent("ActivityTaskCompleted"):
            await decision.workflow_execution.complete("reaped")
        elif not await decision.most_recent("ActivityTaskScheduled"):
            decision.schedule(Work, ["sleep", 0], activity_id="a-1").mark("sown")


class Farm(flowser.Domain):
    """Serves all."""

    name = "farm"
    workflow_types = [Season]
    activity_types = [Work, Patient]


def worker(domain: flowser.Domain, **options: Any) -> flowser.Worker:
    """Make the worker, with little time for what is cut off."""
    return flowser.Worker(domain, grace=GRACE, **options)
