"""What both kinds of task have in common: one answer, which may have to be repeated.

Source:
    DESIGN section 4 rule 4; reliability.md section 0 item 4.
"""

import abc
import logging
from typing import Any

from flowser import requests, shapes
from flowser.calling import DomainLike
from flowser.exceptions import TaskAlreadyAnswered, UnknownResourceFault
from flowser.executions import Caller, WorkflowExecution
from flowser.types import Type

log = logging.getLogger("flowser.tasks")


class Answerable(abc.ABC):
    """A task that takes one answer.

    Attributes:
        caller: The type instance, or the domain, that the task was polled for.
        answered: Whether SWF took an answer from here.
    """

    def __init__(self, caller: Caller) -> None:
        """Begin unanswered."""
        self.caller = caller
        self.answered = False

    @property
    def domain(self) -> DomainLike:
        """The domain of the task."""
        domain: DomainLike = self.caller.domain
        return domain

    def dumps(self, result: Any) -> str | None:
        """Write a result as it will be sent; None is no result.

        Raises:
            SerializationError: When it cannot be written.
        """
        if isinstance(self.caller, Type):
            return self.caller.dumps(result)
        return None if result is None else self.domain.serializer.dumps(result)

    def _load_input(self, text: str | None) -> Any:
        """Read an input as the type says, or as the domain's serializer does."""
        if text is None:
            return None
        if isinstance(self.caller, Type):
            return self.caller.load_input(text)
        return self.domain.serializer.loads(text)

    @property
    @abc.abstractmethod
    def fields(self) -> dict[str, str | None]:
        """What log records about this task carry."""

    def _fields(
        self,
        run: WorkflowExecution,
        kind: shapes.ActivityType | shapes.WorkflowType,
        activity_id: str | None = None,
    ) -> dict[str, str | None]:
        return {
            "domain": self.domain.name,
            "workflow_id": run.workflow_id,
            "run_id": run.run_id,
            "type": f"{kind.name} {kind.version}",
            "activity_id": activity_id,
        }

    async def _answer(self, request: requests.Request[Any]) -> None:
        """Send the answer.

        Raises:
            TaskAlreadyAnswered: When one was sent before, or is being sent.
        """
        if self.answered:
            message = f"{type(request).__name__}: the task was answered already"
            raise TaskAlreadyAnswered(message)
        self.answered = True
        try:
            await self.domain.call(request)
        except UnknownResourceFault as fault:
            # An answer whose reply was lost comes back as this, though SWF took it.
            if not fault.retried:
                self.answered = False
                raise
            message = "%s: closed, by an earlier attempt of the same call or by SWF"
            log.info(message, fault.operation, extra=self.fields)
        except BaseException:
            self.answered = False
            raise
