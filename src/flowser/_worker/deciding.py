"""One decision, from its handler's start to its answer, in one asyncio task.

What all have in common, and those whose handler is a ``decide`` of the user's.

Source:
    swf-semantics.md section 2.3; reliability.md section 4 experiments 2, 5, 21, 27 and
    30 to 33.
"""

import abc
import asyncio
import logging
from typing import Any, Generic, Literal, TypeVar

from flowser._polling import PASSING
from flowser._worker import telling
from flowser._worker.crew import Crew, Fields
from flowser._worker.failures import failure, left_behind
from flowser._worker.handlers import Handler
from flowser._worker.held import HeldDecision, HeldTurn
from flowser._worker.slots import Slot
from flowser.exceptions import (
    BrokenHistory,
    ConfigurationError,
    Error,
    ServiceError,
    UnknownResourceFault,
    ValidationFailed,
)
from flowser.types import Workflow

log = logging.getLogger("flowser.worker")

T = TypeVar("T", HeldDecision, HeldTurn)

OnDecisionError = Literal["leave", "fail"]

#: Exceptions for which no run is failed: they say nothing about it.
_NOT_ITS_FAULT = (*PASSING, ConfigurationError)

#: Seconds for the reply to an answer, when the time for the decision is over.
_REPLY = 1.0


class Deciding(abc.ABC, Generic[T]):
    """A decision task that is being handled."""

    #: Operations whose faults are about the decision task itself.
    ours = frozenset({"PollForDecisionTask", "RespondDecisionTaskCompleted"})

    def __init__(self, task: T, slot: Slot, crew: Crew) -> None:
        """Do not begin yet.

        Args:
            task: What was polled.
            slot: Freed at the end.
            crew: Runs it.
        """
        self._task: T = task
        self._slot = slot
        self._crew = crew
        self._asyncio_task: asyncio.Task[Any] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._ending: str | None = None  # why the handler was cancelled

    @property
    def fields(self) -> Fields:
        """What log records about it carry."""
        fields: Fields = self._task.fields
        return fields

    async def work(self) -> None:
        """Call the handler, and answer unless it did."""
        self._asyncio_task = asyncio.current_task()
        seconds = self._task.time_left
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(seconds, self._late, seconds)
        try:
            how = self._ending or await self._handled()
        except GeneratorExit as error:
            # One that a future brings closes all coroutines but this one.
            if left_behind(self._asyncio_task):
                raise
            how = await self._failed(error)
        finally:
            if self._deadline is not None:
                self._deadline.cancel()
            self._slot.free()
        self._crew.counts[f"decisions {how}"] += 1

    async def _handled(self) -> str:
        try:
            await self._decide()
        except asyncio.CancelledError as error:
            return self._let_go() or await self._failed(error)
        except Error as error:
            if self._drops(error):
                return "dropped"
            return await self._failed(error)
        except (SystemExit, KeyboardInterrupt) as error:
            telling.exits(error, self.fields)
            self._crew.exit()
            return "left"
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything
            return await self._failed(error)
        self._crew.decided(self._run_id)
        return "completed"

    def _let_go(self) -> str | None:
        """Say how it ends when it was cancelled; by a host, all of whose tasks end."""
        task = asyncio.current_task()
        cancelled = task is not None and task.cancelling() > 0
        return self._ending or ("left" if cancelled else None)

    @property
    def _run_id(self) -> str:
        return self._task.workflow_execution.run_id or ""

    @abc.abstractmethod
    async def _decide(self) -> None:
        """Make the decision, and answer."""

    # -- what may go wrong --

    def _drops(self, error: Error) -> bool:
        """Drop a task that cannot be decided, and that SWF times out or has closed."""
        ours = isinstance(error, ServiceError) and error.operation in self.ours
        if ours and isinstance(error, UnknownResourceFault):
            telling.closed(error, self.fields)
        elif isinstance(error, BrokenHistory) or (
            ours
            and isinstance(error, ValidationFailed)
            and error.operation != "RespondDecisionTaskCompleted"
        ):
            telling.unreadable(error, self.fields)
        else:
            return False
        return True

    async def _failed(self, error: BaseException) -> str:
        """Tell of a handler that raised; say how the task ended."""
        if self._task.answered:
            self._tell(error, "its task had been answered")
            return "completed"
        return await self._gave_up(error)

    async def _gave_up(self, error: BaseException) -> str:
        """Leave a task whose handler raised; say how it ended."""
        self._tell(error, "SWF hands the task out again")
        return "left"

    def _tell(self, error: BaseException, outlook: str) -> None:
        """Log a failure; of a run that fails again and again ever more rarely."""
        times = self._crew.failed(self._run_id, error)
        level = logging.DEBUG if times & (times - 1) else logging.ERROR
        fields = {**self.fields, "failures": times}
        message = "a decision failed, for the %d. time in a row; %s"
        log.log(level, message, times, outlook, exc_info=error, extra=fields)

    def _late(self, seconds: float) -> None:
        """End what is of no use any more: SWF has timed the task out."""
        if self._task.answering:  # it may be taken just now, or come back refused
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(_REPLY, self._too_late, seconds)
        else:
            self._too_late(seconds)

    def _too_late(self, seconds: float) -> None:
        if self._task.answered and not self._task.answering:
            return  # what the handler does now is its own affair
        message = "no decision within %g s: SWF has timed the task out"
        log.warning(message, seconds, extra=self.fields)
        self._end("dropped")

    # -- told by the worker's end --

    def _end(self, how: str) -> None:
        if self._ending is None:
            self._ending = how
            if self._asyncio_task is not None:
                self._asyncio_task.cancel()

    def cut_off(self) -> bool:
        """Cancel the handler, if it runs; say whether it did."""
        if self._task.answering or self._task.answered:
            return False
        self._end("left")
        return True

    async def answer_for(self) -> None:
        """Answer nothing: SWF hands the task out again."""

    @property
    def unanswered(self) -> bool:
        """Whether SWF has still to be told how it ended."""
        return self._task.answering or not self._task.answered


class RunningDecision(Deciding[HeldDecision]):
    """A decision task that its type's ``decide`` handles."""

    def __init__(
        self,
        task: HeldDecision,
        handler: Handler[Workflow],
        on_error: OnDecisionError,
        slot: Slot,
        crew: Crew,
    ) -> None:
        """Do not begin yet.

        Args:
            task: What was polled.
            handler: What serves its type.
            on_error: What becomes of a task whose handler raises.
            slot: Freed at the end.
            crew: Runs it.
        """
        super().__init__(task, slot, crew)
        self._handler = handler
        self._on_error = on_error

    async def _decide(self) -> None:
        instance: Any = self._handler.kind(self._task.domain)
        self._task.caller = instance
        instance.task = self._task
        await instance.decide(self._task)
        if not self._task.answered:
            await self._task.complete()

    async def _gave_up(self, error: BaseException) -> str:
        """Leave the task, or fail its run if that is what is wanted."""
        fails = self._on_error == "fail" and not isinstance(error, _NOT_ITS_FAULT)
        if not fails:
            return await super()._gave_up(error)
        self._tell(error, "the run fails")
        told = failure(error)
        self._task.decisions.clear()
        try:
            await self._task.fail(told.details, told.reason)
        except UnknownResourceFault as fault:
            telling.closed(fault, self.fields)
        except Error as refusal:
            telling.refused(refusal, self.fields)
        else:
            return "failed"
        return "dropped"
