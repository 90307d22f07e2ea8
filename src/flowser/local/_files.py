"""The file of a store: made, opened and locked; or refused, and left as it was.

Strategy: what can be seen without SQLite is looked at first, for SQLite changes files
that it opens: it takes over what stands in a journal beside them. The lock is
SQLite's own, held as long as the connection; it ends with the process, however that
ends.

Source:
    reliability.md section 4, experiments 44 to 48; section 5.
"""

import contextlib
import errno
import os
import sqlite3
import stat
import struct
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from flowser.exceptions import ConfigurationError
from flowser.local import _rows, _sql

#: What SQLite may leave beside a file after a kill: what is not in the file yet.
_JOURNALS = ("-wal", "-journal")

_OTHER = "name another file"

#: A file is looked through before it is served, if that takes a moment: so many
#: bytes take a quarter of a second. Of a greater one, only what is read is verified.
_LOOKED_THROUGH = 16 << 20

_PRAGMAS = (
    # No second server, and no shared memory that a full disk would take away.
    "PRAGMA locking_mode = EXCLUSIVE",
    # Committed means: survives a power cut, not only a kill (experiment 47).
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA cell_size_check = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = OFF",
    "PRAGMA cache_size = -16384",  # KiB
)


class StoreError(ConfigurationError):
    """A file that cannot be opened as a store.

    Attributes:
        path: The file.
        problem: What is wrong with it.
        remedy: What to do.
    """

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)
        self.path = path
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.path} {self.problem}: {self.remedy}"


class DamagedStore(StoreError):
    """A file that is not what was written."""

    def __init__(self, path: Path, what: str) -> None:
        remedy = "put a copy of it back, or move it away to begin anew"
        super().__init__(path, f"is damaged ({what})", remedy)


class _Identity(NamedTuple):
    device: int
    inode: int


# Whoever opens and closes a file drops all locks that his process has on it (a rule
# of POSIX), so a file that a store of this process has open is not even looked into.
_held: set[_Identity] = set()


class Connection(sqlite3.Connection):
    """A connection that ends its file's lock, and leaves a damaged file alone.

    Attributes:
        damaged: Whether to leave the file, and the journal beside it, as they are.
    """

    damaged = False
    identity: _Identity | None = None

    def begin(self) -> None:
        """Begin a transaction, unless one is under way."""
        if not self.in_transaction:
            self.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Write the journal into the file, unless it is damaged, and close it."""
        if self.damaged:
            with contextlib.suppress(sqlite3.ProgrammingError):  # closed already
                # So SQLite gives up what it would do on closing.
                self.interrupt()
        super().close()
        if self.identity is not None:
            _held.discard(self.identity)
            self.identity = None


def in_memory() -> Connection:
    """Open a store that ends with its connection."""
    made = sqlite3.connect(":memory:", isolation_level=None, factory=Connection)
    made.execute("PRAGMA journal_mode = OFF")  # nothing is ever rolled back
    made.execute("PRAGMA secure_delete = OFF")
    for statement in _sql.SCHEMA:
        made.execute(statement)
    _rows.begin(made)
    return made


def connect(path: Path) -> Connection:
    """Open the file of a store, and make it if there is none.

    Args:
        path: The file.

    Raises:
        StoreError: When it is not to be opened; it is left as it was.
    """
    _refuse_strangers(path)
    try:
        if not path.exists():
            _make(path)
        found = path.stat()
        identity = _Identity(found.st_dev, found.st_ino)
        if identity in _held:
            raise _in_use(path)
        _check_header(path)
    except OSError as error:
        raise unreadable(path, error) from error
    made = _locked(path)
    made.identity = identity
    _held.add(identity)
    return made


def _refuse_strangers(path: Path) -> None:
    """Refuse links, folders and devices; a link may point where others write."""
    if not path.parent.is_dir():
        raise StoreError(path, "is in a folder that does not exist", "make the folder")
    missing = not os.path.lexists(path)
    for suffix in ("", *_JOURNALS):
        each = path.with_name(path.name + suffix)
        if not os.path.lexists(each):
            continue
        if not stat.S_ISREG(each.lstat().st_mode):
            raise StoreError(each, "is a link, a folder or a device", _OTHER)
        if missing:
            # SQLite would take it for the journal of the new file.
            remedy = f"put {path.name} back, or move this away too to begin anew"
            raise StoreError(each, f"is there, and {path.name} is not", remedy)


def _make(path: Path) -> None:
    """Make a file that is whole from the moment that it has its name."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)  # of a file that only we may read (mkstemp)
    try:
        _fill(name)
        try:
            # Unlike a move, a link never takes the place of another server's file.
            os.link(name, path)
        except FileExistsError:
            return
        except OSError:  # a file system without links
            path.touch(0o600, exist_ok=False)
            Path(name).replace(path)
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
    finally:
        Path(name).unlink(missing_ok=True)
    _sync_folder(path.parent)


