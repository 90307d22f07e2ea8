"""Random workflow programs, from a small grammar of awaits."""

import asyncio
from collections.abc import Mapping
from typing import Any

import anyio
from hypothesis import strategies as st

from flowser import flow

workflow = flow.workflow(version="1", task_list="deciders")


@flow.activity(version="1", task_list="payers")
async def work(name: str) -> str:
    return name


VARIANTS = {
    "request": work,
    "wait": work.with_(cancellation="wait"),
    "abandon": work.with_(cancellation="abandon"),
    "retry": work.with_(retry=flow.Retry(attempts=3, initial=1)),
}

#: A program is a name and arguments, some of which are programs.
Program = list[Any]

#: The grammar: names, and the kinds of their arguments.
Grammar = Mapping[str, tuple[str, ...]]

LEAVES: Grammar = {
    "work": ("variant",),
    "sleep": ("seconds",),
    "receive": ("signal",),
    "step": (),
    "mark": (),
    "yield": ("times",),
}
NODES: Grammar = {
    "sequence": ("several",),
    "gather": ("several",),
    "group": ("several",),
    "anyio": ("several",),
    "first": ("several",),
    "timeout": ("limit", "inner"),
    "move on": ("limit", "inner"),
    "shield": ("inner",),
    "cancel": ("inner", "inner"),
    "finally": ("inner", "inner"),
}

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "variant": st.sampled_from(sorted(VARIANTS)),
    "seconds": st.integers(0, 5),
    "signal": st.integers(0, 1),
    "times": st.integers(1, 3),
    "limit": st.integers(1, 4),
}


def _strategy(
    grammar: Grammar, values: Mapping[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Program]:
    parts = (
        st.tuples(st.just(name), *map(values.__getitem__, kinds))
        for name, kinds in grammar.items()
    )
    return st.one_of([part.map(list) for part in parts])


def _deeper(inner: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
    several = st.lists(inner, min_size=1, max_size=3)
    return _strategy(NODES, {**VALUES, "inner": inner, "several": several})


PROGRAMS = st.recursive(_strategy(LEAVES, VALUES), _deeper, max_leaves=10)


class Interpreter:
    """Runs a program; what it tells depends on the order of everything."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def run(self, program: Program) -> None:
        name, *args = program
        self.told.append(f"+{name}")
        try:
            await getattr(self, name.replace(" ", "_"))(*args)
        except asyncio.CancelledError:
            self.told.append(f"x{name}")
            raise
        except Exception as error:
            self.told.append(f"!{name} {type(error).__name__}")
            raise
        self.told.append(f"-{name}")

    async def work(self, variant: str) -> None:
        self.told.append(await VARIANTS[variant](variant))

    async def sleep(self, seconds: int) -> None:
        await asyncio.sleep(seconds)

    async def receive(self, number: int) -> None:
        signals = flow.signals(f"signal {number}", int)
        async with asyncio.timeout(3):
            self.told.append(str(await signals.receive()))

    async def step(self) -> None:
        self.told.append(await flow.step(_name, len(self.told)))

    async def mark(self) -> None:
        flow.mark("mark", len(self.told))

    async def yield_(self, times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(0)

    async def sequence(self, programs: list[Program]) -> None:
        for program in programs:
            await self.run(program)

    async def gather(self, programs: list[Program]) -> None:
        await asyncio.gather(*map(self.run, programs))

    async def group(self, programs: list[Program]) -> None:
        async with asyncio.TaskGroup() as group:
            for program in programs:
                group.create_task(self.run(program))

    async def anyio(self, programs: list[Program]) -> None:
        async with anyio.create_task_group() as group:
            for program in programs:
                group.start_soon(self.run, program)

    async def first(self, programs: list[Program]) -> None:
        tasks = [asyncio.ensure_future(self.run(each)) for each in programs]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self.told.append(f"{len(done)} of {len(tasks)}")
        finally:
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def timeout(self, seconds: int, program: Program) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.run(program)
        except TimeoutError:
            self.told.append("timed out")

    async def move_on(self, seconds: int, program: Program) -> None:
        with anyio.move_on_after(seconds) as scope:
            await self.run(program)
        self.told.append(f"moved on {scope.cancelled_caught}")

    async def shield(self, program: Program) -> None:
        inner = asyncio.ensure_future(self.run(program))
        try:
            await asyncio.shield(inner)
        except asyncio.CancelledError:
            await asyncio.gather(inner, return_exceptions=True)
            raise

    async def cancel(self, program: Program, before: Program) -> None:
        task = asyncio.ensure_future(self.run(program))
        try:
            await self.run(before)
        finally:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def finally_(self, program: Program, cleanup: Program) -> None:
        try:
            await self.run(program)
        finally:
            await self.run(cleanup)


setattr(Interpreter, "yield", Interpreter.yield_)
setattr(Interpreter, "finally", Interpreter.finally_)


def _name(number: int) -> str:
    return f"step {number}"


@flow.workflow(
    version="1",
    task_list="deciders",
    execution_start_to_close_timeout=1_000_000,
    task_start_to_close_timeout=10,
)
async def interpreted(program: list[Any]) -> list[str]:
    interpreter = Interpreter()
    try:
        await interpreter.run(program)
    except Exception as error:  # noqa: BLE001 - a failure is a result here
        interpreter.told.append(f"failed {type(error).__name__}")
    except asyncio.CancelledError:
        interpreter.told.append("canceled")
    return interpreter.told
