"""The steps of a run (``flow.step``), done in the worker's event loop.

Source:
    dx.md section 1.2 (steps); issue 4 section 1.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

from flowser._flow.failures import describe
from flowser.replay.steps import Step

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Done(NamedTuple):
    """A step that is done.

    Attributes:
        step: It.
        value: What it returned, as JSON.
        failure: What it raised, as a description in JSON; None for nothing.
    """

    step: Step
    value: str | None
    failure: str | None


class Stepping:
    """The steps of one run; they go on while it is kept."""

    def __init__(self, spawn: Spawn) -> None:
        """Do nothing yet.

        Args:
            spawn: Runs a step.
        """
        self._spawn = spawn
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._done: list[Done] = []
        self._changed = asyncio.Event()
        self._exit: BaseException | None = None

    def look(self, wanted: Mapping[str, Step]) -> None:
        """Begin what is new, and cancel what is not wanted any more."""
        for id in self._tasks.keys() - wanted.keys():
            self._tasks.pop(id).cancel()
        for id, step in wanted.items():
            if id not in self._tasks:
                self._tasks[id] = self._spawn(self._do(step))

    async def done(self, until: float | None) -> list[Done]:
        """Wait for some that are done, in the order in which they were.

        Args:
            until: A time of the loop after which there are none; None waits.

        Raises:
            SystemExit: When a step did.
            KeyboardInterrupt: Likewise.
        """
        try:
            async with asyncio.timeout_at(until):
                while not self._done:
                    if self._exit is not None:
                        raise self._exit
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return []
        done, self._done = self._done, []
        return done

    def put_back(self, done: Sequence[Done]) -> None:
        """Take back what has no room in this decision, for the next one."""
        self._done[:0] = done

    def end(self) -> None:
        """Cancel all."""
        self.look({})

    async def _do(self, step: Step) -> None:
        value = failure = None
        try:
            value = await step.work()
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            value, failure = None, describe(error)[1]
        except (SystemExit, KeyboardInterrupt) as error:
            self._exit = error  # raised where the decision is made, not in a task
            self._changed.set()
            return
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - a step may raise anything
            value, failure = None, describe(error)[1]
        self._done.append(Done(step, value, failure))
        self._changed.set()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
