"""Programs whose times are their own, and what happens to them from outside.

Why their times are their own, `disturbed` says.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, get_args

import flowser
from flowser import flow
from flowser.domain import Domain
from flowser.exceptions import UnknownResourceFault
from flowser.replay.operations import Cancellation
from tests.replay.programs import LEAVES, NODES, Grammar, Interpreter, Program

#: Seconds between two things that happen, at the least; see above.
MOMENT = 900

#: Times that a program may have: all together are less than the 90 days for which SWF
#: keeps a run that is closed.
TIMES = 13

#: How large a program is, in leaves.
SIZES = (2, 3, 4, 6, 8, 12)

UNBOUND = ("heartbeat", "schedule_to_close", "schedule_to_start", "start_to_close")
NONE: Any = {f"{name}_timeout": "NONE" for name in UNBOUND}


@flow.activity(
    version="1",
    task_list="payers",
    retry=flow.Retry(attempts=None, initial=1, factor=1),
    **NONE | {"start_to_close_timeout": 20},
)
async def chore(name: str) -> str:
    """Do something at once, in a worker that may be killed."""
    return f"{name} is done"


@flow.activity(version="1", task_list="travellers", **NONE)
async def errand(seconds: int, fails: bool) -> int:
    """Be away for long; whether it was canceled is asked for at the end."""
    await asyncio.sleep(seconds)
    await flowser.current_activity().heartbeat()
    if fails:
        raise LookupError("closed")
    return seconds


ERRANDS = {how: errand.with_(cancellation=how) for how in get_args(Cancellation)}


class Disturbed(Interpreter):
    """Runs a program whose times are its own."""

    async def chore(self, seconds: int) -> None:
        await asyncio.sleep(seconds)
        self.told.append(await chore(f"chore {len(self.told)}"))

    async def errand(self, how: str, fails: bool, seconds: int) -> None:
        self.told.append(str(await ERRANDS[how](seconds, fails)))

    async def wait_for(self, signal: int, seconds: int) -> None:
        async with asyncio.timeout(seconds):
            self.told.append(str(await flow.signals(f"signal {signal}").receive()))

    async def tell(self, seconds: int) -> None:
        await asyncio.sleep(seconds)
        await flow.external(flow.info().workflow_id).signal("told", len(self.told))

    async def attempt(self, program: Program) -> None:
        try:
            await self.run(program)
        except Exception as error:  # noqa: BLE001 - whatever a program raises
            self.told.append(f"caught {type(error).__name__}")

    async def child(self, seconds: int, program: Program) -> None:
        await asyncio.sleep(seconds)
        self.told += await disturbed([program])


@flow.workflow(
    version="1",
    task_list="deciders",
    child_policy="ABANDON",
    execution_start_to_close_timeout=31_536_000,
    task_start_to_close_timeout=10,
)
async def disturbed(programs: list[Any]) -> list[str]:
    """Run a program, and the others as runs that continue this one."""
    interpreter = Disturbed()
    program, *rest = programs
    try:
        await interpreter.run(program)
    finally:
        flow.mark("told", interpreter.told)
    if rest:
        disturbed.continue_as_new(rest)
    return interpreter.told


# -- programs --

#: Leaves that take no time, and those that do.
SUDDEN: Grammar = {name: LEAVES[name] for name in ("step", "mark", "yield")}
TIMED: Grammar = {
    "sleep": ("time",),
    "chore": ("time",),
    "errand": ("how", "fails", "time"),
    "wait for": ("signal", "time"),
    "tell": ("time",),
}
DEEPER: Grammar = {**NODES, "attempt": ("inner",), "child": ("time", "inner")}


class Plan:
    """What a seed makes.

    Attributes:
        programs: Each continues as the next.
        signals: Which signals are sent, after how many seconds.
        canceled: After how many seconds the run is asked to cancel itself, if it is.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        powers = range(TIMES)
        self._times = [MOMENT * 2**power for power in powers]
        self._chance.shuffle(self._times)
        self.signals: list[int] = []
        one = self._chance.random()
        self.canceled = self._times.pop() if one < 0.3 else None
        sizes = [self._chance.choice(SIZES)]
        sizes += [self._chance.choice(SIZES)] if one > 0.8 else []
        self.programs = [self._program(size) for size in sizes]

    def _program(self, size: int) -> Program:
        if size == 1:
            return self._one_of(TIMED if len(self._times) >= 2 else SUDDEN, 1)
        return self._one_of(DEEPER, size)

    def _one_of(self, grammar: Grammar, size: int) -> Program:
        chance = self._chance
        names = [name for name, kinds in grammar.items() if self._fits(kinds)]
        if grammar is TIMED:
            names += [*SUDDEN] if chance.random() < 0.4 else []
        name = chance.choice(names)
        kinds = {**grammar, **SUDDEN}[name]
        sizes = self._sizes(size, kinds.count("inner"))
        return [name, *(self._value(kind, size, sizes) for kind in kinds)]

    def _fits(self, kinds: tuple[str, ...]) -> bool:
        return not {"limit", "time"} & {*kinds} or bool(self._times)

    def _sizes(self, size: int, parts: int) -> list[int]:
        if parts < 2:
            return [size - 1] * parts
        first = self._chance.randint(1, max(1, size - 1))
        return [first, max(1, size - first)]

    def _value(self, kind: str, size: int, sizes: list[int]) -> Any:
        chance = self._chance
        if kind == "inner":
            return self._program(sizes.pop())
        if kind == "several":
            parts = chance.randint(1, min(3, size))
            return [self._program(max(1, size // parts)) for _ in range(parts)]
        if kind == "signal":
            self.signals.append(self._times.pop())
            return self.signals[-1]
        draw: dict[str, Callable[[], Any]] = {
            "time": self._times.pop,
            "limit": self._times.pop,
            "times": lambda: chance.randint(1, 3),
            "how": lambda: chance.choice([*ERRANDS]),
            "fails": lambda: chance.random() < 0.2,
        }
        return draw[kind]()

    async def happen(self, domain: Domain) -> None:
        """Let happen to the run what does."""
        run, now = domain.execution("w-1"), asyncio.get_running_loop().time
        began = now()
        ahead = [(seconds, "signal") for seconds in self.signals]
        ahead += [(self.canceled, "cancel")] if self.canceled else []
        for seconds, what in sorted(ahead):
            await asyncio.sleep(began + seconds - now())
            with suppress(UnknownResourceFault):  # it is closed
                if what == "cancel":
                    await run.request_cancel()
                else:
                    await run.signal(f"signal {seconds}", seconds)
