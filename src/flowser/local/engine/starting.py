"""How a run begins: by a request, as a child, or as the next of a chain.

Source:
    swf-semantics.md sections 1.2, 1.7, 3.2, 6.4 and 6.5.
"""

from typing import Any, NamedTuple, Protocol

import msgspec

from flowser import events as e
from flowser import shapes
from flowser.local.engine import facts
from flowser.local.engine.state import Domain, Registered, Run
from flowser.local.engine.world import World


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is started with, all defaults resolved."""

    execution_start_to_close_timeout: str
    task_list: shapes.TaskList
    task_start_to_close_timeout: str
    child_policy: str
    task_priority: str | None
    lambda_role: str | None


class Asked(Protocol):
    """What requests and decisions that start a run have in common."""

    @property
    def execution_start_to_close_timeout(self) -> str | None: ...  # noqa: D102
    @property
    def task_list(self) -> shapes.TaskList | None: ...  # noqa: D102
    @property
    def task_start_to_close_timeout(self) -> str | None: ...  # noqa: D102
    @property
    def child_policy(self) -> str | None: ...  # noqa: D102
    @property
    def task_priority(self) -> str | None: ...  # noqa: D102
    @property
    def lambda_role(self) -> str | None: ...  # noqa: D102


class Undefined(Exception):
    """Neither the start nor the type says what has to be said; names the member."""


#: The order in which SWF looks for what is undefined (section 1.2).
_REQUIRED = {
    "execution_start_to_close_timeout": "defaultExecutionStartToCloseTimeout",
    "task_list": "defaultTaskList",
    "task_start_to_close_timeout": "defaultTaskStartToCloseTimeout",
    "child_policy": "defaultChildPolicy",
}


def resolve(registered: Registered, asked: Asked) -> Settings:
    """Resolve what a run is started with.

    Args:
        registered: Its type, whose defaults fill the gaps.
        asked: What the request or the decision says.

    Raises:
        Undefined: With the name of the first member that nobody says.
    """
    defaults = registered.fact.defaults
    found: dict[str, Any] = {}
    for member, default in _REQUIRED.items():
        value = getattr(asked, member)
        if value is None and (value := defaults.get(default)) is not None:
            value = shapes.TaskList(name=value) if member == "task_list" else value
        if value is None:
            raise Undefined(member)
        found[member] = value
    return Settings(
        **found,
        task_priority=asked.task_priority or defaults.get("defaultTaskPriority"),
        lambda_role=asked.lambda_role or defaults.get("defaultLambdaRole"),
    )


class Origin(NamedTuple):
    """Where a run comes from; all empty when a request started it."""

    parent: shapes.WorkflowExecution | None = None
    initiated_id: int = 0
    continued: str | None = None


class Work(NamedTuple):
    """What a run is to do: its ids, its type, and what it is given."""

    workflow_id: str
    run_id: str
    type: shapes.WorkflowType
    input: str | None
    tags: tuple[str, ...] | None


def begin(
    world: World, domain: Domain, work: Work, settings: Settings, origin: Origin
) -> Run:
    """Open a run; its first decision task is scheduled in the same transition."""
    number = world.state.last_run + 1
    world.emit(
        facts.RunOpened(
            run=number,
            at=world.now,
            region=domain.region,
            domain=domain.name,
            workflow_id=work.workflow_id,
            run_id=work.run_id,
            type_name=work.type.name,
            type_version=work.type.version,
            tags=work.tags or (),
        )
    )
    run = world.state.runs[number]
    started = e.WorkflowExecutionStarted(
        child_policy=settings.child_policy,
        task_list=settings.task_list,
        workflow_type=work.type,
        input=work.input,
        execution_start_to_close_timeout=settings.execution_start_to_close_timeout,
        task_start_to_close_timeout=settings.task_start_to_close_timeout,
        task_priority=settings.task_priority,
        tag_list=list(work.tags) if work.tags else None,
        continued_execution_run_id=origin.continued,
        parent_workflow_execution=origin.parent,
        parent_initiated_event_id=origin.initiated_id,
        lambda_role=settings.lambda_role,
    )
    world.append(run, started)
    world.settle(run)
    return run


def cause(undefined: Undefined) -> str:
    """Name the cause of a decision that failed for want of a default."""
    return f"DEFAULT_{str(undefined).upper()}_UNDEFINED"
