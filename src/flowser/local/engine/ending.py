"""What the end of a run means to others: its parent, and its children.

Source:
    swf-semantics.md sections 6.3 to 6.5.
"""

from collections.abc import Callable
from typing import Any

from flowser import events as e
from flowser import shapes
from flowser.local.engine.state import Pending, Run
from flowser.local.engine.world import World


def end(world: World, run: Run, attributes: e.Attributes) -> None:
    """Close a run, then tell its parent and apply its child policy.

    A run that continues as new is closed by :func:`~.decisions.continue_as_new`: its
    parent hears nothing, and its children go on.
    """
    # The children's list outlives the run: the policy is applied after its end.
    world.close(run, attributes)
    world.effects.append(lambda: _tell_parent(world, run, attributes))
    if isinstance(
        attributes, e.WorkflowExecutionTerminated | e.WorkflowExecutionTimedOut
    ):
        policy = attributes.child_policy
        world.effects.append(lambda: _apply(world, run, policy))


_TELLING: dict[type[e.Attributes], tuple[type[e.Attributes], tuple[str, ...]]] = {
    e.WorkflowExecutionCompleted: (e.ChildWorkflowExecutionCompleted, ("result",)),
    e.WorkflowExecutionFailed: (
        e.ChildWorkflowExecutionFailed,
        ("reason", "details"),
    ),
    e.WorkflowExecutionCanceled: (e.ChildWorkflowExecutionCanceled, ("details",)),
    e.WorkflowExecutionTimedOut: (e.ChildWorkflowExecutionTimedOut, ("timeout_type",)),
    e.WorkflowExecutionTerminated: (e.ChildWorkflowExecutionTerminated, ()),
}


def _tell_parent(world: World, run: Run, attributes: e.Attributes) -> None:
    parent, child = _parent(run)
    if parent is None or child is None or parent.close_status is not None:
        return
    made, members = _TELLING[type(attributes)]
    told: dict[str, Any] = {name: getattr(attributes, name) for name in members}
    event = made(
        workflow_execution=run.execution,
        workflow_type=run.config.workflow_type,
        initiated_event_id=child.id,
        started_event_id=child.started_id,
        **told,
    )
    world.append(parent, event)
    world.settle(parent)


def _parent(run: Run) -> tuple[Run | None, Pending | None]:
    config = run.config
    named = config.parent_workflow_execution
    if named is None:
        return None, None
    parent = run.domain.open.get(named.workflow_id)
    if parent is None or parent.run_id != named.run_id:
        return None, None
    return parent, parent.children.get(config.parent_initiated_event_id or 0)


def children(run: Run) -> list[Run]:
    """Find the open children of a run, or what they continued as."""
    found = []
    for child in run.children.values():
        attributes = child.attributes
        if isinstance(attributes, e.StartChildWorkflowExecutionInitiated):
            open_run = run.domain.open.get(attributes.workflow_id)
            if open_run is not None and _is_child(open_run, run, child):
                found.append(open_run)
    return found


def _is_child(candidate: Run, run: Run, child: Pending) -> bool:
    config = candidate.config
    return (
        config.parent_workflow_execution == run.execution
        and config.parent_initiated_event_id == child.id
    )


def _apply(world: World, run: Run, policy: str) -> None:
    act = _POLICIES.get(policy)
    if act is not None:
        for child in children(run):
            act(world, child)


def _terminate(world: World, child: Run) -> None:
    policy = child.config.child_policy  # its own, for its own children
    terminated = e.WorkflowExecutionTerminated(
        child_policy=policy, cause="CHILD_POLICY_APPLIED"
    )
    end(world, child, terminated)


def _request_cancel(world: World, child: Run) -> None:
    # Whether the parent is named too is not known (section 6.3): it is not.
    event = e.WorkflowExecutionCancelRequested(
        external_initiated_event_id=0, cause="CHILD_POLICY_APPLIED"
    )
    world.append(child, event)
    world.settle(child)


_POLICIES: dict[str, Callable[[World, Run], None]] = {
    shapes.ChildPolicy.TERMINATE: _terminate,
    shapes.ChildPolicy.REQUEST_CANCEL: _request_cancel,
}
