"""The state: domains, types, and open runs with all that is open in them.

Only :mod:`~.evolve` writes here, from facts; everybody else reads. What can be
derived from events is not stored twice: queues and deadlines are made by the fold.

Source:
    swf-semantics.md sections 2.2 and 5.1.
"""

from typing import NamedTuple

from flowser import events as e
from flowser import shapes
from flowser.local.engine.facts import Summary, TypeRegistered
from flowser.local.engine.heaps import Entry, Heap
from flowser.local.engine.quotas import Quotas


class Registered:
    """A registered type.

    Attributes:
        fact: Its registration.
        deprecated_at: None while it is registered.
    """

    __slots__ = ("deprecated_at", "fact")

    def __init__(self, fact: TypeRegistered) -> None:
        self.fact = fact
        self.deprecated_at: int | None = None


class Domain:
    """A domain: its types, by kind, name and version, and its open runs by id."""

    __slots__ = (
        "deprecated",
        "description",
        "name",
        "open",
        "region",
        "retention",
        "tags",
        "types",
    )

    def __init__(
        self, region: str, name: str, retention: str, description: str | None
    ) -> None:
        self.region = region
        self.name = name
        self.retention = retention
        self.description = description
        self.deprecated = False
        self.tags: dict[str, str] = {}
        self.types: dict[str, dict[tuple[str, str], Registered]] = {
            "activity": {},
            "workflow": {},
        }
        self.open: dict[str, Run] = {}


class Due(NamedTuple):
    """What a deadline is about.

    Attributes:
        clock: A key of the table in ``timeouts.py``.
        run: The number of the run.
        id: The event that began what runs out.
    """

    clock: str
    run: int
    id: int


class Task:
    """A task on a list, or in the hands of whoever polled it."""

    __slots__ = (
        "attributes",
        "clocks",
        "id",
        "place",
        "queue",
        "run",
        "scheduled_at",
        "started_id",
    )

    def __init__(self, run: "Run", id: int, at: int) -> None:
        self.run = run
        self.id = id
        self.scheduled_at = at
        self.started_id = 0
        self.queue: Queue | None = None
        self.place: Entry[Task] | None = None
        self.clocks: dict[str, Entry[Due]] = {}


class DecisionTask(Task):
    """A decision task."""

    __slots__ = ()
    attributes: e.DecisionTaskScheduled


class ActivityTask(Task):
    """An activity task.

    Attributes:
        cancel_requested_id: The latest event that asked for it to be canceled.
        details: Of the last heartbeat.
    """

    __slots__ = ("cancel_requested_id", "details")
    attributes: e.ActivityTaskScheduled

    def __init__(self, run: "Run", id: int, at: int) -> None:
        super().__init__(run, id, at)
        self.cancel_requested_id: int | None = None
        self.details: str | None = None


class Pending:
    """A timer, child, signal, cancel request or Lambda function that goes on.

    Attributes:
        id: The event that began it.
        attributes: What that event tells.
        started_id: The event that says it began elsewhere; 0 before.
        clock: Its deadline.
    """

    __slots__ = ("attributes", "clock", "id", "started_id")

    def __init__(self, id: int, attributes: e.Attributes) -> None:
        self.id = id
        self.attributes = attributes
        self.started_id = 0
        self.clock: Entry[Due] | None = None


class QueueKey(NamedTuple):
    """Decision and activity lists are separate, per domain and region (2.1)."""

    kind: str
    region: str
    domain: str
    name: str


class Queue:
    """The tasks of one list that can be handed out: by priority, then by time."""

    __slots__ = ("key", "tasks")

    def __init__(self, key: QueueKey) -> None:
        self.key = key
        self.tasks: Heap[Task] = Heap()


