"""What each feature costs: events of a history, and calls of SWF."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

import flowser
from flowser import flow, requests
from flowser.events import WorkflowExecutionContinuedAsNew
from flowser.executions import WorkflowExecution
from flowser.shapes import Shape
from flowser.testing import LocalSwf
from flowser.wire import Wire, release_polls
from tests.benchmarks import tables
from tests.benchmarks.servers import Servers

R = TypeVar("R", bound=Shape)

_ENDS = ("WorkflowExecutionCompleted", "WorkflowExecutionCanceled")

#: What is printed of calls of which there are many.
_SHORT = {
    "PollForDecisionTask": "D polls",
    "RespondDecisionTaskCompleted": "D answers",
    "PollForActivityTask": "A polls",
    "RespondActivityTaskCompleted": "A answers",
    "RespondActivityTaskFailed": "A failures",
}

#: The workflow id of an execution that nobody decides.
_OTHER = "other"

_workflow = flow.workflow(
    version="1", task_list="deciding", lambda_role="arn:aws:iam::123456789012:role/swf"
)
_failed: set[str] = set()


# -- workflows, each with one feature --


@flow.activity(version="1", task_list="working")
async def quick() -> int:
    """Do nothing."""
    return 1


@flow.activity(version="1", task_list="working", retry=flow.Retry())
async def second(run_id: str) -> int:
    """Fail at first."""
    if run_id not in _failed:
        _failed.add(run_id)
        raise RuntimeError(run_id)
    return 1


async def read() -> int:
    """Do nothing, in a step."""
    return 1


_function = flow.lambda_function("function")


@_workflow
async def nothing() -> None:
    """Do nothing."""


@_workflow
async def activity() -> None:
    """Await an activity."""
    await quick()


@_workflow
async def activities() -> None:
    """Await ten activities that are done beside each other."""
    await asyncio.gather(*[quick() for _ in range(10)])


@_workflow
async def retried() -> None:
    """Await an activity that fails once."""
    await second(flow.info().run_id)


@_workflow
async def timed() -> None:
    """Await an activity, but not for ever."""
    async with asyncio.timeout(60):
        await quick()


@_workflow
async def canceled() -> None:
    """Cancel an activity after a time."""
    try:
        async with asyncio.timeout(1):
            await quick.with_(task_list="nobody", cancellation="wait")()
    except TimeoutError:
        pass


@_workflow
async def timer() -> None:
    """Sleep."""
    await asyncio.sleep(1)


@_workflow
async def signaled() -> None:
    """Receive a signal."""
    await flow.signals("tick").receive()


@_workflow
async def signaling() -> None:
    """Signal another execution, and wait until it is delivered."""
    await flow.external(_OTHER).signal("tick")


@_workflow
async def canceling() -> None:
    """Ask another execution to cancel itself, and wait until it is delivered."""
    await flow.external(_OTHER).request_cancel()


@_workflow
async def parent() -> None:
    """Await a child."""
    await nothing()


@_workflow
async def invoking() -> None:
    """Await a Lambda function."""
    await _function(1)


@_workflow
async def stepping() -> None:
    """Do a step."""
    await flow.step(read)


@_workflow
async def marking() -> None:
    """Leave a mark."""
    flow.mark("here")


@_workflow
async def patched() -> None:
    """Go the new way of a change."""
    flow.patched("change")


@_workflow
async def status() -> None:
    """Tell a status."""
    flow.set_status("here")


@_workflow
async def continued(again: bool = True) -> None:
    """Continue as new, once."""
    if again:
        continued.continue_as_new(again=False)


@_workflow
async def waiting() -> None:
    """Wait to be canceled."""
    await asyncio.Event().wait()


class _Domain(flowser.Domain):
    name = "features"
    activity_types = [quick, second]
    workflow_types: Any = [
        nothing,
        activity,
        activities,
        retried,
        timed,
        canceled,
        timer,
        signaled,
        signaling,
        canceling,
        parent,
        invoking,
        stepping,
        marking,
        patched,
        status,
        continued,
        waiting,
    ]


# -- counting --


class _Counting:
    """A wire that counts calls; a poll, when it brings a task."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.calls: Counter[str] = Counter()

    async def call(
        self, operation: str, params: requests.Request[Any], result_type: type[R], /
    ) -> R:
        if operation not in requests.POLLS:
            self.calls[operation] += 1
            return await self._wire.call(operation, params, result_type)
        answer = await self._wire.call(operation, params, result_type)
        self.calls[operation] += 1
        return answer

    def release_polls(self) -> None:
        release_polls(self._wire)


