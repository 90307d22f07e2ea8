"""The small parts of a worker: handlers, failures, the watchdog."""

import asyncio
import functools
import logging
import threading
from typing import Any

import pytest

from flowser import types
from flowser._worker import failures
from flowser._worker.handlers import Handlers, seconds
from flowser._worker.watchdog import Watchdog
from flowser.exceptions import InvalidArgument
from tests.declared import Album, Resize, logged

# -- handlers --


class Callable:
    async def __call__(self, given: object) -> str:
        return "called"


async def served(function: Any) -> Any:
    """Serve Resize by a function, and call it as a worker does."""
    handlers = Handlers[types.Activity]("run", [])
    handlers.add(Resize, function)
    handler = handlers.get("Resize", "1.0")
    assert handler
    made: Any = handler.kind(None)  # type: ignore[arg-type]
    found = made.run("x")
    made._hints()  # whatever it is, its annotations can be looked at
    return found if handler.threaded else await found


async def sum_of(first: str, given: object) -> str:
    return first


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (Callable(), "called"),
        (functools.partial(sum_of, "partly"), "partly"),
        (str.upper, "X"),
        (lambda given: given, "x"),
        (functools.partial(max, "a"), "x"),
    ],
)
async def test_anything_callable_serves(function: Any, result: str) -> None:
    assert await served(function) == result


def test_types_are_found_by_name_and_version() -> None:
    class Resize2(Resize):
        version = "2.0"
        task_list = "others"

        def run(self, input: object) -> None: ...

    handlers = Handlers[types.Activity]("run", [Resize, Resize2])
    assert handlers.get("Resize", "1.0") is None
    found = handlers.get("Resize", "2.0")
    assert found
    assert found.kind is Resize2
    assert handlers.lists() == {"others": True}


def test_two_types_of_one_name_and_version_are_refused() -> None:
    class Other(Resize):
        def run(self, input: object) -> None: ...

    class Another(Resize):
        def run(self, input: object) -> None: ...

    assert [*Handlers("run", [Other, Other])]
    with pytest.raises(InvalidArgument, match="Another has the name and version of O"):
        Handlers("run", [Other, Another])


@pytest.mark.parametrize("run", [lambda self: None, lambda self, a, b: None])
def test_handler_that_takes_no_input_is_refused(run: Any) -> None:
    kind = type("Wrong", (Resize,), {"run": run})
    with pytest.raises(InvalidArgument, match=r"Wrong\.run cannot be called"):
        Handlers("run", [kind])


def test_type_without_task_list_is_refused() -> None:
    class Lost(types.Activity):
        name, version = "Lost", "1.0"

        def run(self, input: object) -> None: ...

    with pytest.raises(InvalidArgument, match=r"Lost\.task_list is missing"):
        Handlers("run", [Lost])


def test_decider_that_is_a_plain_def_is_refused() -> None:
    kind = type("Plain", (Album,), {"decide": lambda self, decision: None})
    with pytest.raises(InvalidArgument, match=r"Plain\.decide is a plain def"):
        Handlers("decide", [kind])


@pytest.mark.parametrize(
    ("value", "expected"), [("30", 30.0), (5, 5.0), ("NONE", None), (0, None)]
)
def test_timeouts_are_read_in_seconds(value: Any, expected: float | None) -> None:
    kind = type("Timed", (Resize,), {"heartbeat_timeout": value})
    assert seconds(kind, "heartbeat_timeout") == expected


# -- failures --


def test_long_reason_is_cut_and_says_so() -> None:
    told = failures.failure(ValueError("x" * 1_000))
    assert len(told.reason) == 256
    assert told.reason.endswith("…")


def test_long_details_keep_their_first_and_last_lines() -> None:
    def deep(depth: int) -> None:
        if depth:
            deep(depth - 1)
        raise ValueError("x" * 50_000 + " the end")

    with pytest.raises(ValueError, match="the end") as caught:
        deep(50)
    told = failures.failure(caught.value)
    assert told.details
    assert len(told.details) <= 32_768
    assert told.details.startswith("Traceback")
    assert told.details.rstrip().endswith("the end")
    assert "characters are left out" in told.details


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_exception_that_cannot_be_read_is_told_all_the_same() -> None:
    told = failures.failure(Unspeakable())
    assert told.reason == "Unspeakable: its message cannot be read: RuntimeError"


def test_characters_that_cannot_be_sent_are_replaced() -> None:
    told = failures.failure(ValueError("\ud800"))
    assert told.reason == "ValueError: ?"
    assert told.details
    assert told.details.encode()


class Orphan:
    """A coroutine that nobody runs to its end."""

    def __init__(self) -> None:
        self.seen: list[bool] = []

    async def wait(self, task: "asyncio.Task[Any] | None") -> None:
        try:
            await asyncio.Event().wait()
        except GeneratorExit:
            self.seen.append(failures.left_behind(task))
            raise


async def test_end_of_a_coroutine_that_was_left_behind_is_no_failure() -> None:
    orphan, task = Orphan(), asyncio.current_task()
    coroutine = orphan.wait(None)
    coroutine.send(None)
    coroutine.close()
    assert orphan.seen == [True]
    assert not failures.left_behind(task)


def test_end_of_a_coroutine_without_its_loop_is_no_failure() -> None:
    assert failures.left_behind(None)


# -- the watchdog --


async def test_handler_that_blocks_the_loop_is_named_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen = threading.Event()

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.set()

    logger, listening = logging.getLogger("flowser.worker"), Listening()
    logger.addHandler(listening)
    with Watchdog(0.05):
        seen.wait(5)  # blocks the loop
        threading.Event().wait(0.1)
    logger.removeHandler(listening)
    [record] = caplog.records
    assert "has been blocked for" in record.getMessage()
    assert record.stack_info
    assert "seen.wait(5)  # blocks the loop" in record.stack_info


async def test_loop_that_goes_round_is_not_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop, enough = asyncio.get_running_loop(), asyncio.Event()
    with Watchdog(0.05):
        loop.call_later(0.2, enough.set)
        await enough.wait()
    assert logged(caplog) == []
