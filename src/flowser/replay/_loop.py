"""An event loop that does the same again: no clock, no I/O, no order but its own.

asyncio's own primitives, and anyio's, work on it unchanged. What runs on it is a pure
function of what is put into it:

- callbacks run in the order in which they were scheduled, until none is left;
- sets of tasks and futures have an order (`_futures`);
- whatever would reach outside (threads, sockets, processes) is refused at once.

Source:
    DESIGN section 6; dx.md section 1.2.
"""

import asyncio
import contextvars
import sys
import zlib
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from flowser.replay._futures import (
    Future,
    Handle,
    Task,
    asker,
    by_anyio,
    enter_task,
    leave_task,
    numbered,
    refuse_unordered,
    unretrieved,
)
from flowser.replay._rounds import BUDGET, Rounds
from flowser.replay.calls import Call, task_of
from flowser.replay.troubles import NotReplayable

#: How often code whose run was thrown away is cut off.
_CUTS = 100

# What a loop has to do by itself; asyncio has no public names for it.
if sys.version_info >= (3, 12):
    _current_task = asyncio.current_task
else:  # there, that is a function in Python, and so twice as slow
    _current_tasks: Any = asyncio.tasks._current_tasks  # type: ignore[attr-defined]  # noqa: SLF001 - as above
    _current_task = _current_tasks.get
_get_running_loop = asyncio._get_running_loop  # noqa: SLF001 - as above
_set_running_loop = asyncio._set_running_loop  # noqa: SLF001 - as above

# Who asks for futures that are looked at more closely.
_WRAPS = asyncio.wrap_future.__code__
_WAITS = asyncio.tasks._wait.__code__  # type: ignore[attr-defined]  # noqa: SLF001 - as above


