"""Heaps whose entries can be taken out again: deadlines, and tasks by priority.

Strategy: an entry that is taken out stays where it is, marked; when more than half of
a heap is marked it is built anew. So all operations are O(log n), amortized, and a
heap never holds more than twice what is in it.
"""

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Entry(Generic[T]):
    """Something in a heap; *item* is None when it was taken out."""

    __slots__ = ("item", "key")

    def __init__(self, key: int, item: T) -> None:
        self.key = key
        self.item: T | None = item


class Heap(Generic[T]):
    """Gives the entry of the lowest key first; of equal keys, the first put in."""

    __slots__ = ("_dead", "_entries", "_number")

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, Entry[T]]] = []
        self._number = 0
        self._dead = 0

    def __len__(self) -> int:
        return len(self._entries) - self._dead

    def __iter__(self) -> Iterator[T]:
        """Give the items, in no order."""
        for _, _, entry in self._entries:
            if entry.item is not None:
                yield entry.item

    def put(self, key: int, item: T) -> Entry[T]:
        """Add an item."""
        entry = Entry(key, item)
        self._number += 1
        heapq.heappush(self._entries, (key, self._number, entry))
        return entry

    def discard(self, entry: Entry[T] | None) -> None:
        """Take an entry out; nothing happens when it is out already."""
        if entry is None or entry.item is None:
            return
        entry.item = None
        self._dead += 1
        if self._dead * 2 > len(self._entries):
            self._entries = [kept for kept in self._entries if kept[2].item is not None]
            heapq.heapify(self._entries)
            self._dead = 0

    def first(self) -> Entry[T] | None:
        """Look at the lowest entry; None when there is none."""
        while self._entries:
            entry = self._entries[0][2]
            if entry.item is not None:
                return entry
            heapq.heappop(self._entries)
            self._dead -= 1
        return None

    def pop(self) -> T | None:
        """Take the lowest item out; None when there is none."""
        entry = self.first()
        if entry is None:
            return None
        item = entry.item
        entry.item = None
        heapq.heappop(self._entries)
        return item
