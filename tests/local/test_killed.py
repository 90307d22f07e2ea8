"""What a server acknowledged is there after kill -9, and nothing else is.

Source:
    reliability.md section 4, experiments 38 and 40.
"""

import asyncio
import copy
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.local.killing.journal import Event, Journal
from tests.local.killing.rounds import Rounds, commanded, forked

#: Kills of a test; and by the command line, where a start takes a second.
_KILLS, _COMMANDS = 30, 20


@pytest.fixture
def memory_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that is fast, where there is one: to a kill, it is as good as any."""
    fast = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
    there = fast.is_dir() and os.access(fast, os.W_OK)
    made = tempfile.TemporaryDirectory(dir=fast) if there else nullcontext(tmp_path)
    with made as folder:
        yield Path(folder)


def expect_all_kept(rounds: Rounds) -> None:
    assert rounds.problems == []
    assert rounds.farm.journal.checked > rounds.kills


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(5))
async def test_server_that_is_killed_keeps_what_it_acknowledged(
    seed: int, memory_disk: Path
) -> None:
    async with forked(memory_disk / "swf.db") as servers:
        rounds = Rounds(servers, seed)
        await rounds.run(_KILLS)
    expect_all_kept(rounds)


@pytest.mark.timeout(120)
async def test_server_on_a_true_disk_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    async with forked(tmp_path / "swf.db") as servers:
        rounds = Rounds(servers, 5)
        await rounds.run(_KILLS)
    expect_all_kept(rounds)


@pytest.mark.timeout(180)
async def test_server_by_the_command_line_keeps_what_it_acknowledged(
    memory_disk: Path,
) -> None:
    async with commanded(memory_disk / "swf.db") as servers:
        rounds = Rounds(servers, 6)
        await rounds.run(_COMMANDS)
    expect_all_kept(rounds)


# -- would it be noticed? ------------------------------------------------------------


@pytest.mark.parametrize("kind", ["forgetful", "late"])
async def test_server_that_loses_something_is_found_out(
    kind: str, memory_disk: Path
) -> None:
    async with forked(memory_disk / "swf.db", kind) as servers:
        rounds = Rounds(servers, 7)
        await rounds.run(_KILLS)
    assert any("lost" in problem for problem in rounds.problems)


def _of(events: list[Event], event_type: str) -> int:
    return next(i for i, e in enumerate(events) if e["eventType"] == event_type)


def _renumbered(events: list[Event]) -> list[Event]:
    return [{**event, "eventId": n} for n, event in enumerate(events, 1)]


def _forget_the_end(events: list[Event]) -> None:
    del events[-1]


def _forget_a_result(events: list[Event]) -> None:
    del events[_of(events, "ActivityTaskCompleted")]
    events[:] = _renumbered(events)


def _tell_of_another_result(events: list[Event]) -> None:
    found = events[_of(events, "ActivityTaskCompleted")]
    found["activityTaskCompletedEventAttributes"]["result"] = "c-0"


def _count_a_result_twice(events: list[Event]) -> None:
    at = _of(events, "ActivityTaskCompleted")
    events.insert(at, copy.deepcopy(events[at]))
    events[:] = _renumbered(events)


def _forget_half_a_batch(events: list[Event]) -> None:
    del events[_of(events, "ActivityTaskScheduled")]
    events[:] = _renumbered(events)


def _hand_out_another_event(events: list[Event]) -> None:
    first, second = (
        [e for e in events if e["eventType"] == "ActivityTaskStarted"][n]
        for n in (0, 1)
    )
    told = "activityTaskStartedEventAttributes"
    first[told], second[told] = second[told], first[told]


def _turn_time_back(events: list[Event]) -> None:
    events[-1]["eventTimestamp"] = 0


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (_forget_the_end, "lost"),
        (_forget_a_result, "lost"),
        (_tell_of_another_result, "invented"),
        (_count_a_result_twice, "twice"),
        (_forget_half_a_batch, "not whole"),
        (_hand_out_another_event, "handed out as another event"),
        (_turn_time_back, "not a history"),
    ],
)
def test_history_that_is_not_the_one_acknowledged_is_found_out(
    harm: Callable[[list[Event]], None], word: str, lived: Journal
) -> None:
    journal = copy.deepcopy(lived)
    run, events = max(journal._histories.items(), key=_variety)
    journal.check(run, events)
    assert journal.problems == []
    harmed = copy.deepcopy(events)
    harm(harmed)
    journal.check(run, harmed)
    assert any(word in problem for problem in journal.problems)


def _variety(item: tuple[str, list[Event]]) -> int:
    return len({event["eventType"] for event in item[1]})


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    """What callers noted in a short life."""

    async def live() -> Journal:
        path = tmp_path_factory.mktemp("lived") / "swf.db"
        async with forked(path) as servers:
            rounds = Rounds(servers, 8)
            await rounds.run(8)
        return rounds.farm.journal

    return asyncio.run(live())
