"""What the engine asks of whoever keeps its facts: closed runs, and lists of runs.

The engine holds open runs, domains and types in memory. What is closed is looked up
here, so that memory and start-up do not grow with all that ever ran.

Source:
    swf-semantics.md section 7.
"""

from typing import NamedTuple, Protocol

from flowser.local.engine.facts import Summary


class Query(NamedTuple):
    """Which runs to list or count; times are milliseconds since 1970, inclusive.

    Attributes:
        open: Open runs or closed ones.
        by_close: Ordered and bounded by closing time instead of starting time.
        workflow_id: The filters; at most one is set, but that a version has a name.
    """

    region: str
    domain: str
    open: bool
    by_close: bool
    oldest: int
    latest: int | None
    workflow_id: str | None = None
    type_name: str | None = None
    type_version: str | None = None
    tag: str | None = None
    close_status: str | None = None


class Place(NamedTuple):
    """Where a run stands in a list: its time, then its number."""

    at: int
    run: int


class Archive(Protocol):
    """Answers from the facts that were handed over."""

    def find(
        self, region: str, domain: str, workflow_id: str, run_id: str
    ) -> Summary | None:
        """Look up a closed run by its ids."""
        ...

    def closed(self, run: int) -> Summary | None:
        """Look up a closed run by its number."""
        ...

    def events(self, run: int, first: int, last: int) -> list[bytes]:
        """Give the events of a closed run from *first* to *last*, both inclusive."""
        ...

    def places(
        self, query: Query, *, after: Place | None, limit: int, ascending: bool
    ) -> list[Place]:
        """List runs, beyond the place *after*, at most *limit*."""
        ...

    def count(self, query: Query, most: int) -> int:
        """Count runs; at most *most* + 1."""
        ...

    def expired(self, now: int, limit: int) -> list[int]:
        """Number the closed runs whose retention is over at *now*, earliest first."""
        ...

    def next_expiry(self) -> int | None:
        """Tell when the next retention is over."""
        ...
