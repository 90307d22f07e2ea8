"""The arithmetic workflow of the flowser of 2012, with a manual decider.

Run it::

    python examples/arithmetic.py

It starts an SWF of its own on this machine; with ``--aws`` it uses the account, region
and credentials that the environment tells of.
"""

import asyncio
import math
import sys
import uuid
from collections.abc import Callable
from typing import Any

import flowser
from flowser import types


class ById(types.Type):
    """Ids are made of the type's name and the input's id."""

    version = "1.0.0"

    @classmethod
    def get_id_from_input(cls, input: Any) -> str:
        return f"{cls.name}-{input['id']}"


class MultiplyActivity(ById, types.Activity):
    """Multiplies numbers."""

    name = "MultiplyActivity"
    task_list = "MultiplyActivity-1.0.0"

    @classmethod
    def schedule(cls, id: str, operation: list[Any]) -> Any:  # type: ignore[override]
        return super().schedule({"id": id, "operation": operation})


class SumActivity(ById, types.Activity):
    """Adds numbers."""

    name = "SumActivity"
    task_list = "SumActivity-1.0.0"

    @classmethod
    def schedule(cls, id: str, operation: list[Any]) -> Any:  # type: ignore[override]
        return super().schedule({"id": id, "operation": operation})


class ArithmeticWorkflow(ById, types.Workflow):
    """Has every operation of its input done, all at once."""

    name = "ArithmeticWorkflow"
    task_list = "ArithmeticWorkflow-1.0.0"


class Math(flowser.Domain):
    """Where arithmetic is done."""

    name = "math"
    workflow_types = [ArithmeticWorkflow]
    activity_types = [MultiplyActivity, SumActivity]


ACTIVITIES: dict[str, type[types.Activity]] = {
    "multiply": MultiplyActivity,
    "sum": SumActivity,
}


async def decide(domain: Math) -> None:
    """Schedule one activity per operation, then collect what they bring."""
    async for decision in domain.decisions(ArithmeticWorkflow):
        start = await decision.start_input
        if await decision.most_recent("ActivityTaskScheduled") is None:
            for operation_id, kind, numbers in start["operations"]:
                operation = [operation_id, numbers]
                decision.schedule(ACTIVITIES[kind], start["id"], operation)
            await decision.complete()
            continue
        done = decision.filter("ActivityTaskCompleted")
        values = dict([event.attrs["result"] async for event in done])
        if len(values) == len(start["operations"]):
            results = {id: values[id] for id, _, _ in start["operations"]}
            await decision.workflow_execution.complete(results)
        else:
            await decision.complete()


async def work(
    domain: Math, t: type[types.Activity], do: Callable[[list[int]], int]
) -> None:
    """Answer the tasks of one type, one at a time."""
    async for task in domain.activities(t):
        operation_id, numbers = task.input["operation"]
        await task.complete([operation_id, do(numbers)])


async def arithmetic(conn: Any) -> Any:
    """Run one workflow from start to result."""
    domain = Math(conn)
    await domain.register()
    async with asyncio.TaskGroup() as group:
        group.create_task(decide(domain))
        group.create_task(work(domain, MultiplyActivity, math.prod))
        group.create_task(work(domain, SumActivity, sum))
        operations = [
            ["mult_id", "multiply", [1, 2, 3]],
            ["sum_id", "sum", [1, 2, 3, 4]],
        ]
        start = {"id": str(uuid.uuid4()), "operations": operations}
        handle = await domain.start(ArithmeticWorkflow, start)
        result = await handle.result()
        domain.stop()  # the loops end when the polls in flight have come back
    return result


async def main() -> None:
    """Connect, and print the result."""
    opened = flowser.connect() if "--aws" in sys.argv else flowser.connect_local()
    async with opened as conn:
        print(await arithmetic(conn))


if __name__ == "__main__":
    asyncio.run(main())
