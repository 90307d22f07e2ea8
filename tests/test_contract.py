"""What flowser relies on in aiobotocore and botocore: red when it moves.

Read with aiobotocore 3.10.0 and botocore 1.43.117. When one of these tests fails after
an upgrade, look at ``_client.py`` and ``_boto.py`` before anything else.
"""

import inspect
import re
from typing import Any

import aiobotocore
import aiohttp
import pytest
from aiobotocore.client import AioBaseClient
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession, ClientCreatorContext
from botocore import exceptions as boto
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.credentials import ReadOnlyCredentials
from botocore.utils import get_environ_proxies

from flowser import _client
from tests.support import samples
from tests.support.scripted import ScriptedSwf

URL = "http://127.0.0.1:1"


def test_versions_are_those_that_were_read() -> None:
    """A new major version of aiobotocore is read before it is allowed."""
    assert aiobotocore.__version__.split(".")[0] == "3"


async def test_client_tells_endpoint_region_and_configuration() -> None:
    defaults = AioConfig(http_session_cls=AIOHTTPSession, client_cert="cert.pem")
    session = AioSession(profile=None)
    session.set_config_variable("region", "eu-west-1")
    session.set_default_client_config(defaults)
    context = session.create_client("swf", endpoint_url=URL, config=AioConfig())
    assert isinstance(context, ClientCreatorContext)
    async with context as client:
        assert isinstance(client, AioBaseClient)
        assert isinstance(client, BaseClient)
        meta = client.meta
        assert (meta.endpoint_url, meta.region_name) == (URL, "eu-west-1")
        assert meta.service_model.service_name == "swf"
        config: Any = meta.config
    assert config.http_session_cls is AIOHTTPSession
    assert config.connector_args == {"keepalive_timeout": 12}
    assert (config.proxies, config.proxies_config) == (None, None)
    assert config.client_cert == "cert.pem"
    assert (config.read_timeout, config.max_pool_connections) == (60, 10)
    assert config.retries == {"mode": "legacy"}


async def test_total_attempts_are_told_however_they_were_set() -> None:
    for given in ({"max_attempts": 0}, {"total_max_attempts": 1}):
        config = AioConfig(retries=given)
        async with AioSession().create_client("swf", config=config) as client:
            assert client.meta.config.retries["total_max_attempts"] == 1


class Stop(Exception):
    """Ends a call before it is sent."""


@pytest.mark.parametrize(
    ("region", "options"),
    [
        ("us-east-1", {}),
        ("us-east-1", {"use_fips_endpoint": True}),
        ("us-east-1", {"use_dualstack_endpoint": True}),
        ("fips-us-east-1", {}),
        ("us-gov-west-1", {"use_fips_endpoint": True}),
        ("cn-north-1", {}),
        ("eu-west-1", {}),
    ],
)
async def test_calls_go_where_the_client_says_and_are_signed_for_its_region(
    region: str, options: dict[str, Any], bare_session: AioSession
) -> None:
    """An endpoint is resolved per call; the lean wire takes the client's word."""
    seen: list[AWSPreparedRequest] = []

    def look(request: AWSPreparedRequest, **_: Any) -> None:
        seen.append(request)
        raise Stop

    async with bare_session.create_client(
        "swf", region_name=region, config=AioConfig(**options)
    ) as client:
        client.meta.events.register("before-send.swf", look)
        with pytest.raises(Stop):
            await client.list_domains(registrationStatus="REGISTERED")
        meta = client.meta
    (request,) = seen
    assert request.url == f"{meta.endpoint_url}/"
    authorization = request.headers["Authorization"]
    words = (
        authorization.decode() if isinstance(authorization, bytes) else authorization
    )
    assert f"/{meta.region_name}/swf/aws4_request" in words


def test_http_session_takes_the_keywords_that_it_is_given() -> None:
    parameters = inspect.signature(AIOHTTPSession).parameters
    assert set(parameters) == {
        "timeout",
        "max_pool_connections",
        "proxies",
        "verify",
        "socket_options",
        "client_cert",
        "proxies_config",
        "connector_args",
    }


