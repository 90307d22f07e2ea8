"""What cannot be stored, or fails half-way, has not happened; and the rest goes on.

Source:
    reliability.md section 4, experiment 45.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowser import decisions as d
from flowser import requests
from flowser.local.engine.facts import Fact, Summary
from flowser.local.engine.faults import Fault
from flowser.local.storage import Store, StoreError
from flowser.testing.clock import Clock, virtual_time
from tests.local.disks import Disk, small_disk
from tests.local.served import (
    DOMAIN,
    START,
    Client,
    allow_writing,
    refused,
    schedule,
    served,
    serving,
    turns,
)

_EMPTY = {"startedEventId": 0, "previousStartedEventId": 0}


@pytest.fixture(autouse=True)
async def clock() -> Any:
    """Let time jump."""
    with virtual_time() as clock:
        yield clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "swf.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with contextlib.closing(Store(path)) as store:
        yield store


@pytest.fixture
async def client(store: Store, clock: Clock) -> AsyncIterator[Client]:
    async with serving(store) as client:
        await client.register()
        yield client


# -- a disk that is full -------------------------------------------------------------


@pytest.fixture(params=["full", "full in name"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    if request.param == "full":
        with small_disk(tmp_path) as disk:
            yield disk
    else:
        yield Disk(tmp_path, real=False)


async def test_full_disk_refuses_writes_and_loses_nothing(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 45: 5xx and no change, reads go on, and it recovers."""
    with contextlib.closing(Store(disk.path)) as store:
        async with serving(store) as client:
            await client.register()
            runs = {"o-0": await client.start("o-0")}
            disk.fill(store)
            await _until_full(client, runs)
            await _expect_only_reads(client, runs)
            disk.free(store)
            runs["later"] = await client.start("later")
            await client.signal("later")
            await _expect(client, runs)
    said = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert [text.partition(":")[0] for text in said] == [
        "nothing can be written",
        "the store can be written again",
    ]
    async with served(disk.path) as client:
        await _expect(client, runs)


async def _until_full(client: Client, runs: dict[str, str]) -> None:
    for number in range(1, 10_000):
        name = f"o-{number}"
        try:
            runs[name] = await client.start(name, input="." * 5_000)
        except Fault as fault:
            if fault.name == "InternalFailure":
                return
            raise
    raise AssertionError("it is never full")


async def _expect_only_reads(client: Client, runs: dict[str, str]) -> None:
    for _ in range(2):
        await _expect(client, runs)
        assert await refused(client.start("x")) == "InternalFailure"
        assert await refused(client.signal("o-0")) == "InternalFailure"
        assert await refused(client.poll()) == "InternalFailure"


async def _expect(client: Client, runs: dict[str, str]) -> None:
    assert await client.open_runs() == len(runs)
    for workflow_id, run_id in runs.items():
        assert (await client.types(run_id, workflow_id))[0:2] == [
            "WorkflowExecutionStarted",
            "DecisionTaskScheduled",
        ]


# -- a store that cannot be written --------------------------------------------------


async def test_nobody_hears_of_what_could_not_be_stored(
    client: Client, store: Store
) -> None:
    async with asyncio.TaskGroup() as group:
        poll = group.create_task(refused(client.poll()))
        other = group.create_task(client.poll_activity())
        await turns()
        allow_writing(store, yes=False)
        calls = [
            group.create_task(refused(call))
            for call in (client.start(), client.open_runs(), client.start())
        ]
        assert await poll == "InternalFailure"
        assert await other == {"startedEventId": 0}
        assert [await call for call in calls] == ["InternalFailure"] * 3
    assert await client.open_runs() == 0
    allow_writing(store, yes=True)
    run_id = await client.start()
    assert (await client.poll())["workflowExecution"]["runId"] == run_id


async def test_time_stands_still_until_the_store_can_be_written(
    client: Client, store: Store, clock: Clock
) -> None:
    timer = d.StartTimer(timer_id="t", start_to_fire_timeout="30")
    run_id = await client.begin(timer, execution_start_to_close_timeout="9999")
    before = await client.types(run_id)
    allow_writing(store, yes=False)
    await clock.skip(100)
    assert await client.types(run_id) == before
    allow_writing(store, yes=True)
    await clock.skip(1.1)  # without a call
    events = await client.events(run_id)
    assert [e["eventType"] for e in events[len(before) :]] == [
        "TimerFired",
        "DecisionTaskScheduled",
    ]
    late = events[-1]["eventTimestamp"] - START / 1e9
    assert 100 <= late <= 101.1


