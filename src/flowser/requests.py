"""The 39 requests; each class has the name of its operation, and says its answer.

Source:
    swf-semantics.md section 1.6; botocore's service-2.json.
"""

import functools
import typing
from typing import Generic, TypeVar

from flowser import limits, results, shapes
from flowser.decisions import Wrapped

R = TypeVar("R", bound=shapes.Shape)


class Request(shapes.Shape, Generic[R]):
    """The parameters of one operation; R is what SWF answers."""


class RegisterDomain(Request[results.Nothing]):
    """Register a domain."""

    name: limits.ListName
    workflow_execution_retention_period_in_days: limits.RetentionDays
    description: limits.Description | None = None
    tags: tuple[shapes.ResourceTag, ...] | None = None


class DescribeDomain(Request[results.DomainDetail]):
    """Describe a domain."""

    name: limits.ListName


class ListDomains(Request[results.DomainInfos]):
    """List the domains of the account and region."""

    registration_status: shapes.RegistrationStatus
    next_page_token: limits.PageToken | None = None
    maximum_page_size: limits.PageSize | None = None
    reverse_order: bool | None = None


class DeprecateDomain(Request[results.Nothing]):
    """Deprecate a domain, and every type in it."""

    name: limits.ListName


class UndeprecateDomain(Request[results.Nothing]):
    """Take a domain back into use."""

    name: limits.ListName


class TagResource(Request[results.Nothing]):
    """Tag a domain."""

    resource_arn: limits.Arn
    tags: tuple[shapes.ResourceTag, ...]


class UntagResource(Request[results.Nothing]):
    """Take tags off a domain."""

    resource_arn: limits.Arn
    tag_keys: tuple[limits.TagKey, ...]


class ListTagsForResource(Request[results.ResourceTags]):
    """List the tags of a domain."""

    resource_arn: limits.Arn


class RegisterWorkflowType(Request[results.Nothing]):
    """Register a workflow type with its defaults."""

    domain: limits.ListName
    name: limits.Name
    version: limits.Version
    description: limits.Description | None = None
    default_task_start_to_close_timeout: limits.SecondsOrNone | None = None
    default_execution_start_to_close_timeout: limits.Seconds | None = None
    default_task_list: shapes.TaskList | None = None
    default_task_priority: limits.Priority | None = None
    default_child_policy: shapes.ChildPolicy | None = None
    default_lambda_role: limits.Arn | None = None


class RegisterActivityType(Request[results.Nothing]):
    """Register an activity type with its defaults."""

    domain: limits.ListName
    name: limits.Name
    version: limits.Version
    description: limits.Description | None = None
    default_task_start_to_close_timeout: limits.SecondsOrNone | None = None
    default_task_heartbeat_timeout: limits.SecondsOrNone | None = None
    default_task_list: shapes.TaskList | None = None
    default_task_priority: limits.Priority | None = None
    default_task_schedule_to_start_timeout: limits.SecondsOrNone | None = None
    default_task_schedule_to_close_timeout: limits.SecondsOrNone | None = None


class DescribeWorkflowType(Request[results.WorkflowTypeDetail]):
    """Describe a workflow type and its defaults."""

    domain: limits.ListName
    workflow_type: shapes.WorkflowType


class DescribeActivityType(Request[results.ActivityTypeDetail]):
    """Describe an activity type and its defaults."""

    domain: limits.ListName
    activity_type: shapes.ActivityType


class ListWorkflowTypes(Request[results.WorkflowTypeInfos]):
    """List the workflow types of a domain."""

    domain: limits.ListName
    registration_status: shapes.RegistrationStatus
    name: limits.Name | None = None
    next_page_token: limits.PageToken | None = None
    maximum_page_size: limits.PageSize | None = None
    reverse_order: bool | None = None


class ListActivityTypes(Request[results.ActivityTypeInfos]):
    """List the activity types of a domain."""

    domain: limits.ListName
    registration_status: shapes.RegistrationStatus
    name: limits.Name | None = None
    next_page_token: limits.PageToken | None = None
    maximum_page_size: limits.PageSize | None = None
    reverse_order: bool | None = None


