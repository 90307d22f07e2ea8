"""The tables of a store, and the one index that answers each question about runs.

Every row that is served to somebody has its bytes in one column and their checksum in
the next; the columns beside them are for finding it.

Source:
    swf-semantics.md section 7.
"""

from typing import Any

from flowser.local.engine.archive import Place, Query

#: Marks a file as ours: "flow" as a number.
APPLICATION = 0x666C6F77

#: The format of the file; counts up whenever the tables change.
VERSION = 1

_TABLES = (
    "CREATE TABLE ledger (id INTEGER PRIMARY KEY, data BLOB NOT NULL, crc INTEGER)",
    "CREATE TABLE registry (id INTEGER PRIMARY KEY, data BLOB NOT NULL, crc INTEGER)",
    # The data is the RunOpened of an open run, and the Summary of a closed one.
    # Without a row id, for SQLite compares none in pairs.
    """CREATE TABLE runs (
        number INTEGER NOT NULL PRIMARY KEY,
        region TEXT NOT NULL,
        domain TEXT NOT NULL,
        workflow_id TEXT NOT NULL,
        run_id TEXT NOT NULL,
        type_name TEXT NOT NULL,
        type_version TEXT NOT NULL,
        opened INTEGER NOT NULL,
        closed INTEGER,
        close_status TEXT,
        expires_at INTEGER,
        data BLOB NOT NULL,
        crc INTEGER
    ) WITHOUT ROWID""",
    # A list by tag finds here all that it needs, so the times are here as well.
    """CREATE TABLE tags (
        number INTEGER NOT NULL,
        tag TEXT NOT NULL,
        region TEXT NOT NULL,
        domain TEXT NOT NULL,
        opened INTEGER NOT NULL,
        closed INTEGER,
        PRIMARY KEY (number, tag)
    ) WITHOUT ROWID""",
    # In the order in which it happened, so that what is committed together stands
    # together on the disk, whatever the number of runs.
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        id INTEGER NOT NULL,
        data BLOB NOT NULL,
        crc INTEGER
    )""",
    # Of an activity task, the last heartbeat, and the last one that had details.
    """CREATE TABLE beats (
        run INTEGER NOT NULL,
        scheduled_id INTEGER NOT NULL,
        detailed INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        data BLOB NOT NULL,
        crc INTEGER,
        PRIMARY KEY (run, scheduled_id, detailed)
    ) WITHOUT ROWID""",
    "CREATE TABLE probe (id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    "CREATE UNIQUE INDEX events_run ON events (run, id)",
    "CREATE INDEX runs_run_id ON runs (run_id) WHERE closed IS NOT NULL",
    "CREATE INDEX runs_expiry ON runs (expires_at, number) WHERE closed IS NOT NULL",
)

# Which runs, and the time that they are ordered by.
_ORDERS: dict[str, tuple[str, str]] = {
    "open": ("closed IS NULL", "opened"),
    "started": ("closed IS NOT NULL", "opened"),
    "closed": ("closed IS NOT NULL", "closed"),
}

# The filters that a request may have at most one of (section 7), by their columns.
_FILTERS: tuple[tuple[str, ...], ...] = (
    (),
    ("workflow_id",),
    ("type_name",),
    ("type_name", "type_version"),
    ("tag",),
    ("close_status",),
)

_LAST = 2**63 - 1  # the greatest number that SQLite knows


def _table(columns: tuple[str, ...]) -> str:
    return "tags" if "tag" in columns else "runs"


def _index(order: str, columns: tuple[str, ...]) -> str:
    return "_".join((_table(columns), order, *columns))


def _listing(order: str, columns: tuple[str, ...]) -> str:
    which, at = _ORDERS[order]
    # The number is named although every index ends with it: only so does a page begin
    # at its place among many runs of one millisecond.
    parts = ", ".join(("region", "domain", *columns, at, "number"))
    name, table = _index(order, columns), _table(columns)
    return f"CREATE INDEX {name} ON {table} ({parts}) WHERE {which}"


#: All tables and indexes, as SQLite keeps their text.
SCHEMA: tuple[str, ...] = (
    *_TABLES,
    *(
        _listing(order, columns)
        for order in _ORDERS
        for columns in _FILTERS
        if order != "open" or columns != ("close_status",)
    ),
)

READ_SCHEMA = (
    "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~' "
    "ORDER BY rowid"
)

READ_LEDGER = "SELECT data, crc FROM ledger WHERE id = 1"
WRITE_LEDGER = "INSERT OR REPLACE INTO ledger VALUES (1, ?, ?)"

READ_REGISTRY = "SELECT data, crc FROM registry ORDER BY id"
ADD_REGISTRY = "INSERT INTO registry VALUES (NULL, ?, ?)"
CLEAR_REGISTRY = "DELETE FROM registry"

OPEN_RUN = """INSERT INTO runs (number, region, domain, workflow_id, run_id,
    type_name, type_version, opened, data, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
ADD_TAG = """INSERT OR IGNORE INTO tags (number, tag, region, domain, opened)
    VALUES (?, ?, ?, ?, ?)"""
CLOSE_RUN = """UPDATE runs SET closed = ?, close_status = ?, expires_at = ?,
    data = ?, crc = ? WHERE number = ?"""
CLOSE_TAGS = "UPDATE tags SET closed = ? WHERE number = ?"
REMOVE_RUN = (
    "DELETE FROM runs WHERE number = ?",
    "DELETE FROM tags WHERE number = ?",
)

# An index of open runs alone, so that what closed long ago is not even looked at.
READ_OPEN_RUNS = """SELECT number, data, crc FROM runs INDEXED BY runs_open
    WHERE closed IS NULL ORDER BY number"""
READ_CLOSED_RUN = """SELECT number, data, crc FROM runs
    WHERE number = ? AND closed IS NOT NULL"""
FIND_CLOSED_RUN = """SELECT number, data, crc FROM runs INDEXED BY runs_run_id
    WHERE closed IS NOT NULL
    AND run_id = ? AND region = ? AND domain = ? AND workflow_id = ?"""
READ_EXPIRED = """SELECT number FROM runs INDEXED BY runs_expiry
    WHERE closed IS NOT NULL AND expires_at <= ? ORDER BY expires_at, number LIMIT ?"""
NEXT_EXPIRY = """SELECT expires_at FROM runs INDEXED BY runs_expiry
    WHERE closed IS NOT NULL ORDER BY expires_at LIMIT 1"""

ADD_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?)"
ADD_BEAT = "INSERT OR REPLACE INTO beats VALUES (?, ?, ?, ?, ?, ?)"
REMOVE_BEAT = "DELETE FROM beats WHERE run = ? AND scheduled_id = ?"
REMOVE_BEATS = "DELETE FROM beats WHERE run = ?"
REMOVE_EVENTS = "DELETE FROM events WHERE run = ?"
READ_EVENTS = """SELECT id, data, crc FROM events
    WHERE run = ? AND id BETWEEN ? AND ? ORDER BY id"""