async def test_undone_call_takes_back_what_it_took(
    client: Client, store: Store
) -> None:
    run_id = await client.start()
    task = await client.poll()
    before = await client.types(run_id)
    allow_writing(store, yes=False)
    made = [schedule("a"), schedule("b"), d.RecordMarker(marker_name="m")]
    assert await refused(client.decide(task, *made)) == "InternalFailure"
    assert await client.types(run_id) == before
    allow_writing(store, yes=True)
    await client.decide(task, *made)
    assert (await client.types(run_id))[len(before) :] == [
        "DecisionTaskCompleted",
        "ActivityTaskScheduled",
        "ActivityTaskScheduled",
        "MarkerRecorded",
    ]


async def test_store_that_cannot_be_written_at_the_beginning_can_be_read(
    path: Path, clock: Clock
) -> None:
    async with served(path) as client:
        timer = d.StartTimer(timer_id="t", start_to_fire_timeout="30")
        run_id = await client.begin(timer)
    with contextlib.closing(Store(path)) as store:
        allow_writing(store, yes=False)
        async with serving(store, START + 60_000_000_000) as client:
            await turns()
            assert "TimerFired" not in await client.types(run_id)
            assert await refused(client.signal()) == "InternalFailure"
            allow_writing(store, yes=True)
            await client.signal()
            assert (await client.types(run_id))[-3:] == [
                "TimerFired",
                "DecisionTaskScheduled",
                "WorkflowExecutionSignaled",
            ]


async def test_end_comes_even_if_nothing_can_be_stored(path: Path) -> None:
    with contextlib.closing(Store(path)) as store:
        async with asyncio.TaskGroup() as group, serving(store) as client:
            await client.register()
            poll = group.create_task(client.poll())
            await turns()
            allow_writing(store, yes=False)
            start = group.create_task(refused(client.start()))
            await asyncio.sleep(0)
            poll.cancel()
        assert await start == "InternalFailure"


# -- a store that cannot be read -----------------------------------------------------


async def test_damaged_history_is_refused_and_disturbs_nobody_else(
    client: Client, store: Store
) -> None:
    run_id = await client.start()
    end = requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id="o-1")
    await client.send(end)
    store._db.execute("UPDATE events SET data = x'00' WHERE id = 2")
    async with asyncio.TaskGroup() as group:
        poll = group.create_task(client.poll())
        await turns()
        assert await refused(client.events(run_id)) == "InternalFailure"
        assert not poll.done()
        await client.start("o-2")
        assert (await poll)["startedEventId"] == 3


class Moody(Store):
    """A store of which some questions fail for a while.

    Attributes:
        mood: By the name of a question, what it raises.
    """

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path)
        self.mood: dict[str, Exception] = {}

    def _try(self, question: str) -> None:
        if question in self.mood:
            raise self.mood[question]

    def find(self, *ids: str) -> Summary | None:
        self._try("find")
        return super().find(*ids)

    def facts(self) -> Iterator[Fact]:
        self._try("facts")
        return super().facts()

    def expired(self, now: int, limit: int) -> list[int]:
        self._try("expired")
        return super().expired(now, limit)

    def next_expiry(self) -> int | None:
        self._try("next_expiry")
        return super().next_expiry()

    def _write(self, waiting: list[Any]) -> None:
        self._try("write")
        super()._write(waiting)


@pytest.fixture(params=["memory", "file"])
def moody(request: pytest.FixtureRequest, path: Path) -> Iterator[Moody]:
    with contextlib.closing(Moody(path if request.param == "file" else None)) as store:
        yield store


@pytest.mark.parametrize("error", [OSError(5, "no"), ZeroDivisionError()], ids=repr)
async def test_question_that_fails_is_a_500_and_the_server_goes_on(
    moody: Moody, error: Exception
) -> None:
    async with serving(moody) as client:
        await client.register()
        run_id = await client.start()
        moody.mood["find"] = error
        assert await refused(client.events("no", "o-1")) == "InternalFailure"
        assert await client.open_runs() == 1
        await client.signal()
        assert (await client.types(run_id))[-1] == "WorkflowExecutionSignaled"


