"""A handle on one execution: ask it, look at it, wait for its result.

Source:
    swf-semantics.md sections 1.7, 2.4, 6 and 7.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

from flowser import events, requests, results, serializing, shapes
from flowser._backoff import Backoff
from flowser.events import Event
from flowser.exceptions import (
    ConnectionFailed,
    ExecutionCanceled,
    ExecutionFailed,
    ExecutionTerminated,
    ExecutionTimedOut,
    InternalFailure,
    InvalidArgument,
    NoDecisionTask,
    ResponseLost,
    Throttled,
    UnknownResourceFault,
)
from flowser.history import History
from flowser.shapes import ChildPolicy, Shape

R = TypeVar("R", bound=Shape)

log = logging.getLogger("flowser.executions")

#: SWF is asked for a result no more often than so, in seconds.
_LEAST = 0.01

_PASSING = (ConnectionFailed, InternalFailure, ResponseLost, Throttled)

#: Every execution is younger than this.
ALWAYS = shapes.ExecutionTimeFilter(oldest_date=0.0)


class DomainLike(Protocol):
    """What types, tasks and executions need of a domain."""

    @property
    def name(self) -> str:
        """The domain's name."""
        ...

    @property
    def serializer(self) -> serializing.Serializer:
        """Writes and reads the payloads of the domain."""
        ...

    async def call(self, request: requests.Request[R], /) -> R:
        """Send a request to SWF."""
        ...

    def type_of(self, named: shapes.ActivityType | shapes.WorkflowType, /) -> Any:
        """Give an instance of the type of this name and version, or None."""
        ...


class Caller(Protocol):
    """What an execution was reached by: a type, a task, or a domain."""

    @property
    def domain(self) -> Any:
        """The domain of the execution."""
        ...


@runtime_checkable
class Closing(Protocol):
    """A caller that can close the execution: its decision task."""

    async def close_completed(self, result: Any, context: str | None) -> None:
        """Answer the decision task with CompleteWorkflowExecution."""
        ...


