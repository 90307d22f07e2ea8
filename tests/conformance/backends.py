"""Ways to a fresh SWF of this process: an engine, and servers over several wires."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import msgspec
from aiobotocore.session import AioSession

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
from tests.conformance.clients import (
    BaseBackend,
    ClientBackend,
    Opening,
    current_body,
    plain_client,
)
from tests.conformance.face import Fault
from tests.conformance.registry import Scenario
from tests.local.engine.rig import START, NaiveArchive


def _options(scenario: Scenario) -> dict[str, Any]:
    return {"quotas": scenario.quotas, "throttle": scenario.throttle}


async def _until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0)


# -- the engine itself ------------------------------------------------------------


class EngineBackend(BaseBackend):
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


# -- local SWFs -------------------------------------------------------------------


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
            async with plain_client(session, url, http_session_cls=carrier) as client:
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
            plain_client(session, server.url) as client,
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
        current_body.set(bodies)
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
            current_body.get().append(await response.content)
            return response

    return Keeping