class DeprecateWorkflowType(Request[results.Nothing]):
    """Deprecate a workflow type."""

    domain: limits.ListName
    workflow_type: shapes.WorkflowType


class DeprecateActivityType(Request[results.Nothing]):
    """Deprecate an activity type."""

    domain: limits.ListName
    activity_type: shapes.ActivityType


class UndeprecateWorkflowType(Request[results.Nothing]):
    """Take a workflow type back into use."""

    domain: limits.ListName
    workflow_type: shapes.WorkflowType


class UndeprecateActivityType(Request[results.Nothing]):
    """Take an activity type back into use."""

    domain: limits.ListName
    activity_type: shapes.ActivityType


class DeleteWorkflowType(Request[results.Nothing]):
    """Delete a deprecated workflow type."""

    domain: limits.ListName
    workflow_type: shapes.WorkflowType


class DeleteActivityType(Request[results.Nothing]):
    """Delete a deprecated activity type."""

    domain: limits.ListName
    activity_type: shapes.ActivityType


class StartWorkflowExecution(Request[results.Run]):
    """Start an execution."""

    domain: limits.ListName
    workflow_id: limits.Name
    workflow_type: shapes.WorkflowType
    task_list: shapes.TaskList | None = None
    task_priority: limits.Priority | None = None
    input: limits.Data | None = None
    execution_start_to_close_timeout: limits.Seconds | None = None
    tag_list: limits.TagList | None = None
    task_start_to_close_timeout: limits.SecondsOrNone | None = None
    child_policy: shapes.ChildPolicy | None = None
    lambda_role: limits.Arn | None = None


class SignalWorkflowExecution(Request[results.Nothing]):
    """Send a signal to an open execution."""

    domain: limits.ListName
    workflow_id: limits.Name
    signal_name: limits.Label
    run_id: limits.RunIdOptional | None = None
    input: limits.Data | None = None


class RequestCancelWorkflowExecution(Request[results.Nothing]):
    """Ask an open execution to cancel itself."""

    domain: limits.ListName
    workflow_id: limits.Name
    run_id: limits.RunIdOptional | None = None


class TerminateWorkflowExecution(Request[results.Nothing]):
    """Close an open execution at once."""

    domain: limits.ListName
    workflow_id: limits.Name
    run_id: limits.RunIdOptional | None = None
    reason: limits.Reason | None = None
    details: limits.Data | None = None
    child_policy: shapes.ChildPolicy | None = None


class DescribeWorkflowExecution(Request[results.WorkflowExecutionDetail]):
    """Describe a run."""

    domain: limits.ListName
    execution: shapes.WorkflowExecution


class GetWorkflowExecutionHistory(Request[results.History]):
    """Read a page of the history of a run."""

    domain: limits.ListName
    execution: shapes.WorkflowExecution
    next_page_token: limits.PageToken | None = None
    maximum_page_size: limits.PageSize | None = None
    reverse_order: bool | None = None


class ListOpenWorkflowExecutions(Request[results.WorkflowExecutionInfos]):
    """List open executions."""

    domain: limits.ListName
    start_time_filter: shapes.ExecutionTimeFilter
    type_filter: shapes.WorkflowTypeFilter | None = None
    tag_filter: shapes.TagFilter | None = None
    next_page_token: limits.PageToken | None = None
    maximum_page_size: limits.PageSize | None = None
    reverse_order: bool | None = None
    execution_filter: shapes.WorkflowExecutionFilter | None = None


class ListClosedWorkflowExecutions(Request[results.WorkflowExecutionInfos]):
    """List closed executions."""

    domain: limits.ListName
    start_time_filter: shapes.ExecutionTimeFilter | None = None
    close_time_filter: shapes.ExecutionTimeFilter | None = None
    execution_filter: shapes.WorkflowExecutionFilter | None = None
    close_status_filter: shapes.CloseStatusFilter | None = None
    type_filter: shapes.WorkflowTypeFilter | None = None
    tag_filter: shapes.TagFilter | None = None
    next_page_token: limits.PageToken | None = None
    maximum_page_size: limits.PageSize | None = None
    reverse_order: bool | None = None