def prepared(url: str) -> AWSPreparedRequest:
    """Make a request as the lean wire does, with a plain dict of headers."""
    headers: Any = {"X-Amz-Target": "SimpleWorkflowService.ListDomains"}
    return AWSPreparedRequest("POST", url, headers, b"{}", stream_output=True)


async def test_http_session_gives_what_the_lean_wire_reads(
    scripted: ScriptedSwf,
) -> None:
    """With the last parameter of the request true, the body is left to be read."""
    scripted.always("ListDomains", {"domainInfos": []})
    async with AIOHTTPSession(timeout=(5, 10), max_pool_connections=1) as session:
        response: Any = await session.send(prepared(f"{scripted.url}/"))
        assert AWSResponse in type(response).__mro__
        assert response.status_code == 200
        assert response.headers.get("content-length") == "18"
        assert response.headers.get("x-amzn-requestid") is None
        assert isinstance(response.raw, aiohttp.ClientResponse)
        assert response.raw.content.iter_any is not None
        assert response.raw.close is not None
        assert await response.content == b'{"domainInfos":[]}'


async def test_credentials_are_frozen_by_awaiting() -> None:
    session = AioSession()
    found = await session.get_credentials()
    frozen = await found.get_frozen_credentials()
    assert isinstance(frozen, ReadOnlyCredentials)
    assert frozen[:3] == ("testing", "testing", None)
    assert (frozen.access_key, frozen.secret_key, frozen.token) == frozen[:3]
    assert ReadOnlyCredentials("a", "b", None)[:3] == ("a", "b", None)


async def test_credentials_can_be_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = AioSession()
    await session.get_credentials()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    assert (await session.get_credentials()).access_key == "testing"
    again = await session.get_component("credential_provider").load_credentials()
    assert again.access_key == "another"


async def test_no_credentials_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert await AioSession().get_credentials() is None


def test_configuration_variables_have_their_names() -> None:
    assert AioSession().get_config_variable("ca_bundle") is None
    assert get_environ_proxies(URL) is not None


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        (boto.ReadTimeoutError, boto.HTTPClientError),
        (boto.ConnectionClosedError, boto.HTTPClientError),
        (boto.ResponseStreamingError, boto.HTTPClientError),
        (boto.EndpointConnectionError, boto.ConnectionError),
        (boto.ConnectTimeoutError, boto.ConnectionError),
        (boto.ProxyConnectionError, boto.ConnectionError),
        (boto.SSLError, boto.ConnectionError),
        (boto.NoRegionError, boto.BotoCoreError),
        (boto.ProfileNotFound, boto.BotoCoreError),
        (boto.PartialCredentialsError, boto.BotoCoreError),
        (boto.NoCredentialsError, boto.BotoCoreError),
        (boto.ParamValidationError, boto.BotoCoreError),
        (aiohttp.ClientConnectorError, aiohttp.ClientConnectionError),
        (aiohttp.ClientOSError, aiohttp.ClientConnectionError),
    ],
)
def test_exceptions_are_of_the_families_they_are_told_apart_by(
    kind: type[Exception], family: type[Exception]
) -> None:
    assert issubclass(kind, family)


async def test_nobody_listening_is_told_with_its_cause() -> None:
    """By the cause, a refused connection is told from one that broke later."""
    async with ScriptedSwf() as server:
        url = f"{server.url}/"
    async with AIOHTTPSession(timeout=(5, 10)) as session:
        with pytest.raises(boto.EndpointConnectionError) as caught:
            await session.send(prepared(url))
    assert isinstance(caught.value.kwargs["error"], aiohttp.ClientConnectorError)


def test_method_names_are_those_of_the_operations(bare_session: AioSession) -> None:
    for operation in samples.operations():
        expected = re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower()
        assert xform_name(operation) == expected


def test_timeouts_of_polls_are_what_swf_asks_for() -> None:
    """Workers should wait for at least 70 seconds, says PollForActivityTask."""
    assert _client.POLL_TIMEOUT[1] >= 70
