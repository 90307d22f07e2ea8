"""An activity task: work that was handed out, and the four ways to answer it.

Source:
    swf-semantics.md sections 1.7 (heartbeats), 3.2 and 6.6.
"""

import functools
from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import Any

import msgspec

from flowser import limits, requests, results, shapes, wire
from flowser._answers import Answerable
from flowser.executions import Caller, WorkflowExecution
from flowser.replay import formats

_current: ContextVar["Activity"] = ContextVar("flowser.activity")


def current_activity() -> "Activity":
    """Give the activity task that the running handler was called for.

    Works in async handlers, in the tasks they start, and in handlers that run in a
    worker thread.

    Raises:
        LookupError: Outside a handler of a worker.
    """
    return _current.get()


def make_current(task: "Activity") -> Token["Activity"]:
    """Make a task the current one of this context; the token's variable undoes it."""
    return _current.set(task)


class _Retried(msgspec.Struct):
    """An input, as far as it tells of the attempt before."""

    told: formats.Attempt | None = msgspec.field(name=formats.MEMBER, default=None)


class Activity(Answerable):
    """Wrapper for "PollForActivityTask" results.

    Attributes:
        task_token: What SWF knows the task by.
        activity_id: The id that the decider gave it.
        activity_type: Its type's name and version.
        started_event_id: The id of its ActivityTaskStarted event.
        workflow_execution: The execution that it belongs to.
        caller: The type instance, or the domain, that it was polled for.
        answered: Whether SWF took an answer from here.
        details: The progress that was told last, or None.
        cancel_requested: Whether the handler is to stop: a heartbeat told so. Under a
            worker also when the task is over, or the worker ends. An async handler of
            a worker gets a CancelledError; a plain def looks here.

    Source:
        https://docs.aws.amazon.com/amazonswf/latest/apireference/API_PollForActivityTask.html
    """

    def __init__(
        self, result: results.ActivityTask | Mapping[str, Any], caller: Caller
    ) -> None:
        """Wrap a task.

        Args:
            result: The answer of a poll.
            caller: The type instance, or the domain, that it was polled for.

        Raises:
            EmptyTaskPollResult: When the poll brought no task.
        """
        super().__init__(caller)
        if isinstance(result, Mapping):
            kind = results.ActivityTask
            result = wire.convert("PollForActivityTask", result, kind)
        self._input = result.input
        self.details: str | None = None
        self.cancel_requested = False
        self.task_token = result.task_token
        self.activity_id = result.activity_id
        self.activity_type: shapes.ActivityType = result.activity_type
        self.started_event_id = result.started_event_id
        self.workflow_execution = WorkflowExecution(result.workflow_execution, self)

    def __repr__(self) -> str:
        kind = self.activity_type
        return f"<Activity {self.activity_id!r} of {kind.name!r} {kind.version!r}>"

    @functools.cached_property
    def input(self) -> Any:
        """The input as an object, of the type's ``input_type``; None without one.

        Raises:
            SerializationError: When it is no such object.
        """
        return self._load_input(self._input)

    @functools.cached_property
    def previous_details(self) -> str | None:
        """What the attempts before this one told last.

        None unless a coroutine workflow tries the activity again, and its input is an
        object: that of a decorated function is one.
        """
        text = self._input or ""
        if f'"{formats.MEMBER}"' not in text:
            return None
        try:
            told = msgspec.json.decode(text, type=_Retried).told
        except (ValueError, RecursionError):
            return None
        return None if told is None else told.details

    @property
    def fields(self) -> dict[str, str | None]:
        """What log records about this task carry."""
        return self._fields(
            self.workflow_execution, self.activity_type, self.activity_id
        )

    async def complete(self, result: Any = None) -> None:
        """Answer that the work is done.

        Args:
            result: Any object that the serializer can write; None for none.

        Raises:
            SerializationError: When the result cannot be written.
            InvalidArgument: When it is longer than 32,768 characters.
            UnknownResourceFault: When the task is over: timed out, or its run closed.
            TaskAlreadyAnswered: When it was answered from here.
        """
        text = self.dumps(result)
        await self._answer(
            requests.RespondActivityTaskCompleted(
                task_token=self.task_token, result=text
            )
        )

    async def fail(self, details: str | None = None, reason: str | None = None) -> None:
        """Answer that the work failed.

        Args:
            details: At most 32,768 characters.
            reason: At most 256 characters.

        Raises:
            InvalidArgument: When one is too long.
            UnknownResourceFault: When the task is over: timed out, or its run closed.
            TaskAlreadyAnswered: When it was answered from here.
        """
        await self._answer(
            requests.RespondActivityTaskFailed(
                task_token=self.task_token, details=details, reason=reason
            )
        )

    async def cancel(self, details: str | None = None) -> None:
        """Answer that the work was canceled, after a heartbeat told to.

        Args:
            details: At most 32,768 characters.

        Raises:
            InvalidArgument: When they are too long.
            UnknownResourceFault: When the task is over: timed out, or its run closed.
            TaskAlreadyAnswered: When it was answered from here.
        """
        await self._answer(
            requests.RespondActivityTaskCanceled(
                task_token=self.task_token, details=details
            )
        )

    def beat(self, details: str | None = None) -> bool:
        """Tell how far the work is, from any thread; the next heartbeat carries it.

        Under a worker, that is one it sends by itself: at once when it sent none for
        an interval.

        Args:
            details: Progress, at most 2,048 characters; None leaves what was told.

        Returns:
            Whether the handler is to stop (``cancel_requested``), as far as is known.

        Raises:
            InvalidArgument: When the details are too long.
        """
        if details is not None:
            limits.check_value(limits.LimitedData, details, "details")
            self.details = details
        return self.cancel_requested

    async def heartbeat(self, details: str | None = None) -> bool:
        """Say that the work goes on.

        A worker heartbeats by itself: there this only tells the details.

        Args:
            details: Progress, at most 2,048 characters; a later timeout shows the last.
                None repeats what was told.

        Returns:
            Whether the decider asked for the task to be canceled.

        Raises:
            InvalidArgument: When the details are too long.
            UnknownResourceFault: When the task is over: stop working.
        """
        self.beat(details)
        return await self.record()

    async def record(self) -> bool:
        """Send a heartbeat with what was told last; heartbeats are made of this.

        Returns:
            Whether the decider asked for the task to be canceled.

        Raises:
            UnknownResourceFault: When the task is over: stop working.
        """
        status = await self.domain.call(
            requests.RecordActivityTaskHeartbeat(
                task_token=self.task_token, details=self.details
            )
        )
        self.cancel_requested |= status.cancel_requested
        return status.cancel_requested
