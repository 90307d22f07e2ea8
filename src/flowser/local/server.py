"""The local SWF on a socket: aiohttp's HTTP server around :mod:`~.protocol`.

It is for development and tests, and trusts whoever can reach it; so it is reached from
this machine only, unless it is told otherwise.

Source:
    swf-semantics.md section 1.1; reliability.md section 5.
"""

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from flowser.exceptions import ConfigurationError
from flowser.local._connections import Listener, response
from flowser.local.engine import faults
from flowser.local.engine.faults import Fault
from flowser.local.engine.quotas import Quotas
from flowser.local.protocol import (
    MAX_REQUEST_BYTES,
    Answer,
    Protocol,
    check_size,
    forbidden,
    refusal,
)
from flowser.local.service import Service
from flowser.local.signatures import Keys
from flowser.local.storage import Store

log = logging.getLogger(__name__)

#: Seconds for a body to arrive.
_BODY = 10.0

#: Seconds for answers to leave at the end.
_END = 0.5


class Server:
    """Listens for the callers of a service, as an asynchronous context manager.

    Attributes:
        url: Where it listens.
    """

    def __init__(
        self,
        service: Service,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keys: Keys | None = None,
        hosts: Iterable[str] = (),
    ) -> None:
        """Listen to nobody yet.

        Args:
            service: What answers.
            host: The address to listen at.
            port: 0 for one that is free.
            keys: Whose signature is required; anybody's will do if None.
            hosts: Names of this server, beside addresses and ``localhost``.
        """
        self._service = service
        self._host, self._port = host, port
        self._protocol = Protocol(service, keys=keys, hosts=(*hosts, host))
        self.url = ""

    async def __aenter__(self) -> Self:
        """Begin to listen.

        Raises:
            ConfigurationError: When the address is taken, or is not ours.
        """
        self._listener = Listener(self._handle)
        self._runner = web.ServerRunner(self._listener, shutdown_timeout=_END)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, backlog=1024)
        try:
            await site.start()
        except (OSError, UnicodeError) as error:  # the latter: no name at all
            await self._runner.cleanup()
            why = getattr(error, "strerror", None) or error
            where = f"{self._host}, port {self._port}"
            raise ConfigurationError(f"cannot listen at {where}: {why}") from error
        self.url = _url(*self._runner.addresses[0][:2])
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening; answer polls as empty, and what is in hand as usual."""
        for site in self._runner.sites:
            await site.stop()
        self._listener.pre_shutdown()  # no request after the one in hand
        await asyncio.sleep(0)  # which may be to begin yet
        self._service.release()
        await self._runner.cleanup()

    def release(self) -> None:
        """Answer all polls that wait as empty: a worker of this process stops."""
        self._service.release()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection: Any = request.protocol  # one of ours, see Listener
        connection.begin()
        try:
            answer = await self._answer(request, connection.is_present)
        finally:
            connection.end()
        return response(answer, request)

    async def _answer(
        self, request: web.BaseRequest, present: Callable[[], bool]
    ) -> Answer:
        try:
            # The raw one is "/" as a rule, and to parse it takes time.
            root = request.raw_path == "/" or request.path == "/"
            if not root or request.method != "POST":
                raise _misplaced(request)
            content = request.content
            if content.is_eof():  # it came with the head, as a rule
                body = content.read_nowait()
            else:
                body = await _body(request)
        except Fault as fault:
            return refusal(fault, request.headers)
        return await self._protocol.answer(request.headers, body, present)


def _url(host: str, port: int) -> str:
    """Say where callers of this machine find a listener."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _misplaced(request: web.BaseRequest) -> Fault:
    if request.method != "POST":
        return forbidden("SWF is called by POST")
    return Fault(faults.unknown_operation().type, None, 404)


async def _body(request: web.BaseRequest) -> bytes:
    """Read a body that is small enough, and arrives soon enough."""
    try:
        check_size(request.headers, request.content_length or 0)
        async with asyncio.timeout(_BODY):
            await _invite(request)
            return await _read(request)
    except TimeoutError:
        kind = "com.amazon.coral.service#RequestTimeoutException"
        raise Fault(kind, None, 408) from None
    except web.RequestPayloadError:
        raise faults.serialization("The body cannot be read") from None


async def _invite(request: web.BaseRequest) -> None:
    """Ask for a body whose sender waits to be asked: curl does, if it is long."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer is yet to come


async def _read(request: web.BaseRequest) -> bytes:
    pieces = bytearray()
    async for piece in request.content.iter_any():
        pieces += piece
        if len(pieces) > MAX_REQUEST_BYTES:
            check_size(request.headers, len(pieces))
    return bytes(pieces)


@contextlib.asynccontextmanager
async def serve(
    path: Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    keys: Keys | None = None,
    hosts: Iterable[str] = (),
    account: str = "123456789012",
    quotas: Quotas | None = None,
    throttle: bool = False,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> AsyncIterator[Server]:
    """Run a local SWF, for as long as the block lasts.

    Args:
        path: The file to keep all in; None to forget it at the end.
        host: The address to listen at.
        port: 0 for one that is free.
        keys: Whose signature is required; anybody's will do if None.
        hosts: Names of this server, beside addresses and ``localhost``.
        account: Twelve digits, for ARNs.
        quotas: SWF's own, if None.
        throttle: Whether to throttle as AWS does.
        functions: Lambda functions, by name.

    Yields:
        The server; its ``url`` answers.

    Raises:
        ConfigurationError: When the file or the address cannot be had; says why.
    """
    with contextlib.closing(Store(path)) as store:
        service = Service(
            store,
            account=account,
            quotas=quotas,
            throttle=throttle,
            functions=functions,
        )
        async with (
            service,
            Server(service, host=host, port=port, keys=keys, hosts=hosts) as server,
        ):
            if not is_loopback(host):
                text = "listening at %s: whoever reaches it can read and change all"
                log.warning(text, host)
            yield server


def is_loopback(host: str) -> bool:
    """Tell an address that only this machine reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
