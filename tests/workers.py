"""Workers for tests, and what they serve."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from flowser import tasks
from flowser.domain import Domain
from flowser.limits import Duration
from flowser.types import Activity, Workflow
from flowser.worker import Worker
from tests import declared
from tests.declared import Album, Photos, Resize
from tests.histories import Raw, began, decision_task, raw
from tests.support.answers import Recorded, unknown_resource
from tests.support.scripted import ScriptedSwf
from tests.support.watched import WatchedSwf

Run = Callable[[Any], Awaitable[Any]]

#: Polls of a local SWF for workers that stop: they wait for them.
POLL_SECONDS = 0.3

BEAT = "RecordActivityTaskHeartbeat"
POLL = "PollForActivityTask"
GOES_ON = {"cancelRequested": False}
CANCEL = {"cancelRequested": True}
GONE = unknown_resource("Unknown activity, scheduledEventId = 5")


class Brief(Activity):
    """Heartbeats are wanted often."""

    name, version, task_list = "Resize", "1.0", "images"
    heartbeat_timeout = 1


class Silent(Activity):
    """No heartbeats are wanted."""

    name, version, task_list = "Resize", "1.0", "images"
    heartbeat_timeout: Duration = "NONE"
    start_to_close_timeout: Duration = "NONE"


class Short(Silent):
    """It may take a second."""

    start_to_close_timeout = 1


class Endless:
    """A handler that waits until it is cancelled.

    Attributes:
        began: Set when it was called.
        cancelled: How often it was.
    """

    def __init__(self, *, lets_go: bool = True) -> None:
        """Wait.

        Args:
            lets_go: Whether a cancellation ends it.
        """
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self.cancelled = 0
        self._lets_go = lets_go

    async def __call__(self, given: Any) -> None:
        self.began.set()
        while True:
            try:
                await self.ended.wait()
                return
            except asyncio.CancelledError:
                self.cancelled += 1
                if self._lets_go:
                    raise


def resizing(domain: Domain, run: Run, **options: Any) -> Worker:
    """Make a worker whose Resize is a function."""
    worker = Worker(domain, **options)
    worker.activity(Resize)(run)
    return worker


def deciding(domain: Domain, decide: Run, **options: Any) -> Worker:
    """Make a worker whose Album is decided by a function."""
    worker = Worker(domain, **options)
    worker.decider(Album)(decide)
    return worker


def brief(domain: Domain, run: Any, kind: Any = Brief, **options: Any) -> Worker:
    """Make a worker of one slot that heartbeats every tenth of a second."""
    worker = Worker(domain, activities=1, heartbeat_interval=0.1, **options)
    worker.activity(kind)(run)
    return worker


async def answer_of(
    scripted: ScriptedSwf, worker: Worker, how: str = "Completed"
) -> Recorded:
    """Let a worker handle one task, and give its answer."""
    async with worker:
        answer = await scripted.received(f"RespondActivityTask{how}")
        await scripted.received(POLL, 2)
        scripted.release_polls()
    return answer


@asynccontextmanager
async def photo_server() -> AsyncIterator[tuple[ScriptedSwf, Photos]]:
    """Run a scripted SWF in the loop of the test, and open a domain on it."""
    async with ScriptedSwf() as scripted, photos(scripted.url) as domain:
        yield scripted, domain


@asynccontextmanager
async def photos(url: str) -> AsyncIterator[Photos]:
    """Open a domain on a server, whose calls are repeated without pauses."""
    async with declared.hurried(url) as conn:
        yield Photos(conn)


def domain_class(*kinds: type[Activity] | type[Workflow]) -> type[Domain]:
    """Declare a domain with these types."""

    class Given(Domain):
        name = "given"
        activity_types = [k for k in kinds if issubclass(k, Activity)]
        workflow_types = [k for k in kinds if issubclass(k, Workflow)]

    return Given


@asynccontextmanager
async def local_domain(
    *kinds: type[Activity] | type[Workflow], **settings: Any
) -> AsyncIterator[tuple[WatchedSwf, Domain]]:
    """Run a local SWF, and register a domain with these types in it."""
    settings.setdefault("poll_seconds", POLL_SECONDS)
    async with WatchedSwf(**settings) as local, declared.hurried(local.url) as conn:
        domain = domain_class(*kinds)(conn)
        await domain.register()
        yield local, domain


async def nothing(decision: tasks.Decision) -> None:
    """Decide nothing."""


def first(timeout: str = "30", **more: Any) -> Raw:
    """Build the first decision task of a run."""
    scheduled = {"taskList": {"name": "albums"}, "startToCloseTimeout": timeout}
    events = [
        raw(3, "DecisionTaskStarted", scheduledEventId=2),
        raw(2, "DecisionTaskScheduled", **scheduled),
        began(input='{"id": 7}'),
    ]
    return decision_task(events, **more)
