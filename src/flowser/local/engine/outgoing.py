"""Decisions that reach other runs: children, signals, cancel requests.

Each is noted in the batch, and carried out after it: first at the target, then back
at the source.

Source:
    swf-semantics.md sections 3.2, 6.1, 6.2 and 6.4.
"""

from flowser import decisions as d
from flowser import events as e
from flowser import shapes
from flowser.local.engine import starting
from flowser.local.engine.batch import Batch
from flowser.local.engine.state import Run
from flowser.local.engine.world import World

_UNKNOWN = "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION"


def _target(run: Run, workflow_id: str, run_id: str | None) -> Run | None:
    found = run.domain.open.get(workflow_id)
    return found if found and (not run_id or found.run_id == run_id) else None


def signal(batch: Batch, decision: d.SignalExternalWorkflowExecution) -> None:
    """Send a signal to another run."""
    initiated = e.SignalExternalWorkflowExecutionInitiated(
        workflow_id=decision.workflow_id,
        signal_name=decision.signal_name,
        decision_task_completed_event_id=batch.id,
        run_id=decision.run_id,
        input=decision.input,
        control=decision.control,
    )
    id = batch.append(initiated)
    cause = _UNKNOWN
    if not batch.allowed("SignalExternalWorkflowExecution"):
        cause = "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED"
    world, run = batch.world, batch.run
    world.effects.append(lambda: _deliver_signal(world, run, id, initiated, cause))


def _deliver_signal(
    world: World,
    run: Run,
    id: int,
    initiated: e.SignalExternalWorkflowExecutionInitiated,
    cause: str,
) -> None:
    target = _target(run, initiated.workflow_id, initiated.run_id)
    if target is None or cause != _UNKNOWN:
        failed = e.SignalExternalWorkflowExecutionFailed(
            workflow_id=initiated.workflow_id,
            cause=cause,
            initiated_event_id=id,
            decision_task_completed_event_id=initiated.decision_task_completed_event_id,
            run_id=initiated.run_id,
            control=initiated.control,
        )
        _answer(world, run, failed)
        return
    signaled = e.WorkflowExecutionSignaled(
        signal_name=initiated.signal_name,
        input=initiated.input,
        external_workflow_execution=run.execution,
        external_initiated_event_id=id,
    )
    world.append(target, signaled)
    world.settle(target)
    done = e.ExternalWorkflowExecutionSignaled(
        workflow_execution=target.execution, initiated_event_id=id
    )
    _answer(world, run, done)


def _answer(world: World, run: Run, attributes: e.Attributes) -> None:
    """Tell the source, unless it closed in the same batch."""
    if run.close_status is None:
        world.append(run, attributes)
        world.settle(run)


def request_cancel(
    batch: Batch, decision: d.RequestCancelExternalWorkflowExecution
) -> None:
    """Ask another run to cancel itself."""
    initiated = e.RequestCancelExternalWorkflowExecutionInitiated(
        workflow_id=decision.workflow_id,
        decision_task_completed_event_id=batch.id,
        run_id=decision.run_id,
        control=decision.control,
    )
    id = batch.append(initiated)
    cause = _UNKNOWN
    if not batch.allowed("RequestCancelExternalWorkflowExecution"):
        cause = "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED"
    world, run = batch.world, batch.run
    world.effects.append(lambda: _deliver_cancel(world, run, id, initiated, cause))


def _deliver_cancel(
    world: World,
    run: Run,
    id: int,
    initiated: e.RequestCancelExternalWorkflowExecutionInitiated,
    cause: str,
) -> None:
    target = _target(run, initiated.workflow_id, initiated.run_id)
    if target is None or cause != _UNKNOWN:
        failed = e.RequestCancelExternalWorkflowExecutionFailed(
            workflow_id=initiated.workflow_id,
            cause=cause,
            initiated_event_id=id,
            decision_task_completed_event_id=initiated.decision_task_completed_event_id,
            run_id=initiated.run_id,
            control=initiated.control,
        )
        _answer(world, run, failed)
        return
    requested = e.WorkflowExecutionCancelRequested(
        external_workflow_execution=run.execution, external_initiated_event_id=id
    )
    world.append(target, requested)
    world.settle(target)
    done = e.ExternalWorkflowExecutionCancelRequested(
        workflow_execution=target.execution, initiated_event_id=id
    )
    _answer(world, run, done)


