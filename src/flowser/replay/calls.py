"""Calls: coroutines that do nothing but wait for one operation.

``gather(charge(1), charge(2))`` makes a task of each call, as asyncio does. Such a task
waits for one future, and returns what that brings. So here the task *is* that future:
it begins, ends and is cancelled in the rounds in which any other task would be, but has
no coroutine and is never woken up, which saves half of the memory.

Source:
    dx.md section 1.2; asyncio's documentation, "Extending".
"""

import contextvars
from typing import TYPE_CHECKING, Any

from flowser.replay._futures import (
    DEPTH,
    Future,
    Handle,
    Task,
    enter_task,
    leave_task,
    numbered,
    register_task,
)
from flowser.replay.activities import Activity
from flowser.replay.operations import Operation, Plan
from flowser.replay.outgoing import Child

if TYPE_CHECKING:
    from flowser.replay.state import State


class Call(Operation[Any]):
    """A task of a call: an operation that can be handled like a task.

    Attributes:
        path: Where it was created; see `Task`.
        count: How much it has begun: itself, and what its serializer may begin.
        context: In which it runs.
    """

    __slots__ = ()

    path: str
    count: int
    context: contextvars.Context

    def __init__(
        self,
        begun: "tuple[State, Plan, Any]",
        path: str,
        name: str | None,
        context: contextvars.Context,
    ) -> None:
        """Begin in the loop's next round, in a run, by a plan, with arguments."""
        run, plan, arguments = begun
        id = f"{path}.1" if len(path) <= DEPTH else numbered(path, 1)
        super().__init__(run, plan, arguments, id)
        self.path = path
        self.count = 0
        self.context = context
        self._named = name
        self._requests = 0
        self._handle: Handle | None = Handle((self._begin,), context)
        run.loop.ready.append(self._handle)
        register_task(self)

    def __hash__(self) -> int:
        return self.run.loop.salt + self._number  # as Task

    # -- the rounds of a task --

    def _begin(self) -> None:
        self._handle = None
        self.count = 1
        loop = self.run.loop
        enter_task(loop, self)
        try:
            self.run.ask(self)
        except (SystemExit, KeyboardInterrupt) as error:
            self.set_exception(error)
            raise
        except StopIteration as error:  # which no future takes
            self.set_exception(RuntimeError(f"a call raised {error!r}"))
        except BaseException as error:  # noqa: BLE001 - a serializer may raise anything
            self.set_exception(error)
        finally:
            leave_task(loop, self)

    def _end(self, how: Any, value: Any) -> None:
        self._handle = None
        how(self, value)

    def _end_by(self, how: Any, value: Any) -> None:
        self._handle = Handle((self._end, how, value), self.context)
        self.run.loop.ready.append(self._handle)

    # An event brings these before its first round. A task would have that round for
    # itself, when nothing else is ready: then nobody can tell whether it was there.

    def _returns(self, value: Any) -> None:
        if self.run.loop.ready:
            self._end_by(Future.set_result, value)
        else:
            self.set_result(value)

    def _raises(self, error: type | BaseException) -> None:
        if self.run.loop.ready:
            self._end_by(Future.set_exception, error)
        else:
            self.set_exception(error)

    def _drops(self, msg: Any = None) -> bool:
        self._end_by(Future.cancel, msg)
        return True

    def ended(self) -> bool:
        """Tell whether it is known what it comes to."""
        return self._handle is not None or self.done()

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the operation at once, and the task in the next round."""
        if self.done():
            return False
        self._requests += 1
        if self._handle is None:
            return super().cancel(msg)
        if not self.count or self._handle.call[1] is not Future.cancel:
            self._handle.call = self._end, Future.cancel, msg
        return True

    # -- what else a task can do --

    # isinstance() takes it for what asyncio.create_task() gives.
    __class__ = property(lambda _: Task)

    def get_name(self) -> str:
        """Give its name; its path names it when nobody did."""
        return f"task {self.path}" if self._named is None else self._named

    def set_name(self, name: object) -> None:
        """Give it a name."""
        self._named = str(name)

    def get_coro(self) -> None:
        """Give no coroutine: it has none."""

    def get_context(self) -> contextvars.Context:
        """Give the context in which it runs."""
        return self.context

    def get_stack(self, *, limit: int | None = None) -> list[Any]:  # noqa: ARG002 - as asyncio's
        """Give no frames: it has none."""
        return []

    def print_stack(self, *, limit: int | None = None, file: Any = None) -> None:
        """Print no frames."""

    def cancelling(self) -> int:
        """Count the requests to cancel it that were not taken back."""
        return self._requests

    def uncancel(self) -> int:
        """Take back a request to cancel it."""
        self._requests = max(0, self._requests - 1)
        return self._requests

    @property
    def _fut_waiter(self) -> Any:
        return self if self.count else None

    @property
    def _log_destroy_pending(self) -> bool:
        return False

    @_log_destroy_pending.setter
    def _log_destroy_pending(self, _: bool) -> None:
        """Let ``gather`` set it: there is no coroutine to be destroyed."""


_SLOTS = ("_handle", "_named", "_requests", "context", "count", "path")


class _ActivityCall(Call, Activity[Any]):
    __slots__ = _SLOTS


class _ChildCall(Call, Child[Any]):
    __slots__ = _SLOTS


_CALLS: dict[Any, type[Call]] = {Activity: _ActivityCall, Child: _ChildCall}


def task_of(
    coro: Any, path: str, name: str | None, context: contextvars.Context
) -> Call | None:
    """Make a task of a call; None when somebody has begun it by hand.

    Args:
        coro: A coroutine of the program's ``call(run, given)``, where *given* is what
            ``run.begin`` is to be given.
        path: Of the task.
        name: Likewise, if it has one.
        context: In which it is to run.
    """
    frame = coro.cr_frame
    if frame is None or coro.cr_await is not None:
        return None
    local = frame.f_locals
    kind, plan, arguments = local["given"]
    made = _CALLS[kind]((local["run"], plan, arguments), path, name, context)
    coro.close()
    return made
