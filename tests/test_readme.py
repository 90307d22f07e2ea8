"""What the README shows is what happens."""

import re
from pathlib import Path

import pytest

from tests.support.processes import ROOT, run_python

README = (ROOT / "README.md").read_text()

FILES = dict(
    re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", README, re.DOTALL)
)
OUTPUTS = dict(re.findall(r"<!-- output: (\S+) -->\n```\n(.*?)```", README, re.DOTALL))


def test_every_python_block_is_a_file_that_the_tests_know() -> None:
    assert README.count("```python\n") == len(FILES)


def test_first_worker_takes_fewer_than_25_lines() -> None:
    assert len(FILES["hello.py"].splitlines()) < 25


@pytest.mark.parametrize("name", OUTPUTS)
async def test_program_prints_what_the_readme_shows(name: str, tmp_path: Path) -> None:
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    program = tmp_path / name if name in FILES else ROOT / name
    async with run_python(program, cwd=tmp_path) as running:
        assert await running.wait(timeout=50) == 0, running.text
        assert running.lines == OUTPUTS[name].splitlines()


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "pytest", "-q", "-o", "asyncio_mode=auto", "test_hello.py"),
        ("-m", "unittest", "-q", "case_hello"),
    ],
    ids=["pytest", "unittest"],
)
async def test_tests_of_the_readme_pass(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    async with run_python(*command, cwd=tmp_path) as running:
        assert await running.wait(timeout=50) == 0, running.text


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_the_readme_compiles(name: str) -> None:
    compile(FILES[name], name, "exec")
