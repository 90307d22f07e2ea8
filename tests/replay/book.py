"""A history written by hand, event by event, in a test.

`Story` has a real engine; here stands what an engine would not do when it is wanted.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from flowser import decisions as d
from flowser import events as e
from flowser import flow, shapes
from flowser.replay.run import Answer, Run

LIST = shapes.TaskList(name="deciders")

#: What a decision becomes, and which of its members the event has.
BECOMES: dict[type[d.Decision], str] = {
    d.ScheduleActivityTask: "ActivityTaskScheduled",
    d.RequestCancelActivityTask: "ActivityTaskCancelRequested",
    d.StartTimer: "TimerStarted",
    d.RecordMarker: "MarkerRecorded",
    d.SignalExternalWorkflowExecution: "SignalExternalWorkflowExecutionInitiated",
    d.RequestCancelExternalWorkflowExecution: (
        "RequestCancelExternalWorkflowExecutionInitiated"
    ),
    d.ScheduleLambdaFunction: "LambdaFunctionScheduled",
    d.CompleteWorkflowExecution: "WorkflowExecutionCompleted",
    d.FailWorkflowExecution: "WorkflowExecutionFailed",
    d.CancelWorkflowExecution: "WorkflowExecutionCanceled",
}


class Book:
    """A history.

    Attributes:
        events: What was written.
        run: A run that is kept, as far as it was decided.
    """

    def __init__(
        self, workflow: flow.Workflow[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        self.workflow = workflow
        self.events: list[e.Event] = []
        self.run = self.fresh()
        self.by = 0  # the DecisionTaskCompleted event
        self.add(
            "WorkflowExecutionStarted",
            child_policy="TERMINATE",
            task_list=LIST,
            workflow_type=workflow.type.workflow_type(),
            input=workflow.type.dump(workflow.input(*args, **kwargs)),
        )

    def fresh(self, workflow: flow.Workflow[..., Any] | None = None) -> Run:
        kind = (workflow or self.workflow).type
        return Run("o-1", "r-1", flow.Program(kind))

    @property
    def last(self) -> int:
        """The id of the last event."""
        return len(self.events)

    def add(
        self, name: str, *, by: bool = False, after: float = 0.01, **members: Any
    ) -> int:
        """Write an event; *by* says that the last decision did it."""
        if by:
            members["decision_task_completed_event_id"] = self.by
        id = self.last + 1
        before = self.events[-1].time_stamp if self.events else BEGAN
        event = e.EVENTS[name](
            id=id,
            time_stamp=before + timedelta(seconds=after),
            attributes=e.ATTRIBUTES[name](**members),
        )
        self.events.append(event)
        return id

    def start(self) -> None:
        """Begin a decision."""
        id = self.add("DecisionTaskScheduled", task_list=LIST)
        self.add("DecisionTaskStarted", scheduled_event_id=id)

    def decide(self) -> Answer:
        """Begin a decision, and make it: by the kept run, and by a new one."""
        self.start()
        cold = self.fresh()
        answer = cold.decide(self.events)
        cold.end()
        assert self.run.decide(self.events) == answer
        return answer

    def answered(self, answer: Answer) -> int:
        """Write that the decision was answered, and nothing of what came of it."""
        started = max(e.id for e in self.events if e.type == "DecisionTaskStarted")
        self.by = self.add(
            "DecisionTaskCompleted",
            scheduled_event_id=started - 1,
            started_event_id=started,
            execution_context=answer.context,
        )
        return self.by

    def answer(self, answer: Answer | None = None) -> list[int]:
        """Write that the decision was answered, and what came of it."""
        if answer is None:
            cold = self.fresh()
            answer = cold.decide(self.events)
            cold.end()
        self.answered(answer)
        return [self.become(decision) for decision in answer.decisions]

    def become(self, decision: d.Decision) -> int:
        """Write what a decision becomes."""
        name = BECOMES[type(decision)]
        known = e.ATTRIBUTES[name].__struct_fields__
        fields = decision.__struct_fields__
        members = {f: getattr(decision, f) for f in fields if f in known}
        if "task_list" in known:
            members["task_list"] = LIST
        return self.add(name, by=True, **members)

    def close(self) -> None:
        """Throw the kept run away."""
        self.run.end()


BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
