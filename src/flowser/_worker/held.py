"""The tasks that a worker has in hand: they answer persistently.

Source:
    DESIGN section 4 rules 4 and 6; reliability.md section 4 experiments 10 to 14, 24.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from typing import Any

import msgspec

from flowser import decisions, limits, requests, results, shapes
from flowser._answers import Answerable
from flowser._backoff import Backoff
from flowser._polling import Condition
from flowser._worker import telling
from flowser.activity_tasks import Activity
from flowser.decision_tasks import Decision
from flowser.events import DecisionTaskScheduled, Event
from flowser.exceptions import (
    BrokenHistory,
    ConfigurationError,
    Error,
    InternalFailure,
    InvalidArgument,
    ResponseLost,
    ServiceError,
    TaskAlreadyAnswered,
    UnknownResourceFault,
    ValidationFailed,
)
from flowser.executions import Caller, WorkflowExecution
from flowser.history import oldest_first, pages

log = logging.getLogger("flowser.worker")

#: What no repetition of an answer mends. Everything else may pass: permissions come
#: back, and SWF may learn to say new things. A result is not thrown away for them.
FINAL: tuple[type[Error], ...] = (
    ConfigurationError,
    InvalidArgument,
    TaskAlreadyAnswered,
    UnknownResourceFault,
    ValidationFailed,
)

#: Among how many of the newest events a DecisionTaskScheduled is looked for.
_NEWEST = 100


class Persistent(Answerable):
    """Answers until SWF takes the answer, refuses it, or says that the task is over.

    Attributes:
        answering: Whether an answer is on its way.
        reports: Tells how answers fare.
    """

    answering = False
    reports: Condition

    async def _answer(self, request: requests.Request[Any]) -> None:
        """Send the answer, as often as it takes.

        The connection has tried for a while when it gives up; this begins anew.
        """
        backoff = Backoff(0.4, 20.0)
        in_doubt = False
        self.answering = True
        try:
            while True:
                try:
                    await super()._answer(request)
                except UnknownResourceFault:
                    if not in_doubt:
                        raise
                    # Taken, by an attempt whose answer was lost; or timed out since.
                    self.answered = True
                    log.info("%s: the task is closed", self, extra=self.fields)
                except FINAL:
                    raise
                except Error as error:
                    in_doubt = in_doubt or _in_doubt(error)
                    self.reports.ails(self, error, self.fields)
                    await asyncio.sleep(backoff.pause())
                    continue
                self.reports.well(self)
                return
        finally:
            self.answering = False
            self.reports.forget(self)


def _in_doubt(error: Error) -> bool:
    """Tell whether SWF may have taken the answer."""
    lost = isinstance(error, ResponseLost | InternalFailure)
    return lost or (isinstance(error, ServiceError) and error.retried)


class HeldActivity(Persistent, Activity):
    """The activity task of a handler: ``self.task``."""

    def __init__(
        self, result: results.ActivityTask, caller: Caller, reports: Condition
    ) -> None:
        """Take a task in hand.

        Args:
            result: The answer of the poll.
            caller: The domain; later the instance that handles it.
            reports: Tells how answers fare.
        """
        super().__init__(result, caller)
        self.reports = reports
        self._noted: Callable[[], object] = _nobody_minds

    def on_details(self, noted: Callable[[], object]) -> None:
        """Say what is to be called, from any thread, when there are new details."""
        self._noted = noted

    def let_go(self) -> None:
        """Tell the handler, when it looks, to come to an end."""
        self.cancel_requested = True

    def beat(self, details: str | None = None) -> bool:
        """Tell how far the work is; the worker sends it with its next heartbeat."""
        wanted = super().beat(details)
        if details is not None:
            self._noted()
        return wanted

    async def heartbeat(self, details: str | None = None) -> bool:
        """Tell how far the work is, as :meth:`beat` does, and let others run."""
        self.beat(details)
        await asyncio.sleep(0)  # a loop over this must be open to its cancellation
        return self.cancel_requested

    async def complete_with(self, text: str | None) -> None:
        """Complete with a result that is written already."""
        await self._answer(
            requests.RespondActivityTaskCompleted(
                task_token=self.task_token, result=text
            )
        )


def _nobody_minds() -> None:
    """Stand in until heartbeats are sent."""


class HeldDecision(Persistent, Decision):
    """The decision task of a handler."""

    def __init__(
        self,
        result: results.DecisionTask,
        caller: Caller,
        reports: Condition,
        request: requests.PollForDecisionTask,
    ) -> None:
        """Take a task in hand.

        Args:
            result: The answer of the poll.
            caller: The domain; later the instance that handles it.
            reports: Tells how answers fare.
            request: The poll, which reads further pages too.

        Raises:
            BrokenHistory: When its history does not fit together; that has been told.
        """
        try:
            super().__init__(result, caller, request=request)
        except BrokenHistory as error:
            telling.unreadable(error, self.fields)  # the rest of the task is known
            raise
        self.reports = reports

    @property
    def time_left(self) -> float | None:
        """Seconds that SWF gives to a decision; None when unlimited, or unknown."""
        newest = (self.events.get(index) for index in range(_NEWEST))
        return _time_left(event for event in newest if event is not None)


class HeldTurn(Persistent):
    """The decision task of a run that is replayed.

    Attributes:
        workflow_execution: The run.
        workflow_type: Its type's name and version.
        started_event_id: The id of this task's DecisionTaskStarted event.
        previous_started_event_id: That of the previous task; 0 for the first.
    """

    def __init__(
        self,
        result: results.DecisionTask,
        caller: Caller,
        reports: Condition,
        request: requests.PollForDecisionTask,
    ) -> None:
        """Take a task in hand.

        Args:
            result: The answer of the poll.
            caller: The domain.
            reports: Tells how answers fare.
            request: The poll, which reads further pages too.
        """
        super().__init__(caller)
        self.reports = reports
        self.workflow_execution = WorkflowExecution(result.workflow_execution, self)
        self.workflow_type = result.workflow_type
        self.started_event_id = result.started_event_id
        self.previous_started_event_id = result.previous_started_event_id
        self._token = result.task_token
        self._first: results.DecisionTask | None = result
        self._poll = request

    def __repr__(self) -> str:
        ids = self.workflow_execution
        return f"<decision of {ids.workflow_id!r} at event {self.started_event_id}>"

    @property
    def key(self) -> tuple[str, str | None]:
        """What tells its run from all others."""
        return self.workflow_execution.workflow_id, self.workflow_execution.run_id

    @property
    def fields(self) -> dict[str, str | None]:
        """What log records about this task carry."""
        return self._fields(self.workflow_execution, self.workflow_type)

    @property
    def time_left(self) -> float | None:
        """Seconds that SWF gives to a decision; None when unlimited, or unknown."""
        events = self._first.events if self._first else []
        return _time_left(events if self._poll.reverse_order else reversed(events))

    # -- the history --

    async def newest(self) -> list[Event]:
        """Give the newest events, oldest first: what the poll brought, at one time.

        A poll that begins at the previous decision has to be read to its end.
        """
        events: list[Event] = []
        first, self._first = self._first, None  # not kept while it is decided
        async with aclosing(pages(self._page, first)) as found:
            async for page in found:
                events += page
                if events and self._poll.reverse_order:
                    break
        return events[::-1] if self._poll.reverse_order else events

    async def before(self, event_id: int) -> AsyncIterator[list[Event]]:
        """Read the history up to an event, oldest first, page by page.

        It is read as any history is, so that it can be asked for again; that may lag,
        but not by what is pages ago. A page token that has expired begins it anew.

        Args:
            event_id: The first that is not wanted.
        """
        if event_id > 1:
            async with aclosing(oldest_first(self._old_page)) as found:
                async for page in found:
                    yield [event for event in page if event.id < event_id]
                    if page[-1].id >= event_id - 1:
                        return

    async def _page(self, token: str | None) -> results.DecisionTask:
        return await self.domain.call(
            msgspec.structs.replace(self._poll, next_page_token=token)
        )

    async def _old_page(self, token: str | None) -> results.History:
        ids = self.workflow_execution
        return await self.domain.call(
            requests.GetWorkflowExecutionHistory(
                domain=self.domain.name,
                execution=shapes.WorkflowExecution(
                    workflow_id=ids.workflow_id, run_id=ids.run_id or ""
                ),
                next_page_token=token,
            )
        )

    # -- the answer --

    async def complete(
        self,
        made: tuple[decisions.Decision, ...],
        context: str | None,
        task_list: str | None,
        seconds: int | None,
    ) -> None:
        """Answer the task.

        Args:
            made: The decisions, in order.
            context: The execution context to leave behind; None keeps what is there.
            task_list: Where the run's next decision tasks wait; None leaves it.
            seconds: After which they go back to the original list; None never.
        """
        await self._answer(
            requests.RespondDecisionTaskCompleted(
                task_token=self._token,
                decisions=tuple(map(decisions.wrapped, made)) or None,
                execution_context=context,
                task_list=None
                if task_list is None
                else shapes.TaskList(name=task_list),
                task_list_schedule_to_start_timeout=None
                if seconds is None
                else str(seconds),
            )
        )


def _time_left(newest: Iterable[Event]) -> float | None:
    """Say how long a decision may take: its DecisionTaskScheduled event does.

    Args:
        newest: The newest events, newest first.
    """
    for event in itertools.islice(newest, _NEWEST):
        if isinstance(event.attributes, DecisionTaskScheduled):
            text = event.attributes.start_to_close_timeout
            return None if text in (None, limits.NONE) else float(text)
    return None
