"""Starting, signaling, canceling, terminating, describing and reading executions.

Source:
    swf-semantics.md sections 1.7, 2.4, 6 and 7.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from flowser import events as e
from flowser import requests
from flowser.local.engine import durations, faults, polling, starting
from flowser.local.engine.ending import end
from flowser.local.engine.facts import Summary
from flowser.local.engine.state import Run
from flowser.local.engine.tokens import PageToken
from flowser.local.engine.world import World


def start(world: World, request: requests.StartWorkflowExecution) -> dict[str, Any]:
    """Start an execution.

    What is wrong is looked for in the order of section 1.7.
    """
    domain = world.domain(request.domain)
    # As for registering: not in the model, weakly attested, documented as refused.
    if domain.deprecated:
        raise faults.modeled("DomainDeprecatedFault", domain.name)
    type = request.workflow_type
    registered = domain.types["workflow"].get((type.name, type.version))
    named = faults.type_text("workflow", type)
    if registered is None:
        raise faults.unknown(f"Unknown type: {named}")
    if registered.deprecated_at is not None:
        raise faults.modeled("TypeDeprecatedFault", named)
    try:
        settings = starting.resolve(registered, request)
    except starting.Undefined as undefined:
        name = next(
            field.encode_name
            for field in msgspec.structs.fields(request)
            if field.name == str(undefined)
        )
        raise faults.modeled("DefaultUndefinedFault", name) from None
    if request.workflow_id in domain.open:
        raise faults.modeled("WorkflowExecutionAlreadyStartedFault", "")
    if len(domain.open) >= world.quotas.open_executions:
        raise faults.limit("Limit on open workflow executions per domain reached")
    work = starting.Work(
        request.workflow_id, world.run_id(), type, request.input, request.tag_list
    )
    run = starting.begin(world, domain, work, settings, starting.Origin())
    return {"runId": run.run_id}


def signal(world: World, request: requests.SignalWorkflowExecution) -> None:
    """Send a signal to an open execution."""
    domain = world.domain(request.domain)
    run = world.open_run(domain, request.workflow_id, request.run_id)
    world.throttled(run.number, "SignalWorkflowExecution")
    event = e.WorkflowExecutionSignaled(
        signal_name=request.signal_name,
        input=request.input,
        external_initiated_event_id=0,
    )
    world.append(run, event)
    world.settle(run)


def request_cancel(
    world: World, request: requests.RequestCancelWorkflowExecution
) -> None:
    """Ask an open execution to cancel itself; each request is an event (6.1)."""
    domain = world.domain(request.domain)
    run = world.open_run(domain, request.workflow_id, request.run_id)
    world.throttled(run.number, "RequestCancelWorkflowExecution")
    event = e.WorkflowExecutionCancelRequested(external_initiated_event_id=0)
    world.append(run, event)
    world.settle(run)


def terminate(world: World, request: requests.TerminateWorkflowExecution) -> None:
    """Close an open execution at once."""
    domain = world.domain(request.domain)
    run = world.open_run(domain, request.workflow_id, request.run_id)
    event = e.WorkflowExecutionTerminated(
        child_policy=request.child_policy or run.config.child_policy,
        reason=request.reason,
        details=request.details,
        cause="OPERATOR_INITIATED",
    )
    end(world, run, event)


def describe(
    world: World, request: requests.DescribeWorkflowExecution
) -> dict[str, Any]:
    """Describe a run, open or closed."""
    found = world.any_run(world.domain(request.domain), request.execution)
    summary = found.summary() if isinstance(found, Run) else found
    answer: dict[str, Any] = {
        "executionInfo": info(summary),
        "executionConfiguration": _configuration(summary),
        "openCounts": {
            "openActivityTasks": summary.open_activities,
            "openDecisionTasks": summary.open_decisions,
            "openTimers": summary.open_timers,
            "openChildWorkflowExecutions": summary.open_children,
            "openLambdaFunctions": summary.open_lambdas,
        },
    }
    if summary.latest_activity_at is not None:
        at = durations.seconds(summary.latest_activity_at)
        answer["latestActivityTaskTimestamp"] = at
    if summary.context is not None:
        answer["latestExecutionContext"] = summary.context
    return answer


def info(summary: Summary) -> dict[str, Any]:
    """Tell what lists and descriptions tell of a run (section 7)."""
    told: dict[str, Any] = {
        "execution": {"workflowId": summary.workflow_id, "runId": summary.run_id},
        "workflowType": {"name": summary.type_name, "version": summary.type_version},
        "startTimestamp": durations.seconds(summary.started_at),
        "executionStatus": "OPEN",
        "cancelRequested": summary.cancel_requested,
    }
    if summary.closed_at is not None:
        told["executionStatus"] = "CLOSED"
        told["closeTimestamp"] = durations.seconds(summary.closed_at)
        told["closeStatus"] = summary.close_status
    if summary.parent_workflow_id is not None:
        ids = {"workflowId": summary.parent_workflow_id, "runId": summary.parent_run_id}
        told["parent"] = ids
    if summary.tags:
        told["tagList"] = summary.tags
    return told


def _configuration(summary: Summary) -> dict[str, Any]:
    told: dict[str, Any] = {
        "childPolicy": summary.child_policy,
        "executionStartToCloseTimeout": summary.execution_timeout,
        # The list of its first event, whatever the override (section 9.1).
        "taskList": {"name": summary.task_list},
        "taskStartToCloseTimeout": summary.task_timeout,
    }
    if summary.task_priority is not None:
        told["taskPriority"] = summary.task_priority
    if summary.lambda_role is not None:
        told["lambdaRole"] = summary.lambda_role
    return told


def history(
    world: World, request: requests.GetWorkflowExecutionHistory
) -> dict[str, Any]:
    """Read a page of a history, as long as it was when its first page was read."""
    found = world.any_run(world.domain(request.domain), request.execution)
    if isinstance(found, Run) and found.close_status is None:
        world.throttled(found.number, "GetWorkflowExecutionHistory")
    ids = request.execution
    scope = f"history:{world.region}:{request.domain}:{ids.workflow_id}:{ids.run_id}"
    scope += f":{bool(request.reverse_order)}"
    begin, stop = _place(world, request, found, scope)
    events, following = _events(world, found, (begin, stop), request.maximum_page_size)
    answer: dict[str, Any] = {"events": [msgspec.Raw(event) for event in events]}
    if following:
        token = PageToken(scope, world.now, following)
        answer["nextPageToken"] = world.tokens.page(token)
    return answer


def _place(
    world: World,
    request: requests.GetWorkflowExecutionHistory,
    found: Run | Summary,
    scope: str,
) -> tuple[int, int]:
    if request.next_page_token:
        oldest = world.now - world.quotas.page_token * 1000
        position = world.tokens.read_page(request.next_page_token, scope, oldest)
        begin, stop = map(int, position)
        return begin, stop
    last = len(found.events) if isinstance(found, Run) else found.last_event_id
    return (last, 1) if request.reverse_order else (1, last)


def _events(
    world: World, found: Run | Summary, place: tuple[int, int], size: int | None
) -> tuple[list[bytes], tuple[int, int] | None]:
    first, last, following = polling.span(world, place, size)
    if isinstance(found, Run):
        events = found.events[first - 1 : last]
    else:
        events = world.archive.events(found.run, first, last)
    return (events if place[0] <= place[1] else events[::-1]), following


OPERATIONS: dict[type[requests.Request[Any]], Callable[[World, Any], Any]] = {
    requests.StartWorkflowExecution: start,
    requests.SignalWorkflowExecution: signal,
    requests.RequestCancelWorkflowExecution: request_cancel,
    requests.TerminateWorkflowExecution: terminate,
    requests.DescribeWorkflowExecution: describe,
    requests.GetWorkflowExecutionHistory: history,
}
