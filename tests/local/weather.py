"""What lies between clients and a server in one process, and does harm by chance.

All that passes goes into a trace, of which a digest is kept: the same seed has to give
the same.
"""

import asyncio
import hashlib
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import aiohttp

from flowser.local.engine import faults
from flowser.local.protocol import Answer, Protocol, refusal
from flowser.local.service import Service

#: How likely a call is to come to harm while it storms.
_HARM = 0.12

#: Seconds that clients wait for an answer, by whether it is a poll's.
_PATIENCE = {True: 75.0, False: 10.0}

Ask = Callable[[], Awaitable[Answer]]


class Acknowledged(NamedTuple):
    """What a client was told that it had done."""

    operation: str
    params: dict[str, Any]
    answer: dict[str, Any]


class Weather:
    """Carries the calls of all clients to a server that may be down.

    Attributes:
        stormy: Whether calls come to harm.
        harms: Which did, and how often.
        calls: How many there were.
        acknowledged: All calls that were answered, and whose client knows it.
    """

    def __init__(self, chance: random.Random) -> None:
        self.stormy = False
        self.harms: Counter[str] = Counter()
        self.calls = 0
        self.acknowledged: list[Acknowledged] = []
        self.chance = chance
        self._trace = hashlib.blake2s()
        self._protocol: Protocol | None = None
        self._flights: dict[asyncio.Timeout, Line] = {}

    @property
    def digest(self) -> str:
        """What all that was noted so far amounts to."""
        return self._trace.hexdigest()

    def note(self, *what: object) -> None:
        """Put something into the trace, with its time."""
        now = round(asyncio.get_running_loop().time() * 1000)
        self._trace.update(f"{now} {what}\n".encode())

    def lead_to(self, service: Service | None) -> None:
        """Lead to a server; or nowhere."""
        self._protocol = None if service is None else Protocol(service)

    async def cut(self, line: "Line | None" = None) -> None:
        """Break the connections of a client; or all."""
        now = asyncio.get_running_loop().time()
        flights = [f for f, whose in self._flights.items() if line in {None, whose}]
        for flight in flights:
            flight.reschedule(now)
        while any(flight in self._flights for flight in flights):  # noqa: ASYNC110
            await asyncio.sleep(0)  # no time passes

    async def carry(
        self, line: "Line", headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Carry a request there, and its answer back, if nothing happens to it."""
        operation = headers["X-Amz-Target"].rpartition(".")[2]
        harm = self._harm(operation)
        self.calls += 1
        self.harms[harm] += 1
        outcome = "cancelled"
        try:
            answer = await self._flown(line, operation, headers, body, harm)
            outcome = str(answer.status)
        except aiohttp.ClientError as error:
            outcome = type(error).__name__
            raise
        finally:
            self.note(line.name, operation, harm, outcome)
        if outcome == "200" and harm != "truncated":
            told = json.loads(answer.body) if answer.body else {}
            params = json.loads(body)
            self.acknowledged.append(Acknowledged(operation, params, told))
        return answer

    def _harm(self, operation: str) -> str:
        if not self.stormy or self.chance.random() >= _HARM:
            return "none"
        harm = self.chance.choice([name for name in _HARMS if name != "none"])
        # SWF does not deduplicate signals: two that come are two.
        doubled = harm == "doubled" and operation == "SignalWorkflowExecution"
        return "none" if doubled else harm

    async def _flown(
        self,
        line: "Line",
        operation: str,
        headers: Mapping[str, str],
        body: bytes,
        harm: str,
    ) -> Answer:
        flight = asyncio.timeout(None)
        request = _Request(self, operation, headers, body)
        try:
            async with flight:
                self._flights[flight] = line
                if line.dead:
                    raise aiohttp.ServerDisconnectedError
                return await _HARMS[harm](request)
        except TimeoutError as error:
            if not flight.expired():
                raise
            raise aiohttp.ServerDisconnectedError from error
        finally:
            self._flights.pop(flight, None)

    async def ask(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Let the server answer, if it is there."""
        if self._protocol is None:
            raise aiohttp.ServerDisconnectedError
        return await self._protocol.answer(headers, body, lambda: True)


class Line:
    """A client's way to a server; it has the face of a Protocol.

    Attributes:
        name: Of the client.
        dead: Whether the client died.
    """

    def __init__(self, weather: Weather, name: str) -> None:
        self._weather = weather
        self.name = name
        self.dead = False

    async def answer(
        self, headers: Mapping[str, str], body: bytes, present: Callable[[], bool]
    ) -> Answer:
        """Carry a request."""
        return await self._weather.carry(self, headers, body)

    async def die(self) -> None:
        """Let the client be dead, as far as anybody can see."""
        self.dead = True
        await self._weather.cut(self)


class _Request(NamedTuple):
    """A request on its way."""

    weather: Weather
    operation: str
    headers: Mapping[str, str]
    body: bytes

    async def ask(self) -> Answer:
        return await self.weather.ask(self.headers, self.body)


async def _throttled(request: _Request) -> Answer:
    return refusal(faults.throttled(), request.headers)


async def _failed(request: _Request) -> Answer:
    return refusal(faults.internal(), request.headers)


async def _replaced(request: _Request) -> Answer:
    return Answer(503, {"Content-Type": "text/html"}, b"<html>503</html>")


async def _unsent(request: _Request) -> Answer:
    raise aiohttp.ServerDisconnectedError


async def _lost(request: _Request) -> Answer:
    await request.ask()
    raise aiohttp.ServerDisconnectedError


async def _failed_after_all(request: _Request) -> Answer:
    await request.ask()
    return refusal(faults.internal(), request.headers)


async def _truncated(request: _Request) -> Answer:
    answer = await request.ask()
    return answer._replace(body=answer.body[: len(answer.body) // 2])


async def _doubled(request: _Request) -> Answer:
    # A poll that is sent twice loses a task, as one whose answer is lost.
    await request.ask()
    return await request.ask()


async def _late(request: _Request) -> Answer:
    patience = _PATIENCE[request.operation.startswith("Poll")]
    answer = await request.ask()
    delay = request.weather.chance.uniform(0, patience * 1.5)
    await asyncio.sleep(min(delay, patience))
    if delay > patience:
        raise aiohttp.SocketTimeoutError
    return answer


_HARMS: dict[str, Callable[[_Request], Awaitable[Answer]]] = {
    "none": _Request.ask,
    "throttled": _throttled,
    "failed": _failed,
    "replaced": _replaced,
    "unsent": _unsent,
    "lost": _lost,
    "failed after all": _failed_after_all,
    "truncated": _truncated,
    "doubled": _doubled,
    "late": _late,
}
