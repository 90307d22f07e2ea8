"""How a run ends: waiting for it, and what comes of it.

Source:
    swf-semantics.md sections 2.2, 2.4 and 6.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from flowser import events, requests, shapes
from flowser._backoff import Backoff
from flowser.calling import DomainLike
from flowser.events import Event
from flowser.exceptions import (
    ConnectionFailed,
    ExecutionCanceled,
    ExecutionFailed,
    ExecutionTerminated,
    ExecutionTimedOut,
    InternalFailure,
    InvalidArgument,
    ResponseLost,
    Throttled,
)

log = logging.getLogger("flowser.executions")

#: SWF is asked for a result no more often than so, in seconds.
_LEAST = 0.01

_PASSING = (ConnectionFailed, InternalFailure, ResponseLost, Throttled)

#: Events that end a run.
CLOSING = frozenset(
    {
        "WorkflowExecutionCompleted",
        "WorkflowExecutionFailed",
        "WorkflowExecutionTimedOut",
        "WorkflowExecutionCanceled",
        "WorkflowExecutionContinuedAsNew",
        "WorkflowExecutionTerminated",
    }
)


class Handle(Protocol):
    """A handle on an execution, as far as its end is concerned."""

    workflow_id: str

    @property
    def domain(self) -> DomainLike:
        """Its domain."""
        ...

    async def ids(self) -> shapes.WorkflowExecution:
        """Find the run."""
        ...


class Outcome(NamedTuple):
    """A run that has ended, and how.

    Attributes:
        run: The ids of the run: the last one, after continue-as-new.
        closing: What its closing event says.
    """

    run: shapes.WorkflowExecution
    closing: events.Attributes | dict[str, Any]

    def result(self, loads: Callable[[str], Any]) -> Any:
        """Give the result, read by *loads*; None when there is none.

        Raises:
            ExecutionError: When it ended without one.
        """
        ids = self.run.workflow_id, self.run.run_id
        match self.closing:
            case events.WorkflowExecutionCompleted(result=None):
                return None
            case events.WorkflowExecutionCompleted(result=str(text)):
                return loads(text)
            case events.WorkflowExecutionFailed(reason=reason, details=details):
                raise ExecutionFailed(*ids, reason=reason, details=details)
            case events.WorkflowExecutionCanceled(details=details):
                raise ExecutionCanceled(*ids, details=details)
            case events.WorkflowExecutionTerminated() as end:
                raise ExecutionTerminated(
                    *ids, cause=end.cause, reason=end.reason, details=end.details
                )
        raise ExecutionTimedOut(*ids)


async def outcome(execution: Handle, most: float) -> Outcome:
    """Wait until a run ends, and those that continue it.

    Args:
        execution: The run, or that of an id which is open, or was the latest.
        most: The longest interval between two looks, in seconds.

    Raises:
        InvalidArgument: When that is too short.
        UnknownResourceFault: When there is no such run.
    """
    if not most >= _LEAST:  # so that NaN is refused, too
        raise InvalidArgument("most", f"is {most!r}", f"give {_LEAST} s or more")
    run: shapes.WorkflowExecution | None = None
    backoff = Backoff(0.2, most)
    while True:
        try:
            run = run or await execution.ids()
            closing = await _closing(execution.domain, run)
        except _PASSING as error:  # a wait of weeks outlasts what passes
            message = "waiting for %s: %s; looking again"
            log.warning(message, execution.workflow_id, error)
            closing = None
        if run is None or closing is None:
            await asyncio.sleep(backoff.pause())
        elif isinstance(closing, events.WorkflowExecutionContinuedAsNew):
            run = shapes.WorkflowExecution(
                workflow_id=run.workflow_id, run_id=closing.new_execution_run_id
            )
            backoff.reset()
        else:
            return Outcome(run, closing)


async def _closing(
    domain: DomainLike, run: shapes.WorkflowExecution
) -> events.Attributes | dict[str, Any] | None:
    """Find how a run ended; None while it is open.

    Nothing follows the closing event (semantics 2.2), so one event is enough; an
    emulator may still write more, so the whole page is looked through.
    """
    page = await domain.call(
        requests.GetWorkflowExecutionHistory(
            domain=domain.name,
            execution=run,
            maximum_page_size=1,
            reverse_order=True,
        )
    )
    found: list[Event] = [e for e in page.events if e.type in CLOSING]
    return found[0].attributes if found else None
