"""A server, its workers and their clients in one process, on virtual time, in a storm.

Calls come to harm, workers and the server die and come back, as a seed has it; then
the storm is over, and all has to come to its end. The same seed gives the same trace:
``python -m tests.local.simulation SEED`` shows what a seed leads to, and a range of
seeds, ``0-1999``, which of them fail.

Source:
    reliability.md section 4, experiment 56.
"""

import asyncio
import contextlib
import functools
import logging
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from flowser import _client
from flowser._lean import Connection
from flowser.exceptions import Error, UnknownResourceFault
from flowser.local.engine.facts import Fact
from flowser.local.service import Service
from flowser.local.session import Session
from flowser.local.storage import Store
from flowser.tasks import Decision
from flowser.testing.clock import virtual_time
from flowser.worker import Worker
from tests.local.audit import Audit, Report, histories
from tests.local.seasons import Crop, Farm, Plan, Season, decide
from tests.local.served import START, Client
from tests.local.weather import Line, Weather

#: How many workers and executions there are.
_WORKERS, _SEASONS = 3, 5

#: Virtual seconds: of the storm, and until all must have ended.
_STORM, _END = 600.0, 6_000.0

_SECOND = 1_000_000_000


class Mortal(Store):
    """A store whose process may die; what it did not commit is lost then."""

    dead = False

    def append(self, taken: Sequence[Fact]) -> None:
        """Take over what happened, if anybody lives."""
        if not self.dead:
            super().append(taken)

    def commit(self) -> None:
        """Commit, if anybody lives."""
        if self.dead:
            raise OSError(5, "the process died")
        super().commit()


class _Keys(NamedTuple):
    """Credentials that open nothing."""

    access_key: str = "local"
    secret_key: str = "local"
    token: str | None = None


class Simulation:
    """One life, as a seed has it."""

    def __init__(self, report: Report, path: Path, store: type[Mortal]) -> None:
        self.report = report
        self._chance = random.Random(report.seed)
        self._weather = Weather(self._chance)
        self._path = path
        self._store = store
        self._serials = iter(range(1_000_000))
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Live, and look back, into the report."""
        with virtual_time() as clock:
            self._server = await self._started()
            try:
                async with asyncio.timeout(_END):
                    await self._live()
            except TimeoutError:
                self.report.problems.append("not all executions end")
            runs = await histories(Client(self._server))
            await self._stop(dies=False)
            self.report.seconds = clock.time()
            Audit(self.report, self._weather, runs).check()

    async def _live(self) -> None:
        async with self._connected("owner") as conn:
            farm = Farm(conn)
            await farm.register()
            self._weather.stormy = True
            async with asyncio.TaskGroup() as group:
                group.create_task(self._storm())
                for number in range(_WORKERS):
                    group.create_task(self._employ(f"w-{number}"))
                async with asyncio.TaskGroup() as own:
                    for number in range(_SEASONS):
                        own.create_task(self._want(farm, self._plan(f"s-{number}")))
                await self._ended(farm)
                self._over.set()

    async def _ended(self, farm: Farm) -> None:
        """Wait until no execution is open."""
        some = True
        while some:
            await asyncio.sleep(30)
            with contextlib.suppress(Error):
                some = bool((await farm.count_open_executions()).count)

    # -- the server -----------------------------------------------------------------

    async def _started(self) -> Service:
        loop = asyncio.get_running_loop()
        self.report.harms["server starts"] += 1
        self._server_store = self._store(self._path)
        # No power is cut here.
        self._server_store._db.execute("PRAGMA synchronous = OFF")
        wall = START + round(loop.time() * _SECOND)
        service = Service(
            self._server_store, entropy=self._chance.randbytes, wall=lambda: wall
        )
        await service.__aenter__()
        self._weather.lead_to(service)
        return service

    async def _storm(self) -> None:
        """Let the server end, or die, and come back; then let there be peace."""
        loop = asyncio.get_running_loop()
        while loop.time() < _STORM:
            await asyncio.sleep(self._chance.uniform(10, 200))
            await self._stop(dies=self._chance.random() < 0.8)
            await asyncio.sleep(self._chance.choice([0, 0, 5, 40]))
            self._server = await self._started()
        self._weather.stormy = False
        self._weather.note("peace")

    async def _stop(self, *, dies: bool) -> None:
        self._weather.note("the server dies" if dies else "the server ends")
        self._server_store.dead = dies
        if dies:
            await self._weather.cut()
        await self._server.__aexit__(None, None, None)
        self._weather.lead_to(None)
        await self._weather.cut()
        self._server_store.close()

    # -- workers --------------------------------------------------------------------

    async def _employ(self, name: str) -> None:
        """Let workers come and go, one after the other."""
        while not self._over.is_set():
            line = Line(self._weather, f"{name}.{next(self._serials)}")
            async with self._opened(line) as conn:
                worker = Worker(Farm(conn), identity=name, activities=3, decisions=2)
                worker.activity(Crop)(self._grow)
                worker.decider(Season)(self._decide)
                async with worker:
                    await self._life()
                    if not self._over.is_set() and self._chance.random() < 0.7:
                        self.report.harms["workers die"] += 1
                        self._weather.note(name, "dies")
                        await line.die()
                        worker.abort()
            await asyncio.sleep(self._chance.uniform(0, 10))

    async def _life(self) -> None:
        """Wait as long as a worker lives: in peace, until all is over."""
        span = self._chance.uniform(20, 300) if self._weather.stormy else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(span):
                await self._over.wait()

    async def _grow(self, input: Any) -> Any:
        """Handle a crop, which may fail, or take too long."""
        await asyncio.sleep(self._chance.uniform(0.1, 30))
        fate = self._chance.random()
        if self._weather.stormy and fate < 0.15:
            raise ValueError("it rains")
        if self._weather.stormy and fate < 0.25:
            await asyncio.sleep(100)
        return input

    async def _decide(self, decision: Decision) -> None:
        """Handle a season; sometimes without success."""
        if self._weather.stormy and self._chance.random() < 0.05:
            raise ValueError("it rains")
        await decide(decision, f"d-{next(self._serials)}")

    # -- the owner ------------------------------------------------------------------

    def _plan(self, id: str) -> Plan:
        chance = self._chance
        child = None
        if chance.random() < 0.4:
            child = Plan(f"{id}-child", [chance.randrange(100)], 5, [], None, 0)
        return Plan(
            id,
            values=[chance.randrange(100) for _ in range(chance.randrange(1, 4))],
            wait=chance.randrange(300),
            signals=["sun", "rain"][: chance.randrange(3)],
            child=child,
            years=int(chance.random() < 0.3),
        )

    async def _want(self, farm: Farm, plan: Plan) -> None:
        """Start a season, and send it its signals, until that is acknowledged."""
        await asyncio.sleep(self._chance.uniform(0, 100))
        while True:
            with contextlib.suppress(Error):
                attach: Any = {"workflow_id": plan.id, "if_running": "attach"}
                handle = await farm.start(Season, plan, **attach)
                break
            await asyncio.sleep(5)
        for name in plan.signals:
            await asyncio.sleep(self._chance.uniform(0, 60))
            await self._signal(handle, name)

    async def _signal(self, handle: Any, name: str) -> None:
        while True:
            try:
                await handle.signal(name, f"{name}-{next(self._serials)}")
                return
            except UnknownResourceFault:
                return  # the run has ended, and so it came the first time
            except Error:
                await asyncio.sleep(5)

    # -- ways to the server ---------------------------------------------------------

    def _connected(self, name: str) -> Any:
        return self._opened(Line(self._weather, name))

    @contextlib.asynccontextmanager
    async def _opened(self, line: Line) -> AsyncIterator[Connection]:
        settings = _client.Settings(
            endpoint_url="http://localhost",
            region_name="us-east-1",
            credentials=_client.Credentials(_Keys(), None),
            http_session_cls=_carrying(line),
            http={},
        )
        clock = asyncio.get_running_loop().time
        async with _client.opened(settings, clock=clock) as conn:
            yield conn


def _carrying(line: Any) -> Any:
    """Make a session class; a Line has the face of a Protocol."""
    return functools.partial(Session, line)


class _Bugs(logging.Handler):
    """Notes what is logged with a traceback, by whoever does not do so for others."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._problems = problems

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        local = record.name.startswith("flowser.local")
        if record.exc_info and (local or record.levelno >= logging.CRITICAL):
            self._problems.append(f"logged: {self.format(record)}")


