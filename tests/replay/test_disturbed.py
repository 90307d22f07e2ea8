"""Workers that are killed, forget, and lose messages: runs come to the same end.

More seeds than these: ``python -m tests.replay.disturbed 0 2000``.
"""

import pytest

from tests.replay.disturbed import check, play
from tests.replay.plans import Plan

SEEDS = range(24)

#: Some of them, with many disturbances.
ROUGH = (0, 7, 12)


@pytest.mark.parametrize("seed", SEEDS)
async def test_disturbed_run_ends_as_an_undisturbed_one(seed: int) -> None:
    await check(seed)


@pytest.mark.parametrize("seed", ROUGH)
async def test_disturbances_do_happen(seed: int) -> None:
    _, harmed = await check(seed)
    assert harmed.harms.done >= 2


async def test_another_program_has_other_effects() -> None:
    one, other = [(await play(Plan(seed), seed)).effects for seed in ROUGH[:2]]
    assert one != other
