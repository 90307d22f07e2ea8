"""A small, fast, in-memory SWF with true long polls, for tests and benchmarks.

In a test: ``async with MiniSwf() as swf: swf.url``. As a process of its own:
``python -m tests.support.mini_swf --port 0``, which prints its URL as its first line
and ends on SIGTERM.

It does what `mini_operations` and `mini_decisions` list, and refuses the rest aloud.
What it leaves out: persistence, limits other than on open activities and timers, the
order of priorities, task list overrides, children, lambdas, deprecation, resource tags.
"""

import argparse
import asyncio
import gc
import importlib
import signal
import sys
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import msgspec

from tests.support.answers import SERVICE, Fault, Refused, internal_failure, invalid
from tests.support.mini_engine import Engine
from tests.support.mini_http import Connection, HttpServer, Request
from tests.support.mini_model import DecisionTask, Waiter, unknown_task
from tests.support.mini_operations import OPERATIONS, require
from tests.support.mini_pages import MAX_PAGE, Params, page_size, unseal

POLLS = {"PollForDecisionTask": "decision", "PollForActivityTask": "activity"}

_decode = msgspec.json.Decoder().decode


class MiniSwf:
    """An SWF in this process, on a loopback port.

    Attributes:
        url: Where it listens; known once it has been entered.
        calls: How many requests of each operation came in.
        events: How many history events of each type were written.
    """

    url: str

    def __init__(
        self,
        poll_seconds: float = 60.0,
        *,
        port: int = 0,
        second: float = 1.0,
        page_size: int = MAX_PAGE,
    ) -> None:
        """Create a server that does not listen yet.

        Args:
            poll_seconds: How long an empty poll is held; real seconds.
            port: 0 lets the system choose.
            second: How long a second of a timeout or timer lasts; real seconds. A
                test of time-outs need not wait for whole ones.
            page_size: The most events or executions in a page.
        """
        self._engine = Engine(poll_seconds, second, page_size)
        self._port = port
        self._server = HttpServer(self._handle)

    @property
    def calls(self) -> Counter[str]:
        """How many requests of each operation came in."""
        return self._engine.calls

    @property
    def events(self) -> Counter[str]:
        """How many history events of each type were written."""
        return self._engine.events

    async def __aenter__(self) -> Self:
        """Listen."""
        port = await self._server.listen(port=self._port)
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Answer the polls that are held, stop every clock and close.

        Raises:
            ExceptionGroup: If the server itself had failed somewhere.
        """
        self._engine.stop()
        await self._server.close()
        if self._engine.errors and error is None:
            raise ExceptionGroup("the mini SWF failed", self._engine.errors)

    def polling(self, task_list: str) -> int:
        """Count the polls that are held on the task lists of this name."""
        return sum(
            waiter.live
            for (_, _, name), queue in self._engine.queues.items()
            if name == task_list
            for waiter in queue.waiters
        )

    async def parked(self, task_list: str, n: int = 1, timeout: float = 10.0) -> None:
        """Wait until at least *n* polls are held on the lists of this name."""
        what = f"{n} polls held on {task_list}"
        await self.until(lambda: self.polling(task_list) >= n, what, timeout)

    async def called(self, operation: str, n: int = 1, timeout: float = 10.0) -> None:
        """Wait until *n* requests of *operation* have come in since the start."""
        what = f"{n} x {operation}"
        await self.until(lambda: self.calls[operation] >= n, what, timeout)

    async def happened(
        self, event_type: str, n: int = 1, timeout: float = 10.0
    ) -> None:
        """Wait until *n* events of this type have been written since the start."""
        what = f"{n} x {event_type}"
        await self.until(lambda: self.events[event_type] >= n, what, timeout)

    async def until(
        self, holds: Callable[[], bool], what: str, timeout: float = 10.0
    ) -> None:
        """Wait until *holds* returns true; it is looked at after each change.

        Args:
            holds: A condition on this server.
            what: Words for the error.
            timeout: Seconds after which an AssertionError is raised.
        """
        await self._engine.watch.until(holds, what, timeout)

    def _handle(self, request: Request, connection: Connection) -> None:
        engine = self._engine
        engine.calls[request.operation] += 1
        engine.tick()
        status = 200
        body: bytes | None
        try:
            body = self._dispatch(request, connection)
            engine.match()
        except Refused as refused:
            status, body = refused.fault.status, refused.fault.body
        except Exception as error:  # noqa: BLE001  (raised when the server is left)
            engine.errors.append(error)
            status, body = 500, internal_failure().body
        if body is not None:
            connection.reply(body, status)
        engine.watch.poke()

    def _dispatch(self, request: Request, connection: Connection) -> bytes | None:
        """Do one operation; None means that the answer comes later."""
        name = request.operation
        given = _params(request.body)
        operation = OPERATIONS.get(name)
        if operation is None and name not in POLLS:
            raise Refused(Fault("UnknownOperationException", None, namespace=SERVICE))
        require(name, given)
        if operation is not None:
            return operation(self._engine, given)
        return self._poll(POLLS[name], given, connection)

    def _poll(self, kind: str, given: Params, connection: Connection) -> bytes | None:
        engine = self._engine
        domain = engine.domain(given["domain"])
        page_size(given)
        if given.get("nextPageToken"):
            return self._later_page(given)
        key = (kind, domain.name, given["taskList"]["name"])
        engine.poll(key, Waiter(connection, given))
        return None

    def _later_page(self, given: Params) -> bytes:
        run_id, scheduled_id, *_ = unseal(given["nextPageToken"], "page")
        execution = self._engine.runs.get(run_id)
        if execution is None or not scheduled_id:
            raise Refused(invalid("Invalid token"))
        task = execution.tasks.get(scheduled_id)
        if not isinstance(task, DecisionTask):
            raise unknown_task(DecisionTask.kind, scheduled_id)
        return self._engine.decision_page(task, given)


def _params(body: bytes) -> Params:
    try:
        given = _decode(body or b"{}")
    except msgspec.DecodeError as error:
        given = error
    if not isinstance(given, dict):
        raise Refused(Fault("SerializationException", str(given), namespace=SERVICE))
    return given


async def serve(server: MiniSwf) -> None:
    """Serve until SIGTERM or SIGINT; the URL is the first line on stdout."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await stopped.wait()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    # Only on demand: the project does not depend on uvloop.
    uvloop = importlib.import_module("uvloop")
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def main(arguments: list[str] | None = None) -> None:
    """Run the server as a process."""
    parser = argparse.ArgumentParser(prog="tests.support.mini_swf")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--poll-seconds", type=float, default=60.0)
    parser.add_argument("--second", type=float, default=1.0)
    parser.add_argument("--page-size", type=int, default=MAX_PAGE)
    parser.add_argument("--uvloop", action="store_true")
    chosen = parser.parse_args(arguments)
    settings: dict[str, Any] = {
        "port": chosen.port,
        "second": chosen.second,
        "page_size": chosen.page_size,
    }
    # It keeps what it makes: looking for garbage costs a quarter of each call.
    gc.disable()
    factory = _loop_factory() if chosen.uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(MiniSwf(chosen.poll_seconds, **settings)))


if __name__ == "__main__":
    main()
