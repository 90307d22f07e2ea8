"""What happens to workers, and between them and SWF, when a seed says so.

A worker is killed as ``kill -9`` does it: from that moment on nothing that it sends
gets out, and nothing reaches it. What it did up to then, SWF has.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
from botocore.credentials import ReadOnlyCredentials

from flowser import _client
from flowser.domain import Domain
from flowser.testing import LocalSwf
from flowser.testing.faults import Faults
from flowser.testing.planned import Planned
from flowser.worker import Worker

DECISION, ACTIVITY = "PollForDecisionTask", "PollForActivityTask"
DECIDED, COMPLETED = "RespondDecisionTaskCompleted", "RespondActivityTaskCompleted"
HISTORY = "GetWorkflowExecutionHistory"

#: The calls that go wrong.
CALLS = (DECISION, DECIDED, ACTIVITY, COMPLETED, HISTORY)

#: More of one of them than any seed needs.
MOST = 1_000

#: Polls of the list that is disturbed.
CHORES = {"taskList": {"name": "payers"}}

#: Seconds that what comes late is late: sooner and later than decisions time out.
LATE = (1, 4, 9, 12, 25)

#: What goes wrong between, and with which call: made of its number, and seconds.
FAULTS: dict[str, tuple[str, Callable[[Faults, int, float], Planned]]] = {
    "lost decision": (DECIDED, lambda f, n, _: f.lose(DECIDED, acted=False, nth=n)),
    "lost reply to a decision": (DECIDED, lambda f, n, _: f.lose(DECIDED, nth=n)),
    "cut reply to a decision": (DECIDED, lambda f, n, _: f.cut(DECIDED, nth=n)),
    "late reply to a decision": (DECIDED, lambda f, n, s: f.delay(DECIDED, s, nth=n)),
    "decision sent twice": (
        DECIDED,
        lambda f, n, _: f.duplicate_request(DECIDED, nth=n),
    ),
    "decision throttled": (
        DECIDED,
        lambda f, n, _: f.throttle(DECIDED, nth=n, times=3),
    ),
    "lost decision task": (DECISION, lambda f, n, _: f.lose_task("decision", nth=n)),
    "late decision task": (DECISION, lambda f, n, s: f.delay(DECISION, s, nth=n)),
    "decision poll fails": (DECISION, lambda f, n, _: f.fail(DECISION, 503, nth=n)),
    "lost activity task": (
        ACTIVITY,
        lambda f, n, _: f.lose_task("activity", nth=n, where=CHORES),
    ),
    "lost reply of an activity": (COMPLETED, lambda f, n, _: f.lose(COMPLETED, nth=n)),
    "broken page of history": (HISTORY, lambda f, n, _: f.truncate(HISTORY, nth=n)),
    "lost page of history": (HISTORY, lambda f, n, _: f.lose(HISTORY, nth=n)),
}

#: What is done to a worker, or to the server, at a call of the worker.
BLOWS = ("kill before", "kill after", "late", "restart before", "restart after")


class Blow(NamedTuple):
    """Something done at a call, which for a poll is one that brings a task."""

    what: str
    operation: str
    nth: int
    seconds: float


class Life:
    """The time from a worker's start to its being killed.

    Attributes:
        over: Set when it was killed.
    """

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self._flights: set[asyncio.Timeout] = set()

    def end(self) -> None:
        """Kill the worker."""
        self.over.set()
        for flight in self._flights:
            flight.reschedule(asyncio.get_running_loop().time())

    async def carry(self, send: Callable[[], Awaitable[Any]]) -> Any:
        """Carry a call, as long as the worker lives."""
        flight = asyncio.timeout(None)
        try:
            async with flight:
                self._flights.add(flight)
                found = None if self.over.is_set() else await send()
        except TimeoutError:
            found = None
        finally:
            self._flights.discard(flight)
        if found is None or self.over.is_set():
            raise aiohttp.ServerDisconnectedError
        return found


class Harms:
    """Does harm.

    Attributes:
        calls: What the workers called so far; of polls, those that brought a task.
        planned: What is to go wrong, for a report.
        endless: Set when the workers are no longer expected to come to an end.
    """

    def __init__(
        self, swf: LocalSwf, chance: random.Random, number: int, calls: Counter[str]
    ) -> None:
        """Plan a number of harms.

        Args:
            swf: To whom.
            chance: Draws them.
            number: How many.
            calls: What is called when nothing goes wrong.
        """
        self.calls: Counter[str] = Counter()
        self.planned: list[str] = []
        self.endless = asyncio.Event()
        self._swf = swf
        self._chance = chance
        self._faults: list[Planned] = []
        self._blows: dict[tuple[str, int], Blow] = {}
        self._fallen = 0
        self._down = False
        self._usual = Counter({name: calls[name] for name in CALLS if calls[name]})
        for _ in range(number):
            self._plan(chance.choice(LATE))

    def _plan(self, seconds: float) -> None:
        chance = self._chance
        if chance.random() < 0.5:
            what = chance.choice(
                [w for w, (o, _) in FAULTS.items() if o in self._usual]
            )
            operation, plan = FAULTS[what]
            nth = chance.randint(1, self._usual[operation])
            self._faults.append(plan(self._swf.faults, nth, seconds))
        else:
            what = chance.choice(BLOWS)
            operation = chance.choice([*self._usual])
            nth = chance.randint(1, self._usual[operation])
            self._blows[operation, nth] = Blow(what, operation, nth, seconds)
        self.planned.append(f"{what}, {operation} number {nth}, {seconds} s")

    @property
    def done(self) -> int:
        """How much harm was done so far."""
        return self._fallen + sum(fault.happened > 0 for fault in self._faults)

    async def carry(
        self, life: Life, operation: str, send: Callable[[], Awaitable[Any]]
    ) -> Any:
        """Carry a call of a worker; or not."""
        if operation in (DECISION, ACTIVITY):
            found = await life.carry(send)
            if b'"taskToken":' in await found.content:
                await self._strike(life, self._due(operation), "after")
        else:
            blow = self._due(operation)
            await self._strike(life, blow, "before")
            found = await life.carry(send)
            await self._strike(life, blow, "after")
        return await life.carry(_already(found))

    def _due(self, operation: str) -> Blow | None:
        self.calls[operation] += 1
        if self.calls[operation] > MOST:
            self.endless.set()
        return self._blows.pop((operation, self.calls[operation]), None)

    async def _strike(self, life: Life, blow: Blow | None, when: str) -> None:
        if blow is None:
            return
        match blow.what.split():
            case ["kill", at] if at == when:
                life.end()
            case ["restart", at] if at == when and not self._down:
                await self._restart(blow.seconds)
            case ["late"] if when == "before":
                await asyncio.sleep(blow.seconds)
            case _:
                return
        self._fallen += 1

    async def _restart(self, seconds: float) -> None:
        self._down = True
        async with self._swf.down():
            await asyncio.sleep(seconds)
        self._down = False


def _already(found: Any) -> Callable[[], Awaitable[Any]]:
    async def give() -> Any:
        return found

    return give


@asynccontextmanager
async def way(swf: LocalSwf, harms: Harms, life: Life) -> AsyncIterator[Any]:
    """Open a connection of one worker."""

    class Cord(swf.http_session_cls):  # type: ignore[name-defined,misc]  # made there
        async def send(self, request: Any) -> Any:
            operation = str(request.headers["X-Amz-Target"]).rpartition(".")[2]
            through = super().send
            return await harms.carry(life, operation, lambda: through(request))

    settings = _client.Settings(
        endpoint_url="http://localhost",
        region_name=swf.region_name,
        credentials=_client.Credentials(ReadOnlyCredentials("a", "b", None), None),
        http_session_cls=Cord,
        http={},
    )
    clock = asyncio.get_running_loop().time
    async with _client.opened(settings, clock=clock) as conn:
        yield conn


async def keep(
    swf: LocalSwf, harms: Harms, kind: type[Domain], chance: random.Random | None
) -> None:
    """Run a worker, and another one whenever it is killed.

    Args:
        swf: Where its tasks come from.
        harms: What happens to it.
        kind: What it serves.
        chance: Draws its settings; None leaves them alone.
    """
    while True:
        life = Life()
        settings: Any = {"watchdog": None} if chance is None else options(chance)
        async with (
            way(swf, harms, life) as conn,
            Worker(kind(conn), drain=0, grace=0.1, **settings) as worker,
        ):
            await life.over.wait()
            worker.abort()
        assert chance is not None, "nobody kills a worker that is left alone"
        await asyncio.sleep(chance.choice([0, 1, 20]))


def options(chance: random.Random) -> dict[str, Any]:
    """Draw the settings of a worker; most throw away runs that are kept."""
    return {
        "sticky": chance.random() < 0.75,
        "cached_runs": chance.choice([1, 2, 1_000]),
        "cached_bytes": chance.choice([1, 1_000_000, 1_000_000, 1_000_000]),
        "cached_seconds": chance.choice([3_600.0, 1e9, 1e9]),
        "decision_pollers": chance.choice([1, 2]),
        "watchdog": chance.choice([None, None, None, 10.0]),  # in a thread
    }
