"""The scripted SWF and the helpers for processes do as they say."""

import asyncio
import os
import signal
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
)

from tests.conftest import BareClient
from tests.support import checked
from tests.support.answers import (
    Answer,
    Cut,
    Delayed,
    Fault,
    Hang,
    Lost,
    Recorded,
    Status,
    TruncatedJson,
    expired_token,
    limit_exceeded,
    throttled,
)
from tests.support.processes import run_python
from tests.support.scripted import ScriptedSwf
from tests.support.watch import Watch

if TYPE_CHECKING:
    from types_aiobotocore_swf import SWFClient

OPERATION = "StartWorkflowExecution"


async def start(client: "SWFClient") -> str:
    """Start an execution."""
    answer = await client.start_workflow_execution(
        domain="d", workflowId="w", workflowType={"name": "n", "version": "v"}
    )
    return answer["runId"]


async def poll(client: "SWFClient") -> Any:
    """Poll for an activity task."""
    return await client.poll_for_activity_task(domain="d", taskList={"name": "l"})


async def test_requests_are_recorded(
    scripted: ScriptedSwf, bare_client: BareClient
) -> None:
    async with bare_client(scripted.url) as client:
        await client.terminate_workflow_execution(domain="d", workflowId="w")
    [request] = scripted.requests
    assert request.operation == "TerminateWorkflowExecution"
    assert request.target == f"SimpleWorkflowService.{request.operation}"
    assert request.headers["content-type"] == "application/x-amz-json-1.0"
    assert request.params == {"domain": "d", "workflowId": "w"}
    assert request.body.startswith(b"{")
    assert 0 < request.at <= asyncio.get_running_loop().time()
    assert scripted.count(request.operation) == 1
    assert await scripted.received(request.operation) is request


async def test_queued_answers_come_before_the_standing_one(
    scripted: ScriptedSwf, bare_client: BareClient
) -> None:
    scripted.always(OPERATION, {"runId": "always"})
    scripted.answer(OPERATION, {"runId": "1"}, {"runId": "2"})
    async with bare_client(scripted.url) as client:
        assert [await start(client) for _ in range(4)] == ["1", "2", "always", "always"]


@pytest.mark.parametrize(
    ("operation", "body"),
    [("RegisterDomain", b""), ("ListDomains", b"{}")],
)
async def test_without_a_script_the_answer_is_as_empty_as_swf_s(
    scripted: ScriptedSwf, operation: str, body: bytes
) -> None:
    headers = {"X-Amz-Target": f"SimpleWorkflowService.{operation}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(scripted.url, data=b"{}", headers=headers) as response,
    ):
        assert response.status == 200
        assert response.headers["Content-Length"] == str(len(body))
        assert await response.read() == body


@pytest.mark.parametrize(
    ("answer", "code", "status"),
    [
        (Fault("UnknownResourceFault", "Who?"), "UnknownResourceFault", 400),
        (throttled(), "ThrottlingException", 400),
        (limit_exceeded(), "LimitExceededFault", 400),
        (expired_token(), "ExpiredTokenException", 400),
        (Status(503, b"<html>", "text/html"), "503", 503),
    ],
)
async def test_faults_and_bare_statuses_are_errors_to_a_client(
    scripted: ScriptedSwf,
    bare_client: BareClient,
    answer: Answer,
    code: str,
    status: int,
) -> None:
    scripted.answer(OPERATION, answer)
    async with bare_client(scripted.url) as client:
        with pytest.raises(ClientError) as caught:
            await start(client)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


async def test_lost_closes_the_connection_after_reading(
    scripted: ScriptedSwf, bare_client: BareClient
) -> None:
    scripted.answer(OPERATION, Lost())
    async with bare_client(scripted.url) as client:
        with pytest.raises(ConnectionClosedError):
            await start(client)
    assert scripted.count(OPERATION) == 1


async def test_cut_ends_in_the_middle_of_the_body(scripted: ScriptedSwf) -> None:
    scripted.answer(OPERATION, Cut({"runId": "r" * 100}))
    headers = {"X-Amz-Target": f"SimpleWorkflowService.{OPERATION}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(scripted.url, data=b"{}", headers=headers) as response,
    ):
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_truncated_json_is_a_complete_answer(scripted: ScriptedSwf) -> None:
    scripted.answer("PollForActivityTask", TruncatedJson({"taskToken": "t"}))
    headers = {"X-Amz-Target": "SimpleWorkflowService.PollForActivityTask"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(scripted.url, data=b"{}", headers=headers) as response,
    ):
        assert response.status == 200
        assert await response.read() == b'{"taskTo'


async def test_hang_and_delayed_wait_for_their_events(
    scripted: ScriptedSwf, bare_client: BareClient
) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    late: Answer = Delayed(second, {"runId": "late"})
    scripted.answer(OPERATION, Hang(first, late))
    async with bare_client(scripted.url) as client, asyncio.TaskGroup() as group:
        started = group.create_task(start(client))
        await scripted.received(OPERATION)
        first.set()
        second.set()
    assert started.result() == "late"


async def test_callable_answers_by_the_request(
    scripted: ScriptedSwf, bare_client: BareClient
) -> None:
    async def answer(request: Recorded) -> Answer:
        return {"runId": f"run-of-{request.params['workflowId']}"}

    scripted.always(OPERATION, answer)
    async with bare_client(scripted.url) as client:
        assert await start(client) == "run-of-w"