class Run:
    """An open execution.

    Attributes:
        started: What its first event tells; None until that is appended.
        events: The history, each event as JSON.
        running: The decision task in the hands of a decider.
        pending: The decision task that is scheduled and not started.
        override: The list that decision tasks go to for now, and how many seconds
            they wait there before they go back (None: for ever).
        previous_id: The start of the last completed decision task.
        woken: Whether the transition under way has to schedule a decision task.
    """

    __slots__ = (
        "activities",
        "activity_ids",
        "cancel_requested",
        "children",
        "clock",
        "close_status",
        "closed_at",
        "context",
        "domain",
        "events",
        "externals",
        "lambda_ids",
        "lambdas",
        "latest_activity_at",
        "number",
        "override",
        "pending",
        "previous_id",
        "run_id",
        "running",
        "started",
        "started_at",
        "tags",
        "timer_ids",
        "timers",
        "woken",
        "workflow_id",
    )

    def __init__(
        self, number: int, domain: Domain, workflow_id: str, run_id: str, at: int
    ) -> None:
        self.number = number
        self.domain = domain
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.started_at = at
        self.started: e.WorkflowExecutionStarted | None = None
        self.tags: tuple[str, ...] = ()
        self.events: list[bytes] = []
        self.running: DecisionTask | None = None
        self.pending: DecisionTask | None = None
        self.override: tuple[str, str | None] | None = None
        self.previous_id = 0
        self.activities: dict[int, ActivityTask] = {}
        self.activity_ids: dict[str, ActivityTask] = {}
        self.timers: dict[int, Pending] = {}
        self.timer_ids: dict[str, Pending] = {}
        self.children: dict[int, Pending] = {}
        self.externals: dict[int, Pending] = {}
        self.lambdas: dict[int, Pending] = {}
        self.lambda_ids: dict[str, Pending] = {}
        self.clock: Entry[Due] | None = None
        self.cancel_requested = False
        self.latest_activity_at: int | None = None
        self.context: str | None = None
        self.closed_at: int | None = None
        self.close_status: str | None = None
        self.woken = False

    @property
    def execution(self) -> shapes.WorkflowExecution:
        """Its two ids."""
        return shapes.WorkflowExecution(
            workflow_id=self.workflow_id, run_id=self.run_id
        )

    @property
    def config(self) -> e.WorkflowExecutionStarted:
        """What the run was started with."""
        if self.started is None:
            raise LookupError(f"run {self.number} has no first event")
        return self.started

    def summary(self) -> Summary:
        """Tell all that descriptions and lists show of the run."""
        config = self.config
        parent = config.parent_workflow_execution
        return Summary(
            run=self.number,
            region=self.domain.region,
            domain=self.domain.name,
            workflow_id=self.workflow_id,
            run_id=self.run_id,
            type_name=config.workflow_type.name,
            type_version=config.workflow_type.version,
            started_at=self.started_at,
            last_event_id=len(self.events),
            child_policy=config.child_policy,
            execution_timeout=config.execution_start_to_close_timeout or "NONE",
            task_timeout=config.task_start_to_close_timeout or "NONE",
            task_list=config.task_list.name,
            task_priority=config.task_priority,
            lambda_role=config.lambda_role,
            tags=self.tags,
            parent_workflow_id=parent.workflow_id if parent else None,
            parent_run_id=parent.run_id if parent else None,
            cancel_requested=self.cancel_requested,
            open_activities=len(self.activities),
            # 0 or 1, even when one runs and another is pending (section 2.2).
            open_decisions=int(bool(self.running or self.pending)),
            open_timers=len(self.timers),
            open_children=len(self.children),
            open_lambdas=len(self.lambdas),
            latest_activity_at=self.latest_activity_at,
            context=self.context,
            closed_at=self.closed_at,
            close_status=self.close_status,
        )


class State:
    """All that is open, and the clocks and queues that follow from it."""

    def __init__(self, quotas: Quotas) -> None:
        """Begin with nothing."""
        self.quotas = quotas
        self.domains: dict[tuple[str, str], Domain] = {}
        self.runs: dict[int, Run] = {}
        self.queues: dict[QueueKey, Queue] = {}
        self.deadlines: Heap[Due] = Heap()
        self.last_run = 0
        #: Lists that got a task since they were last looked at.
        self.touched: dict[QueueKey, None] = {}
