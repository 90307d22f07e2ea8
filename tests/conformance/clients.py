"""What back ends have in common, and plain aiobotocore clients."""

import contextlib
import contextvars
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

from tests.conformance.face import Fault
from tests.conformance.registry import Scenario

#: Makes a back end for a scenario.
Opening = Callable[[Scenario], AbstractAsyncContextManager[Any]]


class BaseBackend:
    """What back ends have in common, unless they say otherwise."""

    domain = "shop"
    suffix = ""
    fresh = True
    newer = False
    atomic = True

    async def skip(self, seconds: float) -> None:
        raise NotImplementedError("this clock cannot be turned")

    async def held(self, polls: int) -> None:
        raise NotImplementedError("who waits cannot be seen from here")

    def mended(self, event: dict[str, Any]) -> dict[str, Any]:
        return event


#: Where the body of the answer to the call under way is put: clients of SWF drop what
#: they do not know, and this is not to be dropped.
current_body: contextvars.ContextVar[list[bytes]] = contextvars.ContextVar("body")


class ClientBackend(BaseBackend):
    """Whatever a plain aiobotocore client talks to."""

    def __init__(self, client: Any) -> None:
        self._client = client
        client.meta.events.register("before-parse.swf.*", self._keep)

    def _keep(self, response_dict: dict[str, Any], **_: Any) -> None:
        current_body.get().append(response_dict["body"])

    async def send(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        bodies: list[bytes] = []
        current_body.set(bodies)
        try:
            await self._client._make_api_call(operation, members)
        except ClientError as error:
            told = error.response["Error"]
            raise Fault(told["Code"], told.get("Message")) from error
        answer: dict[str, Any] = msgspec.json.decode(bodies[-1] or b"{}")
        return answer


@contextlib.asynccontextmanager
async def plain_client(
    session: AioSession, url: str, **config: Any
) -> AsyncIterator[Any]:
    """Open a client that neither retries nor finds fault with what it is given."""
    settings = {
        "retries": {"max_attempts": 0},
        "read_timeout": 100_000,  # of time that jumps
        "parameter_validation": False,
    }
    async with session.create_client(
        "swf", endpoint_url=url, config=AioConfig(**(settings | config))
    ) as client:
        yield client
