"""Whatever comes to harm, all is kept, counted once, and comes to its end.

Source:
    reliability.md section 4, experiment 56.
"""

import json
import subprocess
import sys
from collections import Counter

import pytest

from tests.local.simulation import Mortal, simulate
from tests.support.processes import child_environment

_SEEDS = 50


@pytest.mark.parametrize("seed", range(_SEEDS))
def test_all_is_well_after_the_storm(seed: int) -> None:
    """Experiment 56; to see more of it: python -m tests.local.simulation SEED."""
    report = simulate(seed)
    assert report.problems == [], f"seed {seed}: {report}"
    assert report.acknowledged > 10


def test_same_seed_gives_the_same_trace() -> None:
    code = "from tests.local.simulation import simulate; print(simulate(7).digest)"
    environment = child_environment({"PYTHONHASHSEED": "7"})
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True
    )
    assert told.stdout.decode().strip() == simulate(7).digest
    assert simulate(8).digest != simulate(7).digest


def test_storm_does_all_the_harm_that_there_is() -> None:
    harms = sum((simulate(seed).harms for seed in range(3)), Counter[str]())
    assert len(harms) == 12, json.dumps(harms)


# -- would it be noticed? ------------------------------------------------------------


class Late(Mortal):
    """A store that says "committed" before it is."""

    _commits = 0

    def commit(self) -> None:
        """Commit, every now and then."""
        self._commits += 1
        if self.dead or self._commits < 10 or self._commits % 7 == 0:
            super().commit()


def test_server_that_loses_something_is_found_out() -> None:
    problems = [problem for n in range(5) for problem in simulate(n, Late).problems]
    assert any("lost" in problem for problem in problems)
