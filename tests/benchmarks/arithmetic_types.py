"""The arithmetic workflow on flowser: with a manual decider, and for a worker."""

import math
from typing import Any

import flowser
from flowser import types
from tests.support import arithmetic


class MultiplyActivity(types.Activity):
    """Multiplies numbers."""

    name = "MultiplyActivity"
    version = arithmetic.VERSION
    task_list = arithmetic.task_list(name)

    async def run(self, input: Any) -> Any:
        operation_id, numbers = input["operation"]
        return [operation_id, math.prod(numbers)]


class SumActivity(types.Activity):
    """Adds numbers."""

    name = "SumActivity"
    version = arithmetic.VERSION
    task_list = arithmetic.task_list(name)

    async def run(self, input: Any) -> Any:
        operation_id, numbers = input["operation"]
        return [operation_id, sum(numbers)]


class ArithmeticWorkflow(types.Workflow):
    """Has every operation of its input done, all at once."""

    name = arithmetic.WORKFLOW
    version = arithmetic.VERSION
    task_list = arithmetic.task_list(name)

    async def decide(self, decision: flowser.tasks.Decision) -> None:
        await decide(decision)


ACTIVITIES = {"multiply": MultiplyActivity, "sum": SumActivity}


class Deciding(flowser.Domain):
    """The domain, to a process that decides."""

    name = arithmetic.DOMAIN
    workflow_types = [ArithmeticWorkflow]


class Working(flowser.Domain):
    """The domain, to a process that works."""

    name = arithmetic.DOMAIN
    activity_types = [MultiplyActivity, SumActivity]


async def decide(decision: flowser.tasks.Decision) -> None:
    """Schedule one activity per operation, then collect what they bring."""
    start = await decision.start_input
    if decision.previous_started_event_id == 0:
        for operation_id, kind, numbers in start["operations"]:
            given = {"id": start["id"], "operation": [operation_id, numbers]}
            decision.schedule(ACTIVITIES[kind], given)
        await decision.complete()
        return
    results = {}
    async for event in decision.filter("ActivityTaskCompleted"):
        operation_id, value = event.attrs["result"]
        results[operation_id] = value
    if len(results) == len(start["operations"]):
        await decision.workflow_execution.complete(results)
    else:
        await decision.complete()


async def decide_all(domain: flowser.Domain) -> None:
    """Decide, one task at a time, for ever."""
    async for decision in domain.decisions(ArithmeticWorkflow):
        await decide(decision)


async def work_all(domain: flowser.Domain, t: type[types.Activity]) -> None:
    """Work, one task of a type at a time, for ever."""
    async for task in domain.activities(t):
        instance: Any = t(domain)
        await task.complete(await instance.run(task.input))
