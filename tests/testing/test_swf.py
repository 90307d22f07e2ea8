"""A local SWF for a test: the ways to it, what it can be like, and its end."""

import asyncio
import logging
import unittest
from datetime import timedelta
from typing import Any

import pytest

import flowser
from flowser.exceptions import (
    ConnectionFailed,
    LimitExceededFault,
    ResponseLost,
    UnknownResourceFault,
)
from flowser.testing import LocalSwf, Quotas, load_history, save_history
from tests.declared import logged
from tests.testing.printing import (
    Album,
    Printer,
    printer,
    until_printed,
    worker,
)

# -- ways to it --


async def test_plain_client_is_on_the_same_swf() -> None:
    async with LocalSwf() as swf, swf.client() as client:
        await printer(swf)
        listed = await client.list_domains(registrationStatus="REGISTERED")
        assert [info["name"] for info in listed["domainInfos"]] == ["printer"]
        start = swf.now
        task = await client.poll_for_activity_task(
            domain="printer", taskList={"name": "printers"}
        )
        assert task["startedEventId"] == 0
        assert swf.now - start == timedelta(minutes=1)


async def test_domain_works_with_a_plain_client() -> None:
    config: dict[str, Any] = {
        "read_timeout": 75,
        "max_pool_connections": 30,
        "retries": {"total_max_attempts": 1},
    }
    async with LocalSwf() as swf, swf.client(**config) as client:
        domain = Printer(client)
        await domain.register()
        async with worker(domain):
            handle = await domain.start(Album, {"id": "a-1"})
            assert await handle.result() == "printed"


async def test_session_class_is_for_connections_of_ones_own() -> None:
    async with (
        LocalSwf() as swf,
        flowser.connect(
            endpoint_url="http://localhost",
            region_name="us-east-1",
            http_session_cls=swf.http_session_cls,
        ) as conn,
    ):
        await printer(swf)
        assert (await Printer(conn).describe()).domain_info.name == "printer"


async def test_regions_are_worlds_of_their_own() -> None:
    async with LocalSwf(region_name="eu-west-1") as swf:
        await printer(swf)
        async with swf.connect(region_name="us-east-1") as other:
            with pytest.raises(UnknownResourceFault):
                await Printer(other).describe()
        async with swf.connect() as same:
            await Printer(same).describe()


async def test_two_of_them_share_the_time_and_nothing_else() -> None:
    async with LocalSwf() as one, LocalSwf() as two:
        await printer(one)
        with pytest.raises(UnknownResourceFault):
            await Printer(two.conn).describe()
        await one.skip(days=1)
        assert abs(one.now - two.now) < timedelta(seconds=10)


async def test_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    async with LocalSwf() as swf:
        await printer(swf)


async def test_quotas_can_be_lowered() -> None:
    async with LocalSwf(quotas=Quotas(open_executions=1)) as swf:
        domain = await printer(swf)
        await domain.start(Album, {"id": "a-1"})
        with pytest.raises(LimitExceededFault):
            await domain.start(Album, {"id": "a-2"})


async def test_throttling_can_be_met() -> None:
    """A bucket of one run refills a thousand times a second, so it takes many."""
    async with LocalSwf(throttle=True) as swf:
        domain = await printer(swf)
        async with swf.client(retries={"total_max_attempts": 1}) as client:
            with pytest.raises(client.exceptions.ClientError, match="Rate exceeded"):
                for _ in range(3_000):
                    await client.describe_domain(name=domain.name)


async def test_functions_are_lambda_functions() -> None:
    async with LocalSwf(functions={"double": lambda given, context: given * 2}) as swf:
        domain = await printer(swf)
        handle = await domain.start(
            Album, {"id": "a-1"}, lambda_role="arn:aws:iam::123456789012:role/x"
        )
        decision = await domain.poll_decision(Album)
        decision.schedule_lambda("1", "double", 21)
        await decision.complete()
        await domain.poll_decision(Album)
        results = [
            event.attrs["result"]
            async for event in handle.history().filter("LambdaFunctionCompleted")
        ]
        assert results == [42]


