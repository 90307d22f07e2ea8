"""A server, its workers and their clients in one process, on virtual time, in a storm.

Calls come to harm, workers and the server die and come back, as a seed has it; then
the storm is over, and all has to come to its end. The same seed gives the same trace:
``python -m tests.local.simulation SEED`` shows what a seed leads to.

Source:
    reliability.md section 4, experiment 56.
"""

import asyncio
import contextlib
import functools
import json
import logging
import random
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from flowser import _client, requests, shapes
from flowser._lean import Connection
from flowser.exceptions import Error, UnknownResourceFault
from flowser.local.engine.facts import Fact
from flowser.local.service import Service
from flowser.local.session import Session
from flowser.local.storage import Store
from flowser.tasks import Decision
from flowser.testing.clock import virtual_time
from flowser.worker import Worker
from tests.local.engine.witness import Witness
from tests.local.seasons import Crop, Farm, Plan, Season, decide
from tests.local.served import START, Client, attributes
from tests.local.weather import Acknowledged, Line, Weather

#: How many workers and executions there are.
_WORKERS, _SEASONS = 3, 5

#: Virtual seconds: of the storm, and until all must have ended.
_STORM, _END = 600.0, 6_000.0

_SECOND = 1_000_000_000


@dataclass
class Report:
    """What became of a seed.

    Attributes:
        seed: The seed.
        digest: Of all that happened.
        problems: What must not happen, as sentences.
        calls: How many calls there were.
        acknowledged: Those of them that changed something, and were found kept.
        harms: What happened to calls, and to the server and workers; how often.
        events: How many events there are in all histories.
        seconds: Virtual ones.
    """

    seed: int
    digest: str = ""
    problems: list[str] = field(default_factory=list)
    calls: int = 0
    acknowledged: int = 0
    harms: Counter[str] = field(default_factory=Counter)
    events: int = 0
    seconds: float = 0.0


class Mortal(Store):
    """A store whose process may die; what it did not commit is lost then."""

    dead = False

    def append(self, taken: Iterable[Fact]) -> None:
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

    def __init__(self, seed: int, folder: Path) -> None:
        self.report = Report(seed)
        self._chance = random.Random(seed)
        self._weather = Weather(self._chance)
        self._path = folder / "swf.db"
        self._serials = iter(range(1_000_000))
        self._over = asyncio.Event()

    async def run(self) -> Report:
        """Live, and look back."""
        with virtual_time() as clock:
            self._server = await self._started()
            try:
                async with asyncio.timeout(_END):
                    await self._live()
            except TimeoutError:
                self.report.problems.append("not all executions end")
            histories = await _told(Client(self._server))
            await self._stop(dies=False)
            self.report.seconds = clock.time()
            Audit(self.report, self._weather, histories).check()
        return self.report

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
        self._server_store = Mortal(self._path)
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
            http_session_cls=functools.partial(Session, line),
            http={},
        )
        clock = asyncio.get_running_loop().time
        async with _client.opened(settings, clock=clock) as conn:
            yield conn


# -- looking back --------------------------------------------------------------------

Runs = dict[tuple[str, str], list[Any]]


async def _told(client: Client) -> Runs:
    """Read all histories."""
    window = shapes.ExecutionTimeFilter(oldest_date=0)
    kinds: Any = (
        requests.ListOpenWorkflowExecutions,
        requests.ListClosedWorkflowExecutions,
    )
    found: Runs = {}
    for kind in kinds:
        answer = await client.send(kind(domain=Farm.name, start_time_filter=window))
        for info in answer["executionInfos"]:
            ids = info["execution"]
            found[ids["workflowId"], ids["runId"]] = await _events(client, **ids)
    return found


async def _events(client: Client, workflowId: str, runId: str) -> list[Any]:  # noqa: N803
    ids = shapes.WorkflowExecution(workflow_id=workflowId, run_id=runId)
    events: list[Any] = []
    token = None
    while True:
        request = requests.GetWorkflowExecutionHistory(
            domain=Farm.name, execution=ids, next_page_token=token
        )
        answer = await client.send(request)
        events += answer["events"]
        token = answer.get("nextPageToken")
        if token is None:
            return events


