"""Every example runs by itself, as its docstring says, and prints what it promises."""

from pathlib import Path

import pytest

from tests.support.processes import ROOT, run_python

EXAMPLES = ROOT / "examples"

PRINTED = {
    "approval.py": ["12 EUR for o-1, approved by Ada", "o-2 has expired"],
    "arithmetic.py": ["{'mult_id': 6, 'sum_id': 10}"],
    "cancellation.py": [
        "the lathe stops",
        "the lathe is swept",
        "the shift is canceled",
    ],
    "children.py": ["['hot soup', 'hot fish', 'hot pie']"],
    "continue_as_new.py": ["210", "3 runs"],
    "embedded.py": ["{'result': '12 EUR charged for order o-17'}"],
    "fan_out.py": ["{'words': 34737, 'missing': 1}"],
    "heartbeats.py": ["prices.csv: lines 5 to 6 by the last attempt"],
    "saga.py": [
        "booked flight",
        "booked hotel",
        "canceled hotel",
        "canceled flight",
        "ActivityFailed: book (3): LookupError: no car left",
    ],
    "thumbnails.py": ["['a.png@200', 'b.png@200']"],
}

#: These decide by hand, and replay nothing.
BY_HAND = {"arithmetic.py", "embedded.py"}


def test_every_example_has_its_expected_output() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == PRINTED.keys()


@pytest.mark.parametrize("name", PRINTED)
async def test_example_prints_its_result_and_nothing_else(
    name: str, tmp_path: Path
) -> None:
    async with run_python(EXAMPLES / name, cwd=tmp_path) as program:
        assert await program.wait(timeout=50) == 0, program.text
        assert program.lines == PRINTED[name]


@pytest.mark.parametrize("name", sorted(PRINTED.keys() - BY_HAND))
async def test_decisions_of_an_example_are_the_same_again(
    name: str, tmp_path: Path
) -> None:
    command = ("-m", "tests.support.checked", EXAMPLES / name)
    async with run_python(*command, cwd=tmp_path) as program:
        assert await program.wait(timeout=50) == 0, program.text
        await program.line_matching("^[1-9][0-9]* decisions were made again")
