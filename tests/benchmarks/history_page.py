"""Client CPU of a page of history."""

import flowser
from flowser import requests, shapes, wire
from tests.benchmarks import tables
from tests.benchmarks.clients import Side, sides
from tests.benchmarks.measuring import Call, compare
from tests.benchmarks.servers import Servers

ROUNDS = 5
CALLS = 12

_EVENTS = 1000
_MILLISECONDS = (1e3, "ms")


class _Math(flowser.Domain):
    name = "math"


def main(servers: Servers) -> None:
    """Print the figure."""
    tables.title(
        "history-page", "client CPU per page of 1,000 events; aim: x 0.050 at most"
    )
    for side in sides(servers.canned):
        _compare("a page", side, _page(side))
        _compare("a task, all its events looked at", side, _task(side))


def _compare(what: str, side: Side, contestants: dict[str, Call]) -> None:
    costs = compare(side.runner, contestants, rounds=ROUNDS, calls=CALLS)
    tables.ratios(what, side.loop, costs, _MILLISECONDS)


def _page(side: Side) -> dict[str, Call]:
    async def bare() -> None:
        await side.bare.poll_for_decision_task(
            domain="math", taskList={"name": f"{_EVENTS}"}, reverseOrder=True
        )

    async def flowser() -> None:
        request = requests.PollForDecisionTask(
            domain="math",
            task_list=shapes.TaskList(name=f"{_EVENTS}"),
            reverse_order=True,
        )
        await wire.send(side.flowser, request)

    return {tables.BARE: bare, tables.FLOWSER: flowser}


def _task(side: Side) -> dict[str, Call]:
    domain = _Math(side.flowser)

    async def bare() -> None:
        task = await side.bare.poll_for_decision_task(
            domain="math", taskList={"name": f"{_EVENTS}"}, reverseOrder=True
        )
        for event in task["events"]:
            if event["eventType"] == "ActivityTaskCompleted":
                pass

    async def flowser() -> None:
        decision = await domain.poll_decision(f"{_EVENTS}")
        async for _ in decision.filter("ActivityTaskCompleted"):
            pass

    return {tables.BARE: bare, tables.FLOWSER: flowser}
