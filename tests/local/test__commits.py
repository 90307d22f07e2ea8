"""What happens is stored, a turn of the loop at a time, before anybody is told."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowser.local._commits import Commits
from flowser.local.engine.facts import DomainRegistered
from flowser.local.engine.faults import Fault
from flowser.local.storage import Store
from tests.local.served import Watched, allow_writing

_FACT = DomainRegistered(region="r", domain="d", at=1, retention="1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Watched]:
    with contextlib.closing(Watched(tmp_path / "swf.db")) as store:
        yield store


@pytest.fixture
def told() -> list[bool]:
    """What was told."""
    return []


def _never() -> None:
    raise AssertionError("there is nothing to undo")


async def test_memory_tells_at_once(told: list[bool]) -> None:
    with contextlib.closing(Store()) as store:
        commits = Commits(store, _never)
        commits.take([_FACT], [told.append])
        assert told == [True]
        await commits.finish()


async def test_nobody_is_told_before_the_commit_that_all_share(
    store: Watched, told: list[bool]
) -> None:
    commits = Commits(store, _never)
    for _ in range(3):
        commits.take([_FACT], [told.append])
    assert (told, store.commits) == ([], 0)
    await asyncio.gather(commits.finish(), commits.finish())
    assert (told, store.commits) == ([True] * 3, 1)


async def test_there_is_nothing_to_wait_for_when_nothing_happened(
    store: Watched,
) -> None:
    commits = Commits(store, _never)
    commits.take([], [])
    await commits.finish()
    assert store.commits == 0


async def test_whoever_gives_up_waiting_disturbs_nobody(
    store: Watched, told: list[bool]
) -> None:
    commits = Commits(store, _never)

    async def call() -> None:
        commits.take([_FACT], [told.append])
        await commits.finish()

    async with asyncio.TaskGroup() as group:
        gone, _ = (group.create_task(call()) for _ in "12")
        await asyncio.sleep(0)
        gone.cancel()
    assert (gone.cancelled(), told) == (True, [True, True])


async def test_failure_is_undone_once_and_then_told(
    store: Watched, told: list[bool]
) -> None:
    undone: list[int] = []
    commits = Commits(store, lambda: undone.append(len(told)))
    allow_writing(store, yes=False)
    for _ in range(2):
        commits.take([_FACT], [told.append])
    with pytest.raises(Fault, match="InternalFailure"):
        await commits.finish()
    assert (undone, told) == ([0], [False, False])
    assert commits.failing


async def test_it_is_possible_again_when_a_trial_succeeds(store: Watched) -> None:
    commits = Commits(store, lambda: None)
    assert commits.possible()
    allow_writing(store, yes=False)
    commits.take([_FACT], [])
    with pytest.raises(Fault):
        await commits.finish()
    assert not commits.possible()
    allow_writing(store, yes=True)
    assert commits.possible()
    assert not commits.failing
    assert list(store.facts()) == []
