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
from collections.abc import Callable, Coroutine, Generator
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from flowser.replay.troubles import TASKS, NotReplayable

if TYPE_CHECKING:
    from flowser.replay._loop import Loop

__all__ = ["CancelledError", "Future", "Handle", "Task"]

R = TypeVar("R")

#: Longer prefixes of numbers are shortened: an id has at most 256 characters.
_DEPTH = 160

_ASYNCIO_TASKS = asyncio.tasks.__file__
_GATHER = asyncio.gather.__code__


class Handle(msgspec.Struct, eq=False):  # a struct is made quickly, and often
    """A callback that waits for its turn; what ``call_soon`` returns.

    Attributes:
        callback: What is called; None when it was cancelled.
        args: With what.
        context: Where.
        again: Whether it tells a task of a cancellation that anyio's scopes repeat.
    """

    callback: Callable[..., object] | None
    args: tuple[Any, ...]
    context: contextvars.Context
    again: bool = False

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
        asyncio.Future.__init__(self, loop=loop)  # quicker than super(), and often

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
        if not by_anyio(sys._getframe(1)):  # noqa: SLF001 - who calls
            return super().cancel(msg)
        loop: Any = self.get_loop()
        with loop.in_order(self._hash):
            return super().cancel(msg)

    def unretrieved(self) -> BaseException | None:
        """Give what it raised if nobody has looked at it, and look at it."""
        told = self.done() and self._log_traceback  # a member of asyncio's
        return self.exception() if told else None

    def unlogged(self) -> None:
        """Say nothing when it is thrown away."""
        self._log_destroy_pending = False  # a member of asyncio's

    @property
    def _loop(self) -> Any:
        """Refuse what is about to call into the loop from a thread: anyio's workers."""
        raise NotReplayable("a thread")


def by_anyio(frame: FrameType) -> bool:
    """Tell whether it is anyio that calls."""
    name: str = frame.f_globals.get("__name__", "")
    return name.startswith("anyio.")


def refuse_as_completed(coro: Any) -> None:
    """Refuse ``as_completed([f(), g()])``: a set of coroutines has no order."""
    frame = sys._getframe(2)  # noqa: SLF001 - who calls
    for _ in range(3):
        if frame.f_code.co_filename != _ASYNCIO_TASKS or frame.f_code is _GATHER:
            return
        name = frame.f_code.co_qualname
        if name.startswith(("as_completed", "_AsCompletedIterator")):
            coro.close()
            raise NotReplayable("as_completed() over bare coroutines", TASKS)
        if frame.f_back is None:
            return
        frame = frame.f_back


def refuse_unordered(futures: set[Any]) -> None:
    """Refuse ``wait([gather(...), gather(...)])``: these hash by their addresses."""
    if len(futures) > 1 and not all(isinstance(f, Future | Task) for f in futures):
        raise NotReplayable("wait() over what gather() gives", TASKS)
