"""Processes that are killed, and disks that are full: what was committed stays."""

import errno
import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flowser import requests
from flowser.local.engine import evolve, facts
from flowser.local.engine.archive import Query
from flowser.local.engine.quotas import Quotas
from flowser.local.engine.state import State
from flowser.local.storage import Store, StoreError
from tests.local.engine.rig import DOMAIN, REGION, START, Rig
from tests.local.shop import Shop, seen
from tests.support.processes import child_environment

_LIST = Query(REGION, DOMAIN, open=True, by_close=False, oldest=0, latest=None)

# -- kill -9 -------------------------------------------------------------------------

_SEED, _STEPS = 5, 1_500

# Commits what happens in a shop, batch by batch, and tells how many it has committed.
_WRITER = """
import sys
from pathlib import Path
from flowser.local.storage import Store
from tests.local.test_storage_faults import batches
store = Store(Path(sys.argv[1]))
for number, batch in enumerate(batches(), 1):
    if number > int(sys.argv[2]):
        store.append(batch)
        store.commit()
        print(number, flush=True)
"""


def batches() -> list[list[facts.Fact]]:
    """Group the facts of a shop into what is committed together."""
    taken = iter(Shop(_SEED).live(_STEPS).facts)
    sizes = itertools.cycle([1, 7, 2, 40, 1, 3])
    return [*iter(lambda: [*itertools.islice(taken, next(sizes))], [])]


def folded(taken: Any) -> dict[str, Any]:
    state = State(Quotas())
    for fact in taken:
        evolve.fold(state, fact)
    return seen(state)


