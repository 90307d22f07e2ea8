"""A history, read page by page as it is looked at.

Source:
    swf-semantics.md sections 2.3 and 2.4 (paging, order, tokens).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Protocol

import msgspec

from flowser.events import Event
from flowser.exceptions import BrokenHistory, LastPage, ValidationFailed


class Page(Protocol):
    """A part of a history, as polls and GetWorkflowExecutionHistory answer it."""

    @property
    def events(self) -> list[Event]:
        """The events of this page, in the order that was asked for."""
        ...

    @property
    def next_page_token(self) -> str | None:
        """Leads to the next page; None on the last one."""
        ...


#: Reads the page that a token leads to; the first page has no token.
Fetch = Callable[[str | None], Awaitable[Page]]


async def pages(
    fetch: Fetch, first: Page | None = None
) -> AsyncGenerator[list[Event], None]:
    """Give pages of events; a page may be empty and yet have a successor.

    Args:
        fetch: Reads a page.
        first: The first page, when it came with a poll.

    Raises:
        BrokenHistory: When they lead in a circle.
    """
    seen: set[str] = set()
    page = await fetch(None) if first is None else first
    first = None
    while True:
        yield page.events
        token = page.next_page_token
        if not token:
            return
        if token in seen:
            raise BrokenHistory("a page token leads back to itself")
        seen.add(token)
        page = await fetch(token)


async def oldest_first(fetch: Fetch) -> AsyncGenerator[list[Event], None]:
    """Give a history page by page, each event once; pages without any are left out.

    When a token is refused, which has its time (semantics 2.3), it is read anew.

    Args:
        fetch: Reads a page; the oldest event comes first.

    Raises:
        ValidationFailed: When a token is refused twice without progress.
        BrokenHistory: When pages lead in a circle.
    """
    last = known = 0
    while True:
        try:
            async with aclosing(pages(fetch)) as found:
                async for page in found:
                    if new := [event for event in page if event.id > last]:
                        last = new[-1].id
                        yield new
            return
        except ValidationFailed:
            if last == known:
                raise
            known = last


class History:
    """A re-iterable view of a history: each page is read once, when first needed.

    Iterate over it with ``async for``, as often as you like, and from several tasks
    at once. What was read is kept.
    """

    def __init__(
        self,
        fetch: Fetch,
        first: Page | None = None,
        *,
        reverse: bool = False,
        loads: Callable[[str], Any] | None = None,
    ) -> None:
        """Look at a history of which nothing, or the first page, was read.

        Args:
            fetch: Reads a page.
            first: The first page, when it came with a poll.
            reverse: Whether the newest event comes first.
            loads: Reads payloads in the events' ``attrs``; JSON when None.
        """
        self._fetch = fetch
        self._step = -1 if reverse else 1
        self._loads = loads
        self._lock = asyncio.Lock()
        self._events: list[Event] = []
        self._tokens: set[str] = set()
        self._next: str | None = None
        self._begun = first is not None
        if first is not None:
            self._take(first)

    def __aiter__(self) -> "Cursor":
        """Iterate over the events, reading pages as needed."""
        return Cursor(self)

    def filter(self, event_type: str) -> "Filtered":
        """Look at the events of one type only."""
        return Filtered(self, event_type)

    def get(self, index: int) -> Event | None:
        """Give an event that was read already; None when it was not."""
        read = len(self._events)
        return self._events[index] if -read <= index < read else None

    @property
    def complete(self) -> bool:
        """Whether the last page was read."""
        return self._begun and self._next is None

    async def read_beyond(self, index: int) -> None:
        """Read until there is an event at *index*.

        Raises:
            LastPage: When there is none.
        """
        async with self._lock:  # another iteration may have read it meanwhile
            while len(self._events) <= index:
                if self.complete:
                    raise LastPage
                # A page may be empty and yet have a successor (reliability.md 4.33).
                self._take(await self._fetch(self._next))
                self._begun = True

    def _take(self, page: Page) -> None:
        token = page.next_page_token or None
        if token in self._tokens:
            raise BrokenHistory("a page token leads back to itself")
        events = page.events
        if self._loads is not None:
            for event in events:
                msgspec.structs.force_setattr(event, "loads", self._loads)
        self._check_order(events)
        read = events or self._events  # the last page may be empty, too
        if token is None and read and self._step < 0 and read[-1].id != 1:
            raise BrokenHistory(f"the last page ends at event {read[-1].id}, not 1")
        if token is not None:
            self._tokens.add(token)
        self._events += events
        self._next = token

    def _check_order(self, events: list[Event]) -> None:
        """Refuse pages that are out of order, doubled or missing (reliability 4.31)."""
        last = self._events[-1].id if self._events else None
        if last is None and self._step > 0:
            last = 0
        for event in events:
            if last is not None and event.id != last + self._step:
                raise BrokenHistory(f"event {event.id} follows event {last}")
            last = event.id


class Cursor:
    """One iteration over a history; it holds nothing that would need closing."""

    def __init__(self, history: History, event_type: str | None = None) -> None:
        """Begin an iteration, over the events of one type if it is given."""
        self._history = history
        self._type = event_type
        self._index = 0

    def __aiter__(self) -> "Cursor":
        """Go on with this iteration."""
        return self

    async def __anext__(self) -> Event:
        """Give the next event.

        Raises:
            BrokenHistory: When pages do not fit together; decide nothing on them.
        """
        while True:
            event = self._history.get(self._index)
            if event is None:
                try:
                    await self._history.read_beyond(self._index)
                except LastPage:
                    raise StopAsyncIteration from None
                continue
            self._index += 1
            if self._type is None or event.type == self._type:
                return event


class Filtered:
    """The events of one type in a history; re-iterable, and as lazy as it is."""

    def __init__(self, history: History, event_type: str) -> None:
        """Look at *history* through a filter."""
        self._history = history
        self._type = event_type

    def __aiter__(self) -> Cursor:
        """Iterate over the events of the type."""
        return Cursor(self._history, self._type)

    async def first(self) -> Event | None:
        """Give the first of them in the history's order, or None."""
        return await anext(aiter(self), None)