class _Cost(NamedTuple):
    """What a run cost.

    Attributes:
        events: Of its history.
        calls: By operation.
    """

    events: int
    calls: Counter[str]


From = Callable[[WorkflowExecution], Awaitable[object]]


async def _nobody(_: WorkflowExecution) -> None:
    """Do nothing from outside."""


async def _tick(run: WorkflowExecution) -> None:
    await run.signal("tick")


async def _cancel(run: WorkflowExecution) -> None:
    await run.request_cancel()


class _Feature(NamedTuple):
    """A row.

    Attributes:
        words: What it is.
        workflow: Has it, and nothing else.
        outside: What is done from outside.
    """

    words: str
    workflow: Any
    outside: From = _nobody


_FEATURES = (
    _Feature("activity", activity),
    _Feature("10 activities at once, about", activities),
    _Feature("activity, second attempt included", retried),
    _Feature("activity in a time-out", timed),
    _Feature("activity canceled by a time-out", canceled),
    _Feature("sleep", timer),
    _Feature("signal received", signaled, _tick),
    _Feature("signal sent, delivered", signaling),
    _Feature("cancel request sent, delivered", canceling),
    _Feature("child; calls: with its own decision", parent),
    _Feature("Lambda function", invoking),
    _Feature("step", stepping),
    _Feature("mark", marking),
    _Feature("patched", patched),
    _Feature("set_status", status),
    _Feature("continue as new", continued),
    _Feature("cancel request received", waiting, _cancel),
)


def main(_: Servers) -> None:
    """Print the figure."""
    tables.title(
        "replay-features",
        "events of the history and calls of SWF, beyond those of a workflow that does\n"
        "  nothing; D are those for decision tasks, A those for activity tasks",
    )
    logging.getLogger("flowser").setLevel(logging.CRITICAL)  # of what fails on purpose
    asyncio.run(_measure())


async def _measure() -> None:
    functions = {"function": lambda _: 1}
    async with LocalSwf(functions=functions) as swf:
        near = _Domain(swf.conn)
        await near.register()
        counting = _Counting(swf.conn)
        async with flowser.Worker(_Domain(counting)):
            empty = await _cost(swf, counting, _Feature("", nothing))
            for feature in _FEATURES:
                _print(feature.words, await _cost(swf, counting, feature), empty)


async def _cost(swf: LocalSwf, counting: _Counting, feature: _Feature) -> _Cost:
    """Run a workflow, and count."""
    near, name = _Domain(swf.conn), feature.workflow.type.name
    other = await near.start(nothing, workflow_id=_OTHER, task_list="nobody")
    counting.calls.clear()
    run = await near.start(feature.workflow, workflow_id=name)
    await swf.settle()
    await feature.outside(_Domain(counting).execution(name))
    await swf.skip(seconds=30)
    calls = +counting.calls
    events = [event async for event in run.history()]
    if isinstance(last := events[-1].attributes, WorkflowExecutionContinuedAsNew):
        latest = near.execution(name, last.new_execution_run_id)
        events += [event async for event in latest.history()]
    assert events[-1].type in _ENDS, events[-1]
    await other.terminate()
    return _Cost(len(events), calls)


def _print(words: str, cost: _Cost, empty: _Cost) -> None:
    events = cost.events - empty.events
    calls = cost.calls - empty.calls
    told = ", ".join(f"{many} {_SHORT.get(name, name)}" for name, many in calls.items())
    line = f"{events:4} events, {calls.total():3} calls"
    tables.line(words, "", "", f"{line}: {told}" if told else line)
