"""A decision task: the history of a run, and the decisions that answer it.

Source:
    swf-semantics.md sections 2.3, 3.1 to 3.3 and 9.
"""

from collections.abc import Generator, Mapping
from typing import Any, Unpack

import msgspec

from flowser import decisions, requests, results, shapes, wire
from flowser._collecting import Collecting, check_closing
from flowser.events import (
    ActivityTaskCompleted,
    ChildWorkflowExecutionCompleted,
    Event,
    WorkflowExecutionStarted,
)
from flowser.exceptions import BrokenHistory, InvalidArgument
from flowser.executions import Caller, WorkflowExecution, loads_of
from flowser.history import Filtered, History
from flowser.limits import Duration, duration
from flowser.types import RunOptions, Workflow


class Decision(Collecting):
    """Wrapper for "PollForDecisionTask" results.

    This class assumes that history events are in reverse order (most recent first).

    Methods that are not awaited collect decisions and return the task, so that calls
    chain; methods that are awaited answer it.

    Attributes:
        task_token: What SWF knows the task by.
        started_event_id: The id of this task's DecisionTaskStarted event.
        previous_started_event_id: That of the previous task; 0 for the first.
        workflow_execution: The run; its ``complete`` closes it.
        workflow_type: Its type's name and version.
        events: The history, newest event first; pages are read when needed.
        decisions: What was collected.
        caller: The type instance, or the domain, that it was polled for.
        answered: Whether SWF took an answer from here.

    Source:
        https://docs.aws.amazon.com/amazonswf/latest/apireference/API_PollForDecisionTask.html
    """

    def __init__(
        self,
        result: results.DecisionTask | Mapping[str, Any],
        caller: Caller,
        *,
        request: requests.PollForDecisionTask | None = None,
    ) -> None:
        """Wrap a task.

        Args:
            result: The answer of a poll in reverse order.
            caller: The type instance, or the domain, that it was polled for.
            request: The poll, which reads further pages too; made from the type's
                task list when None.

        Raises:
            EmptyTaskPollResult: When the poll brought no task.
        """
        super().__init__(caller)
        if isinstance(result, Mapping):
            kind = results.DecisionTask
            result = wire.convert("PollForDecisionTask", result, kind)
        self.task_token = result.task_token
        self.started_event_id = result.started_event_id
        self.previous_started_event_id = result.previous_started_event_id
        self.workflow_execution = WorkflowExecution(result.workflow_execution, self)
        self.workflow_type: shapes.WorkflowType = result.workflow_type
        self.decisions = []
        self._poll = request
        self._start_input: list[Any] = []
        self.events = History(
            self._fetch, result, reverse=True, loads=loads_of(self.domain)
        )

    def __repr__(self) -> str:
        kind = self.workflow_type
        return (
            f"<Decision for {self.workflow_execution.workflow_id!r} "
            f"of {kind.name!r} {kind.version!r} at event {self.started_event_id}>"
        )

    @property
    def fields(self) -> dict[str, str | None]:
        """What log records about this task carry."""
        return self._fields(self.workflow_execution, self.workflow_type)

    # -- the history --

    async def _fetch(self, token: str | None) -> results.DecisionTask:
        """Read a page, by the same poll with the token (semantics 2.3)."""
        poll = self._poll or requests.PollForDecisionTask(
            domain=self.domain.name,
            task_list=shapes.TaskList(name=self._workflow().task_list),
            reverse_order=True,
        )
        return await self.domain.call(
            msgspec.structs.replace(poll, next_page_token=token)
        )

    def _workflow(self) -> Workflow:
        """Give the workflow type that the task was polled for."""
        if not isinstance(self.caller, Workflow):
            remedy = "poll with domain.decisions(T) for a Workflow type T"
            raise InvalidArgument("caller", "is no workflow type", remedy)
        return self.caller

    def filter(self, event_type: str) -> Filtered:
        """Look at the events of one type, newest first; re-iterable, and lazy.

        Args:
            event_type: One of SWF's 54: ``"ActivityTaskCompleted"``.
        """
        return self.events.filter(event_type)

    async def most_recent(self, event_type: str) -> Event | None:
        """Give the newest event of a type, or None.

        Args:
            event_type: One of SWF's 54: ``"ActivityTaskCompleted"``.
        """
        return await self.filter(event_type).first()

    @property
    def start_input(self) -> "StartInput":
        """Get start input as a python object: ``await decision.start_input``.

        The input of the WorkflowExecutionStarted event is read at the first await,
        and kept. When that event is pages away it is asked for by itself.

        Raises:
            SerializationError: When it is not what the type says its input is.
        """
        return StartInput(self)

    async def read_start_input(self) -> Any:
        """Read the start input, once."""
        if not self._start_input:
            started = await self._started()
            self._start_input.append(self._load_input(started.input))
        return self._start_input[0]

    async def _started(self) -> WorkflowExecutionStarted:
        first = self.events.get(-1)
        if first is None or first.id != 1:
            history = self.workflow_execution.history(page_size=1)
            first = await anext(aiter(history), None)
        if first and isinstance(first.attributes, WorkflowExecutionStarted):
            return first.attributes
        raise BrokenHistory("event 1 is no WorkflowExecutionStarted")

    async def result_of(self, event: Event) -> Any:
        """Give the result that an event brings, as its type says what it is.

        Args:
            event: An ActivityTaskCompleted or ChildWorkflowExecutionCompleted (read
                with the serializer and ``result_type`` of the domain's type), or any
                other that has a result (read with the domain's serializer).

        Returns:
            The result; None without one.

        Raises:
            SerializationError: When it is not what the type says.
        """
        text = getattr(event.attributes, "result", None)
        if text is None:
            return None
        kind: shapes.ActivityType | shapes.WorkflowType | None = None
        match event.attributes:
            case ActivityTaskCompleted(scheduled_event_id=scheduled):
                async for other in self.filter("ActivityTaskScheduled"):
                    if other.id == scheduled:
                        kind = getattr(other.attributes, "activity_type", None)
                        break
            case ChildWorkflowExecutionCompleted(workflow_type=kind):
                pass
        known = self.domain.type_of(kind) if kind else None
        return (known.load_result if known else self.domain.serializer.loads)(text)

    # -- answering --

    async def complete(
        self,
        context: str | None = None,
        *,
        task_list: str | None = None,
        task_list_schedule_to_start_timeout: Duration | None = None,
    ) -> None:
        """Answer the task with what was collected; the run goes on.

        Args:
            context: The execution context to leave behind, at most 32,768 characters;
                None keeps what is there.
            task_list: Where the run's next decision tasks wait.
            task_list_schedule_to_start_timeout: Seconds after which they go back to
                the original list; None never.

        Raises:
            InvalidArgument: Naming the decision and the member that SWF would refuse,
                or when a closing decision is not the last, or not alone.
            UnknownResourceFault: When the task is over: timed out, or its run closed.
            TaskAlreadyAnswered: When it was answered from here.
        """
        await self._respond(
            context,
            *self.decisions,
            task_list=None if task_list is None else shapes.TaskList(name=task_list),
            task_list_schedule_to_start_timeout=duration(
                task_list_schedule_to_start_timeout,
                "task_list_schedule_to_start_timeout",
            ),
        )

    async def fail(self, details: str | None = None, reason: str | None = None) -> None:
        """Answer the task by closing the run as failed.

        SWF has no way to fail a decision task itself. What was collected that would
        begin something (an activity, a timer, a Lambda function) is left out: SWF
        refuses it beside a failure. Errors are those of :meth:`complete`.

        Args:
            details: At most 32,768 characters.
            reason: At most 256 characters.
        """
        kept = (d for d in self.decisions if not isinstance(d, decisions.OPENING))
        closing = decisions.FailWorkflowExecution(details=details, reason=reason)
        await self._respond(None, *kept, closing)

    async def cancel(self, details: str | None = None) -> None:
        """Answer the task by closing the run as canceled.

        Args:
            details: At most 32,768 characters.
        """
        await self._close(decisions.CancelWorkflowExecution(details=details))

    async def continue_as_new(
        self,
        input: Any = None,
        *,
        version: str | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        """Answer the task by closing the run and beginning a new one of the same id.

        What is not given is taken from the type; SWF takes nothing from the old run.

        Args:
            input: Any object that the serializer can write; None for none.
            version: The version of the type to continue with; None for the same.
            **options: Those of ``Workflow.start``.
        """
        workflow = self._workflow()
        await self._close(
            decisions.ContinueAsNewWorkflowExecution(
                input=workflow.dumps(input),
                workflow_type_version=version,
                **workflow.run_options(**options),
            )
        )

    async def close_completed(self, result: Any, context: str | None = None) -> None:
        """Answer the task by closing the run with a result.

        This is what ``decision.workflow_execution.complete(result)`` does. Errors are
        those of :meth:`complete`.

        Args:
            result: Any object that the serializer can write; None for none.
            context: The execution context to leave behind, at most 32,768 characters.
        """
        text = self.dumps(result)
        await self._close(decisions.CompleteWorkflowExecution(result=text), context)

    async def _close(
        self, closing: decisions.Decision, context: str | None = None
    ) -> None:
        await self._respond(context, *self.decisions, closing)

    async def _respond(
        self, context: str | None, *collected: decisions.Decision, **override: Any
    ) -> None:
        check_closing(collected)
        await self._answer(
            requests.RespondDecisionTaskCompleted(
                task_token=self.task_token,
                decisions=tuple(map(decisions.wrapped, collected)) or None,
                execution_context=context,
                **override,
            )
        )


class StartInput:
    """The start input, to be awaited; any number of times."""

    def __init__(self, decision: Decision) -> None:
        """Read nothing yet."""
        self._decision = decision

    def __await__(self) -> Generator[Any, None, Any]:
        return self._decision.read_start_input().__await__()
