"""Programs that cannot be run, or must not be: one clear line, and exit status 2.

Source:
    reliability.md section 4 experiment 37, section 5 (``python -m flowser.run``).
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

import flowser
from tests.faults import worker_program
from tests.faults.test_processes import PATIENCE, field
from tests.support.processes import Child, run_python

NOWHERE = "http://127.0.0.1:9"

GOOD = """
import flowser

class Work(flowser.types.Activity):
    name, version, task_list = "Work", "1.0", "work"
    async def run(self, input):
        return input

class Farm(flowser.Domain):
    name = "farm"
    activity_types = [Work]
"""

#: What stands in a file, and what the last line says of it.
BROKEN = {
    "raises": ("def plough():\n    raise ValueError('no ox')\n\nplough()\n", "no ox"),
    "syntax": ("import flowser\n\ndef plough(:\n    pass\n", "SyntaxError"),
    "imports nothing": ("import no_such_module_anywhere\n", "no_such_module_anywhere"),
    "exits": ("import sys\nsys.exit('not today')\n", "not today"),
    "no domain": ("import flowser\n", "no subclass of flowser.Domain"),
    "several": (f"{GOOD}\nclass Garden(Farm):\n    name = 'garden'\n", "Farm, Garden"),
    "no handler": (
        "import flowser\n\nclass Farm(flowser.Domain):\n    name = 'farm'\n",
        "has no handler",
    ),
    "bad handler": (GOOD.replace("self, input", "self"), "cannot be called"),
}

#: Of these it is the user's own code that fails, and the traceback shows it.
THEIRS = {"raises", "syntax", "imports nothing", "exits"}


async def refused(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> Child:
    """Run what cannot be run; give what it said."""
    command = ("-m", "flowser.run", "--endpoint", NOWHERE, "--no-register")
    async with run_python(*command, *arguments, env=env, cwd=cwd) as child:
        assert await child.wait(timeout=PATIENCE) == 2, child.text
    assert child.out == []
    return child


@pytest.mark.parametrize("case", BROKEN)
async def test_program_that_cannot_be_run_is_told_in_one_line(
    case: str, tmp_path: Path
) -> None:
    """Experiment 37: exit 2, the user's traceback where it is theirs, none of ours."""
    text, words = BROKEN[case]
    path = tmp_path / "worker.py"
    path.write_text(text)
    child = await refused(path)
    assert words in child.err[-1]
    assert child.err[-1].startswith("flowser.run: ")
    if case in THEIRS:
        assert child.err[0] == "Traceback (most recent call last):" or case == "syntax"
        assert str(path) in child.text
    else:
        assert len(child.err) == 1
    assert f"{Path(flowser.__file__).parent}/" not in child.text
    assert "importlib" not in child.text


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        (".", "folder"),
        ("no_such_file.py", "no such file"),
        ("http://127.0.0.1/worker.py", "URL"),
        ("no_such_package.module", "no such module"),
        ("worker.py:Barn", "Barn"),
        ("not a name", "no such file"),
    ],
)
async def test_target_that_is_no_program_is_told(
    argument: str, words: str, tmp_path: Path
) -> None:
    """Experiment 37: a folder, a URL, a missing file or module, a missing name."""
    (tmp_path / "worker.py").write_text(GOOD)
    child = await refused(argument, cwd=tmp_path)
    assert len(child.err) == 1
    assert words in child.err[0]


async def test_program_must_be_named_on_the_command_line(tmp_path: Path) -> None:
    """Experiment 37: no environment variable brings code, and none is guessed."""
    (tmp_path / "worker.py").write_text(GOOD)
    (tmp_path / "config.py").write_text("raise SystemExit('config was imported')\n")
    variables = ("FLOWSER_TARGET", "FLOWSER_WORKER", "FLOWSER_APP", "FLOWSER_CONFIG")
    env = {name: str(tmp_path / "worker.py") for name in variables}
    async with run_python("-m", "flowser.run", env=env, cwd=tmp_path) as child:
        assert await child.wait(timeout=PATIENCE) == 2
    assert "target" in child.err[-1]
    child = await refused("no_such_file.py", env=env, cwd=tmp_path)
    assert "config was imported" not in child.text


