"""What cannot be replayed is refused at once, and says what to do instead."""

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from flowser import flow
from tests.replay.playing import play, work, workflow


async def _to_thread() -> Any:
    return await asyncio.to_thread(print)


async def _anyio_to_thread() -> Any:
    return await anyio.to_thread.run_sync(print)


async def _executor() -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, print)


async def _wrapped() -> Any:
    done: concurrent.futures.Future[int] = concurrent.futures.Future()
    done.set_result(1)
    return await asyncio.wrap_future(done)


async def _connection() -> Any:
    return await asyncio.open_connection("localhost", 1)


async def _anyio_connection() -> Any:
    return await anyio.connect_tcp("127.0.0.1", 1)


async def _name() -> Any:
    return await asyncio.get_running_loop().getaddrinfo("localhost", 1)


async def _process() -> Any:
    return await asyncio.create_subprocess_exec("true")


async def _shell() -> Any:
    return await asyncio.create_subprocess_shell("true")


async def _threadsafe() -> Any:
    return asyncio.get_running_loop().call_soon_threadsafe(print)


async def _signal() -> Any:
    return asyncio.get_running_loop().add_signal_handler(2, print)


async def _factory() -> Any:
    return asyncio.get_running_loop().set_task_factory(None)


async def _server() -> Any:
    return await asyncio.start_server(print, "127.0.0.1", 0)


async def _socket() -> Any:
    return await asyncio.open_unix_connection("/nowhere")


async def _reader() -> Any:
    return asyncio.get_running_loop().add_reader(0, print)


async def _datagrams() -> Any:
    return await anyio.create_udp_socket(local_host="127.0.0.1")


async def _anyio_process() -> Any:
    return await anyio.run_process("true")


async def _anyio_workers() -> Any:
    return await anyio.to_process.run_sync(print)


async def _file() -> Any:
    return await anyio.open_file("/nowhere")


async def _path() -> Any:
    return await anyio.Path("/nowhere").exists()


async def _anyio_signal() -> Any:
    with anyio.open_signal_receiver(2):  # type: ignore[arg-type]
        pass


async def _until_complete() -> Any:
    done = asyncio.get_running_loop().create_future()
    return asyncio.get_running_loop().run_until_complete(done)


async def _for_ever() -> Any:
    return asyncio.get_running_loop().run_forever()


async def _handler() -> Any:
    return asyncio.get_running_loop().set_exception_handler(None)


async def _plain_task() -> Any:
    return await asyncio.Task(work("a"))


async def _waits_for_gathers() -> Any:
    return await asyncio.wait([asyncio.gather(work("a")) for _ in range(2)])


async def _bare() -> Any:
    coroutines = [work("a"), work("b")]
    try:
        return [await each for each in asyncio.as_completed(coroutines)]
    finally:
        for coroutine in coroutines:
            coroutine.close()


#: What there is another way for, within a workflow.
REMEDIES = {
    _bare: "pass it tasks, or what .start() gives",
    _waits_for_gathers: "pass it tasks, or what .start() gives",
    _plain_task: "use asyncio.create_task()",
}


@pytest.mark.parametrize(
    "call",
    [
        _to_thread,
        _anyio_to_thread,
        _executor,
        _wrapped,
        _connection,
        _anyio_connection,
        _name,
        _process,
        _shell,
        _threadsafe,
        _signal,
        _factory,
        _server,
        _socket,
        _reader,
        _datagrams,
        _anyio_process,
        _anyio_workers,
        _file,
        _path,
        _anyio_signal,
        _until_complete,
        _for_ever,
        _handler,
        *REMEDIES,
    ],
)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_what_cannot_be_replayed_raises_at_once(call: Callable[[], Any]) -> None:
    @workflow
    async def main() -> str:
        try:
            await call()
        except BaseExceptionGroup as group:
            error: BaseException = group.exceptions[0]
        except flow.NotReplayable as found:
            error = found
        assert isinstance(error, flow.NotReplayable)
        return str(error)

    story = play(main)
    assert "cannot be replayed in a workflow" in story.result
    assert REMEDIES.get(call, "make it an activity") in story.result


async def _run() -> Any:
    asyncio.run(asyncio.sleep(0))


async def _runner() -> Any:
    with asyncio.Runner() as runner:
        runner.run(asyncio.sleep(0))


async def _anyio_run() -> Any:
    anyio.run(anyio.sleep, 0)


@pytest.mark.parametrize("call", [_run, _runner, _anyio_run])
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_another_loop_does_not_run_inside_a_workflow(call: Callable[[], Any]) -> None:
    @workflow
    async def main() -> str:
        with pytest.raises(RuntimeError, match="running"):
            await call()
        return await work("a")

    assert play(main, "1").result == "1"
