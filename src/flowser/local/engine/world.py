"""Where operations stand: the state, the time, and the ways to change it.

A transition appends events with one time stamp; :meth:`World.settle` ends it with the
decision task that they call for. What leaves a run (a child, a signal, a task for a
waiting poll) happens afterwards, as transitions of their own, so that the events of
one batch of decisions stay together.

Source:
    swf-semantics.md sections 2.2, 3.1 and 11.
"""

import base64
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from flowser import events as e
from flowser import shapes
from flowser.local.engine import durations, evolve, facts, faults, waking
from flowser.local.engine.archive import Archive
from flowser.local.engine.buckets import Throttle
from flowser.local.engine.facts import Summary
from flowser.local.engine.heaps import Entry, Heap
from flowser.local.engine.quotas import Quotas
from flowser.local.engine.state import Domain, Queue, QueueKey, Run, State, Task
from flowser.local.engine.tokens import Tokens

#: Milliseconds that a poll is held when it comes just after all were released; long
#: enough for clients that take a sooner answer for a fault.
_BRIEF = 300

_encode = msgspec.json.Encoder().encode

#: What stands between the time of an event and its attributes, by their class.
_MIDDLES: dict[type[e.Attributes], bytes] = {
    attributes: b'"eventType":"%b","%b":' % (name.encode(), e.member(name).encode())
    for name, attributes in e.ATTRIBUTES.items()
}


class Parked:
    """A poll that waits.

    Attributes:
        caller: Whatever the engine was given to know the caller by.
        request: What it asked for.
        queue: The list it waits at.
        expiry: When it is answered empty.
    """

    __slots__ = ("caller", "expiry", "queue", "request")

    def __init__(self, caller: object, request: Any, queue: QueueKey) -> None:
        self.caller = caller
        self.request = request
        self.queue = queue
        self.expiry: Entry[Parked] | None = None


class Invocation(NamedTuple):
    """A Lambda function to be run outside.

    Attributes:
        run: The number of the run.
        id: The event that scheduled it.
        name: Of the function.
        input: JSON; "{}" when there was none (section 3.2).
    """

    run: int
    id: int
    name: str
    input: str