class Audit:
    """Holds all histories against what clients were told."""

    def __init__(self, report: Report, weather: Weather, runs: Runs) -> None:
        self._report = report
        self._weather = weather
        self._runs = runs
        self._labels: Counter[str] = Counter(
            label
            for ids, events in runs.items()
            for label in (json.dumps(ids), *_labels(events))
        )

    def check(self) -> None:
        """Complete the report."""
        report = self._report
        for (id, run_id), events in sorted(self._runs.items()):
            report.events += len(events)
            self._weather.note(id, run_id, json.dumps(events))
            self._check_history(id, events)
        for call in self._weather.acknowledged:
            for label in _acknowledged(call):
                report.acknowledged += 1
                if not self._labels[label]:
                    report.problems.append(f"lost: {label} of {call}")
        twice = [label for label, times in self._labels.items() if times > 1]
        report.problems += [f"twice: {label}" for label in twice]
        report.harms += self._weather.harms
        report.calls = self._weather.calls
        report.digest = self._weather.digest

    def _check_history(self, id: str, events: list[Any]) -> None:
        witness = Witness()
        try:
            for event in events:
                witness.see(event)
            witness.rest()
        except (AssertionError, KeyError) as error:
            self._report.problems.append(f"{id}: not a history of SWF's: {error!r}")
        plan = Plan(*json.loads(attributes(events[0])["input"]))
        last = events[-1]
        if last["eventType"] == "WorkflowExecutionCompleted":
            result = json.loads(attributes(last)["result"])
            if result != [plan.id, plan.result]:
                self._report.problems.append(f"{id}: {result} is not {plan}")
        elif last["eventType"] != "WorkflowExecutionContinuedAsNew":
            self._report.problems.append(f"{id}: its last event is {last}")


def _labels(events: list[Any]) -> Iterator[str]:
    """Give what is nobody else's: results, markers, and inputs of signals."""
    members = {
        "ActivityTaskCompleted": "result",
        "MarkerRecorded": "details",
        "WorkflowExecutionSignaled": "input",
    }
    for event in events:
        if event["eventType"] in members:
            yield attributes(event)[members[event["eventType"]]]


def _acknowledged(call: Acknowledged) -> Iterator[str]:
    """Give the labels that an acknowledged call has left behind."""
    params = call.params
    if call.operation == "StartWorkflowExecution":
        yield json.dumps((params["workflowId"], call.answer["runId"]))
    elif call.operation == "SignalWorkflowExecution":
        yield params["input"]
    elif call.operation == "RespondActivityTaskCompleted":
        yield params["result"]
    elif call.operation == "RespondDecisionTaskCompleted":
        for decision in params.get("decisions", ()):
            if decision["decisionType"] == "RecordMarker":
                yield decision["recordMarkerDecisionAttributes"]["details"]


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


def simulate(seed: int) -> Report:
    """Live as a seed has it.

    Args:
        seed: Any number.

    Returns:
        What became of it; ``problems`` should be empty.
    """
    before = random.getstate()
    random.seed(seed)  # pauses of clients are of its making
    log = logging.getLogger("flowser")

    async def run(folder: str) -> Report:
        simulation = Simulation(seed, Path(folder))
        bugs = _Bugs(simulation.report.problems)
        log.addHandler(bugs)
        try:
            return await simulation.run()
        finally:
            log.removeHandler(bugs)

    with (
        tempfile.TemporaryDirectory() as folder,
        asyncio.Runner(loop_factory=_Loop) as runner,
    ):
        try:
            return runner.run(run(folder))
        finally:
            random.setstate(before)


def main(seeds: list[str]) -> int:
    """Show what seeds lead to.

    Returns:
        The exit status: 1 when there is a problem.
    """
    logging.getLogger("flowser").setLevel(logging.CRITICAL)
    reports = [simulate(int(seed)) for seed in seeds]
    for report in reports:
        sys.stdout.write(f"{report}\n")
    return int(any(report.problems for report in reports))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
