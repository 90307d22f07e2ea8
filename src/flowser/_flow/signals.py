"""Signals, as channels to receive from and as handlers to be called.

Signals are kept until somebody wants them. One whose input is not what it should be is
logged and left out: whoever sent it can do no harm to the run.

Source:
    dx.md section 1.1 (signals).
"""

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar, overload

from flowser import limits, serializing
from flowser._flow.current import current, needed
from flowser._flow.payloads import reader
from flowser.exceptions import InvalidArgument
from flowser.replay.state import State

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

#: Where a method says which signals it handles.
HANDLES = "__flowser_signal__"

log = logging.getLogger("flowser.flow")


class Handles(NamedTuple):
    """Which signals a handler is for.

    Attributes:
        name: Of the signal.
        type: What its input is read as.
    """

    name: str
    type: Any


class Signals(Generic[T]):
    """The signals of one name, in the order in which they arrived.

    ``await signals.receive()`` gives the next one; ``async for`` all of them.
    """

    def __init__(self, run: State, handles: Handles) -> None:
        """Use :func:`flowser.flow.signals`."""
        self._handles = handles
        self._queue: asyncio.Queue[T] = asyncio.Queue()
        _listen(run, handles, lambda _, value: self._queue.put_nowait(value))

    def check(self, handles: Handles) -> None:
        """Refuse another type than that of the channel; `Any` is no other.

        Raises:
            InvalidArgument: Naming both.
        """
        if handles.type not in (Any, self._handles.type):
            problem = f"is of {self._handles.type!r} already"
            remedy = f"name one type, not {handles.type!r} too"
            raise InvalidArgument(f"signal {handles.name!r}", problem, remedy)

    async def receive(self) -> T:
        """Wait for the next signal, and give its input."""
        return await self._queue.get()

    def receive_nowait(self) -> T:
        """Give the input of the next signal that has arrived.

        Raises:
            asyncio.QueueEmpty: When none has.
        """
        return self._queue.get_nowait()

    def __len__(self) -> int:
        return self._queue.qsize()

    def __aiter__(self) -> "Signals[T]":
        return self

    async def __anext__(self) -> T:
        return await self.receive()


@overload
def signals(name: str, type: type[T]) -> Signals[T]: ...
@overload
def signals(name: str, type: Any = Any) -> Signals[Any]: ...
def signals(name: str, type: Any = Any) -> Signals[Any]:
    """Give the channel of the signals of a name; always the same one in a run.

    Args:
        name: Of the signal.
        type: What its input is read as; None when there is none.

    Raises:
        NotInWorkflow: When no workflow code is running.
        InvalidArgument: When the name is handled by a handler, or its signals are of
            another type, or JSON cannot be of the type.
    """
    run = needed("flow.signals()")
    handles = _handles(name, type)
    known = run.locals.get((HANDLES, name))
    if isinstance(known, Signals):
        known.check(handles)
        return known
    if known is not None:
        problem, remedy = "has a handler", "receive it, or handle it"
        raise InvalidArgument(f"signal {name!r}", problem, remedy)
    channel: Signals[Any] = Signals(run, handles)
    run.locals[HANDLES, name] = channel
    return channel


def on_signal(name: str, type: Any = Any) -> Callable[[F], F]:
    """Let a function, or a method of a workflow class, be called for each signal.

    ::

        @flow.on_signal("approve", Approval)
        async def approved(approval: Approval) -> None: ...

    One that is ``async`` becomes a task of its own for each signal. Signals that
    arrived before are handled first. What a handler raises fails the run.

    Args:
        name: Of the signal.
        type: What its input is read as.

    Raises:
        InvalidArgument: When the name has a channel, or another handler; or JSON cannot
            be of the type.
    """
    handles = _handles(name, type)

    def decorate(handler: F) -> F:
        run = current()
        if run is None:  # in a class body: Program finds it there
            setattr(handler, HANDLES, handles)
        else:
            subscribe(run, handles, handler)
        return handler

    return decorate


def handlers_of(kind: Any) -> dict[str, Handles]:
    """Give the names of the methods of a workflow class that handle signals.

    Raises:
        InvalidArgument: When two of them handle the same.
    """
    found: dict[str, Handles] = {}
    by_signal: dict[str, str] = {}
    for method in dir(kind):
        handles = getattr(getattr(kind, method, None), HANDLES, None)
        if handles is None:
            continue
        other = by_signal.setdefault(handles.name, method)
        if other != method:
            problem = f"and {other} both handle signal {handles.name!r}"
            remedy = "handle it in one of them"
            raise InvalidArgument(f"{kind.__name__}.{method}", problem, remedy)
        found[method] = handles
    return found


def subscribe(run: State, handles: Handles, handler: Callable[[Any], Any]) -> None:
    """Call *handler* for each signal.

    Raises:
        InvalidArgument: When the name has a channel, or another handler.
    """
    if (HANDLES, handles.name) in run.locals:
        problem, remedy = "is received, or handled, already", "do it in one place"
        raise InvalidArgument(f"signal {handles.name!r}", problem, remedy)
    run.locals[HANDLES, handles.name] = handler

    def handle(event_id: int, value: Any) -> None:
        try:
            found = handler(value)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything
            run.crash(error)
            return
        if inspect.iscoroutine(found):
            path, name = f"s{event_id}", f"signal {handles.name}"
            task = run.loop.create_task(found, path=path, name=name)
            task.add_done_callback(ended)

    def ended(task: "asyncio.Task[Any]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            run.crash(error)

    _listen(run, handles, handle)


def _handles(name: Any, type: Any) -> Handles:
    """Say which signals are meant.

    Raises:
        InvalidArgument: When there can be none of that name, or of that type.
    """
    limits.check_value(limits.Label, name, "name")
    reader(type, what=f"signal {name!r}")
    return Handles(name, type)


def _listen(run: State, handles: Handles, take: Callable[[int, Any], object]) -> None:
    loads = reader(handles.type, serializing.current())

    def listener(event_id: int, input: str | None) -> None:
        try:
            value = loads(input)
        except Exception as error:  # noqa: BLE001 - an author's type may raise anything
            words = "signal %r of event %d is left out: %s"
            log.warning(words, handles.name, event_id, error)
        else:
            take(event_id, value)

    run.listen(handles.name, listener)
