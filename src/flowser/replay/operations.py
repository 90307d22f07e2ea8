"""Futures that SWF resolves.

Source:
    dx.md section 1.2; swf-semantics.md section 3.2.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from flowser.decisions import Decision
from flowser.events import Event
from flowser.replay._futures import Future
from flowser.replay.commands import Command
from flowser.replay.failures import DecisionFailed, OperationFailed
from flowser.replay.retrying import Retry

if TYPE_CHECKING:
    from flowser.replay.state import State

R = TypeVar("R")

#: What cancelling an operation does: ask SWF to cancel it and go on; ask, and wait for
#: it to end; or leave it alone.
Cancellation = Literal["request", "wait", "abandon"]


class Plan(NamedTuple):
    """What all operations of one description have in common.

    Attributes:
        name: Of the activity, workflow or function.
        make: Makes the decision from an id, the arguments, and the input as text, when
            that is written already. SWF would refuse nothing of it.
        loads: Reads a result.
        cancellation: What cancelling does.
        retry: When it is tried again.
        id: What the author calls it in SWF, instead of its number.
    """

    name: str
    make: Callable[[str, Any, str | None], Decision]
    loads: Callable[[str | None], Any]
    cancellation: Cancellation = "request"
    retry: Retry | None = None
    id: str | None = None


class Operation(Command, Future[R]):
    """A future that SWF resolves.

    Attributes:
        id: Its number in the workflow.
        number: The event by which SWF knows it; 0 while it does not.
        undo: The key of the decision that asks SWF to cancel it; None without.
        late: What it brought while its cancellation waited: a result or an exception.
    """

    __slots__ = (
        "arguments",
        "asked",
        "decision",
        "event",
        "id",
        "key",
        "late",
        "message",
        "name",
        "number",
        "plan",
        "run",
        "undo",
        "where",
    )

    def __init__(self, run: "State", plan: Plan, arguments: Any, id: str) -> None:
        """Describe it; :meth:`State.emit` asks for it."""
        self.run = run
        self.plan = plan
        self.arguments = arguments
        self.id = id
        self.name = plan.name
        self.number = 0
        self.asked = False
        self.decision = self.event = self.where = self.late = None
        self.undo: str | None = None
        self.message: Any = None
        Future.__init__(self, run.loop)

    def make(self) -> Decision:
        """Make the decision."""
        return self.plan.make(self.id, self.arguments, None)

    def bind(self, event: Event) -> None:
        """Be known by the event from now on; what was needed to ask is not any more."""
        self.number = event.id
        self.run.bound[event.id] = self
        self.run.opened(self.kind)
        self.arguments = self.decision = None

    # -- cancelling --

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it: at once, or when SWF says that it has ended.

        What was not sent yet is never sent. What was is asked to be canceled once,
        however often this is called.
        """
        if self.done():
            return False
        if self.run.retract(self) or self.plan.cancellation == "abandon":
            return super().cancel(msg)
        if not self.asked:
            self.asked = True
            self.message = msg
            self.request_end()
        return self.plan.cancellation == "wait" or super().cancel(msg)

    def request_end(self) -> None:
        """Ask SWF to cancel it."""

    def _undo_by(self, command: Command) -> None:
        self.undo = command.key
        self.run.emit(command)

    @property
    def wanted(self) -> bool:
        """Whether it is still to be done."""
        return not (self.asked or self.done())

    # -- how it ended --

    def deliver(self, text: str | None) -> None:
        """Take its result."""
        self._end(self.plan.loads, text)

    def fail(self, error: OperationFailed) -> None:
        """Take its failure."""
        self._end(None, error)

    def refused(self, cause: str) -> None:
        """Take SWF's refusal of the decision."""
        self.fail(DecisionFailed(self.id, self.name, cause))

    def _end(self, loads: Callable[[str | None], Any] | None, value: Any) -> None:
        self.arguments = None
        if self.done():  # cancelled here, without waiting for this
            return
        if self.asked:
            self.late = value if loads is None else loads(value)
            Future.cancel(self, self.message)
        elif loads is None:
            self.set_exception(value)
        else:
            self.set_result(loads(value))


class Function(Operation[R]):
    """A Lambda function. SWF cannot cancel one."""

    __slots__ = ()

    kind = "lambda"
    opening = True

    def __init__(self, run: "State", plan: Plan, arguments: Any, id: str) -> None:
        """Describe it."""
        super().__init__(run, plan, arguments, id)
        self.key = f"lambda:{id}"

    def fits(self, attributes: Any) -> bool:
        """Compare the names."""
        return bool(attributes.name == self.name)
