"""Futures that SWF resolves.

Source:
    dx.md section 1.2; swf-semantics.md section 3.2.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from flowser.decisions import Decision
from flowser.events import Event
from flowser.replay._futures import Future, init_future
from flowser.replay.commands import Command
from flowser.replay.failures import DecisionFailed, OperationFailed
from flowser.replay.retrying import Retry, Tries

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
        tries: What it has to remember to be tried again; None while it has not.
        undo: The key of the decision that asks SWF to cancel it; None without.
        late: What it brought while its cancellation waited: a result or an exception.
    """

    __slots__ = (
        "arguments",
        "decision",
        "event",
        "id",
        "key",
        "late",
        "message",
        "number",
        "plan",
        "run",
        "tries",
        "undo",
        "where",
    )

    def __init__(self, run: "State", plan: Plan, arguments: Any, id: str) -> None:
        """Describe it; :meth:`State.emit` asks for it."""
        self.run = run
        self.plan = plan
        self.arguments = arguments
        self.id = id
        self.key = id if plan.id is None else plan.id
        self.number = 0
        self.decision = self.event = self.where = None
        self.late = self.message = None
        self.undo: str | None = None
        self.tries: Tries | None = None
        loop = run.loop  # as Future: one call less, and often
        loop.created = self._number = loop.created + 1
        init_future(self, loop=loop)

    @property
    def name(self) -> str:  # type: ignore[override]
        """What kind of its kind it is."""
        return self.plan.name

    def make(self) -> Decision:
        """Make the decision."""
        return self.plan.make(self.id, self.arguments, None)

    def bind(self, event: Event) -> None:
        """Be known by the event from now on; what was needed to ask is not any more."""
        run = self.run
        self.number = event.id
        run.bound[event.id] = self
        run.opened(self.kind)
        self.decision = None
        if self.plan.retry is None:
            self.arguments = None
        elif self.tries is None:
            attributes: Any = event.attributes
            self.tries = Tries(attributes.input)

    # -- cancelling --

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it: at once, or when SWF says that it has ended.

        What was not sent yet is never sent. What was is asked to be canceled once,
        however often this is called.
        """
        if self.done():
            return False
        if self.run.retract(self) or self.plan.cancellation == "abandon":
            return self._drops(msg)
        if self.undo is None:
            self.message = msg
            self.request_end()
        return self.plan.cancellation == "wait" or self._drops(msg)

    def request_end(self) -> None:
        """Ask SWF to cancel it."""

    def _undo_by(self, command: Command) -> None:
        self.undo = command.key
        self.run.emit(command)

    @property
    def wanted(self) -> bool:
        """Whether it is still to be done."""
        return self.undo is None and not self.ended()

    # -- how it ended --

    # What a task of it does a round later; see `calls`.
    _returns, _raises, _drops = Future.set_result, Future.set_exception, Future.cancel
    #: Tells whether it is known what it comes to.
    ended = Future.done

    def deliver(self, text: str | None) -> None:
        """Take its result."""
        if self.ended():  # cancelled here, without waiting for this
            return
        value = self.plan.loads(text)
        self.arguments = None
        if self.undo is None:
            self._returns(value)
        else:
            self._come_late(value)

    def fail(self, error: OperationFailed) -> None:
        """Take its failure."""
        if self.ended():
            return
        self.arguments = None
        if self.undo is None:
            self._raises(error)
        else:
            self._come_late(error)

    def refused(self, cause: str) -> None:
        """Take SWF's refusal of the decision."""
        self.fail(DecisionFailed(self.id, self.name, cause))

    def _come_late(self, value: Any) -> None:
        self.late = value
        self._drops(self.message)


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