class World:
    """All of one server: every region, domain and run.

    Attributes:
        now: The time of the call, milliseconds since 1970; it never goes back.
        region: Of the caller.
        facts: What happened and was not taken yet.
        closed: Runs that closed and that the archive does not know yet, by number.
        wakeups: Polls that were answered, and how.
        invocations: Lambda functions to be run.
        overlong: Runs whose histories are as long as they may be.
        effects: What is to happen after this transition.
        present: Tells whether a caller is still there.
        brief_until: Until then, polls are held for a moment only.
    """

    def __init__(
        self,
        archive: Archive,
        *,
        key: bytes,
        entropy: Callable[[int], bytes],
        account: str,
        quotas: Quotas,
        throttle: Throttle,
        functions: frozenset[str],
    ) -> None:
        self.archive = archive
        self.tokens = Tokens(key)
        self.account = account
        self.quotas = quotas
        self.throttle = throttle
        self.functions = functions
        self.invocations: list[Invocation] = []
        self.state = State(quotas)
        self.now = 0
        self.region = ""
        self.facts: list[facts.Fact] = []
        self.closed: dict[int, Run] = {}
        self.wakeups: list[tuple[Parked, bytes]] = []
        self.overlong: dict[int, Run] = {}
        self.effects: deque[Callable[[], None]] = deque()
        self.waiting: dict[QueueKey, OrderedDict[Parked, None]] = {}
        self.expiries: Heap[Parked] = Heap()
        self.present: Callable[[object], bool] = lambda caller: True  # noqa: ARG005
        self.brief_until = 0
        self._entropy = entropy

    # -- changing -----------------------------------------------------------------

    def emit(self, fact: facts.Fact) -> None:
        """Let something have happened."""
        self.facts.append(fact)
        evolve.fold(self.state, fact)

    def append(self, run: Run, attributes: e.Attributes) -> int:
        """Append an event to a history, and give its id."""
        kind = type(attributes)
        number = len(run.events) + 1
        data = b'{"eventId":%d,"eventTimestamp":%b,%b%b}' % (
            number,
            durations.stamp(self.now),
            _MIDDLES[kind],
            _encode(attributes),
        )
        self.emit(
            facts.Happened(
                run=run.number,
                at=self.now,
                id=number,
                attributes=attributes,
                data=data,
            )
        )
        if kind in waking.WAKING:
            run.woken = True
        if number >= self.quotas.history_events and kind not in waking.CLOSING:
            self.overlong[run.number] = run
        return number

    def settle(self, run: Run) -> None:
        """End a transition with the decision task that its events call for."""
        woken, run.woken = run.woken, False
        if not (woken and run.pending is None and run.close_status is None):
            return
        config = run.config
        task_list, wait = config.task_list, None
        if run.override is not None:
            name, wait = run.override
            task_list = shapes.TaskList(name=name)
        self.append(
            run,
            e.DecisionTaskScheduled(
                task_list=task_list,
                task_priority=config.task_priority,
                start_to_close_timeout=config.task_start_to_close_timeout,
                schedule_to_start_timeout=wait or durations.NONE,
            ),
        )

    def close(self, run: Run, attributes: e.Attributes) -> int:
        """Append the closing event of a run; nothing follows it."""
        number = self.append(run, attributes)
        self.closed[run.number] = run
        self.throttle.forget(run.number)
        days = run.domain.retention
        kept = 0 if days == durations.NONE else int(days) * 86_400_000
        self.emit(
            facts.RunClosed(
                run=run.number,
                at=self.now,
                summary=run.summary(),
                expires_at=self.now + kept,
            )
        )
        return number

    def run_id(self) -> str:
        """Make a run id as SWF does: "22" and 32 random bytes (section 1.1)."""
        return "22" + base64.b64encode(self._entropy(32)).decode()

    # -- finding ------------------------------------------------------------------

    def domain(self, name: str) -> Domain:
        """Find a domain of the caller's region.

        Raises:
            Fault: When there is none.
        """
        found = self.state.domains.get((self.region, name))
        if found is None:
            raise faults.unknown_domain(name)
        return found

    def open_run(self, domain: Domain, workflow_id: str, run_id: str | None) -> Run:
        """Find an open run, by its workflow id and, if given, its run id.

        Raises:
            Fault: When there is none, or it is closed.
        """
        run = domain.open.get(workflow_id)
        if run is None or (run_id and run.run_id != run_id):
            raise faults.unknown_run(workflow_id, run_id)
        return run

    def any_run(
        self, domain: Domain, execution: shapes.WorkflowExecution
    ) -> Run | Summary:
        """Find a run, open or closed.

        Raises:
            Fault: When there is none.
        """
        run = domain.open.get(execution.workflow_id)
        if run is not None and run.run_id == execution.run_id:
            return run
        # However many they are, this call has closed them all.
        for run in self.closed.values():
            if run.domain is domain and run.execution == execution:
                return run
        found = self.archive.find(
            domain.region, domain.name, execution.workflow_id, execution.run_id
        )
        if found is None:
            raise faults.unknown_run(execution.workflow_id, execution.run_id)
        return found

    def summary(self, number: int) -> Summary | None:
        """Tell of a run, open or closed; None when it is neither."""
        run = self.state.runs.get(number) or self.closed.get(number)
        return run.summary() if run is not None else self.archive.closed(number)

    def throttled(self, run: int, operation: str) -> None:
        """Take a token from the bucket that a run has for an operation.

        Raises:
            Fault: When it is empty.
        """
        if not self.throttle.run(operation, run, self.now):
            raise faults.throttled()

    # -- handing out --------------------------------------------------------------

    def park(self, caller: object, request: Any, queue: QueueKey) -> Parked:
        """Let a poll wait.

        Raises:
            Fault: When too many wait at this list already.
        """
        if len(self.waiting.get(queue, ())) >= self.quotas.pollers:
            text = "Limit on maximum concurrent poll requests per task list reached"
            raise faults.limit(text)
        parked = Parked(caller, request, queue)
        self.waiting.setdefault(queue, OrderedDict())[parked] = None
        hold = _BRIEF if self.now < self.brief_until else round(self.quotas.poll * 1000)
        parked.expiry = self.expiries.put(self.now + hold, parked)
        return parked

    def leave(self, parked: Parked) -> None:
        """Let a poll wait no longer; nothing happens when it does not."""
        self.expiries.discard(parked.expiry)
        waiting = self.waiting.get(parked.queue)
        if waiting is not None:
            waiting.pop(parked, None)
            if not waiting:
                del self.waiting[parked.queue]

    def next_waiting(self, queue: QueueKey) -> Parked | None:
        """Take the poll that waits longest, of those whose callers are there."""
        while (waiting := self.waiting.get(queue)) is not None:
            parked = next(iter(waiting))
            self.leave(parked)
            if self.present(parked.caller):
                return parked
        return None

    def next_task(self, key: QueueKey) -> Task | None:
        """Look at the task that is to be handed out next."""
        queue: Queue | None = self.state.queues.get(key)
        entry = queue.tasks.first() if queue is not None else None
        return entry.item if entry is not None else None
