"""Replay of whole histories, beside Temporal's Python SDK if it is installed."""

import asyncio
import gc
import importlib
import importlib.util
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from flowser.events import Event
from flowser.replay.troubles import NonDeterminism
from tests.benchmarks import tables
from tests.benchmarks.replay_shapes import SHAPES, Shape, Told, broken, read
from tests.benchmarks.servers import Servers

ROUNDS = 30

_JSON = "flowser, with JSON"
_INSTALLED = importlib.util.find_spec("temporalio") is not None


def main(_: Servers) -> None:
    """Print the figure."""
    tables.title(
        "replay",
        "CPU per event of a whole history; aims: 6 us at most, 10 us with JSON, and\n"
        "  20 times the events per second of Temporal's Replayer at least",
    )
    if not _INSTALLED:
        tables.line("beside", "", "temporalio", "not installed; pip install temporalio")
    for shape in SHAPES:
        _measure(shape)


def _measure(shape: Shape) -> None:
    told = Told(shape)
    history = told.history
    assert _minds(told, history), "a history with another end passes"
    least = _least(
        {
            tables.FLOWSER: lambda: told.replay([history]),
            _JSON: lambda: told.replay(map(read, told.pages)),
        }
    )
    ours = {who: seconds / len(history) for who, seconds in least.items()}
    theirs = _temporal(history) if _INSTALLED else {}
    for who, seconds in (ours | theirs).items():
        words = f"{seconds * 1e6:10,.2f} us, {1 / seconds:9,.0f} events/s"
        if who in ours:
            ratios = (f"x {took / seconds:,.0f} of {it}" for it, took in theirs.items())
            words = "; ".join([words, *ratios])
        tables.line(shape.words, "", who, words)


def _least(contestants: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Give the least CPU time of each, in seconds: what others do can only add to it.

    They take turns.
    """
    least = dict.fromkeys(contestants, math.inf)
    for _ in range(ROUNDS):
        for who, replay in contestants.items():
            gc.collect()
            began = time.process_time()
            replay()
            least[who] = min(least[who], time.process_time() - began)
    return least


def _minds(told: Told, history: list[Event]) -> bool:
    """Tell whether a replay comes to the end, and minds what it finds there."""
    try:
        told.replay([broken(history)])
    except NonDeterminism:
        return True
    return False


def _temporal(history: list[Event]) -> dict[str, float]:
    """Give what an event takes there, in seconds, by what runs the workflow."""
    temporal: Any = importlib.import_module("tests.benchmarks.replay_temporal")
    whole = temporal.history(history)
    other = temporal.history(broken(history))
    given = [other, whole, whole]
    took = {}
    for who, runner in temporal.RUNNERS.items():
        minded, *outcomes = asyncio.run(temporal.replayed(runner, given))
        assert minded.failure, "a history with another end passes"
        assert not any(outcome.failure for outcome in outcomes), outcomes
        took[who] = min(o.seconds for o in outcomes) / len(whole.events)
    return took
