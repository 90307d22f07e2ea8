"""The engine's face: requests and time in; answers, facts and wake-ups out.

Rules: no clock, no chance and no I/O. Whoever holds an engine takes its facts after
every call and stores them before anybody hears of them.

Source:
    DESIGN section 5; swf-semantics.md section 11.
"""

import math
from collections.abc import Callable
from typing import Any

import msgspec

from flowser import events as e
from flowser import requests
from flowser.local.engine import (
    deciding,
    evolve,
    executions,
    facts,
    faults,
    functions,
    listing,
    polling,
    registering,
    timeouts,
)
from flowser.local.engine.archive import Archive
from flowser.local.engine.buckets import Throttle
from flowser.local.engine.ending import end
from flowser.local.engine.functions import Outcome
from flowser.local.engine.quotas import Quotas
from flowser.local.engine.world import Invocation, Parked, World

_encode = msgspec.json.Encoder().encode

#: What each operation does, but for the two that may have to wait.
OPERATIONS: dict[type[requests.Request[Any]], Callable[[World, Any], Any]] = {
    **registering.OPERATIONS,
    **executions.OPERATIONS,
    **listing.OPERATIONS,
    **polling.OPERATIONS,
    **deciding.OPERATIONS,
}

_POLLS: dict[type[requests.Request[Any]], str] = {
    requests.PollForActivityTask: "activity",
    requests.PollForDecisionTask: "decision",
}

#: Milliseconds after a release in which polls are held for a moment only.
_RELEASING = 1_000

#: How many runs whose retention is over are removed at a time.
_REMOVED = 100