class CountOpenWorkflowExecutions(Request[results.WorkflowExecutionCount]):
    """Count open executions."""

    domain: limits.ListName
    start_time_filter: shapes.ExecutionTimeFilter
    type_filter: shapes.WorkflowTypeFilter | None = None
    tag_filter: shapes.TagFilter | None = None
    execution_filter: shapes.WorkflowExecutionFilter | None = None


class CountClosedWorkflowExecutions(Request[results.WorkflowExecutionCount]):
    """Count closed executions."""

    domain: limits.ListName
    start_time_filter: shapes.ExecutionTimeFilter | None = None
    close_time_filter: shapes.ExecutionTimeFilter | None = None
    execution_filter: shapes.WorkflowExecutionFilter | None = None
    type_filter: shapes.WorkflowTypeFilter | None = None
    tag_filter: shapes.TagFilter | None = None
    close_status_filter: shapes.CloseStatusFilter | None = None


class CountPendingActivityTasks(Request[results.PendingTaskCount]):
    """Estimate how many activity tasks wait on a list."""

    domain: limits.ListName
    task_list: shapes.TaskList


class CountPendingDecisionTasks(Request[results.PendingTaskCount]):
    """Estimate how many decision tasks wait on a list."""

    domain: limits.ListName
    task_list: shapes.TaskList


class PollForDecisionTask(Request[results.DecisionTask]):
    """Wait up to 60 seconds for a decision task, or read its next page."""

    domain: limits.ListName
    task_list: shapes.TaskList
    identity: limits.Identity | None = None
    next_page_token: limits.PageToken | None = None
    maximum_page_size: limits.PageSize | None = None
    reverse_order: bool | None = None
    start_at_previous_started_event: bool | None = None


class PollForActivityTask(Request[results.ActivityTask]):
    """Wait up to 60 seconds for an activity task."""

    domain: limits.ListName
    task_list: shapes.TaskList
    identity: limits.Identity | None = None


class RespondDecisionTaskCompleted(Request[results.Nothing]):
    """Answer a decision task with decisions."""

    task_token: limits.TaskToken
    decisions: tuple[Wrapped, ...] | None = None
    execution_context: limits.Data | None = None
    task_list: shapes.TaskList | None = None
    task_list_schedule_to_start_timeout: limits.SecondsOrNone | None = None


class RespondActivityTaskCompleted(Request[results.Nothing]):
    """Answer an activity task with its result."""

    task_token: limits.TaskToken
    result: limits.Data | None = None


class RespondActivityTaskFailed(Request[results.Nothing]):
    """Answer an activity task with a failure."""

    task_token: limits.TaskToken
    reason: limits.Reason | None = None
    details: limits.Data | None = None


class RespondActivityTaskCanceled(Request[results.Nothing]):
    """Answer an activity task as canceled."""

    task_token: limits.TaskToken
    details: limits.Data | None = None


class RecordActivityTaskHeartbeat(Request[results.ActivityTaskStatus]):
    """Say that an activity task goes on, and learn of a cancel request."""

    task_token: limits.TaskToken
    details: limits.LimitedData | None = None


#: The class of a request, by the name of its operation.
OPERATIONS: dict[str, type[Request[typing.Any]]] = {
    request.__name__: request for request in Request.__subclasses__()
}

#: Operations that SWF holds for up to 60 seconds.
POLLS = frozenset({"PollForDecisionTask", "PollForActivityTask"})


def is_long_poll(request: Request[typing.Any]) -> bool:
    """Tell a poll, which SWF may hold, from reading a further page of its answer."""
    polls = type(request).__name__ in POLLS
    return polls and getattr(request, "next_page_token", None) is None


@functools.cache
def answer(request: type[Request[R]]) -> type[R]:
    """Name the class of what SWF answers to a request."""
    (base,) = (
        base
        for base in request.__dict__["__orig_bases__"]
        if typing.get_origin(base) is Request
    )
    found: type[R] = typing.get_args(base)[0]
    return found
