"""Heaps whose entries can be taken out again."""

from hypothesis import given
from hypothesis import strategies as st

from flowser.local.engine.heaps import Heap


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans())))
def test_what_was_not_taken_out_comes_in_order(puts: list[tuple[int, bool]]) -> None:
    heap: Heap[tuple[int, int]] = Heap()
    entries = [heap.put(key, (key, n)) for n, (key, _) in enumerate(puts)]
    for entry, (_, out) in zip(entries, puts, strict=True):
        if out:
            heap.discard(entry)
            heap.discard(entry)
    kept = [(key, n) for n, (key, out) in enumerate(puts) if not out]
    assert len(heap) == len(kept)
    assert sorted(heap) == sorted(kept)
    assert [heap.pop() for _ in kept] == sorted(kept)
    assert heap.pop() is None
    assert len(heap) == 0
