"""Files of stores, and whether they were left as they were."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flowser.local.storage import Store, StoreError
from tests.local.engine.rig import Rig


def stored(folder: Path, rig: Rig) -> Path:
    """Make the file of a store of all that happened to a rig."""
    path = folder / "swf.db"
    with closing(Store(path)) as store:
        store.append(rig.facts)
        store.commit()
    return path


def traces(folder: Path) -> dict[str, str]:
    """Tell files apart by all of their bytes."""
    return {
        each.name: hashlib.sha256(each.read_bytes()).hexdigest()
        for each in folder.iterdir()
    }


def refused(path: Path) -> StoreError:
    """Expect a file to be refused, and to be left as it was."""
    before = traces(path.parent)
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert traces(path.parent) == before
    return caught.value


def spoil(path: Path, statement: str) -> None:
    """Change what stands in a table, as a disk might that forgets."""
    with closing(sqlite3.connect(path)) as other:
        assert other.execute(statement).rowcount
        other.commit()
