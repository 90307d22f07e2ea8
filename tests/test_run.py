"""``python -m flowser.run`` works until told to stop, and says why when it cannot."""

import asyncio
import json
import re
import signal
import textwrap
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from flowser import run
from tests.declared import Album, Photos, connected
from tests.support.processes import Child, run_python
from tests.support.scripted import ScriptedSwf
from tests.support.watched import WatchedSwf

PROGRAM = """
    import asyncio, logging, sys, threading, time
    import flowser
    from flowser import types

    class Resize(types.Activity):
        name, version, task_list = "Resize", "1.0", "images"
        heartbeat_timeout = 60

        async def run(self, input):
            print("began", flush=True)
            await asyncio.sleep(input)
            return "resized"

    class Stuck(types.Activity):
        name, version, task_list = "Stuck", "1.0", "images"

        def run(self, input):
            print("began", flush=True)
            threading.Event().wait()

    class Blocking(types.Activity):
        name, version, task_list = "Blocking", "1.0", "images"

        async def run(self, input):
            print("began", flush=True)
            while True:
                pass

    class Clinging(types.Activity):
        name, version, task_list = "Clinging", "1.0", "images"

        async def run(self, input):
            print("began", flush=True)
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    print("clings", flush=True)

    KINDS = {"Resize": Resize, "Stuck": Stuck, "Blocking": Blocking}
    KINDS["Clinging"] = Clinging

    class Album(types.Workflow):
        name, version, task_list = "Album", "1.0", "albums"

        async def decide(self, decision):
            if done := await decision.most_recent("ActivityTaskCompleted"):
                await decision.workflow_execution.complete(done.attrs["result"])
            elif await decision.most_recent("ActivityTaskScheduled") is None:
                start = await decision.start_input
                kind = KINDS[start["kind"]]
                decision.schedule(kind, start["for"], activity_id="a-1")

    class Photos(flowser.Domain):
        name = "photos"
        workflow_types = [Album]
        activity_types = list(KINDS.values())
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return written(tmp_path, PROGRAM)


@pytest.fixture
async def quick() -> AsyncIterator[WatchedSwf]:
    """A small SWF that holds polls for half a second."""
    async with WatchedSwf(poll_seconds=0.5) as server:
        yield server


def written(folder: Path, text: str, name: str = "shop.py") -> Path:
    """Write a program."""
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def flowser_run(*arguments: str | Path) -> AbstractAsyncContextManager[Child]:
    """Run the command in a process of its own."""
    return run_python("-m", "flowser.run", *arguments)


async def begun(local: WatchedSwf, child: Child, kind: str, seconds: float) -> None:
    """Start a run, and wait until its activity has begun in the child."""
    await local.parked("albums")
    await start(local.url, kind, seconds)
    await child.line_matching("^began$")


async def start(url: str, kind: str, seconds: float) -> None:
    """Start an Album that schedules one activity."""
    async with connected(url) as conn:
        given = {"kind": kind, "for": seconds}
        await Photos(conn).start(Album, given, workflow_id="album-1")


async def test_first_sigterm_finishes_what_is_in_hand(
    quick: WatchedSwf, program: Path
) -> None:
    async with flowser_run(program, "--endpoint", quick.url) as child:
        await begun(quick, child, "Resize", 0.4)
        child.signal(signal.SIGTERM)
        await child.line_matching("polls no more")
        assert await child.wait() == 0
    assert quick.events["ActivityTaskCompleted"] == 1
    assert quick.events["ActivityTaskFailed"] == 0
    assert "Traceback" not in child.text


async def test_second_signal_cancels_what_is_in_hand_and_tells_swf(
    quick: WatchedSwf, program: Path
) -> None:
    async with flowser_run(program, "--endpoint", quick.url) as child:
        await begun(quick, child, "Resize", 600)
        child.signal(signal.SIGINT)
        await child.line_matching("polls no more")
        child.signal(signal.SIGINT)
        assert await child.wait() == 1
    assert quick.events["ActivityTaskFailed"] == 1
    assert "a-1 is cut off" in child.text
    assert "activity_id=a-1" in child.text


async def test_third_signal_is_the_default_action(
    quick: WatchedSwf, program: Path
) -> None:
    async with flowser_run(program, "--endpoint", quick.url) as child:
        await begun(quick, child, "Stuck", 0)
        child.signal(signal.SIGTERM)
        await child.line_matching("polls no more")
        child.signal(signal.SIGTERM)
        await child.line_matching("cut off")
        child.signal(signal.SIGTERM)
        assert await child.wait() in (-signal.SIGTERM, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_third_signal_ends_a_worker_whose_event_loop_is_blocked(
    quick: WatchedSwf, program: Path, number: signal.Signals
) -> None:
    async with flowser_run(program, "--endpoint", quick.url) as child:
        await begun(quick, child, "Blocking", 0)
        await child.line_matching("the event loop has been blocked")
        for _ in range(3):
            child.signal(number)
            # Signals of one kind that come together are one signal.
            await child.caught(number)
        # An interrupt may be raised in the handler itself, which then fails.
        assert await child.wait() in (-number, 130, 1)


async def test_third_interrupt_ends_a_worker_whose_handler_clings(
    quick: WatchedSwf, program: Path
) -> None:
    async with flowser_run(program, "--endpoint", quick.url) as child:
        await begun(quick, child, "Clinging", 0)
        child.signal(signal.SIGINT)
        await child.line_matching("polls no more")
        child.signal(signal.SIGINT)
        await child.line_matching("^clings$")
        child.signal(signal.SIGINT)
        assert await child.wait() in (130, 1)


async def test_thread_that_never_ends_does_not_keep_the_process(
    quick: WatchedSwf, program: Path
) -> None:
    arguments = ("--endpoint", quick.url, "--drain", "0")
    async with flowser_run(program, *arguments) as child:
        await begun(quick, child, "Stuck", 0)
        child.signal(signal.SIGTERM)
        assert await child.wait() == 1
    assert quick.events["ActivityTaskFailed"] == 1


async def test_killed_worker_leaves_a_task_that_times_out(program: Path) -> None:
    async with WatchedSwf(second=0.01) as local:
        async with flowser_run(program, "--endpoint", local.url) as child:
            await begun(local, child, "Resize", 600)
            child.signal(signal.SIGKILL)
            assert await child.wait() == -signal.SIGKILL
        await local.happened("ActivityTaskTimedOut")


async def test_log_is_json_when_asked_for(quick: WatchedSwf, program: Path) -> None:
    arguments = ("--endpoint", quick.url, "--log-format", "json", "--identity", "me")
    async with flowser_run(program, *arguments) as child:
        await child.line_matching("the worker begins")
        child.signal()
        assert await child.wait() == 0
    lines = [json.loads(line) for line in child.lines]
    assert {"registered domain photos"} <= {line["message"] for line in lines}
    [begins] = [line for line in lines if line["message"] == "the worker begins"]
    assert begins["domain"] == "photos"
    assert begins["logger"] == "flowser.worker"


async def test_local_brings_an_swf_of_its_own(program: Path) -> None:
    async with flowser_run(program, "--local") as child:
        url = (await child.line_matching(r"listens at (http://\S+);", timeout=50))[1]
        await child.line_matching("the worker begins")
        await start(url, "Resize", 0)
        await child.line_matching("^began$")
        child.signal(signal.SIGINT)
        assert await child.wait(20) == 0
    host, port = url.removeprefix("http://").split(":")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))


async def test_check_compares_and_registers_nothing(
    local: WatchedSwf, program: Path
) -> None:
    async with flowser_run(program, "--endpoint", local.url, "--check") as child:
        assert await child.wait() == 1
    assert "domain photos is not registered" in child.text
    async with connected(local.url) as conn:
        await Photos(conn).register()
    async with flowser_run(program, "--endpoint", local.url, "--check") as child:
        assert await child.wait() == 1
    assert "activity Stuck 1.0 is not registered" in child.text
    assert local.calls["PollForActivityTask"] == 0


async def test_check_of_what_is_registered_is_content(
    local: WatchedSwf, tmp_path: Path
) -> None:
    text = PROGRAM.replace("list(KINDS.values())", "[Resize]")
    text = text.replace("= 60", '= "3600"')
    path = written(tmp_path, text)
    async with connected(local.url) as conn:
        await Photos(conn).register()
    async with flowser_run(path, "--endpoint", local.url, "--check") as child:
        assert await child.wait() == 0
    assert "all is registered as the code says" in child.text


async def test_no_register_registers_nothing(
    scripted: ScriptedSwf, program: Path
) -> None:
    arguments = ("--endpoint", scripted.url, "--no-register", "--activity-pollers", "2")
    async with flowser_run(program, *arguments) as child:
        await scripted.received("PollForActivityTask", 2)
        child.signal()
        await child.line_matching("polls no more")
        scripted.release_polls()
        assert await child.wait() == 0
    assert {r.operation[:7] for r in scripted.requests} == {"PollFor"}


async def test_worker_of_the_program_gets_the_options(
    scripted: ScriptedSwf, tmp_path: Path
) -> None:
    own = """
    def worker(domain, **options):
        print(sorted(options.items()), flush=True)
        made = flowser.Worker(domain, **options)
        made.activity(Resize)(print)
        return made
    """
    path = written(tmp_path, PROGRAM + own)
    arguments = ("--endpoint", scripted.url, "--drain", "0", "--decisions", "7")
    async with flowser_run(path, *arguments) as child:
        await child.line_matching(r"^\[\('decisions', 7\), \('drain', 0.0\)\]$")
        await child.line_matching("the worker begins")
        child.signal()
        assert await child.wait() == 0  # polls that are cut off are no disorder


async def test_runs_are_kept_in_memory_unless_told_otherwise(
    scripted: ScriptedSwf, tmp_path: Path
) -> None:
    own = """
    def worker(domain, **options):
        print(sorted(options.items()), flush=True)
        return flowser.Worker(domain, **options)
    """
    path = written(tmp_path, PROGRAM + own)
    arguments = ("--endpoint", scripted.url, "--drain", "0", "--no-sticky")
    async with flowser_run(path, *arguments, "--watchdog", "30") as child:
        expected = "('drain', 0.0), ('sticky', False), ('watchdog', 30.0)"
        await child.line_matching(rf"^\[{re.escape(expected)}\]$")
        child.signal()
        await child.wait()


@pytest.mark.parametrize(
    ("text", "line", "trace"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'", True),
        ("def f(:", "SyntaxError: invalid syntax", True),
        ("raise SystemExit(0)", "SystemExit: 0", True),
        ("import flowser", "has no subclass of flowser.Domain with a name", False),
    ],
)
async def test_program_that_is_broken_is_told_with_its_own_frames(
    tmp_path: Path, text: str, line: str, trace: bool
) -> None:
    path = written(tmp_path, text)
    async with flowser_run(path, "--local") as child:
        assert await child.wait() == 2
    assert child.lines[-1].startswith(f"flowser.run: {path} ")
    assert child.lines[-1].endswith(line)
    assert ("shop.py" in "".join(child.lines[:-1])) is trace
    assert "importlib" not in child.text
    ours = f"{Path(run.__file__).parent}/"
    assert ours not in "".join(child.lines[:-1])


@pytest.mark.parametrize(
    ("variable", "line"),
    [
        (("AWS_DEFAULT_REGION", None), "pass --region, or set AWS_DEFAULT_REGION"),
        (("AWS_ACCESS_KEY_ID", None), "no AWS credentials found"),
        (("AWS_PROFILE", "nobody"), "check --profile, AWS_PROFILE"),
    ],
)
async def test_what_is_missing_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    program: Path,
    variable: tuple[str, str | None],
    line: str,
) -> None:
    name, value = variable
    monkeypatch.delenv(name, raising=False)
    if value is not None:
        monkeypatch.setenv(name, value)
    async with flowser_run(program) as child:
        assert await child.wait() == 2
    [told] = child.lines
    assert told.startswith("flowser.run: ")
    assert line in told


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--local", "--endpoint", "http://127.0.0.1:1"], "brings its own endpoint"),
        (["--local", "--profile", "p"], "brings its own endpoint"),
    ],
)
def test_options_that_contradict_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert run.main(["shop.py", *arguments]) == 2
    assert line in capsys.readouterr().err


async def test_settings_that_do_not_suit_the_domain_are_told_in_one_line(
    local: WatchedSwf, program: Path
) -> None:
    arguments = ("--endpoint", local.url, "--activities", "0")
    async with flowser_run(program, *arguments) as child:
        assert await child.wait() == 2
    assert child.lines == ["flowser.run: activities is 0: give 1 or more"]