def start_child(batch: Batch, decision: d.StartChildWorkflowExecution) -> None:
    """Start a child; what is wrong but for its id being in use is known at once."""
    found = _child_settings(batch, decision)
    if isinstance(found, str):
        failed = e.StartChildWorkflowExecutionFailed(
            workflow_type=decision.workflow_type,
            cause=found,
            workflow_id=decision.workflow_id,
            initiated_event_id=0,
            decision_task_completed_event_id=batch.id,
            control=decision.control,
        )
        batch.append(failed)
        return
    initiated = e.StartChildWorkflowExecutionInitiated(
        workflow_id=decision.workflow_id,
        workflow_type=decision.workflow_type,
        task_list=found.task_list,
        decision_task_completed_event_id=batch.id,
        child_policy=found.child_policy,
        control=decision.control,
        input=decision.input,
        execution_start_to_close_timeout=found.execution_start_to_close_timeout,
        task_priority=found.task_priority,
        task_start_to_close_timeout=found.task_start_to_close_timeout,
        tag_list=list(decision.tag_list) if decision.tag_list else None,
        lambda_role=found.lambda_role,
    )
    id = batch.append(initiated)
    batch.children += 1
    world, run = batch.world, batch.run
    world.effects.append(lambda: _begin_child(world, run, id, initiated, found))


def _child_settings(  # noqa: PLR0911 - one for each cause, in order
    batch: Batch, decision: d.StartChildWorkflowExecution
) -> starting.Settings | str:
    type, quotas = decision.workflow_type, batch.world.quotas
    registered = batch.domain.types["workflow"].get((type.name, type.version))
    if registered is None:
        return "WORKFLOW_TYPE_DOES_NOT_EXIST"
    if registered.deprecated_at is not None:
        return "WORKFLOW_TYPE_DEPRECATED"
    try:
        found = starting.resolve(registered, decision)
    except starting.Undefined as undefined:
        return starting.cause(undefined)
    if len(batch.run.children) >= quotas.open_children:
        return "OPEN_CHILDREN_LIMIT_EXCEEDED"
    if len(batch.domain.open) + batch.children >= quotas.open_executions:
        return "OPEN_WORKFLOWS_LIMIT_EXCEEDED"
    if not batch.allowed("StartChildWorkflowExecution"):
        return "CHILD_CREATION_RATE_EXCEEDED"
    return found


def _begin_child(
    world: World,
    run: Run,
    id: int,
    initiated: e.StartChildWorkflowExecutionInitiated,
    settings: starting.Settings,
) -> None:
    type = initiated.workflow_type
    if initiated.workflow_id in run.domain.open:
        failed = e.StartChildWorkflowExecutionFailed(
            workflow_type=type,
            cause="WORKFLOW_ALREADY_RUNNING",
            workflow_id=initiated.workflow_id,
            initiated_event_id=id,
            # Whether SWF fills it in here is not known (section 3.2).
            decision_task_completed_event_id=initiated.decision_task_completed_event_id,
            control=initiated.control,
        )
        _answer(world, run, failed)
        return
    tags = tuple(initiated.tag_list or ())
    ids = shapes.WorkflowExecution(
        workflow_id=initiated.workflow_id, run_id=world.run_id()
    )
    work = starting.Work(ids.workflow_id, ids.run_id, type, initiated.input, tags)
    origin = starting.Origin(run.execution, id)
    starting.begin(world, run.domain, work, settings, origin)
    started = e.ChildWorkflowExecutionStarted(
        workflow_execution=ids, workflow_type=type, initiated_event_id=id
    )
    _answer(world, run, started)
