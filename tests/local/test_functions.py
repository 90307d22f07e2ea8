"""Lambda functions: how they are found, called, and what is told of them."""

import asyncio
import functools
import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from flowser.exceptions import ConfigurationError, InvalidArgument
from flowser.local.engine.functions import Outcome
from flowser.local.functions import load, run
from flowser.testing.clock import virtual_time


def echo(event: Any, context: Any) -> Any:
    return [event, context]


async def slow_echo(event: Any, context: Any) -> Any:
    await asyncio.sleep(0)
    return [event, context]


def only_event(event: Any) -> Any:
    return event


class Object:
    """A function in another form."""

    async def __call__(self, event: Any, context: None = None) -> Any:
        await asyncio.sleep(0)
        return event

    @staticmethod
    def static(event: Any) -> Any:
        return event


def raising(event: Any, context: Any) -> Any:
    raise LookupError(f"no {event}")


async def raising_soon(event: Any, context: Any) -> Any:
    await asyncio.sleep(0)
    raise LookupError(f"no {event}")


def leaving(event: Any) -> Any:
    sys.exit(event)


async def leaving_soon(event: Any) -> Any:
    await asyncio.sleep(0)
    sys.exit(event)


async def cancelled(event: Any) -> Any:
    raise asyncio.CancelledError


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError


def unspeakable(event: Any) -> Any:
    raise Unspeakable


async def forever(event: Any) -> Any:
    await asyncio.Event().wait()


# -- calling -------------------------------------------------------------------------


@pytest.mark.parametrize("function", [echo, slow_echo])
async def test_function_gets_the_event_and_no_context(function: Any) -> None:
    assert await run(function, '{"n": 1}') == Outcome(result='[{"n": 1}, null]')


@pytest.mark.parametrize(
    "function",
    [only_event, Object(), Object.static, functools.partial(only_event), json.dumps],
)
async def test_function_may_take_the_event_alone_and_have_any_form(
    function: Any,
) -> None:
    wanted = '"7"' if function is json.dumps else "7"
    assert await run(function, "7") == Outcome(result=wanted)


async def test_function_of_c_gets_the_event_alone() -> None:
    assert await run(max, "[1, 3]") == Outcome(result="3")


async def test_input_that_is_no_json_is_given_as_it_is() -> None:
    assert await run(only_event, "{no") == Outcome(result='"{no"')


async def test_plain_functions_run_beside_each_other_however_many() -> None:
    gate = threading.Barrier(64, timeout=10)
    calls = (run(lambda event: bool(gate.wait() >= event), "0") for _ in range(64))
    assert set(await asyncio.gather(*calls)) == {Outcome(result="true")}


# -- what goes wrong -----------------------------------------------------------------


@pytest.mark.parametrize("function", [raising, raising_soon])
async def test_error_is_told_as_lambda_tells_it(function: Any) -> None:
    outcome = await run(function, "7")
    assert (outcome.result, outcome.reason) == (None, "Unhandled")
    told = json.loads(outcome.details or "")
    assert (told["errorType"], told["errorMessage"]) == ("LookupError", "no 7")
    assert told["stackTrace"][-1].startswith(f"{function.__name__}, line ")


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (leaving, "SystemExit"),
        (leaving_soon, "SystemExit"),
        (cancelled, "CancelledError"),
        (unspeakable, "Unspeakable"),
        (lambda: 1, "TypeError"),
        (lambda event: {event}, "TypeError"),  # no JSON
    ],
)
async def test_function_harms_nobody_whatever_it_does(
    function: Any, error: str
) -> None:
    outcome = await run(function, "7")
    assert json.loads(outcome.details or "")["errorType"] == error


async def test_endless_message_is_cut() -> None:
    def fail(event: Any) -> None:
        raise LookupError("\N{SNOWMAN}" * 100_000)

    outcome = await run(fail, "7")
    assert len(json.loads(outcome.details or "")["errorMessage"]) == 1_000


@pytest.mark.parametrize(("size", "fits"), [(32_766, True), (32_767, False)])
async def test_result_has_as_many_characters_as_swf_takes(
    size: int, fits: bool
) -> None:
    outcome = await run(lambda n: "." * n, str(size))
    assert (outcome.reason is None) == fits
    assert (
        fits or outcome.details == "the result has 32,769 characters; SWF takes 32,768"
    )


async def test_function_ends_after_fifteen_minutes() -> None:
    with virtual_time() as clock:
        outcome = await run(forever, "7")
        assert clock.time() >= 900
    assert json.loads(outcome.details or "")["errorType"] == "TimeoutError"


@pytest.mark.parametrize("plain", [False, True])
async def test_function_that_is_cancelled_has_no_outcome(plain: bool) -> None:
    gate = threading.Event()
    function = (lambda event: gate.wait()) if plain else forever
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run(function, "7"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
    gate.set()  # no thread is left behind
    assert task.cancelled()


# -- loading -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "found"),
    [("echo", echo), ("Object.static", Object.static), ("Object", Object)],
)
def test_function_is_found_by_its_module_and_name(where: str, found: Any) -> None:
    assert load(f"greet={__name__}:{where}") == ("greet", found)


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("", "write NAME=package.module:function"),
        ("greet", "write NAME=package.module:function"),
        ("greet=", "write NAME=package.module:function"),
        ("greet=json", "write NAME=package.module:function"),
        ("greet=json:", "write NAME=package.module:function"),
        ("greet=:loads", "write NAME=package.module:function"),
        ("=json:loads", "write NAME=package.module:function"),
        ("greet=no_such_module:f", "ModuleNotFoundError: No module named"),
        ("greet=json:no_such", "AttributeError: module 'json' has no attribute"),
        ("greet=json:__name__", "__name__ is not callable"),
        ("greet=.json:loads", "TypeError"),
    ],
)
def test_option_that_names_no_function_says_so(option: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(option)
    assert str(caught.value).startswith(f"--lambda {option}: {problem}")


def test_module_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_module.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError, match="ZeroDivisionError: division by zero"):
        load("greet=failing_module:f")


def test_name_that_swf_does_not_take_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="--lambda"):
        load(f"{'n' * 65}=json:loads")
