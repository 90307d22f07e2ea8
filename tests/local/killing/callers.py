"""Callers of a server: all that starters, deciders and workers do, all at once.

They note every call in a journal before they make it, and its answer when they have it.
What they had in hand when a server died, they go on with when it is there again.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import aiohttp

from tests.local.killing.journal import Call, Event, Journal, Seen
from tests.support.watch import Watch

DOMAIN = "farm"
_WORK = {"name": "Work", "version": "1"}
_SEASON = {"name": "Season", "version": "1"}

#: How many runs are open at most; how many activities are in hand; decisions of a run.
_OPEN, _IN_HAND, _DECISIONS = 12, 8, 3

_BEAT = "RecordActivityTaskHeartbeat"
_ANSWERS = [
    (_BEAT, "details"),
    ("RespondActivityTaskCompleted", "result"),
    ("RespondActivityTaskFailed", "details"),
]

_HTTP_ERROR, _SERVER_ERROR = 400, 500


class Refused(Exception):
    """An answer that is an error."""


class Gone(Exception):
    """There is no answer, for the server is not there."""


class Task(NamedTuple):
    """A task that was handed out.

    Attributes:
        token: What SWF knows it by.
        run: The workflow id.
        started: The event that handed it out.
        events: The history that came with it, if it is a decision task.
    """

    token: str
    run: str
    started: int
    events: list[Event]


class Line:
    """Calls a server."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def ask(self, operation: str, **params: Any) -> Any:
        """Call, and read the answer.

        Raises:
            Refused: When it is an error.
            Gone: When there is none.
        """
        headers = {
            "X-Amz-Target": f"SimpleWorkflowService.{operation}",
            "Content-Type": "application/x-amz-json-1.0",
        }
        body = json.dumps(params).encode()
        post = self._session.post(self._url, data=body, headers=headers)
        try:
            async with post as response:
                text = await response.read()
        except aiohttp.ClientError as error:
            raise Gone from error
        if response.status >= _HTTP_ERROR:
            raise Refused(operation, response.status, text)
        return json.loads(text) if text else {}


