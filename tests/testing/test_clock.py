"""The virtual clock: what it goes over, what it waits for, and what is left of it."""

import asyncio
import concurrent.futures
import selectors
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest
import uvloop

from flowser.exceptions import ConfigurationError, InvalidArgument
from flowser.testing.clock import MOST, virtual_time
from flowser.testing.deadlock import Deadlock

DAY = 86_400.0


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_month_takes_no_time() -> None:
    began = time.monotonic()
    with virtual_time() as clock:
        first = clock.time()
        await asyncio.sleep(30 * DAY)
        assert clock.time() == now() == pytest.approx(first + 30 * DAY)
    assert time.monotonic() - began < 5


async def test_clock_can_show_decades() -> None:
    """Where a float has no room for the nanosecond by which asyncio is early."""
    with virtual_time() as clock:
        first = clock.time()
        for _ in range(4):
            await asyncio.sleep(9 * 365 * DAY + 1 / 3)
        assert clock.time() == pytest.approx(first + 36 * 365 * DAY + 4 / 3)


async def test_timers_end_in_their_order() -> None:
    order: list[int] = []

    async def wait(days: int) -> None:
        await asyncio.sleep(days * DAY)
        order.append(days)

    with virtual_time():
        async with asyncio.TaskGroup() as group:
            for days in (3, 1, 2):
                group.create_task(wait(days))
    assert order == [1, 2, 3]


async def test_timeouts_of_asyncio_and_anyio_are_on_the_same_time() -> None:
    with virtual_time() as clock:
        began = clock.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(DAY):
                await asyncio.Event().wait()
        with anyio.move_on_after(DAY):
            await anyio.sleep(2 * DAY)
        assert anyio.current_time() == pytest.approx(began + 2 * DAY)


async def test_time_stands_still_while_code_runs() -> None:
    with virtual_time() as clock:
        began = clock.time()
        threading.Event().wait(0.05)
        for _ in range(10):
            await asyncio.sleep(0)
        assert clock.time() == began


async def test_timer_from_before_ends_on_virtual_time() -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.call_later(3_600, ended.set)
    began = loop.time()
    with virtual_time() as clock:
        await ended.wait()
        assert clock.time() - began == pytest.approx(3_600)


async def test_timer_that_is_left_ends_at_its_time() -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    with virtual_time():
        await asyncio.sleep(DAY)
        loop.call_later(0.05, ended.set)
    began = loop.time()
    async with asyncio.timeout(5):
        await ended.wait()
    assert 0.04 < loop.time() - began < 5


async def test_time_never_goes_back() -> None:
    times = [now()]
    for _ in range(3):
        with virtual_time():
            await asyncio.sleep(DAY)
            times.append(now())
        times.append(now())
    assert times == sorted(times)


async def test_loop_is_as_before_but_for_its_time() -> None:
    loop = asyncio.get_running_loop()
    before = set(vars(loop)), set(vars(loop._selector))  # type: ignore[attr-defined]
    with virtual_time():
        await asyncio.sleep(1)
    after = set(vars(loop)), set(vars(loop._selector))  # type: ignore[attr-defined]
    assert after[0] - before[0] == {"time"}
    assert after[1] == before[1]


async def test_block_within_a_block_has_the_same_clock() -> None:
    with virtual_time() as outer:
        with virtual_time() as inner:
            assert inner is outer
        began = outer.time()
        await asyncio.sleep(DAY)
        assert outer.time() - began == pytest.approx(DAY)


# -- what the clock waits for --


@pytest.mark.parametrize(
    "run", [asyncio.to_thread, anyio.to_thread.run_sync], ids=["asyncio", "anyio"]
)
async def test_threads_hold_the_clock(run: Callable[..., Any]) -> None:
    late = threading.Event()
    with virtual_time() as clock:
        began = clock.time()
        async with asyncio.TaskGroup() as group:
            sleeper = group.create_task(asyncio.sleep(DAY))
            await run(late.wait, 0.1)
            assert clock.time() == began
            assert not sleeper.done()
            await run(late.wait, 0.01)
            assert clock.time() == began
        assert clock.time() - began == pytest.approx(DAY)


async def test_processes_of_a_pool_hold_the_clock() -> None:
    loop = asyncio.get_running_loop()
    with virtual_time() as clock, concurrent.futures.ThreadPoolExecutor() as pool:
        began = clock.time()
        async with asyncio.timeout(DAY):
            await loop.run_in_executor(pool, threading.Event().wait, 0.1)
        assert clock.time() == began


@pytest.mark.parametrize("shell", [False, True])
async def test_child_process_holds_the_clock(shell: bool) -> None:
    program = "import threading; threading.Event().wait(0.3); print('done')"
    with virtual_time() as clock:
        began = clock.time()
        async with asyncio.timeout(DAY):
            if shell:
                child = await asyncio.create_subprocess_shell(
                    f'"{sys.executable}" -c "{program}"', stdout=-1
                )
            else:
                child = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", program, stdout=-1
                )
            out, _ = await child.communicate()
        assert out.strip() == b"done"
        assert clock.time() == began


