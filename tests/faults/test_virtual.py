"""The clock that jumps, by which these tests measure."""

import asyncio
import time

from tests.faults.virtual import now, virtual
from tests.support.http import Connection, HttpServer, Request


@virtual
async def test_waiting_takes_no_time() -> None:
    began, really = now(), time.monotonic()
    await asyncio.sleep(86_400)
    assert now() - began == 86_400
    assert time.monotonic() - really < 10


@virtual
async def test_clock_stands_still_while_bytes_are_on_their_way() -> None:
    def echo(request: Request, connection: Connection) -> None:
        connection.reply(request.body)

    server = HttpServer(echo)
    port = await server.listen()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(0.001):
        for _ in range(100):
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi")
            await reader.readuntil(b"\r\n\r\nhi")
    assert now() == 0
    writer.close()
    await writer.wait_closed()
    await server.abort()


@virtual
async def test_clock_stands_still_while_a_thread_works() -> None:
    async with asyncio.timeout(0.001):
        await asyncio.get_running_loop().run_in_executor(None, sum, range(1_000_000))
    assert now() == 0


def test_timers_run_in_order_of_their_times() -> None:
    heard: list[int] = []

    @virtual
    async def listen() -> None:
        for seconds in (30, 10, 20):
            asyncio.get_running_loop().call_later(seconds, heard.append, seconds)
        await asyncio.sleep(25)

    listen()
    assert heard == [10, 20]
