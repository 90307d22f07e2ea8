"""Sticky deciders: runs stay in memory, and their tasks come to the worker's own list.

Every answer moves the next decision tasks of its run to that list, for some seconds:
whoever does not take one in time loses it to the original list. A run that is kept
takes new events only. Whether it is the right one, SWF says: the previous decision
must be the one that it made.

Source:
    issue 4 section 3; peers.md section 3; swf-semantics.md section 9.1.
"""

import asyncio
import re
import secrets
import socket
from collections import OrderedDict
from typing import Generic, NamedTuple, Protocol, TypeVar

Key = tuple[str, str | None]

#: Names of task lists know no ``:``, ``/`` or ``|``, and must not be "arn".
_FORBIDDEN = re.compile(r"[^\w.-]")
_LONGEST = 200


def own_list() -> str:
    """Name a list that no other worker has: host, and chance."""
    host = _FORBIDDEN.sub("-", socket.gethostname())[:_LONGEST]
    return f"flowser-{host}-{secrets.token_hex(8)}"


class Bounds(NamedTuple):
    """How much is kept.

    Attributes:
        runs: How many runs.
        bytes: How much they may take, about.
        seconds: For how long a run is kept that nothing happens to.
    """

    runs: int
    bytes: int
    seconds: float


class Kept(Protocol):
    """A run, as far as a cache minds."""

    @property
    def bytes(self) -> int:
        """About so many it takes."""
        ...

    @property
    def used_at(self) -> float:
        """When it was decided last, by the loop's clock."""
        ...

    def end(self) -> None:
        """Throw it away."""
        ...


K = TypeVar("K", bound=Kept)


class Cache(Generic[K]):
    """Runs that are kept: those that were decided last."""

    def __init__(self, bounds: Bounds) -> None:
        """Keep nothing yet.

        Args:
            bounds: How much is kept.
        """
        self._bounds = bounds
        self._kept: OrderedDict[Key, K] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, key: Key, only: K | None = None) -> K | None:
        """Take a run out, while it is decided.

        Args:
            key: Of the run.
            only: Take out nothing but this.
        """
        live = self._kept.get(key)
        if live is None or only not in (None, live):
            return None
        del self._kept[key]
        self._bytes -= live.bytes
        return live

    def put(self, key: Key, live: K) -> None:
        """Keep a run; others go when there is no room."""
        if (other := self.take(key)) is not None:
            other.end()
        self._kept[key] = live
        self._bytes += live.bytes
        while len(self) > self._bounds.runs or self._bytes > self._bounds.bytes:
            self._drop()
        self.expire()

    def expire(self) -> None:
        """Let go of runs that nothing happened to for long."""
        oldest = asyncio.get_running_loop().time() - self._bounds.seconds
        while self._kept and next(iter(self._kept.values())).used_at < oldest:
            self._drop()

    def clear(self) -> None:
        """Let go of all."""
        while self._kept:
            self._drop()

    def _drop(self) -> None:
        key = next(iter(self._kept))
        if (live := self.take(key)) is not None:
            live.end()
