"""What is written down: no secret, no payload, at any level; and nothing of asyncio's.

Source:
    reliability.md section 0, section 3 rule 9, and section 5 (secrets).
"""

import asyncio
import logging
import signal
from functools import partial
from typing import Any

import pytest

from flowser.exceptions import BrokenHistory
from flowser.tasks import Decision
from tests.faults.farm import (
    COMPLETED,
    DECIDED,
    HEARTBEAT,
    POLL_ACTIVITY,
    POLL_DECISION,
    Rig,
    Season,
    Work,
    rigged,
    scripted_farm,
    told,
    worker_of,
)
from tests.faults.test_histories import descending, task
from tests.faults.test_processes import PATIENCE, field
from tests.faults.virtual import virtual
from tests.support.answers import Cut, Status

KEY, SESSION = "wJalrXUtnFEMI-SECRET-KEY", "FQoGZXIvYXdzEH-SESSION-TOKEN"
PAYLOAD = "PAYLOAD-4711"

#: What no record may contain; task tokens and signatures are added by the tests.
SECRETS = [KEY, SESSION, PAYLOAD, "Signature=", "AWS4-HMAC-SHA256 Credential"]


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign with a key and a session token that can be recognised."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION)


def written(records: list[logging.LogRecord]) -> str:
    """Write records with all they carry, as the most talkative formatter would."""
    lines = [logging.Formatter().format(record) for record in records]
    return "\n".join([*lines, *(repr(vars(record)) for record in records)])


async def run_through(rig: Rig, harm: Any) -> list[str]:
    """Run a workflow with payloads everywhere; give its task tokens."""
    worker = worker_of(rig.farm)
    tokens: list[str] = []
    beaten = asyncio.Event()

    @worker.activity(Work)
    async def work(given: Any) -> Any:
        await beaten.wait()
        return {"out": PAYLOAD, "given": given}

    @worker.decider(Season)
    async def decide(decision: Decision) -> None:
        tokens.append(decision.task_token)
        assert await decision.start_input
        if await decision.most_recent("ActivityTaskCompleted"):
            await decision.workflow_execution.complete([PAYLOAD], context=PAYLOAD)
        else:
            decision.schedule(Work, {"in": PAYLOAD}, control=PAYLOAD, activity_id="a")
            decision.mark("m", details=PAYLOAD)

    run = await rig.owner.start(Season, {"id": 1, "in": PAYLOAD})
    harm(rig)
    async with worker:
        await rig.swf.called(HEARTBEAT, 2, timeout=300)
        beaten.set()
        await rig.swf.happened("WorkflowExecutionCompleted", timeout=3000)
        assert await run.result() == [PAYLOAD]
    return tokens


def no_harm(_: Rig) -> None:
    """Let all be well."""


def all_harm(rig: Rig) -> None:
    """Let everything go wrong once."""
    for operation in (POLL_ACTIVITY, POLL_DECISION, COMPLETED, DECIDED, HEARTBEAT):
        for kind in ("expired", "throttle", "status", "cut", "truncjson", "lost"):
            rig.proxy.fault(operation, kind)


@pytest.mark.parametrize("harm", [no_harm, all_harm])
@virtual
async def test_nothing_secret_is_logged_at_any_level(
    harm: Any, secrets: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Section 5: no keys, tokens or payloads, whatever goes wrong, even at DEBUG."""
    caplog.set_level(logging.DEBUG)
    async with rigged() as rig:
        tokens = await run_through(rig, harm)
    text = written(caplog.records)
    assert "flowser" in text
    for secret in (*SECRETS, *tokens):
        assert secret not in text


@virtual
async def test_nothing_secret_is_logged_of_what_cannot_be_read(
    secrets: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Section 5: an error tells where it is, and not what stands there."""
    caplog.set_level(logging.DEBUG)
    bad = task([3, 2]) | {"events": [{"eventId": PAYLOAD}]}
    wrong = {"taskToken": PAYLOAD, "startedEventId": PAYLOAD, "activityId": [PAYLOAD]}
    async with scripted_farm() as (server, farm):
        server.answer(POLL_DECISION, bad, task(descending(30, 1)))
        server.answer(POLL_ACTIVITY, wrong, Cut(wrong))
        server.answer(POLL_ACTIVITY, Status(200, f'{{"taskToken": "{PAYLOAD}'.encode()))
        server.answer(POLL_ACTIVITY, Status(500, PAYLOAD.encode(), "text/html"))
        worker = worker_of(farm)

        @worker.activity(Work)
        async def work(number: int) -> None:
            raise AssertionError(number)

        @worker.decider(Season)
        async def decide(decision: Decision) -> None:
            raise BrokenHistory("as if")

        async with worker:
            await server.received(POLL_ACTIVITY, 5, timeout=100)
            await server.received(POLL_DECISION, 3, timeout=100)
    assert sum("may have been handed out" in text for _, text in told(caplog)) == 4
    for secret in SECRETS:
        assert secret not in written(caplog.records)


@virtual
async def test_input_of_another_type_is_not_shown(
    secrets: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Section 5, for a handler's input and its result: the type is told, no value."""
    caplog.set_level(logging.DEBUG)
    async with rigged() as rig:
        run = await rig.start()
        decision = await rig.decision()
        decision.schedule(Work, {"in": PAYLOAD}, activity_id="a")
        decision.schedule(Work, 40_000, activity_id="b")
        await decision.complete()
        worker = worker_of(rig.farm)

        @worker.activity(Work)
        async def work(number: int) -> str:
            return PAYLOAD * number

        async with worker:
            await rig.swf.happened("ActivityTaskFailed", 2)
        assert run.run_id
    for secret in SECRETS:
        assert secret not in written(caplog.records)


@pytest.mark.parametrize("form", ["text", "json"])
async def test_program_logs_nothing_secret(form: str, secrets: None) -> None:
    """Section 5: ``flowser.run --log-level debug``, with botocore's loggers and all."""
    options = ("--log-level", "debug", "--log-format", form, "--drain", "0")
    async with field(poll_seconds=0.5) as here:
        await here.begin([["sleep", 0], ["report", PAYLOAD]])
        async with here.worker(*options) as child:
            await here.swf.called(HEARTBEAT, timeout=PATIENCE)
            child.signal(signal.SIGTERM)
            await child.wait(timeout=30)
    assert "DEBUG" in child.text
    for secret in SECRETS:
        assert secret not in child.text


@pytest.mark.parametrize("harm", [no_harm, all_harm])
@partial(virtual, debug=True)
async def test_asyncio_finds_no_fault(
    harm: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Section 3 rule 9: all of it in asyncio's debug mode, and warnings are errors."""
    caplog.set_level(logging.INFO)
    async with rigged() as rig:
        await run_through(rig, harm)
    faults = [
        record.getMessage()
        for record in caplog.records
        if record.name == "asyncio" and record.levelno >= logging.WARNING
    ]
    assert faults == []
