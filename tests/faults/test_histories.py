"""Histories that are long, broken, or cannot be read: no decision is made on a part.

Source:
    reliability.md section 4 experiments 30 to 33.
"""

from collections.abc import Iterable
from typing import Any

import pytest

from flowser.exceptions import BrokenHistory, ValidationFailed
from flowser.tasks import Decision
from tests.faults.farm import (
    DECIDED,
    POLL_DECISION,
    Season,
    late,
    scripted_farm,
    told,
    worker_of,
)
from tests.faults.virtual import virtual
from tests.histories import LongHistory, Raw, began, decision_task, marker
from tests.support.answers import Answer, Recorded, internal_failure, invalid
from tests.support.processes import run_python
from tests.support.scripted import EMPTY_POLL, ScriptedSwf

SEASON = {"name": "Season", "version": "1.0"}
TOO_LATE = invalid("Specified token has exceeded its maximum lifetime")


def task(numbers: Iterable[int], token: str | None = None) -> Raw:
    """Make a page of a decision task of the Season."""
    events = [marker(number) if number > 1 else began() for number in numbers]
    return decision_task(events, token, startedEventId=30, workflowType=SEASON)


def descending(first: int, last: int) -> list[int]:
    """Number the events of a page, newest first."""
    return [*range(first, last - 1, -1)]


class Served:
    """Serves decision tasks, and their pages by token; then there are no more."""

    def __init__(self, *tasks: Answer, **pages: Answer) -> None:
        self._tasks = [*tasks]
        self._pages = pages

    async def poll(self, recorded: Recorded) -> Answer:
        """Answer PollForDecisionTask."""
        token = recorded.params.get("nextPageToken")
        if token is not None:
            return self._pages[token]
        return self._tasks.pop(0) if self._tasks else late(60, EMPTY_POLL)


# -- experiment 30 --

_READS = """
import asyncio, re, sys, time
from pathlib import Path
import flowser
from tests.faults.farm import Farm, Season

async def main():
    async with flowser.connect(endpoint_url=sys.argv[1]) as conn:
        began = time.process_time()
        decision = await Farm(conn).poll_decision(Season)
        ids = [event.id async for event in decision.events]
        await decision.complete()
        seconds = time.process_time() - began
        contiguous = ids == [*range(len(ids), 0, -1)]
        # Not ru_maxrss: that begins with the size of the process that started this one.
        status = Path("/proc/self/status").read_text()
        peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", status)[1])
        print("read", len(ids), contiguous, seconds, peak // 1024)

asyncio.run(main())
"""


async def test_long_history_is_read_in_little_time_and_memory(
    scripted: ScriptedSwf,
) -> None:
    """Experiment 30: 25,000 events in 3 s and 200 MiB; page 7 fails twice."""
    history = LongHistory(25_000)
    refusals = [internal_failure(), internal_failure()]

    async def serve(recorded: Recorded) -> Any:
        if recorded.params.get("nextPageToken") == "6000" and refusals:
            return refusals.pop()
        return await history.poll(recorded)

    scripted.always(POLL_DECISION, serve)
    async with run_python("-c", _READS, scripted.url) as child:
        said = await child.line_matching(r"read (\d+) (\w+) ([\d.]+) (\d+)", timeout=40)
        assert await child.wait() == 0
    events, contiguous, seconds, mebibytes = said.groups()
    assert (int(events), contiguous) == (25_000, "True")
    assert float(seconds) <= 3
    assert int(mebibytes) <= 200
    tokens = [
        request.params.get("nextPageToken") for request in scripted.of(POLL_DECISION)
    ]
    pages = [None, *(str(page * 1000) for page in range(1, 25))]
    assert tokens == [*pages[:6], "6000", "6000", *pages[6:]]


# -- experiment 31 --

#: Pages that do not fit together, newest event first.
BROKEN = {
    "out of order": [descending(30, 21), descending(10, 1), descending(20, 11)],
    "twice": [descending(30, 21), descending(30, 21), descending(20, 1)],
    "missing": [descending(30, 21), descending(10, 1)],
    "end missing": [descending(30, 21), descending(20, 11)],
    "doubled event": [descending(30, 21), [21, *descending(20, 1)]],
    "first page": [[30, 28, 27]],
}


