"""A handle on one execution: ask it, look at it, wait for its result.

Source:
    swf-semantics.md sections 1.7, 2.4, 6 and 7.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, runtime_checkable

from flowser import requests, results, serializing, shapes
from flowser._outcomes import outcome
from flowser.calling import DomainLike, latest_run
from flowser.exceptions import NoDecisionTask
from flowser.history import History
from flowser.shapes import ChildPolicy

T = TypeVar("T")


class Caller(Protocol):
    """What an execution was reached by: a type, a task, or a domain."""

    @property
    def domain(self) -> Any:
        """The domain of the execution."""
        ...


class Replicating(Protocol):
    """A domain that can replay the runs of its types."""

    def replica(
        self, execution: "WorkflowExecution", /, *, watchdog: float | None
    ) -> AbstractAsyncContextManager[Any]:
        """Replay a run, to look at it; see :mod:`flowser.replicas`."""
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
        loads = getattr(self.caller, "load_result", loads_of(self.domain))
        ended = await outcome(self, most)
        return ended.result(loads or serializing.JSON.loads)

    # -- replaying it --

    async def query(
        self, fn: Callable[[Any], T], *, watchdog: float | None = 10.0
    ) -> T:
        """Ask the run something: replay its code here, and call a function.

        ::

            await handle.query(Order.left_to_pay)         # a method of a class
            await handle.query(lambda order: order.receipt)

        The history is read, and today's code of the type is run on it. That takes no
        worker, the run may be open or closed, and nothing comes of it: nothing is sent
        to SWF, steps that are not recorded are not done, log records are dropped.

        Args:
            fn: A plain function. It gets the instance of a workflow class; of a
                decorated function its variables, as attributes. It is called in a
                thread, and may use ``flow.info()`` and ``flow.now()``. Let it return
                copies of what the code might still change at its end.
            watchdog: Seconds that the code, or *fn*, may run without waiting; None for
                any time, in the event loop itself, for a debugger.

        Returns:
            What *fn* returns.

        Raises:
            InvalidArgument: When the domain has no coroutine workflow of the run's
                type, or *fn* is async.
            Trouble: When the code does not do what the history says that it did, or
                cannot read it, spins or blocks (:mod:`flowser.flow`).
            UnknownResourceFault: When there is no such run, or its retention is over.
        """
        async with self._replica(watchdog) as replica:
            found: T = await replica.ask(fn)
            return found

    async def stack(self, *, watchdog: float | None = 10.0) -> str:
        """Tell where every task of the run waits, with source file and line.

        The run is replayed, and *watchdog* and errors are those of :meth:`query`.

        Returns:
            Lines of text; none when its code has come to its end.
        """
        async with self._replica(watchdog) as replica:
            return str(await replica.stack())

    def _replica(self, watchdog: float | None) -> AbstractAsyncContextManager[Any]:
        domain: Replicating = self.caller.domain
        return domain.replica(self, watchdog=watchdog)

    async def ids(self) -> shapes.WorkflowExecution:
        """Give both ids; without a run id, those of the open or the latest run.

        Raises:
            UnknownResourceFault: When there is no execution of this id.
        """
        run_id = self.run_id
        if run_id is None:
            run_id = await latest_run(self.domain, self.workflow_id)
        return shapes.WorkflowExecution(workflow_id=self.workflow_id, run_id=run_id)


def loads_of(domain: DomainLike) -> Any:
    """Give what reads payloads in a domain; None for JSON, which needs no telling."""
    if domain.serializer is serializing.JSON:
        return None
    return domain.serializer.loads