class Farm:
    """What all callers know together.

    Attributes:
        open: The run ids of runs that may be open, by workflow id.
        decisions: Decision tasks in hand.
        activities: Activity tasks in hand.
        answers: How many calls were answered.
    """

    def __init__(self, seed: int) -> None:
        self.journal = Journal()
        self.chance = random.Random(seed)
        self.open: dict[str, str] = {}
        self.decisions: list[Task] = []
        self.activities: list[Task] = []
        self.answers = 0
        self._line: Line | None = None
        self._watch = Watch(lambda: f"{self.answers} answers")

    async def answered(self, more: int) -> None:
        """Wait for so many answers."""
        enough = self.answers + more
        await self._watch.until(lambda: self.answers >= enough, f"{more} more", 30)

    async def work(self, line: Line) -> None:
        """Do everything, until the server is gone."""
        self._line = line
        roles = [self._start, self._poll_decision, self._poll_decision, self._decide]
        roles += [self._poll_activity, self._poll_activity, self._work, self._work]
        roles += [self._signal, self._read, self._register]
        async with asyncio.TaskGroup() as group:
            for role in roles:
                group.create_task(self._for_ever(role))

    async def _for_ever(self, role: Callable[[], Awaitable[None]]) -> None:
        try:
            while self._line is not None:
                await role()
                await asyncio.sleep(0)
        except Gone:
            self._line = None
        except Refused as refused:
            self.journal.object(f"lost: {refused}")

    async def _call(self, call: Call, **params: Any) -> Any:
        """Make a call that was noted; None when it is refused."""
        if self._line is None:
            raise Gone
        try:
            answer = await self._line.ask(call.operation, **params)
        except Refused as refused:
            call.outcome = "refused"
            if refused.args[1] >= _SERVER_ERROR:
                self.journal.object(f"{call}: {refused}")
            return None
        call.outcome = "answered"
        self.answers += 1
        self._watch.poke()
        return answer

    async def prepare(self, line: Line) -> None:
        """Register the domain and its types, unless they are known already."""
        retention = {"workflowExecutionRetentionPeriodInDays": "7"}
        await _known(line.ask("RegisterDomain", name=DOMAIN, **retention))
        for kind, type in (("Workflow", _SEASON), ("Activity", _WORK)):
            await _known(line.ask(f"Register{kind}Type", domain=DOMAIN, **type))

    # -- starting, signaling, reading -----------------------------------------------

    async def _start(self) -> None:
        if len(self.open) >= _OPEN:
            await asyncio.sleep(0.002)
            return
        call = self.journal.begin("StartWorkflowExecution")
        self.journal.learn(call, call.label)
        answer = await self._call(
            call,
            domain=DOMAIN,
            workflowId=call.label,
            workflowType=_SEASON,
            taskList={"name": "seasons"},
            input=call.label,
            executionStartToCloseTimeout="9999",
            taskStartToCloseTimeout="1",
            childPolicy="TERMINATE",
        )
        if answer:
            self.open[call.label] = answer["runId"]

    async def _signal(self) -> None:
        run = self._any_run()
        if run is None:
            await asyncio.sleep(0.002)
            return
        ids = {"domain": DOMAIN, "workflowId": run}
        if self.chance.random() < 0.01:
            call = self.journal.begin("TerminateWorkflowExecution", run)
            await self._call(call, **ids, details=call.label)
        else:
            call = self.journal.begin("SignalWorkflowExecution", run)
            await self._call(call, **ids, signalName="s", input=call.label)
        if call.outcome == "refused":
            self.open.pop(run, None)

    async def _read(self) -> None:
        run = self._any_run()
        if run is None or self._line is None:
            await asyncio.sleep(0.002)
            return
        ids = {"workflowId": run, "runId": self.open[run]}
        answer = await self._line.ask(
            "GetWorkflowExecutionHistory", domain=DOMAIN, execution=ids
        )
        self.journal.see(run, answer["events"])

    async def _register(self) -> None:
        call = self.journal.begin("RegisterActivityType")
        await self._call(call, domain=DOMAIN, name=call.label, version="1")
        await asyncio.sleep(0.02)

    def _any_run(self) -> str | None:
        return self.chance.choice(list(self.open)) if self.open else None

    # -- deciding -------------------------------------------------------------------

    async def _poll_decision(self) -> None:
        task = await self._poll("PollForDecisionTask", "seasons")
        if task is not None:
            self.decisions.append(task)
            self.journal.see(task.run, task.events)

    async def _poll(self, operation: str, task_list: str) -> Task | None:
        call = self.journal.begin(operation)
        answer = await self._call(
            call, domain=DOMAIN, taskList={"name": task_list}, identity=call.label
        )
        if not answer or "taskToken" not in answer:
            return None
        call.started = answer["startedEventId"]
        run = answer["workflowExecution"]["workflowId"]
        self.journal.learn(call, run)
        events = answer.get("events", [])
        return Task(answer["taskToken"], run, call.started, events)

    async def _decide(self) -> None:
        if not self.decisions:
            await asyncio.sleep(0.002)
            return
        task = self.decisions.pop(self.chance.randrange(len(self.decisions)))
        if self.chance.random() < 0.02:
            return  # it is forgotten, and times out
        call = self.journal.begin("RespondDecisionTaskCompleted", task.run)
        made = self._decisions(call.label, task)
        call.batch = [seen for _, seen in made]
        if bad := self.chance.random() < 0.05:
            made += [_complete(call.label)] * 2  # no batch that SWF takes
        try:
            await self._call(
                call,
                taskToken=task.token,
                decisions=[decision for decision, _ in made],
                executionContext=call.label,
            )
        finally:
            if bad or call.outcome == "unanswered":
                self.decisions.append(task)

    def _decisions(self, label: str, task: Task) -> list[tuple[Any, list[Seen]]]:
        """Choose what to decide, and say what is to be seen of it."""
        types = [event["eventType"] for event in task.events]
        marks = [f"{label}-{n}" for n in range(self.chance.randrange(4))]
        made = [_mark(mark) for mark in marks]
        if types.count("DecisionTaskCompleted") >= _DECISIONS:
            return [*made, _complete(label)]
        count = self.chance.randrange(1, 4)
        made += [_schedule(f"{label}-{n}") for n in range(count)]
        if self.chance.random() < 0.5:
            made.append(_timer(label, str(self.chance.randrange(2))))
        return made

    # -- working --------------------------------------------------------------------

    async def _poll_activity(self) -> None:
        if len(self.activities) >= _IN_HAND:
            await asyncio.sleep(0.002)
            return
        task = await self._poll("PollForActivityTask", "work")
        if task is not None:
            self.activities.append(task)

    async def _work(self) -> None:
        if not self.activities:
            await asyncio.sleep(0.002)
            return
        task = self.activities.pop(self.chance.randrange(len(self.activities)))
        if self.chance.random() < 0.03:
            return  # it is forgotten, and times out
        operation, member = self.chance.choices(_ANSWERS, [4, 5, 1])[0]
        call = self.journal.begin(operation, task.run, about=task.started)
        try:
            await self._call(call, taskToken=task.token, **{member: call.label})
        finally:
            if call.outcome == "unanswered" or operation == _BEAT:
                self.activities.append(task)


async def _known(registering: Awaitable[Any]) -> None:
    try:
        await registering
    except Refused as refused:
        if b"AlreadyExists" not in refused.args[2]:
            raise


def _mark(name: str) -> tuple[Any, list[Seen]]:
    attributes = {"markerName": name}
    decision = _decision("RecordMarker", attributes)
    return decision, [Seen("MarkerRecorded", "markerName", name)]


def _schedule(id: str) -> tuple[Any, list[Seen]]:
    attributes = {
        "activityId": id,
        "activityType": _WORK,
        "taskList": {"name": "work"},
        "heartbeatTimeout": "1",
        "startToCloseTimeout": "5",
        "scheduleToStartTimeout": "60",
        "scheduleToCloseTimeout": "60",
    }
    decision = _decision("ScheduleActivityTask", attributes)
    return decision, [Seen("ActivityTaskScheduled", "activityId", id)]


def _timer(id: str, seconds: str) -> tuple[Any, list[Seen]]:
    attributes = {"timerId": id, "startToFireTimeout": seconds}
    decision = _decision("StartTimer", attributes)
    return decision, [Seen("TimerStarted", "timerId", id)]


def _complete(result: str) -> tuple[Any, list[Seen]]:
    decision = _decision("CompleteWorkflowExecution", {"result": result})
    unhandled = "CompleteWorkflowExecutionFailed"
    return decision, [
        Seen("WorkflowExecutionCompleted", "result", result),
        Seen(unhandled, "cause", "UNHANDLED_DECISION"),
    ]


def _decision(kind: str, attributes: dict[str, Any]) -> dict[str, Any]:
    member = f"{kind[0].lower()}{kind[1:]}DecisionAttributes"
    return {"decisionType": kind, member: attributes}
