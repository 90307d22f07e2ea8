"""What a run is: what its code asks for, and what happens to it.

Source:
    dx.md section 1.2.
"""

import zlib
from collections import deque
from collections.abc import Callable, Coroutine
from types import CodeType
from typing import Any, Protocol
from weakref import WeakValueDictionary

from flowser.decisions import Decision
from flowser.events import Event, WorkflowExecutionStarted
from flowser.exceptions import BrokenHistory, InvalidArgument, SerializationError
from flowser.replay import closing
from flowser.replay._futures import Handle, Task
from flowser.replay._loop import Loop
from flowser.replay._rounds import BUDGET
from flowser.replay.commands import Command
from flowser.replay.holding import Holding, for_now
from flowser.replay.matching import REFUSALS
from flowser.replay.operations import Operation, Plan
from flowser.replay.stacks import here
from flowser.replay.steps import Step
from flowser.replay.timers import Timer
from flowser.replay.troubles import Undecodable

#: Characters of a run id that tell the children of one run from those of another.
_SHORT = 8

_LONGEST_ID = 256


class Program(Protocol):
    """What a run runs.

    Attributes:
        calls: The code of coroutines that do nothing but begin an operation and wait
            for it; see :func:`.calls.task_of`.
    """

    calls: CodeType

    def begin(
        self, run: "State", started: WorkflowExecutionStarted
    ) -> Coroutine[Any, Any, str | None]:
        """Make the main coroutine; it returns the result as text.

        Raises:
            SerializationError: When the input cannot be read.
        """
        ...

    def describe(self, error: BaseException) -> tuple[str, str | None]:
        """Say in a reason and details why the run fails."""
        ...


