"""``python -m flowser.run hello.py --start greeting World``, and others."""

import re
import signal
import textwrap
from pathlib import Path

import pytest

import flowser
from flowser import flow, types
from flowser._loading import Broken
from flowser._starting import Start
from tests.support.processes import run_python

PROGRAM = """
    import asyncio
    from flowser import Domain, flow

    # What a dead worker had in hand is over after three seconds.
    @flow.activity(
        version="1.0",
        task_list="greetings",
        start_to_close_timeout=3,
        retry=flow.Retry(attempts=3),
    )
    async def greet(name: str) -> str:
        print("greets", name, flush=True)
        return f"Hello, {name}!"

    @flow.workflow(
        version="1.0", task_list="decisions", task_start_to_close_timeout=3
    )
    async def greeting(name: str, pause: float = 0) -> str:
        text = await greet(name)
        await asyncio.sleep(pause)
        return text

    @flow.workflow(version="1.0", task_list="decisions")
    async def counting(upto: int) -> dict[str, list[int]]:
        if upto < 0:
            raise ValueError("count up")
        return {"counted": [*range(upto)]}

    class Hello(Domain):
        name, workflow_types = "hello", [greeting, counting]
        activity_types = [greet]
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "hello.py"
    path.write_text(textwrap.dedent(PROGRAM))
    return path


async def test_result_is_printed_and_the_worker_stops(program: Path) -> None:
    command = ("-m", "flowser.run", program, "--local", "--start")
    async with run_python(*command, "greeting", "World") as running:
        assert await running.wait() == 0, running.text
        assert running.out == ["greets World", "Hello, World!"]


async def test_result_that_is_no_text_is_printed_as_json(program: Path) -> None:
    command = ("-m", "flowser.run", program, "--local", "--start")
    async with run_python(*command, "counting", "3") as running:
        assert await running.wait() == 0, running.text
        assert running.out == ['{"counted":[0,1,2]}']


async def test_failure_is_told_and_is_the_exit_status(program: Path) -> None:
    command = ("-m", "flowser.run", program, "--local", "--start")
    async with run_python(*command, "counting", "-1") as running:
        assert await running.wait() == 1
        assert running.out == []
        assert re.search("ExecutionFailed.*count up", running.text)


async def test_execution_goes_on_after_kill_9(program: Path, tmp_path: Path) -> None:
    command = ("-m", "flowser.run", program, "--local-db", tmp_path / "hello.db")
    start = ("--start", "greeting", "World", "2")
    async with run_python(*command, *start) as first:
        await first.line_matching("^greets World$")
        first.signal(signal.SIGKILL)
        await first.wait()
    async with run_python(*command, *start) as second:
        assert await second.wait(timeout=45) == 0, second.text
        assert second.out[-1] == "Hello, World!"


async def test_worker_that_is_stopped_leaves_the_execution(program: Path) -> None:
    command = ("-m", "flowser.run", program, "--local", "--start")
    async with run_python(*command, "greeting", "World", "600") as running:
        await running.line_matching("^greets World$")
        running.signal(signal.SIGTERM)
        assert await running.wait() == 0, running.text
        assert "greeting goes on without this worker" in running.text


# -- what is read ----------------------------------------------------------------------


@flow.workflow(version="1.0", task_list="orders")
async def order(order_id: str, amount: int = 1) -> str:
    return f"{order_id} {amount}"


class Old(types.Workflow):
    name, version, task_list = "Album", "1.0", "albums"


class New(Old):
    version = "2.0"


class Shop(flowser.Domain):
    name, workflow_types = "shop", [order, Old, New]


class Nothing:
    """No connection that is used."""

    async def call(self, *_: object) -> None:
        raise AssertionError


def read(*words: str, id: str | None = None) -> Start:
    return Start.read(Shop(Nothing()), words, id)


def test_arguments_are_json_of_their_types_or_texts() -> None:
    assert read("order", "o-1", "12").input == order.input("o-1", 12)
    assert read("order", '"12"').input == order.input("12")
    assert read("order", "12").input == order.input("12")
    assert read("Album:1.0", '{"id": 7}').input == {"id": 7}
    assert read("Album:1.0").input is None


def test_id_is_the_name_unless_given() -> None:
    assert read("order", "o-1").id == "order"
    assert read("order", "o-1", id="o-1").id == "o-1"


def test_version_tells_types_apart() -> None:
    assert read("Album:1.0").kind is Old
    assert read("Album:2.0").kind is New


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("ordre",), "ordre: the workflow types are order:1.0, Album:1.0, Album:2.0"),
        (("Album",), "Album: the workflow types are .*; name one"),
        (("order",), "order: .*order_id"),
        (("order", "a", "1", "b"), "order: .*too many"),
        (("order", "a", "b"), "order: amount: .*int.*in 'b'"),
        (("Album:1.0", "1", "2"), "takes one input, not 2 arguments"),
    ],
)
def test_what_cannot_be_started_is_told(words: tuple[str, ...], problem: str) -> None:
    with pytest.raises(Broken, match=problem):
        read(*words)
