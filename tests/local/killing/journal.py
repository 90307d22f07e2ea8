"""What callers were told, and whether a server still stands by it.

Every call bears a label of its own, which is to be seen in the history that the call
changes. So a history can be held against the journal, both ways: what was answered is
there, once; what is there was asked for, and was not refused.
"""

import contextlib
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flowser import events as e
from tests.local.engine.witness import Witness

Event = dict[str, Any]

#: By the type of an event: whose doing it is, and where the label of that call stands.
_LABELS = {
    "WorkflowExecutionStarted": ("StartWorkflowExecution", "input"),
    "WorkflowExecutionSignaled": ("SignalWorkflowExecution", "input"),
    "WorkflowExecutionTerminated": ("TerminateWorkflowExecution", "details"),
    "DecisionTaskStarted": ("PollForDecisionTask", "identity"),
    "DecisionTaskCompleted": ("RespondDecisionTaskCompleted", "executionContext"),
    "ActivityTaskStarted": ("PollForActivityTask", "identity"),
    "ActivityTaskCompleted": ("RespondActivityTaskCompleted", "result"),
    "ActivityTaskFailed": ("RespondActivityTaskFailed", "details"),
}


class Seen(NamedTuple):
    """An event that a decision has to leave behind: its type, and a member of it."""

    type: str
    member: str
    value: Any


@dataclass(slots=True)
class Call:
    """A call, and what became of it.

    Attributes:
        label: Nobody else's.
        operation: Of SWF.
        run: The workflow id it is about, once that is known.
        batch: What its decisions leave behind: for each, what there may be.
        about: The event that handed out the activity that is answered.
        started: The event that handed out the task of a poll.
        outcome: "unanswered" until it is "answered" or "refused".
    """

    label: str
    operation: str
    run: str | None = None
    batch: Sequence[Sequence[Seen]] = ()
    about: int = 0
    started: int = 0
    outcome: str = "unanswered"

    @property
    def was_empty(self) -> bool:
        """Whether this is a poll that brought no task."""
        return self.operation.startswith("Poll") and not self.started


