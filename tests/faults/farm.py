"""A domain, a run with activities in it, and a worker between faults and a real SWF."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from flowser import _client
from flowser._lean import Connection
from flowser.domain import Domain
from flowser.events import Event
from flowser.executions import WorkflowExecution
from flowser.limits import Duration
from flowser.tasks import Decision
from flowser.types import Activity, Workflow
from flowser.worker import Worker
from tests.declared import session
from tests.faults.virtual import now
from tests.histories import activity_task
from tests.support.answers import Answer, Hang, Recorded
from tests.support.proxy import FaultingProxy
from tests.support.scripted import EMPTY_POLL, ScriptedSwf
from tests.support.watched import WatchedSwf

POLL_ACTIVITY, POLL_DECISION = "PollForActivityTask", "PollForDecisionTask"
COMPLETED, FAILED = "RespondActivityTaskCompleted", "RespondActivityTaskFailed"
CANCELED, DECIDED = "RespondActivityTaskCanceled", "RespondDecisionTaskCompleted"
HEARTBEAT = "RecordActivityTaskHeartbeat"

#: A task of the Work, as a scripted SWF answers a poll.
TASK = activity_task(activityType={"name": "Work", "version": "1.0"})


class Work(Activity):
    name = "Work"
    version = "1.0"
    task_list = "work"
    heartbeat_timeout: Duration = "30"
    start_to_close_timeout = "300"


class Season(Workflow):
    name = "Season"
    version = "1.0"
    task_list = "seasons"
    task_start_to_close_timeout = "20"
    execution_start_to_close_timeout = "86400"


class Farm(Domain):
    name = "farm"
    workflow_types = [Season]
    activity_types = [Work]


@dataclass
class Rig:
    """A small SWF, a proxy that does harm, and a connection to either.

    Attributes:
        swf: The server.
        proxy: What stands in front of it.
        farm: A domain over the proxy, for what is under test.
        owner: The domain over a connection of its own, which nothing disturbs.
    """

    swf: WatchedSwf
    proxy: FaultingProxy
    farm: Farm
    owner: Farm

    async def start(self, **options: Any) -> WorkflowExecution:
        """Start a run, whose first decision task then waits."""
        return await self.owner.start(Season, {"id": 1}, **options)

    async def begin(self, n: int = 1, **timeouts: Any) -> WorkflowExecution:
        """Start a run and schedule *n* activities, ``a-0`` and so on."""
        run = await self.start()
        decision = await self.owner.poll_decision(Season)
        for index in range(n):
            decision.schedule(Work, index, activity_id=f"a-{index}", **timeouts)
        await decision.complete()
        return run

    async def events(self, run: WorkflowExecution) -> list[Event]:
        """Read the history, by the undisturbed connection."""
        handle = self.owner.execution(run.workflow_id, run.run_id)
        return [event async for event in handle.history()]

    async def decision(self) -> Decision:
        """Take the next decision task, by the undisturbed connection."""
        return await self.owner.poll_decision(Season)


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[Connection]:
    """Open a connection whose clock is the loop's."""
    settings = await _client.resolve(_client.Source(session()), endpoint_url=url)
    async with _client.opened(settings, clock=now, **options) as conn:
        yield conn


@asynccontextmanager
async def rigged(**options: Any) -> AsyncIterator[Rig]:
    """Set all up, with the domain and its types registered.

    Args:
        options: Those of WatchedSwf.
    """
    async with (
        WatchedSwf(**options) as swf,
        FaultingProxy(swf.url) as proxy,
        opened(swf.url) as direct,
        opened(proxy.url) as conn,
    ):
        rig = Rig(swf, proxy, Farm(conn), Farm(direct))
        await rig.owner.register()
        yield rig


@asynccontextmanager
async def scripted_farm(**options: Any) -> AsyncIterator[tuple[ScriptedSwf, Farm]]:
    """Give an SWF that holds polls for a minute unless a script says otherwise."""
    async with ScriptedSwf() as server, opened(server.url, **options) as conn:
        server.always(HEARTBEAT, {"cancelRequested": False})
        for poll in (POLL_ACTIVITY, POLL_DECISION):
            server.always(poll, late(60, EMPTY_POLL))
        yield server, Farm(conn)


def late(seconds: float, answer: Answer) -> Answer:
    """Make an answer that comes *seconds* after its request."""

    async def wait(_: Recorded) -> Answer:
        gate = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, gate.set)
        return Hang(gate, answer)

    return wait


def worker_of(farm: Domain, **options: Any) -> Worker:
    """Make a worker that waits longer for its polls than SWF holds them."""
    return Worker(farm, **{"drain": 90.0, **options})


async def idle(_: object) -> None:
    """Handle a task."""


Serving = Callable[[Domain], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def working(farm: Domain) -> AsyncIterator[None]:
    """Serve activities by a worker of one poller."""
    worker = worker_of(farm)
    worker.activity(Work)(idle)
    async with worker:
        yield


@asynccontextmanager
async def iterating(farm: Domain) -> AsyncIterator[None]:
    """Serve activities by the generator."""

    async def loop() -> None:
        async for task in farm.activities(Work):
            await task.complete()

    async with asyncio.TaskGroup() as group:
        group.create_task(loop())
        yield
        farm.stop()


def gaps(server: ScriptedSwf, operation: str) -> list[float]:
    """Give the seconds between requests for an operation, as they arrived."""
    return [b.at - a.at for a, b in pairwise(server.of(operation))]


def of_type(events: Sequence[Event], event_type: str) -> list[Any]:
    """Give the attributes of the events of a type."""
    return [event.attributes for event in events if event.type == event_type]


def told(
    caplog: pytest.LogCaptureFixture, level: int = logging.INFO
) -> list[tuple[str, str]]:
    """Give level and text of flowser's records; but not who begins and ends."""
    quiet = (
        "registered ",
        "the worker begins",
        "the worker polls no more",
        "the worker has ended",
    )
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("flowser")
        and record.levelno >= level
        and not record.getMessage().startswith(quiet)
    ]


def levels(caplog: pytest.LogCaptureFixture) -> Counter[str]:
    """Count flowser's records of each level, but not who begins and ends."""
    return Counter(level for level, _ in told(caplog))