@pytest.mark.parametrize("question", ["expired", "next_expiry"])
@pytest.mark.parametrize("error", [OSError(5, "no"), ZeroDivisionError()], ids=repr)
async def test_clocks_go_on_after_what_was_due_failed(
    moody: Moody, error: Exception, question: str, clock: Clock
) -> None:
    async with serving(moody) as client:
        await client.register()
        timer = d.StartTimer(timer_id="t", start_to_fire_timeout="86410")
        lasting = {"execution_start_to_close_timeout": "999999"}
        run_id = await client.begin(timer, **lasting)
        await client.start("o-2")
        end = requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id="o-2")
        await client.send(end)
        await clock.skip(86_390)
        moody.mood[question] = error
        await clock.skip(30)
        moody.mood.clear()
        await clock.skip(2)
        assert (await client.types(run_id))[-2] == "TimerFired"
        assert moody.next_expiry() is None


async def test_state_that_cannot_be_folded_now_is_folded_later(moody: Moody) -> None:
    async with serving(moody) as client:
        await client.register()
        run_id = await client.start()
        moody.mood["find"] = ZeroDivisionError()
        moody.mood["facts"] = StoreError(Path("swf.db"), "is damaged", "wait")
        for _ in range(3):
            assert await refused(client.events("no", "o-1")) == "InternalFailure"
            assert await refused(client.signal()) == "InternalFailure"
        moody.mood.clear()
        await client.signal()
        assert len(await client.types(run_id)) == 3


async def test_commit_that_fails_by_a_bug_is_a_500_too(path: Path) -> None:
    with contextlib.closing(Moody(path)) as store:
        async with serving(store) as client:
            await client.register()
            store.mood["write"] = ZeroDivisionError()
            assert await refused(client.start()) == "InternalFailure"
            store.mood.clear()
            assert await client.open_runs() == 0
            await client.start()


# -- an engine that fails ------------------------------------------------------------


class Chance:
    """Entropy that runs dry.

    Attributes:
        left: How often it still gives something.
    """

    left = 1_000

    def __call__(self, size: int) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise ZeroDivisionError
        return self.left.to_bytes(size, "big")


@pytest.mark.parametrize("durable", [False, True])
async def test_transition_that_fails_half_way_is_undone_as_a_whole(
    durable: bool, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chance = Chance()
    async with served(path if durable else None, entropy=chance) as client:
        run_id = await client.start()
        task = await client.poll()
        before = await client.types(run_id)
        chance.left = 0
        again = d.ContinueAsNewWorkflowExecution()
        assert await refused(client.decide(task, again)) == "InternalFailure"
        assert await client.types(run_id) == before
        chance.left = 1
        await client.decide(task, again)
        assert (await client.types(run_id))[-1] == "WorkflowExecutionContinuedAsNew"
        assert await client.open_runs() == 1
    said = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert [r.getMessage() for r in said] == [
        "RespondDecisionTaskCompleted failed inside the server"
    ]
    assert said[0].exc_info


async def test_calls_of_the_same_turn_are_stored_though_one_fails(path: Path) -> None:
    chance = Chance()
    async with served(path, entropy=chance) as client:
        chance.left = 2
        outcomes = await asyncio.gather(
            *(client.start(f"o-{n}") for n in range(3)), return_exceptions=True
        )
        assert [isinstance(each, str) for each in outcomes] == [True, True, False]
    async with served(path) as client:
        assert await client.open_runs() == 2


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("broken", ["decision", "activity"])
async def test_task_of_an_undone_transition_reaches_nobody(
    durable: bool, broken: str, path: Path
) -> None:
    """Both lists get a task; one has been handed out when the other poll fails."""

    def fail() -> bool:
        raise ZeroDivisionError

    async with served(path if durable else None) as client:
        run_id = await client.start()
        task = await client.poll()
        await client.signal()
        before = await client.types(run_id)
        async with asyncio.TaskGroup() as group:
            polls = [
                group.create_task(poll(present=fail if kind == broken else _there))
                for kind, poll in (
                    ("decision", client.poll),
                    ("activity", client.poll_activity),
                )
            ]
            await turns()
            asked = client.decide(task, schedule())
            assert await refused(asked) == "InternalFailure"
            assert [await poll for poll in polls] == [_EMPTY, {"startedEventId": 0}]
        assert await client.types(run_id) == before
        await client.decide(task, schedule())
        assert (await client.poll())["startedEventId"] == 8
        assert (await client.poll_activity())["startedEventId"] == 9


def _there() -> bool:
    return True
