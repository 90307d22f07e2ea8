"""Types and domains as users declare them, and ways to reach a server with them."""

import asyncio
import functools
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiobotocore.session import AioSession, get_session

from flowser import _client, requests, wire
from flowser._lean import Connection
from flowser.domain import Domain
from flowser.types import Activity, Workflow


class Resize(Activity):
    name = "Resize"
    version = "1.0"
    task_list = "images"


class Album(Workflow):
    name = "Album"
    version = "1.0"
    task_list = "albums"


class Photos(Domain):
    name = "photos"
    workflow_types = [Album]
    activity_types = [Resize]


class Upper:
    """A serializer that is easy to tell from JSON."""

    def dumps(self, value: Any, /) -> str:
        return str(value).upper()

    def loads(self, text: str, /, type: Any = Any) -> Any:
        return text.lower()


class UpperPhotos(Photos):
    serializer = Upper()


@functools.cache
def session() -> AioSession:
    """A session whose loaded models all tests share; opening takes 60 ms without."""
    return get_session()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """Open a connection as users do."""
    async with _client.connect(endpoint_url=url, session=session()) as conn:
        yield conn


@asynccontextmanager
async def hurried(url: str) -> AsyncIterator[Connection]:
    """Open a connection that does not pause before it repeats a call."""
    settings = await _client.resolve(_client.Source(session()), endpoint_url=url)
    async with _client.opened(settings, sleep=_no_pause) as conn:
        yield conn


async def _no_pause(seconds: float) -> None:
    await asyncio.sleep(0)


class Nowhere:
    """A wire for tests in which nothing is called."""

    async def call(self, operation: str, params: Any, result_type: Any, /) -> Any:
        raise AssertionError(f"{operation} was called")


def offline(kind: type[Domain] = Photos) -> Domain:
    """Make a domain that must not be asked anything."""
    return kind(Nowhere())


def body(request: requests.Request[Any]) -> Any:
    """Give what a request is on the wire; raises what SWF would refuse."""
    return json.loads(wire.encode(request))


def logged(
    caplog: pytest.LogCaptureFixture, level: int = logging.INFO
) -> list[tuple[str, str]]:
    """Give level and text of what flowser said at a level, and above."""
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("flowser") and record.levelno >= level
    ]