async def test_sockets_have_a_moment() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    with virtual_time(still=0.1) as clock:
        began = clock.time()
        server = await asyncio.start_server(echo, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(DAY):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            writer.close()
            await writer.wait_closed()
        assert clock.time() == began
        server.close()
        await server.wait_closed()


async def test_thread_that_nobody_knows_has_a_moment() -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        threading.Event().wait(0.05)
        loop.call_soon_threadsafe(told.set)

    thread = threading.Thread(target=tell)
    with virtual_time(still=5) as clock:
        began = clock.time()
        thread.start()
        async with asyncio.timeout(DAY):
            await told.wait()
        assert clock.time() == began
    thread.join()


# -- skipping --


async def test_skip_goes_from_deadline_to_deadline() -> None:
    times: list[float] = []

    async def tick() -> None:
        while True:
            await asyncio.sleep(3_600)
            await asyncio.sleep(0)
            times.append(now())

    with virtual_time() as clock:
        began = clock.time()
        ticking = asyncio.get_running_loop().create_task(tick())
        await clock.skip(DAY)
        assert [time - began for time in times] == pytest.approx(
            [3_600.0 * hour for hour in range(1, 25)]
        )
        assert clock.time() - began == pytest.approx(DAY)
        ticking.cancel()


async def test_clock_without_jumps_stands_until_it_is_told() -> None:
    with virtual_time(autojump=False) as clock:
        began, ended = clock.time(), asyncio.Event()
        asyncio.get_running_loop().call_later(60, ended.set)
        await clock.settle()
        await clock.skip(59)
        assert clock.time() - began == pytest.approx(59)
        assert not ended.is_set()
        await clock.skip(1)
        assert ended.is_set()


async def test_skip_of_nothing_lets_happen_what_is_due() -> None:
    ended = asyncio.Event()
    with virtual_time(autojump=False) as clock:
        asyncio.get_running_loop().call_later(0, ended.set)
        await clock.skip(0)
        assert ended.is_set()


async def test_skip_goes_on_without_a_thread_that_does_not_end() -> None:
    end = threading.Event()
    with virtual_time() as clock:
        began = clock.time()
        thread = asyncio.get_running_loop().run_in_executor(None, end.wait, 30)
        await clock.skip(60)
        assert clock.time() - began == pytest.approx(60)
        end.set()
        await thread


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
async def test_skip_takes_time_only(seconds: float) -> None:
    with virtual_time() as clock, pytest.raises(InvalidArgument, match="0 s or more"):
        await clock.skip(seconds)


class Halfway:
    """Goes half of the way at first."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.arrived: list[float] = []

    def ahead(self, seconds: float) -> float:
        self.asked.append(seconds)
        return seconds / 2 if len(self.asked) == 1 else seconds

    def arrive(self) -> None:
        self.arrived.append(now())


async def test_follower_is_asked_before_each_jump_and_told_after_it() -> None:
    follower = Halfway()
    with virtual_time() as clock:
        began = clock.time()
        clock.followers.append(follower)
        await asyncio.sleep(60)
    assert follower.asked == pytest.approx([60, 30])
    assert [time - began for time in follower.arrived] == pytest.approx([30, 60])


# -- nothing to wait for --


def test_deadlock_is_an_error_that_names_who_waits() -> None:
    async def forget() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        with virtual_time():
            async with asyncio.TaskGroup() as group:
                group.create_task(forget(), name="forgetful")

    with pytest.raises(Deadlock) as caught:
        asyncio.run(main())
    first, *lines = str(caught.value).splitlines()
    assert "nothing will ever happen" in first
    assert len(lines) == 2
    assert "in main" in lines[0]
    assert lines[1].startswith("  forgetful: ")
    assert "test_clock.py" in lines[1]
    assert lines[1].endswith("in forget")


def test_wait_without_end_is_a_deadlock() -> None:
    async def main() -> None:
        with virtual_time():
            await anyio.sleep_forever()

    with pytest.raises(Deadlock):
        asyncio.run(main())


def test_timer_is_no_way_out_while_the_clock_stands() -> None:
    async def main() -> None:
        with virtual_time(autojump=False):
            await asyncio.sleep(1)

    with pytest.raises(Deadlock, match=r"move it by skip\(\)"):
        asyncio.run(main())


def test_deadlock_of_a_thousand_tasks_is_told_shortly() -> None:
    async def main() -> None:
        with virtual_time():
            await asyncio.gather(*(asyncio.Event().wait() for _ in range(1_000)))

    with pytest.raises(Deadlock, match="and 981 more"):
        asyncio.run(main())


# -- loops --


def test_loop_of_another_kind_is_refused_with_a_remedy() -> None:
    async def main() -> None:
        with virtual_time():
            pass

    with (
        pytest.raises(ConfigurationError, match=r"uvloop\.Loop.*own event loop"),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(main())


@pytest.mark.parametrize(
    "selector", [selectors.DefaultSelector, selectors.SelectSelector]
)
def test_any_selector_will_do(selector: Callable[[], selectors.BaseSelector]) -> None:
    async def main() -> float:
        with virtual_time() as clock:
            began = clock.time()
            await asyncio.sleep(DAY)
            return clock.time() - began

    def make() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(selector())

    with asyncio.Runner(loop_factory=make, debug=True) as runner:
        assert runner.run(main()) == pytest.approx(DAY)


def test_loop_waits_for_a_day_at_most() -> None:
    """The clock takes a wait of exactly this length for one whose end is not known."""
    waits: list[float | None] = []

    class Noting(selectors.SelectSelector):
        def select(self, timeout: float | None = None) -> Any:
            waits.append(timeout)
            return super().select(0)

    loop = asyncio.SelectorEventLoop(Noting())
    loop.call_later(7 * DAY, print)
    loop.call_soon(lambda: loop.call_soon(lambda: None))
    for _ in range(3):
        loop.call_soon(loop.stop)
        loop.run_forever()
    loop._run_once()  # type: ignore[attr-defined]
    loop.close()
    assert waits[-1] == MOST
