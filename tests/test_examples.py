"""Every example runs by itself, as its docstring says, and prints what it promises."""

from pathlib import Path

import pytest

from tests.support.processes import ROOT, run_python

EXAMPLES = ROOT / "examples"

PRINTED = {
    "arithmetic.py": ["{'mult_id': 6, 'sum_id': 10}"],
    "embedded.py": ["{'result': '12 EUR charged for order o-17'}"],
}


def test_every_example_has_its_expected_output() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == PRINTED.keys()


@pytest.mark.parametrize("name", PRINTED)
async def test_example_prints_its_result_and_nothing_else(
    name: str, tmp_path: Path
) -> None:
    async with run_python(EXAMPLES / name, cwd=tmp_path) as program:
        assert await program.wait(timeout=50) == 0, program.text
        assert program.lines == PRINTED[name]