_TELLS = """
import json, sys
print(json.dumps({"name": __name__, "path": sys.path, "modules": [*sys.modules]}))
import helper
raise ValueError(helper.WHERE)
"""


async def test_program_is_loaded_once_under_its_own_name_from_its_own_folder(
    tmp_path: Path,
) -> None:
    """Experiment 37: its folder is on the path, and the current one is not."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home, elsewhere):
        folder.mkdir()
        (folder / "helper.py").write_text(f"WHERE = 'from {folder.name}'\n")
        (folder / "config.py").write_text("raise SystemExit('config was imported')\n")
    (home / "barn.py").write_text(_TELLS)
    command = ("-m", "flowser.run", "--endpoint", NOWHERE, home / "barn.py")
    async with run_python(*command, cwd=elsewhere) as child:
        assert await child.wait(timeout=PATIENCE) == 2
    (line,) = child.out  # loaded once
    told = json.loads(line)
    assert told["name"] == "barn"
    assert "barn" in told["modules"]
    assert told["path"][0] == str(home)
    assert str(elsewhere) not in told["path"]
    assert "" not in told["path"]
    assert "from home" in child.err[-1]


async def test_program_that_has_the_name_of_a_module_is_refused(tmp_path: Path) -> None:
    """Experiment 37: ``logging.py`` would be half of the program and half of Python."""
    path = tmp_path / "logging.py"
    path.write_text(GOOD)
    child = await refused(path)
    assert len(child.err) == 1
    assert "rename" in child.err[0]


async def test_program_without_credentials_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Experiment 37: the program is well, the environment is not: one line."""
    path = tmp_path / "worker.py"
    path.write_text(GOOD)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    child = await refused(path)
    assert len(child.err) == 1
    assert "no AWS credentials found" in child.err[0]


async def test_handler_can_spawn_processes() -> None:
    """Experiment 37: a spawned process loads the program, and starts no worker."""
    async with field(poll_seconds=0.5) as here:
        run = await here.begin([["spawn", 7]])
        async with here.worker() as child:
            await here.swf.happened("ActivityTaskCompleted", timeout=PATIENCE)
        (done,) = [
            event.attributes
            for event in await here.events(run)
            if event.type == "ActivityTaskCompleted"
        ]
    assert done.result == "49"
    assert child.text.count("the worker begins") == 1


async def test_worker_runs_in_a_process_that_was_spawned(tmp_path: Path) -> None:
    """Experiment 37: a supervisor of one's own may start workers by ``spawn``."""
    program = tmp_path / "supervisor.py"
    program.write_text(
        "import asyncio, multiprocessing, sys\n"
        "import flowser\n"
        f"from {worker_program.__name__} import Farm\n"
        "\n"
        "async def work(url):\n"
        "    async with flowser.connect(endpoint_url=url) as conn:\n"
        "        assert await flowser.Worker(Farm(conn)).run()\n"
        "\n"
        "def main(url):\n"
        "    asyncio.run(work(url))\n"
        "\n"
        "if __name__ == '__main__':\n"
        "    spawn = multiprocessing.get_context('spawn')\n"
        "    child = spawn.Process(target=main, args=(sys.argv[1],))\n"
        "    child.start()\n"
        "    print(child.pid, flush=True)\n"
        "    child.join()\n"
        "    sys.exit(child.exitcode)\n"
    )
    async with field(poll_seconds=0.5) as here:
        await here.begin([["sleep", 0]])
        async with run_python(program, here.swf.url) as child:
            pid = await child.line_matching(r"^(\d+)$", timeout=PATIENCE)
            await here.swf.happened("ActivityTaskCompleted", timeout=PATIENCE)
            os.kill(int(pid[1]), 15)
            assert await child.wait(timeout=PATIENCE) == 0