def _fill(name: str) -> None:
    made = sqlite3.connect(name, isolation_level=None)
    with contextlib.closing(made):
        for pragma in _PRAGMAS:
            made.execute(pragma)
        made.execute(f"PRAGMA application_id = {_sql.APPLICATION}")
        made.execute(f"PRAGMA user_version = {_sql.VERSION}")
        made.execute("BEGIN")
        for statement in _sql.SCHEMA:
            made.execute(statement)
        _rows.begin(made)
        made.execute("COMMIT")
        made.execute("PRAGMA journal_mode = WAL")


def _sync_folder(folder: Path) -> None:
    if sys.platform != "win32":  # which knows nothing like it
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# Of SQLite's header, which is big-endian: its magic, the size of a page, the change
# counter, the number of pages, the format, the owner, and the counter at which the
# number of pages was written.
_HEADER = struct.Struct(">16s H 6x I I 28x I 4x I 20x I 4x")


def _check_header(path: Path) -> None:
    """Refuse what is no store of this format, without leaving a trace."""
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
    if not head:
        remedy = "put a copy of it back, or remove it to begin anew"
        raise StoreError(path, "is empty, which no store ever is", remedy)
    if len(head) < _HEADER.size or not head.startswith(b"SQLite format 3\0"):
        raise StoreError(path, "is no SQLite database", _OTHER)
    _, page, changes, pages, version, owner, counted = _HEADER.unpack(head)
    if owner != _sql.APPLICATION:
        raise StoreError(path, "is the database of another program", _OTHER)
    if version != _sql.VERSION:
        problem = f"has format {version}, and this flowser knows {_sql.VERSION}"
        raise StoreError(path, problem, "use the flowser that wrote it, or a newer one")
    # While a journal is beside it, the file may be about to grow.
    if changes == counted and not path.with_name(path.name + "-wal").exists():
        size = pages * (page if page > 1 else 0x10000)
        if path.stat().st_size < size:
            raise DamagedStore(path, f"it says that it has {size} bytes or more")


def _locked(path: Path) -> Connection:
    """Open it for good, or close it without a change."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    try:
        made = sqlite3.connect(
            uri, uri=True, timeout=0, isolation_level=None, factory=Connection
        )
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    made.damaged = True  # until the opposite is known
    try:
        for pragma in _PRAGMAS:
            made.execute(pragma)
        made.execute("BEGIN IMMEDIATE")
        _check_tables(path, made)
        _check_pages(path, made)
        made.execute("ROLLBACK")
    except sqlite3.Error as error:
        made.close()
        raise _explained(path, error) from error
    except BaseException:
        made.close()
        raise
    made.damaged = False
    return made


def _check_tables(path: Path, db: sqlite3.Connection) -> None:
    texts = tuple(text for (text,) in db.execute(_sql.READ_SCHEMA))
    if texts != _sql.SCHEMA:
        raise DamagedStore(path, "its tables are not those of a store")


def _check_pages(path: Path, db: sqlite3.Connection) -> None:
    [(pages,)] = db.execute("PRAGMA page_count")
    [(page,)] = db.execute("PRAGMA page_size")
    if pages * page <= _LOOKED_THROUGH:
        [(found,)] = db.execute("PRAGMA integrity_check(1)")
        if found != "ok":
            raise DamagedStore(path, str(found).splitlines()[-1])


def unreadable(path: Path, error: Exception) -> StoreError:
    """Say that a file cannot be read, or made, for a reason of the system's."""
    reason = getattr(error, "strerror", None) or error
    return StoreError(path, f"cannot be opened ({reason})", _OTHER)


def _in_use(path: Path) -> StoreError:
    remedy = f"end that server, or {_OTHER}"
    return StoreError(path, "is in use by another server", remedy)


#: The errors of SQLite that are about what stands in a file.
DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def code(error: sqlite3.Error) -> int:
    """Give SQLite's primary code for an error, and 0 when it is not SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def failure(path: Path, error: sqlite3.Error) -> OSError:
    """Say what SQLite could not do, as the system would."""
    full = code(error) == sqlite3.SQLITE_FULL
    return OSError(errno.ENOSPC if full else errno.EIO, str(error), str(path))


def _explained(path: Path, error: sqlite3.Error) -> StoreError:
    if code(error) == sqlite3.SQLITE_BUSY:
        return _in_use(path)
    if code(error) in DAMAGE:
        return DamagedStore(path, str(error))
    return unreadable(path, error)
