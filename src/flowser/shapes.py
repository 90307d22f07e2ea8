"""The small values that requests, results, events and decisions are made of.

Members have SWF's own names in snake_case; on the wire they are in camelCase. What
is None is left out.

Source:
    botocore's service-2.json; swf-semantics.md sections 1.1 and 1.5.
"""

from enum import StrEnum
from typing import Any, dataclass_transform

import msgspec

from flowser import limits


class ChildPolicy(StrEnum):
    """What happens to open children of a run that is terminated or times out."""

    TERMINATE = "TERMINATE"
    REQUEST_CANCEL = "REQUEST_CANCEL"
    ABANDON = "ABANDON"


class RegistrationStatus(StrEnum):
    """Whether new executions or tasks can be made of a type, or in a domain."""

    REGISTERED = "REGISTERED"
    DEPRECATED = "DEPRECATED"


class ExecutionStatus(StrEnum):
    """Whether an execution goes on."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


class CloseStatus(StrEnum):
    """How an execution ended."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    TERMINATED = "TERMINATED"
    CONTINUED_AS_NEW = "CONTINUED_AS_NEW"
    TIMED_OUT = "TIMED_OUT"


class TimeoutType(StrEnum):
    """Which clock ran out."""

    START_TO_CLOSE = "START_TO_CLOSE"
    SCHEDULE_TO_START = "SCHEDULE_TO_START"
    SCHEDULE_TO_CLOSE = "SCHEDULE_TO_CLOSE"
    HEARTBEAT = "HEARTBEAT"


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,)
)
class Shape(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    omit_defaults=True,
    gc=False,  # values cannot be in a cycle, and there are very many
):
    """A value with named members, as SWF has it.

    The decorator tells type checkers what msgspec does: subclasses inherit it all.
    """


class WorkflowExecution(Shape):
    """The two ids of a run."""

    workflow_id: limits.Name
    run_id: limits.RunId


class WorkflowType(Shape):
    """The name and version of a workflow type."""

    name: limits.Name
    version: limits.Version


class ActivityType(Shape):
    """The name and version of an activity type."""

    name: limits.Name
    version: limits.Version


class TaskList(Shape):
    """The list that pollers ask for tasks."""

    name: limits.ListName


class ResourceTag(Shape):
    """A tag of a domain."""

    key: limits.TagKey
    value: limits.TagValue | None = None


class ExecutionTimeFilter(Shape):
    """A span of times, in seconds since 1970; open-ended without a latest date."""

    oldest_date: float
    latest_date: float | None = None


class WorkflowExecutionFilter(Shape):
    """Executions of one workflow id."""

    workflow_id: limits.Name


class WorkflowTypeFilter(Shape):
    """Executions of a type, of all its versions when none is given."""

    name: limits.Name
    version: limits.VersionOptional | None = None


class TagFilter(Shape):
    """Executions that were started with a tag."""

    tag: limits.Tag


class CloseStatusFilter(Shape):
    """Closed executions that ended in one way."""

    status: CloseStatus


def without_nulls(value: Any) -> Any:
    """Leave out what is null in the lists of plain JSON.

    SWF accepts ``tagList: [null]`` and echoes it (swf-semantics.md section 1.1). It is
    absent here, as nulls are elsewhere: tags are texts.
    """
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items()}
    if isinstance(value, list):
        return [without_nulls(item) for item in value if item is not None]
    return value
