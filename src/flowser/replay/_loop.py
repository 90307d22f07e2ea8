"""An event loop that does the same again: no clock, no I/O, no order but its own.

asyncio's own primitives, and anyio's, work on it unchanged. What runs on it is a pure
function of what is put into it:

- callbacks run in the order in which they were scheduled, until none is left;
- tasks and futures hash by the number of their creation, so that the sets of asyncio
  and anyio are iterated in the same order whenever the same thing happens again;
- tasks are numbered by where they were created, like the sections of a book: task
  ``2`` of the main task begins what is called ``2.1``, ``2.2`` ...; what another task
  does in the meantime changes no number here;
- whatever would reach outside (threads, sockets, processes) is refused at once.

Source:
    DESIGN section 6; dx.md section 1.2.
"""

import asyncio
import contextvars
import sys
import zlib
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from flowser.replay.troubles import NotReplayable, Spinning

__all__ = ["CancelledError", "Future", "Handle", "Loop", "Task"]

#: Callbacks between two events after which a run is said to spin.
BUDGET = 100_000

#: Rounds after which the loop looks whether anything still changes.
_PATIENCE = 32

#: How often code whose run was thrown away is cut off.
_CUTS = 100

#: Longer prefixes of numbers are shortened: an id has at most 256 characters.
_DEPTH = 160

R = TypeVar("R")

_ASYNCIO_TASKS = asyncio.tasks.__file__

_current_task = asyncio.current_task


class Handle:
    """A callback that waits for its turn; what ``call_soon`` returns.

    Attributes:
        again: Whether it tells a task of a cancellation that anyio's scopes repeat.
    """

    __slots__ = ("again", "args", "callback", "context")

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context,
    ) -> None:
        """Wait."""
        self.callback: Callable[..., object] | None = callback
        self.args = args
        self.context = context
        self.again = False

    def cancel(self) -> None:
        """Do not call it after all."""
        self.callback = None
        self.args = ()

    def cancelled(self) -> bool:
        """Tell whether it was cancelled."""
        return self.callback is None


class Future(asyncio.Future[R]):
    """A future that hashes by the number of its creation."""

    __slots__ = ("_hash",)

    def __init__(self, loop: "Loop") -> None:
        """Wait for a result."""
        loop.created += 1
        self._hash = loop.created  # first, for C code may hash it
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._hash


class Task(asyncio.Task[Any]):
    """A task that hashes by the number of its creation, and numbers what it begins.

    Attributes:
        path: Where it was created: ``2.1`` is the first thing of task ``2``.
        prefix: What the numbers of all that it begins start with.
        count: How much it has begun.
    """

    __slots__ = ("_hash", "count", "path", "prefix")

    def __init__(
        self,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        *,
        loop: "Loop",
        path: str,
        name: str | None,
        context: contextvars.Context | None,
    ) -> None:
        """Begin to run at the loop's next round."""
        loop.created += 1
        self._hash = loop.created
        self.path = path
        self.prefix = f"{path}." if path else ""
        if len(path) > _DEPTH:
            self.prefix = f"x{zlib.crc32(path.encode()):08x}."
        self.count = 0
        name = f"task {path}" if name is None else name
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._hash

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it; anyio's scopes do so in an order that is no order."""
        if not sys._getframe(1).f_globals.get("__name__", "").startswith("anyio."):
            return super().cancel(msg)
        loop: Any = self.get_loop()
        with loop.in_order(self._hash):
            return super().cancel(msg)

    @property
    def _loop(self) -> Any:
        """Refuse what is about to call into the loop from a thread: anyio's workers."""
        raise NotReplayable("a thread")


