"""Signals that end a worker.

Source:
    reliability.md section 3 rule 7.
"""

import asyncio
import contextlib
import functools
import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_DEFAULTS: dict[int, Any] = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
}


#: So many signals are heard; the next does what it does in any program, at once, for
#: the event loop may be blocked.
_HEARD = 2


@contextlib.contextmanager
def handled(heard: Callable[[], bool]) -> Iterator[None]:
    """Handle SIGTERM and SIGINT, where nobody else does.

    A signal that the host handles in its own way, or ignores, is left alone. The others
    do afterwards what they did before. Outside the main thread nothing is handled.

    Args:
        heard: Called, by the event loop, for each of the first two signals; when it
            gives False, later ones do what they do in any program.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    found = {number: signal.getsignal(number) for number in _DEFAULTS}
    before = {number: how for number, how in found.items() if _is_nobodys(how)}
    caught = itertools.count(1)

    def hear() -> None:
        if not heard():
            for number in before:
                signal.signal(number, _DEFAULTS[number])

    # Not by loop.add_signal_handler: a blocked loop would never call that.
    def catch(number: int, _: FrameType | None) -> None:
        if next(caught) > _HEARD:
            signal.signal(number, _DEFAULTS[number])
            signal.raise_signal(number)
        else:
            loop.call_soon_threadsafe(hear)

    for number in before:
        signal.signal(number, catch)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_nobodys(handler: Any) -> bool:
    """Tell whether a handler is Python's or asyncio's own; None is one set in C."""
    if handler in (signal.SIG_DFL, signal.default_int_handler):
        return True
    runners = getattr(asyncio.Runner, "_on_sigint", None)
    if not (runners and isinstance(handler, functools.partial)):
        return False
    return getattr(handler.func, "__func__", None) is runners
