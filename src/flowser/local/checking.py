"""Looks through the whole file of a store for damage.

A start reads what is open, and a request what it asks for; whatever of that is
damaged is noticed there. This reads everything, in as long as it takes.

Source:
    reliability.md section 4, experiment 44.
"""

import collections
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from flowser.local import _files
from flowser.local._files import DamagedStore
from flowser.local.storage import Store, StoreError


def check(path: Path) -> list[str]:
    """Look for damage in a file that no server has open.

    Args:
        path: The file; it is not changed, but that a whole one takes in what a killed
            server left beside it.

    Returns:
        What is wrong, a sentence each; empty when all is as it was written.

    Raises:
        StoreError: When it is no store, or is in use.
    """
    if not path.exists():
        raise StoreError(path, "does not exist", "name another file")
    try:
        return _structure(path) or list(_content(path))
    except DamagedStore as error:
        return [error.problem]


def _structure(path: Path) -> list[str]:
    """Let SQLite look for what it can see: pages, and indexes against tables."""
    with contextlib.closing(_files.connect(path)) as db:
        db.damaged = True  # so that nothing is changed, whatever is found
        try:
            found = [text for (text,) in db.execute("PRAGMA integrity_check")]
        except sqlite3.DatabaseError as error:
            return [str(error)]
    return [] if found == ["ok"] else found


def _content(path: Path) -> Iterator[str]:
    """Read all that is open, then all that is closed."""
    with contextlib.closing(Store(path)) as store:
        try:
            collections.deque(store.facts(), maxlen=0)
        except DamagedStore as error:
            yield error.problem
        for run in range(1, store.last_run + 1):
            try:
                summary = store.closed(run)
                if summary is not None:
                    store.events(run, 1, summary.last_event_id)
            except OSError as error:
                yield str(error)
