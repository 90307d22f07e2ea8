"""A history, cut into turns: what one decision saw, and what came of it.

::

    1 Started  2 DecisionTaskScheduled  3 DecisionTaskStarted          turn 1 saw 1
    4 Signaled (while it was decided)   5 DecisionTaskCompleted
    6 ActivityTaskScheduled                                            came of turn 1
    7 ActivityTaskCompleted  8 ...Scheduled  9 DecisionTaskStarted     turn 2 saw 4, 7

A decision that timed out has seen nothing: its events are seen by the next one. A turn
is known when the next decision begins, or when the run is closed; the last one, which
is to be decided now, is `Cutter.turn`.

Source:
    swf-semantics.md sections 2.2 and 2.3; peers.md section 3.2 item 8.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flowser.events import EVENTS, Event, UnrecognizedEvent
from flowser.exceptions import BrokenHistory
from flowser.replay.applying import EFFECTS
from flowser.replay.matching import CLOSED_BY, KEYS, MORE
from flowser.replay.steps import MARKER as STEP
from flowser.replay.troubles import StaleRun, Undecodable

#: Events that close the run because the decider said so.
_CLOSING = frozenset(name for name in CLOSED_BY if not name.endswith("Failed")) | {
    "WorkflowExecutionFailed"
}

_MORE = frozenset({"TimerStarted", "StartTimerFailed"})
_MORE_KEY = f"timer:{MORE}"

#: What an event is to a turn; events that are nothing to it are not in the table.
_INPUT, _OUTCOME, _STARTED, _COMPLETED, _UNREAD = 1, 2, 4, 8, 16
_ROLES: dict[str, int] = {
    **dict.fromkeys(EFFECTS.keys() - KEYS.keys(), _INPUT),
    **dict.fromkeys(KEYS.keys() - EFFECTS.keys(), _OUTCOME),
    **dict.fromkeys(EFFECTS.keys() & KEYS.keys(), _INPUT | _OUTCOME),
    "DecisionTaskStarted": _STARTED,
    "DecisionTaskCompleted": _COMPLETED,
}
_ROLES_BY_CLASS: dict[type[Event], int] = {
    **{EVENTS[name]: role for name, role in _ROLES.items()},
    UnrecognizedEvent: _UNREAD,
}


class Turn:
    """One decision.

    Attributes:
        number: From 1.
        first: The id of the first event that it might have seen.
        started: The id of its DecisionTaskStarted event.
        at: When that was, in seconds since 1970.
        inputs: What it saw, as far as it has an effect.
        outcomes: What its decisions became, by key.
        steps: The markers of steps among them, in order.
        more: The event of the timer that brought on the next decision; 0 for none.
        context: The execution context that it left; None when it left it alone.
        ran: Whether it was decided here.
        attempt: How often it was begun: decisions may time out.
    """

    __slots__ = (
        "at",
        "attempt",
        "context",
        "first",
        "inputs",
        "more",
        "number",
        "outcomes",
        "ran",
        "started",
        "steps",
    )

    def __init__(self, number: int, first: int, inputs: list[Event], event: Event):
        """Begin a turn."""
        self.number = number
        self.first = first
        self.inputs = inputs
        self.outcomes: dict[str, Event] = {}
        self.steps: Sequence[Event] = ()
        self.more = 0
        self.context: str | None = None
        self.ran = False
        self.attempt = 0
        self.restart(event)

    def restart(self, event: Event) -> None:
        """Take another start: the one before timed out."""
        self.attempt += 1
        self.started = event.id
        self.at = round(event.time_stamp.timestamp(), 3)


class Cutter:
    """Cuts events into turns, as they come.

    Attributes:
        turn: The latest turn; what comes of it may not be known yet.
        last: The id of the latest event.
        completed: Whether the latest turn was answered.
    """

    __slots__ = ("_after", "completed", "last", "turn")

    def __init__(self) -> None:
        """Begin before the first event."""
        self.turn: Turn | None = None
        self.last = 0
        self.completed = False
        self._after: list[Event] = []

    def turns(self, events: Iterable[Event]) -> Iterator[Turn]:  # noqa: C901 - one quick loop over thousands of events
        """Take events; give the turns that they complete.

        Args:
            events: Those after the ones that were taken, or overlapping with them.

        Raises:
            BrokenHistory: When events are missing, or do not fit.
            StaleRun: When a turn that was decided here was not answered from here.
            Undecodable: When an event of a known type is not what it should be.
        """
        last, role_of = self.last, _ROLES_BY_CLASS.get
        for event in events:
            id = event.id
            if id != last + 1:
                if id <= last:
                    continue
                raise BrokenHistory(f"event {id} follows event {last}")
            self.last = last = id
            role = role_of(event.__class__)
            if role is None:
                continue
            if role < _STARTED:
                if role != _OUTCOME:
                    self._after.append(event)
                if role != _INPUT and self.completed:
                    self._outcome(event)
                    if event.type in _CLOSING and self.turn is not None:
                        yield self.turn
                        self.turn = None
            elif role == _STARTED:
                if self.completed and self.turn is not None:
                    yield self.turn
                self._start(event)
            elif role == _COMPLETED:
                self._complete(event)
            elif event.type in _ROLES:
                raise Undecodable(event.id, f"it is no {event.type}")

    def pending(self) -> Turn | None:
        """Give the latest turn if it was answered, though nothing follows yet."""
        if not self.completed:
            return None
        turn, self.turn, self.completed = self.turn, None, False
        return turn

    def rest(self) -> list[Event]:
        """Give what came after the latest decision began."""
        return self._after

    def _start(self, event: Event) -> None:
        turn, after, self._after = self.turn, self._after, []
        if turn is not None and not self.completed:
            if turn.ran:
                raise StaleRun(f"decision {turn.number} was not answered")
            turn.inputs += after
            turn.restart(event)
            return
        number, first = (1, 1) if turn is None else (turn.number + 1, turn.started + 1)
        self.turn = Turn(number, first, after, event)
        self.completed = False

    def _complete(self, event: Event) -> None:
        attributes: Any = event.attributes
        if self.turn is None or attributes.started_event_id != self.turn.started:
            raise BrokenHistory(
                f"event {event.id} completes event {attributes.started_event_id}, "
                "which is no decision that was started"
            )
        self.completed = True
        self.turn.context = attributes.execution_context

    def _outcome(self, event: Event) -> None:
        turn, type = self.turn, event.type
        attributes: Any = event.attributes
        key = KEYS[type](attributes)
        if key is None or turn is None:
            return
        if type in _MORE and key.startswith(_MORE_KEY):
            turn.more = event.id
            return
        if type == "MarkerRecorded" and attributes.marker_name == STEP:
            turn.steps = [*turn.steps, event]
        turn.outcomes[key] = event
