"""A domain for tests of the test kit: albums are printed after a month."""

import asyncio
from typing import Any, ClassVar

import flowser
from flowser import tasks, types
from flowser.limits import Duration
from flowser.testing import LocalSwf

DAY = 86_400


class Print(types.Activity):
    """Prints for hours, and gives no sign of life."""

    name, version, task_list = "Print", "1.0", "printers"
    heartbeat_timeout: Duration = "NONE"
    start_to_close_timeout = DAY
    schedule_to_start_timeout = "NONE"
    schedule_to_close_timeout = "NONE"
    hours: ClassVar = 10

    async def run(self, input: Any) -> str:
        for hour in range(self.hours):
            await asyncio.sleep(3600)
            if self.heartbeat_timeout != "NONE":
                await self.task.heartbeat(f"hour {hour}")
        return "printed"


class LivelyPrint(Print):
    """Is heartbeated, and says how far it is."""

    heartbeat_timeout = 3 * 3600


class Album(types.Workflow):
    """Waits for thirty days, and is printed then."""

    name, version, task_list = "Album", "1.0", "albums"
    execution_start_to_close_timeout = 90 * DAY
    task_start_to_close_timeout = 30
    child_policy = "TERMINATE"
    prints = Print

    async def decide(self, decision: tasks.Decision) -> None:
        types_of = {event.type async for event in decision.events}
        if done := await decision.most_recent("ActivityTaskCompleted"):
            await decision.workflow_execution.complete(done.attrs["result"])
        elif late := await decision.most_recent("ActivityTaskTimedOut"):
            await decision.fail(reason=late.attrs["timeoutType"])
        elif "TimerFired" in types_of:
            decision.schedule(self.prints, {"id": 1})
            await decision.complete()
        else:
            decision.start_timer("month", 30 * DAY)
            await decision.complete()


class LivelyAlbum(Album):
    """Is printed with signs of life."""

    prints = LivelyPrint


class Printer(flowser.Domain):
    name = "printer"
    workflow_types = [Album]
    activity_types = [Print]


class LivelyPrinter(Printer):
    workflow_types = [LivelyAlbum]
    activity_types = [LivelyPrint]


async def printer(swf: LocalSwf, kind: type[Printer] = Printer) -> Printer:
    """Register the domain on a local SWF."""
    domain = kind(swf.conn)
    await domain.register()
    return domain


def worker(domain: flowser.Domain, **options: Any) -> flowser.Worker:
    """Make a worker that fails an execution whose decider has a bug."""
    return flowser.Worker(domain, on_decision_error="fail", **options)


async def until_printed(domain: flowser.Domain) -> Any:
    """Let a worker print an album, and give the result."""
    async with worker(domain):
        handle = await domain.start(Album, {"id": "a-1"})
        return await handle.result()