def killed_after(path: Path, done: int, acknowledged: int) -> int:
    """Let a writer go on behind the batches that are done, and kill it.

    Returns:
        How many it has said to be committed; a later one may be as well.
    """
    command = [sys.executable, "-c", _WRITER, str(path), str(done)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=child_environment()
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            done = int(line)
            if done >= acknowledged:
                child.kill()
    assert child.returncode == -signal.SIGKILL
    return done


@pytest.mark.timeout(180)
def test_kill_loses_nothing_that_was_committed_and_leaves_no_half(
    tmp_path: Path,
) -> None:
    path, all_batches, done = tmp_path / "swf.db", batches(), 0
    assert len(all_batches) > 150
    for acknowledged in (1, 2, 30, 31, 75, 140):
        done = killed_after(path, done, acknowledged)
        with closing(Store(path)) as store:
            kept = folded(store.facts())
        possible = [
            folded(itertools.chain(*all_batches[:count])) for count in (done, done + 1)
        ]
        assert kept in possible
        done += possible.index(kept)


@pytest.mark.timeout(180)
def test_file_that_is_damaged_beside_its_journal_is_left_with_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "swf.db"
    journal = path.with_name("swf.db-wal")
    Store(path).close()
    killed_after(path, 0, 40)
    before = path.read_bytes()
    assert journal.stat().st_size > 100_000
    spoiled = bytes(len(before) - 4_096)
    path.write_bytes(before[:4_096] + spoiled)
    journaled = journal.read_bytes()
    with pytest.raises(StoreError, match="is damaged"):
        Store(path)
    assert path.read_bytes() == before[:4_096] + spoiled
    assert journal.read_bytes() == journaled
    assert len([*tmp_path.iterdir()]) == 2
    path.write_bytes(before)
    with closing(Store(path)) as store:
        assert len([*store.facts()]) > 10


# -- a full disk ---------------------------------------------------------------------

# Fills a disk of its own: files may grow no further than they are, and a little.
_FULL = """
import resource, sys
from pathlib import Path
from flowser.local.storage import Store
from tests.local.test_storage_faults import batches, folded

path, done, left = Path(sys.argv[1]), [], batches()
store = Store(path)
def commit(batch):
    store.append(batch)
    store.commit()
    done.extend(batch)
for _ in range(20):
    commit(left.pop(0))
journal = path.with_name(path.name + "-wal")
most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + 50_000, most))
try:
    while True:
        commit(left[0])
        left.pop(0)
except OSError as error:
    print("full:", error)
for _ in range(3):
    assert folded(store.facts()) == folded(done)
    for write in (store.probe, lambda: commit(left[0])):
        try:
            write()
        except OSError:
            pass
        else:
            raise AssertionError("there is no room")
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
store.probe()
for batch in left:
    commit(batch)
assert folded(store.facts()) == folded(done)
store.close()
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no limits on files")
def test_full_disk_loses_what_cannot_be_written_and_nothing_else(
    tmp_path: Path,
) -> None:
    path = tmp_path / "swf.db"
    command = [sys.executable, "-c", _FULL, str(path)]
    ended = subprocess.run(
        command, capture_output=True, text=True, env=child_environment(), check=False
    )
    assert ended.returncode == 0, ended.stderr
    first, last = ended.stdout.splitlines()
    assert first.startswith("full:")
    assert str(path) in first
    assert last == "done"
    with closing(Store(path)) as store:
        assert folded(store.facts()) == folded(Shop(_SEED).live(_STEPS).facts)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[tuple[Store, Rig]]:
    """A store that had room for the start of one run, and has none for any more."""
    rig = Rig()
    rig.start("o-0")
    with closing(Store(tmp_path / "swf.db")) as store:
        store.append(rig.facts)
        store.commit()
        limit(store, 0)
        yield store, rig


def limit(store: Store, pages: int) -> None:
    """Let a file have no more pages than it has; or, for more, give it room."""
    store._db.execute(f"PRAGMA max_page_count = {pages or 1}")


def many(rig: Rig) -> list[facts.Fact]:
    """Make more facts than there is room for."""
    before = len(rig.facts)
    for number in range(1, 200):
        rig.start(f"o-{number}", input="x" * 1_000)
    return rig.facts[before:]


def test_failed_commit_goes_back_to_the_last_one(full: tuple[Store, Rig]) -> None:
    store, rig = full
    kept = folded(rig.facts)
    store.append(many(rig))
    with pytest.raises(OSError, match="full") as caught:
        store.commit()
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename
    assert caught.value.__cause__ is not None
    assert folded(store.facts()) == kept
    assert (store.last_run, store.last_at) == (1, START)
    assert store.count(_LIST, 9) == 1
    store.commit()  # nothing is left of it
    assert store.count(_LIST, 9) == 1


def test_store_that_has_room_again_goes_on(full: tuple[Store, Rig]) -> None:
    store, rig = full
    taken = many(rig)
    store.append(taken)
    with pytest.raises(OSError, match="full"):
        store.commit()
    limit(store, 100_000)
    store.probe()
    store.append(taken)
    store.commit()
    assert folded(store.facts()) == seen(rig.engine.world.state)


def test_question_that_cannot_be_answered_leaves_it_to_the_commit_to_fail(
    full: tuple[Store, Rig],
) -> None:
    store, rig = full
    kept = folded(rig.facts)
    store.append(many(rig))
    for _ in range(2):
        with pytest.raises(OSError, match="full"):
            store.count(_LIST, 9)
    assert folded(store.facts()) == kept
    assert store.count(_LIST, 9) == 1, "asked by an engine that is made anew"
    with pytest.raises(OSError, match="full"):
        store.commit()
    store.commit()
    assert folded(store.facts()) == kept


def test_what_is_appended_after_a_loss_is_lost_with_it(
    full: tuple[Store, Rig],
) -> None:
    store, rig = full
    kept = folded(rig.facts)
    lost = many(rig)
    store.append(lost)
    with pytest.raises(OSError, match="full"):
        store.closed(1)
    limit(store, 100_000)
    store.append(lost[:2])
    with pytest.raises(OSError, match="full"):
        store.commit()
    assert folded(store.facts()) == kept


def test_expiry_of_a_run_that_closed_for_nothing_is_forgotten(
    full: tuple[Store, Rig],
) -> None:
    store, rig = full
    taken = many(rig)
    before = len(rig.facts)
    terminate = requests.TerminateWorkflowExecution(domain=DOMAIN, workflow_id="o-0")
    rig.send(terminate)
    store.append([*taken, *rig.facts[before:]])
    assert store.next_expiry() == rig.archive.next_expiry() is not None
    with pytest.raises(OSError, match="full"):
        store.commit()
    assert store.next_expiry() is None
    assert store.closed(1) is None


def test_probe_fails_while_the_disk_is_full_and_changes_nothing(
    full: tuple[Store, Rig],
) -> None:
    store, rig = full
    for _ in range(3):
        with pytest.raises(OSError, match="full"):
            store.probe()
    limit(store, 100_000)
    for _ in range(3):
        store.probe()
    [(pages,)] = store._db.execute("PRAGMA page_count")
    store.probe()
    assert store._db.execute("PRAGMA page_count").fetchone() == (pages,)
    assert folded(store.facts()) == folded(rig.facts)


def test_facts_that_cannot_be_written_are_lost_as_a_whole(tmp_path: Path) -> None:
    rig = Rig()
    rig.start("o-0")
    with closing(Store(tmp_path / "swf.db")) as store:
        store.append(rig.facts[:3])
        store.commit()
        store.append([*rig.facts[3:], *rig.facts[3:]])  # as no engine would
        with pytest.raises(OSError, match="UNIQUE"):
            store.commit()
        assert folded(store.facts()) == folded(rig.facts[:3])
