"""Tests in which waiting takes no time: the clock jumps whenever nothing happens.

Client, worker, proxy and server share one event loop and its clock. When no socket
has had anything to say for a moment, the clock goes to the next timer. So polls are
held for their full minute, and pauses can be measured exactly.

Not for tests with worker threads or child processes: these live by the real clock.
"""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")

#: Real seconds without an event after which nothing is under way any more. Within a
#: process, the loopback device delivers sooner.
_STILL = 0.001


class _Jumping(selectors.DefaultSelector):
    """Waits a moment where it was told to wait for long.

    Attributes:
        now: The time, in seconds.
        still: Real seconds without an event that count as stillness.
        threads: How many calls run in threads, for which time stands still.
    """

    now = 0.0
    still = _STILL
    threads = 0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self.threads:
            return super().select(None)
        found = super().select(min(timeout, self.still))
        if not found:
            self.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock goes on only while nothing happens."""

    def __init__(self, still: float = _STILL) -> None:
        """Begin at zero."""
        self._jumping = _Jumping()
        self._jumping.still = still
        super().__init__(self._jumping)

    def time(self) -> float:
        """Tell the time, in seconds."""
        return self._jumping.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        """Run something in a thread; the clock waits for it."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        future.add_done_callback(self._back)
        return future

    def _back(self, _: object) -> None:
        self._jumping.threads -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for all threads; the clock waits for them, whatever the time-out is."""
        self._jumping.threads += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._jumping.threads -= 1


def virtual(
    test: Callable[P, Coroutine[Any, Any, None]],
    *,
    still: float = _STILL,
    debug: bool = False,
) -> Callable[P, None]:
    """Run a test on a loop of its own, with a clock that jumps.

    Args:
        test: The test.
        still: Real seconds without an event that count as stillness.
        debug: Whether asyncio looks closely at what is done, which takes its time.
    """

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        make = functools.partial(VirtualLoop, still)
        with asyncio.Runner(loop_factory=make, debug=debug) as runner:
            runner.run(test(*args, **kwargs))

    return run


def now() -> float:
    """Tell the time of the running loop, in seconds."""
    return asyncio.get_running_loop().time()
