"""Keeps the facts: in memory, or in a file that outlives the server.

What was committed to a file is there after a kill -9 and after a power cut; what was
not, is gone as a whole. One server to a file, and one thread to a store.

Strategy: facts wait in a list until something is asked or they are to be committed,
and are then written in bulk. SQLite finds runs, in memory too.

Source:
    DESIGN section 5; swf-semantics.md section 7; reliability.md section 4.
"""

import contextlib
import copy
import errno
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from flowser.local import _files, _rows, _sql
from flowser.local._files import StoreError
from flowser.local._histories import FileHistories, Histories, MemoryHistories
from flowser.local._registry import Registry
from flowser.local._rows import Damaged
from flowser.local._runs import Runs
from flowser.local.engine.archive import Place, Query
from flowser.local.engine.facts import (
    Fact,
    Happened,
    Heartbeat,
    RunClosed,
    RunOpened,
    RunRemoved,
    Summary,
)

__all__ = ["Store", "StoreError"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: How many facts wait, at most, in a store that is never committed.
_WAITING = 256


class Store:
    """Keeps facts, and answers from them; an :class:`~.archive.Archive`.

    ::

        store = Store(Path("swf.db"))
        for fact in store.facts():
            engine.fold(fact)
        engine.resume(max(now, store.last_at), store.last_run)
        ...
        store.append(engine.take_facts())
        store.commit()

    When :meth:`commit` fails, everything since the last one is lost: an engine that
    knows of it has to be made anew, from :meth:`facts`. An OSError of any other method
    means no more than that it cannot answer; when something is lost by that, the next
    :meth:`commit` says so.

    Attributes:
        durable: Whether there is a file, and so a reason to commit.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open a file, made if there is none; or begin with nothing, in memory.

        Args:
            path: The file; None for memory.

        Raises:
            StoreError: When the file is not to be opened; it is left as it was.
        """
        self.durable: Final = path is not None
        self._path = path or Path(":memory:")
        self._waiting: list[Fact] = []
        # What the next commit has to report; and what answers questions of an engine
        # that knows more than can be kept.
        self._lost: OSError | None = None
        self._stale: OSError | None = None
        self._db = _files.connect(path) if path else _files.in_memory()
        try:
            with self._opening():
                self._read()
        except BaseException:
            self._db.close()
            raise

    def _read(self) -> None:
        """Read what is known of the whole; how much that is does not grow."""
        row = self._db.execute(_sql.READ_LEDGER).fetchone()
        self._ledger = _rows.LEDGER.read(*(row or (None, None)))
        self._committed = copy.copy(self._ledger)
        self._registry = Registry(self._db)
        self._runs = Runs(self._db)
        self._histories: Histories = (
            FileHistories(self._db) if self.durable else MemoryHistories()
        )
        self._expiry = self._runs.next_expiry()
        self._expiry_is_known = True

    @property
    def key(self) -> bytes:
        """32 random bytes, as long-lived as the facts."""
        return self._ledger.key

    @property
    def last_run(self) -> int:
        """The highest number that a run ever had."""
        self._flush_or_lose()
        return self._ledger.last_run

    @property
    def last_at(self) -> int:
        """The time of the last fact, in milliseconds since 1970; 0 if there is none."""
        self._flush_or_lose()
        return self._ledger.last_at

    # -- keeping ------------------------------------------------------------------

    def facts(self) -> Iterator[Fact]:
        """Give the facts whose fold is what is open, in order.

        Closed runs are not even looked at.

        Raises:
            StoreError: When they are not all there as they were written.
        """
        self._flush_or_lose()
        if self._stale is not None:
            self._waiting.clear()
            self._stale = None
        with self._opening():
            yield from self._registry.facts()
            runs = events = 0
            for opened in self._runs.opened():
                runs += 1
                yield opened
            for told in self._histories.told():
                events += type(told) is Happened
                yield told
            if (runs, events) != (self._ledger.open_runs, self._ledger.open_events):
                raise Damaged("open runs or events are missing")

    def append(self, taken: Sequence[Fact]) -> None:
        """Take over what happened; it is answered from at once, and not yet on disk."""
        for fact in taken:
            # isinstance() takes four times as long, for every fact there is.
            if type(fact) is RunClosed:
                if self._expiry is None or fact.expires_at < self._expiry:
                    self._expiry = fact.expires_at
            elif type(fact) is RunRemoved:
                self._expiry_is_known = False
        self._waiting += taken
        if not self.durable and len(self._waiting) >= _WAITING:
            self._flush()

    def commit(self) -> None:
        """Write what was appended; it is on disk when this returns.

        Raises:
            OSError: When it could not be written. Then all since the last commit is
                lost, as if it had never been appended.
        """
        if not self.durable:
            return
        try:
            if self._lost is not None:
                raise self._lost
            self._flush()
            with self._translating():
                if self._db.in_transaction:
                    self._db.execute("COMMIT")
        except OSError as error:
            self._lose(error)
            self._waiting.clear()
            self._lost = self._stale = None
            raise
        self._committed = copy.copy(self._ledger)

    def probe(self) -> None:
        """Write something, as much as a few calls do, to see whether that is possible.

        Nothing less tells: SQLite asks the disk for room only when it commits.

        Raises:
            OSError: While nothing can be written.
        """
        if self.durable:
            self.commit()
            with self._translating():
                self._db.execute(_sql.PROBE)

    def close(self) -> None:
        """Close it; what was not committed is gone. A second time does nothing."""
        self._db.close()

    # -- answering ----------------------------------------------------------------

    def find(
        self, region: str, domain: str, workflow_id: str, run_id: str
    ) -> Summary | None:
        """Look up a closed run by its ids."""
        return self._ask(self._runs.find, region, domain, workflow_id, run_id)

    def closed(self, run: int) -> Summary | None:
        """Look up a closed run by its number."""
        return self._ask(self._runs.closed, run)

    def events(self, run: int, first: int, last: int) -> list[bytes]:
        """Give the events of a run from *first* to *last*, both inclusive."""
        return self._ask(self._histories.events, run, first, last)

    def places(
        self, query: Query, *, after: Place | None, limit: int, ascending: bool
    ) -> list[Place]:
        """List runs, beyond the place *after*, at most *limit*."""
        return self._ask(self._runs.places, query, after, limit, ascending=ascending)

    def count(self, query: Query, most: int) -> int:
        """Count runs; at most *most* + 1."""
        return self._ask(self._runs.count, query, most)

    def expired(self, now: int, limit: int) -> list[int]:
        """Number the closed runs whose retention is over at *now*, earliest first."""
        return self._ask(self._runs.expired, now, limit)

    def next_expiry(self) -> int | None:
        """Tell when the next retention is over; asked before every call, and cheap."""
        if not self._expiry_is_known:
            self._expiry = self._ask(self._runs.next_expiry)
            self._expiry_is_known = True
        return self._expiry

    def _ask(
        self, question: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        self._flush()
        with self._translating():
            return question(*args, **kwargs)

    # -- writing ------------------------------------------------------------------

    def _flush(self) -> None:
        """Write what waits into the transaction that the next commit ends.

        Raises:
            OSError: When that cannot be done, or could not since the last commit.
        """
        if self._stale is not None:
            raise self._stale
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        try:
            with self._translating():
                self._db.begin()
                self._write(waiting)
        except BaseException as error:
            self._lose(error)
            raise

    def _flush_or_lose(self) -> None:
        with contextlib.suppress(OSError):  # the next commit tells of it
            self._flush()

    def _write(self, waiting: list[Any]) -> None:
        sorts: defaultdict[str, list[Any]] = defaultdict(list)
        for fact in waiting:
            sorts[_SORTS.get(type(fact), "registry")].append(fact)
        closed = [fact.run for fact in sorts["closed"]]
        removed = [fact.run for fact in sorts["removed"]]
        self._registry.write(sorts["registry"])
        self._runs.open(sorts["opened"])
        self._histories.write(sorts["told"])
        self._runs.close(sorts["closed"])
        self._histories.close(closed)
        self._runs.remove(removed)
        self._histories.remove(removed)
        self._count(sorts)
        self._ledger.last_at = max(self._ledger.last_at, waiting[-1].at)
        _rows.write_ledger(self._db, self._ledger)

    def _count(self, sorts: dict[str, list[Any]]) -> None:
        ledger, opened, closed = self._ledger, sorts["opened"], sorts["closed"]
        ledger.open_runs += len(opened) - len(closed)
        ledger.open_events += sum(type(f) is Happened for f in sorts["told"])
        ledger.open_events -= sum(fact.summary.last_event_id for fact in closed)
        if opened:
            ledger.last_run = max(ledger.last_run, opened[-1].run)

    def _lose(self, error: BaseException) -> None:
        """Go back to the last commit."""
        if not isinstance(error, OSError):
            error = OSError(errno.EIO, repr(error))
        self._lost = self._stale = error
        if self.durable and self._db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
        self._ledger = copy.copy(self._committed)
        self._expiry_is_known = False

    # -- what may go wrong --------------------------------------------------------

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        """Raise OSError for what SQLite cannot do; leave a damaged file alone."""
        try:
            yield
        except Damaged:
            self._db.damaged = True
            raise
        except sqlite3.ProgrammingError:  # asked of a store that is closed
            raise
        except sqlite3.Error as error:
            self._db.damaged |= _files.code(error) in _files.DAMAGE
            raise _files.failure(self._path, error) from error

    @contextlib.contextmanager
    def _opening(self) -> Iterator[None]:
        """Raise StoreError for whatever keeps a store from being opened."""
        try:
            with self._translating():
                yield
        except OSError as error:
            if self._db.damaged:
                what = error.strerror or str(error)
                raise _files.DamagedStore(self._path, what) from error
            raise _files.unreadable(self._path, error) from error


_SORTS: dict[type[Fact], str] = {
    Happened: "told",
    Heartbeat: "told",
    RunOpened: "opened",
    RunClosed: "closed",
    RunRemoved: "removed",
}
