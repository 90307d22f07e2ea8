"""What workflow code asks of SWF: futures, timers and notes.

Each is asked for by one decision, found again in the history by its ``key``, and from
then on known by the number of the event that the decision became (`Run.bound`).

Source:
    dx.md section 1.2; swf-semantics.md section 3.2.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeVar

from flowser import decisions, limits
from flowser.decisions import Decision
from flowser.events import Event
from flowser.replay import formats
from flowser.replay._loop import Future, Handle
from flowser.replay.failures import (
    DecisionFailed,
    ExternalFailed,
    OperationFailed,
)
from flowser.replay.retrying import Retry
from flowser.replay.troubles import Refused

if TYPE_CHECKING:
    from flowser.replay.run import Run
    from flowser.replay.stacks import Place

#: Seconds of the longest timer, which is more than a run may be open.
_LONGEST = 99_999_999

R = TypeVar("R")

#: What cancelling an operation does: ask SWF to cancel it and go on; ask, and wait for
#: it to end; or leave it alone.
Cancellation = Literal["request", "wait", "abandon"]


class Command:
    """Something that is asked of SWF by one decision.

    Attributes:
        kind: What it is, in a word, for limits and reports.
        opening: Whether SWF refuses it beside a decision that closes the run.
        undoing: Whether it cancels another one.
        key: What it is found by in the history.
        name: What kind of its kind it is: the name of the activity, say.
        decision: How it is asked for; None while the history says that it was.
        event: What the history says that became of it, when that is known ahead.
        where: Where the code asked for it, when the history does not know of it.
    """

    if not TYPE_CHECKING:  # the subclasses have them; no instance has a dict
        __slots__ = ()

    kind: ClassVar[str]
    opening: ClassVar[bool] = False
    undoing: ClassVar[bool] = False
    key: str
    name: str
    decision: Decision | None
    event: Event | None
    where: "Place | None"

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        return f"{self.kind} {self.name}".rstrip()

    def make(self) -> Decision:
        """Make the decision, of which SWF would refuse nothing.

        Raises:
            SerializationError: When the input cannot be written.
            InvalidArgument: When SWF would refuse an argument.
        """
        raise NotImplementedError

    def fits(self, attributes: Any) -> bool:
        """Tell whether an event of this key is of this name."""
        raise NotImplementedError

    def bind(self, event: Event) -> None:
        """Take the event that the decision became."""

    def refused(self, cause: str) -> None:
        """Take SWF's refusal of the decision, for good."""


def checked(decision: Decision, name: str) -> Decision:
    """Refuse what SWF would refuse.

    Args:
        decision: Any.
        name: What it is about, for the error.

    Raises:
        InvalidArgument: Naming the argument, the limit and the remedy.
    """
    limits.check(decision, f"{name}." if name else "")
    return decision


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

    def __init__(self, run: "Run", plan: Plan, arguments: Any, id: str) -> None:
        """Describe it; :meth:`Run.emit` asks for it."""
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


