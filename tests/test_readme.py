"""What the README shows is what happens."""

import re
import signal
from pathlib import Path

import pytest

from tests.support.processes import ROOT, run_python

README = (ROOT / "README.md").read_text()

FILES = dict(
    re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", README, re.DOTALL)
)
OUTPUTS = dict(re.findall(r"<!-- output: (\S+) -->\n```\n(.*?)```", README, re.DOTALL))

#: What follows "python" in the one line that runs each of them.
COMMANDS = {
    name: command.split()
    for name in OUTPUTS
    for [command] in [re.findall(rf"python ([^\n&]*\b{name}\b.*)", README)]
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of the README, beside our examples."""
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def test_every_python_block_is_a_file_that_the_tests_know() -> None:
    assert README.count("```python\n") == len(FILES)


def test_first_worker_takes_at_most_12_lines() -> None:
    assert len(FILES["hello.py"].splitlines()) <= 12


@pytest.mark.parametrize("name", OUTPUTS)
async def test_program_prints_what_the_readme_shows(name: str, folder: Path) -> None:
    command = _hurried(COMMANDS[name])
    async with run_python(*command, cwd=folder) as running:
        assert await running.wait(timeout=50) == 0, running.text
        assert running.out == OUTPUTS[name].splitlines()


@pytest.mark.parametrize("name", sorted(OUTPUTS.keys() - {"examples/arithmetic.py"}))
async def test_decisions_of_a_program_are_the_same_again(
    name: str, folder: Path
) -> None:
    command = ("-m", "tests.support.checked", *_hurried(COMMANDS[name]))
    async with run_python(*command, cwd=folder) as running:
        assert await running.wait(timeout=50) == 0, running.text
        await running.line_matching("^[1-9][0-9]* decisions were made again")


def _hurried(command: list[str]) -> list[str]:
    """Sleep for three seconds where a reader needs twenty to kill something."""
    return ["3" if word == "20" else word for word in command]


async def test_workflow_survives_what_the_readme_says(folder: Path) -> None:
    command = _hurried(COMMANDS["patient.py"])
    async with run_python(*command, cwd=folder) as first:
        await first.line_matching("the worker begins")
        first.signal(signal.SIGKILL)
        await first.wait()
    async with run_python(*command, cwd=folder) as second:
        assert await second.wait(timeout=50) == 0, second.text
        assert second.out == OUTPUTS["patient.py"].splitlines()


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "pytest", "-q", "-o", "asyncio_mode=auto", "test_hello.py"),
        ("-m", "unittest", "-q", "case_hello"),
    ],
    ids=["pytest", "unittest"],
)
async def test_tests_of_the_readme_pass(command: tuple[str, ...], folder: Path) -> None:
    async with run_python(*command, cwd=folder) as running:
        assert await running.wait(timeout=50) == 0, running.text


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_the_readme_compiles(name: str) -> None:
    compile(FILES[name], name, "exec")
