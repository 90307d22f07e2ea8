"""Which runs there are: their rows, and the answers from them.

Source:
    swf-semantics.md section 7.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

from flowser.local import _rows, _sql
from flowser.local.engine.archive import Place, Query
from flowser.local.engine.facts import RunClosed, RunOpened, Summary


class Runs:
    """All runs, by whatever they are looked for."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def open(self, opened: list[RunOpened]) -> None:
        """Add runs."""
        self._db.executemany(_sql.OPEN_RUN, [_opened_row(fact) for fact in opened])
        tags = [
            (fact.run, tag, fact.region, fact.domain, fact.at)
            for fact in opened
            for tag in fact.tags
        ]
        self._db.executemany(_sql.ADD_TAG, tags)

    def close(self, closed: list[RunClosed]) -> None:
        """Let runs be closed."""
        self._db.executemany(_sql.CLOSE_RUN, [_closed_row(fact) for fact in closed])
        tagged = [(fact.at, fact.run) for fact in closed if fact.summary.tags]
        self._db.executemany(_sql.CLOSE_TAGS, tagged)

    def remove(self, runs: list[int]) -> None:
        """Forget runs."""
        for statement in _sql.REMOVE_RUN:
            self._db.executemany(statement, [(run,) for run in runs])

    def opened(self) -> Iterator[RunOpened]:
        """Give the openings of the runs that are open, in order."""
        for number, data, crc in self._db.execute(_sql.READ_OPEN_RUNS):
            yield _rows.OPENED.read(data, crc, number)

    def find(
        self, region: str, domain: str, workflow_id: str, run_id: str
    ) -> Summary | None:
        """Look up a closed run by its ids."""
        wanted = (run_id, region, domain, workflow_id)
        return self._summary(_sql.FIND_CLOSED_RUN, wanted)

    def closed(self, run: int) -> Summary | None:
        """Look up a closed run by its number."""
        return self._summary(_sql.READ_CLOSED_RUN, (run,))

    def _summary(self, statement: str, wanted: tuple[Any, ...]) -> Summary | None:
        for number, data, crc in self._db.execute(statement, wanted):
            return _rows.SUMMARY.read(data, crc, number)
        return None

    def places(
        self, query: Query, after: Place | None, limit: int, *, ascending: bool
    ) -> list[Place]:
        """List runs, beyond the place *after*, at most *limit*."""
        statement, wanted = _sql.select(query, after, ascending=ascending)
        rows = self._db.execute(statement, (*wanted, limit))
        return [Place(*row) for row in rows]

    def count(self, query: Query, most: int) -> int:
        """Count runs; at most *most* + 1."""
        statement, wanted = _sql.select(query, None, ascending=True)
        # The statement is ours.
        counting = f"SELECT count(*) FROM ({statement})"  # noqa: S608
        [(found,)] = self._db.execute(counting, (*wanted, most + 1))
        return int(found)

    def expired(self, now: int, limit: int) -> list[int]:
        """Number the closed runs whose retention is over at *now*, earliest first."""
        rows = self._db.execute(_sql.READ_EXPIRED, (now, limit))
        return [number for (number,) in rows]

    def next_expiry(self) -> int | None:
        """Tell when the next retention is over."""
        for (at,) in self._db.execute(_sql.NEXT_EXPIRY):
            return int(at)
        return None


def _opened_row(fact: RunOpened) -> tuple[Any, ...]:
    data = _rows.encode(fact)
    ids = (fact.workflow_id, fact.run_id, fact.type_name, fact.type_version)
    crc = _rows.seal(data, fact.run)
    return (fact.run, fact.region, fact.domain, *ids, fact.at, data, crc)


def _closed_row(fact: RunClosed) -> tuple[Any, ...]:
    data = _rows.encode(fact.summary)
    status, crc = fact.summary.close_status, _rows.seal(data, fact.run)
    return (fact.at, status, fact.expires_at, data, crc, fact.run)
