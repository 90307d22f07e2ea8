"""A shop whose orders do all that a store has to keep: real facts, by a seed.

Many runs share a millisecond, an id, a type or a tag; types and tags of domains come
and go; days pass, and with them retentions.
"""

import random
from collections.abc import Callable
from typing import Any

from flowser import decisions as d
from flowser import requests, shapes
from flowser.local.engine.heaps import Heap
from flowser.local.engine.state import State
from flowser.local.engine.world import Parked
from tests.local.engine.rig import DOMAIN, Fault, Rig, schedule

IDS = ["o-1", "o-2", "o-3", "o-4", "o-5", "o-6"]
TYPES = [("order", "1"), ("order", "2"), ("gift", "1")]
TAGS = ["red", "blue", ""]
DOMAINS = [DOMAIN, "barn"]
CLOSES = [
    *[None] * 5,
    d.CompleteWorkflowExecution(result="1"),
    d.FailWorkflowExecution(reason="no"),
    d.CancelWorkflowExecution(),
    d.ContinueAsNewWorkflowExecution(tag_list=("red",)),
]
MADE: list[d.Decision] = [
    schedule("a", heartbeat_timeout="7"),
    schedule("b", task_priority="3"),
    d.StartTimer(timer_id="t", start_to_fire_timeout="7"),
    d.RecordMarker(marker_name="m", details='"\u2028\x00'),
    d.SignalExternalWorkflowExecution(workflow_id="o-1", signal_name="s"),
    d.StartChildWorkflowExecution(
        workflow_id="o-2",
        workflow_type=shapes.WorkflowType(name="order", version="1"),
    ),
]


