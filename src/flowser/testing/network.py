"""What lies between clients and a local SWF in the same process.

A request goes through it as headers and bytes; it may get lost, come late or find
nobody, and the client hears of it as aiohttp says it.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import msgspec
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict

from flowser import requests
from flowser.local.protocol import Answer, Protocol
from flowser.local.service import Service
from flowser.local.session import Session
from flowser.testing.faults import Faults
from flowser.testing.planned import Call
from flowser.testing.repeats import Question, Repeats

#: Leads to no server, and is no name that a local SWF refuses to have.
ENDPOINT_URL = "http://localhost"

_HERE = ConnectionKey("localhost", 80, False, True, None, None, None)  # noqa: FBT003


class Network:
    """Leads from sessions to a server, when there is one.

    Attributes:
        faults: What is to go wrong.
        repeats: Holds questions until there is news.
    """

    def __init__(self, time: Callable[[], float], hold: float) -> None:
        """Lead nowhere yet.

        Args:
            time: Tells the virtual time.
            hold: Seconds for which SWF holds a poll.
        """
        self.faults = Faults()
        self.repeats = Repeats(time, hold)
        self._protocol: Protocol | None = None
        self._flights: set[asyncio.Timeout] = set()

    def lead_to(self, service: Service) -> None:
        """Lead to a server."""
        self._protocol = Protocol(service)

    async def cut(self) -> None:
        """Lead nowhere, and close all connections."""
        self._protocol = None
        now = asyncio.get_running_loop().time()
        for flight in self._flights:
            flight.reschedule(now)
        while self._flights:  # noqa: ASYNC110 - a few turns of the loop, and no time
            await asyncio.sleep(0)

    async def carry(self, call: Call) -> Answer:
        """Carry a request there, and its answer back.

        Raises:
            aiohttp.ClientError: When there is no answer.
        """
        if self._protocol is None:
            refused = OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
            raise aiohttp.ClientConnectorError(_HERE, refused)
        flight = asyncio.timeout(None)
        try:
            async with flight:
                self._flights.add(flight)
                return await self.faults.through(call)
        except TimeoutError as error:
            if not flight.expired():
                raise
            raise aiohttp.ServerDisconnectedError from error
        finally:
            self._flights.discard(flight)

    async def answer(
        self, key: object, operation: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Let the server answer, when it can tell something new.

        Args:
            key: Of the client.
            operation: What is called.
            headers: Of the request.
            body: Of the request.
        """

        async def ask() -> Answer:
            return await self._ask(headers, body)

        async def promises() -> bool:
            return await self._has_task(operation, headers, body)

        polls = operation in requests.POLLS and b'"nextPageToken"' not in body
        question = Question(operation, (key, operation, body), polls, ask, promises)
        return await self.repeats.answer(question)

    async def _ask(self, headers: Mapping[str, str], body: bytes) -> Answer:
        if self._protocol is None:
            raise aiohttp.ServerDisconnectedError
        return await self._protocol.answer(headers, body, _present)

    async def _has_task(
        self, poll: str, headers: Mapping[str, str], body: bytes
    ) -> bool:
        """Tell whether there is a task for a poll, or another answer than none."""
        count = poll.replace("PollFor", "CountPending") + "s"
        asked = CIMultiDict(headers)
        asked["X-Amz-Target"] = f"SimpleWorkflowService.{count}"
        params = {name: _params(body).get(name) for name in ("domain", "taskList")}
        answer = await self._ask(asked, msgspec.json.encode(params))
        return answer.status != 200 or b'"count":0' not in answer.body  # noqa: PLR2004


def _present() -> bool:
    return True  # who goes away cancels its call


class Line:
    """What a session sends by: a network, and how long its client waits.

    It has the face of a :class:`~flowser.local.protocol.Protocol`.
    """

    def __init__(self, network: Network, patience: float | None) -> None:
        """Send by *network*; *patience* is in seconds."""
        self._network = network
        self._patience = patience

    async def answer(
        self,
        headers: Mapping[str, str],
        body: bytes,
        present: Callable[[], bool],  # noqa: ARG002 - asked of sockets only
    ) -> Answer:
        """Carry a request, and give the answer.

        Raises:
            aiohttp.ClientError: When there is none.
        """
        operation = headers.get("X-Amz-Target", "").rpartition(".")[2]

        async def answer() -> Answer:
            return await self._network.answer(self, operation, headers, body)

        call = Call(operation, _params(body), headers, self._patience, answer)
        return await self._network.carry(call)


def _params(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}  # for the server to refuse


def session_class(network: Network) -> type[Session]:
    """Make what ``connect(http_session_cls=...)`` takes."""

    class LineSession(Session):
        def __init__(self, **options: Any) -> None:
            line: Any = Line(network, _patience(options.get("timeout")))
            super().__init__(line, **options)

    return LineSession


def _patience(timeout: Any) -> float | None:
    """Read the option of a session: a number, or one for connecting and one for all."""
    found = timeout[1] if isinstance(timeout, tuple | list) else timeout
    return None if found is None else float(found)