LAST_SEQ = """SELECT max(coalesce((SELECT max(seq) FROM events), 0),
    coalesce((SELECT max(seq) FROM beats), 0))"""
# Events and heartbeats of open runs as they happened; a heartbeat has the id 0.
READ_OPEN_EVENTS = """SELECT seq, run, id, data, crc FROM (
    SELECT seq, run, id, events.data, events.crc
    FROM runs INDEXED BY runs_open
    CROSS JOIN events INDEXED BY events_run ON run = number
    WHERE closed IS NULL
    UNION ALL
    SELECT seq, run, 0, data, crc FROM beats
    ) ORDER BY seq"""

PROBE = "INSERT OR REPLACE INTO probe VALUES (1, zeroblob(65536))"


def select(
    query: Query, after: Place | None, *, ascending: bool
) -> tuple[str, list[Any]]:
    """Write the statement that lists runs, and its parameters but for the limit.

    Times and numbers are compared in pairs, so that a page costs what it shows,
    wherever it begins.
    """
    order = "open" if query.open else "closed" if query.by_close else "started"
    columns = tuple(
        name
        for name in ("workflow_id", "type_name", "type_version", "tag", "close_status")
        if getattr(query, name) is not None
    )
    which, at = _ORDERS[order]
    equal = " AND ".join(f"{name} = ?" for name in ("region", "domain", *columns))
    direction = "ASC" if ascending else "DESC"
    # All names are from the tables above.
    statement = (
        f"SELECT {at}, number FROM {_table(columns)} "  # noqa: S608
        f"INDEXED BY {_index(order, columns)} WHERE {which} AND {equal} "
        f"AND ({at}, number) > (?, ?) AND ({at}, number) < (?, ?) "
        f"ORDER BY {at} {direction}, number {direction} LIMIT ?"
    )
    wanted = (getattr(query, name) for name in columns)
    bounds = _bounds(query, after, ascending=ascending)
    return statement, [query.region, query.domain, *wanted, *bounds]


def _bounds(query: Query, after: Place | None, *, ascending: bool) -> tuple[int, ...]:
    """Give the places between which, exclusive, all that is wanted stands."""
    low = Place(query.oldest, -1)
    high = Place(_LAST if query.latest is None else query.latest, _LAST)
    if after is not None and ascending:
        low = max(low, after)
    elif after is not None:
        high = min(high, after)
    return (*low, *high)
