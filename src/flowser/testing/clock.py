"""The time of an event loop, which goes on only while nothing happens.

Strategy: a clock is put on the loop that runs, so that any runner of tests will do. It
replaces ``loop.time``, and looks at each wait of the loop: when nothing is ready, it
goes to the next timer instead of waiting for it. So ``asyncio.sleep``, time-outs,
heartbeats and the deadlines of a local SWF share one time, and a month takes as long
as its events do.

Rules: time stands still

- while a callback or a coroutine runs, however long it takes;
- while something runs in a thread (``asyncio.to_thread``, ``loop.run_in_executor``,
  ``anyio.to_thread``) or in a child process that asyncio started;
- until a moment without input has passed (``still``), if the loop has sockets or
  pipes, or if there are other threads, of which nobody knows what they do.

When the clock is taken off, the time of the loop goes on from where it is, for timers
may be left; it never goes back.

Source:
    ``asyncio.base_events.BaseEventLoop._run_once``, which calls
    ``_selector.select(timeout)`` with the seconds to the next timer: 0 when something
    is ready, at most a day, None without timers. ``tests/testing/test_clock.py`` goes
    red when that moves.
"""

import asyncio
import contextlib
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

from flowser.exceptions import ConfigurationError, InvalidArgument
from flowser.testing.deadlock import Deadlock

#: The event loop waits for at most so many seconds at a time: a day.
MOST = 24 * 3600.0

#: After ten years in which nothing happens at all, nothing ever will: SWF's own
#: deadlines are less than one away.
_DAYS = 3_660

#: Real seconds between two looks at what runs elsewhere.
_LOOK = 0.005

#: Real seconds for which a skip waits for threads, before each step.
_PATIENCE = 0.25

#: Real seconds in which somebody unknown may still wake a loop that waits for nothing.
_LAST_CHANCE = 0.5

#: Threads that do nothing by themselves: those of pools are counted when they work.
_QUIET = (
    "asyncio_",
    "AnyIO worker thread",
    "flowser decider",
    "flowser watchdog",
    "pytest_timeout",
    "waitpid-",
)

_clocks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, "Clock"] = (
    weakref.WeakKeyDictionary()
)


@contextlib.contextmanager
def virtual_time(*, autojump: bool = True, still: float = 0.01) -> Iterator["Clock"]:
    """Put a clock on the running loop for as long as a block lasts.

    In a block within such a block, it is the same clock.

    Args:
        autojump: Whether it goes on by itself; otherwise only by :meth:`Clock.skip`.
        still: Real seconds without input after which nothing is under way any more;
            for loops with sockets and programs with threads of their own.

    Raises:
        ConfigurationError: When the loop has no place for it; says what to do.
    """
    loop = asyncio.get_running_loop()
    clock = _clocks.get(loop)
    if clock is not None:
        yield clock
        return
    clock = _clocks[loop] = Clock(loop, autojump=autojump, still=still)
    try:
        yield clock
    finally:
        del _clocks[loop]
        clock.take_off()


class Follower(Protocol):
    """Who has a say in how far the clock jumps."""

    def ahead(self, seconds: float) -> float:
        """Say how far it may go, of the seconds to the next timer.

        Args:
            seconds: Infinite if there is no timer; of :data:`MOST`, there may be none.

        Returns:
            As many seconds, or fewer.
        """
        ...

    def arrive(self) -> None:
        """Hear that it has gone there."""
        ...


