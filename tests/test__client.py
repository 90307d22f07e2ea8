"""Opening a connection: what is looked up, and what is missing."""

from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from flowser import exceptions, requests, shapes, wire
from flowser._client import Source, connect, resolve
from tests.support.fake_http import FakeSession
from tests.support.scripted import ScriptedSwf

LIST = shapes.TaskList(name="list")
POLL = requests.PollForActivityTask(domain="d", task_list=LIST)
COUNT = requests.CountPendingActivityTasks(domain="d", task_list=LIST)
URL = "http://127.0.0.1:1"


@pytest.fixture
def fake_sessions() -> list[FakeSession]:
    FakeSession.made.clear()
    return FakeSession.made


async def test_http_session_is_a_parameter_and_needs_no_socket(
    fake_sessions: list[FakeSession], bare_session: AioSession
) -> None:
    """By this seam tests run without sockets, as by aiobotocore's own."""
    async with connect(
        endpoint_url=URL,
        session=bare_session,
        max_pollers=7,
        http_session_cls=FakeSession,
    ) as conn:
        assert (await wire.send(conn, COUNT)).count == 5
        with pytest.raises(exceptions.EmptyTaskPollResult):
            await wire.send(conn, POLL)
        polls, calls = fake_sessions
        assert polls.open
        assert calls.open
    assert not polls.open
    assert not calls.open
    for session, target in ((polls, "PollFor"), (calls, "CountPending")):
        (request,) = session.sent
        assert (request.method, request.url) == ("POST", f"{URL}/")
        assert f".{target}" in request.headers["X-Amz-Target"]
        assert request.headers["User-Agent"].startswith("flowser")


async def test_polls_wait_longer_than_swf_and_calls_do_not(
    fake_sessions: list[FakeSession],
    bare_session: AioSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DESIGN rule 3: SWF holds a poll for 60 seconds, and a pool of 10 would queue."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    async with connect(
        endpoint_url=URL,
        session=bare_session,
        max_pollers=7,
        http_session_cls=FakeSession,
    ):
        polls, calls = (session.keywords for session in fake_sessions)
    assert polls["timeout"] == (5, 75)
    assert polls["max_pool_connections"] == 7
    assert calls["timeout"] == (5, 10)
    assert calls["max_pool_connections"] == 100
    for keywords in (polls, calls):
        assert keywords["verify"] is True
        assert keywords["connector_args"]["keepalive_timeout"] > 0


async def test_connection_tells_where_it_leads(bare_session: AioSession) -> None:
    async with connect(
        region_name="eu-west-1", session=bare_session, max_pollers=9
    ) as conn:
        assert conn.region_name == "eu-west-1"
        assert conn.endpoint_url == "https://swf.eu-west-1.amazonaws.com/"
        assert conn.max_pollers == 9
        assert repr(conn) == (
            "<flowser.Connection to https://swf.eu-west-1.amazonaws.com/ (eu-west-1)>"
        )


async def test_endpoint_comes_from_the_environment(
    scripted: ScriptedSwf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SWF", f"{scripted.url}/base")
    scripted.always("CountPendingActivityTasks", {"count": 1})
    async with connect() as conn:
        assert conn.endpoint_url == f"{scripted.url}/base"
        assert (await wire.send(conn, COUNT)).count == 1


async def test_session_brings_proxies_certificate_and_connector(
    bare_session: AioSession,
) -> None:
    session = AioSession()
    defaults = AioConfig(
        proxies={"http": "http://127.0.0.1:3128"},
        client_cert="cert.pem",
        connector_args={"keepalive_timeout": 3},
        http_session_cls=FakeSession,
    )
    session.set_default_client_config(defaults)
    settings = await resolve(Source(session), endpoint_url=URL, verify="ca.pem")
    assert settings.http["proxies"] == {"http": "http://127.0.0.1:3128"}
    assert settings.http["client_cert"] == "cert.pem"
    assert settings.http["connector_args"] == {"keepalive_timeout": 3}
    assert settings.http["verify"] == "ca.pem"
    assert settings.http_session_cls is FakeSession


@pytest.mark.parametrize(
    ("variable", "value", "keyword", "expected"),
    [
        ("AWS_CA_BUNDLE", "aws.pem", "verify", "aws.pem"),
        ("REQUESTS_CA_BUNDLE", "requests.pem", "verify", "requests.pem"),
        (
            "HTTPS_PROXY",
            "http://127.0.0.1:3128",
            "proxies",
            {"https": "http://127.0.0.1:3128"},
        ),
    ],
)
async def test_environment_is_read_as_botocore_reads_it(
    variable: str,
    value: str,
    keyword: str,
    expected: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (
        "REQUESTS_CA_BUNDLE",
        "HTTPS_PROXY",
        "https_proxy",
        "NO_PROXY",
        "no_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    settings = await resolve(Source())
    assert settings.http[keyword] == expected


@pytest.mark.parametrize(
    ("options", "unset", "words"),
    [
        ({}, "AWS_DEFAULT_REGION", "pass region_name, or set AWS_DEFAULT_REGION"),
        ({}, "AWS_SECRET_ACCESS_KEY", "secret key, or neither"),
        ({}, "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY", "set AWS_ACCESS_KEY_ID and"),
        (
            {"endpoint_url": URL},
            "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY",
            "a local SWF takes any",
        ),
        ({"endpoint_url": URL}, "AWS_DEFAULT_REGION", "pass region_name"),
        ({"aws_access_key_id": "AKID"}, "", "secret key, or neither"),
        ({"aws_secret_access_key": "s"}, "", "secret key, or neither"),
        ({"profile_name": "nobody"}, "", "nobody.*check profile_name"),
        ({"endpoint_url": "127.0.0.1:8000"}, "", "Invalid endpoint"),
        ({"endpoint_url": f"{URL}/?a=b"}, "", "scheme, host, port and path"),
        ({"endpoint_url": "ftp://127.0.0.1"}, "", "scheme, host, port and path"),
        ({"connector_args": {"limit": 5}}, "", "invalid connector_arg:limit"),
        ({"max_pollers": 0}, "", "max_pollers is 0"),
        (
            {"profile_name": "p", "session": AioSession()},
            "",
            "a session has its profile",
        ),
    ],
)
async def test_what_is_missing_or_wrong_is_told_in_one_line(
    options: dict[str, Any], unset: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in unset.split():
        monkeypatch.delenv(name)
    with pytest.raises(exceptions.ConfigurationError, match=words) as caught:
        async with connect(**options):
            pass
    assert "\n" not in str(caught.value)
