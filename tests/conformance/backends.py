"""Ways to everything that claims to be SWF.

Each is a context manager that makes a fresh one for a scenario, or, where there is but
one for all, names in it that nobody else has.
"""

import asyncio
import contextlib
import contextvars
import os
import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Any, Self

import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

from flowser import events
from flowser._client import Credentials, Settings, opened
from flowser.events import UnrecognizedEvent
from flowser.exceptions import EmptyTaskPollResult, ServiceError
from flowser.local.engine import faults, reading
from flowser.local.engine.engine import Engine
from flowser.local.engine.world import Invocation, Parked
from flowser.local.functions import run
from flowser.local.server import Server
from flowser.local.service import Service
from flowser.local.session import Response, session_class
from flowser.local.storage import Store
from flowser.testing.clock import Clock, virtual_time
from flowser.wire import send
from tests.conformance.face import Fault
from tests.conformance.registry import Scenario
from tests.local.engine.rig import START, NaiveArchive

#: Makes a back end for a scenario.
Opening = Callable[[Scenario], AbstractAsyncContextManager[Any]]

#: What was set before fixtures hide it from tests: the way to AWS.
_ENVIRONMENT = dict(os.environ)


def _options(scenario: Scenario) -> dict[str, Any]:
    return {"quotas": scenario.quotas, "throttle": scenario.throttle}


class _Backend:
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


async def _until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0)


# -- the engine itself ------------------------------------------------------------


