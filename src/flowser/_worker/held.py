"""The tasks that a worker has in hand: they answer persistently.

Source:
    DESIGN section 4 rules 4 and 6; reliability.md section 4 experiments 10 to 14, 24.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from flowser import requests, results
from flowser._answers import Answerable
from flowser._backoff import Backoff
from flowser._polling import Condition
from flowser._worker import telling
from flowser.activity_tasks import Activity
from flowser.decision_tasks import Decision
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
from flowser.executions import Caller

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
