"""Memory of runs that are kept, each in the middle of what it does."""

import gc
import itertools
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

from flowser.replay.run import Run
from tests.benchmarks import tables
from tests.benchmarks.measuring import resident
from tests.benchmarks.replay_shapes import SHAPES, Shape, Told, read
from tests.benchmarks.servers import Servers

RUNS = (1_000, 10_000)

_ONE_BY_ONE, _, _CALLS, _TICKING = SHAPES


class _Kept(NamedTuple):
    """A run that waits.

    Attributes:
        words: For what.
        shape: What it does.
        decisions: How many were made.
    """

    words: str
    shape: Shape
    decisions: int


_KEPT = (
    _Kept("awaits its 11th activity", _ONE_BY_ONE._replace(many=11), 11),
    _Kept("awaits its 6th signal, or a timer", _TICKING._replace(many=6), 11),
    _Kept("awaits 10 activities in 10 tasks", _CALLS._replace(many=10), 1),
)


def main(_: Servers) -> None:
    """Print the figure."""
    tables.title("replay-memory", "of each run that is kept; aim: 15 KiB at most")
    for kept, runs in itertools.product(range(len(_KEPT)), RUNS):
        # A new process for each, not forked: what another one left is not counted.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            added = pool.submit(_added, kept, runs).result()
        words = f"{added / runs / 1024:10.2f} KiB"
        tables.line(_KEPT[kept].words, "", f"{runs:,} runs", words)


def _added(which: int, runs: int) -> int:
    """Give what so many runs add to the memory of this process, in bytes."""
    kept = _KEPT[which]
    told = Told(kept.shape)
    [page] = told.pages
    started = [e.id for e in read(page) if e.type == "DecisionTaskStarted"]
    length = started[kept.decisions - 1]

    def decided(number: int) -> Run:
        run = Run("o-1", f"r-{number}", told.program)
        run.decide(read(page)[:length])  # from JSON: every run has events of its own
        return run

    some = [decided(-number) for number in range(10)]  # what they share is there then
    gc.collect()
    before = resident()
    many = [decided(number + 1) for number in range(runs)]
    gc.collect()
    added = resident() - before
    for run in some + many:
        run.end()
    return added
