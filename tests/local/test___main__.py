"""``python -m flowser.local``, as a process."""

import asyncio
import contextlib
import re
import resource
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

from flowser.local.__main__ import main
from flowser.local.storage import Store
from tests.local.raw import Raw, connected, request
from tests.local.tour import DECIDERS, DOMAIN, IN, ORDER, PAYERS, Ask, register, start
from tests.support.processes import Child, run_python

LISTING = {"registrationStatus": "REGISTERED"}


@contextlib.asynccontextmanager
async def running(
    *options: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> AsyncIterator[tuple[Child, str]]:
    """Run a server; give its process and its URL."""
    async with run_python("-m", "flowser.local", *options, env=env, cwd=cwd) as child:
        yield child, (await child.line_matching(r"^endpoint: (.*)"))[1]


def asking(raw: Raw) -> Ask:
    async def ask(operation: str, members: dict[str, Any]) -> Any:
        reply = await raw.ask(operation, members)
        assert reply.status == 200, reply.body
        return reply.json if reply.body else {}

    return ask


# -- what it prints -----------------------------------------------------------------


async def exported(child: Child, last: str = "AWS_REGION") -> dict[str, str]:
    """Read the variables that it prints."""
    await child.line_matching(f"^export {last}=")
    lines = [line.partition("export ")[2] for line in child.out]
    return dict(line.split("=", 1) for line in lines if line)


async def test_what_it_prints_leads_an_sdk_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as (child, url):
        for name, value in (await exported(child)).items():
            monkeypatch.setenv(name, value)
        async with AioSession().create_client("swf") as client:
            assert client.meta.endpoint_url == url
            answer = await client.list_domains(**LISTING)
        assert answer["domainInfos"] == []
    assert child.out[:3] == [
        "A local SWF for development and tests; forgotten at the end.",
        f"endpoint: {url}",
        "credentials: any will do, see --require-key",
    ]
    assert not child.err


@pytest.mark.parametrize("secret", ["hush", None])
async def test_who_has_not_the_key_is_refused_when_it_is_required(
    monkeypatch: pytest.MonkeyPatch, bare_session: AioSession, secret: str | None
) -> None:
    ours = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": secret or ""}
    async with running("--require-key", env=ours) as (child, url):
        printed = await exported(child)
        keys = {
            "aws_access_key_id": printed["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": secret or printed["AWS_SECRET_ACCESS_KEY"],
        }
        create = bare_session.create_client
        async with create("swf", endpoint_url=url, **keys) as client:
            await client.list_domains(**LISTING)
        keys["aws_secret_access_key"] += "x"
        async with create("swf", endpoint_url=url, **keys) as client:
            with pytest.raises(ClientError, match="InvalidSignatureException"):
                await client.list_domains(**LISTING)
    assert "credentials: only these" in child.out
    if secret:
        assert printed["AWS_ACCESS_KEY_ID"] == "AKID"
        assert secret not in child.text, "it is known to whoever started this"
    else:
        assert re.fullmatch("AKIA[0-9A-F]{16}", printed["AWS_ACCESS_KEY_ID"])
        assert len(printed["AWS_SECRET_ACCESS_KEY"]) == 40


# -- options ------------------------------------------------------------------------


async def test_a_file_keeps_all(tmp_path: Path) -> None:
    for already in (False, True):
        async with (
            running("--db", tmp_path / "swf.db") as (child, url),
            connected(url) as raw,
        ):
            assert child.out[0].endswith(f"kept in {tmp_path / 'swf.db'}.")
            ask = asking(raw)
            if not already:
                await register(ask)
                await start(ask, activities=1)
            pending = await ask("CountPendingActivityTasks", PAYERS)
            assert pending == {"count": 1, "truncated": False}
            child.signal()
            assert await child.wait() == 0


async def test_options_reach_the_service() -> None:
    names = ["--allow-host", "swf.test", "--allow-host", "Other.test"]
    options = ["--account-id", "210987654321", "--throttle", "aws", *names]
    async with (
        running(*options, "--long-poll-seconds", "0") as (child, url),
        connected(url) as raw,
    ):
        ask = asking(raw)
        await register(ask)
        told = await ask("DescribeDomain", {"name": DOMAIN})
        assert ":210987654321:" in told["domainInfo"]["arn"]
        assert await ask("PollForActivityTask", PAYERS) == {"startedEventId": 0}
        again = {"name": DOMAIN, "workflowExecutionRetentionPeriodInDays": "1"}
        replies = [await raw.ask("RegisterDomain", again) for _ in range(200)]
        assert replies[-1].error == "ThrottlingException"
        for host in ("swf.test", "other.test:80"):
            assert (await raw.ask("ListDomains", LISTING, Host=host)).status == 200
        assert (await raw.ask("ListDomains", LISTING, Host="evil.test")).status == 403
        soft, hard = resource.prlimit(child.pid, resource.RLIMIT_NOFILE)
        assert soft == hard, "each poll is an open file"


async def test_a_lambda_function_is_a_python_function(tmp_path: Path) -> None:
    code = "def double(event, context):\n    return 2 * event\n"
    (tmp_path / "mine.py").write_text(code)
    options = ["--lambda", "Double=mine:double"]
    async with running(*options, cwd=tmp_path) as (_, url), connected(url) as raw:
        ask = asking(raw)
        await register(ask)
        run = IN | {"workflowId": "o-1", "workflowType": ORDER, "lambdaRole": "arn"}
        await ask("StartWorkflowExecution", run)
        task = await ask("PollForDecisionTask", DECIDERS)
        attributes = {"id": "1", "name": "Double", "input": "21"}
        decision = {
            "decisionType": "ScheduleLambdaFunction",
            "scheduleLambdaFunctionDecisionAttributes": attributes,
        }
        decided = {"taskToken": task["taskToken"], "decisions": [decision]}
        await ask("RespondDecisionTaskCompleted", decided)
        events = (await ask("PollForDecisionTask", DECIDERS))["events"]
        (done,) = [e for e in events if e["eventType"] == "LambdaFunctionCompleted"]
        assert done["lambdaFunctionCompletedEventAttributes"]["result"] == "42"


# -- the end ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "kept"), [(signal.SIGTERM, True), (signal.SIGINT, False)]
)
async def test_polls_are_answered_empty_and_it_exits_at_once(
    tmp_path: Path, number: int, kept: bool
) -> None:
    options = ["--db", str(tmp_path / "swf.db")] if kept else []
    async with contextlib.AsyncExitStack() as stack:
        child, url = await stack.enter_async_context(running(*options))
        raw = await stack.enter_async_context(connected(url))
        await register(asking(raw))
        polls = [await stack.enter_async_context(connected(url)) for _ in range(50)]
        for each in polls:
            each.call("PollForActivityTask", PAYERS)
        silent = await stack.enter_async_context(connected(url))
        await asking(silent)("ListDomains", LISTING)  # the polls came before it
        began = asyncio.get_running_loop().time()
        child.signal(number)
        for each in polls:
            assert (await each.reply()).json == {"startedEventId": 0}
        assert await child.wait() == 0
        assert asyncio.get_running_loop().time() - began < 2
        assert await silent.ended() == b""
        assert not child.err


async def test_callers_who_neither_read_nor_write_do_not_keep_it(
    tmp_path: Path,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        child, url = await stack.enter_async_context(
            running("--db", tmp_path / "swf.db")
        )
        raw = await stack.enter_async_context(connected(url))
        await register(asking(raw))
        deaf, mute, half = [
            await stack.enter_async_context(connected(url)) for _ in range(3)
        ]
        deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]
        many = {"name": "x" * 8_000}
        for _ in range(2_000):
            deaf.call("DescribeDomain", many)
        headers = {"Host": mute.host}
        whole = request("SimpleWorkflowService.ListDomains", b"{}" * 99, headers)
        mute.send(whole[:-5])
        half.send(whole[:50])
        await asking(raw)("ListDomains", LISTING)
        began = asyncio.get_running_loop().time()
        child.signal()
        assert await child.wait() == 0
        assert asyncio.get_running_loop().time() - began < 2
        assert not child.err


async def test_what_was_acknowledged_before_the_end_is_there_after_it(
    tmp_path: Path,
) -> None:
    acknowledged: set[str] = set()
    async with running("--db", tmp_path / "swf.db") as (child, url):
        async with connected(url) as raw:
            await register(asking(raw))

        async def caller(name: str) -> None:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                async with connected(url) as raw:
                    for number in range(10_000):
                        run = {"workflowId": f"{name}-{number}", "workflowType": ORDER}
                        await asking(raw)("StartWorkflowExecution", IN | run)
                        acknowledged.add(f"{name}-{number}")
                        if len(acknowledged) == 200:
                            child.signal()

        async with asyncio.TaskGroup() as group:
            for name in "abcde":
                group.create_task(caller(name))
        assert await child.wait() == 0
    async with running("--db", tmp_path / "swf.db") as (_, url), connected(url) as raw:
        window = IN | {"startTimeFilter": {"oldestDate": 0}}
        told = await asking(raw)("ListOpenWorkflowExecutions", window)
        there = {each["execution"]["workflowId"] for each in told["executionInfos"]}
        assert acknowledged <= there


async def test_ctrl_c_while_it_starts_ends_it(tmp_path: Path) -> None:
    code = "import threading\nprint('starting', flush=True)\nthreading.Event().wait()\n"
    (tmp_path / "slow.py").write_text(code)
    options = ["-m", "flowser.local", "--lambda", "F=slow:f"]
    async with run_python(*options, cwd=tmp_path) as child:
        await child.line_matching("starting")
        child.signal(signal.SIGINT)
        assert await child.wait() == 0
        assert child.lines == ["starting"]


_NO_SIGNALS = """
import asyncio, sys
from flowser.local import __main__

class Loop(asyncio.SelectorEventLoop):
    def add_signal_handler(self, *_):
        raise NotImplementedError

__main__.loop_factory = lambda: Loop
sys.exit(__main__.main([]))
"""


async def test_a_loop_without_signals_as_on_windows_ends_by_ctrl_c() -> None:
    async with run_python("-c", _NO_SIGNALS) as child:
        url = (await child.line_matching(r"^endpoint: (.*)"))[1]
        async with connected(url) as raw:
            await register(asking(raw))
            raw.call("PollForActivityTask", PAYERS)
            async with connected(url) as other:
                await asking(other)("ListDomains", LISTING)
            child.signal(signal.SIGINT)
            assert (await raw.reply()).json == {"startedEventId": 0}
        assert await child.wait() == 0
        assert not child.err


# -- when it cannot begin -----------------------------------------------------------


async def test_what_keeps_it_from_beginning_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with run_python("-m", "flowser.local", "--port", port) as child:
            assert await child.wait() == 2
    assert not child.out
    (line,) = child.err
    assert line.startswith(f"flowser.local: cannot listen at 127.0.0.1, port {port}: ")
    assert "in use" in line


def refused(capsys: pytest.CaptureFixture[str], *options: str | Path) -> str:
    """Expect that a server cannot begin; give the line that says why."""
    before = [*map(signal.getsignal, (signal.SIGTERM, signal.SIGINT))]
    assert main([str(option) for option in options]) == 2
    assert [*map(signal.getsignal, (signal.SIGTERM, signal.SIGINT))] == before
    out, err = capsys.readouterr()
    assert not out
    (line,) = err.splitlines()
    return line.removeprefix("flowser.local: ")


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a..b"])
def test_an_address_that_is_not_ours_is_named(
    capsys: pytest.CaptureFixture[str], host: str
) -> None:
    line = refused(capsys, "--host", host)
    assert line.startswith(f"cannot listen at {host}, port 0: ")


def test_a_file_that_is_none_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert str(tmp_path) in refused(capsys, "--db", tmp_path)


def test_a_file_in_use_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "swf.db"
    with contextlib.closing(Store(path)):
        assert str(path) in refused(capsys, "--db", path)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("F", "write NAME=package.module:function"),
        ("F=no_such_module:f", "ModuleNotFoundError"),
        ("F=json:nothing", "AttributeError"),
        ("F=json:__doc__", "not callable"),
    ],
)
def test_a_function_that_cannot_be_loaded_is_named(
    capsys: pytest.CaptureFixture[str], option: str, words: str
) -> None:
    line = refused(capsys, "--lambda", option)
    assert line.startswith(f"--lambda {option}: ")
    assert words in line


@pytest.mark.parametrize(
    "options",
    [
        ["--port", "65536"],
        ["--port", "-1"],
        ["--port", "\u0663"],
        ["--account-id", "12345"],
        ["--long-poll-seconds", "x"],
        ["--throttle", "some"],
        ["--log-level", "loud"],
        ["more"],
    ],
    ids=" ".join,
)
def test_options_out_of_range_are_refused(
    capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(options)
    assert caught.value.code == 2
    assert "python -m flowser.local: error: " in capsys.readouterr().err
