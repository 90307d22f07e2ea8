"""Fixtures for all tests: servers to talk to, and an environment without secrets."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session

from flowser.testing import HashSeeds, checked_replays
from flowser.testing.checks import unchecked_replays
from tests.support.processes import moto_server
from tests.support.scripted import ScriptedSwf
from tests.support.watched import WatchedSwf

if TYPE_CHECKING:
    from types_aiobotocore_swf import SWFClient

# Makes a plain aiobotocore client for an endpoint.
BareClient = Callable[..., AbstractAsyncContextManager["SWFClient"]]

# What a developer's machine may have set, and would change what is tested.
_UNWANTED = (
    "AWS_CA_BUNDLE",
    "AWS_DEFAULTS_MODE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SWF",
    "AWS_MAX_ATTEMPTS",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_REGION",
    "AWS_RETRY_MODE",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "HTTP_PROXY",
    "http_proxy",
)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker for what is no workflow code as it should be."""
    about = "unchecked(reason): decisions are not made again, and compared"
    config.addinivalue_line("markers", about)


@pytest.fixture(scope="session")
def hash_seeds() -> Iterator[HashSeeds]:
    """Processes in which decisions are made again."""
    with HashSeeds(0, 1) as seeds:
        yield seeds


@pytest.fixture(autouse=True)
def every_decision_is_checked(
    request: pytest.FixtureRequest, hash_seeds: HashSeeds
) -> Iterator[None]:
    """Make all decisions again, here and from two hash seeds: they are the same."""
    marker = request.node.get_closest_marker("unchecked")
    if marker is not None:
        [reason] = marker.args
        assert reason, "say why the decisions of this test are not checked"
        with unchecked_replays():
            yield
    else:
        with checked_replays(hash_seeds):
            yield


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The URL of a moto server that runs as long as the tests do."""
    with moto_server() as url:
        yield url


@pytest.fixture
def domain_name() -> str:
    """A domain name that no other test uses."""
    return f"domain-{uuid.uuid4()}"


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedSwf]:
    """An SWF that answers by script."""
    async with ScriptedSwf() as server:
        yield server


@pytest.fixture
async def local() -> AsyncIterator[WatchedSwf]:
    """A small SWF with true long polls."""
    async with WatchedSwf() as server:
        yield server


@pytest.fixture(scope="session")
def bare_session() -> AioSession:
    """A session whose loaded models all tests share; a client takes 0.1 s without."""
    return get_session()


@pytest.fixture
def bare_client(bare_session: AioSession) -> BareClient:
    """Plain aiobotocore clients, without retries unless they are asked for."""

    def connect(url: str, **config: Any) -> AbstractAsyncContextManager["SWFClient"]:
        settings = {"retries": {"max_attempts": 0}, "read_timeout": 70} | config
        client: AbstractAsyncContextManager[SWFClient] = bare_session.create_client(
            "swf", endpoint_url=url, config=AioConfig(**settings)
        )
        return client

    return connect


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file without content."""
    path = tmp_path_factory.mktemp("aws") / "empty"
    path.touch()
    return path


@pytest.fixture(autouse=True)
def aws_credentials(monkeypatch: pytest.MonkeyPatch, empty_file: Path) -> None:
    """Give every test credentials that open nothing, and nobody's configuration."""
    for name in _UNWANTED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(empty_file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(empty_file))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