async def test_history_of_an_execution_is_saved(tmp_path: Any) -> None:
    async with LocalSwf() as swf:
        domain = await printer(swf)
        handle = await domain.start(Album, {"id": "a-1"})
        await save_history(handle, tmp_path / "history.json")
        events = [event async for event in handle.history()]
    assert load_history(tmp_path / "history.json") == events


# -- its end --


async def test_it_lasts_for_one_block() -> None:
    swf = LocalSwf()
    async with swf:
        pass
    with pytest.raises(RuntimeError, match="make another"):
        async with swf:
            pass


async def test_nothing_of_it_is_left_on_the_loop() -> None:
    loop = asyncio.get_running_loop()
    before = set(vars(loop))
    async with LocalSwf() as swf:
        domain = await printer(swf)
        polling = loop.create_task(domain.poll_activity("printers"))
        await swf.settle()
    with pytest.raises(ResponseLost):
        await polling
    assert set(vars(loop)) - before == {"time"}
    with pytest.raises(flowser.Error):
        await domain.describe()


async def test_server_that_starts_again_knows_what_it_stored() -> None:
    async with LocalSwf() as swf:
        domain = await printer(swf)
        handle = await domain.start(Album, {"id": "a-1"})
        decision = await domain.poll_decision(Album)
        await swf.skip(seconds=10)
        start = swf.now
        await swf.restart()
        assert swf.now == start
        decision.start_timer("t", 60)
        await decision.complete()  # the token is still good
        await handle.describe()


async def test_calls_in_flight_lose_their_answers_when_the_server_dies() -> None:
    async with LocalSwf() as swf:
        domain = await printer(swf)
        polling = asyncio.get_running_loop().create_task(
            domain.poll_activity("printers")
        )
        await swf.settle()
        async with swf.down():
            with pytest.raises(ResponseLost):
                await polling
            with pytest.raises(ConnectionFailed):
                await domain.poll_activity("printers")


async def test_server_that_is_dead_cannot_die() -> None:
    async with LocalSwf() as swf:
        async with swf.down():
            with pytest.raises(RuntimeError, match="down already"):
                await swf.restart()
        await swf.restart()


async def test_what_falls_due_while_the_server_is_down_happens_then() -> None:
    async with LocalSwf() as swf:
        domain = await printer(swf)
        handle = await domain.start(Album, {"id": "a-1"})
        decision = await domain.poll_decision(Album)
        decision.start_timer("t", 3_600)
        await decision.complete()
        async with swf.down():
            await swf.skip(days=1)
        types = [event.type async for event in handle.history()]
        assert types[-2:] == ["TimerFired", "DecisionTaskScheduled"]


async def test_worker_outlives_the_server(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with LocalSwf() as swf:
        domain = await printer(swf)
        async with worker(domain):
            handle = await domain.start(Album, {"id": "a-1"})
            await swf.skip(days=1)
            async with swf.down():
                await swf.skip(minutes=5)
            assert await handle.result() == "printed"
    assert any("works again" in text for _, text in logged(caplog))


# -- without pytest --


class WithUnittest(unittest.IsolatedAsyncioTestCase):
    """The kit in the hands of unittest; pytest runs this as well."""

    async def asyncSetUp(self) -> None:
        self.swf = await self.enterAsyncContext(LocalSwf())
        self.domain = await printer(self.swf)

    async def test_month_takes_a_moment(self) -> None:
        async with worker(self.domain):
            handle = await self.domain.start(Album, {"id": "a-1"})
            result = await handle.result()
        self.assertEqual(result, "printed")  # noqa: PT009 - as its users write


def test_it_needs_no_framework() -> None:
    async def main() -> Any:
        async with LocalSwf() as swf:
            return await until_printed(await printer(swf))

    assert asyncio.run(main()) == "printed"
