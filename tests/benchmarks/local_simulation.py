"""Very many seeds of the simulation; it finds faults, and tells how long that takes."""

import logging
import os
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.benchmarks import tables
from tests.benchmarks.servers import Servers
from tests.local.audit import Report
from tests.local.simulation import simulate

SEEDS = 2_000


def main(_: Servers) -> None:
    """Print what the seeds came to; those that failed as they come."""
    tables.title("local-simulation", f"seeds 1 to {SEEDS:,}; aim: no problems")
    began, known, harms, bad = time.perf_counter(), Counter[str](), Counter[str](), 0
    # Not forked: this process has threads.
    with ProcessPoolExecutor(
        mp_context=get_context("spawn"), initializer=_prepare
    ) as pool:
        for report in pool.map(simulate, range(1, SEEDS + 1), chunksize=10):
            known += Counter(calls=report.calls, events=report.events)
            harms += report.harms
            bad += bool(report.problems)
            _complain(report)
    seconds = time.perf_counter() - began
    words = f"{known['calls']:,} calls, {known['events']:,} events, {seconds:.0f} s"
    tables.line("the storm", "", "flowser", words)
    for harm, times in harms.most_common():
        tables.line("", "", harm, f"{times:10,}")
    tables.line("seeds with problems", "", "flowser", f"{bad:10,}")


def _prepare() -> None:
    """Use any CPU, and say nothing of what is done on purpose."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    logging.getLogger("flowser").setLevel(logging.CRITICAL)


def _complain(report: Report) -> None:
    for problem in report.problems:
        words = f"{problem}; see python -m tests.local.simulation {report.seed}"
        tables.line(f"seed {report.seed}", "", "flowser", words)
