"""Files that are opened as stores, and files that are refused and left as they were."""

import contextlib
import os
import sqlite3
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flowser.exceptions import ConfigurationError
from flowser.local import _sql
from flowser.local.checking import check
from flowser.local.storage import Store, StoreError
from tests.local.engine.rig import Rig
from tests.local.shop import Shop
from tests.local.stored import refused, spoil, stored, traces
from tests.support.processes import child_environment

# Opens the store that it is told, says so, and holds it until its input ends.
_HOLDER = """
import sys
from pathlib import Path
from flowser.local.storage import Store, StoreError
try:
    store = Store(Path(sys.argv[1]))
except StoreError as error:
    print(error.problem, flush=True)
else:
    print("open", flush=True)
    sys.stdin.read()
    store.close()
"""


@contextlib.contextmanager
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run another process that tries to open a store."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=child_environment(),
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def said(child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a store in which something happened."""
    return stored(tmp_path, Shop(3).live(300))


# -- what is opened ------------------------------------------------------------------


def test_new_file_is_for_its_owner_alone_and_so_is_its_journal(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = Store(tmp_path / "swf.db")
    finally:
        os.umask(old)
    store.append(Rig().facts)
    store.commit()
    modes = {
        each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()
    }
    assert modes == {"swf.db": 0o600, "swf.db-wal": 0o600}
    store.close()


def test_closed_store_is_one_file(path: Path) -> None:
    assert [*traces(path.parent)] == ["swf.db"]


@pytest.mark.parametrize("name", ["a b.db", "ä?#%41.db", "no suffix", ":memory:"])
def test_any_name_of_a_file_will_do(tmp_path: Path, name: str) -> None:
    for _ in range(2):
        Store(tmp_path / name).close()
    assert [*traces(tmp_path)] == [name]


def test_relative_path_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Store(Path("swf.db")).close()
    assert [*traces(tmp_path)] == ["swf.db"]


def test_commits_survive_a_power_cut(path: Path) -> None:
    with closing(Store(path)) as store:
        for pragma, value in (
            ("journal_mode", "wal"),
            ("synchronous", 2),  # FULL: the journal is synced at each commit
            ("fullfsync", 1),
        ):
            [(found,)] = store._db.execute(f"PRAGMA {pragma}")
            assert found == value, pragma


def test_file_names_its_owner_and_its_format(path: Path) -> None:
    head = path.read_bytes()[:100]
    assert head[68:72] == b"flow"
    assert struct.unpack(">I", head[60:64]) == (_sql.VERSION,)


def test_store_in_memory_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(Store()) as store:
        store.append(Shop(3).live(100).facts)
        store.commit()
        store.probe()
    assert not traces(tmp_path)


# -- what is refused -----------------------------------------------------------------


def test_error_names_the_file_the_problem_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "swf.db"
    path.write_bytes(b"")
    error = refused(path)
    assert isinstance(error, ConfigurationError)
    assert (error.path, error.problem) == (path, "is empty, which no store ever is")
    assert str(error) == f"{path} {error.problem}: {error.remedy}"
    assert "remove it to begin anew" in error.remedy


@pytest.mark.parametrize(
    "content", [b"x", b"hello\n" * 1_000, b"SQLite format 3\0", b"\0" * 5_000]
)
def test_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    assert refused(path).problem == "is no SQLite database"


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_database_of_another_program_is_refused(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA journal_mode = {mode}")
        other.execute("CREATE TABLE photos (name)")
        other.execute("INSERT INTO photos VALUES ('me')")
        other.commit()
    assert refused(path).problem == "is the database of another program"


@pytest.mark.parametrize("version", [0, _sql.VERSION + 1, 2**31 - 1])
def test_unknown_format_is_refused_by_both_numbers(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {version}")
    error = refused(path)
    known = f"this flowser knows {_sql.VERSION}"
    assert error.problem == f"has format {version}, and {known}"


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE beats",
        "DROP INDEX runs_expiry",
        "ALTER TABLE tags ADD COLUMN more",
        "CREATE TABLE more (x)",
        "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM runs; END",
    ],
)
def test_other_tables_are_refused(path: Path, change: str) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(change)
    assert "its tables are not those of a store" in refused(path).problem


@pytest.mark.parametrize("suffix", ["", "-wal", "-journal"])
@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "fifo"])
def test_what_is_no_plain_file_is_refused(
    path: Path, tmp_path: Path, suffix: str, kind: str
) -> None:
    place = path.with_name(path.name + suffix)
    if not suffix:
        path.rename(tmp_path / "moved")
    if kind == "link":
        (tmp_path / "moved").touch()
        place.symlink_to(tmp_path / "moved")
    elif kind == "dangling":
        place.symlink_to(tmp_path / "nothing")
    elif kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert caught.value.path == place
    assert caught.value.problem == "is a link, a folder or a device"
    assert not (tmp_path / "nothing").exists()


def test_missing_folder_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="make the folder"):
        Store(tmp_path / "none" / "swf.db")
    assert not traces(tmp_path)


def test_journal_without_its_file_is_not_taken_into_a_new_one(path: Path) -> None:
    journal = path.with_name("swf.db-wal")
    path.rename(journal)
    error = refused(path)
    assert error.path == journal
    assert error.problem == "is there, and swf.db is not"


def test_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    # A name that is too long fails as a folder without permission does, for root too.
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path / ("x" * 300))
    assert not traces(tmp_path)


# -- two servers ---------------------------------------------------------------------


def test_second_process_is_refused_until_the_first_has_ended(path: Path) -> None:
    with holder(path) as first:
        assert said(first) == "open"
        assert refused(path).problem == "is in use by another server"
        first.kill()
        first.wait()
        Store(path).close()


def test_second_store_of_a_process_is_refused_and_the_first_keeps_its_lock(
    path: Path,
) -> None:
    with closing(Store(path)):
        with pytest.raises(StoreError, match="is in use by another server"):
            Store(path)
        with pytest.raises(StoreError, match="is in use by another server"):
            check(path)
        with holder(path) as second:
            assert said(second) == "is in use by another server"
    Store(path).close()


def test_store_that_could_not_be_opened_locks_nothing(path: Path) -> None:
    spoil(path, "DELETE FROM ledger")
    for _ in range(2):
        with pytest.raises(StoreError, match="is damaged"):
            Store(path)


def test_of_many_that_make_a_file_at_once_one_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "swf.db"
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(holder(path)) for _ in range(4)]
        answers = sorted(said(child) for child in children)
        assert answers == ["is in use by another server"] * 3 + ["open"]
    assert {each.name for each in tmp_path.iterdir()} <= {"swf.db", "swf.db-wal"}
    Store(path).close()