class EngineBackend(_Backend):
    """An engine, from the bytes of requests to those of answers."""

    def __init__(self, scenario: Scenario) -> None:
        self.now = START
        self._functions = dict(scenario.functions or {})
        self._archive = NaiveArchive()
        self._waiting: dict[Parked, asyncio.Future[bytes]] = {}
        self._engine = Engine(
            self._archive,
            key=b"k" * 32,
            entropy=random.Random(1).randbytes,
            functions=frozenset(self._functions),
            **_options(scenario),
        )
        self._engine.resume(self.now, 0)

    async def send(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        try:
            request = reading.read(operation, msgspec.json.encode(members))
            reply = self._engine.call(self.now, request)
        except faults.Fault as fault:
            raise Fault(fault.name, fault.message) from fault
        finally:
            self._take()
        if isinstance(reply, Parked):
            future = asyncio.get_running_loop().create_future()
            self._waiting[reply] = future
            reply = await future
        answer: dict[str, Any] = msgspec.json.decode(reply or b"{}")
        return answer

    def _take(self) -> None:
        engine = self._engine
        self._archive.append(engine.take_facts())
        for parked, answer in engine.take_wakeups():
            self._waiting.pop(parked).set_result(answer)
        for invocation in engine.take_invocations():
            self._invoke(invocation)

    def _invoke(self, invocation: Invocation) -> None:
        """Run a function, which returns at once or never."""
        running = run(self._functions[invocation.name], invocation.input)
        try:
            running.send(None)
        except StopIteration as returned:
            self._engine.finished(self.now, invocation, returned.value)
            self._take()
        else:
            running.close()

    async def skip(self, seconds: float) -> None:
        until = self.now + round(seconds * 1000)
        await asyncio.sleep(0)
        while (due := self._engine.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self._engine.advance(self.now)
            self._take()
        self.now = until

    async def held(self, polls: int) -> None:
        await _until(lambda: len(self._waiting) == polls)


@contextlib.asynccontextmanager
async def engine(scenario: Scenario) -> AsyncIterator[EngineBackend]:
    """Lead to an engine."""
    yield EngineBackend(scenario)


# -- clients ----------------------------------------------------------------------


#: Where the body of the answer to the call under way is put: clients of SWF drop what
#: they do not know, and this is not to be dropped.
_body: contextvars.ContextVar[list[bytes]] = contextvars.ContextVar("body")


class ClientBackend(_Backend):
    """Whatever a plain aiobotocore client talks to."""

    def __init__(self, client: Any) -> None:
        self._client = client
        client.meta.events.register("before-parse.swf.*", self._keep)

    def _keep(self, response_dict: dict[str, Any], **_: Any) -> None:
        _body.get().append(response_dict["body"])

    async def send(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        bodies: list[bytes] = []
        _body.set(bodies)
        try:
            await self._client._make_api_call(operation, members)
        except ClientError as error:
            told = error.response["Error"]
            raise Fault(told["Code"], told.get("Message")) from error
        answer: dict[str, Any] = msgspec.json.decode(bodies[-1] or b"{}")
        return answer


class LocalBackend(ClientBackend):
    """A local SWF of this process, whose clock can be turned."""

    def __init__(self, client: Any, service: Service, clock: Clock | None) -> None:
        super().__init__(client)
        self._service = service
        self._clock = clock

    async def skip(self, seconds: float) -> None:
        assert self._clock is not None, "the scenario is not marked with clock=True"
        await self._clock.skip(seconds)

    async def held(self, polls: int) -> None:
        await _until(lambda: len(self._service._waiting) == polls)


@contextlib.asynccontextmanager
async def _client(session: AioSession, url: str, **config: Any) -> AsyncIterator[Any]:
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


#: Real seconds of silence after which nothing is on its way over a socket.
_STILL = 0.002


@contextlib.asynccontextmanager
async def _service(
    scenario: Scenario, store: Store
) -> AsyncIterator[tuple[Service, Clock | None]]:
    functions = scenario.functions
    with contextlib.closing(store), _clock(scenario) as clock:
        service = Service(store, functions=functions, **_options(scenario))
        async with service:
            yield service, clock


def _clock(scenario: Scenario) -> AbstractContextManager[Clock | None]:
    """Give a clock that can be turned to whoever wants to."""
    if scenario.clock:
        return virtual_time(autojump=False, still=_STILL)
    return contextlib.nullcontext()


def in_process(session: AioSession) -> Opening:
    """Lead to a local SWF by an aiobotocore client without a socket."""

    @contextlib.asynccontextmanager
    async def open_one(scenario: Scenario) -> AsyncIterator[LocalBackend]:
        async with _service(scenario, Store()) as (service, clock):
            carrier = session_class(service)
            url = "http://localhost"
            async with _client(session, url, http_session_cls=carrier) as client:
                yield LocalBackend(client, service, clock)

    return open_one


def over_http(session: AioSession, directory: Path | None = None) -> Opening:
    """Lead to a local SWF by a socket; with a directory, it keeps all in a file."""

    @contextlib.asynccontextmanager
    async def open_one(scenario: Scenario) -> AsyncIterator[LocalBackend]:
        store = Store(directory / f"{scenario.name}.db" if directory else None)
        async with (
            _service(scenario, store) as (service, clock),
            Server(service) as server,
            _client(session, server.url) as client,
        ):
            yield LocalBackend(client, service, clock)

    return open_one


# -- the lean wire ----------------------------------------------------------------


class _Keys:
    access_key = secret_key = "local"
    token = None


class LeanBackend(LocalBackend):
    """A local SWF, by the connection that flowser's users have."""

    def __init__(self, connection: Any, service: Service, clock: Clock | None) -> None:
        self._connection = connection
        self._service = service
        self._clock = clock

    async def send(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        bodies: list[bytes] = []
        _body.set(bodies)
        request = reading.read(operation, msgspec.json.encode(members))
        try:
            result = await send(self._connection, request)
        except EmptyTaskPollResult:
            pass
        except ServiceError as error:
            raise Fault(error.code, error.message) from error
        else:
            known = getattr(result, "events", ())
            assert not any(isinstance(each, UnrecognizedEvent) for each in known)
        answer: dict[str, Any] = msgspec.json.decode(bodies[-1] or b"{}")
        return answer


@contextlib.asynccontextmanager
async def lean(scenario: Scenario) -> AsyncIterator[LeanBackend]:
    """Lead to a local SWF by the lean wire, without a socket."""
    async with _service(scenario, Store()) as (service, clock):
        settings = Settings(
            endpoint_url="http://localhost",
            region_name="us-east-1",
            credentials=Credentials(_Keys(), None),
            http_session_cls=_keeping(session_class(service)),
            http={},
        )
        time = asyncio.get_running_loop().time  # an empty poll takes a minute of it
        async with opened(settings, clock=time) as connection:
            yield LeanBackend(connection, service, clock)


def _keeping(make: Callable[..., Any]) -> Any:
    """Make sessions that keep the bodies of answers."""

    class Keeping:
        def __init__(self, **options: Any) -> None:
            self._session = make(**options)

        async def __aenter__(self) -> Self:
            await self._session.__aenter__()
            return self

        async def __aexit__(self, *error: object) -> None:
            await self._session.__aexit__(*error)

        async def send(self, request: Any) -> Response:
            response: Response = await self._session.send(request)
            _body.get().append(await response.content)
            return response

    return Keeping


# -- moto, and AWS ----------------------------------------------------------------


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
        async with _client(session, url) as client:
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
