"""What SWF answers.

Enumerations are plain strings here, so that a value from a newer service is no error;
they compare equal to the members of :mod:`flowser.shapes`.

Source:
    swf-semantics.md sections 1.6, 2.3 and 7; botocore's service-2.json.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from flowser import shapes
from flowser.shapes import Shape

if TYPE_CHECKING:
    from flowser.events import Event
else:  # msgspec decodes by the tagged union; a type checker sees its base
    from flowser.events import AnyEvent as Event


class Nothing(Shape):
    """The answer of an operation that answers nothing."""


class WorkflowExecutionInfo(Shape):
    """What lists and descriptions tell of an execution."""

    execution: shapes.WorkflowExecution
    workflow_type: shapes.WorkflowType
    start_timestamp: datetime
    execution_status: str
    close_timestamp: datetime | None = None
    close_status: str | None = None
    parent: shapes.WorkflowExecution | None = None
    tag_list: list[str] | None = None
    cancel_requested: bool | None = None


class DomainInfo(Shape):
    """What lists and descriptions tell of a domain."""

    name: str
    status: str
    description: str | None = None
    arn: str | None = None


class DomainConfiguration(Shape):
    """How long the histories of closed executions are kept."""

    workflow_execution_retention_period_in_days: str


class DomainDetail(Shape):
    """A described domain."""

    domain_info: DomainInfo
    configuration: DomainConfiguration


class DomainInfos(Shape):
    """A page of domains."""

    domain_infos: list[DomainInfo]
    next_page_token: str | None = None


class ResourceTags(Shape):
    """The tags of a domain."""

    tags: list[shapes.ResourceTag] | None = None


class ActivityTypeInfo(Shape):
    """What lists and descriptions tell of an activity type."""

    activity_type: shapes.ActivityType
    status: str
    creation_date: datetime
    description: str | None = None
    deprecation_date: datetime | None = None


class ActivityTypeConfiguration(Shape):
    """The defaults of an activity type; what was not set is None."""

    default_task_start_to_close_timeout: str | None = None
    default_task_heartbeat_timeout: str | None = None
    default_task_list: shapes.TaskList | None = None
    default_task_priority: str | None = None
    default_task_schedule_to_start_timeout: str | None = None
    default_task_schedule_to_close_timeout: str | None = None


class ActivityTypeDetail(Shape):
    """A described activity type."""

    type_info: ActivityTypeInfo
    configuration: ActivityTypeConfiguration


class ActivityTypeInfos(Shape):
    """A page of activity types."""

    type_infos: list[ActivityTypeInfo]
    next_page_token: str | None = None


class WorkflowTypeInfo(Shape):
    """What lists and descriptions tell of a workflow type."""

    workflow_type: shapes.WorkflowType
    status: str
    creation_date: datetime
    description: str | None = None
    deprecation_date: datetime | None = None


class WorkflowTypeConfiguration(Shape):
    """The defaults of a workflow type; what was not set is None."""

    default_task_start_to_close_timeout: str | None = None
    default_execution_start_to_close_timeout: str | None = None
    default_task_list: shapes.TaskList | None = None
    default_task_priority: str | None = None
    default_child_policy: str | None = None
    default_lambda_role: str | None = None


class WorkflowTypeDetail(Shape):
    """A described workflow type."""

    type_info: WorkflowTypeInfo
    configuration: WorkflowTypeConfiguration


class WorkflowTypeInfos(Shape):
    """A page of workflow types."""

    type_infos: list[WorkflowTypeInfo]
    next_page_token: str | None = None


class Run(Shape):
    """The run that was started."""

    run_id: str | None = None


class WorkflowExecutionConfiguration(Shape):
    """What a run was started with, defaults resolved."""

    task_start_to_close_timeout: str
    execution_start_to_close_timeout: str
    task_list: shapes.TaskList
    child_policy: str
    task_priority: str | None = None
    lambda_role: str | None = None


class WorkflowExecutionOpenCounts(Shape):
    """How much of a run is open."""

    open_activity_tasks: int
    open_decision_tasks: int
    open_timers: int
    open_child_workflow_executions: int
    open_lambda_functions: int | None = None


class WorkflowExecutionDetail(Shape):
    """A described run."""

    execution_info: WorkflowExecutionInfo
    execution_configuration: WorkflowExecutionConfiguration
    open_counts: WorkflowExecutionOpenCounts
    latest_activity_task_timestamp: datetime | None = None
    latest_execution_context: str | None = None


class WorkflowExecutionInfos(Shape):
    """A page of executions."""

    execution_infos: list[WorkflowExecutionInfo]
    next_page_token: str | None = None


class WorkflowExecutionCount(Shape):
    """A number of executions; a lower bound when truncated."""

    count: int
    truncated: bool | None = None


class PendingTaskCount(Shape):
    """A number of waiting tasks; a lower bound when truncated."""

    count: int
    truncated: bool | None = None


class History(Shape):
    """A page of a history."""

    events: list[Event]
    next_page_token: str | None = None


class ActivityTaskStatus(Shape):
    """The answer to a heartbeat."""

    cancel_requested: bool


class DecisionTask(Shape):
    """The answer to a poll for a decision task; empty without a token."""

    task_token: str
    started_event_id: int
    workflow_execution: shapes.WorkflowExecution
    workflow_type: shapes.WorkflowType
    events: list[Event]
    next_page_token: str | None = None
    previous_started_event_id: int = 0


class ActivityTask(Shape):
    """The answer to a poll for an activity task; empty without a token."""

    task_token: str
    activity_id: str
    started_event_id: int
    workflow_execution: shapes.WorkflowExecution
    activity_type: shapes.ActivityType
    input: str | None = None
