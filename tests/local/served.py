"""A service in a test: real files, time that jumps, answers as plain objects."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from flowser import decisions as d
from flowser import events, requests, shapes, wire
from flowser.local.engine.faults import Fault
from flowser.local.service import Service
from flowser.local.storage import Store
from tests.local.engine.rig import schedule
from tests.local.shapes import conforming

DOMAIN = "shop"
START = 1_700_000_000_000_000_000

ORDER = shapes.WorkflowType(name="order", version="1")


class Client:
    """Calls a service."""

    def __init__(self, swf: Service) -> None:
        self.swf = swf

    async def send(
        self,
        request: requests.Request[Any],
        present: Callable[[], bool] = lambda: True,
        region: str = "us-east-1",
    ) -> Any:
        """Call, and read the answer."""
        operation = type(request).__name__
        text = await self.swf.call(
            operation, wire.encode(request), region=region, present=present
        )
        answer = json.loads(text) if text else None
        conforming(operation, answer or {})
        return answer

    async def register(self) -> None:
        """Register what the other calls need."""
        await self.send(
            requests.RegisterDomain(
                name=DOMAIN, workflow_execution_retention_period_in_days="1"
            )
        )
        await self.send(
            requests.RegisterWorkflowType(
                domain=DOMAIN,
                name="order",
                version="1",
                default_task_list=shapes.TaskList(name="deciders"),
                default_execution_start_to_close_timeout="1000",
                default_task_start_to_close_timeout="10",
                default_child_policy=shapes.ChildPolicy.TERMINATE,
            )
        )
        await self.send(
            requests.RegisterActivityType(
                domain=DOMAIN,
                name="pay",
                version="1",
                default_task_list=shapes.TaskList(name="payers"),
                default_task_schedule_to_start_timeout="100",
                default_task_schedule_to_close_timeout="200",
                default_task_start_to_close_timeout="50",
                default_task_heartbeat_timeout="NONE",
            )
        )

    async def start(self, workflow_id: str = "o-1", **members: Any) -> str:
        """Start a run, and give its run id."""
        request = requests.StartWorkflowExecution(
            domain=DOMAIN, workflow_id=workflow_id, workflow_type=ORDER, **members
        )
        answer = await self.send(request)
        return str(answer["runId"])

    async def poll(self, **present: Any) -> Any:
        """Poll for a decision task."""
        task_list = shapes.TaskList(name="deciders")
        request = requests.PollForDecisionTask(domain=DOMAIN, task_list=task_list)
        return await self.send(request, **present)

    async def poll_activity(self, **present: Any) -> Any:
        """Poll for an activity task."""
        task_list = shapes.TaskList(name="payers")
        request = requests.PollForActivityTask(domain=DOMAIN, task_list=task_list)
        return await self.send(request, **present)

    async def decide(self, task: Any, *made: d.Decision) -> None:
        """Answer a decision task."""
        request = requests.RespondDecisionTaskCompleted(
            task_token=task["taskToken"],
            decisions=tuple(d.wrapped(each) for each in made),
        )
        await self.send(request)

    async def begin(self, *made: d.Decision, **members: Any) -> str:
        """Start a run, and take the first decisions of its decider."""
        run_id = await self.start(**members)
        await self.decide(await self.poll(), *made)
        return run_id

    async def signal(self, workflow_id: str = "o-1") -> None:
        """Send a signal to a run."""
        request = requests.SignalWorkflowExecution(
            domain=DOMAIN, workflow_id=workflow_id, signal_name="s"
        )
        await self.send(request)

    async def events(self, run_id: str, workflow_id: str = "o-1") -> list[Any]:
        """Read a history."""
        ids = shapes.WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
        request = requests.GetWorkflowExecutionHistory(domain=DOMAIN, execution=ids)
        answer = await self.send(request)
        return list(answer["events"])

    async def types(self, run_id: str, workflow_id: str = "o-1") -> list[str]:
        """Read which events a history has."""
        return [each["eventType"] for each in await self.events(run_id, workflow_id)]

    async def open_runs(self) -> int:
        """Count the open runs."""
        window = shapes.ExecutionTimeFilter(oldest_date=0)
        request = requests.CountOpenWorkflowExecutions(
            domain=DOMAIN, start_time_filter=window
        )
        return int((await self.send(request))["count"])


def attributes(event: Any) -> Any:
    """Give what an event tells."""
    return event[events.member(event["eventType"])]


@contextlib.asynccontextmanager
async def serving(
    store: Store, wall: int = START, **options: Any
) -> AsyncIterator[Client]:
    """Serve what a store keeps, from a time on (nanoseconds)."""
    async with Service(store, wall=lambda: wall, **options) as swf:
        yield Client(swf)


@contextlib.asynccontextmanager
async def served(
    path: Path | None = None, wall: int = START, **options: Any
) -> AsyncIterator[Client]:
    """Serve what a file keeps; or nothing, when it is new or None."""
    with contextlib.closing(Store(path)) as store:
        async with serving(store, wall, **options) as client:
            if not store.last_at:
                await client.register()
            yield client


async def turns(n: int = 5) -> None:
    """Let the event loop go on, without time."""
    for _ in range(n):
        await asyncio.sleep(0)


async def refused(call: Any) -> str:
    """Expect a fault, and give its name."""
    try:
        await call
    except Fault as fault:
        return fault.name
    raise AssertionError("it was not refused")


class Watched(Store):
    """A store that notes its commits."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path)
        self.commits = 0

    def commit(self) -> None:
        """Note it."""
        self.commits += 1
        super().commit()


def allow_writing(store: Store, *, yes: bool) -> None:
    """Let SQLite refuse all that writes; or no longer."""
    store._db.execute(f"PRAGMA query_only = {not yes}")


__all__ = [
    "DOMAIN",
    "START",
    "Client",
    "Watched",
    "allow_writing",
    "attributes",
    "refused",
    "schedule",
    "served",
    "serving",
    "turns",
]
