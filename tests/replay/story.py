"""A run on a real engine, in a test: whoever decides does it twice, and compares.

Every decision is made by a run that was kept since the last one, and by a new one that
gets the whole history at once. They must agree.
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from flowser import events as e
from flowser import flow, requests, shapes, types
from flowser.decisions import Decision, wrapped
from flowser.local.engine.quotas import Quotas
from flowser.local.engine.world import Parked
from flowser.replay.run import Answer, Run
from flowser.replay.steps import Step
from tests.local.engine.rig import DOMAIN, REGION, Fault, Rig

__all__ = ["Quotas", "Story", "Task"]


#: Those of the current test; what they kept is to be ended, not left to a collector.
STORIES: list["Story"] = []


class Task:
    """An activity task that was polled."""

    def __init__(self, polled: dict[str, Any]) -> None:
        self.id: str = polled["activityId"]
        self.name: str = polled["activityType"]["name"]
        self.token: str = polled["taskToken"]
        self.text: str = polled.get("input", "null")

    @property
    def input(self) -> Any:
        return json.loads(self.text)

    def __repr__(self) -> str:
        return f"<{self.name} {self.id}>"


class Story:
    """One run of a workflow.

    Attributes:
        answers: What was decided so far.
        run: The run that is kept.
    """

    def __init__(
        self,
        workflow: flow.Workflow[..., Any],
        *args: Any,
        using: Iterable[Any] = (),
        workflow_id: str = "o-1",
        rig: Rig | None = None,
        budget: int = 100_000,
        tags: tuple[str, ...] = (),
        ids: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Start a run, or follow one that was started."""
        self.workflow = workflow
        self.program = flow.Program(workflow.type)
        self.rig = Rig() if rig is None else rig
        self.budget = budget
        for one in (workflow, *using):
            self.register(one.type)
        self.answers: list[Answer] = []
        self.tokens: dict[str, str] = {}
        self.ids = ids or self.start(workflow_id, tags, *args, **kwargs)
        self.run = self.fresh()
        STORIES.append(self)

    def start(
        self, workflow_id: str, tags: tuple[str, ...], *args: Any, **kwargs: Any
    ) -> dict[str, str]:
        """Start a run."""
        kind = self.workflow.type
        run = self.send(
            requests.StartWorkflowExecution(
                domain=DOMAIN,
                workflow_id=workflow_id,
                workflow_type=kind.workflow_type(),
                input=kind.dump(self.workflow.input(*args, **kwargs)),
                **kind.run_options(tag_list=tags),
            )
        )
        return {"workflowId": workflow_id, **run}

    def child(self, workflow: flow.Workflow[..., Any]) -> "Story":
        """Follow the latest child that has started."""
        return Story(workflow, rig=self.rig, ids=self.children()[-1])

    def children(self) -> list[dict[str, str]]:
        """Name the children that have started."""
        found = [
            event.attributes.workflow_execution
            for event in self.history
            if isinstance(event.attributes, e.ChildWorkflowExecutionStarted)
        ]
        return [{"workflowId": c.workflow_id, "runId": c.run_id} for c in found]

    def new(self, task: dict[str, Any]) -> list[e.Event]:
        """Give the events that the kept run has not seen."""
        last = self.run.last_event_id
        return [event for event in self.events(task) if event.id > last]

    def events(self, task: dict[str, Any]) -> list[e.Event]:
        """Give the events of a decision task."""
        return read(task["events"])

    def send(self, request: requests.Request[Any]) -> Any:
        """Call the engine; whether it conforms to SWF's model is for its own tests."""
        reply = self.rig.engine.call(self.rig.now, request, region=REGION)
        self.rig.take()
        if isinstance(reply, Parked):
            return reply
        return msgspec.json.decode(reply) if reply else None

    def register(self, kind: Any) -> None:
        """Register a type, unless it is."""
        known: dict[str, Any] = {"domain": DOMAIN, "name": kind.name}
        known |= {"version": kind.version}
        if issubclass(kind, types.Activity):
            request: Any = requests.RegisterActivityType(**known)
        else:
            request = requests.RegisterWorkflowType(**known)
        try:
            self.send(request)
        except Fault as fault:
            if "AlreadyExists" not in fault.type:
                raise

    def fresh(self) -> Run:
        """Make a run that knows nothing."""
        ids = self.ids["workflowId"], self.ids["runId"]
        return Run(*ids, self.program, budget=self.budget)

    # -- deciding --

    def poll(self) -> dict[str, Any] | None:
        """Poll for a decision task."""
        task_list = shapes.TaskList(name=self.workflow.type.task_list)
        poll = requests.PollForDecisionTask(domain=DOMAIN, task_list=task_list)
        task = page = self.send(poll)
        if isinstance(task, Parked):
            self.rig.engine.abandon(task)
            return None
        while token := page.get("nextPageToken"):
            page = self.send(msgspec.structs.replace(poll, next_page_token=token))
            task["events"] += page["events"]
        found: dict[str, Any] = task
        return found

    def decide(self, *, meanwhile: Callable[[], object] | None = None) -> Answer:
        """Decide the task that waits.

        Args:
            meanwhile: Called while the decision is being made.
        """
        task = self.poll()
        assert task is not None, "a decision task waits"
        events = read(task["events"])
        cold = self.fresh()
        cold.feed(events)
        cold.advance()
        self.run.feed(self.new(task))
        self.run.advance()
        self.do_steps(self.run, cold)
        answer = self.run.take(rest=bool(self.run.steps))
        assert answer == cold.take(rest=bool(cold.steps))
        assert self.run.stack() == cold.stack()
        cold.end()
        if meanwhile is not None:
            meanwhile()
        self.respond(task, answer)
        self.answers.append(answer)
        return answer

    def respond(self, task: dict[str, Any], answer: Answer) -> None:
        request = requests.RespondDecisionTaskCompleted(
            task_token=task["taskToken"],
            decisions=tuple(map(wrapped, answer.decisions)),
            execution_context=answer.context,
        )
        self.send(request)

    def do_steps(self, *runs: Run) -> None:
        """Do what steps wait in each of the runs, once, and tell all of them."""
        while any(run.steps and not run.full for run in runs):
            [*ids] = runs[0].steps
            assert all([*run.steps] == ids for run in runs)
            outcome = self.do_step(runs[0].steps[ids[0]])
            for run in runs:
                run.finish_step(run.steps[ids[0]], *outcome)

    def do_step(self, step: Step) -> tuple[str | None, str | None]:
        try:
            return asyncio.run(step.work()), None
        except Exception as error:  # noqa: BLE001 - a test's step may raise anything
            return None, self.program.describe(error)[1]

    def decisions(self) -> list[Decision]:
        """Decide, and give what was decided."""
        return list(self.decide().decisions)

    def ids_of(self, answer: Answer) -> list[str]:
        """Name what an answer asks for, by its ids."""
        return [str(_id(decision)) for decision in answer.decisions]

    def settle(self) -> Answer | None:
        """Decide for as long as a decision task waits; give the last answer."""
        answer = None
        while self.waits():
            answer = self.decide()
            self.skip(0)  # timers of no seconds
        return answer

    def waits(self) -> bool:
        """Tell whether a decision task waits."""
        pending = self.send(
            requests.CountPendingDecisionTasks(
                domain=DOMAIN,
                task_list=shapes.TaskList(name=self.workflow.type.task_list),
            )
        )
        return bool(pending["count"])

    # -- the world --

    def tasks(self, task_list: str = "payers") -> list[Task]:
        """Poll for activities until there is none."""
        found: list[Task] = []
        while True:
            where = shapes.TaskList(name=task_list)
            polled = self.send(
                requests.PollForActivityTask(domain=DOMAIN, task_list=where)
            )
            if isinstance(polled, Parked):
                self.rig.engine.abandon(polled)
                return found
            task = Task(polled)
            self.tokens[task.id] = task.token
            found.append(task)

    def complete(self, id: str, result: Any = None) -> None:
        """Complete an activity."""
        self.send(
            requests.RespondActivityTaskCompleted(
                task_token=self.token(id), result=json.dumps(result)
            )
        )

    def fail(self, id: str, reason: str | None, details: str | None = None) -> None:
        """Fail an activity."""
        self.send(
            requests.RespondActivityTaskFailed(
                task_token=self.token(id), reason=reason, details=details
            )
        )

    def acknowledge(self, id: str, details: str | None = None) -> None:
        """Cancel an activity, as its worker."""
        self.send(
            requests.RespondActivityTaskCanceled(
                task_token=self.token(id), details=details
            )
        )

    def beat(self, id: str, details: str | None = None) -> bool:
        """Heartbeat an activity; tell whether it is to be canceled."""
        answer = self.send(
            requests.RecordActivityTaskHeartbeat(
                task_token=self.token(id), details=details
            )
        )
        return bool(answer["cancelRequested"])

    def token(self, id: str) -> str:
        if id not in self.tokens:
            self.tasks()
        return self.tokens[id]

    def signal(self, name: str, input: Any = None) -> None:
        """Signal the run."""
        self.send(
            requests.SignalWorkflowExecution(
                domain=DOMAIN,
                workflow_id=self.ids["workflowId"],
                signal_name=name,
                input=json.dumps(input),
            )
        )

    def cancel(self) -> None:
        """Request that the run be canceled."""
        self.send(
            requests.RequestCancelWorkflowExecution(
                domain=DOMAIN, workflow_id=self.ids["workflowId"]
            )
        )

    def skip(self, seconds: float) -> None:
        """Let time pass."""
        self.rig.skip(seconds)

    # -- what came of it --

    @property
    def history(self) -> list[e.Event]:
        execution = shapes.WorkflowExecution(
            workflow_id=self.ids["workflowId"], run_id=self.ids["runId"]
        )
        found: list[e.Event] = []
        token = None
        while True:
            page = self.send(
                requests.GetWorkflowExecutionHistory(
                    domain=DOMAIN, execution=execution, next_page_token=token
                )
            )
            found += read(page["events"])
            token = page.get("nextPageToken")
            if token is None:
                return found

    @property
    def event_types(self) -> list[str]:
        return [event.type for event in self.history]

    @property
    def last(self) -> Any:
        """The attributes of the last event."""
        return self.history[-1].attributes

    @property
    def result(self) -> Any:
        """The result of a run that is completed."""
        assert isinstance(self.last, e.WorkflowExecutionCompleted), self.last
        return json.loads(self.last.result or "null")

    def replayed(self, workflow: flow.Workflow[..., Any] | None = None) -> Run:
        """Replay the whole history, with other code if it is given."""
        kind = (workflow or self.workflow).type
        run = Run(self.ids["workflowId"], self.ids["runId"], flow.Program(kind))
        try:
            run.feed(self.history)
            run.catch_up()
        except BaseException:
            run.end()
            raise
        return run


_decoder = msgspec.json.Decoder(list[e.AnyEvent], strict=False)


def read(events: list[Any]) -> list[e.Event]:
    """Read a page of a history."""
    found: list[e.Event] = _decoder.decode(msgspec.json.encode(events))
    return found


def _id(decision: Any) -> Any:
    for name in ("activity_id", "timer_id", "workflow_id", "id", "marker_name"):
        if hasattr(decision, name):
            return getattr(decision, name)
    return type(decision).__name__
