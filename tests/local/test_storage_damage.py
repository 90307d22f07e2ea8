"""Files that are not what was written: refused, or answered from as if they were."""

import contextlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flowser import decisions as d
from flowser import requests
from flowser.local.checking import check
from flowser.local.storage import Store, StoreError
from tests.local.engine.rig import Rig, schedule
from tests.local.shop import Shop
from tests.local.stored import refused, spoil, stored, traces


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a store in which much happened."""
    return stored(tmp_path, Shop(3).live(300))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """The file of a store with a closed run, and an open one with a heartbeat."""
    rig = Rig()
    rig.start("o-1")
    rig.decide(rig.poll(), d.CompleteWorkflowExecution())
    rig.start("o-2")
    rig.decide(rig.poll(), schedule())
    token = rig.poll_activity()["taskToken"]
    rig.send(requests.RecordActivityTaskHeartbeat(task_token=token, details="here"))
    return stored(tmp_path, rig)


@pytest.mark.parametrize("kept", [50, 512, 4_096, 10_000, -4_096, -1])
def test_truncated_file_is_refused(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    problem = refused(path).problem
    assert "is damaged" in problem or problem == "is no SQLite database"


def _answers(store: Store) -> list[object]:
    found: list[object] = [store.key, [*store.facts()]]
    for run in range(1, store.last_run + 1):
        summary = store.closed(run)
        last = summary.last_event_id if summary else 0
        found += [summary, last and store.events(run, 1, last)]
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda block: bytes(byte ^ 0xFF for byte in block),
        lambda block: bytes(len(block)),
        lambda block: block[:500] + bytes([block[500] ^ 1]) + block[501:],
    ],
    ids=["flipped", "zeroed", "one bit"],
)
def test_file_with_a_spoiled_kilobyte_is_refused_or_answers_as_before(
    path: Path, change: Callable[[bytes], bytes]
) -> None:
    whole = path.read_bytes()
    with closing(Store(path)) as store:
        right = _answers(store)
    refusals = 0
    for place in range(0, len(whole), 1_024):
        after = place + 1_024
        path.write_bytes(whole[:place] + change(whole[place:after]) + whole[after:])
        before = traces(path.parent)
        try:
            with closing(Store(path)) as store:
                assert _answers(store) == right
        except (StoreError, OSError):
            refusals += 1
            assert traces(path.parent) == before
    assert refusals


# What was written, and in another place.
_ELSEWHERE = """UPDATE events SET (data, crc) =
    (SELECT data, crc FROM events WHERE run = 1 AND id = 3)
    WHERE run = 2 AND id = 3"""


def _flip(table: str, where: str = "true") -> str:
    flipped = "CAST(replace(CAST(data AS TEXT), 'e', 'a') AS BLOB)"
    return f"UPDATE {table} SET data = {flipped} WHERE {where}"  # noqa: S608 - ours


@pytest.mark.parametrize(
    "change",
    [
        _flip("ledger"),
        "DELETE FROM ledger",
        _flip("registry", "id = 2"),
        _flip("runs", "number = 2"),
        "UPDATE runs SET data = (SELECT data FROM runs WHERE number = 1)",
        "DELETE FROM runs WHERE number = 2",
        _flip("beats"),
        _flip("events", "run = 2 AND id = 6"),
        "UPDATE events SET data = 'text' WHERE run = 2 AND id = 6",
        "UPDATE events SET crc = NULL WHERE run = 2 AND id = 6",
        "UPDATE events SET id = id + 1 WHERE run = 2 AND id = 6",
        "DELETE FROM events WHERE run = 2 AND id = 6",
        "DELETE FROM events WHERE run = 2 AND id = 3",
        "DELETE FROM events WHERE run = 2",
        "UPDATE events SET seq = seq + 100 WHERE run = 2 AND id = 3",
        _ELSEWHERE,
    ],
)
def test_open_run_that_is_not_as_it_was_written_keeps_the_server_down(
    two: Path, change: str
) -> None:
    spoil(two, change)
    before = traces(two.parent)
    with (
        pytest.raises(StoreError, match="is damaged") as caught,
        contextlib.ExitStack() as stack,
    ):
        store = Store(two)
        stack.callback(store.close)
        list(store.facts())
    assert caught.value.path == two
    assert traces(two.parent) == before
    assert check(two)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            _flip("events", "run = 1 AND id = 2"),
            "event 2 of run 1 is not what was written",
        ),
        ("DELETE FROM events WHERE run = 1 AND id = 2", "the history of run 1"),
        ("DELETE FROM events WHERE run = 1 AND id = 5", "the history of run 1"),
        (_flip("runs", "number = 1"), "the summary of run 1"),
    ],
)
def test_closed_run_that_is_not_as_it_was_written_is_never_told_of(
    two: Path, change: str, sentence: str
) -> None:
    spoil(two, change)
    with closing(Store(two)) as store:
        list(store.facts())
        with pytest.raises(OSError, match=sentence):
            summary = store.closed(1)
            assert summary is None or store.events(1, 1, summary.last_event_id)
        store.probe()  # what is open goes on
        before = traces(two.parent)
    assert traces(two.parent) == before, "nothing more is written into it"
    assert sentence in check(two)[0]


def test_check_finds_nothing_in_a_whole_file_and_does_not_change_it(
    path: Path,
) -> None:
    before = traces(path.parent)
    assert check(path) == []
    assert traces(path.parent) == before


def test_check_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        check(tmp_path / "swf.db")
    assert not traces(tmp_path)