class WorkflowExecution:
    """Wrapper for the API data type.

    Attributes:
        workflow_id: The id that was given at the start.
        run_id: SWF's id of the run; None addresses whatever run is open.

    Source:
        https://docs.aws.amazon.com/amazonswf/latest/apireference/API_WorkflowExecution.html
    """

    def __init__(
        self, result: shapes.WorkflowExecution | Mapping[str, Any], caller: Caller
    ) -> None:
        """Make a handle.

        Args:
            result: The ids, as SWF answers them.
            caller: The domain, type instance or task that the ids came from.
        """
        if isinstance(result, Mapping):
            self.workflow_id = str(result["workflowId"])
            self.run_id: str | None = result.get("runId")
        else:
            self.workflow_id, self.run_id = result.workflow_id, result.run_id
        self.caller = caller

    def __repr__(self) -> str:
        return f"<WorkflowExecution {self.workflow_id!r} run {self.run_id!r}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WorkflowExecution):
            return NotImplemented
        return (self.workflow_id, self.run_id) == (other.workflow_id, other.run_id)

    def __hash__(self) -> int:
        return hash((self.workflow_id, self.run_id))

    @property
    def domain(self) -> DomainLike:
        """The domain of the execution."""
        domain: DomainLike = self.caller.domain
        return domain

    # -- asking something of it --

    async def request_cancel(self) -> None:
        """Ask the execution to cancel itself; its decider may refuse.

        Raises:
            UnknownResourceFault: When no such run is open.
        """
        await self.domain.call(
            requests.RequestCancelWorkflowExecution(
                domain=self.domain.name,
                workflow_id=self.workflow_id,
                run_id=self.run_id,
            )
        )

    async def signal(self, name: str, input: Any = None) -> None:
        """Send a signal.

        A signal whose answer is lost is not sent again: SWF would record it twice.

        Args:
            name: 1 to 256 characters.
            input: Any object that the domain's serializer can write; None for none.

        Raises:
            UnknownResourceFault: When no such run is open.
            ResponseLost: When the signal may have arrived, or not.
        """
        text = None if input is None else self.domain.serializer.dumps(input)
        await self.domain.call(
            requests.SignalWorkflowExecution(
                domain=self.domain.name,
                workflow_id=self.workflow_id,
                run_id=self.run_id,
                signal_name=name,
                input=text,
            )
        )

    async def terminate(
        self, details: str | None = None, reason: str | None = None
    ) -> None:
        """Close the execution at once, and terminate its children.

        Args:
            details: At most 32,768 characters.
            reason: At most 256 characters.

        Raises:
            UnknownResourceFault: When no such run is open.
        """
        await self._terminate(ChildPolicy.TERMINATE, details, reason)

    async def abandon(
        self, details: str | None = None, reason: str | None = None
    ) -> None:
        """Close the execution at once, and leave its children alone.

        Args and errors are those of :meth:`terminate`.
        """
        await self._terminate(ChildPolicy.ABANDON, details, reason)

    async def terminate_request_cancel(
        self, details: str | None = None, reason: str | None = None
    ) -> None:
        """Close the execution at once, and ask its children to cancel themselves.

        Args and errors are those of :meth:`terminate`.
        """
        await self._terminate(ChildPolicy.REQUEST_CANCEL, details, reason)

    async def _terminate(
        self, policy: ChildPolicy, details: str | None, reason: str | None
    ) -> None:
        await self.domain.call(
            requests.TerminateWorkflowExecution(
                domain=self.domain.name,
                workflow_id=self.workflow_id,
                run_id=self.run_id,
                details=details,
                reason=reason,
                child_policy=policy,
            )
        )

    async def complete(self, result: Any, context: str | None = None) -> None:
        """Complete workflow execution.

        This can only be called from a decision task.

        Args:
            result: Any object that the serializer can write.
            context: The execution context to leave behind, at most 32,768 characters.

        Raises:
            NoDecisionTask: When this handle is not a decision task's.
        """
        if not isinstance(self.caller, Closing):
            raise NoDecisionTask(
                "only a decision task completes its execution: call "
                "decision.workflow_execution.complete(result)"
            )
        await self.caller.close_completed(result, context)

    # -- looking at it --

    async def describe(self) -> results.WorkflowExecutionDetail:
        """Describe the run: status, configuration, open counts, execution context.

        Raises:
            UnknownResourceFault: When there is no such run, or its retention is over.
        """
        return await self.domain.call(
            requests.DescribeWorkflowExecution(
                domain=self.domain.name, execution=await self.ids()
            )
        )

    def history(self, *, reverse: bool = False, page_size: int = 0) -> History:
        """Look at the history of the run, as it is when its pages are read.

        Args:
            reverse: Whether the newest event comes first.
            page_size: Events in a page, at most 1,000; 0 leaves it to SWF.

        Returns:
            A re-iterable async iterable of events; pages are read when needed.
        """
        runs: list[shapes.WorkflowExecution] = []  # one run, whatever starts meanwhile

        async def fetch(token: str | None) -> results.History:
            if not runs:
                runs.append(await self.ids())
            return await self.domain.call(
                requests.GetWorkflowExecutionHistory(
                    domain=self.domain.name,
                    execution=runs[0],
                    next_page_token=token,
                    maximum_page_size=page_size or None,
                    reverse_order=reverse or None,
                )
            )

        return History(fetch, reverse=reverse, loads=loads_of(self.domain))

    async def result(self, *, most: float = 20.0) -> Any:
        """Wait until the execution closes, and give its result.

        Follows an execution that continues as new. Looks after 0.1 to 0.2 seconds
        first, then at growing intervals, also when SWF cannot be reached for a while;
        bound the whole with ``asyncio.timeout``.

        Args:
            most: The longest interval, in seconds; 0.01 or more.

        Returns:
            The result as an object, of the type's ``result_type`` when this handle
            came from a type; None when there is none.

        Raises:
            ExecutionFailed: When it failed.
            ExecutionTimedOut: When it timed out.
            ExecutionCanceled: When it was canceled.
            ExecutionTerminated: When it was terminated.
            UnknownResourceFault: When there is no such run.
        """
        if not most >= _LEAST:  # so that NaN is refused, too
            raise InvalidArgument("most", f"is {most!r}", f"give {_LEAST} s or more")
        run: shapes.WorkflowExecution | None = None
        backoff = Backoff(0.2, most)
        while True:
            try:
                run = run or await self.ids()
                closing = await self._closing(run)
            except _PASSING as error:  # a wait of weeks outlasts what passes
                message = "waiting for %s: %s; looking again"
                log.warning(message, self.workflow_id, error)
                closing = None
            if run is None or closing is None:
                await asyncio.sleep(backoff.pause())
            elif isinstance(closing, events.WorkflowExecutionContinuedAsNew):
                run = shapes.WorkflowExecution(
                    workflow_id=run.workflow_id, run_id=closing.new_execution_run_id
                )
                backoff.reset()
            else:
                return self._outcome(run, closing)

    async def _closing(
        self, run: shapes.WorkflowExecution
    ) -> events.Attributes | dict[str, Any] | None:
        """Find how a run ended; None while it is open.

        Nothing follows the closing event (semantics 2.2), so one event is enough; an
        emulator may still write more, so the whole page is looked through.
        """
        page = await self.domain.call(
            requests.GetWorkflowExecutionHistory(
                domain=self.domain.name,
                execution=run,
                maximum_page_size=1,
                reverse_order=True,
            )
        )
        found: list[Event] = [e for e in page.events if e.type in CLOSING]
        return found[0].attributes if found else None

    def _outcome(self, run: shapes.WorkflowExecution, closing: Any) -> Any:
        ids = run.workflow_id, run.run_id
        match closing:
            case events.WorkflowExecutionCompleted(result=None):
                return None
            case events.WorkflowExecutionCompleted(result=str(text)):
                loads = getattr(self.caller, "load_result", loads_of(self.domain))
                return (loads or serializing.JSON.loads)(text)
            case events.WorkflowExecutionFailed(reason=reason, details=details):
                raise ExecutionFailed(*ids, reason=reason, details=details)
            case events.WorkflowExecutionCanceled(details=details):
                raise ExecutionCanceled(*ids, details=details)
            case events.WorkflowExecutionTerminated() as end:
                raise ExecutionTerminated(
                    *ids, cause=end.cause, reason=end.reason, details=end.details
                )
        raise ExecutionTimedOut(*ids)

    async def ids(self) -> shapes.WorkflowExecution:
        """Give both ids; without a run id, those of the open or the latest run.

        Raises:
            UnknownResourceFault: When there is no execution of this id.
        """
        run_id = self.run_id
        if run_id is None:
            run_id = await latest_run(self.domain, self.workflow_id)
        return shapes.WorkflowExecution(workflow_id=self.workflow_id, run_id=run_id)


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


def loads_of(domain: DomainLike) -> Any:
    """Give what reads payloads in a domain; None for JSON, which needs no telling."""
    if domain.serializer is serializing.JSON:
        return None
    return domain.serializer.loads


async def latest_run(domain: DomainLike, workflow_id: str) -> str:
    """Find the run id of the open execution of an id, else of the latest closed one.

    Raises:
        UnknownResourceFault: When there is none.
    """
    by_id = shapes.WorkflowExecutionFilter(workflow_id=workflow_id)
    for listing in (
        requests.ListOpenWorkflowExecutions(
            domain=domain.name, start_time_filter=ALWAYS, execution_filter=by_id
        ),
        requests.ListClosedWorkflowExecutions(
            domain=domain.name, start_time_filter=ALWAYS, execution_filter=by_id
        ),
    ):
        page = await domain.call(listing)
        # Emulators ignore the filter (semantics 10.2).
        runs = [info.execution for info in page.execution_infos]
        for run in runs:
            if run.workflow_id == workflow_id:
                return run.run_id
    raise UnknownResourceFault(
        "ListClosedWorkflowExecutions",
        "UnknownResourceFault",
        f"Unknown execution, workflowId = {workflow_id}",
    )
