"""An engine in a test: a clock by hand, a naive archive, answers as plain objects."""

import json
import random
from collections.abc import Iterable
from typing import Any

from flowser import decisions as d
from flowser import requests, shapes
from flowser.local.engine import facts
from flowser.local.engine.archive import Place, Query
from flowser.local.engine.engine import Engine
from flowser.local.engine.faults import Fault
from flowser.local.engine.quotas import Quotas
from flowser.local.engine.world import Parked
from tests.local.shapes import conforming

REGION, DOMAIN = "us-east-1", "shop"
START = 1_700_000_000_000


class NaiveArchive:
    """Keeps facts in lists and looks through them all."""

    def __init__(self) -> None:
        self.opened: dict[int, facts.RunOpened] = {}
        self.summaries: dict[int, facts.RunClosed] = {}
        self.histories: dict[int, list[bytes]] = {}

    def append(self, taken: Iterable[facts.Fact]) -> None:
        for fact in taken:
            if isinstance(fact, facts.RunOpened):
                self.opened[fact.run] = fact
                self.histories[fact.run] = []
            elif isinstance(fact, facts.Happened):
                self.histories[fact.run].append(fact.data)
            elif isinstance(fact, facts.RunClosed):
                self.summaries[fact.run] = fact
            elif isinstance(fact, facts.RunRemoved):
                del self.opened[fact.run], self.summaries[fact.run]

    def find(
        self, region: str, domain: str, workflow_id: str, run_id: str
    ) -> facts.Summary | None:
        wanted = (region, domain, workflow_id, run_id)
        for fact in self.summaries.values():
            s = fact.summary
            if (s.region, s.domain, s.workflow_id, s.run_id) == wanted:
                return s
        return None

    def closed(self, run: int) -> facts.Summary | None:
        found = self.summaries.get(run)
        return found.summary if found else None

    def events(self, run: int, first: int, last: int) -> list[bytes]:
        return self.histories[run][first - 1 : last]

    def places(
        self, query: Query, *, after: Place | None, limit: int, ascending: bool
    ) -> list[Place]:
        found = sorted(self._matching(query), reverse=not ascending)
        if after is not None:
            found = [p for p in found if (p > after if ascending else p < after)]
        return found[:limit]

    def _matching(self, query: Query) -> Iterable[Place]:
        for run, opened in self.opened.items():
            closed = self.summaries.get(run)
            if query.open == (closed is not None):
                continue
            at = closed.at if closed and query.by_close else opened.at
            if at < query.oldest or (query.latest is not None and at > query.latest):
                continue
            pairs = (
                (query.workflow_id, opened.workflow_id),
                (query.type_name, opened.type_name),
                (query.type_version, opened.type_version),
                (query.close_status, closed and closed.summary.close_status),
            )
            if all(wanted is None or wanted == has for wanted, has in pairs) and (
                query.tag is None or query.tag in opened.tags
            ):
                yield Place(at, run)

    def count(self, query: Query, most: int) -> int:
        return min(len(list(self._matching(query))), most + 1)

    def expired(self, now: int, limit: int) -> list[int]:
        due = [(f.expires_at, run) for run, f in self.summaries.items()]
        return [run for at, run in sorted(due) if at <= now][:limit]

    def next_expiry(self) -> int | None:
        return min((f.expires_at for f in self.summaries.values()), default=None)