class Activity(Operation[R]):
    """An activity; with a retry, all its attempts."""

    __slots__ = ("attempt", "input", "pause", "told")

    kind = "activity"
    opening = True

    def __init__(self, run: "Run", plan: Plan, arguments: Any, id: str) -> None:
        """Describe the first attempt."""
        self.attempt = 1
        self.input: str | None = None
        self.told: str | None = None  # the input of the attempt
        self.pause: Timer | None = None
        super().__init__(run, plan, arguments, id)
        self.key = id
        if plan.id is not None:
            self.key = plan.id
            run.check_free(plan.id)

    def make(self) -> Decision:
        """Make the decision; a retry has the input of the first attempt."""
        return self.plan.make(self.key, self.arguments, self.told)

    def fits(self, attributes: Any) -> bool:
        """Compare the names; versions of one activity are one activity."""
        return bool(attributes.activity_type.name == self.name)

    def bind(self, event: Event) -> None:
        """Keep what may be needed again."""
        arguments = self.arguments
        super().bind(event)
        if self.plan.retry is not None:
            self.arguments = arguments
            if self.attempt == 1:
                attributes: Any = event.attributes
                self.input = attributes.input

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it, or the pause before its next attempt."""
        if self.pause is not None and not self.done():
            self.pause.cancel()
            self.pause = None
            return Future.cancel(self, msg)
        return super().cancel(msg)

    def request_end(self) -> None:
        """Ask for the task to be canceled."""
        self._undo_by(CancelActivity(self.key, self.name))

    def fail(self, error: OperationFailed) -> None:
        """Try again if there is a further attempt; else take the failure."""
        retry = None if self.asked or self.done() else self.plan.retry
        seed = f"{self.run.run_id} {self.id}"
        pause = None if retry is None else retry.pause(self.attempt, error, seed)
        if pause is None:
            super().fail(error)
            return
        self.attempt += 1
        details = getattr(error, "details", None)
        timed_out = details if hasattr(error, "kind") else None
        self._again(pause, timed_out)

    def _again(self, pause: float, details: str | None) -> None:
        self.number = 0
        self.key = f"{self.plan.id or self.id}~{self.attempt}"
        self.told = formats.spliced(self.input, self.attempt, details)
        attempt = Handle(self._ask, (), self.run.loop.context)
        if pause <= 0:
            self.run.loop.push(attempt)
        else:
            self.pause = self.run.start_timer(f"{self.key}w", pause, attempt)

    def _ask(self) -> None:
        self.pause = None
        if not self.done():
            self.run.emit(self)


class CancelActivity(Command):
    """Asks for an activity task to be canceled."""

    __slots__ = ("activity_id", "decision", "event", "key", "name", "where")

    kind = "cancel of activity"
    undoing = True

    def __init__(self, activity_id: str, name: str) -> None:
        """Describe it."""
        self.activity_id = activity_id
        self.key = f"cancel:{activity_id}"
        self.name = name
        self.decision = self.event = self.where = None

    def make(self) -> Decision:
        """Make the decision."""
        return decisions.RequestCancelActivityTask(activity_id=self.activity_id)

    def fits(self, attributes: Any) -> bool:  # noqa: ARG002 - the key says it all
        """Fit any event of the key."""
        return True


class Timer(Command):
    """A handle that SWF calls: what ``call_at`` returns.

    Attributes:
        seconds: After which it fires.
    """

    __slots__ = (
        "_when",
        "decision",
        "event",
        "handle",
        "id",
        "key",
        "number",
        "run",
        "seconds",
        "undo",
        "where",
    )

    kind = "timer"
    opening = True
    name = ""

    def __init__(self, run: "Run", id: str, when: float, handle: Handle) -> None:
        """Describe a timer; SWF counts in whole seconds."""
        self.run = run
        self.id = id
        self.key = f"timer:{id}"
        # Rounded first: the difference of two times is not exact to the last bit.
        self.seconds = math.ceil(round(min(when - run.loop.now, _LONGEST), 3))
        self.number = 0
        self.undo: str | None = None
        self.handle = handle
        self._when = when
        self.decision = self.event = self.where = None

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        return f"timer of {self.seconds} s"

    def make(self) -> Decision:
        """Make the decision."""
        seconds = str(self.seconds)
        return decisions.StartTimer(timer_id=self.id, start_to_fire_timeout=seconds)

    def fits(self, attributes: Any) -> bool:  # noqa: ARG002 - the key says it all
        """Fit any timer of this id: its seconds may be changed in open runs."""
        return True

    def bind(self, event: Event) -> None:
        """Be known by the event from now on."""
        self.number = event.id
        self.run.bound[event.id] = self
        self.run.opened(self.kind)
        self.decision = None

    def when(self) -> float:
        """Give the time for which it is set, as asyncio's handles do."""
        return self._when

    def fire(self) -> None:
        """Call what waits for it; not before its time, or anyio sets it once more."""
        self.number = -1
        loop = self.run.loop
        loop.now = max(loop.now, self._when)
        loop.push(self.handle)

    def cancel(self) -> None:
        """Stop it, unless it has fired."""
        if self.number < 0 or self.handle.cancelled():
            return
        self.handle.cancel()
        if not self.run.retract(self):
            stop = CancelTimer(self)
            self.undo = stop.key
            self.run.emit(stop)

    @property
    def wanted(self) -> bool:
        """Whether it is still to fire."""
        return not self.handle.cancelled()

    def refused(self, cause: str) -> None:
        """Give up: nothing in workflow code could take it.

        Raises:
            Refused: Unless it was stopped meanwhile.
        """
        if self.wanted:
            raise Refused("StartTimer", cause)

    def cancelled(self) -> bool:
        """Tell whether it was stopped."""
        return self.handle.cancelled()