class State:
    """The state of a run.

    Attributes:
        workflow_id: Of the execution.
        run_id: Of the run.
        program: What it runs.
        loop: What its code runs on.
        main: Its main task; None before it has begun.
        started: How it was started; None before.
        replaying: Whether what runs was decided before.
        tracing: Whether to note where its code asks for things, also for new ones.
        history_length: The number of events that the current decision sees.
        attempt: How often the current decision was begun.
        cancel_requested: Whether somebody asked it to cancel itself.
        status: What the author wants to be seen from outside, as JSON.
        bound: What is known to SWF, by the number of an event.
        out: What is asked for and was not sent, by key.
        opens: How much is open, by kind.
        steps: What the driver is to do before it answers, by id.
        signals: Signals that nobody listens for yet, by name.
        locals: What the authors' verbs keep for this run.
    """

    # A dict of so many would share its keys with no other, and take 1 KiB more.
    __slots__ = (
        "_claimed",
        "_close",
        "_crash",
        "_holding",
        "_judging",
        "_listeners",
        "_outcomes",
        "attempt",
        "bound",
        "cancel_requested",
        "history_length",
        "locals",
        "loop",
        "main",
        "opens",
        "out",
        "program",
        "replaying",
        "run_id",
        "signals",
        "started",
        "started_at",
        "status",
        "steps",
        "tracing",
        "workflow_id",
    )

    def __init__(
        self, workflow_id: str, run_id: str, program: Program, *, budget: int = BUDGET
    ) -> None:
        """Begin before the first event.

        Args:
            workflow_id: Of the execution.
            run_id: Of the run; what is random depends on it.
            program: What it runs.
            budget: Callbacks between two events, before it is said to spin.
        """
        self.workflow_id = workflow_id
        self.run_id = run_id
        # Abstract only in name: what it does not define, it refuses.
        self.loop = Loop(  # type: ignore[abstract]
            run_id, call_at=self._call_at, budget=budget
        )
        self.loop.run = self
        self.main: Task | None = None
        self.started: WorkflowExecutionStarted | None = None
        self.started_at = 0.0
        self.replaying = True
        self.tracing = False
        self.history_length = 0
        self.attempt = 0
        self.cancel_requested = False
        self.status: str | None = None
        self.bound: dict[int, Command] = {}
        self.out: dict[str, Command] = {}
        self.opens: dict[str, int] = {}
        self.steps: dict[str, Step] = {}
        self.signals: dict[str, deque[tuple[int, str | None]]] = {}
        self.locals: dict[Any, Any] = {}
        self.program = program
        self._listeners: dict[str, Callable[[int, str | None], object]] = {}
        self._claimed: WeakValueDictionary[str, Operation[Any]] | None = None
        self._outcomes: dict[str, Event] = {}
        self._holding: Holding | None = None
        self._close: Decision | None = None
        self._crash: BaseException | None = None
        self._judging = False  # whether what history does not know of is to be told

    # -- asking --

    def emit(self, command: Command) -> None:
        """Ask for something, at the end of the turn; what history has is not made.

        Raises:
            SerializationError: When its input cannot be written.
            InvalidArgument: When SWF would refuse an argument.
        """
        loop = self.loop
        if loop.dead:
            if not command.undoing:
                loop.cut_off()
            return
        event = self._outcomes.get(command.key)
        if event is not None and not command.fits(event.attributes):
            event = None
        if event is None or event.type in REFUSALS:
            if command.decision is None:
                command.decision = command.make()
            if self.tracing or (self._judging and event is None):
                command.where = here(loop.current())
        command.event = event
        self.out[command.key] = command
        loop.changes += 1

    def is_recorded(self, key: str) -> bool:
        """Tell whether history says that this turn asked for it."""
        return key in self._outcomes

    def retract(self, command: Command) -> bool:
        """Do not ask for it after all; tell whether that was in time."""
        if self.out.get(command.key) is command:
            del self.out[command.key]
            self.loop.changes += 1
            return True
        return self._holding is not None and self._holding.drop(command)

    def begin(self, kind: type[Any], plan: Plan, arguments: Any) -> Any:
        """Begin an operation, under the current task's next number."""
        operation = kind(self, plan, arguments, self.loop.number())
        self.ask(operation)
        return operation

    def ask(self, operation: Operation[Any]) -> None:
        """Ask for an operation; no two of its author's ids are open at a time."""
        id = operation.plan.id
        if id is None or operation.kind != "activity":
            self.emit(operation)
        else:
            self._check_free(id)
            self.emit(operation)
            self._claimed = self._claimed or WeakValueDictionary()
            self._claimed[id] = operation

    def start_timer(self, id: str, seconds: float, handle: Handle) -> Timer:
        """Start a timer under an id of its own."""
        timer = Timer(self, id, self.loop.now + seconds, handle)
        self.emit(timer)
        return timer

    def _call_at(self, when: float, handle: Handle) -> Timer:
        timer = Timer(self, self.loop.number(), when, handle)
        self.emit(timer)
        return timer

    def _check_free(self, id: str) -> None:
        """Refuse an id of the author's that an activity has, until it is over.

        Raises:
            InvalidArgument: With the remedy.
        """
        other = self._claimed.get(id) if self._claimed else None
        if other is not None and (not other.done() or other.number in self.bound):
            remedy = "await it first, or use another id"
            raise InvalidArgument("id", f"{id!r} is open", remedy)

    def child_id(self, id: str) -> str:
        """Make the workflow id of a child."""
        short = self.run_id[:_SHORT].replace("/", "-")  # which ids do not take
        made = f"{self.workflow_id}.{short}.{id}"
        if len(made) > _LONGEST_ID:
            tail = f".{zlib.crc32(made.encode()):08x}"
            made = made[: _LONGEST_ID - len(tail)] + tail
        return made

    # -- what happens to it; called by effects --

    def begin_main(self, event: Event, started: WorkflowExecutionStarted) -> None:
        """Begin the main task."""
        self.started = started
        self.started_at = self.loop.now = event.time_stamp.timestamp()
        loop = self.loop
        try:
            coro = loop.context.run(self.program.begin, self, started)
        except SerializationError as error:
            raise Undecodable(event.id, str(error)) from error
        self.main = loop.create_task(coro, path="", context=loop.context)

    def signaled(self, event_id: int, name: str, input: str | None) -> None:
        """Give a signal to who listens, or keep it."""
        listener = self._listeners.get(name)
        if listener is None:
            self.signals.setdefault(name, deque()).append((event_id, input))
        else:
            self.loop.context.run(listener, event_id, input)

    def listen(self, name: str, listener: Callable[[int, str | None], object]) -> None:
        """Let signals be given to *listener*, beginning with those that were kept."""
        self._listeners[name] = listener
        for event_id, input in self.signals.pop(name, ()):
            listener(event_id, input)

    def crash(self, error: BaseException) -> None:
        """Fail the run at the end of the turn, whatever its main task does."""
        if self._crash is None:
            self._crash = error

    def request_cancel(self) -> None:
        """Cancel the main task, once: a request that is repeated is the same one."""
        if not self.cancel_requested and self.main is not None:
            self.cancel_requested = True
            self.main.cancel("the cancelation of the run was requested")

    def known(self, event: Event, number: int) -> Command:
        """Find what an event is about.

        Raises:
            BrokenHistory: When it was never begun, or has ended.
        """
        try:
            return self.bound[number]
        except KeyError:
            words = f"event {event.id} ({event.type}) is about event {number}"
            raise BrokenHistory(f"{words}, which began nothing") from None

    def closed(self, event: Event, number: int) -> Any:
        """Find what an event ends; it is not open any more."""
        command: Any = self.bound.pop(number, None)
        if command is None:
            command = self.known(event, number)  # which says what is wrong
        self.opens[command.kind] -= 1
        if command.undo is not None:
            self.out.pop(command.undo, None)  # there is nothing left to be cancelled
        return command

    def opened(self, kind: str) -> None:
        """Count what is open."""
        self.opens[kind] = self.opens.get(kind, 0) + 1
        if self._holding is not None:
            self._holding.passed()

    def made_room(self) -> None:
        """Take that a timer has fired, or is stopped: another one has room."""
        if self._holding is not None:
            self._holding.made_room()

    def refused(self, command: Any, event: Event, cause: str) -> None:
        """Take the refusal of a decision: for now, or for good."""
        if for_now(cause) and command.wanted:
            self._hold(command, event)
        else:
            command.refused(cause)

    def _hold(self, command: Command | None, event: Event) -> None:
        if self._holding is None:
            self._holding = Holding(self)
        self._holding.hold(command, event)

    def close_refused(self, event: Event, cause: str) -> None:
        """Take the refusal of the decision that closes the run.

        After UNHANDLED_DECISION it is made again at the end of the turn. A new run
        that cannot be begun, ever, fails this one.
        """
        if for_now(cause):
            self._hold(None, event)
        elif cause != "UNHANDLED_DECISION":
            self._close = closing.failure(f"{event.type}: {cause}", None)

    def closing(self) -> closing.Close | None:
        """Give what closes the run; None when it goes on."""
        done = self.main is not None and self.main.done()
        if not (done or self._crash):
            return None
        if self._holding is not None and self._holding.closes_later:
            return None
        if self._close is None:
            self._close = closing.decision(
                self.main, self._crash, self.program.describe
            )
        return closing.Close(self._close)