@pytest.mark.parametrize("pages", BROKEN.values(), ids=BROKEN)
@virtual
async def test_broken_history_is_never_decided_on(
    pages: list[list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 31: seen by the event ids; the task is dropped with a warning."""
    tokens = [f"page{index}" for index in range(1, len(pages))]
    first, *rest = (task(p, t) for p, t in zip(pages, [*tokens, None], strict=True))
    served = Served(
        first, task(descending(30, 1)), **dict(zip(tokens, rest, strict=True))
    )
    async with scripted_farm() as (server, farm):
        server.always(POLL_DECISION, served.poll)
        worker = worker_of(farm)
        decided = []

        @worker.decider(Season)
        async def decide(decision: Decision) -> None:
            ids = [event.id async for event in decision.events]
            decided.append(ids)

        async with worker:
            await server.received(DECIDED)
    assert decided == [descending(30, 1)]  # the next one, by the same worker
    assert server.count(DECIDED) == 1
    assert worker.counts == {"decisions dropped": 1, "decisions completed": 1}
    ((level, text),) = told(caplog)
    assert level == "WARNING"
    assert "SWF will time the task out" in text


# -- experiment 32 --


@virtual
async def test_page_token_that_expired_drops_the_task(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 32: it is counted and told, and the worker goes on."""
    parted, whole = task(descending(30, 11), "token"), task(descending(30, 1))
    served = Served(parted, whole, token=TOO_LATE)
    async with scripted_farm() as (server, farm):
        server.always(POLL_DECISION, served.poll)
        worker = worker_of(farm)

        @worker.decider(Season)
        async def decide(decision: Decision) -> None:
            async for _ in decision.events:
                pass

        async with worker:
            await server.received(DECIDED)
    assert worker.counts == {"decisions dropped": 1, "decisions completed": 1}
    ((level, text),) = told(caplog)
    assert level == "WARNING"
    assert "exceeded its maximum lifetime" in text


@virtual
async def test_page_token_that_expired_is_raised_to_who_reads_by_hand() -> None:
    """Experiment 32, without a worker."""
    async with scripted_farm() as (server, farm):
        server.answer(POLL_DECISION, task(descending(30, 11), "token"), TOO_LATE)
        decision = await farm.poll_decision(Season)
        with pytest.raises(ValidationFailed, match="maximum lifetime"):
            await decision.most_recent("WorkflowExecutionStarted")
        assert not decision.answered


# -- experiment 33 --


@virtual
async def test_empty_page_with_a_token_is_not_the_end() -> None:
    """Experiment 33: reading goes on at the token."""
    pages = [task([], "1"), task([], "2"), task(descending(30, 1))]
    async with scripted_farm() as (server, farm):
        server.answer(POLL_DECISION, *pages)
        decision = await farm.poll_decision(Season)
        assert [event.id async for event in decision.events] == descending(30, 1)
        assert server.count(POLL_DECISION) == 3


@virtual
async def test_token_that_repeats_ends_with_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 33: no endless loop, neither by hand nor in a worker."""
    parted, whole = task(descending(30, 11), "a"), task(descending(30, 1))
    served = Served(parted, parted, whole, a=task([], "b"), b=task([], "a"))
    async with scripted_farm() as (server, farm):
        server.always(POLL_DECISION, served.poll)
        decision = await farm.poll_decision(Season)
        with pytest.raises(BrokenHistory):
            await decision.most_recent("WorkflowExecutionStarted")
        assert server.count(POLL_DECISION) == 3
        worker = worker_of(farm)

        @worker.decider(Season)
        async def decide(decision: Decision) -> None:
            await decision.most_recent("WorkflowExecutionStarted")

        async with worker:
            await server.received(DECIDED)
    assert worker.counts == {"decisions dropped": 1, "decisions completed": 1}
    assert [level for level, _ in told(caplog)] == ["WARNING"]
