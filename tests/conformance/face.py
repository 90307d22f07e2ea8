"""What a scenario sees of an SWF: calls, time, and histories to compare.

Source:
    swf-semantics.md sections 1.1, 1.2, 2.2 and 4.
"""

from typing import Any, Protocol

import pytest

from flowser import decisions, events
from tests.local.shapes import conforming, model

#: An event as a scenario expects it: its type and its attributes.
Expected = tuple[str, dict[str, Any]]


#: The time-outs that the activity type has by default.
TIMEOUTS = {
    "scheduleToStartTimeout": "100",
    "scheduleToCloseTimeout": "200",
    "startToCloseTimeout": "50",
    "heartbeatTimeout": "NONE",
}


class Fault(Exception):
    """An error that SWF answered with: its name, and its message."""

    def __init__(self, name: str, message: str | None) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message or ""


def defaults(timeouts: dict[str, str]) -> dict[str, str]:
    """Name the time-outs of an activity as its type does."""
    return {
        f"defaultTask{name[0].upper()}{name[1:]}": value
        for name, value in timeouts.items()
    }


class Backend(Protocol):
    """Something that claims to be SWF.

    Attributes:
        domain: The domain that is played in.
        suffix: What makes names unlike all others of that domain.
        fresh: Whether the domain has to be registered.
        newer: Whether it may tell more than botocore's model knows.
        atomic: Whether the events of a transition share a time stamp.
    """

    domain: str
    suffix: str
    fresh: bool
    newer: bool
    atomic: bool

    async def send(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        """Carry out a call; raises :class:`Fault`."""
        ...

    async def skip(self, seconds: float) -> None:
        """Turn the clock."""
        ...

    async def held(self, polls: int) -> None:
        """Wait until so many polls wait."""
        ...

    def mended(self, event: dict[str, Any]) -> dict[str, Any]:
        """Give an event as SWF would write it, if that is known to be no use here."""
        ...


def decision(kind: str, **attributes: Any) -> dict[str, Any]:
    """Make a decision."""
    return {"decisionType": kind, decisions.member(kind): attributes}


def taken(scheduled: int, **more: Any) -> Expected:
    """Expect a decision task to be handed out."""
    return "DecisionTaskStarted", {"scheduledEventId": scheduled} | more


def answered(scheduled: int, started: int, **more: Any) -> Expected:
    """Expect a decision task to be answered."""
    ids = {"scheduledEventId": scheduled, "startedEventId": started}
    return "DecisionTaskCompleted", ids | more


def begun(scheduled: int, **more: Any) -> Expected:
    """Expect an activity task to be handed out."""
    return "ActivityTaskStarted", {"scheduledEventId": scheduled} | more


def signaled(**more: Any) -> Expected:
    """Expect the signal ``s``, as :meth:`Swf.signal` sends it."""
    told = {"signalName": "s", "input": "in", "externalInitiatedEventId": 0}
    return "WorkflowExecutionSignaled", told | more


def marked(batch: int, name: str = "m", **more: Any) -> Expected:
    """Expect a marker."""
    told = {"markerName": name, "decisionTaskCompletedEventId": batch}
    return "MarkerRecorded", told | more


class Swf:
    """An SWF with one workflow type, one activity type and a task list for each.

    Attributes:
        order: The workflow type; its defaults are all set.
        pay: The activity type; likewise.
        deciders: The list of decision tasks.
        payers: The list of activity tasks.
        told: What was seen of attributes, by event type.
        causes: Why something failed, by event type.
        operations: What was called with success.
        refusals: What was answered as an error.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.domain = backend.domain
        self.order = {"name": self.id("order"), "version": "1"}
        self.pay = {"name": self.id("pay"), "version": "1"}
        self.deciders = {"name": self.id("deciders")}
        self.payers = {"name": self.id("payers")}
        self.told: dict[str, set[str]] = {}
        self.causes: set[tuple[str, str]] = set()
        self.operations: set[str] = set()
        self.refusals: set[str] = set()

    def id(self, name: str) -> str:
        """Make a name that no other scenario has."""
        return name + self.backend.suffix

    async def prepare(self) -> None:
        """Register the two types, and the domain if it is not there."""
        if self.backend.fresh:
            await self.call(
                "RegisterDomain",
                name=self.domain,
                workflowExecutionRetentionPeriodInDays="1",
            )
        await self.call(
            "RegisterWorkflowType",
            **self.order,
            defaultTaskList=self.deciders,
            defaultExecutionStartToCloseTimeout="1000",
            defaultTaskStartToCloseTimeout="10",
            defaultChildPolicy="TERMINATE",
        )
        await self.call(
            "RegisterActivityType",
            **self.pay,
            defaultTaskList=self.payers,
            **defaults(TIMEOUTS),
        )

    async def tidy(self) -> None:
        """Leave no registered type behind."""
        await self.call("DeprecateWorkflowType", workflowType=self.order)
        await self.call("DeprecateActivityType", activityType=self.pay)

    # -- calls --------------------------------------------------------------------

    async def call(self, operation: str, /, **members: Any) -> dict[str, Any]:
        """Call an operation, in the domain if it has one, and check the answer's form.

        Raises:
            Fault: When it is refused.
        """
        shape = model().operation_model(operation).input_shape
        if shape is not None and "domain" in shape.members:
            members = {"domain": self.domain} | members
        answer = await self.backend.send(operation, members)
        conforming(operation, answer, newer=self.backend.newer)
        self.operations.add(operation)
        return answer

    async def refuses(
        self, name: str, message: str | None, operation: str, /, **members: Any
    ) -> None:
        """Expect these words of refusal; None where SWF's are not known."""
        with pytest.raises(Fault) as refused:
            await self.call(operation, **members)
        fault = refused.value
        self.refusals.add(fault.name)
        words = fault.message if message is None else message
        assert (fault.name, fault.message) == (name, words)

    async def skip(self, seconds: float) -> None:
        """Turn the clock."""
        await self.backend.skip(seconds)

    async def start(self, id: str = "run", **members: Any) -> dict[str, str]:
        """Start an execution, and give its two ids."""
        workflow_id = self.id(id)
        asked = {"workflowId": workflow_id, "workflowType": self.order} | members
        answer = await self.call("StartWorkflowExecution", **asked)
        return {"workflowId": workflow_id, "runId": answer["runId"]}

    async def task(self, **members: Any) -> dict[str, Any]:
        """Take a decision task, which is there."""
        asked = {"taskList": self.deciders} | members
        task = await self.call("PollForDecisionTask", **asked)
        assert task.get("taskToken"), "no decision task is there"
        return task

    async def work(self, **members: Any) -> dict[str, Any]:
        """Take an activity task, which is there."""
        asked = {"taskList": self.payers} | members
        task = await self.call("PollForActivityTask", **asked)
        assert task.get("taskToken"), "no activity task is there"
        return task

    async def decide(
        self, task: dict[str, Any], *made: dict[str, Any], **members: Any
    ) -> None:
        """Answer a decision task."""
        members = {"taskToken": task["taskToken"], "decisions": [*made]} | members
        await self.call("RespondDecisionTaskCompleted", **members)

    async def complete(self, task: dict[str, Any], **members: Any) -> None:
        """Answer an activity task with its result."""
        token = task["taskToken"]
        await self.call("RespondActivityTaskCompleted", taskToken=token, **members)

    async def signal(self, id: str = "run", **members: Any) -> None:
        """Send the signal ``s``."""
        asked = {"workflowId": self.id(id), "signalName": "s", "input": "in"} | members
        await self.call("SignalWorkflowExecution", **asked)

    async def terminate(self, id: str = "run", **members: Any) -> None:
        """Terminate an execution."""
        asked = {"workflowId": self.id(id)} | members
        await self.call("TerminateWorkflowExecution", **asked)

    async def describe(self, run: dict[str, str]) -> dict[str, Any]:
        """Describe a run."""
        return await self.call("DescribeWorkflowExecution", execution=run)

    # -- what is made, and what is expected of it ---------------------------------

    def paying(self, id: str = "a", **attributes: Any) -> dict[str, Any]:
        """Make the decision to schedule a payment."""
        named = {"activityType": self.pay, "activityId": id}
        return decision("ScheduleActivityTask", **(named | attributes))

    def started(self, **more: Any) -> Expected:
        """Expect a run to begin."""
        resolved = {
            "workflowType": self.order,
            "taskList": self.deciders,
            "childPolicy": "TERMINATE",
            "executionStartToCloseTimeout": "1000",
            "taskStartToCloseTimeout": "10",
            "parentInitiatedEventId": 0,
        }
        return "WorkflowExecutionStarted", resolved | more

    def scheduled(self, **more: Any) -> Expected:
        """Expect a decision task to be scheduled."""
        resolved = {
            "taskList": self.deciders,
            "startToCloseTimeout": "10",
            "scheduleToStartTimeout": "NONE",
        }
        return "DecisionTaskScheduled", resolved | more

    def paid(self, batch: int, id: str = "a", **more: Any) -> Expected:
        """Expect a payment to be scheduled."""
        resolved = {
            "activityType": self.pay,
            "activityId": id,
            "decisionTaskCompletedEventId": batch,
            "taskList": self.payers,
            **TIMEOUTS,
        }
        return "ActivityTaskScheduled", resolved | more

    # -- histories ----------------------------------------------------------------

    async def history(self, run: dict[str, str], **members: Any) -> list[Any]:
        """Read the whole history of a run."""
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            page = await self.call(
                "GetWorkflowExecutionHistory", execution=run, **members, **token
            )
            found += map(self.backend.mended, page["events"])
            if "nextPageToken" not in page:
                break
            token = {"nextPageToken": page["nextPageToken"]}
        for event in found:
            self._note(event)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        kind = event["eventType"]
        attributes = event[events.member(kind)]
        self.told.setdefault(kind, set()).update(attributes)
        if "cause" in attributes:
            self.causes.add((kind, attributes["cause"]))

    async def expect(self, run: dict[str, str], *transitions: list[Expected]) -> None:
        """Expect a history, event by event, attribute by attribute.

        Args:
            run: Whose.
            *transitions: The events that each transition wrote, with one time stamp.
        """
        found = await self.history(run)
        wanted = [event for transition in transitions for event in transition]
        assert [_read(event) for event in found] == [
            (number, *event) for number, event in enumerate(wanted, 1)
        ]
        times = [event["eventTimestamp"] for event in found]
        assert times == sorted(times)
        for transition in transitions:
            stamps = {times.pop(0) for _ in transition}
            assert not self.backend.atomic or len(stamps) == 1, transition

    async def last(self, run: dict[str, str], count: int) -> list[Expected]:
        """Give the last events of a run, in the form in which they are expected."""
        page = await self.call(
            "GetWorkflowExecutionHistory",
            execution=run,
            reverseOrder=True,
            maximumPageSize=count,
        )
        found = [self.backend.mended(event) for event in page["events"][:count]]
        for event in found:
            self._note(event)
        return [_read(event)[1:] for event in reversed(found)]


def _read(event: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    """Give id, type and attributes of an event that has nothing else but its time."""
    kind = event["eventType"]
    member = events.member(kind)
    assert set(event) == {"eventId", "eventType", "eventTimestamp", member}
    return event["eventId"], kind, event[member]
