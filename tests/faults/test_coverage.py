"""Every experiment of the list is a test.

Source:
    reliability.md section 4.
"""

import ast
import re
from pathlib import Path

#: Those about clients and workers; the rest are about servers.
EXPERIMENTS = range(1, 38)

#: Experiments that are no tests yet, and why.
EXEMPT: dict[int, str] = {}


def found_in_tests() -> set[int]:
    """Find the numbers with which the docstrings of tests begin."""
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                words = re.match(r"Experiment (\d+)\b", ast.get_docstring(node) or "")
                if words and node.name.startswith("test_"):
                    found.add(int(words[1]))
    return found


def test_every_experiment_is_a_test_or_says_why_not() -> None:
    assert found_in_tests() | EXEMPT.keys() == {*EXPERIMENTS}
    assert not found_in_tests() & EXEMPT.keys()