class Shop:
    """A rig with two domains and three workflow types."""

    def __init__(self, seed: int, rig: Rig | None = None) -> None:
        self.rig = rig or Rig()
        self._chance = random.Random(seed)
        self._activities: list[Any] = []
        self._attempt(
            requests.RegisterDomain(
                name="barn", workflow_execution_retention_period_in_days="NONE"
            )
        )
        for domain in DOMAINS:
            for name, version in TYPES:
                self._register(domain, name, version)

    def _register(self, domain: str, name: str, version: str) -> None:
        request = requests.RegisterWorkflowType(
            domain=domain,
            name=name,
            version=version,
            default_task_list=shapes.TaskList(name="deciders"),
            default_execution_start_to_close_timeout="100000",
            default_task_start_to_close_timeout="10",
            default_child_policy=shapes.ChildPolicy.ABANDON,
        )
        self._attempt(request)

    def _attempt(self, request: requests.Request[Any]) -> Any:
        try:
            answer = self.rig.send(request)
        except Fault:
            return None
        if isinstance(answer, Parked):
            self.rig.engine.abandon(answer)
            return None
        return answer if answer and answer.get("taskToken") else None

    def live(self, steps: int) -> Rig:
        """Do so many things, one after the other."""
        acts: list[tuple[int, Callable[[], None]]] = [
            (6, self._start),
            (6, self._decide),
            (4, self._work),
            (4, self._beat),
            (1, self._finish),
            (1, self._signal),
            (1, self._terminate),
            (2, self._wait),
            (1, self._administer),
        ]
        weights = [weight for weight, _ in acts]
        for _ in range(steps):
            self._chance.choices(acts, weights)[0][1]()
        return self.rig

    def _domain(self) -> str:
        return self._chance.choices(DOMAINS, [4, 1])[0]

    def _start(self) -> None:
        name, version = self._chance.choice(TYPES)
        tags = self._chance.sample(TAGS, self._chance.randrange(3))
        request = requests.StartWorkflowExecution(
            domain=self._domain(),
            workflow_id=self._chance.choice(IDS),
            workflow_type=shapes.WorkflowType(name=name, version=version),
            tag_list=tuple(tags) or None,
        )
        self._attempt(request)

    def _decide(self) -> None:
        task_list = shapes.TaskList(name="deciders")
        poll = requests.PollForDecisionTask(domain=self._domain(), task_list=task_list)
        task = self._attempt(poll)
        if task is not None:
            close = self._chance.choice(CLOSES)
            made = self._chance.choices(MADE, k=self._chance.randrange(5))
            decisions = [*made, close] if close is not None else made
            request = requests.RespondDecisionTaskCompleted(
                task_token=task["taskToken"],
                decisions=tuple(d.wrapped(each) for each in decisions),
            )
            self._attempt(request)

    def _work(self) -> None:
        task_list = shapes.TaskList(name="payers")
        poll = requests.PollForActivityTask(domain=DOMAIN, task_list=task_list)
        task = self._attempt(poll)
        if task is not None:
            self._activities.append(task["taskToken"])

    def _beat(self) -> None:
        if self._activities:
            request = requests.RecordActivityTaskHeartbeat(
                task_token=self._chance.choice(self._activities),
                details=self._chance.choice([None, "half", "\u00e9"]),
            )
            self._attempt(request)

    def _finish(self) -> None:
        if self._activities:
            token = self._activities.pop(0)
            self._attempt(requests.RespondActivityTaskCompleted(task_token=token))

    def _signal(self) -> None:
        request = requests.SignalWorkflowExecution(
            domain=DOMAIN, workflow_id=self._chance.choice(IDS), signal_name="s"
        )
        self._attempt(request)

    def _terminate(self) -> None:
        request = requests.TerminateWorkflowExecution(
            domain=self._domain(), workflow_id=self._chance.choice(IDS)
        )
        self._attempt(request)

    def _wait(self) -> None:
        self.rig.skip(self._chance.choice([0.001, 0.001, 0.5, 3, 8, 50_000]))

    def _administer(self) -> None:
        domain, (name, version) = self._domain(), self._chance.choice(TYPES)
        type = shapes.WorkflowType(name=name, version=version)
        arn = f"arn:aws:swf:us-east-1:123456789012:/domain/{domain}"
        tag = shapes.ResourceTag(key=self._chance.choice("ab"), value="1")
        request: Any = self._chance.choice(
            [
                requests.DeprecateDomain(name=domain),
                requests.DeprecateWorkflowType(domain=domain, workflow_type=type),
                requests.DeleteWorkflowType(domain=domain, workflow_type=type),
                requests.TagResource(resource_arn=arn, tags=(tag,)),
                requests.UntagResource(resource_arn=arn, tag_keys=("a",)),
            ]
        )
        self._attempt(request)
        if self._chance.random() < 0.8:
            pay = shapes.ActivityType(name="pay", version="1")
            for request in (
                requests.UndeprecateDomain(name=domain),
                requests.UndeprecateActivityType(domain=domain, activity_type=pay),
            ):
                self._attempt(request)
            for name, version in TYPES:
                self._register(domain, name, version)
                back = shapes.WorkflowType(name=name, version=version)
                self._attempt(
                    requests.UndeprecateWorkflowType(domain=domain, workflow_type=back)
                )


def seen(state: State) -> dict[str, Any]:
    """What there is to be seen of a state, with every order that matters."""
    return {
        "domains": [
            (
                key,
                (domain.retention, domain.description, domain.deprecated),
                domain.tags,
                {
                    (kind, *id): (type.fact, type.deprecated_at)
                    for kind, types in domain.types.items()
                    for id, type in types.items()
                },
                {id: run.number for id, run in domain.open.items()},
            )
            for key, domain in state.domains.items()
        ],
        "runs": [
            (
                number,
                run.started and run.summary(),
                (run.workflow_id, run.run_id, run.tags),
                (run.events, run.override, run.previous_id),
            )
            for number, run in state.runs.items()
        ],
        "tasks": {
            (number, id): (task.started_id, task.cancel_requested_id, task.details)
            for number, run in state.runs.items()
            for id, task in run.activities.items()
        },
        "deadlines": _in_order(state.deadlines),
        "queues": {
            key: [(task.run.number, task.id) for task in _in_order(queue.tasks)]
            for key, queue in state.queues.items()
            if len(queue.tasks)
        },
    }


def _in_order(heap: Heap[Any]) -> list[Any]:
    items = [entry.item for _, _, entry in sorted(heap._entries)]
    return [item for item in items if item is not None]
