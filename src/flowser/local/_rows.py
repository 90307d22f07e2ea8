"""What stands in the rows of a store: sealed bytes, and how they are read again.

A row that is served is what was written, or an error: its checksum covers its bytes
and its place. SQLite itself notices only damage to its own structure.
"""

import contextlib
import os
import sqlite3
import zlib
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any, Generic, TypeVar, Union

import msgspec

from flowser import events as e
from flowser.local import _sql
from flowser.local.engine import facts

T = TypeVar("T")

encode = msgspec.json.Encoder().encode

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Damaged(OSError):
    """Something is not what was written; the sentence says what."""


class Ledger(msgspec.Struct, kw_only=True):
    """What is known of a whole store, as of its last commit.

    Attributes:
        key: 32 random bytes that tokens are made with.
        made_by: The version of flowser that made it.
        last_run: The highest number that a run ever had.
        last_at: The time of the last fact.
        open_runs: How many runs are open.
        open_events: How many events those have.
    """

    key: bytes
    made_by: str
    last_run: int = 0
    last_at: int = 0
    open_runs: int = 0
    open_events: int = 0


def begin(db: sqlite3.Connection) -> None:
    """Write what every store begins with."""
    made_by = "unknown"
    with contextlib.suppress(metadata.PackageNotFoundError):
        made_by = metadata.version("flowser")
    write_ledger(db, Ledger(key=os.urandom(32), made_by=made_by))


def write_ledger(db: sqlite3.Connection, ledger: Ledger) -> None:
    """Write the ledger over the last one."""
    data = encode(ledger)
    db.execute(_sql.WRITE_LEDGER, (data, seal(data)))


def seal(data: bytes, run: int = 0, id: int = 0) -> int:
    """Make the checksum of a row.

    Args:
        data: Its bytes.
        run: The run that it is about, if it is about one.
        id: Its number there, if it has one.
    """
    return zlib.crc32(data, (run * 0x9E3779B1 + id) & 0xFFFFFFFF)


def unseal(what: str, data: Any, crc: Any, run: int = 0, id: int = 0) -> bytes:
    """Give the bytes of a row.

    Raises:
        Damaged: When they are not those that were written there.
    """
    if not isinstance(data, bytes) or seal(data, run, id) != crc:
        raise Damaged(f"{what} is not what was written")
    return data


class Kind(Generic[T]):
    """A kind of row: what an error calls it, and what it is decoded into."""

    def __init__(self, name: str, type: Any) -> None:
        self._name = name
        self._decode = msgspec.json.Decoder(type).decode

    def read(self, data: Any, crc: Any, run: int = 0, id: int = 0) -> T:
        """Read a row.

        Raises:
            Damaged: When it is not what was written.
        """
        what = self._name.format(run=run)
        whole = unseal(what, data, crc, run, id)
        try:
            found: T = self._decode(whole)
        except msgspec.DecodeError as error:
            raise Damaged(f"{what} cannot be read ({error})") from error
        return found


_REGISTRY: Any = Union[
    (*facts.DomainFact.__subclasses__(), *facts.TypeFact.__subclasses__())
]

LEDGER: Kind[Ledger] = Kind("the ledger", Ledger)
REGISTRY: Kind[facts.DomainFact] = Kind("a registration", _REGISTRY)
OPENED: Kind[facts.RunOpened] = Kind("the opening of run {run}", facts.RunOpened)
SUMMARY: Kind[facts.Summary] = Kind("the summary of run {run}", facts.Summary)
BEAT: Kind[facts.Heartbeat] = Kind("a heartbeat of run {run}", facts.Heartbeat)

# A time is a number on the wire.
_event = msgspec.json.Decoder(e.AnyEvent, strict=False).decode


def happened(run: int, id: int, data: bytes) -> facts.Happened:
    """Make the fact of an event from its JSON.

    Raises:
        Damaged: When it is no event, or another one.
    """
    try:
        event: e.Event = _event(data)
    except msgspec.DecodeError as error:
        text = f"event {id} of run {run} cannot be read ({error})"
        raise Damaged(text) from error
    if event.id != id:
        raise Damaged(f"event {id} of run {run} has the id {event.id}")
    attributes: Any = event.attributes  # of a known event, by its decoder
    at = (event.time_stamp - _EPOCH) // _MILLISECOND
    return facts.Happened(run=run, at=at, id=id, attributes=attributes, data=data)
