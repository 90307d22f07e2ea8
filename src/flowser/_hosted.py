"""A run in memory, whose code is called in threads.

Source:
    DESIGN section 6; issue 4 section 2 (watchdog).
"""

import asyncio
import contextlib
import weakref
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from flowser._threads import Executor, Job, Threads
from flowser.replay.run import Run

R = TypeVar("R")


class Hosted:
    """A run whose code is called in threads; where no time is too long, in the loop.

    Attributes:
        run: It.
    """

    def __init__(self, run: Run, threads: Threads) -> None:
        """Take a run that has not begun.

        Args:
            run: It.
            threads: Where its code runs.
        """
        self.run = run
        self._threads = threads
        self._job: Job | None = None

    @property
    def busy(self) -> bool:
        """Whether a thread still has it."""
        return self._job is not None and not self._job.over

    async def call(self, function: Callable[[], R]) -> R:
        """Call something that runs its code.

        Raises:
            Blocking: When that takes too long.
        """
        if self._threads.patience is None:
            return function()
        self._job = job = Job(self.run, function)
        try:
            result: R = await self._threads.start(job)
        finally:
            if job.future.done() and not (job.interrupted or job.future.cancelled()):
                self._job = None  # nor the events that it brought
        return result

    def end(self) -> None:
        """Throw it away, when its code has let go of it."""
        if self._threads.patience is None:
            self.run.end()
            return
        loop = asyncio.get_running_loop()

        def finish() -> None:
            self._threads.finish(Job(self.run, self.run.end))

        if self._job is not None and self.busy:
            self._job.then(partial(_soon, loop, finish))
        else:
            finish()


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # of a loop that is closed
        loop.call_soon_threadsafe(call)


_shared: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Executor]"
_shared = weakref.WeakKeyDictionary()


def shared() -> Executor:
    """Give the executor that all who look at runs have in common, in this loop."""
    loop = asyncio.get_running_loop()
    found = _shared.get(loop)
    if found is None:
        found = _shared[loop] = Executor()
        weakref.finalize(loop, found.shutdown)
    return found
