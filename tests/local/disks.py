"""Disks that are soon full: real ones where we may mount them, else in name."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from flowser.local.storage import Store

_SIZE = 1_048_576


class Disk:
    """A folder with little room.

    Attributes:
        path: Where a store may be.
        real: Whether the system says when it is full; else SQLite does.
    """

    def __init__(self, folder: Path, *, real: bool) -> None:
        self.path = folder / "swf.db"
        self.real = real
        self._ballast = folder / "ballast"

    def fill(self, store: Store) -> None:
        """Leave no room for more."""
        if not self.real:
            [(pages,)] = store._db.execute("PRAGMA page_count")
            store._db.execute(f"PRAGMA max_page_count = {pages}")
            return
        with (
            contextlib.suppress(OSError),
            self._ballast.open("wb", buffering=0) as file,
        ):
            while file.write(b"." * 512):
                pass

    def free(self, store: Store) -> None:
        """Leave room again."""
        if self.real:
            self._ballast.unlink()
        else:
            store._db.execute("PRAGMA max_page_count = 1000000")


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Give a disk of a mebibyte; only in name where nobody lets us mount one."""
    where = folder / "disk"
    where.mkdir()
    if not _mounted(where):
        yield Disk(where, real=False)
        return
    try:
        yield Disk(where, real=True)
    finally:
        _ran("umount", str(where))


def _mounted(where: Path) -> bool:
    size = f"size={_SIZE}"
    return sys.platform == "linux" and _ran(
        "mount", "-t", "tmpfs", "-o", size, "tmpfs", str(where)
    )


def _ran(*command: str) -> bool:
    program = shutil.which(command[0])
    if program is None:
        return False
    run = subprocess.run([program, *command[1:]], capture_output=True, check=False)
    return run.returncode == 0
