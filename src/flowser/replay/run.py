"""A run of a workflow: fed with its history, it says what is to be decided.

::

    run = Run("o-17", run_id, program)
    answer = run.decide(events)        # a decision task's history, oldest event first
    ...
    answer = run.decide(later_events)  # the next task's: the run was kept meanwhile

What was decided before is done again without effect, and compared with what history
says; whether a run was kept or begins anew with the whole history makes no difference.
A run that raised anything is to be thrown away.

Source:
    DESIGN section 6; dx.md section 1.2.
"""

import zlib
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from flowser.decisions import Decision
from flowser.events import Event, WorkflowExecutionStarted
from flowser.exceptions import BrokenHistory, InvalidArgument, SerializationError
from flowser.replay import formats, sending, steps
from flowser.replay._loop import BUDGET, Handle, Loop, Task
from flowser.replay.applying import EFFECTS
from flowser.replay.closing import Close, closing, failure
from flowser.replay.holding import Holding, for_now
from flowser.replay.judging import judge
from flowser.replay.matching import REFUSALS, settle
from flowser.replay.operations import Command, Plan, Timer
from flowser.replay.stacks import here, stack
from flowser.replay.troubles import Spinning, Undecodable, UnknownFormat
from flowser.replay.turns import Cutter, Turn

#: Characters of a run id that tell the children of one run from those of another.
_SHORT = 8

_LONGEST_ID = 256


class Program(Protocol):
    """What a run runs."""

    def begin(
        self, run: "Run", started: WorkflowExecutionStarted
    ) -> Coroutine[Any, Any, str | None]:
        """Make the main coroutine; it returns the result as text.

        Raises:
            SerializationError: When the input cannot be read.
        """
        ...

    def describe(self, error: BaseException) -> tuple[str, str | None]:
        """Say in a reason and details why the run fails."""
        ...


class Answer(NamedTuple):
    """What is to be responded to a decision task.

    Attributes:
        decisions: In order.
        context: The execution context; None leaves it alone.
        closes: Whether the last decision closes the run.
    """

    decisions: tuple[Decision, ...]
    context: str | None
    closes: bool


class _More:
    """The timer that brings on the next decision."""

    kind = "timer"
    key = ""
    undo = None

    def fire(self) -> None:
        """Have done its work already."""


_MORE: Any = _More()


