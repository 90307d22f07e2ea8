"""A worker hears signals that are nobody's, and leaves the host's alone."""

import asyncio
import contextlib
import functools
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from flowser._worker.signals import _is_nobodys, handled


class Heard:
    """Counts signals; hears one more after *more* of them."""

    def __init__(self, more: int = 1) -> None:
        self.times = 0
        self.event = asyncio.Event()
        self._more = more

    def __call__(self) -> bool:
        self.times += 1
        self.event.set()
        return self.times <= self._more


@contextlib.contextmanager
def set_to(number: signal.Signals, how: Any) -> Iterator[None]:
    """Handle a signal for a while."""
    before = signal.signal(number, how)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("default", [True, False])
async def test_signal_of_nobody_is_heard_and_is_afterwards_as_before(
    number: signal.Signals, default: bool
) -> None:
    first = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    heard = Heard()
    with set_to(number, first) if default else contextlib.nullcontext():
        before = signal.getsignal(number)
        with handled(heard):
            signal.raise_signal(number)
            await heard.event.wait()
        assert signal.getsignal(number) is before
    assert heard.times == 1


def test_handler_of_an_asyncio_runner_is_nobodys() -> None:
    async def look() -> tuple[object, bool]:
        before, heard = signal.getsignal(signal.SIGINT), Heard()
        with handled(heard):
            signal.raise_signal(signal.SIGINT)
            await heard.event.wait()
        return before, signal.getsignal(signal.SIGINT) is before

    with set_to(signal.SIGINT, signal.default_int_handler), asyncio.Runner() as runner:
        before, restored = runner.run(look())
    assert isinstance(before, functools.partial)
    assert restored


@pytest.mark.parametrize(
    "handler", [None, signal.SIG_IGN, print, functools.partial(print)]
)
def test_handler_of_somebody_is_left_alone(handler: Any) -> None:
    assert not _is_nobodys(handler)


async def test_handler_that_the_host_added_to_the_loop_goes_on() -> None:
    loop, hosts, heard = asyncio.get_running_loop(), asyncio.Event(), Heard()
    loop.add_signal_handler(signal.SIGTERM, hosts.set)
    try:
        with handled(heard):
            signal.raise_signal(signal.SIGTERM)
            await hosts.wait()
        hosts.clear()
        signal.raise_signal(signal.SIGTERM)
        await hosts.wait()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
    assert heard.times == 0


async def test_signal_that_is_ignored_stays_ignored() -> None:
    heard = Heard()
    with set_to(signal.SIGTERM, signal.SIG_IGN):
        with handled(heard):
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    assert heard.times == 0


async def test_last_signal_does_what_it_does_in_any_program() -> None:
    heard = Heard(more=0)
    with set_to(signal.SIGINT, signal.default_int_handler), handled(heard):
        signal.raise_signal(signal.SIGINT)
        await heard.event.wait()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


async def test_nothing_is_handled_outside_the_main_thread() -> None:
    def elsewhere() -> Any:
        async def look() -> Any:
            with handled(Heard()):
                return signal.getsignal(signal.SIGTERM)

        return asyncio.run(look())

    before = signal.getsignal(signal.SIGTERM)
    assert await asyncio.to_thread(elsewhere) is before
