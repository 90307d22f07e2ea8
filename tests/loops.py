"""The two generators of a domain, side by side."""

from collections.abc import AsyncGenerator, Callable
from typing import Any, NamedTuple

from flowser.domain import Domain
from flowser.tasks import Activity, Decision
from tests.declared import Album, Resize
from tests.histories import activity_task, began, decision_task

DECISION, ACTIVITY = "PollForDecisionTask", "PollForActivityTask"

Iterate = Callable[[Domain], AsyncGenerator[Decision | Activity, None]]


def decisions(domain: Domain) -> Any:
    """Iterate over the decision tasks of the Album."""
    return domain.decisions(Album)


def activities(domain: Domain) -> Any:
    """Iterate over the tasks of the Resize."""
    return domain.activities(Resize)


class Loop(NamedTuple):
    """A generator, the operation it polls by, its list, and a task."""

    iterate: Iterate
    operation: str
    task_list: str
    task: dict[str, Any]


BOTH = [
    Loop(decisions, DECISION, "albums", decision_task([began()])),
    Loop(activities, ACTIVITY, "images", activity_task()),
]
