"""How a run ends: what its main task came to, as a decision.

Source:
    swf-semantics.md sections 3.2 and 3.3.
"""

from collections.abc import Callable
from typing import Any

from flowser import decisions, limits
from flowser.decisions import Decision
from flowser.exceptions import InvalidArgument
from flowser.replay._futures import Task
from flowser.replay.commands import Command
from flowser.replay.matching import CLOSED_BY

#: Says in a reason and details why a run fails.
Describe = Callable[[BaseException], tuple[str, str | None]]


class ContinueAsNew(BaseException):  # not for `except Exception`
    """Raised by workflow code that wants to go on as a new run.

    Attributes:
        decision: How the new run is asked for.
    """

    def __init__(self, decision: decisions.ContinueAsNewWorkflowExecution) -> None:
        super().__init__("continue as new")
        self.decision = decision


class Close(Command):
    """Closes the run."""

    __slots__ = ("decision", "event", "key", "made", "name", "where")

    kind = "close"

    def __init__(self, decision: Decision) -> None:
        """Close it by this decision."""
        self.key = "close:"
        self.name = type(decision).__name__
        self.decision = self.made = decision
        self.event = self.where = None

    @property
    def why(self) -> str:
        """What fails the run, in a line; nothing when it ends well."""
        reason: str = getattr(self.decision, "reason", None) or ""
        return reason.partition("\n")[0]

    def fits(self, attributes: Any) -> bool:
        """Compare how the run was closed, or was to be."""
        return CLOSED_BY[type(attributes).__name__] == self.name


def decision(
    main: Task | None, crash: BaseException | None, describe: Describe
) -> Decision:
    """Make the decision that closes a run.

    Args:
        main: Its main task, which is done unless something else crashed.
        crash: What was raised elsewhere, if that was first.
        describe: Says why it fails.
    """
    if crash is not None:
        return _raised(crash, describe)
    if main is None:
        return failure(*describe(RuntimeError("the run has not begun")))
    made = _closing(main, describe)
    try:
        limits.check(made, "")
    except InvalidArgument as error:  # a result that is too long, say
        return failure(*describe(error))
    return made


def failure(reason: str, details: str | None) -> Decision:
    """Make the decision that fails the run."""
    return decisions.FailWorkflowExecution(reason=reason, details=details)


def _closing(main: Task, describe: Describe) -> Decision:
    if main.cancelled():
        return decisions.CancelWorkflowExecution()
    error = main.exception()
    if error is None:
        return decisions.CompleteWorkflowExecution(result=main.result())
    return _raised(error, describe)


def _raised(error: BaseException, describe: Describe) -> Decision:
    again = _continuation(error)
    return failure(*describe(error)) if again is None else again.decision


def _continuation(error: BaseException) -> ContinueAsNew | None:
    """Find what was raised, also in the group that a task group made of it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, ContinueAsNew) else None