class Clock:
    """The time of one event loop.

    Attributes:
        followers: Asked before each jump, and told of it.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, autojump: bool, still: float
    ) -> None:
        """Take over the time of a loop; see :func:`virtual_time`."""
        self.followers: list[Follower] = []
        self._autojump = autojump
        self._still = still
        self._now = loop.time()
        self._until = -math.inf  # as far as skips have leave to go
        self._skips = 0
        self._days = 0
        self._settling: list[asyncio.Future[None]] = []
        self._elsewhere = _Elsewhere(loop)
        self._loop = cast("Any", loop)
        self._selector = _selector(loop)
        self._wait: Callable[[float | None], Any] = self._selector.select
        self._selector.select = self._select
        self._loop.time = self.time

    def take_off(self) -> None:
        """Let the time of the loop go on as real time does."""
        ahead = self._now - time.monotonic()
        self._loop.time = lambda: time.monotonic() + ahead
        del self._selector.select
        self._elsewhere.forget()

    def time(self) -> float:
        """Tell the time, in seconds."""
        return self._now

    async def skip(self, seconds: float) -> None:
        """Let time go on, from deadline to deadline, and everything happen meanwhile.

        It waits a moment for what runs in threads, and then goes on without.

        Args:
            seconds: How far; 0 lets happen what is due now.

        Raises:
            InvalidArgument: When that is no time, or in the past.
        """
        if not 0 <= seconds < math.inf:
            raise InvalidArgument("skip", f"of {seconds!r} s", "give 0 s or more")
        self._until = max(self._until, self._now + seconds)
        self._skips += 1
        try:
            await asyncio.sleep(seconds)
            await self.settle()
        finally:
            self._skips -= 1
            if not self._skips:
                self._until = -math.inf

    async def settle(self) -> None:
        """Let everything happen that can without time going on."""
        settled = self._loop.create_future()
        self._settling.append(settled)
        await settled

    # -- in place of a wait of the loop --

    def _select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0:
            return self._wait(0)
        found = self._heard()
        if found or self._settled():
            return found
        return self._idle(math.inf if timeout is None else timeout)

    def _heard(self) -> Any:
        """Wait for what runs elsewhere, and give what comes of it."""
        began = time.monotonic()
        while self._elsewhere.busy():
            if self._skips and time.monotonic() - began > _PATIENCE:
                break
            if found := self._wait(_LOOK):
                return found
            self._elsewhere.look()
        return self._wait(self._still if self._strangers() else 0)

    def _settled(self) -> bool:
        settling, self._settling = self._settling, []
        for settled in settling:
            if not settled.done():
                settled.set_result(None)
        return bool(settling)

    def _idle(self, seconds: float) -> Any:
        """Go to the next timer, or part of the way."""
        # The tolerance covers what the sum of two floats may be off.
        leave = self._autojump or self._now + seconds <= self._until + 1e-6
        self._days = self._days + 1 if seconds == MOST else 0
        if leave and self._days <= _DAYS:
            seconds = min([seconds, *(f.ahead(seconds) for f in self.followers)])
            if seconds < math.inf:
                self._go(seconds)
                return []
        return self._stuck()

    def _go(self, seconds: float) -> None:
        # A timer ends after its time, not at it, and sums of floats are rounded. What
        # asyncio is early by is nothing to a clock that shows half a year.
        self._now += seconds + 2 * math.ulp(self._now)
        for follower in self.followers:
            follower.arrive()

    def _stuck(self) -> Any:
        """Wait for somebody unknown.

        Raises:
            Deadlock: When there can be nobody.
        """
        if self._elsewhere.busy() or self._strangers():
            return self._wait(None)
        if found := self._wait(_LAST_CHANCE):
            return found
        raise Deadlock(self._loop, waits_for_skip=not self._autojump)

    def _strangers(self) -> bool:
        """Tell whether there are sockets, pipes, or threads of unknown purpose."""
        get_map = getattr(self._selector, "get_map", None)
        # The loop itself has a pair of sockets, of which it reads one.
        if get_map is None or len(get_map()) > 1:
            return True
        known = threading.current_thread(), threading.main_thread()
        return any(
            thread not in known and not thread.name.startswith(_QUIET)
            for thread in threading.enumerate()
        )


def _selector(loop: asyncio.AbstractEventLoop) -> Any:
    """Give what a loop waits in: a selector, or what stands for one on Windows."""
    selector = getattr(loop, "_selector", None)
    if isinstance(loop, asyncio.BaseEventLoop) and hasattr(selector, "select"):
        return selector
    kind = f"{type(loop).__module__}.{type(loop).__qualname__}"
    raise ConfigurationError(
        f"a virtual clock cannot be put on {kind}: run tests on asyncio's own event "
        "loop (pytest-asyncio: no event_loop_policy and no loop factory of another; "
        "anyio: use_uvloop false; else asyncio.Runner() without loop_factory)"
    )


class _Elsewhere:
    """Counts what runs in threads and child processes for an event loop."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._calls: dict[Any, Any] = {}  # functions, by the futures of their results
        self._children: set[Any] = set()
        self._names = ("run_in_executor", "subprocess_exec", "subprocess_shell")
        self._run, *spawn = (getattr(loop, name) for name in self._names)
        loop.run_in_executor = self._in_executor
        loop.subprocess_exec, loop.subprocess_shell = map(self._spawning, spawn)

    def forget(self) -> None:
        """Count no more."""
        for name in self._names:
            delattr(self._loop, name)

    def _in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = self._run(executor, func, *args)
        self._calls[future] = func
        future.add_done_callback(self._back)
        return future

    def _back(self, future: object) -> None:
        self._calls.pop(future, None)

    def look(self) -> None:
        """Let workflow code be ended that blocks: its timer stands, as all others."""
        for func in tuple(self._calls.values()):
            look = getattr(func, "look", None)
            if look is not None:
                look()

    def _spawning(self, spawn: Any) -> Any:
        async def spawned(*args: Any, **kwargs: Any) -> Any:
            transport, protocol = await spawn(*args, **kwargs)
            self._children.add(transport)
            return transport, protocol

        return spawned

    def busy(self) -> bool:
        """Tell whether something runs now."""
        over = [c for c in self._children if c.get_returncode() is not None]
        self._children.difference_update(over)
        return bool(self._calls or self._children) or any(
            # A queue knows what was put into it and is not done.
            thread.queue.unfinished_tasks
            for thread in threading.enumerate()
            if thread.name == "AnyIO worker thread" and hasattr(thread, "queue")
        )
