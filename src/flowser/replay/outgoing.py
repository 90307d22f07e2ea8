"""Children, and signals and cancel requests for other executions.

Source:
    dx.md section 1.1; swf-semantics.md sections 3.2 and 6.
"""

from typing import TYPE_CHECKING, Any, TypeVar

from flowser import decisions, serializing
from flowser.decisions import Decision
from flowser.replay import formats
from flowser.replay._futures import Future
from flowser.replay.commands import checked
from flowser.replay.failures import ExternalFailed, OperationFailed
from flowser.replay.operations import Operation, Plan

if TYPE_CHECKING:
    from flowser.replay.state import State

R = TypeVar("R")


class Child(Operation[R]):
    """A child workflow.

    Attributes:
        workflow_id: Its workflow id.
        run_id: Its run's id; None while it has not started.
    """

    __slots__ = ("_started", "run_id", "workflow_id")

    kind = "child"

    def __init__(self, run: "State", plan: Plan, arguments: Any, id: str) -> None:
        """Describe it."""
        self.workflow_id = run.child_id(id) if plan.id is None else plan.id
        self.run_id: str | None = None
        self._started: Future[str] | None = None
        super().__init__(run, plan, arguments, id)
        self.key = f"child:{id}"

    def make(self) -> Decision:
        """Make the decision."""
        return self.plan.make(self.workflow_id, (self.id, self.arguments), None)

    def fits(self, attributes: Any) -> bool:
        """Compare the names; versions of one workflow are one workflow."""
        return bool(attributes.workflow_type.name == self.name)

    @property
    def started(self) -> Future[str]:
        """A future that brings the id of the child's run, as soon as it has one."""
        if self._started is None:
            self._started = Future(self.run.loop)
            self._tell()
        return self._started

    def begun(self, run_id: str | None) -> None:
        """Take that it has started."""
        self.run_id = run_id
        self._tell()

    def signal(self, name: str, input: Any = None) -> "External":
        """Send it a signal; the future that is returned may be awaited.

        A child that has not started cannot be reached: await ``started`` first.

        Args:
            name: Of the signal.
            input: Any object that the domain's serializer can write; None for none.

        Raises:
            ExternalFailed: At the await, when it is not open.
        """
        return send_signal(self.run, (self.workflow_id, None), name, input)

    def request_cancel(self) -> "External":
        """Ask it to cancel itself; the future that is returned may be awaited.

        Unlike ``cancel()``, this goes on waiting for what it comes to.

        Raises:
            ExternalFailed: At the await, when it is not open.
        """
        return ask_to_cancel(self.run, (self.workflow_id, None))

    def request_end(self) -> None:
        """Ask the child to cancel itself."""
        self._undo_by(request_cancel(self.run, f"{self.id}!", self.workflow_id, None))

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it, and who waits for its start."""
        cancelled = super().cancel(msg)
        self._tell()
        return cancelled

    def deliver(self, text: str | None) -> None:
        """Take its result, and tell who waits for its start."""
        super().deliver(text)
        self._tell()

    def fail(self, error: OperationFailed) -> None:
        """Take its failure, and tell who waits for its start."""
        super().fail(error)
        self._tell()

    def _tell(self) -> None:
        """Tell who waits for its start."""
        waiting = self._started
        if waiting is None or waiting.done():
            return
        if self.run_id is not None:
            waiting.set_result(self.run_id)
        elif self.cancelled():
            waiting.cancel()
        elif self.done() and (error := self.exception()) is not None:
            waiting.set_exception(error)


class External(Operation[None]):
    """A signal for another execution, or a request that it cancels itself."""

    __slots__ = ()

    def __init__(self, run: "State", plan: Plan, arguments: Any, id: str) -> None:
        """Describe it."""
        super().__init__(run, plan, arguments, id)
        self.key = f"external:{id}"

    kind = "external"

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        return f"signal {self.name}" if self.name else "cancel request"

    def refused(self, cause: str) -> None:
        """Take that there is no such open execution."""
        self.fail(ExternalFailed(self.id, self.name or "request_cancel", cause))

    def fits(self, attributes: Any) -> bool:
        """Compare signals by their names."""
        return bool(getattr(attributes, "signal_name", "") == self.name)


class _Quiet(External):
    """One that nobody waits for."""

    __slots__ = ()

    undoing = True

    def fail(self, error: OperationFailed) -> None:  # noqa: ARG002 - see below
        """Mind nothing: the other one has ended by itself."""
        self.deliver(None)


def request_cancel(
    run: "State", id: str, workflow_id: str, run_id: str | None, *, quiet: bool = True
) -> External:
    """Describe a request that another execution cancels itself."""

    def make(number: str, _: Any, __: str | None) -> Decision:
        request = decisions.RequestCancelExternalWorkflowExecution(
            workflow_id=workflow_id, run_id=run_id, control=formats.note(number)
        )
        return checked(request, "request_cancel")

    plan = Plan("", make, _nothing, "abandon")
    return (_Quiet if quiet else External)(run, plan, None, id)


def signal(
    run: "State", id: str, target: tuple[str, str | None], name: str, input: str | None
) -> External:
    """Describe a signal for another execution."""

    def make(number: str, _: Any, __: str | None) -> Decision:
        request = decisions.SignalExternalWorkflowExecution(
            workflow_id=target[0],
            run_id=target[1],
            signal_name=name,
            input=input,
            control=formats.note(number),
        )
        return checked(request, f"signal {name}")

    return External(run, Plan(name, make, _nothing, "abandon"), None, id)


def send_signal(
    run: "State", target: tuple[str, str | None], name: str, input: Any
) -> External:
    """Send a signal under the current task's next number."""
    text = None if input is None else serializing.current().dumps(input)
    sent = signal(run, run.loop.number(), target, name, text)
    run.emit(sent)
    return sent


def ask_to_cancel(run: "State", target: tuple[str, str | None]) -> External:
    """Send a cancel request under the current task's next number."""
    sent = request_cancel(run, run.loop.number(), *target, quiet=False)
    run.emit(sent)
    return sent


def _nothing(text: str | None) -> None:
    """Read a result that is none."""
