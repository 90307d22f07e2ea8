"""Workflows of some shapes, and the histories that they leave on a real engine."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from flowser import flow, requests, results, shapes, wire
from flowser.events import EVENTS, Event, WorkflowExecutionFailed
from flowser.local.engine.world import Parked
from tests.local.engine.rig import DOMAIN, REGION
from tests.replay.story import Story, Task

#: Activities of a fan-out that are completed between two decisions.
_BATCH = 10

_TIMEOUT = 60


@flow.activity(version="1", task_list="doers")
async def double(number: int) -> int:
    """Double a number."""
    return 2 * number


_workflow = flow.workflow(version="1", task_list="deciders")


@_workflow
async def sequential(many: int) -> int:
    """Do one activity after another."""
    return sum([await double(number) for number in range(many)])


@_workflow
async def handles(many: int) -> int:
    """Start activities, and wait for all of them."""
    return sum(await asyncio.gather(*[double.start(n) for n in range(many)]))


@_workflow
async def calls(many: int) -> int:
    """Call activities, each in a task of its own, and wait for all of them."""
    return sum(await asyncio.gather(*[double(n) for n in range(many)]))


@_workflow
async def ticking(many: int) -> int:
    """Wait for a signal, but not for ever; then sleep; and again."""
    ticks = flow.signals("tick", int)
    total = 0
    for _ in range(many):
        async with asyncio.timeout(_TIMEOUT):
            total += await ticks.receive()
        await asyncio.sleep(1)
    return total


class Told(Story):
    """A run that was told to its end, on a real engine.

    Attributes:
        pages: Its history, as SWF answers.
    """

    def __init__(self, shape: "Shape") -> None:
        """Tell it."""
        super().__init__(shape.workflow, shape.many, using=[double])
        self._decide()
        for _ in shape.world(self, shape.many):
            self._decide()
        self.run.end()
        self.pages = [*self._read()]
        assert self.result == shape.many * (shape.many - 1), self.last

    @property
    def history(self) -> list[Event]:
        """The events of all pages."""
        return [event for page in self.pages for event in read(page)]

    def replay(self, pages: Iterable[list[Event]]) -> None:
        """Replay a history that a run closes, and throw the run away.

        Raises:
            NonDeterminism: When it is not that of this workflow.
        """
        run = self.fresh()
        for page in pages:
            run.feed(page)
        assert run.main is not None
        assert run.main.done()
        run.end()

    def _decide(self) -> None:
        """Make the decisions that wait: once, by a run that is kept."""
        poll = requests.PollForDecisionTask(
            domain=DOMAIN,
            task_list=shapes.TaskList(name=self.workflow.type.task_list),
            start_at_previous_started_event=True,  # what is new
        )
        while (task := self._polled(poll)) is not None:
            page: results.DecisionTask | None = task
            self.run.feed(task.events)
            while page is not None and page.next_page_token is not None:
                page = self._polled(replace(poll, next_page_token=page.next_page_token))
                self.run.feed(page.events if page else ())
            self.run.advance()
            self.respond({"taskToken": task.task_token}, self.run.take())
            self.skip(0)  # timers of no seconds

    def _polled(
        self, poll: requests.PollForDecisionTask
    ) -> results.DecisionTask | None:
        reply = self.rig.engine.call(self.rig.now, poll, region=REGION)
        self.rig.take()
        if isinstance(reply, Parked):
            self.rig.engine.abandon(reply)
            return None
        return wire.decode("PollForDecisionTask", reply, results.DecisionTask)

    def _read(self) -> Iterator[bytes]:
        ids = shapes.WorkflowExecution(
            workflow_id=self.ids["workflowId"], run_id=self.ids["runId"]
        )
        token: str | None = ""
        while token is not None:
            request = requests.GetWorkflowExecutionHistory(
                domain=DOMAIN, execution=ids, next_page_token=token or None
            )
            page = self.rig.engine.call(self.rig.now, request, region=REGION)
            assert isinstance(page, bytes)
            yield page
            token = _page(page).next_page_token


def read(page: bytes) -> list[Event]:
    """Read a page, as the wire does."""
    return _page(page).events


def _page(page: bytes) -> results.History:
    return wire.decode("GetWorkflowExecutionHistory", page, results.History)


def broken(history: list[Event]) -> list[Event]:
    """Give a history another end: whoever replays to the end must mind it."""
    *before, last = history
    attributes: Any = last.attributes
    by = attributes.decision_task_completed_event_id
    failed = EVENTS["WorkflowExecutionFailed"](
        id=last.id,
        time_stamp=last.time_stamp,
        attributes=WorkflowExecutionFailed(decision_task_completed_event_id=by),
    )
    return [*before, failed]


def _work(told: Told, _: int) -> Iterator[None]:
    """Let activities be done, some at a time, for as long as there are any."""
    waiting: list[Task] = []
    while waiting := waiting or told.tasks("doers"):
        batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
        for task in batch:
            told.complete(task.id, 2 * task.input["number"])
        yield


def _tick(told: Told, many: int) -> Iterator[None]:
    """Signal, let a second pass, and so on."""
    for number in range(many):
        told.signal("tick", 2 * number)
        yield
        told.skip(1)
        yield


class Shape(NamedTuple):
    """A workflow, and what happens to it.

    Attributes:
        words: What it does.
        workflow: It; its input is *many*.
        many: How much of it.
        world: Goes on between decisions.
    """

    words: str
    workflow: flow.Workflow[[int], int]
    many: int
    world: Callable[[Told, int], Iterator[None]]


SHAPES = (
    Shape("1,000 activities, one by one", sequential, 1_000, _work),
    Shape("gather of 1,000 handles", handles, 1_000, _work),
    Shape("gather of 1,000 calls", calls, 1_000, _work),
    Shape("400 x signal, time-out, timer", ticking, 400, _tick),
)
