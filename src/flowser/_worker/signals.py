"""Signals that end a worker.

Source:
    reliability.md section 3 rule 7.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def handled(heard: Callable[[], bool]) -> Iterator[None]:
    """Handle SIGTERM and SIGINT; afterwards all is as it was.

    Outside the main thread nothing is handled.

    Args:
        heard: Called, by the event loop, for each signal; when it gives False, later
            signals do what they do in any program.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def hear() -> None:
        if not heard():
            for number in _SIGNALS:
                _remove(loop, number)

    for number in _SIGNALS:
        _add(loop, number, hear)
    try:
        yield
    finally:
        for number, handler in before.items():
            _remove(loop, number)
            signal.signal(number, handler)


def _add(
    loop: asyncio.AbstractEventLoop, number: int, hear: Callable[[], None]
) -> None:
    try:
        loop.add_signal_handler(number, hear)
    except NotImplementedError:  # on Windows

        def wake(*_: Any) -> None:
            loop.call_soon_threadsafe(hear)

        signal.signal(number, wake)


def _remove(loop: asyncio.AbstractEventLoop, number: int) -> None:
    with contextlib.suppress(NotImplementedError):
        loop.remove_signal_handler(number)
        return
    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    signal.signal(number, default)