class CancelTimer(Command):
    """Stops a timer."""

    __slots__ = ("decision", "event", "key", "timer", "where")

    kind = "cancel of timer"
    undoing = True
    name = ""

    def __init__(self, timer: Timer) -> None:
        """Describe it."""
        self.timer = timer
        self.key = f"stop:{timer.id}"
        self.decision = self.event = self.where = None

    def make(self) -> Decision:
        """Make the decision."""
        return decisions.CancelTimer(timer_id=self.timer.id)

    def fits(self, attributes: Any) -> bool:  # noqa: ARG002 - the key says it all
        """Fit any event of the key."""
        return True

    def bind(self, event: Event) -> None:
        """Forget the timer, unless it fired meanwhile: then its event comes."""
        if event.type == "TimerCanceled":
            self.timer.run.forget(self.timer.number)


class Child(Operation[R]):
    """A child workflow.

    Attributes:
        workflow_id: Its workflow id.
        run_id: Its run's id; None while it has not started.
    """

    __slots__ = ("_started", "run_id", "workflow_id")

    kind = "child"

    def __init__(self, run: "Run", plan: Plan, arguments: Any, id: str) -> None:
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

    def request_end(self) -> None:
        """Ask the child to cancel itself."""
        self._undo_by(request_cancel(self.run, f"{self.id}!", self.workflow_id, None))

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it, and who waits for its start."""
        cancelled = super().cancel(msg)
        self._tell()
        return cancelled

    def _end(self, loads: Callable[[str | None], Any] | None, value: Any) -> None:
        super()._end(loads, value)
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

    def __init__(self, run: "Run", plan: Plan, arguments: Any, id: str) -> None:
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

    def fail(self, error: OperationFailed) -> None:
        """Mind nothing: the other one has ended by itself."""
        self.deliver(None)


def request_cancel(
    run: "Run", id: str, workflow_id: str, run_id: str | None, *, quiet: bool = True
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
    run: "Run", id: str, target: tuple[str, str | None], name: str, input: str | None
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


def _nothing(text: str | None) -> None:
    """Read a result that is none."""


class Function(Operation[R]):
    """A Lambda function. SWF cannot cancel one."""

    __slots__ = ()

    kind = "lambda"
    opening = True

    def __init__(self, run: "Run", plan: Plan, arguments: Any, id: str) -> None:
        """Describe it."""
        super().__init__(run, plan, arguments, id)
        self.key = f"lambda:{id}"

    def fits(self, attributes: Any) -> bool:
        """Compare the names."""
        return bool(attributes.name == self.name)


class Marker(Command):
    """A note in the history."""

    __slots__ = ("decision", "details", "event", "key", "marker", "name", "where")

    kind = "marker"

    def __init__(self, key: str, marker: str, details: str) -> None:
        """Describe it."""
        self.key = key
        self.marker = marker
        self.name = marker
        self.details = details
        self.decision = self.event = self.where = None

    def make(self) -> Decision:
        """Make the decision."""
        note = decisions.RecordMarker(marker_name=self.marker, details=self.details)
        return checked(note, self.marker)

    def fits(self, attributes: Any) -> bool:
        """Compare the names."""
        return bool(attributes.marker_name == self.marker)