async def test_polls_are_parked_until_they_are_released(
    scripted: ScriptedSwf, bare_client: BareClient
) -> None:
    async with bare_client(scripted.url, read_timeout=0.05) as client:
        with pytest.raises(ReadTimeoutError):
            await poll(client)
    async with bare_client(scripted.url) as client, asyncio.TaskGroup() as group:
        polled = group.create_task(poll(client))
        await scripted.received("PollForActivityTask", 2)
        scripted.release_polls()
    assert polled.result()["startedEventId"] == 0


async def test_closing_answers_parked_polls_and_drops_what_hangs(
    bare_client: BareClient,
) -> None:
    async with asyncio.TaskGroup() as group:
        async with ScriptedSwf() as server:
            server.answer(OPERATION, Hang(asyncio.Event()))
            client = await group.create_task(bare_client(server.url).__aenter__())
            polled = group.create_task(poll(client))
            hanging = group.create_task(raises_closed(start(client)))
            await server.received("PollForActivityTask")
            await server.received(OPERATION)
        await asyncio.wait([polled, hanging])
        await client.close()
    assert polled.result()["startedEventId"] == 0


async def raises_closed(call: Any) -> None:
    """Check that the connection is closed under a call."""
    with pytest.raises(ConnectionClosedError):
        await call


async def test_waiting_in_vain_says_what_was_seen() -> None:
    watch = Watch(lambda: "two sheep")
    with pytest.raises(AssertionError, match=r"no wolf within 0 s; seen: two sheep"):
        await watch.until(lambda: False, "wolf", timeout=0)


def test_environment_holds_no_secrets_and_no_configuration() -> None:
    assert os.environ["AWS_ACCESS_KEY_ID"] == "testing"
    assert os.environ["AWS_DEFAULT_REGION"] == "us-east-1"
    assert "AWS_PROFILE" not in os.environ
    assert Path(os.environ["AWS_CONFIG_FILE"]).stat().st_size == 0


async def test_moto_answers(
    moto_url: str, domain_name: str, bare_client: BareClient
) -> None:
    async with bare_client(moto_url) as client:
        await client.register_domain(
            name=domain_name, workflowExecutionRetentionPeriodInDays="1"
        )
        described = await client.describe_domain(name=domain_name)
    assert described["domainInfo"]["status"] == "REGISTERED"


async def test_child_is_read_by_line_and_ends_with_its_status() -> None:
    program = "import sys; print('out', 1); print('err', file=sys.stderr); sys.exit(3)"
    async with run_python("-c", program) as child:
        found = await child.line_matching(r"out (\d)")
        assert found[1] == "1"
        await child.line_matching("err")
        with pytest.raises(AssertionError, match="ended without 'never'"):
            await child.line_matching("never")
        assert await child.wait() == 3
    assert sorted(child.lines) == ["err", "out 1"]


async def test_child_that_ignores_sigterm_does_not_outlive_its_block() -> None:
    program = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf")
        time.sleep(60)
    """
    async with run_python("-c", textwrap.dedent(program), grace=0.1) as child:
        await child.line_matching("deaf")
    assert await child.wait() == -signal.SIGKILL


async def test_child_takes_what_it_started_with_it() -> None:
    sleeper = "import time; print('asleep', flush=True); time.sleep(60)"
    program = f"""
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", {sleeper!r}]).wait()
    """
    async with run_python("-c", textwrap.dedent(program), grace=0.1) as child:
        await child.line_matching("asleep")
        child.signal(signal.SIGKILL)
    # Both ends of its output are closed: the sleeper is gone too.
    assert await child.wait(timeout=1) == -signal.SIGKILL


async def test_failing_block_ends_the_child_and_shows_its_own_error() -> None:
    with pytest.raises(LookupError):
        async with run_python("-c", "print('up'); input()") as child:
            await child.line_matching("up|EOF")
            raise LookupError
    assert child.out == ["up"]


async def test_failing_callable_is_raised_when_the_server_is_left(
    bare_client: BareClient,
) -> None:
    async def check(request: Recorded) -> Answer:
        assert request.params["workflowId"] == "other"
        return None

    with pytest.raises(ExceptionGroup) as caught:
        async with ScriptedSwf() as server, bare_client(server.url) as client:
            server.answer(OPERATION, check)
            with pytest.raises(ClientError):
                await start(client)
    assert caught.group_contains(AssertionError, match="other")


async def test_program_that_decides_otherwise_a_second_time_is_told(
    tmp_path: Path,
) -> None:
    program = tmp_path / "hello.py"
    program.write_text(
        textwrap.dedent(
            """
            import asyncio, itertools
            from flowser import Domain, flow

            count = itertools.count(1)

            @flow.workflow(version="1.0", task_list="deciders")
            async def napping() -> None:
                await asyncio.gather(*(asyncio.sleep(1) for _ in range(next(count))))

            class Hello(Domain):
                name, workflow_types = "hello", [napping]
            """
        )
    )
    command = ("-m", "tests.support.checked", "-m", "flowser.run", program, "--local")
    async with run_python(*command, "--start", "napping") as child:
        assert await child.wait(timeout=50) == checked.DIFFERENT, child.text
        await child.line_matching("a replay from nothing")
