"""Futures, tasks and handles whose order is the same again.

They hash by the number of their creation, so that the sets of asyncio and anyio are
iterated in the same order whenever the same thing happens again. Tasks are numbered
by where they were created, like the sections of a book: task ``2`` of the main task
begins what is called ``2.1``, ``2.2`` ...; what another task does in the meantime
changes no number here.

Source:
    dx.md section 1.2.
"""

import asyncio
import contextvars
import sys
import zlib
from asyncio import CancelledError
from collections.abc import Coroutine, Generator
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from flowser.replay.troubles import TASKS, NotReplayable

if TYPE_CHECKING:
    from flowser.replay._loop import Loop

__all__ = ["CancelledError", "Future", "Handle", "Task"]

R = TypeVar("R")

#: Longer prefixes of numbers are shortened: an id has at most 256 characters.
DEPTH = 160

#: What stands for a name that is made when it is wanted: most never are.
_UNNAMED = str(b"task", "ascii")  # no other string is the same object

# What a task has to tell asyncio; it documents them, for loops that have their own.
register_task: Any = asyncio.tasks._register_task  # noqa: SLF001 - as above
enter_task: Any = asyncio.tasks._enter_task  # noqa: SLF001 - as above
leave_task: Any = asyncio.tasks._leave_task  # noqa: SLF001 - as above

# Quicker than by super(), and often.
init_future = asyncio.Future.__init__
_init_task = asyncio.Task.__init__

_ASYNCIO_TASKS = asyncio.tasks.__file__
_GATHER = asyncio.gather.__code__
_UNORDERED = ("as_completed", "_AsCompletedIterator")


class Handle(msgspec.Struct, eq=False):  # a struct is made quickly, and often
    """A callback that waits for its turn; what ``call_soon`` returns.

    Attributes:
        call: What is called, and with what; nothing when it was cancelled.
        context: Where.
        again: Whether it tells a task of a cancellation that anyio's scopes repeat.
    """

    call: tuple[Any, ...]
    context: contextvars.Context
    again: bool = False

    def cancel(self) -> None:
        """Do not call it after all."""
        self.call = ()

    def cancelled(self) -> bool:
        """Tell whether it was cancelled."""
        return not self.call


class Future(asyncio.Future[R]):
    """A future that hashes by the number of its creation."""

    __slots__ = ("_number",)

    def __init__(self, loop: "Loop") -> None:
        """Wait for a result."""
        loop.created = self._number = loop.created + 1
        init_future(self, loop=loop)

    def __hash__(self) -> int:
        return self._number


class Task(asyncio.Task[Any]):
    """A task that hashes by the number of its creation, and numbers what it begins.

    Attributes:
        path: Where it was created: ``2.1`` is the first thing of task ``2``.
        count: How much it has begun.
    """

    __slots__ = ("_number", "count", "path")

    def __init__(
        self,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        loop: "Loop",
        path: str,
        name: str | None,
        context: contextvars.Context | None,
    ) -> None:
        """Begin to run at the loop's next round."""
        loop.created = self._number = loop.created + 1
        self.path = path
        self.count = 0
        if name is None:
            name = _UNNAMED
        _init_task(self, coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        loop: Any = self.get_loop()
        hashed: int = loop.salt + self._number
        return hashed

    def get_name(self) -> str:
        """Give its name; its path names it when nobody did."""
        name = super().get_name()
        return f"task {self.path}" if name is _UNNAMED else name

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it; anyio's scopes do so in an order that is no order."""
        if not by_anyio(sys._getframe(1)):  # noqa: SLF001 - who calls
            return super().cancel(msg)
        loop: Any = self.get_loop()
        with loop.in_order(self._number):
            return super().cancel(msg)

    def unlogged(self) -> None:
        """Say nothing when it is thrown away."""
        self._log_destroy_pending = False  # a member of asyncio's

    @property
    def _loop(self) -> Any:
        """Refuse what is about to call into the loop from a thread: anyio's workers."""
        raise NotReplayable("a thread")


def numbered(path: str, count: int) -> str:
    """Give the number of what the task of a path begins."""
    if len(path) > DEPTH:
        path = f"x{zlib.crc32(path.encode()):08x}"
    return f"{path}.{count}" if path else str(count)


def by_anyio(frame: FrameType) -> bool:
    """Tell whether it is anyio that calls."""
    name: str = frame.f_globals.get("__name__", "")
    return name.startswith("anyio.")


def unretrieved(task: Any) -> BaseException | None:
    """Give what a task raised if nobody has looked at it, and look at it."""
    told = task.done() and task._log_traceback  # noqa: SLF001 - a member of asyncio's
    error: BaseException | None = task.exception() if told else None
    return error


def asker(coro: Any) -> FrameType | None:
    """Give the frame that wants a task; None inside of asyncio's own module.

    Raises:
        NotReplayable: For ``as_completed([f(), g()])``: a set of coroutines has no
            order.
    """
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - who calls
    for _ in range(3):
        if frame is None or (code := frame.f_code) is _GATHER:
            return None
        if code.co_filename != _ASYNCIO_TASKS:
            return frame
        if code.co_qualname.startswith(_UNORDERED):
            coro.close()
            raise NotReplayable("as_completed() over bare coroutines", TASKS)
        frame = frame.f_back
    return None


def refuse_unordered(futures: set[Any]) -> None:
    """Refuse ``wait([gather(...), gather(...)])``: these hash by their addresses."""
    if len(futures) > 1 and not all(isinstance(f, Future | Task) for f in futures):
        raise NotReplayable("wait() over what gather() gives", TASKS)
