"""What is told when the code does not do what the history says that it did.

::

    o-17 (run r-1, type order 1.2), decision 4, events 21 to 27: history and code differ
      - 2.1   activity charge        history, event 24
      + 2.1   activity authorize     code, app/order.py:41 in pay (task 2)
        3     timer of 3600 s        both, event 25
    ...

Source:
    dx.md section 1.2 (what a non-determinism report should look like).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from flowser.events import Event
from flowser.replay import formats
from flowser.replay.closing import Close
from flowser.replay.commands import Command
from flowser.replay.matching import CLOSED_BY, KEYS, in_order

#: How many differing lines are shown; and agreeing ones, to find one's way.
_DIFFERENT, _CONTEXT = 40, 5

_REMEDIES = """\
The code of this type has changed while the run was open, or it depends on something \
that is not in the history (a clock, chance, a set's order, a global). Remedies:
  - put the code back, and register what is new as another version of the type;
  - or keep both ways: `if flow.patched("what-changed"): new way, else: old way`;
  - or, when it depends on the outside, ask that in an activity or in flow.step().\
"""


class Title(NamedTuple):
    """Which decision it was.

    Attributes:
        title: The run and its type.
        number: Of the decision, from 1.
        first: The id of the first event that it saw.
        last: The id of the last one.
    """

    title: str
    number: int
    first: int
    last: int


class _Line(NamedTuple):
    sign: str
    id: str
    what: str
    whence: str


def report(
    turn: Title,
    missing: Iterable[Event],
    surplus: Iterable[Command],
    agreed: Iterable[tuple[Command, Event]],
) -> str:
    """Write a report.

    Args:
        turn: Which decision it was.
        missing: What only the history has.
        surplus: What only the code does.
        agreed: What both have.
    """
    lines = [*map(_of_history, missing), *map(_of_code, surplus)]
    lines.sort(key=lambda line: (in_order(line.id), line.sign != "-"))
    both = [*map(_of_both, agreed)]
    lines = [*_some(lines, _DIFFERENT, ""), *_some(both, _CONTEXT, "both")]
    events = f"events {turn.first} to {turn.last}"
    head = f"{turn.title}, decision {turn.number}, {events}: history and code differ"
    return "\n".join([head, *_table(lines), _REMEDIES])


def _some(lines: list[_Line], most: int, whence: str) -> Iterator[_Line]:
    yield from lines[:most]
    if len(lines) > most:
        yield _Line(" ", "...", f"and {len(lines) - most} more", whence)


def _table(lines: list[_Line]) -> Iterator[str]:
    ids = max(len(line.id) for line in lines)
    whats = max(len(line.what) for line in lines)
    for sign, id, what, whence in lines:
        yield f"  {sign} {id:<{ids}}  {what:<{whats}}  {whence}".rstrip()


def _of_history(event: Event) -> _Line:
    return _Line("-", _id(event), told(event), f"history, event {event.id}")


def _of_code(command: Command) -> _Line:
    where = "" if command.where is None else f", {command.where}"
    why = f": {command.why}" if isinstance(command, Close) and command.why else ""
    id = command.key.rpartition(":")[2]
    return _Line("+", id, command.words, f"code{where}{why}")


def _of_both(pair: tuple[Command, Event]) -> _Line:
    _, event = pair
    return _Line(" ", _id(event), told(event), f"both, event {event.id}")


def _id(event: Event) -> str:
    key = KEYS[event.type](event.attributes) or ""
    return key.rpartition(":")[2]


def told(event: Event) -> str:
    """Say what an outcome is an outcome of."""
    a: Any = event.attributes
    known = _WORDS.get(event.type)
    if known is not None:
        return known(a)
    return f"close {CLOSED_BY[event.type]}"


def _marker(attributes: Any) -> str:
    note = formats.read_note(attributes.details)
    if note is not None and note.kind == "step":
        return f"step {note.name}"
    return f"marker {attributes.marker_name}"


def _activity(attributes: Any) -> str:
    return f"activity {attributes.activity_type.name}"


def _child(attributes: Any) -> str:
    return f"child {attributes.workflow_type.name}"


def _function(attributes: Any) -> str:
    return f"lambda {attributes.name}"


#: What the outcome of a decision says, by event type; of others that it closes the run.
_WORDS: dict[str, Callable[[Any], str]] = {
    "ActivityTaskScheduled": _activity,
    "ScheduleActivityTaskFailed": _activity,
    "ActivityTaskCancelRequested": lambda _: "cancel of activity",
    "RequestCancelActivityTaskFailed": lambda _: "cancel of activity",
    "TimerStarted": lambda a: f"timer of {a.start_to_fire_timeout} s",
    "StartTimerFailed": lambda _: "timer",
    "TimerCanceled": lambda _: "cancel of timer",
    "CancelTimerFailed": lambda _: "cancel of timer",
    "MarkerRecorded": _marker,
    "RecordMarkerFailed": lambda a: f"marker {a.marker_name}",
    "StartChildWorkflowExecutionInitiated": _child,
    "StartChildWorkflowExecutionFailed": _child,
    "SignalExternalWorkflowExecutionInitiated": lambda a: f"signal {a.signal_name}",
    "RequestCancelExternalWorkflowExecutionInitiated": lambda _: "cancel request",
    "LambdaFunctionScheduled": _function,
    "ScheduleLambdaFunctionFailed": _function,
}
