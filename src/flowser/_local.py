"""An SWF on this machine, for as long as a block lasts.

Strategy: one small seam, ``local_swf()``, that gives a URL. For now it is moto's
server in a child process, whose state is gone with it; nothing else of flowser knows.

Source:
    issue 2 section 4 (``--local``).
"""

import asyncio
import contextlib
import importlib.util
import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

from flowser._client import connect
from flowser._lean import Connection
from flowser.exceptions import ConfigurationError

log = logging.getLogger("flowser.local")

#: The first start in a new environment compiles a lot of bytecode.
_SECONDS = 60.0

#: The child ends when its standard input does: with us, however we end.
_CHILD = """
import os, sys, threading

def follow():
    sys.stdin.buffer.read()
    os._exit(0)

threading.Thread(target=follow, daemon=True).start()
from moto.server import main
from werkzeug.serving import WSGIRequestHandler

def send_header(self, name, value, send=WSGIRequestHandler.send_header):
    if name.lower() != "server":  # moto adds a second, which strict parsers refuse
        send(self, name, value)

WSGIRequestHandler.send_header = send_header
main(["-H", "127.0.0.1", "-p", "0"])
"""

_ANNOUNCED = re.compile(rb"Running on (http://127\.0\.0\.1:\d+)")
_OUTPUT = 1 << 16


@contextlib.asynccontextmanager
async def connect_local(**options: Any) -> AsyncIterator[Connection]:
    """Start an SWF on this machine, and open a way to it.

    ::

        async with flowser.connect_local() as conn:
            photos = Photos(conn)

    It is moto's server (``pip install 'flowser[local]'``): for a demonstration or a
    test. It keeps nothing when the block is left.

    Args:
        **options: Those of :func:`flowser.connect`.

    Raises:
        ConfigurationError: When moto is missing, or does not start.
    """
    async with local_swf() as url, connect(**(credentials(url) | options)) as conn:
        yield conn


def credentials(url: str) -> dict[str, str]:
    """Give the options of a connection to a local SWF, which takes any keys."""
    return {
        "endpoint_url": url,
        "region_name": "us-east-1",
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
    }


@contextlib.asynccontextmanager
async def local_swf() -> AsyncIterator[str]:
    """Run an SWF on a free loopback port.

    Yields:
        Its URL; it answers already.

    Raises:
        ConfigurationError: When moto is missing, or does not start.
    """
    if importlib.util.find_spec("moto") is None:
        raise ConfigurationError(
            "a local SWF needs moto's server: pip install 'flowser[local]'"
        )
    loop = asyncio.get_running_loop()
    command = (sys.executable, "-c", _CHILD)
    transport, child = await loop.subprocess_exec(
        _Child,
        *command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a Ctrl-C is for us, and for it when we have ended
    )
    try:
        url = await child.announced()
        log.info("a local SWF listens at %s; it keeps nothing when it ends", url)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            transport.kill()
        await child.ended.wait()
        transport.close()


class _Child(asyncio.SubprocessProtocol):
    """Looks for the URL in the output of the child, and swallows the rest."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self._known = asyncio.Event()
        self._output = b""
        self._url = ""

    async def announced(self) -> str:
        """Wait for the URL; by then the child listens."""
        try:
            async with asyncio.timeout(_SECONDS):
                await self._known.wait()
        except TimeoutError:
            problem = f"is silent for {_SECONDS:g} s"
            raise ConfigurationError(f"moto's server {problem}") from None
        if not self._url:
            lines = self._output.decode(errors="replace").strip().splitlines()
            problem = lines[-1] if lines else "it ended without a word"
            raise ConfigurationError(f"moto's server does not start: {problem}")
        return self._url

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002
        """Read output until the URL is known."""
        if not self._url:
            self._output = (self._output + data)[-_OUTPUT:]
            if found := _ANNOUNCED.search(self._output):
                self._url = found[1].decode()
                self._output = b""
                self._known.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Note that the child has ended, and all its output is here."""
        self._known.set()
        self.ended.set()
