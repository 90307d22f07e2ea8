"""The lean HTTP session: what it sends, and what it leaves out.

How it fails is tested through the connection, in test__lean.py and its neighbours,
which run over this session and over aiobotocore's.
"""

import inspect
from typing import Any

import pytest
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.awsrequest import AWSPreparedRequest

from flowser import _client
from flowser._http import Session
from tests.support.scripted import ScriptedSwf

KEYS = ("key", "secret", None)


async def test_request_arrives_as_it_was_prepared(scripted: ScriptedSwf) -> None:
    headers: Any = {  # botocore stubs, where there are any, ask for its own class
        "X-Amz-Target": "SimpleWorkflowService.ListDomains",
        "Content-Type": "application/x-amz-json-1.0",
    }
    url = f"{scripted.url}/"
    prepared = AWSPreparedRequest(
        "POST",
        url,
        headers,
        b"{}",
        stream_output=True,
    )
    scripted.answer("ListDomains", {"domainInfos": []})
    async with Session(timeout=(5, 5), max_pool_connections=1) as session:
        answer = await session.send(prepared)
        assert (answer.status_code, await answer.content) == (
            200,
            b'{"domainInfos":[]}',
        )
    (recorded,) = scripted.requests
    assert recorded.body == b"{}"
    assert headers.items() <= recorded.headers.items()
    assert "Accept-Encoding" not in recorded.headers


def test_its_keywords_are_among_those_of_aiobotocores_session() -> None:
    theirs = inspect.signature(AIOHTTPSession).parameters.keys()
    assert inspect.signature(Session).parameters.keys() <= theirs


async def test_it_is_chosen_unless_there_is_a_proxy_or_another_is_asked_for(
    bare_session: AioSession,
) -> None:
    async def chosen(**options: object) -> object:
        source = _client.Source(bare_session)
        url = "http://127.0.0.1:1"
        settings = await _client.resolve(source, KEYS, endpoint_url=url, **options)  # type: ignore[arg-type]
        return settings.http_session_cls

    assert await chosen() is Session
    assert await chosen(http_session_cls=AIOHTTPSession) is AIOHTTPSession


async def test_a_proxy_is_left_to_aiobotocores_session(
    bare_session: AioSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    settings = await _client.resolve(
        _client.Source(bare_session), KEYS, endpoint_url="https://127.0.0.2:1"
    )
    assert settings.http_session_cls is AIOHTTPSession
    assert settings.http["proxies"] == {"https": "http://127.0.0.1:3128"}