class Engine:
    """An SWF without a clock, a disk or a network. Times are milliseconds since 1970.

    ::

        reply = engine.call(now, request, region="us-east-1")
        store.append(engine.take_facts())
        store.commit()
        answer(reply, engine.take_wakeups())
    """

    def __init__(
        self,
        archive: Archive,
        *,
        key: bytes,
        entropy: Callable[[int], bytes],
        account: str = "123456789012",
        quotas: Quotas | None = None,
        throttle: bool = False,
        functions: frozenset[str] = frozenset(),
    ) -> None:
        """Begin with nothing.

        Args:
            archive: Knows closed runs, and lists.
            key: 32 random bytes that tokens are made with; as long-lived as the facts.
            entropy: Gives so many random bytes.
            account: Of twelve digits.
            quotas: SWF's own, if None.
            throttle: Whether to throttle as SWF does.
            functions: The names of the Lambda functions that there are.
        """
        self._world = World(
            archive,
            key=key,
            entropy=entropy,
            account=account,
            quotas=quotas or Quotas(),
            throttle=Throttle(on=throttle),
            functions=functions,
        )
        # Nothing is due before that; 0 when it is not known.
        self._due: float = 0

    @property
    def world(self) -> World:
        """The state, to be looked at."""
        return self._world

    def fold(self, fact: facts.Fact) -> None:
        """Take over what was stored, before the first call."""
        evolve.fold(self._world.state, fact)

    def resume(self, now: int, last_run: int) -> None:
        """Begin to work, after everything stored was folded.

        Args:
            now: At least the time of the last fact.
            last_run: The highest number that a run ever had.
        """
        self._world.state.last_run = max(self._world.state.last_run, last_run)
        self.advance(now)

    def call(
        self,
        now: int,
        request: requests.Request[Any],
        *,
        region: str = "us-east-1",
        caller: object = None,
    ) -> bytes | Parked:
        """Carry out a request.

        Args:
            now: The time.
            request: A valid one; see :func:`~.reading.read`.
            region: Of the caller; regions are worlds of their own.
            caller: Given back when a poll is to be answered.

        Returns:
            The answer as JSON, empty for void operations; or a poll that waits, and is
            answered by :meth:`take_wakeups`.

        Raises:
            Fault: When it is refused; then it has changed nothing.
        """
        self.advance(now)
        world = self._world
        world.region = region
        operation = type(request)
        throttle = world.throttle
        if throttle.on and not throttle.call(operation.__name__, region, world.now):
            raise faults.throttled()
        kind = _POLLS.get(operation)
        if kind is not None:
            given: Any = request  # a poll, by the table
            reply = polling.poll(world, kind, given, caller)
            self._finish()
            return reply
        answer = OPERATIONS[operation](world, request)
        self._finish()
        return b"" if answer is None else _encode(answer)

    def advance(self, now: int) -> None:
        """Let all that is due happen, in the order in which it is due."""
        world = self._world
        world.now = max(world.now, now)
        soonest, self._due = self._due, 0  # what comes now may bring something sooner
        if world.now < soonest:
            return
        while (entry := world.state.deadlines.first()) and entry.key <= world.now:
            due = world.state.deadlines.pop()
            if due is not None:
                timeouts.expire(world, due)
            self._finish()
        self._expire_polls()
        self._remove_expired()

    def _expire_polls(self) -> None:
        world = self._world
        while (entry := world.expiries.first()) and entry.key <= world.now:
            if (parked := entry.item) is not None:
                self._answer_empty(parked)

    def _answer_empty(self, parked: Parked) -> None:
        self._world.leave(parked)
        self._world.wakeups.append((parked, polling.EMPTY[parked.queue.kind]))

    def _remove_expired(self) -> None:
        world = self._world
        expiry = world.archive.next_expiry()
        if expiry is not None and expiry <= world.now:
            for run in world.archive.expired(world.now, _REMOVED):
                world.emit(facts.RunRemoved(run=run, at=world.now))

    def _finish(self) -> None:
        """Carry out what follows from a transition, then hand out tasks."""
        world = self._world
        while world.effects or world.overlong or world.state.touched:
            while world.effects:
                world.effects.popleft()()
            if world.overlong:
                self._end_overlong()
            if not world.effects:
                polling.match(world)

    def _end_overlong(self) -> None:
        """Terminate runs whose history is too long (section 8.1); not in a batch."""
        world = self._world
        overlong, world.overlong = world.overlong, {}
        for run in overlong.values():
            if run.close_status is None:
                terminated = e.WorkflowExecutionTerminated(
                    child_policy=run.config.child_policy, cause="EVENT_LIMIT_EXCEEDED"
                )
                end(world, run, terminated)

    def next_deadline(self) -> int | None:
        """Tell when :meth:`advance` has something to do next; None for never."""
        world = self._world
        due = world.archive.next_expiry()
        for heap in (world.state.deadlines, world.expiries):
            entry = heap.first()
            if entry is not None and (due is None or entry.key < due):
                due = entry.key
        self._due = math.inf if due is None else due
        return due

    def take_facts(self) -> list[facts.Fact]:
        """Take what happened since the last time; it is to be stored."""
        taken, self._world.facts = self._world.facts, []
        self._world.closed.clear()
        return taken

    def take_wakeups(self) -> list[tuple[Parked, bytes]]:
        """Take the polls that are to be answered, with their answers."""
        taken, self._world.wakeups = self._world.wakeups, []
        return taken

    def take_invocations(self) -> list[Invocation]:
        """Take the Lambda functions that are to be run."""
        taken, self._world.invocations = self._world.invocations, []
        return taken

    def finished(self, now: int, invocation: Invocation, outcome: Outcome) -> None:
        """Take what a Lambda function came to."""
        self.advance(now)
        functions.finished(self._world, invocation, outcome)
        self._finish()

    def abandon(self, parked: Parked) -> None:
        """Let a poll go whose caller has gone."""
        self._world.leave(parked)

    def release(self, now: int) -> None:
        """Answer all polls that wait as empty, and for a second hold none for long.

        Those that are on their way when a worker stops are not to keep it from ending.
        """
        self._world.brief_until = now + _RELEASING
        for waiting in list(self._world.waiting.values()):
            for parked in list(waiting):
                self._answer_empty(parked)
