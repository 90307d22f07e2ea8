"""Anything that can be done to a few executions, and what stays true whatever is.

The choices are plain lists: hypothesis draws from them for short lives that it can
shrink, and a seeded walk for long ones.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from flowser import decisions as d
from flowser import requests, shapes
from flowser.local.engine import evolve, facts
from flowser.local.engine.functions import Outcome
from flowser.local.engine.quotas import Quotas
from flowser.local.engine.state import Run, State
from flowser.local.engine.world import Parked
from tests.local.engine.rig import DOMAIN, Fault, Rig, schedule
from tests.local.engine.witness import Witness

#: Low, so that they are met.
QUOTAS = Quotas(
    open_executions=4,
    open_activities=2,
    open_timers=2,
    open_children=2,
    open_lambdas=2,
    history_events=80,
    pollers=2,
)

ORDER = shapes.WorkflowType(name="order", version="1")
IDS = ["r-0", "r-1", "r-2", "r-3", "r-4"]
ROLES = [None, "arn:aws:iam::1:role/r"]
LISTS = [None, None, None, "deciders", "mine"]

DECISIONS: list[d.Decision] = [
    *(
        schedule(name, heartbeat_timeout=beat)
        for name, beat in itertools.product("ab", [None, "7"])
    ),
    *(d.RequestCancelActivityTask(activity_id=name) for name in "ab"),
    *(
        d.StartTimer(timer_id=name, start_to_fire_timeout=wait)
        for name, wait in itertools.product("ab", ["0", "3"])
    ),
    *(d.CancelTimer(timer_id=name) for name in "ab"),
    d.RecordMarker(marker_name="m"),
    *(
        d.SignalExternalWorkflowExecution(workflow_id=id, signal_name="s")
        for id in IDS[:2]
    ),
    *(d.RequestCancelExternalWorkflowExecution(workflow_id=id) for id in IDS[:2]),
    *(
        d.ScheduleLambdaFunction(id=id, name=name, start_to_close_timeout="3")
        for id, name in ("1f", "2f", "1g")
    ),
    *(
        d.StartChildWorkflowExecution(
            workflow_id=id,
            workflow_type=ORDER,
            child_policy=policy,
            execution_start_to_close_timeout="30",
        )
        for id, policy in zip(IDS[2:], shapes.ChildPolicy, strict=True)
    ),
]
CLOSES: list[d.Decision | None] = [*[None] * 8, *(close() for close in d.CLOSING)]

POLLS: dict[Any, str] = {
    requests.PollForDecisionTask: "deciders",
    requests.PollForActivityTask: "payers",
}

ANSWERS: list[Callable[..., requests.Request[Any]]] = [
    requests.RespondActivityTaskCompleted,
    requests.RespondActivityTaskFailed,
    requests.RespondActivityTaskCanceled,
    requests.RecordActivityTaskHeartbeat,
]
OUTCOMES = [Outcome(result="1"), Outcome(reason="Handled", details="{}")]


def _signal(workflow_id: str) -> requests.Request[Any]:
    return requests.SignalWorkflowExecution(
        domain=DOMAIN, workflow_id=workflow_id, signal_name="s"
    )


def _cancel(workflow_id: str) -> requests.Request[Any]:
    return requests.RequestCancelWorkflowExecution(
        domain=DOMAIN, workflow_id=workflow_id
    )


def _terminate(workflow_id: str) -> requests.Request[Any]:
    return requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id=workflow_id)


ASKS = [_signal, _signal, _cancel, _terminate]


class Life:
    """A server's life: its clients, and a witness to each of its histories."""

    def __init__(self) -> None:
        self.rig = Rig(quotas=QUOTAS, functions=frozenset("f"))
        self.tasks: list[dict[str, Any]] = []
        self.activities: list[dict[str, Any]] = []
        self.given: set[str] = set()
        self.waiting: list[Parked] = []
        self.witnesses: dict[int, Witness] = defaultdict(Witness)
        self.shadow = State(QUOTAS)
        self.folded = 0

    # -- what is done -------------------------------------------------------------

    def attempt(self, request: requests.Request[Any]) -> Any:
        """Send what may be refused; then nothing may have happened."""
        self.sleep(0)
        before = len(self.rig.facts)
        try:
            return self.rig.send(request)
        except Fault:
            assert len(self.rig.facts) == before
            return None

    def start(self, workflow_id: str, role: str | None) -> None:
        request = requests.StartWorkflowExecution(
            domain=DOMAIN,
            workflow_id=workflow_id,
            workflow_type=ORDER,
            lambda_role=role,
        )
        self.attempt(request)

    def _poll(self, poll: Any, name: str) -> Parked | None:
        answer = self.attempt(poll(domain=DOMAIN, task_list=shapes.TaskList(name=name)))
        if isinstance(answer, Parked):
            return answer
        self._given(answer or {})
        return None

    def _given(self, answer: dict[str, Any]) -> None:
        if "taskToken" in answer:
            assert answer["taskToken"] not in self.given, "no task is given twice"
            self.given.add(answer["taskToken"])
            kept = self.activities if "activityId" in answer else self.tasks
            kept.append(answer)

    def wait(self, poll: Any) -> None:
        """Poll, and wait if there is nothing to be had."""
        parked = self._poll(poll, POLLS[poll])
        if parked is not None:
            self.waiting.append(parked)

    def fetch(self, poll: Any, name: str) -> None:
        """Poll, and go away if there is nothing to be had."""
        parked = self._poll(poll, name)
        if parked is not None:
            self.rig.engine.abandon(parked)

    def leave(self) -> None:
        """Wait no longer."""
        if self.waiting:
            self.rig.engine.abandon(self.waiting.pop())

    def think(self, name: str | None) -> None:
        """Take a decision task, and keep it for now."""
        self.fetch(requests.PollForDecisionTask, name or "deciders")

    def decide(
        self, made: Sequence[d.Decision], close: d.Decision | None, name: str | None
    ) -> None:
        """Answer the decision task that was taken last."""
        if not self.tasks:
            self.think(None)
        if close is not None:  # with those that SWF takes together with it
            made = [each for each in made if not isinstance(each, d.OPENING)] + [close]
        if self.tasks:
            request = requests.RespondDecisionTaskCompleted(
                task_token=self.tasks.pop()["taskToken"],
                decisions=tuple(d.wrapped(each) for each in made),
                task_list=None if name is None else shapes.TaskList(name=name),
                task_list_schedule_to_start_timeout="7" if name == "mine" else None,
            )
            self.attempt(request)

    def answer(self, answer: Callable[..., requests.Request[Any]]) -> None:
        """Tell of an activity; of one whose end was told already, now and then."""
        self.fetch(requests.PollForActivityTask, "payers")
        if self.activities:
            activity = self.activities.pop()
            self.attempt(answer(task_token=activity["taskToken"]))
            self.activities.insert(0, activity)

    def finish(self, outcome: Outcome) -> None:
        """Let Lambda functions come to their ends."""
        for invocation in self.rig.engine.take_invocations():
            self.rig.engine.finished(self.rig.now, invocation, outcome)
            self.rig.take()

    def ask(
        self, ask: Callable[[str], requests.Request[Any]], workflow_id: str
    ) -> None:
        """Ask something of a run from outside."""
        self.attempt(ask(workflow_id))

    def skip(self, seconds: float) -> None:
        """Let time pass, deadline by deadline."""
        self.rig.skip(seconds)

    def sleep(self, seconds: float) -> None:
        """Wake up late: what is due is due at once."""
        self.rig.now += int(seconds * 1_000)
        self.rig.engine.advance(self.rig.now)
        self.rig.take()

    def restart(self) -> None:
        """Begin again from what was stored; those who waited have gone."""
        self.sleep(0)
        before = seen(self.rig.engine.world.state)
        self.rig.restart()
        self.waiting.clear()
        assert seen(self.rig.engine.world.state) == before

    # -- what stays true ----------------------------------------------------------

    def check(self) -> None:
        """Assert all of it."""
        self._check_polls()
        self._check_facts()
        self._check_counts()

    def _check_polls(self) -> None:
        """Polls are answered once, and none waits where there is something to do."""
        answers = self.rig.answers  # each noted once, says the rig
        for parked in [each for each in self.waiting if each in answers]:
            self.waiting.remove(parked)
            self._given(answers[parked])
        world = self.rig.engine.world
        held = [each for waiting in world.waiting.values() for each in waiting]
        assert sorted(map(id, held)) == sorted(map(id, self.waiting))
        assert not {each.queue for each in held} & set(world.state.queues)

    def _check_facts(self) -> None:
        """Facts make histories such as SWF's, and the fold over them is the state."""
        new, self.folded = self.rig.facts[self.folded :], len(self.rig.facts)
        for fact in new:
            evolve.fold(self.shadow, fact)
            if isinstance(fact, facts.Happened):
                self.witnesses[fact.run].see(json.loads(fact.data))
        assert seen(self.shadow) == seen(self.rig.engine.world.state)
        for witness in self.witnesses.values():
            witness.rest()

    def _check_counts(self) -> None:
        """What is told of a run is what its history says."""
        for number, witness in self.witnesses.items():
            summary = self.rig.engine.world.summary(number)
            if summary is not None:  # unless its retention is over
                assert (summary.closed_at is not None) == witness.closed
                assert summary.last_event_id == witness.last
                counts = {
                    "openActivityTasks": summary.open_activities,
                    "openDecisionTasks": summary.open_decisions,
                    "openTimers": summary.open_timers,
                    "openChildWorkflowExecutions": summary.open_children,
                    "openLambdaFunctions": summary.open_lambdas,
                }
                assert counts == witness.counts()


def seen(state: State) -> dict[str, Any]:
    """What there is to be seen of a state: runs, clocks and lists."""
    return {
        "runs": {number: _seen_run(run) for number, run in state.runs.items()},
        "open": {
            (key, id): run.number
            for key, domain in state.domains.items()
            for id, run in domain.open.items()
        },
        "deadlines": sorted(state.deadlines),
        "queues": {
            key: sorted((task.run.number, task.id) for task in queue.tasks)
            for key, queue in state.queues.items()
        },
    }


def _seen_run(run: Run) -> tuple[Any, ...]:
    tasks = [run.running, run.pending, *run.activities.values()]
    pendings = (run.timers, run.children, run.externals, run.lambdas)
    return (
        run.summary(),
        len(run.events),
        run.events[-1:],
        run.override,
        run.previous_id,
        [task and (task.id, task.started_id, sorted(task.clocks)) for task in tasks],
        [{id: each.started_id for id, each in of.items()} for of in pendings],
        [sorted(ids) for ids in (run.activity_ids, run.timer_ids, run.lambda_ids)],
    )
