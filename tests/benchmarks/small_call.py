"""Client CPU of a small call."""

from functools import partial
from typing import Any

from flowser import requests, shapes, wire
from tests.benchmarks import tables
from tests.benchmarks.clients import Side, sides
from tests.benchmarks.measuring import Call, compare
from tests.benchmarks.servers import Servers

ROUNDS = 7
CALLS = 160

_INPUT = '{"id":"1","operations":[["mult_id","multiply",[1,2,3]]]}'
_TOKEN = "t" * 300
_MICROSECONDS = (1e6, "us")


def main(servers: Servers) -> None:
    """Print the figure, and what the same client differs from itself."""
    tables.title("small-call", "client CPU per small call; aim: x 0.35 at most")
    for side in sides(servers.canned):
        calls = {
            "StartWorkflowExecution": _start(side),
            "PollForActivityTask": _poll(side),
            "RespondActivityTaskCompleted": _respond(side),
        }
        for in_flight in (8, 1):  # with one, the process sleeps and wakes for each
            for operation, contestants in calls.items():
                _compare(operation, side, *contestants, in_flight=in_flight)
        bare, _ = _poll(side)
        _compare("A/A", side, bare, bare, in_flight=8)


def _compare(what: str, side: Side, bare: Call, other: Call, in_flight: int) -> None:
    who = tables.AGAIN if other is bare else tables.FLOWSER
    contestants = {tables.BARE: bare, who: other}
    costs = compare(
        side.runner, contestants, rounds=ROUNDS, calls=CALLS, in_flight=in_flight
    )
    tables.ratios(f"{what}, {in_flight} at once", side.loop, costs, _MICROSECONDS)


def _start(side: Side) -> tuple[Call, Call]:
    members: dict[str, Any] = {"domain": "math", "workflow_id": "Arithmetic-1"}
    kind = {"name": "ArithmeticWorkflow", "version": "1.0.0"}

    async def flowser() -> None:
        request = requests.StartWorkflowExecution(
            workflow_type=shapes.WorkflowType(**kind), input=_INPUT, **members
        )
        await wire.send(side.flowser, request)

    bare = partial(
        side.bare.start_workflow_execution,
        domain="math",
        workflowId="Arithmetic-1",
        workflowType={"name": kind["name"], "version": kind["version"]},
        input=_INPUT,
    )
    return bare, flowser


def _poll(side: Side) -> tuple[Call, Call]:
    async def flowser() -> None:
        task_list = shapes.TaskList(name="MultiplyActivity-1.0.0")
        request = requests.PollForActivityTask(
            domain="math", task_list=task_list, identity="worker-1"
        )
        await wire.send(side.flowser, request)

    bare = partial(
        side.bare.poll_for_activity_task,
        domain="math",
        taskList={"name": "MultiplyActivity-1.0.0"},
        identity="worker-1",
    )
    return bare, flowser


def _respond(side: Side) -> tuple[Call, Call]:
    async def flowser() -> None:
        request = requests.RespondActivityTaskCompleted(
            task_token=_TOKEN, result='["mult_id",6]'
        )
        await wire.send(side.flowser, request)

    bare = partial(
        side.bare.respond_activity_task_completed,
        taskToken=_TOKEN,
        result='["mult_id",6]',
    )
    return bare, flowser
