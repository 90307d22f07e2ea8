"""Decisions that close the run, and why they may not.

Source:
    swf-semantics.md sections 3.2, 3.3 and 6.5.
"""

from flowser import decisions as d
from flowser import events as e
from flowser import shapes
from flowser.local.engine import starting
from flowser.local.engine.batch import Batch
from flowser.local.engine.ending import end

_UNHANDLED = "UNHANDLED_DECISION"


def _unhandled(batch: Batch) -> bool:
    """Tell whether the decider has not seen all: a decision task is, or will be, due.

    That an earlier decision of the same batch counts too is inferred (section 3.3).
    """
    return batch.run.pending is not None or batch.run.woken


def complete(batch: Batch, decision: d.CompleteWorkflowExecution) -> None:
    """Close the run with a result."""
    if _unhandled(batch):
        failed = e.CompleteWorkflowExecutionFailed(
            cause=_UNHANDLED, decision_task_completed_event_id=batch.id
        )
        batch.append(failed)
        return
    completed = e.WorkflowExecutionCompleted(
        decision_task_completed_event_id=batch.id, result=decision.result
    )
    end(batch.world, batch.run, completed)


def fail(batch: Batch, decision: d.FailWorkflowExecution) -> None:
    """Close the run as failed."""
    if _unhandled(batch):
        refused = e.FailWorkflowExecutionFailed(
            cause=_UNHANDLED, decision_task_completed_event_id=batch.id
        )
        batch.append(refused)
        return
    failed = e.WorkflowExecutionFailed(
        decision_task_completed_event_id=batch.id,
        reason=decision.reason,
        details=decision.details,
    )
    end(batch.world, batch.run, failed)


def cancel(batch: Batch, decision: d.CancelWorkflowExecution) -> None:
    """Close the run as canceled; nobody need have asked for it."""
    if _unhandled(batch):
        failed = e.CancelWorkflowExecutionFailed(
            cause=_UNHANDLED, decision_task_completed_event_id=batch.id
        )
        batch.append(failed)
        return
    canceled = e.WorkflowExecutionCanceled(
        decision_task_completed_event_id=batch.id, details=decision.details
    )
    end(batch.world, batch.run, canceled)


def continue_as_new(batch: Batch, decision: d.ContinueAsNewWorkflowExecution) -> None:
    """Close the run, and begin the next of its chain in the same transition."""
    run, config = batch.run, batch.run.config
    type = shapes.WorkflowType(
        name=config.workflow_type.name,
        version=decision.workflow_type_version or config.workflow_type.version,
    )
    found = _next_settings(batch, decision, type)
    if isinstance(found, str):
        failed = e.ContinueAsNewWorkflowExecutionFailed(
            cause=found, decision_task_completed_event_id=batch.id
        )
        batch.append(failed)
        return
    run_id = batch.world.run_id()
    continued = e.WorkflowExecutionContinuedAsNew(
        decision_task_completed_event_id=batch.id,
        new_execution_run_id=run_id,
        task_list=found.task_list,
        child_policy=found.child_policy,
        workflow_type=type,
        input=decision.input,
        execution_start_to_close_timeout=found.execution_start_to_close_timeout,
        task_priority=found.task_priority,
        task_start_to_close_timeout=found.task_start_to_close_timeout,
        tag_list=list(decision.tag_list) if decision.tag_list else None,
        lambda_role=found.lambda_role,
    )
    batch.world.close(run, continued)
    parent, initiated_id = (
        config.parent_workflow_execution,
        config.parent_initiated_event_id,
    )
    origin = starting.Origin(parent, initiated_id or 0, run.run_id)
    work = starting.Work(
        run.workflow_id, run_id, type, decision.input, decision.tag_list
    )
    starting.begin(batch.world, batch.domain, work, found, origin)


def _next_settings(
    batch: Batch,
    decision: d.ContinueAsNewWorkflowExecution,
    type: shapes.WorkflowType,
) -> starting.Settings | str:
    """Resolve what the next run is started with, or say why there is none."""
    if _unhandled(batch):
        return _UNHANDLED
    registered = batch.domain.types["workflow"].get((type.name, type.version))
    if registered is None:
        return "WORKFLOW_TYPE_DOES_NOT_EXIST"
    if registered.deprecated_at is not None:
        return "WORKFLOW_TYPE_DEPRECATED"
    try:
        return starting.resolve(registered, decision)
    except starting.Undefined as undefined:
        return starting.cause(undefined)