class Run:
    """A run.

    Attributes:
        workflow_id: Of the execution.
        run_id: Of the run.
        loop: What its code runs on.
        main: Its main task; None before it has begun.
        started: How it was started; None before.
        replaying: Whether what runs was decided before.
        history_length: The number of events that the current decision sees.
        cancel_requested: Whether somebody asked it to cancel itself.
        status: What the author wants to be seen from outside, as JSON.
        bound: What is known to SWF, by the number of an event.
        out: What is asked for and was not sent, by key.
        opens: How much is open, by kind.
        steps: What the driver is to do before it answers, by id.
        signals: Signals that nobody listens for yet, by name.
        locals: What the authors' verbs keep for this run.
    """

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
        self.history_length = 0
        self.cancel_requested = False
        self.status: str | None = None
        self.bound: dict[int, Command] = {}
        self.out: dict[str, Command] = {}
        self.opens: dict[str, int] = {}
        self.steps: dict[str, steps.Step] = {}
        self.signals: dict[str, deque[tuple[int, str | None]]] = {}
        self.locals: dict[Any, Any] = {}
        self._program = program
        self._listeners: dict[str, Callable[[int, str | None], object]] = {}
        self._cutter = Cutter()
        self._outcomes: dict[str, Event] = {}
        self._sent: dict[str, Command] = {}
        self._holding = Holding(self)
        self._close: Decision | None = None
        self._crash: BaseException | None = None
        self._context: str | None = None  # what SWF has
        self._judging = False  # whether what history does not know of is to be told
        self._broken = False

    # -- being driven --

    def decide(self, events: Iterable[Event]) -> Answer:
        """Take the events of a decision task, and answer it.

        Args:
            events: All that were not taken before, oldest first; the last one is the
                task's DecisionTaskStarted. Ones that were taken are skipped.

        Raises:
            Trouble: When it cannot be decided; see :mod:`.troubles`.
            BrokenHistory: When events are missing.
        """
        self.feed(events)
        self.advance()
        return self.take()

    def feed(self, events: Iterable[Event]) -> None:
        """Take events, and do again what was decided on them.

        Args:
            events: The next ones, or some that overlap with those taken before.
        """
        with self._driven():
            for turn in self._cutter.turns(events):
                self._replay(turn)

    def advance(self) -> None:
        """Do what the last DecisionTaskStarted event asks for."""
        turn = self._cutter.turn
        if turn is None or self._cutter.completed or turn.ran:
            raise BrokenHistory("there is no decision to be made at its end")
        with self._driven():
            turn.ran = True
            self._play(turn, replaying=False)

    def take(self, *, rest: bool = False) -> Answer:
        """Give what is to be responded; nothing more happens before the next events.

        Args:
            rest: Whether another decision is to follow at once, for steps that are not
                done.
        """
        with self._driven():
            close = self._closing()
            chosen = sending.choose(
                self.out.values(), self.opens, closing=close is not None
            )
            rest = chosen.rest or (rest and close is None)
            self._sent = {command.key: command for command in chosen.commands}
            for key in self._sent:
                del self.out[key]
            sent = [command.decision for command in chosen.commands if command.decision]
            if rest:
                sent.append(sending.more(self.history_length))
            elif close is not None:
                self._sent[close.key] = close
                sent.append(close.made)
            return Answer(tuple(sent), self._new_context(), not rest and bool(close))

    def finish_step(
        self, step: steps.Step, value: str | None, failure: str | None = None
    ) -> None:
        """Say what a step came to, and go on.

        Args:
            step: One of `steps`.
            value: What it returned, as JSON.
            failure: What it raised, as a description in JSON; None for nothing.

        Raises:
            InvalidArgument: When that is too long for a marker; the step goes on.
        """
        step.check(value, failure)
        with self._driven():
            if not step.done():
                step.finish(value, failure)
                self._drain()

    def catch_up(self) -> None:
        """Do what is known to have happened, for whoever wants to look at the run.

        After this, a run can be looked at and ended, nothing else.
        """
        with self._driven():
            turn = self._cutter.pending()
            if turn is not None:
                self._replay(turn)
            elif (turn := self._cutter.turn) is not None and not turn.ran:
                self._play(turn, replaying=False)
            self.replaying = False
            self._outcomes = {}
            self._apply(self._cutter.rest())
            self._broken = True

    def end(self) -> None:
        """Throw it away: its coroutines are closed, and do nothing any more."""
        self._broken = True
        self.loop.end()
        self.bound.clear()
        self.out.clear()
        self.steps.clear()
        self.locals.clear()
        self.main = None

    @property
    def last_event_id(self) -> int:
        """The id of the last event that was taken; 0 for none."""
        return self._cutter.last

    @property
    def started_event_id(self) -> int:
        """The id of the DecisionTaskStarted that was decided last; 0 for none."""
        turn = self._cutter.turn
        return turn.started if turn is not None and turn.ran else 0

    def stack(self) -> str:
        """Describe where each of its tasks waits, with file and line."""
        return stack(self.loop.tasks)

    @contextmanager
    def _driven(self) -> Iterator[None]:
        if self._broken:
            raise RuntimeError("a run that raised, or was ended, goes on nowhere")
        try:
            with self.loop.running():
                yield
        except Spinning as error:
            self._broken = True
            error.stacks = self.stack()
            raise
        except BaseException:
            self._broken = True
            raise

    # -- turns --

    def _replay(self, turn: Turn) -> None:
        """Do a turn again that was answered, and compare."""
        if turn.context is not None:
            self._take_context(turn.context)
        if turn.ran:
            commands = self._sent
        else:
            self._play(turn, replaying=True)
            commands = self.out
            if (close := self._closing()) is not None:
                commands[close.key] = close
        agreed = settle(commands, turn.outcomes, self.bound)
        if turn.more:
            self.bound[turn.more] = _MORE
            self.opened(_MORE.kind)
        if turn.outcomes or commands or self.steps:
            judge(self, turn, commands, agreed)
        commands.pop("close:", None)

    def _play(self, turn: Turn, *, replaying: bool) -> None:
        """Let happen what a turn saw."""
        loop = self.loop
        loop.now = max(loop.now, turn.at)
        self.replaying = replaying
        self._judging = replaying and not turn.more
        self.history_length = turn.started
        self._outcomes = turn.outcomes
        self._apply(turn.inputs)
        for marker in turn.steps:
            steps.replayed(self, marker)
            self._drain()
        loop.prune()

    def _apply(self, events: Iterable[Event]) -> None:
        drain = self.loop.drain
        for event in events:
            EFFECTS[event.type](self, event, event.attributes)
            drain()

    def _drain(self) -> None:
        self.loop.drain()

    def _take_context(self, text: str) -> None:
        found = formats.read_context(text)
        if found.fv > formats.FORMAT:
            raise UnknownFormat(found.fv, formats.FORMAT)
        self._context = text

    def _new_context(self) -> str | None:
        wanted = formats.context(self.status)
        if wanted == self._context:
            return None
        self._context = wanted
        return wanted

    # -- asking --

    def emit(self, command: Command) -> None:
        """Ask for something, at the end of the turn; what history has is not made.

        Raises:
            SerializationError: When its input cannot be written.
            InvalidArgument: When SWF would refuse an argument.
        """
        if self.loop.dead:
            self.loop.cut_off()
            return
        event = self._outcomes.get(command.key)
        fits = event is not None and command.fits(event.attributes)
        if event is None or not fits or event.type in REFUSALS:
            if command.decision is None:
                command.decision = command.make()
            if self._judging and not fits:
                command.where = here(self.loop.current())
        command.event = event if fits else None
        self.out[command.key] = command
        self.loop.changes += 1

    def is_recorded(self, key: str) -> bool:
        """Tell whether history says that this turn asked for it."""
        return key in self._outcomes

    def retract(self, command: Command) -> bool:
        """Do not ask for it after all; tell whether that was in time."""
        if self.out.get(command.key) is command:
            del self.out[command.key]
            self.loop.changes += 1
            return True
        return self._holding.drop(command)

    def begin(self, kind: type[Any], plan: Plan, arguments: Any) -> Any:
        """Begin an operation, under the current task's next number."""
        operation = kind(self, plan, arguments, self.loop.number())
        self.emit(operation)
        return operation

    def start_timer(self, id: str, seconds: float, handle: Handle) -> Timer:
        """Start a timer under an id of its own."""
        timer = Timer(self, id, self.loop.now + seconds, handle)
        self.emit(timer)
        return timer

    def _call_at(self, when: float, handle: Handle) -> Timer:
        timer = Timer(self, self.loop.number(), when, handle)
        self.emit(timer)
        return timer

    def check_free(self, id: str) -> None:
        """Refuse an id of the author's that an open activity has.

        Raises:
            InvalidArgument: With the remedy.
        """
        known = (*self.out.values(), *self.bound.values())
        if any(command.key == id for command in known):
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
            coro = loop.context.run(self._program.begin, self, started)
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
        command = self.known(event, number)
        self.forget(number)
        return command

    def forget(self, number: int) -> None:
        """Have it ended: there is nothing left to be cancelled."""
        command: Any = self.bound.pop(number)
        self.opens[command.kind] -= 1
        if command.undo is not None:
            self.out.pop(command.undo, None)

    def opened(self, kind: str) -> None:
        """Count what is open."""
        self.opens[kind] = self.opens.get(kind, 0) + 1
        self._holding.passed()

    def refused(self, command: Any, event: Event, cause: str) -> None:
        """Take the refusal of a decision: for now, or for good."""
        if for_now(cause) and command.wanted:
            self._holding.hold(command, event)
        else:
            command.refused(cause)

    def close_refused(self, event: Event, cause: str) -> None:
        """Take the refusal of the decision that closes the run.

        After UNHANDLED_DECISION it is made again at the end of the turn. A new run
        that cannot be begun, ever, fails this one.
        """
        if for_now(cause):
            self._holding.hold(None, event)
        elif cause != "UNHANDLED_DECISION":
            self._close = failure(f"{event.type}: {cause}", None)

    def _closing(self) -> Close | None:
        """Give what closes the run; None when it goes on."""
        done = self.main is not None and self.main.done()
        if not (done or self._crash) or self._holding.closes_later:
            return None
        if self._close is None:
            self._close = closing(self.main, self._crash, self._program.describe)
        return Close(self._close)
