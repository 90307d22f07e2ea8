"""Tasks: what polls bring, and the API data types that they carry.

Source:
    https://docs.aws.amazon.com/amazonswf/latest/apireference/API_DataTypes.html
"""

from collections.abc import Mapping
from typing import Any

from flowser import shapes
from flowser.activity_tasks import Activity, current_activity
from flowser.decision_tasks import Decision
from flowser.executions import WorkflowExecution

__all__ = [
    "Activity",
    "ActivityType",
    "Decision",
    "WorkflowExecution",
    "WorkflowType",
    "current_activity",
]


class _NamedType:
    """The name and version of a type."""

    def __init__(
        self, result: shapes.ActivityType | shapes.WorkflowType | Mapping[str, Any]
    ) -> None:
        """Wrap a type as SWF answers it."""
        if isinstance(result, Mapping):
            self.name, self.version = str(result["name"]), str(result["version"])
        else:
            self.name, self.version = result.name, result.version

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.version!r}>"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return (self.name, self.version) == (other.name, other.version)

    def __hash__(self) -> int:
        return hash((type(self), self.name, self.version))


class ActivityType(_NamedType):
    """Wrapper for the API data type.

    Attributes:
        name: The name of the type.
        version: Its version.

    Source:
        https://docs.aws.amazon.com/amazonswf/latest/apireference/API_ActivityType.html
    """


class WorkflowType(_NamedType):
    """Wrapper for the API data type.

    Attributes:
        name: The name of the type.
        version: Its version.

    Source:
        https://docs.aws.amazon.com/amazonswf/latest/apireference/API_WorkflowType.html
    """