class Loop(Rounds):
    """The loop of one run.

    Attributes:
        run: Whose loop it is.
        now: Seconds since 1970; only :class:`~flowser.replay.Run` moves it.
        created: The number of the latest future or task.
        salt: What the hashes of its tasks begin with.
        tasks: In order of creation; those that are done go at :meth:`prune`.
        unhandled: Contexts of exceptions that nobody retrieved.
        dead: Whether the run was thrown away.
    """

    def __init__(
        self,
        seed: str,
        *,
        call_at: Callable[[float, Handle], Any],
        budget: int = BUDGET,
    ) -> None:
        """Begin with nothing to do.

        Args:
            seed: The run's id.
            call_at: Makes a timer; returns what cancels it.
            budget: Callbacks between two events.
        """
        super().__init__(budget)
        self.run: Any = None
        self.now = 0.0
        self.created = 0
        # Those of different runs differ: asyncio keeps the tasks of all in one set.
        self.salt = zlib.crc32(seed.encode()) << 24
        self.tasks: list[Task | Call] = []
        self.unhandled: list[dict[str, Any]] = []
        self.dead = False
        self.context = contextvars.Context()
        self._call_at = call_at
        self._loose = 0
        self._cuts = 0
        self._many = 1
        self._generators: list[Any] = []

    # -- numbers --

    def number(self) -> str:
        """Give the next number of the current task; of no task ``c1``, ``c2`` ..."""
        task: Any = _current_task(self)
        if task is None:
            self._loose += 1
            return f"c{self._loose}"
        if task.__class__ is not Task:
            raise NotReplayable("asyncio.Task()", "use asyncio.create_task()")
        task.count += 1
        return numbered(task.path, task.count) if task.path else str(task.count)

    def current(self) -> Task | None:
        """Give the task that runs; None in a callback."""
        task: Task | None = _current_task(self)
        return task

    # -- running --

    @contextmanager
    def running(self) -> Iterator[None]:
        """Be the running loop of this thread; another one steps aside meanwhile."""
        host = _get_running_loop()
        task = None if host is None else _current_task(host)
        hooks = sys.get_asyncgen_hooks()
        if host is not None and task is not None:
            leave_task(host, task)
        _set_running_loop(self)
        sys.set_asyncgen_hooks(self._generators.append, _ignore)
        try:
            yield
        finally:
            sys.set_asyncgen_hooks(*hooks)
            _set_running_loop(host)
            if host is not None and task is not None:
                enter_task(host, task)

    def end(self) -> None:
        """Throw everything away, so that no ``finally`` runs later or elsewhere.

        Coroutines are closed here and now; nothing they do any more has an effect.
        """
        self.dead = True
        self.ready.clear()
        with self.running():
            for task in [*self.tasks]:
                if not task.done() and type(task) is Task:  # a call has no code
                    task.unlogged()
                    enter_task(self, task)
                    _end(task.get_coro())
                    leave_task(self, task)
            for generator in self._generators:
                _end(generator.aclose())
        self.ready.clear()
        self.tasks.clear()
        self._generators.clear()

    def tell_unretrieved(self) -> None:
        """Note what tasks raised that nobody awaited; at the end nobody will."""
        for task in self.tasks:
            if error := unretrieved(task):
                message = f"{task.get_name()} raised, and nobody awaited it"
                self.call_exception_handler({"message": message, "exception": error})

    def cut_off(self) -> None:
        """Cut off what code does whose run was thrown away.

        Code that catches everything, and goes on, is let to wait for ever instead.

        Raises:
            Ended: The first so many times.
        """
        self._cuts += 1
        if self._cuts <= _CUTS:
            raise Ended

    def prune(self) -> None:
        """Forget tasks and generators that are done."""
        if len(self.tasks) > self._many:
            self.tasks = [task for task in self.tasks if not task.done()]
            self._many = 2 * len(self.tasks) + 1
        self._burst = None
        if self._generators:
            alive = [g for g in self._generators if g.ag_frame is not None]
            self._generators[:] = alive

    # -- what asyncio's primitives ask of a loop --

    def time(self) -> float:
        """Give the time of the run in seconds."""
        return self.now

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        *call: Any,
        context: contextvars.Context | None = None,
    ) -> Any:
        """Call something after a time: an SWF timer."""
        return self.call_at(self.now + delay, *call, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        *call: Any,
        context: contextvars.Context | None = None,
    ) -> Any:
        """Call something at a time: an SWF timer; at once when it is past."""
        if when <= self.now:
            return self.call_soon(*call, context=context)
        if context is None:
            context = contextvars.copy_context()
        return self._call_at(when, Handle(call, context))

    def create_future(self) -> Future[Any]:
        """Make a future.

        Raises:
            NotReplayable: For one that a thread is to resolve, or that waits for a set
                without an order.
        """
        if self.dead:
            self.cut_off()
        frame = sys._getframe(1)  # noqa: SLF001 - who calls
        if frame.f_code is _WRAPS:
            raise NotReplayable("a future of another thread")
        if frame.f_code is _WAITS:
            refuse_unordered(frame.f_locals["fs"])
        return Future(self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        path: str | None = None,
        eager_start: bool | None = None,  # noqa: ARG002 - it would change the order
    ) -> Any:
        """Make a task; its path is the current task's next number, unless given."""
        if self.dead:
            return self._stillborn(coro)
        by = None
        if path is None:
            by = asker(coro)
            path = self.number()
        task: Task | Call | None = None
        if context is None:
            context = contextvars.copy_context()
            code = getattr(coro, "cr_code", None)
            # anyio looks into the coroutines of tasks.
            if code is self.run.program.calls and not (by and by_anyio(by)):
                task = task_of(coro, path, name, context)
        if task is None:
            task = Task(coro, self, path, name, context)
        self.tasks.append(task)
        return task

    def _stillborn(self, coro: Any) -> Task:
        """Make a task that never begins, for a run that was thrown away.

        To raise instead would leave other coroutines of a ``gather`` never awaited;
        anyio does not leave them so, but needs to be told.

        Raises:
            Ended: To anyio.
        """
        coro.close()
        if by_anyio(sys._getframe(2)):  # noqa: SLF001 - who calls
            self.cut_off()
        task = Task(coro, self, "", "", self.context)
        task.unlogged()
        self.ready.clear()
        return task

    def is_closed(self) -> bool:
        """Tell whether the run was thrown away."""
        return self.dead

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody retrieved, for the worker's log; at most so many."""
        if not self.dead and len(self.unhandled) < 100:  # noqa: PLR2004 - a bound
            self.unhandled.append(context)

    default_exception_handler = call_exception_handler


class Ended(BaseException):
    """Raised in what a run that was thrown away still does: nothing must catch it."""


def _ignore(generator: Any) -> None:
    """Leave a generator alone: it is closed with its run, not by a collector."""


def _end(coro: Any) -> None:
    """Have a coroutine end here and now; what it goes on with is cut off.

    Not by ``close``, which gives up at a ``finally`` that waits, for a round say, and
    leaves the rest of it to the garbage collector.
    """
    for _ in range(_CUTS):
        try:
            coro.throw(Ended())
        except BaseException:  # noqa: BLE001 - a run's code may raise anything
            return
    with suppress(BaseException):  # code that catches everything, and waits again
        coro.close()
