"""The fold over facts gives the state, whatever was asked of the engine."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flowser import decisions as d
from flowser import requests, shapes
from flowser.local.engine import evolve
from flowser.local.engine.heaps import Heap
from flowser.local.engine.quotas import Quotas
from flowser.local.engine.state import State
from tests.local.engine.rig import DOMAIN, Fault, Rig, schedule

_IDS = st.sampled_from(["r-0", "r-1", "r-2"])
_NAMES = st.sampled_from("abc")

_DECISIONS = st.one_of(
    st.builds(schedule, _NAMES),
    st.builds(d.RequestCancelActivityTask, activity_id=_NAMES),
    st.builds(d.StartTimer, timer_id=_NAMES, start_to_fire_timeout=st.just("7")),
    st.builds(d.CancelTimer, timer_id=_NAMES),
    st.builds(d.RecordMarker, marker_name=_NAMES),
    st.builds(d.SignalExternalWorkflowExecution, workflow_id=_IDS, signal_name=_NAMES),
    st.builds(d.RequestCancelExternalWorkflowExecution, workflow_id=_IDS),
    st.builds(
        d.StartChildWorkflowExecution,
        workflow_id=_IDS,
        workflow_type=st.just(shapes.WorkflowType(name="order", version="1")),
    ),
)
#: Most answers close nothing.
_CLOSES: st.SearchStrategy[d.Decision | None] = st.sampled_from(
    [None, None, None, None, *(close() for close in d.CLOSING)]
)


def seen(state: State) -> dict[str, Any]:
    """What there is to be seen of a state: runs, clocks and lists."""
    return {
        "runs": {
            number: (run.summary(), run.events, run.override, run.previous_id)
            for number, run in state.runs.items()
        },
        "deadlines": _sorted(state.deadlines),
        "queues": {
            key: sorted(task.id for task in queue.tasks)
            for key, queue in state.queues.items()
            if len(queue.tasks)
        },
    }


def _sorted(deadlines: Heap[Any]) -> list[Any]:
    return sorted(deadlines)


class Life(RuleBasedStateMachine):
    """Anything that can be done to three executions, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.tasks: list[dict[str, Any]] = []
        self.activities: list[dict[str, Any]] = []
        self.given: set[str] = set()

    def _try(self, request: requests.Request[Any]) -> Any:
        try:
            return self.rig.send(request)
        except Fault:
            return None

    @rule(workflow_id=_IDS)
    def start(self, workflow_id: str) -> None:
        type = shapes.WorkflowType(name="order", version="1")
        self._try(
            requests.StartWorkflowExecution(
                domain=DOMAIN, workflow_id=workflow_id, workflow_type=type
            )
        )

    @rule()
    def poll(self) -> None:
        self._keep(self.rig.poll(), self.tasks)

    @rule()
    def poll_activity(self) -> None:
        self._keep(self.rig.poll_activity(), self.activities)

    def _keep(self, answer: Any, where: list[dict[str, Any]]) -> None:
        if not isinstance(answer, dict):
            self.rig.engine.abandon(answer)
            return
        assert answer["taskToken"] not in self.given, "no task is given twice"
        self.given.add(answer["taskToken"])
        where.append(answer)

    @rule(made=st.lists(_DECISIONS, max_size=4), close=_CLOSES)
    def decide(self, made: list[d.Decision], close: d.Decision | None) -> None:
        if self.tasks:
            decisions = [*made, close] if close is not None else made
            try:
                self.rig.decide(self.tasks.pop(0), *decisions)
            except Fault:
                return

    @rule()
    def complete(self) -> None:
        if self.activities:
            token = self.activities.pop()["taskToken"]
            self._try(requests.RespondActivityTaskCompleted(task_token=token))

    @rule()
    def heartbeat(self) -> None:
        if self.activities:
            token = self.activities[0]["taskToken"]
            self._try(requests.RecordActivityTaskHeartbeat(task_token=token))

    @rule(workflow_id=_IDS)
    def signal(self, workflow_id: str) -> None:
        request = requests.SignalWorkflowExecution(
            domain=DOMAIN, workflow_id=workflow_id, signal_name="s"
        )
        self._try(request)

    @rule(workflow_id=_IDS)
    def terminate(self, workflow_id: str) -> None:
        request = requests.TerminateWorkflowExecution(
            domain=DOMAIN, workflow_id=workflow_id
        )
        self._try(request)

    @rule(seconds=st.sampled_from([0.001, 1, 7, 60, 500]))
    def skip(self, seconds: float) -> None:
        self.rig.skip(seconds)

    @invariant()
    def the_fold_over_all_facts_is_the_state(self) -> None:
        again = State(Quotas())
        for fact in self.rig.facts:
            evolve.fold(again, fact)
        assert seen(again) == seen(self.rig.engine.world.state)

    @invariant()
    def time_and_ids_only_grow(self) -> None:
        for history in self.rig.archive.histories.values():
            for number, event in enumerate(history, 1):
                assert event.startswith(b'{"eventId":%d,' % number)

    @invariant()
    def nothing_follows_the_closing_event(self) -> None:
        for run, closed in self.rig.archive.summaries.items():
            history = self.rig.archive.histories[run]
            assert len(history) == closed.summary.last_event_id


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
