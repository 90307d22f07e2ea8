"""Prints all figures, or those that are named: ``python -m tests.benchmarks pages``."""

import argparse
import platform
from collections.abc import Callable
from importlib import metadata

from tests.benchmarks import (
    arithmetic_workflow,
    flight,
    history_page,
    idle,
    local_calls,
    local_histories,
    local_polls,
    local_simulation,
    local_workflow,
    pages,
    replay,
    replay_features,
    replay_latency,
    replay_memory,
    replay_sticky,
    small_call,
)
from tests.benchmarks.measuring import CLIENT_CPU, LOOPS, pin
from tests.benchmarks.servers import Servers, serving

FIGURES: dict[str, Callable[[Servers], None]] = {
    "small-call": small_call.main,
    "history-page": history_page.main,
    "workflow": arithmetic_workflow.main,
    "idle": idle.main,
    "flight": flight.main,
    "pages": pages.main,
    "local-calls": local_calls.main,
    "local-histories": local_histories.main,
    "local-workflow": local_workflow.main,
    "local-polls": local_polls.main,
    "local-simulation": local_simulation.main,
    "replay": replay.main,
    "replay-memory": replay_memory.main,
    "replay-sticky": replay_sticky.main,
    "replay-features": replay_features.main,
    "replay-latency": replay_latency.main,
}

_PACKAGES = ("aiobotocore", "botocore", "aiohttp", "msgspec", "uvloop")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    help_text = f"one of {', '.join(FIGURES)}; all when there is none"
    parser.add_argument("figure", nargs="*", help=help_text)
    chosen = parser.parse_args().figure
    for name in set(chosen) - set(FIGURES):
        parser.error(f"no figure {name!r}: choose {help_text}")
    print(_versions())
    with serving() as servers:
        for name in chosen or FIGURES:
            pin(CLIENT_CPU)
            FIGURES[name](servers)


def _versions() -> str:
    known = (name for name in _PACKAGES if name != "uvloop" or name in LOOPS)
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in known)
    return f"Python {platform.python_version()}, {packages}"


if __name__ == "__main__":
    main()
