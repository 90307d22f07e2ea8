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

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from flowser.decisions import Decision
from flowser.events import Event
from flowser.exceptions import BrokenHistory
from flowser.replay import formats, sending, steps
from flowser.replay._rounds import BUDGET
from flowser.replay.applying import EFFECTS
from flowser.replay.commands import Command
from flowser.replay.judging import judge
from flowser.replay.matching import settle
from flowser.replay.stacks import stack
from flowser.replay.state import Program, State
from flowser.replay.troubles import Spinning, UnknownFormat
from flowser.replay.turns import Cutter, Turn

__all__ = ["Answer", "Program", "Run"]


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

    kind = "more"  # not counted with an author's timers
    key = ""
    undo = None
    wanted = False

    def fire(self) -> None:
        """Have done its work already."""

    def refused(self, cause: str) -> None:
        """Have done it all the same: the refusal brings on the next decision."""


_MORE: Any = _More()


class Run(State):
    """A run, as whoever decides drives it; what it has is in :class:`State`."""

    __slots__ = ("_broken", "_context", "_cutter", "_sent")

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
        super().__init__(workflow_id, run_id, program, budget=budget)
        self._cutter = Cutter()
        self._sent: dict[str, Command] = {}
        self._context: str | None = None  # what SWF has
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
            close, context = self.closing(), self._new_context()
            chosen = sending.choose(
                self.out.values(),
                self.opens,
                closing=close is not None,
                context=context,
            )
            rest = chosen.rest or (rest and close is None)
            self._sent = {command.key: command for command in chosen.commands}
            for key in self._sent:
                del self.out[key]
            sent = [command.decision for command in chosen.commands if command.decision]
            if rest:
                sent.append(sending.more(self.history_length))
            elif close is not None:
                self.loop.tell_unretrieved()
                self._sent[close.key] = close
                sent.append(close.made)
            return Answer(tuple(sent), context, not rest and bool(close))

    @property
    def full(self) -> bool:
        """Whether the decision takes no more results of steps: the next one does."""
        return sending.is_full(self.out.values())

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
            SerializationError: When it is not what the step is to return; likewise.
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
            if (close := self.closing()) is not None:
                commands[close.key] = close
        agreed = settle(commands, turn.outcomes, self.bound) if turn.outcomes else []
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
        self.history_length, self.attempt = turn.started, turn.attempt
        self._outcomes = turn.outcomes
        self._apply(turn.inputs)
        for marker in turn.steps:
            steps.replayed(self, marker)
            self._drain()
        loop.prune()

    def _apply(self, events: Iterable[Event]) -> None:
        loop = self.loop
        for event in events:
            EFFECTS[event.type](self, event, event.attributes)
            if loop.ready:
                loop.drain()

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
