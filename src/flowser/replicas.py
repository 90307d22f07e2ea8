"""Replicas: runs that are made again from their histories, to be looked at.

Strategy: read and replay page by page, for a history may have 25,000 events. Code of
today runs in a thread, where a watchdog looks how long. Nothing is ever taken out of a
replica, so nothing of it reaches SWF; its steps wait, for nobody does them.

Source:
    issue 4 section 4 (queries); dx.md sections 1.1 and 1.2; swf-semantics.md section
    2.4.
"""

import contextvars
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from flowser import requests, results
from flowser._flow.recording import recorded, silenced
from flowser._flow.subjects import Shown
from flowser._hosted import Hosted, shared
from flowser._threads import Threads
from flowser.calling import DomainLike
from flowser.events import Event, WorkflowExecutionStarted
from flowser.exceptions import BrokenHistory, InvalidArgument
from flowser.executions import WorkflowExecution
from flowser.history import oldest_first
from flowser.replay.run import Run
from flowser.replay.troubles import Trouble
from flowser.types import Workflow

T = TypeVar("T")

#: Seconds in which a replica is thrown away, before it is left to itself.
_ENDING = 1.0


class Replica:
    """A run as its history leaves it; what it does has no effect."""

    def __init__(self, hosted: Hosted, program: Shown) -> None:
        """Look at a run; use :func:`replica`."""
        self._hosted = hosted
        self._program = program

    async def ask(self, fn: Callable[[Any], T]) -> T:
        """Call a function on the workflow; see ``WorkflowExecution.query``.

        Args:
            fn: Gets the instance of a class; of a function its variables.

        Raises:
            InvalidArgument: When it is no plain function.
            Trouble: When it blocks.
        """
        if not callable(fn):
            raise InvalidArgument("fn", f"is {fn!r}", "pass a function")
        context = contextvars.copy_context()
        return await self._hosted.call(partial(self._asked, fn, context))

    def _asked(self, fn: Callable[[Any], T], context: contextvars.Context) -> T:
        with self._hosted.run.loop.running():
            found = context.run(fn, self._program.subject)
        if not inspect.isawaitable(found):
            return found
        if inspect.iscoroutine(found):
            found.close()
        remedy = "pass a plain function: a replica does nothing that could be awaited"
        raise InvalidArgument("fn", "is async", remedy)

    async def stack(self) -> str:
        """Tell where each of its tasks waits, with file and line."""
        return await self._hosted.call(self._hosted.run.stack)


@asynccontextmanager
async def replica(
    domain: DomainLike, execution: WorkflowExecution, watchdog: float | None
) -> AsyncIterator[Replica]:
    """Replay a run for as long as a block lasts.

    Args:
        domain: Has its type.
        execution: The run, or that of an id which is open, or was the latest.
        watchdog: Seconds that its code may run without waiting; None for any time.

    Raises:
        InvalidArgument: When it has no coroutine workflow of the run's type.
        Trouble: When the history does not fit the code.
        UnknownResourceFault: When there is no such run.
    """
    if watchdog is not None and not watchdog > 0:  # so that NaN is refused, too
        raise InvalidArgument("watchdog", f"is {watchdog!r}", "give seconds, or None")
    ids = await execution.ids()
    threads = Threads(watchdog, shared())

    async def fetch(token: str | None) -> results.History:
        return await domain.call(
            requests.GetWorkflowExecutionHistory(
                domain=domain.name, execution=ids, next_page_token=token
            )
        )

    with recorded():
        async with aclosing(oldest_first(fetch)) as pages:
            page = await anext(pages, None)
            if page is None:
                raise BrokenHistory("the history has no events")
            program = Shown(_kind(domain, execution.caller, page[0]), domain)
            hosted = Hosted(Run(ids.workflow_id, ids.run_id, program), threads)
            try:
                while page is not None:
                    await hosted.call(partial(_silently, hosted.run.feed, page))
                    page = await anext(pages, None)
                await hosted.call(partial(_silently, hosted.run.catch_up))
                yield Replica(hosted, program)
            finally:
                hosted.end()
                await threads.finished(_ENDING)


def _silently(call: Callable[..., None], *args: Any) -> None:
    """Run workflow code, without its log; its exit is not that of this process."""
    try:
        with silenced():
            call(*args)
    except SystemExit as error:
        raise Trouble(f"workflow code raises {error!r}") from error


def _kind(domain: DomainLike, caller: Any, first: Event) -> type[Workflow]:
    """Find the code of a run: the type that its handle came from, or the domain's."""
    started = first.attributes
    if not isinstance(started, WorkflowExecutionStarted):
        raise BrokenHistory(f"event {first.id} is {first.type}: the start is missing")
    named = started.workflow_type
    known: Any = domain.type_of(named)
    if isinstance(caller, Workflow) and caller.workflow_type() == named:
        known = caller
    words = f"workflow type {named.name!r} {named.version!r}"
    where = type(domain).__name__
    if known is None:
        remedy = f"list it there, or pass its class: {where}.execution(..., t=...)"
        raise InvalidArgument(words, f"is none of {where}.workflow_types", remedy)
    if getattr(known, "run", None) is None:
        problem = "has no run that could be replayed"
        raise InvalidArgument(words, problem, "look at history() or describe() instead")
    kind: type[Workflow] = type(known)
    return kind
