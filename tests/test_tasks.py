"""The seed's names for what polls bring, in the seed's place."""

import pytest

from flowser import activity_tasks, decision_tasks, executions, shapes, tasks
from flowser.tasks import ActivityType, WorkflowType


def test_names_of_the_original_are_here() -> None:
    assert tasks.Activity is activity_tasks.Activity
    assert tasks.Decision is decision_tasks.Decision
    assert tasks.WorkflowExecution is executions.WorkflowExecution


@pytest.mark.parametrize("kind", [ActivityType, WorkflowType])
def test_type_is_wrapped_from_swfs_mapping_or_from_a_typed_one(
    kind: type[ActivityType],
) -> None:
    one = kind({"name": "Resize", "version": "1.0"})
    assert (one.name, one.version) == ("Resize", "1.0")
    assert one == kind(shapes.ActivityType(name="Resize", version="1.0"))
    assert hash(one) == hash(kind({"name": "Resize", "version": "1.0"}))
    assert one != kind({"name": "Resize", "version": "2.0"})
    assert repr(one) == f"<{kind.__name__} 'Resize' '1.0'>"


def test_types_of_another_kind_differ() -> None:
    given = {"name": "a", "version": "1"}
    assert len({ActivityType(given), WorkflowType(given)}) == 2


def test_type_without_a_name_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="name"):
        ActivityType({"version": "1.0"})
