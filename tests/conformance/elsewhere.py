"""Ways to SWFs that all scenarios share: moto's server, and AWS."""

import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from flowser import events
from tests.conformance.clients import ClientBackend, Opening, plain_client
from tests.conformance.registry import Scenario

#: What was set before fixtures hide it from tests: the way to AWS.
_ENVIRONMENT = dict(os.environ)


class MotoBackend(ClientBackend):
    """moto's server, which all scenarios share."""

    atomic = False

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.domain = f"domain-{uuid.uuid4()}"

    def mended(self, event: dict[str, Any]) -> dict[str, Any]:
        """Write what moto leaves out of all histories: zeros, and NONE (10.2)."""
        attributes = _LEFT_OUT.get(event["eventType"], {})
        member = events.member(event["eventType"])
        return event | {member: attributes | event[member]}


#: What moto leaves out of all histories (10.2); anything else is a scenario's matter.
_LEFT_OUT: dict[str, dict[str, Any]] = {
    "WorkflowExecutionStarted": {"parentInitiatedEventId": 0},
    "WorkflowExecutionSignaled": {"externalInitiatedEventId": 0},
    "DecisionTaskScheduled": {"scheduleToStartTimeout": "NONE"},
}


def moto(session: AioSession, url: str) -> Opening:
    """Lead to moto's server."""

    @contextlib.asynccontextmanager
    async def open_one(scenario: Scenario) -> AsyncIterator[MotoBackend]:
        async with plain_client(session, url) as client:
            yield MotoBackend(client)

    return open_one


class AwsBackend(ClientBackend):
    """SWF itself, in a domain that is there."""

    fresh = False
    newer = True

    def __init__(self, client: Any, domain: str) -> None:
        super().__init__(client)
        self.domain = domain
        self.suffix = f"-{uuid.uuid4()}"


#: A domain of AWS to play in; what is registered in it is deprecated afterwards.
AWS_DOMAIN = _ENVIRONMENT.get("FLOWSER_TEST_DOMAIN")


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Be in the environment of whoever runs the tests, for as long as a block lasts."""
    hidden = dict(os.environ)
    os.environ.clear()
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(hidden)


@contextlib.asynccontextmanager
async def aws(scenario: Scenario) -> AsyncIterator[AwsBackend]:
    """Lead to SWF."""
    with _environment():
        session = AioSession()
        config = AioConfig(retries={"mode": "standard"}, parameter_validation=False)
        async with session.create_client("swf", config=config) as client:
            yield AwsBackend(client, AWS_DOMAIN or "")
