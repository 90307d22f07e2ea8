"""Events and heartbeats of a store: in Python's memory, or in a file.

In memory an event is the very bytes that the engine holds, and costs a pointer.

Source:
    swf-semantics.md sections 2.4 and 5.1.
"""

import sqlite3
from array import array
from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias

from flowser import events as e
from flowser.local import _rows, _sql
from flowser.local._rows import Damaged
from flowser.local.engine.facts import Happened, Heartbeat

Told: TypeAlias = Happened | Heartbeat

# After these, the heartbeats of an activity task say nothing any more.
_ENDS: frozenset[type[e.Attributes]] = frozenset(
    {
        e.ActivityTaskCompleted,
        e.ActivityTaskFailed,
        e.ActivityTaskTimedOut,
        e.ActivityTaskCanceled,
    }
)


class Histories(Protocol):
    """Where the events of all runs are kept, and the heartbeats of open ones."""

    def write(self, told: list[Told]) -> None:
        """Take over what happened, in order."""
        ...

    def close(self, runs: list[int]) -> None:
        """Take note that runs closed."""
        ...

    def remove(self, runs: list[int]) -> None:
        """Forget closed runs."""
        ...

    def events(self, run: int, first: int, last: int) -> list[bytes]:
        """Give the events of a run from *first* to *last*, both inclusive.

        Raises:
            Damaged: When one is missing, or is not what was written.
        """
        ...

    def told(self) -> Iterator[Told]:
        """Give the events of open runs, and the heartbeats that count, in order.

        Raises:
            Damaged: When one is missing, or is not what was written.
        """
        ...


class MemoryHistories:
    """Histories that end with the process."""

    def __init__(self) -> None:
        self._events: dict[int, list[bytes]] = {}
        # Of open runs: the place of each event among all that happened.
        self._order: dict[int, array[int]] = {}
        self._beats: dict[int, dict[tuple[int, bool], tuple[int, Heartbeat]]] = {}
        self._seq = 0

    def write(self, told: list[Told]) -> None:
        """Take over what happened, in order."""
        for seq, fact in enumerate(told, self._seq + 1):
            if type(fact) is Happened:
                if fact.id == 1:
                    self._events[fact.run], self._order[fact.run] = [], array("q")
                self._events[fact.run].append(fact.data)
                self._order[fact.run].append(seq)
                if fact.run in self._beats and type(fact.attributes) in _ENDS:
                    self._forget(fact.run, _scheduled(fact))
            elif isinstance(fact, Heartbeat):
                beats = self._beats.setdefault(fact.run, {})
                beats[fact.scheduled_id, fact.details is not None] = seq, fact
        self._seq += len(told)

    def _forget(self, run: int, scheduled_id: int) -> None:
        for detailed in (False, True):
            self._beats[run].pop((scheduled_id, detailed), None)

    def close(self, runs: list[int]) -> None:
        """Take note that runs closed."""
        for run in runs:
            del self._order[run]
            self._beats.pop(run, None)

    def remove(self, runs: list[int]) -> None:
        """Forget closed runs."""
        for run in runs:
            del self._events[run]

    def events(self, run: int, first: int, last: int) -> list[bytes]:
        """Give the events of a run from *first* to *last*, both inclusive."""
        return self._events[run][first - 1 : last]

    def told(self) -> Iterator[Told]:
        """Give the events of open runs, and the heartbeats that count, in order."""
        beats = {
            seq: beat for each in self._beats.values() for seq, beat in each.values()
        }
        places = [(seq, 0, 0) for seq in beats]
        for run, order in self._order.items():
            places += [(seq, run, id) for id, seq in enumerate(order, 1)]
        for seq, run, id in sorted(places):
            beat = beats.get(seq)
            yield beat or _rows.happened(run, id, self._events[run][id - 1])


class FileHistories:
    """Histories in the tables of a file."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        [(self._seq,)] = db.execute(_sql.LAST_SEQ)

    def write(self, told: list[Told]) -> None:
        """Take over what happened, in order."""
        events: list[tuple[Any, ...]] = []
        beats: list[tuple[Any, ...]] = []
        ended: list[tuple[int, int]] = []
        for seq, fact in enumerate(told, self._seq + 1):
            if type(fact) is Happened:
                crc = _rows.seal(fact.data, fact.run, fact.id)
                events.append((seq, fact.run, fact.id, fact.data, crc))
                if type(fact.attributes) in _ENDS:
                    ended.append((fact.run, _scheduled(fact)))
            elif isinstance(fact, Heartbeat):
                beats.append(_beat_row(seq, fact))
        self._db.executemany(_sql.ADD_EVENT, events)
        self._db.executemany(_sql.ADD_BEAT, beats)
        self._db.executemany(_sql.REMOVE_BEAT, ended)
        self._seq += len(told)

    def close(self, runs: list[int]) -> None:
        """Take note that runs closed."""
        self._db.executemany(_sql.REMOVE_BEATS, [(run,) for run in runs])

    def remove(self, runs: list[int]) -> None:
        """Forget closed runs."""
        self._db.executemany(_sql.REMOVE_EVENTS, [(run,) for run in runs])

    def events(self, run: int, first: int, last: int) -> list[bytes]:
        """Give the events of a run from *first* to *last*, both inclusive."""
        rows = self._db.execute(_sql.READ_EVENTS, (run, first, last)).fetchall()
        found = [_event(run, *row) for row in rows]
        if [id for id, _, _ in rows] != [*range(first, last + 1)]:
            raise Damaged(f"the history of run {run} is not whole")
        return found

    def told(self) -> Iterator[Told]:
        """Give the events of open runs, and the heartbeats that count, in order."""
        counts: dict[int, int] = {}
        for _, run, id, data, crc in self._db.execute(_sql.READ_OPEN_EVENTS):
            if not id:
                yield _rows.BEAT.read(data, crc, run)
                continue
            counts[run] = counts.get(run, 0) + 1
            if id != counts[run]:
                raise Damaged(f"the history of run {run} is not whole")
            yield _rows.happened(run, id, _event(run, id, data, crc))


def _scheduled(fact: Happened) -> int:
    attributes: Any = fact.attributes  # one of _ENDS
    id: int = attributes.scheduled_event_id
    return id


def _beat_row(seq: int, fact: Heartbeat) -> tuple[Any, ...]:
    data = _rows.encode(fact)
    detailed = fact.details is not None
    crc = _rows.seal(data, fact.run)
    return fact.run, fact.scheduled_id, detailed, seq, data, crc


def _event(run: int, id: int, data: Any, crc: Any) -> bytes:
    return _rows.unseal(f"event {id} of run {run}", data, crc, run, id)