class _Loop(asyncio.SelectorEventLoop):
    """A loop whose time begins at zero, and so has the same fractions in each life."""

    def time(self) -> float:
        """Tell the time before there is a clock."""
        return 0.0


def simulate(seed: int, store: type[Mortal] = Mortal) -> Report:
    """Live as a seed has it.

    Args:
        seed: Any number.
        store: Where the server keeps what happens.

    Returns:
        What became of it; ``problems`` should be empty.
    """
    before = random.getstate()
    random.seed(seed)  # pauses of clients are of its making
    report = Report(seed)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            asyncio.Runner(loop_factory=_Loop) as runner,
            _noted(report.problems),
        ):
            runner.run(Simulation(report, Path(folder) / "swf.db", store).run())
    except Exception:  # noqa: BLE001 - whatever it is, the seed is to be named
        report.problems.append(traceback.format_exc())
    finally:
        random.setstate(before)
    return report


@contextlib.contextmanager
def _noted(problems: list[str]) -> Iterator[None]:
    log, bugs = logging.getLogger("flowser"), _Bugs(problems)
    log.addHandler(bugs)
    try:
        yield
    finally:
        log.removeHandler(bugs)


def main(words: list[str]) -> int:
    """Show what seeds lead to: ``7``, or what a range of them does: ``0-1999``.

    Returns:
        The exit status: 1 when there is a problem.
    """
    logging.disable(logging.WARNING)
    [word] = words
    first, _, last = word.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    harms: Counter[str] = Counter()
    bad = acknowledged = 0
    with ProcessPoolExecutor() as pool:
        for report in pool.map(simulate, seeds):
            if report.problems or len(seeds) == 1:
                sys.stdout.write(f"{report}\n")
            bad += bool(report.problems)
            harms += report.harms
            acknowledged += report.acknowledged
    sys.stdout.write(f"{bad} of {len(seeds)} failed; {acknowledged} calls kept; ")
    sys.stdout.write(f"{dict(harms)}\n")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