class Loop(asyncio.AbstractEventLoop):
    """The loop of one run.

    Attributes:
        run: Whose loop it is.
        now: Seconds since 1970; only :class:`~flowser.replay.Run` moves it.
        created: The number of the latest future or task; high bits are the run's.
        tasks: In order of creation; those that are done go at :meth:`prune`.
        changes: Counts what is asked of SWF: the loop stands still without.
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
        self.run: Any = None
        self.now = 0.0
        # The ids of different runs differ: asyncio keeps the tasks of all in one set.
        self.created = zlib.crc32(seed.encode()) << 24
        self.tasks: dict[Task, None] = {}
        self.changes = 0
        self.unhandled: list[dict[str, Any]] = []
        self.dead = False
        self.context = contextvars.Context()
        self._ready: deque[Handle] = deque()
        self._call_at = call_at
        self._budget = budget
        self._loose = 0
        self._cuts = 0
        self._many = 1
        self._burst: list[tuple[int, Handle]] = []
        self._generators: list[Any] = []

    # -- numbers --

    def number(self) -> str:
        """Give the next number of the current task; of no task ``c1``, ``c2`` ..."""
        task: Any = _current_task(self)
        if task is None:
            self._loose += 1
            return f"c{self._loose}"
        task.count += 1
        return f"{task.prefix}{task.count}"

    def current(self) -> Task | None:
        """Give the task that runs; None in a callback."""
        task: Task | None = _current_task(self)  # type: ignore[assignment]
        return task

    # -- running --

    @contextmanager
    def running(self) -> Iterator[None]:
        """Be the running loop of this thread; another one steps aside meanwhile."""
        host = asyncio._get_running_loop()
        task = None if host is None else _current_task(host)
        hooks = sys.get_asyncgen_hooks()
        if host is not None and task is not None:
            asyncio.tasks._leave_task(host, task)
        asyncio._set_running_loop(self)
        sys.set_asyncgen_hooks(self._generators.append, _ignore)
        try:
            yield
        finally:
            sys.set_asyncgen_hooks(*hooks)
            asyncio._set_running_loop(host)
            if host is not None and task is not None:
                asyncio.tasks._enter_task(host, task)

    def drain(self) -> None:
        """Call what is ready, round by round, until nothing is, or nothing changes.

        A round is what is ready at its beginning. anyio's cancel scopes call
        themselves, and cancel their tasks, again and again for as long as one lives,
        which may be until an activity acknowledges. So a queue that is but for that
        the same round after round, while nothing was asked of SWF, is left for after
        the next event.

        Raises:
            Spinning: When the budget is used up.
        """
        ready = self._ready
        popleft = ready.popleft
        rounds, left = 0, self._budget
        before: list[tuple[Any, Any]] = []
        changes = self.changes
        while ready:
            rounds += 1
            if rounds > _PATIENCE:
                queue = [(h.callback, h.args) for h in ready if not h.again]
                if queue == before and changes == self.changes:
                    return
                before, changes = queue, self.changes
            left -= len(ready)
            if left < 0:
                raise Spinning(self._budget)
            for _ in range(len(ready)):
                handle = popleft()
                callback = handle.callback
                if callback is not None:
                    try:
                        handle.context.run(callback, *handle.args)
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:  # noqa: BLE001 - as asyncio's
                        words = f"Exception in callback {callback!r}"
                        self.call_exception_handler(
                            {"message": words, "exception": error}
                        )

    @property
    def idle(self) -> bool:
        """Whether nothing is ready."""
        return not self._ready

    @contextmanager
    def in_order(self, number: int) -> Iterator[None]:
        """Wake tasks that are cancelled one after the other in order of creation.

        anyio keeps the scopes inside a scope in a set, by their addresses.
        """
        ready, burst = self._ready, self._burst
        before = len(ready)
        if not 0 < len(burst) <= before:
            burst = self._burst = []
        elif ready[-1] is not burst[-1][1] or ready[-len(burst)] is not burst[0][1]:
            burst = self._burst = []  # something else was scheduled, or it has run
        yield
        woken = [(number, ready.pop()) for _ in range(before, len(ready))]
        after = [pair for pair in burst if pair[0] > number]
        for _ in after:
            ready.pop()
        for _, handle in woken:
            handle.again = True
        burst[len(burst) - len(after) :] = [*woken, *after]
        ready.extend(handle for _, handle in (*woken, *after))

    def push(self, handle: Handle) -> None:
        """Make a handle ready, a timer's say."""
        self._ready.append(handle)

    def end(self) -> None:
        """Throw everything away, so that no ``finally`` runs later or elsewhere.

        Coroutines are closed here and now; nothing they do any more has an effect.
        """
        self.dead = True
        self._ready.clear()
        with self.running():
            for task in list(self.tasks):
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                if not task.done():
                    _close(task.get_coro())
            for generator in self._generators:
                _finish(generator)
        self._ready.clear()
        self.tasks.clear()
        self._generators.clear()

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
            self.tasks = {task: None for task in self.tasks if not task.done()}
            self._many = 2 * len(self.tasks) + 1
        self._burst = []
        if self._generators:
            alive = [g for g in self._generators if g.ag_frame is not None]
            self._generators[:] = alive

    # -- what asyncio's primitives ask of a loop --

    def time(self) -> float:
        """Give the time of the run in seconds."""
        return self.now

    def call_soon(  # type: ignore[override]
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """Call *callback* in the next round."""
        if context is None:
            context = contextvars.copy_context()
        handle = Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Any:
        """Call *callback* after a time: an SWF timer."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Any:
        """Call *callback* at a time: an SWF timer; at once when it is past."""
        if when <= self.now:
            return self.call_soon(callback, *args, context=context)
        if context is None:
            context = contextvars.copy_context()
        return self._call_at(when, Handle(callback, args, context))

    def create_future(self) -> Future[Any]:
        """Make a future."""
        if self.dead:
            self.cut_off()
        return Future(self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        path: str | None = None,
        **_: Any,
    ) -> Task:
        """Make a task; its path is the current task's next number, unless given."""
        if self.dead:
            return self._stillborn(coro)
        if path is None:
            _refuse_as_completed(coro)
            path = self.number()
        if context is None:
            context = contextvars.copy_context()
        task = Task(coro, loop=self, path=path, name=name, context=context)
        self.tasks[task] = None
        return task

    def _stillborn(self, coro: Any) -> Task:
        """Make a task that never begins, for a run that was thrown away.

        To raise instead would leave other coroutines of a ``gather`` never awaited.
        """
        coro.close()
        task = Task(coro, loop=self, path="", name="", context=self.context)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._ready.clear()
        return task

    def get_debug(self) -> bool:
        """Never debug: tracebacks of every call cost more than they tell."""
        return False

    def is_running(self) -> bool:
        """Tell what primitives want to hear."""
        return True

    def is_closed(self) -> bool:
        """Tell whether the run was thrown away."""
        return self.dead

    def get_task_factory(self) -> None:
        """Have none; anyio asks."""

    def set_task_factory(self, factory: Any) -> None:
        """Refuse: eager tasks would change the order."""
        raise NotReplayable("a task factory")

    def get_exception_handler(self) -> None:
        """Have none but our own."""

    def set_exception_handler(self, handler: Any) -> None:
        """Refuse: what nobody retrieved is found by the garbage collector."""
        raise NotReplayable("an exception handler")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody retrieved, for the worker's log; at most so many."""
        if not self.dead and len(self.unhandled) < 100:  # noqa: PLR2004 - a bound
            self.unhandled.append(context)

    default_exception_handler = call_exception_handler


class Ended(BaseException):
    """Raised in what a run that was thrown away still does: nothing must catch it."""


def _ignore(generator: Any) -> None:
    """Leave a generator alone: it is closed with its run, not by a collector."""


def _close(coro: Any) -> None:
    """Close a coroutine for good; what it goes on with after that is cut off.

    A ``finally`` that waits for the next round has to be closed once more.
    """
    for _ in range(_CUTS):
        try:
            coro.close()
        except BaseException:  # noqa: BLE001, S112 - a run's code may raise anything
            if getattr(coro, "cr_frame", None) is not None:
                continue
        return


def _finish(generator: Any) -> None:
    """Close an async generator for good: its ``finally`` may not wait for anything."""
    closing = generator.aclose()
    try:
        closing.send(None)
    except BaseException:  # noqa: BLE001, S110 - a run's code may raise anything
        pass
    _close(closing)


def _refuse_as_completed(coro: Any) -> None:
    """Refuse ``as_completed([f(), g()])``: a set of coroutines has no order."""
    frame = sys._getframe(2)
    for _ in range(3):
        if frame.f_code.co_filename != _ASYNCIO_TASKS:
            return
        name = frame.f_code.co_qualname
        if name.startswith(("as_completed", "_AsCompletedIterator")):
            coro.close()
            raise NotReplayable(
                "as_completed() over bare coroutines",
                "pass it tasks, or what .start() gives",
            )
        if frame.f_back is None:
            return
        frame = frame.f_back


#: What is called when a name of a loop that is not defined above is.
def _refusal(name: str) -> Callable[..., Any]:
    def refuse(self: Loop, *args: Any, **kwargs: Any) -> Any:
        raise NotReplayable(f"loop.{name}()")

    refuse.__name__ = name
    return refuse


for _name in dir(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in vars(Loop):
        setattr(Loop, _name, _refusal(_name))
