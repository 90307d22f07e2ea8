"""Coroutine workflows for tests, and a domain on a local SWF that has them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from flowser import flow
from flowser.domain import Domain
from flowser.executions import WorkflowExecution
from tests import declared
from tests.support.watched import WatchedSwf
from tests.workers import POLL_SECONDS

activity = flow.activity(version="1.0", task_list="doers")
workflow = flow.workflow(version="1.0", task_list="deciders")


@activity
async def double(number: int) -> int:
    """Double a number."""
    return 2 * number


@workflow
async def thrice(number: int) -> int:
    """Double a number three times, one after the other."""
    for _ in range(3):
        number = await double(number)
    return number


def domain_of(workflows: Sequence[Any], activities: Sequence[Any] = ()) -> type[Domain]:
    """Declare a domain with these types."""

    class Given(Domain):
        name = "given"
        workflow_types = workflows
        activity_types = [double, *activities]

    return Given


@asynccontextmanager
async def flowing(
    *workflows: Any, activities: Sequence[Any] = (), **settings: Any
) -> AsyncIterator[tuple[WatchedSwf, Domain]]:
    """Run a local SWF, and register a domain with these workflows in it."""
    settings.setdefault("poll_seconds", POLL_SECONDS)
    async with WatchedSwf(**settings) as local, declared.hurried(local.url) as conn:
        domain = domain_of(workflows, activities)(conn)
        await domain.register()
        yield local, domain


async def started(
    domain: Domain, kind: Any, *args: Any, id: str = "w-1", **options: Any
) -> WorkflowExecution:
    """Start a decorated workflow."""
    given = kind.input(*args)
    return await domain.start(kind, given, workflow_id=id, **options)


async def events_of(execution: WorkflowExecution) -> list[str]:
    """Name the events of a run, oldest first."""
    return [event.type async for event in execution.history()]


async def attributes_of(execution: WorkflowExecution, event_type: str) -> list[Any]:
    """Give the attributes of the events of a type, oldest first."""
    history = execution.history().filter(event_type)
    return [event.attributes async for event in history]
