"""The keys of a connection: who has them, and who renews them."""

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import AioSession

from flowser import _client, exceptions, requests, shapes, wire
from flowser._client import Credentials, Source, connect, resolve
from tests.declared import logged
from tests.support import signatures
from tests.support.answers import Recorded, expired_token
from tests.support.pace import Pace
from tests.support.scripted import EMPTY_POLL, ScriptedSwf

LIST = shapes.TaskList(name="list")
POLL = requests.PollForActivityTask(domain="d", task_list=LIST)
COUNT = requests.CountPendingActivityTasks(domain="d", task_list=LIST)


async def test_given_keys_sign_and_are_not_looked_up(scripted: ScriptedSwf) -> None:
    scripted.always("CountPendingActivityTasks", {"count": 1})
    async with connect(
        endpoint_url=scripted.url,
        aws_access_key_id="given",
        aws_secret_access_key="given-secret",
        aws_session_token="given-token",
    ) as conn:
        await wire.send(conn, COUNT)
    (recorded,) = scripted.requests
    assert signatures.signer(recorded, scripted.url, "given-secret") == "given"
    assert recorded.headers["X-Amz-Security-Token"] == "given-token"


async def test_given_keys_that_expire_are_tried_once_more(
    scripted: ScriptedSwf,
) -> None:
    scripted.always("PollForActivityTask", expired_token())
    async with connect(
        endpoint_url=scripted.url,
        aws_access_key_id="given",
        aws_secret_access_key="given-secret",
    ) as conn:
        with pytest.raises(exceptions.ExpiredCredentials):
            await wire.send(conn, POLL)
    assert scripted.count("PollForActivityTask") == 2


def keys_file(path: Path, key: str) -> None:
    path.write_text(
        f"[default]\naws_access_key_id={key}\naws_secret_access_key={key}-secret\n"
    )


@pytest.mark.parametrize("given", [False, True], ids=["own session", "given session"])
async def test_keys_are_read_anew_when_swf_says_they_expired(
    given: bool,
    scripted: ScriptedSwf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Experiment 15: a worker outlives the keys it began with."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    path = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    keys_file(path, "old")

    async def expire(_: Recorded) -> Any:
        keys_file(path, "new")
        return expired_token()

    scripted.answer("PollForActivityTask", expire, EMPTY_POLL, EMPTY_POLL)
    session = AioSession() if given else None
    async with connect(endpoint_url=scripted.url, session=session) as conn:
        for _ in range(2):
            with pytest.raises(exceptions.EmptyTaskPollResult):
                await wire.send(conn, POLL)
    signed = [
        signatures.signer(recorded, scripted.url, f"{key}-secret")
        for recorded, key in zip(scripted.requests, ("old", "new", "new"), strict=True)
    ]
    assert signed == ["old", "new", "new"]


class CountingSource(Source):
    """Counts how often credentials are read anew."""

    reads = 0

    async def credentials_anew(self) -> Any:
        self.reads += 1
        return await super().credentials_anew()


async def test_thousand_polls_that_expire_at_once_read_keys_once(
    scripted: ScriptedSwf, bare_session: AioSession
) -> None:
    source = CountingSource(bare_session)
    settings = await resolve(source, endpoint_url=scripted.url)
    gate = asyncio.Event()
    calls = 0

    async def expire_together(_: Recorded) -> Any:
        nonlocal calls
        calls += 1
        if calls > 20:
            return EMPTY_POLL
        if calls == 20:
            gate.set()
        await gate.wait()
        return expired_token()

    scripted.always("PollForActivityTask", expire_together)
    async with _client.opened(settings) as conn, asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(empty(conn))
    assert source.reads == 1
    assert scripted.count("PollForActivityTask") == 40


async def empty(conn: wire.Wire) -> None:
    with contextlib.suppress(exceptions.EmptyTaskPollResult):
        await wire.send(conn, POLL)


async def test_keys_that_expire_for_ever_are_read_anew_every_ten_seconds(
    scripted: ScriptedSwf, bare_session: AioSession, caplog: pytest.LogCaptureFixture
) -> None:
    """However many calls fail, the source of the keys is not flooded."""
    pace = Pace()
    source = CountingSource(bare_session)
    settings = await resolve(source, endpoint_url=scripted.url)
    settings.credentials._clock = pace.clock
    scripted.always("PollForActivityTask", expired_token())

    async def refused(times: int) -> int:
        before = scripted.count("PollForActivityTask")
        for _ in range(times):
            with pytest.raises(exceptions.ExpiredCredentials):
                await wire.send(conn, POLL)
        return scripted.count("PollForActivityTask") - before

    async with _client.opened(settings) as conn:
        assert await refused(5) == 6  # only the first has other keys to try
        pace.now = 9.9
        assert await refused(5) == 5
        assert source.reads == 1
        pace.now = 10.0
        assert await refused(5) == 6
        assert source.reads == 2
    assert len(logged(caplog, logging.WARNING)) == 1


class Expiring:
    """Credentials whose provider is out of reach."""

    async def get_frozen_credentials(self) -> Any:
        raise RuntimeError("the instance does not answer")


async def test_refresh_that_fails_is_a_failed_connection() -> None:
    """Nothing was sent; a worker backs off and goes on, as with SWF out of reach."""
    credentials = Credentials(Expiring(), Source())
    with pytest.raises(exceptions.ConnectionFailed, match="does not answer"):
        await credentials.keys("ListDomains")


class BrokenSource(Source):
    """Finds nothing any more."""

    async def credentials_anew(self) -> Any:
        raise RuntimeError("the file is gone")


async def test_reading_anew_that_fails_keeps_the_old_keys_and_says_so(
    scripted: ScriptedSwf, bare_session: AioSession, caplog: pytest.LogCaptureFixture
) -> None:
    settings = await resolve(BrokenSource(bare_session), endpoint_url=scripted.url)
    scripted.always("PollForActivityTask", expired_token())
    async with _client.opened(settings) as conn:
        with pytest.raises(exceptions.ExpiredCredentials):
            await wire.send(conn, POLL)
    assert "cannot be read: the file is gone" in caplog.text
