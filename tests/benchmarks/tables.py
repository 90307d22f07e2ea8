"""How figures are printed: a title with the aim, then a line per measurement."""

from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.measuring import Cost, Spread, synced

#: The names of contestants; everything is compared with the first.
BARE = "aiobotocore"
AGAIN = "aiobotocore again"
FLOWSER = "flowser"
WORKER = "flowser.Worker"


def title(figure: str, words: str) -> None:
    """Print what the lines below are about."""
    print(f"\n{figure}: {words}", flush=True)


def line(what: str, loop: str, who: str, words: str) -> None:
    """Print a measurement."""
    print(f"  {what:41} {loop:8} {who:19} {words}", flush=True)


def ratios(
    what: str, loop: str, costs: Mapping[str, Cost], unit: tuple[float, str]
) -> None:
    """Print what each contestant used, and that compared with the bare one.

    Args:
        what: What all of them did.
        loop: The event loop they did it on.
        costs: By contestant.
        unit: What a second is multiplied by, and the name of that.
    """
    scale, name = unit
    for who, cost in costs.items():
        used = f"{Spread.of(cost.rounds).median * scale:10,.2f} {name}"
        ratio = "" if who == BARE else f"   x {cost.ratio(costs[BARE]):.3f}"
        line(what, loop, who, used + ratio)


def disk(folder: Path) -> None:
    """Print what the disk takes, below which no durable answer can be."""
    took = synced(folder).median
    line("4 KiB on the disk", "", "fsync", f"{took * 1e3:10.2f} ms")
