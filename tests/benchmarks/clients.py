"""The two contestants: flowser's connection, and a bare aiobotocore client."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

import flowser
from tests.benchmarks.measuring import LOOPS

if TYPE_CHECKING:
    from types_aiobotocore_swf import SWFClient

_KEYS: dict[str, Any] = {
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
}
_REGION = "us-east-1"


def flowser_connection(
    url: str, max_pollers: int = 1000
) -> AbstractAsyncContextManager[flowser.Connection]:
    """Open flowser's connection, as its users do."""
    return flowser.connect(
        region_name=_REGION, endpoint_url=url, max_pollers=max_pollers, **_KEYS
    )


def bare_client(url: str, pool: int = 100) -> "AbstractAsyncContextManager[SWFClient]":
    """Open an aiobotocore client, set up for long polls as it should be."""
    config = AioConfig(
        read_timeout=75,
        retries={"total_max_attempts": 1},
        max_pool_connections=pool,
    )
    client: AbstractAsyncContextManager[SWFClient] = get_session().create_client(
        "swf", region_name=_REGION, endpoint_url=url, config=config, **_KEYS
    )
    return client


class Side(NamedTuple):
    """An event loop with both clients open on it."""

    loop: str
    runner: asyncio.Runner
    flowser: flowser.Connection
    bare: "SWFClient"


def sides(url: str) -> Iterator[Side]:
    """Open both clients on each event loop that is installed, one after another."""
    for name, factory in LOOPS.items():
        with asyncio.Runner(loop_factory=factory) as runner:
            stack = AsyncExitStack()
            connection = runner.run(stack.enter_async_context(flowser_connection(url)))
            bare = runner.run(stack.enter_async_context(bare_client(url)))
            try:
                yield Side(name, runner, connection, bare)
            finally:
                runner.run(stack.aclose())