@dataclass
class Journal:
    """All calls of all callers, and all histories that anybody read.

    Attributes:
        problems: What no server may do, as sentences.
        checked: How many acknowledged calls were found to be kept, at least once.
    """

    problems: list[str] = field(default_factory=list)
    _calls: dict[str, Call] = field(default_factory=dict)
    _by_run: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    _histories: dict[str, list[Event]] = field(default_factory=dict)
    _kept: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def checked(self) -> int:
        """How many acknowledged calls were found to be kept, at least once."""
        return len(self._kept)

    @property
    def length(self) -> int:
        """How many calls were made."""
        return len(self._calls)

    @property
    def runs(self) -> list[str]:
        """The workflow ids that somebody was told of."""
        return list(self._by_run)

    def begin(self, operation: str, run: str | None = None, **about: Any) -> Call:
        """Note a call that is to be made."""
        call = Call(f"c-{next(self._numbers)}", operation, run, **about)
        self._calls[call.label] = call
        if run is not None:
            self._by_run[run].append(call)
        return call

    def learn(self, call: Call, run: str) -> None:
        """Note which run a call was about."""
        call.run = run
        self._by_run[run].append(call)

    def of(self, operation: str) -> list[Call]:
        """Give the calls of an operation."""
        return [call for call in self._calls.values() if call.operation == operation]

    def object(self, problem: str) -> None:
        """Note what no server may do."""
        self.problems.append(problem)

    # -- histories ------------------------------------------------------------------

    def see(self, run: str, events: list[Event]) -> None:
        """Take a history, or its beginning, that somebody was told."""
        before = self._histories.get(run, [])
        short, long = sorted((before, events), key=len)
        if long[: len(short)] != short:
            self.object(f"{run}: lost: its history was another one")
        self._histories[run] = long

    def check(self, run: str, events: list[Event]) -> None:
        """Hold the whole history of a run against the journal."""
        if len(events) < len(self._histories.get(run, [])):
            self.object(f"{run}: lost: its history is shorter than it was")
        self.see(run, events)
        self._check_order(run, events)
        found = self._labels(run, events)
        for call in self._by_run[run]:
            if call.operation == "RecordActivityTaskHeartbeat":
                continue
            if call.outcome == "answered" and not self._stands(call, found):
                self.object(f"{run}: lost: {call}")
        self._check_batches(run, events)
        self._check_beats(run, events)

    def missing(self, run: str) -> None:
        """Take it that a server does not know a run."""
        for call in self._by_run[run]:
            if call.outcome == "answered":
                self.object(f"{run}: lost, and with it {call}")

    def _check_order(self, run: str, events: list[Event]) -> None:
        witness = Witness()
        try:
            for event in events:
                witness.see(event)
            witness.rest()
        except (AssertionError, KeyError) as error:
            self.object(f"{run}: not a history of SWF's: {error!r}")

    def _labels(self, run: str, events: list[Event]) -> dict[str, int]:
        """Find the events that calls made, by the labels of these."""
        found: dict[str, int] = {}
        for event in events:
            operation, member = _LABELS.get(event["eventType"], ("", ""))
            label = _told(event).get(member, "") if operation else ""
            if not label:
                continue
            self._check_cause(run, operation, label, event)
            if label in found:
                self.object(f"{run}: twice: {self._calls.get(label)}")
            found[label] = event["eventId"]
        return found

    def _check_cause(self, run: str, operation: str, label: str, event: Event) -> None:
        call = self._calls.get(label)
        if call is None or call.operation != operation:
            self.object(f"{run}: invented: {event}")
        elif call.outcome == "refused":
            self.object(f"{run}: done though refused: {call}")
        elif call.run not in {None, run}:
            self.object(f"{run}: not asked for here: {call}")
        elif call.outcome == "answered" and call.started not in {0, event["eventId"]}:
            self.object(f"{run}: handed out as another event: {call}")
        elif call.outcome == "answered" and call.was_empty:
            self.object(f"{run}: a task of a poll that was empty: {call}")

    def _stands(self, call: Call, found: dict[str, int]) -> bool:
        if call.label in found:
            self._kept.add(call.label)
        return call.label in found

    def _check_batches(self, run: str, events: list[Event]) -> None:
        """Find all that the decisions of a batch leave behind, right after it."""
        for index, event in enumerate(events):
            if event["eventType"] != "DecisionTaskCompleted":
                continue
            call = self._calls.get(_told(event).get("executionContext", ""))
            batch = call.batch if call else ()
            following = events[index + 1 : index + 1 + len(batch)]
            if len(following) < len(batch) or not all(map(_matches, following, batch)):
                self.object(f"{run}: a batch is not whole: {call}, {following}")

    def _check_beats(self, run: str, events: list[Event]) -> None:
        """Find the last heartbeat of an activity in its time-out."""
        for event in events:
            if event["eventType"] == "ActivityTaskTimedOut":
                told = _told(event)
                wanted = self._last_beats(run, told["startedEventId"])
                if told.get("details") not in wanted:
                    self.object(f"{run}: lost: a heartbeat: {told} for {wanted}")

    def _last_beats(self, run: str, started_id: int) -> set[str | None]:
        """Say which details a time-out may have: at least the last answered ones."""
        possible: set[str | None] = {None}
        for call in self._by_run[run]:
            if call.operation == "RecordActivityTaskHeartbeat":
                if call.about != started_id or call.outcome == "refused":
                    continue
                if call.outcome == "answered":
                    possible.clear()
                    self._kept.add(call.label)
                possible.add(call.label)
        return possible

    # -- lists ----------------------------------------------------------------------

    def check_runs(self, known: set[str]) -> None:
        """Hold all workflow ids that a server knows against the journal."""
        starts = {call.label: call for call in self.of("StartWorkflowExecution")}
        for run in known - set(starts):
            self.object(f"{run}: invented")
        for run, call in starts.items():
            if call.outcome == "answered" and run not in known:
                self.object(f"{run}: lost: {call}")
            if call.outcome == "refused" and run in known:
                self.object(f"{run}: started though refused: {call}")

    def check_types(self, known: set[str]) -> None:
        """Hold the names of activity types, which are labels, against the journal."""
        asked = {call.label: call for call in self.of("RegisterActivityType")}
        for name in known - set(asked):
            self.object(f"the type {name} is invented")
        for name, call in asked.items():
            if call.outcome == "answered" and name not in known:
                self.object(f"the type {name} is lost")
            elif call.outcome == "answered":
                self._kept.add(call.label)


def _told(event: Event) -> dict[str, Any]:
    attributes: dict[str, Any] = event[e.member(event["eventType"])]
    return attributes


def _matches(event: Event, possible: Sequence[Seen]) -> bool:
    for seen in possible:
        with contextlib.suppress(KeyError):
            if event["eventType"] == seen.type:
                return bool(_told(event)[seen.member] == seen.value)
    return False
