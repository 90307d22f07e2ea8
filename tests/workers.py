"""Workers for tests, and what they serve."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from flowser import tasks
from flowser.domain import Domain
from flowser.types import Activity, Workflow
from flowser.worker import Worker
from tests import declared
from tests.declared import Album, Photos, Resize
from tests.support.mini_swf import MiniSwf

Run = Callable[[Any], Awaitable[Any]]

#: Polls of a mini SWF for workers that stop: they wait for them.
POLL_SECONDS = 0.3


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
async def mini_domain(
    *kinds: type[Activity] | type[Workflow], **settings: Any
) -> AsyncIterator[tuple[MiniSwf, Domain]]:
    """Run a mini SWF, and register a domain with these types in it."""
    settings.setdefault("poll_seconds", POLL_SECONDS)
    async with MiniSwf(**settings) as mini, declared.hurried(mini.url) as conn:
        domain = domain_class(*kinds)(conn)
        await domain.register()
        yield mini, domain


async def nothing(decision: tasks.Decision) -> None:
    """Decide nothing."""
