"""The workflows of `replay_shapes` for Temporal's SDK, whose sandbox imports this."""

import asyncio
from datetime import timedelta

from temporalio import workflow

_MINUTE = timedelta(seconds=60)


def _double(number: int) -> "workflow.ActivityHandle[int]":
    return workflow.start_activity(
        "double", number, result_type=int, start_to_close_timeout=_MINUTE
    )


async def _call(number: int) -> int:
    result: int = await workflow.execute_activity(
        "double", number, result_type=int, start_to_close_timeout=_MINUTE
    )
    return result


@workflow.defn(name="sequential")
class Sequential:
    @workflow.run
    async def run(self, many: int) -> int:
        return sum([await _call(number) for number in range(many)])


@workflow.defn(name="handles")
class Handles:
    @workflow.run
    async def run(self, many: int) -> int:
        return sum(await asyncio.gather(*[_double(n) for n in range(many)]))


@workflow.defn(name="calls")
class Calls:
    @workflow.run
    async def run(self, many: int) -> int:
        return sum(await asyncio.gather(*[_call(n) for n in range(many)]))


@workflow.defn(name="ticking")
class Ticking:
    @workflow.init
    def __init__(self, many: int) -> None:
        self._ticks: asyncio.Queue[int] = asyncio.Queue()

    @workflow.run
    async def run(self, many: int) -> int:
        total = 0
        for _ in range(many):
            async with asyncio.timeout(60):
                total += await self._ticks.get()
            await asyncio.sleep(1)
        return total

    @workflow.signal
    def tick(self, number: int) -> None:
        self._ticks.put_nowait(number)


WORKFLOWS = [Sequential, Handles, Calls, Ticking]
