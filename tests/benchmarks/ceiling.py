"""A bare ``aiohttp.web`` handler: what a server on aiohttp can reach at most.

``python -m tests.benchmarks.ceiling asyncio``, or ``uvloop``, prints its URL. It reads
the JSON of a POST, and answers with what the last PUT of the same operation brought;
with nothing before.
"""

import asyncio
import sys

import msgspec
from aiohttp import web

from tests.benchmarks.measuring import LOOPS


async def serve() -> None:
    """Serve until killed; tell where, first."""
    answers: dict[str, bytes] = {}

    async def keep(request: web.Request) -> web.Response:
        answers[request.headers["X-Amz-Target"]] = await request.read()
        return web.Response()

    async def answer(request: web.Request) -> web.Response:
        msgspec.json.decode(await request.read())
        body = answers.get(request.headers["X-Amz-Target"], b"")
        return web.Response(body=body, content_type="application/x-amz-json-1.0")

    app = web.Application()
    app.add_routes([web.put("/", keep), web.post("/", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=LOOPS[sys.argv[1]]) as runner:
        runner.run(serve())
