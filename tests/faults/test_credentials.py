"""Credentials that expire, and clocks that jump: the worker outlives both.

Source:
    reliability.md section 4 experiments 15 and 34.
"""

import ast
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import AioSession

import flowser
from flowser import _client
from tests.faults.farm import (
    COMPLETED,
    HEARTBEAT,
    POLL_ACTIVITY,
    TASK,
    Farm,
    Serving,
    Work,
    gaps,
    idle,
    iterating,
    late,
    rigged,
    scripted_farm,
    told,
    worker_of,
    working,
)
from tests.faults.virtual import now, virtual
from tests.support import signatures
from tests.support.answers import Fault, Recorded, expired_token
from tests.support.scripted import EMPTY_POLL, ScriptedSwf

# -- experiment 15 --


class KeyFile:
    """A shared credentials file that somebody rewrites."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("first")

    def write(self, key: str) -> None:
        """Put other keys into it."""
        self.path.write_text(
            f"[default]\naws_access_key_id={key}\naws_secret_access_key={key}-secret\n"
        )


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFile:
    """Take credentials from a file."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    made = KeyFile(tmp_path / "credentials")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(made.path))
    return made


@asynccontextmanager
async def keyed_farm() -> AsyncIterator[tuple[ScriptedSwf, Farm]]:
    """Give an SWF that answers by script, and a domain with keys of its own."""
    async with ScriptedSwf() as server:
        source = _client.Source(AioSession())
        settings = await _client.resolve(source, endpoint_url=server.url)
        async with _client.opened(settings, clock=now) as conn:
            server.always(POLL_ACTIVITY, late(60, EMPTY_POLL))
            server.always(HEARTBEAT, {"cancelRequested": False})
            yield server, Farm(conn)


def signers(server: ScriptedSwf, operation: str) -> list[str]:
    """Say by whose key each request was signed; the signatures are right."""
    return [
        signatures.signer(request, server.url, f"{_key(request)}-secret")
        for request in server.of(operation)
    ]


def _key(request: Recorded) -> str:
    return request.headers["Authorization"].partition("Credential=")[2].split("/")[0]


