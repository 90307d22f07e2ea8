"""Raw answers of SWF about histories and tasks, as a scripted server gives them."""

from collections.abc import Iterable, Sequence
from typing import Any

from tests.support.answers import Recorded

Raw = dict[str, Any]

RUN = {"workflowId": "album-1", "runId": "run-1"}
ALBUM = {"name": "Album", "version": "1.0"}
RESIZE = {"name": "Resize", "version": "1.0"}
COMPLETED_BY = {"decisionTaskCompletedEventId": 4}


def raw(number: int, event_type: str, /, **attributes: Any) -> Raw:
    """Build an event."""
    member = f"{event_type[0].lower()}{event_type[1:]}EventAttributes"
    return {
        "eventId": number,
        "eventType": event_type,
        "eventTimestamp": 1_500_000_000.25 + number,
        member: attributes,
    }


def began(**attributes: Any) -> Raw:
    """Build event 1 of a run of the Album."""
    given: Raw = {
        "childPolicy": "TERMINATE",
        "taskList": {"name": "albums"},
        "workflowType": ALBUM,
    }
    return raw(1, "WorkflowExecutionStarted", **(given | attributes))


def marker(number: int, name: str = "m") -> Raw:
    """Build a marker."""
    return raw(number, "MarkerRecorded", markerName=name, **COMPLETED_BY)


def signaled(number: int, name: str = "s", **attributes: Any) -> Raw:
    """Build a signal."""
    return raw(number, "WorkflowExecutionSignaled", signalName=name, **attributes)


def done(number: int, scheduled: int, **attributes: Any) -> Raw:
    """Build the completion of an activity."""
    ids = {"scheduledEventId": scheduled, "startedEventId": scheduled + 1}
    return raw(number, "ActivityTaskCompleted", **(ids | attributes))


def scheduled(number: int, **attributes: Any) -> Raw:
    """Build the scheduling of a Resize."""
    given = {
        "activityType": RESIZE,
        "activityId": f"a-{number}",
        "taskList": {"name": "images"},
    }
    return raw(number, "ActivityTaskScheduled", **(given | COMPLETED_BY | attributes))


def decision_task(events: Iterable[Raw], token: str | None = None, **more: Any) -> Raw:
    """Build a decision task; events in the order in which they are to be read."""
    task: Raw = {
        "taskToken": "token-1",
        "startedEventId": 3,
        "previousStartedEventId": 0,
        "workflowExecution": RUN,
        "workflowType": ALBUM,
        "events": list(events),
    }
    return task | more | ({"nextPageToken": token} if token else {})


def activity_task(**more: Any) -> Raw:
    """Build a task of the Resize."""
    task: Raw = {
        "taskToken": "token-1",
        "activityId": "a-1",
        "startedEventId": 6,
        "workflowExecution": RUN,
        "activityType": RESIZE,
    }
    return task | more


def page(events: Iterable[Raw], token: str | None = None) -> Raw:
    """Build a page of GetWorkflowExecutionHistory."""
    answer: Raw = {"events": list(events)}
    return answer | ({"nextPageToken": token} if token else {})


class LongHistory:
    """Serves the pages of a run of many events, made when they are asked for.

    Give :meth:`poll` and :meth:`read` as answers of the two operations.
    """

    def __init__(self, events: int, page_size: int = 1_000) -> None:
        """Serve event 1, then markers."""
        self._events = events
        self._size = page_size

    async def poll(self, recorded: Recorded) -> Raw:
        """Answer PollForDecisionTask."""
        events, token = self._page(recorded.params)
        return decision_task(events, token, startedEventId=self._events)

    async def read(self, recorded: Recorded) -> Raw:
        """Answer GetWorkflowExecutionHistory."""
        return page(*self._page(recorded.params))

    def _page(self, params: Raw) -> tuple[list[Raw], str | None]:
        size = params.get("maximumPageSize") or self._size
        first = int(params.get("nextPageToken") or 0)
        numbers: Sequence[int] = range(1, self._events + 1)
        if params.get("reverseOrder"):
            numbers = numbers[::-1]
        chosen = numbers[first : first + size]
        rest = first + size < self._events
        events = [marker(n) if n > 1 else began(input='{"id": 7}') for n in chosen]
        return events, str(first + size) if rest else None
