"""Lambda functions that a service runs."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowser import decisions as d
from flowser.local.storage import Store
from flowser.testing.clock import Clock, virtual_time
from tests.local.served import (
    START,
    Client,
    allow_writing,
    attributes,
    served,
    serving,
)

_ROLE = "arn:aws:iam::123456789012:role/lambda"


@pytest.fixture(autouse=True)
async def clock() -> Any:
    """Let time jump."""
    with virtual_time() as clock:
        yield clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "swf.db"


def invoke(name: str, input: str | None = None, **members: Any) -> d.Decision:
    return d.ScheduleLambdaFunction(id="l", name=name, input=input, **members)


async def begin(client: Client, *made: d.Decision) -> str:
    lasting = {"execution_start_to_close_timeout": "99999", "lambda_role": _ROLE}
    return await client.begin(*made, **lasting)


async def outcome(client: Client, run_id: str) -> tuple[str, Any]:
    """Wait for the next decision task; give the event before it."""
    await client.poll()
    event = (await client.events(run_id))[-3]
    return event["eventType"], attributes(event)


def double(event: Any, context: Any) -> Any:
    return 2 * event


async def double_soon(event: Any, context: Any) -> Any:
    await asyncio.sleep(3)
    return 2 * event


@pytest.mark.parametrize("function", [double, double_soon])
@pytest.mark.parametrize("durable", [False, True])
async def test_result_of_a_function_is_in_the_history(
    function: Any, durable: bool, path: Path
) -> None:
    async with served(path if durable else None, functions={"f": function}) as client:
        run_id = await begin(client, invoke("f", "21"))
        kind, told = await outcome(client, run_id)
        assert (kind, told["result"]) == ("LambdaFunctionCompleted", "42")
        types = await client.types(run_id)
        assert types[4:6] == ["LambdaFunctionScheduled", "LambdaFunctionStarted"]


async def test_failure_of_a_function_is_in_the_history() -> None:
    async with served(functions={"f": int}) as client:
        run_id = await begin(client, invoke("f", "no"))
        kind, told = await outcome(client, run_id)
        assert (kind, told["reason"]) == ("LambdaFunctionFailed", "Unhandled")
        assert '"errorType": "ValueError"' in told["details"]


async def test_result_that_swf_would_not_take_is_a_failure() -> None:
    async with served(functions={"f": lambda event: "." * 40_000}) as client:
        run_id = await begin(client, invoke("f"))
        kind, told = await outcome(client, run_id)
        assert kind == "LambdaFunctionFailed"
        assert told["details"] == "the result has 40,002 characters; SWF takes 32,768"


async def test_function_that_hangs_times_out_and_ends_with_the_server(
    clock: Clock,
) -> None:
    ended = []

    async def hang(event: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(clock.time())

    began = clock.time()
    async with served(functions={"f": hang}) as client:
        run_id = await begin(client, invoke("f", start_to_close_timeout="5"))
        kind, told = await outcome(client, run_id)
        assert (kind, told["timeoutType"]) == (
            "LambdaFunctionTimedOut",
            "START_TO_CLOSE",
        )
        assert clock.time() - began == pytest.approx(5, abs=0.01)
        assert not ended
    assert ended


async def test_thread_that_hangs_does_not_keep_the_server_from_ending() -> None:
    gate = threading.Event()
    entered = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(event: Any) -> None:
        loop.call_soon_threadsafe(entered.set)
        gate.wait()

    async with served(functions={"f": hang}) as client:
        await begin(client, invoke("f"))
        await entered.wait()
    gate.set()


async def test_outcome_that_comes_too_late_is_nobodys() -> None:
    gate = asyncio.Event()

    async def wait(event: Any) -> None:
        await gate.wait()

    async with served(functions={"f": wait}) as client:
        run_id = await begin(client, invoke("f", start_to_close_timeout="5"))
        assert (await outcome(client, run_id))[0] == "LambdaFunctionTimedOut"
        before = await client.types(run_id)
        gate.set()
        await asyncio.sleep(1)
        assert await client.types(run_id) == before


async def test_function_that_nobody_gave_does_not_exist() -> None:
    async with served() as client:
        run_id = await begin(client, invoke("f"))
        kind, told = await outcome(client, run_id)
        assert kind == "LambdaFunctionFailed"
        assert told["reason"] == "ResourceNotFoundException"


# -- and the store -------------------------------------------------------------------


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with contextlib.closing(Store(path)) as store:
        yield store


@contextlib.asynccontextmanager
async def calling(store: Store, called: list[Any]) -> AsyncIterator[Client]:
    async def note(event: Any) -> Any:
        called.append(event)
        await asyncio.sleep(10)
        return event

    async with serving(store, functions={"f": note}) as client:
        await client.register()
        yield client


async def test_function_does_not_begin_before_that_is_stored(store: Store) -> None:
    called: list[Any] = []
    async with calling(store, called) as client:
        await client.start(lambda_role=_ROLE)
        task = await client.poll()
        allow_writing(store, yes=False)
        with pytest.raises(Exception, match="InternalFailure"):
            await client.decide(task, invoke("f", "1"))
        await asyncio.sleep(5)
        assert called == []
        allow_writing(store, yes=True)
        await client.decide(task, invoke("f", "2"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert called == [2]


async def test_outcome_is_stored_as_soon_as_that_is_possible(
    store: Store, clock: Clock
) -> None:
    async with calling(store, []) as client:
        run_id = await begin(client, invoke("f", "7"))
        await clock.skip(5)
        allow_writing(store, yes=False)
        await clock.skip(60)
        before = await client.types(run_id)
        assert before[-1] == "LambdaFunctionStarted"
        allow_writing(store, yes=True)
        await clock.skip(1.1)
        types = await client.types(run_id)
        assert types[len(before) :] == [
            "LambdaFunctionCompleted",
            "DecisionTaskScheduled",
        ]


async def test_function_that_ran_at_the_end_is_not_run_again(path: Path) -> None:
    called: list[Any] = []
    with contextlib.closing(Store(path)) as store:
        async with calling(store, called) as client:
            run_id = await begin(client, invoke("f", "7", start_to_close_timeout="30"))
            await asyncio.sleep(1)
    later = START + 60_000_000_000
    async with served(path, later, functions={"f": called.append}) as client:
        assert (await outcome(client, run_id))[0] == "LambdaFunctionTimedOut"
    assert called == [7]