@pytest.mark.parametrize("operation", [POLL_ACTIVITY, COMPLETED])
@virtual
async def test_call_with_expired_keys_is_repeated_once_with_new_ones(
    operation: str, keys: KeyFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 15: read anew, repeated at once; neither task nor result is lost."""
    caplog.set_level("INFO")

    async def expire(_: Recorded) -> Any:
        keys.write("second")
        return expired_token()

    async with keyed_farm() as (server, farm):
        if operation == POLL_ACTIVITY:
            server.answer(POLL_ACTIVITY, expire, TASK)
        else:
            server.answer(POLL_ACTIVITY, TASK)
            server.answer(COMPLETED, expire)
        worker = worker_of(farm)
        worker.activity(Work)(idle)
        async with worker:
            await server.received(COMPLETED, 1 + (operation == COMPLETED))
        assert signers(server, operation)[:2] == ["first", "second"]
        assert gaps(server, operation)[0] < 0.1
    assert worker.counts == {"activities completed": 1}
    ((level, text),) = told(caplog)
    assert level == "WARNING"
    assert "expired" in text


@pytest.mark.parametrize(("serving", "times"), [(working, 29), (iterating, 99)])
@virtual
async def test_keys_that_stay_expired_do_not_end_the_worker(
    serving: Serving, times: int, keys: KeyFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 15: 99 refusals; loud, no spinning, a try every minute at most."""
    caplog.set_level("INFO")
    caplog.set_level("DEBUG", "flowser._client")
    async with keyed_farm() as (server, farm):
        server.answer(POLL_ACTIVITY, *[expired_token()] * times, TASK)
        async with serving(farm):
            await server.received(COMPLETED, timeout=6000)
        requests = server.of(POLL_ACTIVITY)[: times + 1]
        pauses = gaps(server, POLL_ACTIVITY)[:times]
    assert max(pauses) <= 60.1
    # At once it is repeated only with keys read anew, and these are not read all the
    # time.
    renewed = [
        again.at
        for again, pause in zip(requests[1:], pauses, strict=True)
        if pause < 0.1
    ]
    assert all(later - earlier >= 10 for earlier, later in pairwise(renewed))
    levels = [
        record.levelname
        for record in caplog.records
        if "reading them anew" in record.getMessage()
    ]
    assert levels == ["WARNING"] + ["DEBUG"] * (len(renewed) - 1)
    assert len(renewed) > 3
    failing = [text for _, text in told(caplog) if "is tried again" in text]
    assert len(failing) == 1
    assert "ExpiredToken" in failing[0]
    assert told(caplog)[-1] == ("INFO", "polling work works again")


@virtual
async def test_report_survives_keys_that_stay_expired_for_a_while(
    keys: KeyFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 15, for a result: it waits for keys, and is delivered."""
    async with keyed_farm() as (server, farm):
        server.answer(POLL_ACTIVITY, TASK)
        server.answer(COMPLETED, *[expired_token()] * 20)
        worker = worker_of(farm)
        worker.activity(Work)(idle)
        async with worker:
            await server.received(COMPLETED, 21, timeout=600)
    assert worker.counts == {"activities completed": 1}


# -- experiment 34 --


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
@virtual
async def test_wall_clock_that_jumps_disturbs_no_interval(
    jump: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Experiment 34: polls and heartbeats come when they would have come anyway."""
    caplog.set_level("INFO")
    wall = time.time  # noqa: TID251 - the clock that jumps
    async with rigged() as rig:
        await rig.begin(heartbeat_timeout=30)
        worker = worker_of(rig.farm, activity_pollers=2)
        beats: list[float] = []

        @worker.activity(Work)
        async def work(_: int) -> None:
            while len(beats) < 12:
                count = rig.swf.calls[HEARTBEAT]
                await rig.swf.called(HEARTBEAT, count + 1, timeout=60)
                beats.append(now())
                if len(beats) == 4:
                    monkeypatch.setattr(time, "time", lambda: wall() + jump)

        async with worker:
            await rig.swf.happened("ActivityTaskCompleted", timeout=600)
        between = [b - a for a, b in pairwise(beats)]
        assert between == [pytest.approx(10, abs=0.1)] * 11
        minutes = now() / 60
        assert rig.swf.calls[POLL_ACTIVITY] <= 2 * minutes + 3
    assert told(caplog) == []


@virtual
async def test_signature_out_of_time_is_named_a_matter_of_the_clock(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Experiment 34: the log says whose clock is wrong; the worker waits for it."""
    early = "Signature not yet current: 20261123T120000Z is still later than now"
    async with scripted_farm() as (server, farm):
        refused = Fault("InvalidSignatureException", early)
        server.answer(POLL_ACTIVITY, *[refused] * 3, TASK)
        worker = worker_of(farm)
        worker.activity(Work)(idle)
        async with worker:
            await server.received(COMPLETED)
        assert all(gap >= 0.1 for gap in gaps(server, POLL_ACTIVITY)[:3])
    ((level, text),) = told(caplog, level=30)
    assert level == "WARNING"
    assert "clock skew" in text


#: The classes that read the wall clock, as they are called in flowser.
DATES = {"date", "datetime"}


def test_no_interval_is_taken_by_a_wall_clock() -> None:
    """Experiment 34: in all of flowser, only dates that are shown or signed are."""
    found = set()
    source = Path(flowser.__file__).parent
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and (
                (
                    node.attr in {"now", "utcnow", "today", "fromtimestamp"}
                    # Of a date's class; the local SWF's engine is told what "now" is.
                    and ast.unparse(node.value).rpartition(".")[2] in DATES
                )
                or (node.attr == "time" and ast.unparse(node.value) == "time")
            ):
                found.add(f"{path.relative_to(source)}: {ast.unparse(node)}")
    assert found == {
        "_flow/verbs.py: datetime.fromtimestamp",  # flow.now() is the history's time
        "_lean.py: datetime.now",  # a signature bears the date
        "_logs.py: datetime.fromtimestamp",  # so does a log record
        "local/_connections.py: time.time",  # and an HTTP answer
        "testing/swf.py: datetime.fromtimestamp",  # the time of a local SWF is shown
    }