class Rig:
    """An engine with one domain, a workflow type "order" and an activity "pay"."""

    def __init__(self, **options: Any) -> None:
        self.now = START
        self.archive = NaiveArchive()
        self.facts: list[facts.Fact] = []
        self.answers: dict[Parked, dict[str, Any]] = {}
        self.options = options
        self.random = random.Random(1)
        self.engine = self._made()
        common: dict[str, Any] = {"region": REGION, "domain": DOMAIN, "at": START}
        for fact in (
            facts.DomainRegistered(**common, retention="1"),
            facts.TypeRegistered(
                **common,
                kind="workflow",
                name="order",
                version="1",
                defaults={
                    "defaultTaskList": "deciders",
                    "defaultExecutionStartToCloseTimeout": "1000",
                    "defaultTaskStartToCloseTimeout": "10",
                    "defaultChildPolicy": "TERMINATE",
                },
            ),
            facts.TypeRegistered(
                **common,
                kind="activity",
                name="pay",
                version="1",
                defaults={
                    "defaultTaskList": "payers",
                    "defaultTaskScheduleToStartTimeout": "100",
                    "defaultTaskScheduleToCloseTimeout": "200",
                    "defaultTaskStartToCloseTimeout": "50",
                    "defaultTaskHeartbeatTimeout": "NONE",
                },
            ),
        ):
            self.facts.append(fact)
            self.engine.fold(fact)
        self.engine.resume(self.now, 0)

    def _made(self) -> Engine:
        return Engine(
            self.archive,
            key=b"k" * 32,
            entropy=self.random.randbytes,
            **self.options,
        )

    def restart(self) -> None:
        """Begin again with what a store gives back: what tells of what is open."""
        closed = {f.run for f in self.facts if isinstance(f, facts.RunClosed)}
        runs = [f.run for f in self.facts if isinstance(f, facts.RunOpened)]
        self.engine = self._made()
        for fact in self.facts:
            if getattr(fact, "run", 0) not in closed:
                self.engine.fold(fact)
        self.engine.resume(self.now, max(runs, default=0))
        self.take()

    def send(self, request: requests.Request[Any], caller: object = None) -> Any:
        """Call, store the facts, and read the answer."""
        try:
            reply = self.engine.call(self.now, request, region=REGION, caller=caller)
        finally:
            self.take()
        if isinstance(reply, Parked):
            return reply
        answer = json.loads(reply) if reply else None
        conforming(type(request).__name__, answer or {})
        return answer

    def take(self) -> None:
        taken = self.engine.take_facts()
        self.facts += taken
        self.archive.append(taken)
        for parked, answer in self.engine.take_wakeups():
            assert parked not in self.answers, "a poll is answered at most once"
            self.answers[parked] = json.loads(answer)
            conforming(type(parked.request).__name__, self.answers[parked])

    def skip(self, seconds: float) -> None:
        """Let time pass, deadline by deadline."""
        until = self.now + int(seconds * 1000)
        while (due := self.engine.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.engine.advance(self.now)
            self.take()
        self.now = until

    def start(self, workflow_id: str = "o-1", **members: Any) -> dict[str, str]:
        type = shapes.WorkflowType(name="order", version="1")
        request = requests.StartWorkflowExecution(
            domain=DOMAIN, workflow_id=workflow_id, workflow_type=type, **members
        )
        return {"workflowId": workflow_id, **self.send(request)}

    def poll(self, name: str = "deciders", **members: Any) -> Any:
        task_list = shapes.TaskList(name=name)
        request = requests.PollForDecisionTask(
            domain=DOMAIN, task_list=task_list, **members
        )
        return self.send(request)

    def poll_activity(self, name: str = "payers") -> Any:
        task_list = shapes.TaskList(name=name)
        request = requests.PollForActivityTask(domain=DOMAIN, task_list=task_list)
        return self.send(request)

    def decide(self, task: dict[str, Any], *made: d.Decision, **members: Any) -> None:
        request = requests.RespondDecisionTaskCompleted(
            task_token=task["taskToken"],
            decisions=tuple(d.wrapped(each) for each in made),
            **members,
        )
        self.send(request)

    def history(self, run: dict[str, str]) -> list[dict[str, Any]]:
        ids = shapes.WorkflowExecution(
            workflow_id=run["workflowId"], run_id=run["runId"]
        )
        request = requests.GetWorkflowExecutionHistory(domain=DOMAIN, execution=ids)
        events: list[dict[str, Any]] = self.send(request)["events"]
        assert [event["eventId"] for event in events] == [*range(1, len(events) + 1)]
        return events

    def types(self, run: dict[str, str]) -> list[str]:
        return [event["eventType"] for event in self.history(run)]


def schedule(activity_id: str = "a", **members: Any) -> d.ScheduleActivityTask:
    type = shapes.ActivityType(name="pay", version="1")
    return d.ScheduleActivityTask(
        activity_type=type, activity_id=activity_id, **members
    )


__all__ = ["DOMAIN", "REGION", "START", "Fault", "Quotas", "Rig", "schedule"]
