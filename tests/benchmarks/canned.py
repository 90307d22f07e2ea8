"""A server of canned answers: it costs little, so that clients are what is measured.

Its polls for decisions give a history by the name of the task list, which is the number
of events: ``1000`` is the one page of perf.md, ``10000`` has ten. Its polls for
activities give tasks without end, but no more than the number in ``flood-10000``.
"""

import functools
from collections import Counter
from typing import Any

import msgspec

from tests.support.answers import SERVICE, Fault
from tests.support.http import Connection, HttpServer, Request

PAGE = 1000

_PAYLOAD = "x" * 88
_EXECUTION = {"workflowId": "ArithmeticWorkflow-1", "runId": "r" * 44}
_ACTIVITY_TYPE = {"name": "MultiplyActivity", "version": "1.0.0"}
_WORKFLOW_TYPE = {"name": "ArithmeticWorkflow", "version": "1.0.0"}
_STARTED = {
    "childPolicy": "TERMINATE",
    "executionStartToCloseTimeout": "600",
    "input": _PAYLOAD,
    "parentInitiatedEventId": 0,
    "taskList": {"name": "ArithmeticWorkflow-1.0.0"},
    "taskStartToCloseTimeout": "120",
    "workflowType": _WORKFLOW_TYPE,
}

#: What a long run consists of: its decider schedules one activity after another.
_CYCLE: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "DecisionTaskScheduled",
        {
            "startToCloseTimeout": "120",
            "taskList": {"name": "ArithmeticWorkflow-1.0.0"},
        },
    ),
    ("DecisionTaskStarted", {"identity": "decider-1", "scheduledEventId": 2}),
    ("DecisionTaskCompleted", {"scheduledEventId": 2, "startedEventId": 3}),
    (
        "ActivityTaskScheduled",
        {
            "activityId": "MultiplyActivity-1",
            "activityType": _ACTIVITY_TYPE,
            "decisionTaskCompletedEventId": 4,
            "heartbeatTimeout": "3600",
            "input": _PAYLOAD,
            "scheduleToCloseTimeout": "3600",
            "scheduleToStartTimeout": "3600",
            "startToCloseTimeout": "3600",
            "taskList": {"name": "MultiplyActivity-1.0.0"},
        },
    ),
    ("ActivityTaskStarted", {"identity": "worker-1", "scheduledEventId": 5}),
    (
        "ActivityTaskCompleted",
        {"result": _PAYLOAD, "scheduledEventId": 5, "startedEventId": 6},
    ),
)


class CannedSwf:
    """Answers without thinking.

    Attributes:
        calls: How many requests of each operation came in.
        http: What listens.
    """

    def __init__(self) -> None:
        """Create a server that does not listen yet."""
        self.calls: Counter[str] = Counter()
        self.http = HttpServer(self._handle)
        self._handed_out: Counter[str] = Counter()

    def _handle(self, request: Request, connection: Connection) -> None:
        self.calls[request.operation] += 1
        match request.operation:
            case "StartWorkflowExecution":
                connection.reply(b'{"runId":"%b"}' % (b"r" * 44))
            case "RespondActivityTaskCompleted":
                connection.reply(b"")
            case "PollForActivityTask":
                name = msgspec.json.decode(request.body)["taskList"]["name"]
                self._hand_out(name, connection)
            case "PollForDecisionTask":
                given = msgspec.json.decode(request.body)
                connection.reply(_decision_page(*_position(given)))
            case _:
                fault = Fault("UnknownOperationException", None, namespace=SERVICE)
                connection.reply(fault.body, fault.status)

    def _hand_out(self, task_list: str, connection: Connection) -> None:
        """Answer with the next task of the list, or never."""
        self._handed_out[task_list] += 1
        number = self._handed_out[task_list]
        _, _, most = task_list.partition("flood-")
        if not most or number <= int(most):
            connection.reply(_activity_task(number))


def _activity_task(number: int) -> bytes:
    task = {
        "activityId": f"MultiplyActivity-{number}",
        "activityType": _ACTIVITY_TYPE,
        "input": '{"id":"1","operation":["mult_id",[1,2,3]]}',
        "startedEventId": 6,
        "taskToken": f"{'t' * 300}-{number}",
        "workflowExecution": _EXECUTION,
    }
    return msgspec.json.encode(task)


def _position(given: dict[str, Any]) -> tuple[int, int, bool]:
    """Read from a poll how many events there are, how many were read, and the order."""
    events = int(given["taskList"]["name"])
    token = given.get("nextPageToken")
    return events, int(token) if token else 0, bool(given.get("reverseOrder"))


@functools.cache
def _decision_page(total: int, seen: int, newest_first: bool) -> bytes:
    size = min(PAGE, total - seen)
    first = total - seen - size + 1 if newest_first else seen + 1
    events = [_event(number) for number in range(first, first + size)]
    page = {
        "events": events[::-1] if newest_first else events,
        "previousStartedEventId": max(0, total - 7),
        "startedEventId": total,
        "taskToken": "t" * 300,
        "workflowExecution": _EXECUTION,
        "workflowType": _WORKFLOW_TYPE,
    }
    if seen + size < total:
        page["nextPageToken"] = str(seen + size)
    return msgspec.json.encode(page)


def _event(number: int) -> dict[str, Any]:
    kind, attributes = "WorkflowExecutionStarted", _STARTED
    if number > 1:
        kind, attributes = _CYCLE[(number - 2) % len(_CYCLE)]
    return {
        "eventId": number,
        "eventTimestamp": 1_700_000_000.123 + number,
        "eventType": kind,
        f"{kind[0].lower()}{kind[1:]}EventAttributes": attributes,
    }
